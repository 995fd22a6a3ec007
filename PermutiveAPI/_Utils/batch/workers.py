"""Calls on a pool of workers: they are handed back as they complete, and cancelled together.

This module does not know what is called. The workers are threads that end with the batch, or the caller's
executor, which gets single calls, or shards of them from sharding.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import Context
from typing import Any, Generic, TypeVar

from ..cancellation import Cancellation, monotonic
from .call_by_call import CallByCall, most_in_flight
from .calls import Calls, Done, Postponed
from .function import CancellableFunction
from .protocols import AnyExecutor, Call, Workers
from .reader import Nothing, Source
from .threads import threads_of

Item = TypeVar("Item")
Result = TypeVar("Result")
BeginWorkers = Callable[
    [CancellableFunction[Any, Any], Callable[[], object]], AbstractContextManager[Workers]
]

# How long new items are taken while results wait to be handed back.
_LONGEST_READING_SECONDS = 0.05
# How long a cancelled batch waits for calls on the caller's executor, which may run in other processes.
_GRACE_SECONDS = 0.5


def own_workers(new_executor: Callable[..., Any], workers: int | None) -> BeginWorkers:
    """Return a function that begins threads, which end with the batch."""
    return lambda function, wake: threads_of(new_executor, workers, function)


def borrowed_workers(executor: AnyExecutor, workers: int | None) -> BeginWorkers:
    """Return a function that gives calls to the caller's executor, which outlives the batch."""
    return lambda function, wake: nullcontext(CallByCall(executor, workers, function))


class Listener(Generic[Item]):
    """Hears of the events of a run of calls, beside its results.

    Attributes
    ----------
    total : int or None
        How many items there are. If an executor breaks, for instance because a process died, each
        remaining item fails; if the number is None, the executor's error is raised.
    """

    total: int | None = None

    def returned(self, results: list[tuple[Item, Any]]) -> None:
        """Hear the results of all calls that are done at a time, before they are handed back one by one."""

    def late(self, item: Item, future: Call[Any]) -> None:
        """Hear of a call that is done, but can no longer be handed back."""

    def idle(self) -> None:
        """Hear, at least twice a second, that nothing completes."""

    def ended(self) -> None:
        """Hear that the run has ended."""


def run_on_workers(
    function: Callable[[Item], Result | Postponed],
    items: Source[Item],
    begin_workers: BeginWorkers,
    batch: Cancellation | None = None,
    context: Context | None = None,
    listener: Listener[Item] | None = None,
    workers: int | None = None,
) -> Generator[Done[Item, Result], None, None]:
    """Call a function for every item, and hand each call back as it completes.

    If the caller leaves early, or is interrupted, calls that have not begun are cancelled, and those
    that have begun in this process are ended. A process that was forked meanwhile does nothing: all
    calls belong to its parent.

    Parameters
    ----------
    function : callable
        Called with one item, on a worker. If it returns :class:`Postponed`, it is called again later,
        and nothing is handed back yet.
    items : Source
        The items are taken only as fast as the workers process them. For an item with an exception
        `refusal`, nothing is called: it fails with that exception. If the source raises an error, the
        calls that have begun are handed back first.
    begin_workers : callable
        Called for the first item, so that an empty batch starts no threads. Its arguments are the function
        that workers call, and a function that they may call, in any thread, to be flushed soon. It returns
        a context manager that gives the workers.
    batch : Cancellation, optional
        If another thread cancels it, the loop ends with ``Cancelled``.
    context : contextvars.Context, optional
        Each call runs in a copy of it, or of the caller's context, so that spans and logging scopes reach the workers.
    listener : Listener, optional
        Hears of the other events.
    workers : int, optional
        How many workers there will be. So many items are asked for before they begin.

    Yields
    ------
    tuple of (int, item, Call)
        The item's position, the item, and its call, which is done.
    """
    batch = batch or Cancellation()
    # What to do at the end, in reverse order.
    ending = ExitStack()
    listener = listener or Listener()
    ending.callback(listener.ended)
    call = CancellableFunction(function, batch, context)
    calls: Calls[Item, Result] = Calls(
        batch,
        expected=most_in_flight(workers),
        finite=listener.total is not None,
        start=lambda wake: ending.enter_context(begin_workers(call, wake)),
        returned=listener.returned,
    )
    ending.callback(calls.tell_late, listener.late)
    ending.callback(calls.wait_for_begun, _GRACE_SECONDS)
    ending.callback(items.close)
    try:
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
    except GeneratorExit:
        raise
    except BaseException:
        # Ctrl-C may have come before the end reached the threads, which would wait for calls forever, or
        # before the listener, which would keep its journal.
        if batch.belongs_here():
            batch.cancel()
            if not batch.works_in_this_thread():
                ending.close()
        raise


def _completed(
    calls: Calls[Item, Result], source: Source[Item], idle: Callable[[], object]
) -> Iterator[Done[Item, Result]]:
    """Begin a call for each item when there is room, and hand back what is done."""
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
