"""Run ``permutive``: in this process, as a process, and on a terminal.

Most tests run it in this process with :func:`run` and :func:`run_in_terminal`. Most processes are forked
from one that has imported the package; `COMMAND` starts one that has not.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO, TextIOWrapper
from types import TracebackType
from typing import IO, Any, Dict, Mapping, NamedTuple, Optional, Sequence, Type, Union
from unittest.mock import patch

from PermutiveAPI.cli import main
from tests.support.scripts import Script, script_of, start_script
from tests.support.terminals import open_terminal

COMMAND = (sys.executable, "-W", "error", "-m", "PermutiveAPI")
SECONDS = 30

# Variables that would decide what a terminal shows.
_HIDDEN = {"COLUMNS", "LINES", "NO_COLOR"}


class Ended(NamedTuple):
    """A command that has ended: its exit status, and what it wrote."""

    status: int
    out: str
    err: str


class Screen(NamedTuple):
    """A command on a terminal that has ended: its exit status, and what the terminal showed."""

    status: int
    text: str


def run(*arguments: str, stdin: str = "") -> Ended:
    """Run a command in this process. Its input and its output are not terminals."""
    out, err = BytesIO(), BytesIO()
    stdout = TextIOWrapper(out, encoding="utf-8", newline="\n")
    stderr = TextIOWrapper(err, encoding="utf-8", newline="\n", write_through=True)
    source = TextIOWrapper(BytesIO(stdin.encode()), encoding="utf-8")
    with patch.multiple(sys, stdin=source, stdout=stdout, stderr=stderr):
        status = main(arguments)
    stdout.flush()
    return Ended(status, out.getvalue().decode(), err.getvalue().decode())


def run_process(*arguments: str, stdin: str = "") -> Ended:
    """Run a command as a process with pipes, and with warnings as errors."""
    with start(*arguments, stdin=subprocess.PIPE) as process:
        out, err = process.communicate(stdin, timeout=SECONDS)
    return Ended(process.wait(), out, err)


def start(*arguments: str, **options: Any) -> "subprocess.Popen[str] | Script":
    """Start a command as a process with pipes, and with warnings as errors."""
    return start_script(script_of("PermutiveAPI"), *arguments, **options)


def start_fresh(*arguments: str) -> "subprocess.Popen[str]":
    """Start a command in a fresh interpreter."""
    pipe = subprocess.PIPE
    return subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, encoding="utf-8")


def run_in_terminal(
    *arguments: str,
    columns: int = 80,
    typed: str = "",
    environment: Optional[Mapping[str, str]] = None,
) -> Screen:
    """Run a command in this process on a terminal of this width.

    `typed` is typed at once, for instance "y" and a line break.
    """
    controller, terminal = open_terminal(columns)
    os.write(controller, typed.encode())
    variables = {"TERM": "xterm-256color", **(environment or {})}
    with ThreadPoolExecutor(1) as reader, patch.dict(os.environ, variables):
        for name in _HIDDEN - variables.keys():
            os.environ.pop(name, None)
        shown = reader.submit(_read_all, controller)
        try:
            with _stream(terminal, "r") as stdin, _stream(terminal, "w") as stdout:
                with patch.multiple(sys, stdin=stdin, stdout=stdout, stderr=stdout):
                    status = main(arguments)
        finally:
            os.close(terminal)
    os.close(controller)
    return Screen(status, _text(shown.result()))


def _stream(descriptor: int, mode: str) -> IO[str]:
    return open(descriptor, mode, buffering=1, encoding="utf-8", closefd=False)


def _read_all(controller: int) -> bytes:
    """Return what a terminal shows until its program closes it."""
    seen = b""
    with suppress(OSError):  # Linux says so at the end.
        while found := os.read(controller, 65536):
            seen += found
    return seen


def _text(seen: bytes) -> str:
    return seen.decode(errors="replace").replace("\r\n", "\n")


class Terminal:
    """A command on a pseudo-terminal, for tests that talk to it. Use it in a ``with`` block.

    Parameters
    ----------
    *arguments : str
        The command's arguments.
    columns : int
        The width of the terminal.
    stdout : file or int, optional
        Where stdout goes instead, for instance ``subprocess.PIPE``.
    environment : mapping, optional
        Variables to add.
    program : sequence of str, optional
        What is run instead of ``permutive``.
    """

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        stdout: Union[IO[Any], int, None] = None,
        environment: Optional[Mapping[str, str]] = None,
        program: Optional[Sequence[str]] = None,
    ) -> None:
        self._master, slave = open_terminal(columns)
        inherited = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
        options: Dict[str, Any] = {
            "stdin": slave,
            "stdout": slave if stdout is None else stdout,
            "stderr": slave,
            "env": {**inherited, "TERM": "xterm-256color", **(environment or {})},
            "start_new_session": True,
        }
        self.process = (
            subprocess.Popen([*program, *arguments], encoding="utf-8", **options)
            if program
            else start(*arguments, **options)
        )
        os.close(slave)
        self._seen = b""

    def __enter__(self) -> Terminal:
        """Return the terminal."""
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        """End the process if it still runs."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        os.close(self._master)

    @property
    def text(self) -> str:
        """What the terminal has shown so far."""
        return _text(self._seen)

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._master, text.encode())

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def read_until(self, text: str) -> str:
        """Wait until the terminal shows a text, and return all that it has shown."""
        deadline = time.monotonic() + SECONDS
        while text not in self.text:
            assert time.monotonic() < deadline and self._read(), f"{text!r} is not in:\n{self.text}"
        return self.text

    def wait(self) -> Screen:
        """Wait for the end of the process."""
        deadline = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < deadline, f"it still runs:\n{self.text}"
        return Screen(self.process.wait(SECONDS), self.text)

    def _read(self) -> bool:
        """Read what is there; return False if there will be no more."""
        ready, _, _ = select.select([self._master], [], [], 1)
        if not ready:
            return True
        try:
            found = os.read(self._master, 65536)
        except OSError:  # Linux says so if the last process has closed its end.
            found = b""
        self._seen += found
        return bool(found)
