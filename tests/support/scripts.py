"""Scripts in processes of their own that start fast: each is forked from one that has imported the package.

Otherwise such a process is that of ``python -W error -c``: the script is ``__main__``, its streams are files
of the system, and the interpreter ends as always. Where there is no fork, it is that process.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Dict, Mapping, NamedTuple, Tuple, Union

from tests.support import script_client

# The value for a stream that is closed from the start.
CLOSED = -100
ROOT = Path(__file__).resolve().parents[2]
_FOREVER = threading.TIMEOUT_MAX
_COMMAND = [sys.executable, "-W", "error", "-c"]
_FIRST = "from tests.support.scripts import next_script; exec(next_script())"
_MODULES = [
    "PermutiveAPI._Utils.batch.journal",
    "PermutiveAPI._Utils.batch.runner",
    "PermutiveAPI.cli.running",
    "PermutiveAPI.cli.commands.cohort_changes",
    "PermutiveAPI.cli.commands.rehearse",
    "PermutiveAPI.cli.commands.users",
    "PermutiveAPI.sandbox.command",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.h11_impl",
]

# A file, its number, or a constant of subprocess or of this module.
Stream = Union[int, IO[Any]]


class Ended(NamedTuple):
    """How a script ended."""

    returncode: int | None
    stdout: str
    stderr: str


def run_script(code: str, *arguments: str) -> Ended:
    """Run a script to its end, which must come soon."""
    with start_script(code, *arguments) as script:
        stdout, stderr = script.communicate(timeout=30)
    return Ended(script.returncode, stdout, stderr)


def script_of(module: str) -> str:
    """Return the script that does what ``python -m`` does with a module."""
    return f"import runpy; runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"


def start_script(
    code: str,
    *arguments: str,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
    env: Mapping[str, str] | None = None,
    start_new_session: bool = False,
) -> "subprocess.Popen[str] | Script":
    """Start a script in a new process, in this process's working directory."""
    streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    options: Dict[str, Any] = {"env": env, "start_new_session": start_new_session}
    if hasattr(os, "fork"):
        return Script(code, *arguments, **streams, **options)
    command = [*_COMMAND, code, *arguments]
    return subprocess.Popen(command, **streams, **options, encoding="utf-8")


class Script:
    """The process of a script. What it has works as in ``subprocess.Popen`` with text.

    Only, in a new session a terminal that is its stdin is its controlling terminal.
    """

    def __init__(
        self,
        code: str,
        *arguments: str,
        stdin: Stream,
        stdout: Stream,
        stderr: Stream,
        env: Mapping[str, str] | None,
        start_new_session: bool,
    ) -> None:
        self.returncode: int | None = None
        self._opened: list[int] = []
        self.stdin, for_stdin = self._open(stdin, to_write=True)
        self.stdout, for_stdout = self._open(stdout)
        self.stderr, for_stderr = self._open(stderr)
        streams = (for_stdin, for_stdout, for_stderr)
        environment = os.environ if env is None else env
        self._asking = script_client.ask(
            _first_process(), streams, code, arguments, environment, start_new_session
        )
        for each in self._opened:
            os.close(each)
        self._lines = self._asking.makefile()
        self.pid = int(self._lines.readline())

    def _open(self, wanted: Stream, to_write: bool = False) -> "Tuple[IO[str] | None, int | None]":
        """Return this process's end of a stream, if it is a pipe, and the script's."""
        if wanted == CLOSED:
            return None, None
        if not isinstance(wanted, int):
            return None, wanted.fileno()
        if wanted == subprocess.PIPE:
            reader, writer = os.pipe()
            ours, theirs = (writer, reader) if to_write else (reader, writer)
            self._opened.append(theirs)
            return open(ours, "w" if to_write else "r", encoding="utf-8"), theirs
        if wanted == subprocess.DEVNULL:
            self._opened.append(os.open(os.devnull, os.O_RDWR))
            return None, self._opened[-1]
        return None, wanted

    def __enter__(self) -> "Script":
        return self

    def __exit__(self, *exception: object) -> None:
        self.communicate(timeout=30)

    def poll(self) -> int | None:
        """Return the exit status if the process has ended."""
        if self.returncode is None and select.select([self._asking], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the process has ended, and return its exit status."""
        if self.returncode is None:
            if not select.select([self._asking], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("script", timeout or 0)
            with self._asking, self._lines:
                self.returncode = os.waitstatus_to_exitcode(int(self._lines.readline()))
        return self.returncode

    def send_signal(self, sent: int) -> None:
        """Send a signal to the process, if it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sent)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: str = "", timeout: float = _FOREVER) -> Tuple[str, str]:
        """Write the input, wait until the process has ended, and return what it wrote; kill it if it takes too long."""
        killer = threading.Timer(timeout, self.kill)
        if self.poll() is None:
            killer.start()
        if self.stdin and not self.stdin.closed:
            with suppress(BrokenPipeError), self.stdin:
                self.stdin.write(input)
        stdout, stderr = _rest(self.stdout), _rest(self.stderr)
        self.wait()
        killer.cancel()
        return stdout, stderr


def _rest(stream: IO[str] | None) -> str:
    if stream is None or stream.closed:
        return ""
    with stream:
        return stream.read()


def write_program(path: Path, module: str) -> None:
    """Write a program that does what ``python -W error -m`` does with a module."""
    start = f'"{sys.executable}" -W error -m {module}'
    if hasattr(os, "fork"):
        client = f'"{sys.executable}" -I -S "{script_client.__file__}"'
        start = f'{client} "{_first_process()}" "{script_of(module)}"'
    path.write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    path.chmod(0o700)


@cache
def _first_process() -> str:
    """Start the process from which scripts are forked, and return its address. It ends with this process."""
    folder = tempfile.mkdtemp()
    address = os.path.join(folder, "scripts")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PERMUTIVE_")
    }
    environment.pop("PYTHONUNBUFFERED", None)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(16)
        process = subprocess.Popen(
            [*_COMMAND, _FIRST, str(listening.fileno())],
            stdin=subprocess.PIPE,  # Its end says that this process has ended.
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment,
            pass_fds=[listening.fileno()],
            start_new_session=True,  # Ctrl-C is for the tests.
        )

    def end() -> None:
        process.terminate()
        process.communicate()
        shutil.rmtree(folder)

    atexit.register(end)
    return address


def next_script() -> str:
    """Fork a process for each script that is asked for, and return the script in that process."""
    package = import_module("PermutiveAPI")
    for name in package.__all__:
        getattr(package, name)  # Some are imported when they are first used.
    for name in _MODULES:
        import_module(name)
    gc.freeze()  # No script goes through what exists by now.
    with socket.socket(fileno=int(sys.argv.pop())) as listening:
        while True:
            if 0 in select.select([listening, 0], [], [])[0]:
                sys.exit()
            asked, _ = listening.accept()
            if not os.fork():
                break
            asked.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
    with asked, asked.makefile("rw") as lines:
        given = socket.recv_fds(asked, 1, 3)[1]
        what = json.loads(lines.readline())
        if child := os.fork():
            print(child, file=lines, flush=True)
            for each in given:
                os.close(each)
            print(os.waitpid(child, 0)[1], file=lines, flush=True)
            os._exit(0)
    return _as_a_new_process(what, given)


def _as_a_new_process(what: Any, given: list[int]) -> str:
    """Let this process be like a new one that runs a script, and return the script."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = None
        if number in what["streams"]:
            file = given.pop(0)
            os.dup2(file, number)
            os.close(file)
            stream = os.fdopen(
                number,
                "w" if number else "r",
                buffering=1 if number == 2 else -1,
                errors="backslashreplace" if number == 2 else None,
                closefd=False,
            )
        else:
            os.close(number)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    if what["new_session"]:
        os.setsid()
        if os.isatty(0):
            _take_the_terminal()
    os.chdir(what["folder"])
    os.environ.clear()
    os.environ.update(what["environment"])
    sys.argv[1:] = what["arguments"]
    sys.excepthook = sys.__excepthook__  # On Python 3.10, a package of the sandbox replaces it.
    return what["code"]


def _take_the_terminal() -> None:
    # Windows does not have these modules.
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
