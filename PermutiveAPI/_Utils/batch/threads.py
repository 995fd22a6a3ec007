"""The threads of one batch. They take its calls from one queue, since the locks of an executor's futures cost time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from types import FunctionType
from typing import Any, NamedTuple

from ..cancellation import Cancellation
from .calls import PYTHONS_MOST_WORKERS
from .unlocked import UnlockedFuture

# How often an idle thread looks whether its batch was cancelled.
_SECONDS_BETWEEN_LOOKS = 0.5


def threads_of(
    new_executor: Callable[..., Any], workers: int | None, batch: Cancellation
) -> AbstractContextManager[Any]:
    """Return the threads of a new pool. A stand-in for ``ThreadPoolExecutor``, or for its ``submit``, gets each call."""
    pool = new_executor(max_workers=workers)
    return Threads(pool, workers, batch) if _is_original(new_executor) else pool


def _is_original(new_executor: Any) -> bool:
    """Tell whether ``submit`` begins a thread: a replaced one may make the call at once, and wait for its end."""
    submit: Any = ThreadPoolExecutor.submit
    if new_executor is not ThreadPoolExecutor or type(submit) is not FunctionType:
        return False
    # Its code says where it is from; wrappers copy __module__.
    return submit.__globals__.get("__name__") == "concurrent.futures.thread"


class _Call(NamedTuple):
    """A call that waits for a thread."""

    future: UnlockedFuture
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class Threads(AbstractContextManager["Threads"]):
    """Makes calls in the threads of a pool. At the end, all calls are done.

    Parameters
    ----------
    pool : concurrent.futures.ThreadPoolExecutor
        The pool of this batch alone. It ends with the block.
    workers : int or None
        How many threads it has at most; None for Python's default.
    batch : Cancellation
        What ends the calls.
    """

    def __init__(self, pool: ThreadPoolExecutor, workers: int | None, batch: Cancellation) -> None:
        self._pool = pool
        # The pool may have fewer. Then some of what it was given begins only at the end, and returns at once.
        self._most = workers or PYTHONS_MOST_WORKERS
        self._batch = batch
        self._begun = 0
        # None ends the threads.
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        # A token for each thread that has become idle. A call takes one, or else begins a thread.
        self._idle: deque[None] = deque(maxlen=self._most)

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> UnlockedFuture:
        """Start one call."""
        if self._begun < self._most:
            try:
                self._idle.pop()
            except IndexError:
                self._begin_thread()
        future = UnlockedFuture(begun=True)
        self._calls.put(_Call(future, fn, args))
        return future

    def __exit__(self, *exception: object) -> None:
        """End the threads, and wait for them."""
        self._calls.put(None)
        self._pool.shutdown()

    def _begin_thread(self) -> None:
        try:
            self._pool.submit(_make_calls, self._calls, self._idle, self._batch)
        except RuntimeError:
            if not self._begun:
                raise
            self._most = self._begun  # The system has no more threads.
        else:
            self._begun += 1


def _make_calls(calls: SimpleQueue[_Call | None], idle: deque[None], batch: Cancellation) -> None:
    """Make one call after the other, in a thread of the pool.

    While the thread waits, it refers to no call: its function may refer to an abandoned stream.
    """
    while True:
        try:
            call = calls.get(timeout=_SECONDS_BETWEEN_LOOKS)
        except Empty:
            batch.check()  # At exit, nobody may be left to end this thread.
            continue
        if call is None:
            calls.put(None)  # For the next thread.
            return
        result, error = _outcome(call.function, call.arguments)
        idle.append(None)
        if error is None:
            call.future.set_result(result)
        else:
            call.future.set_exception(error)
        del call, result, error


def _outcome(
    function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[Any, BaseException | None]:
    # A function of its own: the frames of an error must not refer to the future, which refers to the error.
    try:
        return function(*arguments), None
    except BaseException as error:
        return None, error
