"""Calls on a pool of workers, handed back as they complete, cancelled at once.

Knows no requests. The workers are threads of an executor made for one batch, or whatever an executor
of the caller's runs calls on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import Context, copy_context
from time import monotonic
from typing import Any, Generic, TypeVar

from ..cancellation import Cancellation
from .calls import AnyExecutor, CallLater, Calls, Done
from .reader import Nothing, Source

Item = TypeVar("Item")
Result = TypeVar("Result")
NewExecutor = Callable[[], AbstractContextManager[Any]]

# How long new items are taken while results wait to be handed back.
_LONGEST_READING_SECONDS = 0.05
# How long a cancelled batch waits for calls on an executor of the caller's, which may run in other processes.
_GRACE_SECONDS = 0.5


def own_executor(new_executor: Callable[..., Any], workers: int | None) -> NewExecutor:
    """Return what makes an executor that ends with the batch."""
    return lambda: new_executor(max_workers=workers)


def borrowed_executor(executor: AnyExecutor) -> NewExecutor:
    """Return what gives an executor of the caller's, which outlives the batch."""
    return lambda: nullcontext(executor)


class Listener(Generic[Item]):
    """What a run of calls tells, beside the calls that it hands back.

    Attributes
    ----------
    total : int or None
        How many items there are. With a number, an executor that breaks in the midst of them, for
        instance because a process died, is a failure of each of the rest; else it is raised.
    """

    total: int | None = None

    def returned(self, results: list[tuple[Item, Any]]) -> None:
        """Hear what calls have returned, all that are done at a time, before they are handed back one by one."""

    def late(self, item: Item, future: Future[Any]) -> None:
        """Hear of what had completed, but could not be handed back any more."""

    def idle(self) -> None:
        """Be called again and again, at least twice a second, while nothing completes."""

    def ended(self) -> None:
        """Hear that all is over."""


def run_on_workers(
    function: Callable[[Item], Result | CallLater],
    items: Source[Item],
    workers: int | None,
    new_executor: NewExecutor,
    batch: Cancellation | None = None,
    context: Context | None = None,
    listener: Listener[Item] | None = None,
) -> Generator[Done[Item, Result], None, None]:
    """Call a function for every item, and hand each call back as it completes.

    When the caller leaves early, or is interrupted, calls that have not begun are cancelled, and those
    that have begun in this process are ended. In a process that was forked meanwhile nothing is done:
    all of it is the parent's.

    Parameters
    ----------
    function : callable
        Called with one item, on a worker. Where it returns :class:`CallLater`, it is called again later,
        and nothing is handed back yet.
    items : Source
        Taken only as fast as the workers get on. One with a `refusal`, an exception, fails with it and
        is not called. What the source raises is raised when all that is on its way by then has been
        handed back.
    workers : int or None
        How many workers the executor has; None for Python's own number.
    new_executor : callable
        Returns a context manager that gives the executor. It is called for the first
        item, so that an empty batch starts no threads.
    batch : Cancellation, optional
        Cancelled by another thread, it ends the loop with ``Cancelled``.
    context : contextvars.Context, optional
        Each call runs in a copy of it, or of the caller's, so that spans, logging scopes and the like reach the workers.
    listener : Listener, optional
        Told of the rest.

    Yields
    ------
    tuple of (int, item, Future)
        The item's position, the item, and its future, which is done.
    """
    batch = batch or Cancellation()
    # What is to be done in the end, the last one first.
    ending = ExitStack()
    listener = listener or Listener()
    ending.callback(listener.ended)
    calls: Calls[Item, Result] = Calls(
        CancellableCall(function, batch, context),
        batch,
        workers,
        listener.total is not None,
        start=lambda: ending.enter_context(new_executor()),
        returned=listener.returned,
    )
    ending.callback(calls.tell_late, listener.late)
    ending.callback(calls.wait_for_begun, _GRACE_SECONDS)
    ending.callback(items.close)
    try:
        yield from _completed(calls, items, listener.idle)
    except BaseException:
        ending.callback(batch.cancel)
        ending.callback(calls.cancel)
        if not batch.belongs_here():
            ending.pop_all()
        raise
    finally:
        if batch.works_in_this_thread():
            # The garbage collector ran in a worker, which cannot wait for itself.
            threading.Thread(target=ending.close, name="PermutiveAPI ending").start()
        else:
            ending.close()


def _completed(
    calls: Calls[Item, Result], source: Source[Item], idle: Callable[[], object]
) -> Iterator[Done[Item, Result]]:
    """Begin a call for every item as there is room, and hand back what is done."""
    source.begin(calls.wake)
    position = 0
    exhausted = False
    failure: Exception | None = None
    while True:
        calls.begin_due()
        patience = monotonic() + _LONGEST_READING_SECONDS
        while not exhausted and (room := calls.room_for_new()):
            try:
                item = source.take(room)
            except Exception as error:
                item, failure = Nothing.LEFT, error
            if isinstance(item, Nothing):
                exhausted = item is Nothing.LEFT
                break
            calls.begin(position, item, item)
            position += 1
            if calls.has_arrived() and monotonic() > patience:
                break
        if exhausted and calls.are_over():
            if failure is not None:
                raise failure
            return
        done = calls.next_done()
        if done is None:
            idle()
        else:
            yield done


class CancellableCall(Generic[Item, Result]):
    """A function whose calls end when their batch is cancelled.

    In another process it is the function alone: what cancels it stays behind.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        batch: Cancellation | None = None,
        context: Context | None = None,
        silent_seconds: float = 0.0,
    ) -> None:
        self._function = function
        self._batch = batch or Cancellation(silent_seconds)
        # Not "or": an empty context is false.
        self._context = copy_context() if context is None else context

    def __call__(self, item: Item) -> Result:
        """Call the function, in a context of its own."""
        return self._context.copy().run(self._call, item)

    def _call(self, item: Item) -> Result:
        with self._batch.joined():
            return self._function(item)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the function, and how long the service has accepted nothing."""
        silent_seconds = self._batch.silent_seconds(monotonic())
        return type(self), (self._function, None, None, silent_seconds)

    def __repr__(self) -> str:
        """Show the function, which a cluster shows to others."""
        return f"CancellableCall({self._function!r})"
