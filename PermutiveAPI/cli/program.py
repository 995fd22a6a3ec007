"""Run another program: signals reach it, and its exit status is told as a shell tells it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OF_A_SIGNAL = 128
# Python handles a signal that comes just before a wait only after that wait. So no wait is longer than this.
_LONGEST_WAIT_SECONDS = 1.0


def run_program(command: Sequence[str]) -> int:
    """Run a program to its end, with its output on stderr.

    SIGINT and SIGTERM end the program, and not this process.

    Returns
    -------
    int
        Its exit status; 128 and the number of the signal if a signal has ended it.
    """
    child = _Child()
    with child.getting_signals():
        status = child.run(command)
    return _OF_A_SIGNAL - status if status < 0 else status


class _Child:
    """A program that gets the signals of this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def run(self, command: Sequence[str]) -> int:
        self._process = subprocess.Popen(command, stdout=sys.stderr)
        for number in self._early:
            self._process.send_signal(number)
        while True:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(_LONGEST_WAIT_SECONDS)

    @contextmanager
    def getting_signals(self) -> Generator[None, None, None]:
        """Pass signals on. Those that this process ignores stay ignored."""
        before = {
            number: signal.signal(number, self._pass_on)
            for number in _SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            self._early.append(number)
        elif not (number == signal.SIGINT and _terminal_sends_to_all()):
            self._process.send_signal(number)


def _terminal_sends_to_all() -> bool:
    """Tell whether Ctrl-C reaches the program from the terminal: twice could stop its clean-up."""
    if os.name != "posix":
        return True
    try:
        with open(os.ctermid(), "rb", buffering=0) as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:  # There is no terminal.
        return False
