"""The stream object that callers hold: a generator that any thread may close, and that ends at exit.

A stream runs other threads. At exit, it must end before the interpreter waits for those
threads. A forked child does not have them, so a stream cannot continue there.
"""

from __future__ import annotations

import atexit

# Imported, though unused, so that its exit hook is registered before the one here, and runs after it.
import concurrent.futures.thread  # noqa: F401 # pyright: ignore[reportUnusedImport]
import logging
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from functools import cache
from inspect import GEN_CLOSED, getgeneratorstate
from itertools import count
from math import inf
from types import GeneratorType
from typing import Any, TypeVar, cast
from weakref import ref

from .. import cancellation
from ..cancellation import Cancellation, Cancelled, monotonic
from ..redaction import redact_message

Value = TypeVar("Value")

# How often a thread that closes a stream checks whether another thread has left it.
_SECONDS_BETWEEN_LOOKS = 0.005
# How long the interpreter waits at exit for a thread that is in a stream's callback.
_LONGEST_WAIT_AT_EXIT_SECONDS = 1.0

# It is never set, and is used to sleep, since tests replace time.sleep to skip the waits between attempts.
_never_set = threading.Event()

logger = logging.getLogger("PermutiveAPI")


class Stream(Generator[Value, None, None]):
    """A generator of results whose batch any thread can cancel. Closing `results` ends the batch."""

    def __init__(self, results: Generator[Value, None, None], batch: Cancellation) -> None:
        # What a generator function returns; the type Generator does not tell that.
        self._results = cast("GeneratorType[Value, None, None]", results)
        self._batch = batch
        # The last thread that ran the generator.
        self._thread: int | None = None
        self._closed = False
        self._finishes_at_exit = False
        # Held by a thread that ends the generator.
        self._ending = threading.Lock()
        # Raised instead of StopIteration, if the batch was stopped at exit.
        self._reason: Exception | None = None
        _stop_at_exit("concurrent.futures.process" in sys.modules)
        _remember(self)

    def send(self, value: None, /) -> Value:
        """Return the next result.

        Raises
        ------
        RuntimeError
            In a process that was forked since the stream began, or when the interpreter exits.
        """
        return self._run(self._results.send, value)

    def throw(self, typ: Any, val: Any = None, tb: Any = None, /) -> Value:
        """Raise an exception inside the stream, which ends it."""
        # Python has deprecated the three arguments, so they are passed on only if they are used.
        several = val is not None or tb is not None
        given = (typ, val, tb) if several else (typ,)
        return self._run(self._results.throw, *given)

    def close(self) -> None:
        """Stop the stream. Return when nothing more is sent, and the callbacks of completed requests have run.

        Any thread may call it. A thread that waits in ``next()`` meanwhile gets StopIteration, as from
        any generator that has ended. In a callback of the stream it returns at once, and the stream ends
        after the callback. In a forked process it does nothing: the stream belongs to the parent.
        """
        self.stop()

    def stop(self, reason: Exception | None = None, seconds: float = inf) -> None:
        """Close the stream. Wait so many seconds for a thread that is in it.

        A thread that waits in ``next()`` gets the `reason`, or else StopIteration.
        """
        if not self._batch.belongs_here():
            return
        if getgeneratorstate(self._results) != GEN_CLOSED:
            self._reason = self._reason or reason
        self._closed = True
        self._batch.cancel()
        is_inside = self._is_running() and self._thread == threading.get_ident()
        # A worker, for instance in ``on_response``, cannot wait for itself. So the reader ends the stream.
        if not (is_inside or self._batch.works_in_this_thread()):
            self._end(seconds)

    def finish_at_exit(self) -> None:
        """Let the interpreter wait for this stream at exit, if it waits for the thread that reads it."""
        self._finishes_at_exit = True

    def has_to_finish(self) -> bool:
        """Tell whether the interpreter must wait at exit: a thread that is not a daemon collects all results."""
        return (
            self._finishes_at_exit
            and getgeneratorstate(self._results) != GEN_CLOSED
            and any(
                each.ident == self._thread and not each.daemon
                for each in threading.enumerate()
                if each is not threading.main_thread()
            )
        )

    def _run(self, function: Callable[..., Value], *arguments: Any) -> Value:
        if not self._batch.belongs_here():
            raise RuntimeError(
                "This stream belongs to the parent process. Begin a stream of your own after a fork."
            )
        # If another thread runs the generator, it raises below, and that thread stays the last one.
        if not self._is_running():
            self._thread = threading.get_ident()
        try:
            return function(*arguments)
        except (Cancelled, StopIteration):
            cancellation.check()  # If another batch runs this thread, and has ended, the thread ends, too.
            raise self._reason or StopIteration from None
        finally:
            if self._closed:
                self._end()

    def _end(self, seconds: float = inf) -> None:
        """Close the generator as soon as the thread that runs it has left it."""
        give_up = monotonic() + seconds
        with self._ending:
            while self._is_running():
                if monotonic() > give_up:
                    return
                _never_set.wait(_SECONDS_BETWEEN_LOOKS)
            self._thread = threading.get_ident()
            self._results.close()

    def _is_running(self) -> bool:
        return self._results.gi_running


# --- The end of the interpreter ------------------------------------------------------------------

_numbers = count()
_open: dict[int, ref[Stream[Any]]] = {}


def _remember(stream: Stream[Any]) -> None:
    number = next(_numbers)
    # Bound now, since the module's names may be gone at exit.
    forget = _open.pop
    _open[number] = ref(stream, lambda _: forget(number, None))


@cache
def _stop_at_exit(processes: bool) -> None:
    """Stop open streams at exit, before executors wait for their threads.

    ``atexit`` is too late: by then the interpreter has waited for all threads, and so for all requests
    that executors hold. ``concurrent.futures`` uses the same private function. What was registered last
    runs first. So it is registered again if executors of processes were imported since.
    """
    register = getattr(threading, "_register_atexit", atexit.register)
    try:
        register(_stop_open_streams)
    except RuntimeError:
        pass  # The interpreter is exiting.


def _stop_open_streams() -> None:
    streams = [stream for each in list(_open.values()) if (stream := each())]
    awaited = [stream for stream in streams if stream.has_to_finish()]
    _stop(stream for stream in streams if stream not in awaited)
    try:
        while any(stream.has_to_finish() for stream in awaited):
            _never_set.wait(_SECONDS_BETWEEN_LOOKS)
    finally:
        _stop(awaited)


def _stop(streams: Iterable[Stream[Any]]) -> None:
    reason = RuntimeError("The interpreter ends: the batch was stopped.")
    for stream in streams:
        try:
            stream.stop(reason, _LONGEST_WAIT_AT_EXIT_SECONDS)
        except Exception as error:
            text = redact_message(f"{type(error).__name__}: {error}")
            logger.error("A stream that was open at the end raised %s", text)
