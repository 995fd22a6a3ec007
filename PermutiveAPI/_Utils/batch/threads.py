"""The threads of one batch. They take its calls from one queue, since the locks of an executor's futures cost time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from queue import Empty, SimpleQueue
from types import FunctionType
from typing import Any

from ..cancellation import Cancellation
from .call_by_call import PYTHONS_MOST_WORKERS, CallByCall, most_in_flight
from .function import CancellableFunction
from .pending import PendingCall
from .protocols import Workers

# A call, and what makes it.
_Task = tuple[Callable[[Any], Any], PendingCall]

# How often an idle thread looks whether its batch was cancelled.
_SECONDS_BETWEEN_LOOKS = 0.5


def threads_of(
    new_executor: Callable[..., Any], workers: int | None, function: CancellableFunction[Any, Any]
) -> AbstractContextManager[Workers]:
    """Return the threads of a new pool. A stand-in for ``ThreadPoolExecutor``, or for its ``submit``, gets each call."""
    pool = new_executor(max_workers=workers)
    if _is_original(new_executor):
        return Threads(pool, workers, function)
    return _stand_in(pool, workers, function)


def _is_original(new_executor: Any) -> bool:
    """Tell whether ``submit`` begins a thread: a replaced one may make the call at once, and wait for its end."""
    submit: Any = ThreadPoolExecutor.submit
    if new_executor is not ThreadPoolExecutor or type(submit) is not FunctionType:
        return False
    # Its code says where it is from; wrappers copy __module__.
    return submit.__globals__.get("__name__") == "concurrent.futures.thread"


@contextmanager
def _stand_in(
    pool: AbstractContextManager[Any], workers: int | None, function: CancellableFunction[Any, Any]
) -> Generator[Workers, None, None]:
    with pool as executor:
        yield CallByCall(executor, workers, function)


class Threads(AbstractContextManager["Threads"]):
    """Makes calls in the threads of a pool. At the end, all calls are done.

    Parameters
    ----------
    pool : concurrent.futures.ThreadPoolExecutor
        The pool of this batch alone. It ends with the block.
    workers : int or None
        How many threads it has at most; None counts as 32.
    function : CancellableFunction
        What is called.
    """

    def __init__(
        self, pool: ThreadPoolExecutor, workers: int | None, function: CancellableFunction[Any, Any]
    ) -> None:
        self._pool = pool
        self.most_in_flight = most_in_flight(workers)
        # The pool may have fewer. Then some of what it was given begins only at the end, and returns at once.
        self._most = workers or PYTHONS_MOST_WORKERS
        self._batch = function.batch
        self._function = function.call_in_joined_thread
        self._begun = 0
        # None ends the threads.
        self._calls: SimpleQueue[_Task | None] = SimpleQueue()
        # A token for each thread that has become idle. A call takes one, or else begins a thread.
        self._idle: deque[None] = deque(maxlen=self._most)

    def submit(self, argument: Any, announce: Callable[[], object], /) -> PendingCall:
        """Queue one call, and begin a thread if none is idle."""
        if self._begun < self._most:
            try:
                self._idle.pop()
            except IndexError:
                self._begin_thread()
        call = PendingCall(argument, announce, begun=True)
        self._calls.put((self._function, call))
        return call

    def flush(self, has_arrived: Callable[[], bool], handed_back: int, /) -> None:
        """Do nothing: the threads take the calls by themselves."""

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


def _make_calls(calls: SimpleQueue[_Task | None], idle: deque[None], batch: Cancellation) -> None:
    """Make one call after the other, in a thread of the pool.

    While the thread waits, it refers neither to a call nor to its function, which may refer to an
    abandoned stream.
    """
    with batch.joined():
        while True:
            try:
                task = calls.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except Empty:
                batch.check()  # At exit, nobody may be left to end this thread.
                continue
            if task is None:
                calls.put(None)  # For the next thread.
                return
            function, call = task
            result, error = _outcome(function, call.argument)
            idle.append(None)
            call.end(result, error)
            del task, function, call, result, error


def _outcome(function: Callable[[Any], Any], argument: Any) -> tuple[Any, BaseException | None]:
    # A function of its own: the frames of an error must not refer to the call, which refers to the error.
    try:
        return function(argument), None
    except BaseException as error:
        return None, error
