"""Scripts in processes of their own that start fast: each is forked from one that has imported the package.

In all else, such a process is like one of ``python -W error -c``: the script is ``__main__``, and the interpreter
ends as always. Where there is no fork, ``python -W error -c`` runs the script.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NamedTuple, Tuple

ROOT = Path(__file__).resolve().parents[2]
_COMMAND = [sys.executable, "-W", "error", "-c"]
_FIRST = "from tests.support.scripts import next_script; exec(next_script())"


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


def start_script(
    code: str, *arguments: str, stderr: int = subprocess.PIPE
) -> "subprocess.Popen[str] | Script":
    """Start a script in a new process, with this process's environment and working directory."""
    if hasattr(os, "fork"):
        return Script(code, *arguments, stderr=stderr)
    command = [*_COMMAND, code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


class Script:
    """The forked process of a script. Its methods and attributes are those of ``subprocess.Popen``."""

    def __init__(self, code: str, *arguments: str, stderr: int) -> None:
        reader, writer = os.pipe()
        self.stdout = os.fdopen(reader)
        self._stderr: IO[str] | None = None
        writers = [writer, stderr]
        if stderr == subprocess.PIPE:
            reader, writers[1] = os.pipe()
            self._stderr = os.fdopen(reader)
        what = {
            "code": code,
            "arguments": arguments,
            "folder": os.getcwd(),
            "environment": dict(os.environ),
        }
        self.pid = _ask(what, writers)
        for each in writers if self._stderr else writers[:1]:  # The caller's file stays open.
            os.close(each)
        self.returncode: int | None = None

    def __enter__(self) -> "Script":
        return self

    def __exit__(self, *exception: object) -> None:
        self.communicate(timeout=30)

    def send_signal(self, sent: int) -> None:
        """Send a signal to the process, if it has not ended."""
        if self.returncode is None:
            os.kill(self.pid, sent)

    def kill(self) -> None:
        """End the process at once."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> Tuple[str, str]:
        """Wait until the process has ended, and return the rest of what it wrote; kill it if it takes too long."""
        if self.returncode is not None:
            return "", ""
        killer = threading.Timer(timeout, self.kill)
        killer.start()
        with self.stdout:
            stdout = self.stdout.read()
        stderr = ""
        if self._stderr:
            with self._stderr:
                stderr = self._stderr.read()
        status = _ask(self.pid, [])
        killer.cancel()
        self.returncode = os.waitstatus_to_exitcode(status)
        return stdout, stderr


def _ask(what: Any, outputs: list[int]) -> int:
    """Ask the first process something, and return its answer.

    It runs the script that `what` describes, with these outputs, and answers with the process's id. Or `what` is
    the id of such a process, and it answers with the status when that one has ended.
    """
    asking, lines = _first_process()
    socket.send_fds(asking, [b"."], outputs)
    print(json.dumps(what), file=lines, flush=True)
    return int(lines.readline())


@cache
def _first_process() -> Tuple[socket.socket, Any]:
    """Start the process from which scripts are forked. It ends before this one."""
    ours, theirs = socket.socketpair()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PERMUTIVE_")
    }
    with theirs:
        process = subprocess.Popen(
            [*_COMMAND, _FIRST],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the tests.
        )
    lines = ours.makefile("rw")

    def end() -> None:
        ours.shutdown(socket.SHUT_RDWR)
        process.wait()

    atexit.register(end)
    return ours, lines


def next_script() -> str:
    """Fork a process for each script that is asked for. It returns the script, in that process only."""
    package = import_module("PermutiveAPI")
    for name in package.__all__:
        getattr(package, name)  # Some are imported when they are first used.
    import_module("PermutiveAPI._Utils.batch.runner")
    import_module("PermutiveAPI._Utils.batch.journal")
    gc.freeze()  # So that the collector of a script skips what exists by now.
    with socket.socket(fileno=os.dup(0)) as asked:
        with asked.makefile("rw") as lines:
            while True:
                byte, outputs, _, _ = socket.recv_fds(asked, 1, 2)
                if not byte:
                    sys.exit()
                what = json.loads(lines.readline())
                if not outputs:
                    answer = os.waitpid(what, 0)[1]
                elif answer := os.fork():
                    for each in outputs:
                        os.close(each)
                else:
                    break
                print(answer, file=lines, flush=True)
    return _as_a_new_process(what, outputs)


def _as_a_new_process(what: Any, outputs: list[int]) -> str:
    """Let this process be like a new one that runs a script, and return the script."""
    for number, file in enumerate([os.open(os.devnull, os.O_RDONLY), *outputs]):
        os.dup2(file, number)
        os.close(file)
    os.chdir(what["folder"])
    os.environ.clear()
    os.environ.update(what["environment"])
    sys.argv[1:] = what["arguments"]
    return what["code"]
