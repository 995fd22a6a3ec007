"""Run a command: errors become a line and an exit status, signals end it, a closed pipe ends it quietly."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from io import StringIO
from types import FrameType
from typing import NoReturn, TextIO

import click
from click.exceptions import Exit

from .exits import ExitStatus, Terminated, status_of, text_of
from .output import say
from .tree import permutive

_NAME = "permutive"
_COMPLETION = "_PERMUTIVE_COMPLETE"


def run(argv: Sequence[str] | None) -> int:
    """Run a command and return its exit status."""
    with _ending_on_sigterm():
        try:
            _require_streams()
            status = _invoke(sys.argv[1:] if argv is None else argv)
            sys.stdout.flush()
        except BaseException as error:
            if argv is None:
                _end_at_once_on_signals()
            ended = _end(error)
            if ended is None:
                raise
            return ended
    return ExitStatus.DONE if status is None else status


def _invoke(arguments: Sequence[str]) -> int | None:
    """Do what ``click.Command.main`` does, but leave all errors to the caller."""
    instruction = os.environ.get(_COMPLETION)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(permutive, {}, _NAME, _COMPLETION, instruction)
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    color = False if is_plain else None
    with permutive.make_context(_NAME, [*arguments], color=color) as context:
        return permutive.invoke(context)


def _require_streams() -> None:
    """Raise OSError if stdout is closed. If another stream is closed, it leads nowhere from now on."""
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    for name in closed:
        # It stays open, and Python does not warn about that.
        nowhere = os.open(os.devnull, os.O_RDWR)
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(nowhere, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    if "stdout" in closed:
        raise OSError("stdout is closed, so the output would be lost.")


def _end(error: BaseException) -> int | None:
    """Say what ended a command, and return the exit status; None for a mistake in this program."""
    _flush_or_discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return ExitStatus.DONE
    if isinstance(error, Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        status, text = error.exit_code, _text_of_usage(error)
    else:
        status, text = status_of(error), text_of(error)
    if status is not None:
        with suppress(OSError):  # Nobody reads stderr.
            say(text)
        _flush_or_discard(sys.stderr)
    return status


def _text_of_usage(error: click.ClickException) -> str:
    """Return the usage of a command and what is wrong with its arguments."""
    text = StringIO()
    error.show(text)
    return text.getvalue().rstrip("\n")


def _flush_or_discard(stream: TextIO) -> None:
    """Write what is left of a stream. If that is impossible, discard it, so that Python does not try again."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _end_at_once_on_signals() -> None:
    """Let the next Ctrl-C or SIGTERM end the process without a word, even while it waits for threads."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def _ending_on_sigterm() -> Generator[None, None, None]:
    """Let SIGTERM end the command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may change handlers, and it gets the signals.
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
