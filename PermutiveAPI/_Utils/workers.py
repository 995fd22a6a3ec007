"""Calls on a pool of workers, handed back as they complete, stopped at once.

Knows no requests. The workers are threads of an executor made for one batch, or whatever an executor
of the caller's runs calls on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from .cancellation import Cancellation

Item = TypeVar("Item")
Result = TypeVar("Result")
Done = tuple[int, Item, "Future[Result]"]

# Python's own number of threads is at most 32.
_PYTHONS_MOST_WORKERS = 32
# Calls handed to the executor for each worker: one that it works on and one that waits.
_IN_FLIGHT_PER_WORKER = 2
# How long what has completed waits for a slow iterable.
_PATIENCE_SECONDS = 0.05
# Ctrl-C interrupts no wait without a limit on Windows.
_LONGEST_DEAF_WAIT_SECONDS = 0.5
# How long a stop waits for calls on an executor of the caller's, which may run in other processes.
_GRACE_SECONDS = 0.5


class AnyExecutor(Protocol):
    """What is needed of an executor."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Start one call."""
        ...


def own_executor(
    new_executor: Callable[..., Any], workers: int | None
) -> AbstractContextManager[Any]:
    """Return an executor that ends with the batch."""
    return new_executor(max_workers=workers)


def borrowed_executor(executor: AnyExecutor) -> AbstractContextManager[Any]:
    """Return an executor of the caller's, which outlives the batch."""
    return nullcontext(executor)


def run_on_workers(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None,
    executor: AbstractContextManager[Any],
    late: Callable[[Item, Future[Result]], None] | None = None,
    *,
    context: Context | None = None,
    finite: bool = False,
) -> Generator[Done[Item, Result], None, None]:
    """Call a function for every item, and hand each call back as it completes.

    When the caller leaves early, or is interrupted, calls that have not begun are cancelled, and those
    that have begun in this process are stopped.

    Parameters
    ----------
    function : callable
        Called with one item, on a worker.
    items : iterable
        Taken in the caller's thread, only as fast as the workers get on. One with a `refusal`, an
        exception, fails with it and is not called. What the iterable raises is raised when
        all that is on its way by then has been handed back.
    workers : int or None
        How many workers the executor has; None for Python's own number.
    executor : context manager
        Gives the executor.
    context : contextvars.Context, optional
        Each call runs in a copy of it, or of the caller's, so that spans, logging scopes and the like reach the workers.
    late : callable, optional
        Called with what had completed, but could not be handed back any more.
    finite : bool
        Whether the items come to an end. Then an executor that breaks in the midst of them, for
        instance because a process died, is a failure of each of the rest; else it is raised.

    Yields
    ------
    tuple of (int, item, Future)
        The item's position, the item, and its future, which is done.
    """
    batch = Cancellation()
    pending: dict[int, tuple[Item, Future[Result]]] = {}
    try:
        with executor as running:
            try:
                call = StoppableCall(function, batch, context)
                yield from completed(running, call, items, workers, pending, finite)
            except BaseException:
                batch.stop()
                raise
    except BaseException:
        begun = [future for _, future in pending.values() if not future.cancelled()]
        wait(begun, timeout=_GRACE_SECONDS)
        for _, (item, future) in sorted(pending.items()):
            if late is not None and future.done() and not future.cancelled():
                late(item, future)
        raise


class StoppableCall(Generic[Item, Result]):
    """A function whose calls end when their batch is stopped.

    In another process it is the function alone: what stops it stays behind.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        batch: Cancellation | None = None,
        context: Context | None = None,
    ) -> None:
        self._function = function
        self._batch = batch or Cancellation()
        # Not "or": an empty context is false.
        self._context = copy_context() if context is None else context

    def __call__(self, item: Item) -> Result:
        """Call the function, in a context of its own."""
        return self._context.copy().run(self._call, item)

    def _call(self, item: Item) -> Result:
        with self._batch.joined():
            return self._function(item)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the function."""
        return type(self), (self._function,)

    def __repr__(self) -> str:
        """Show the function, which a cluster shows to others."""
        return f"StoppableCall({self._function!r})"


def completed(
    executor: AnyExecutor,
    call: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None,
    pending: dict[int, tuple[Item, Future[Result]]],
    finite: bool = False,
) -> Iterator[Done[Item, Result]]:
    """Call a function for every item on an executor; see :func:`run_on_workers`.

    Parameters
    ----------
    pending : dict
        Holds, by position, what was handed to the executor and has not been handed back.
    """
    in_flight = _IN_FLIGHT_PER_WORKER * (workers or _PYTHONS_MOST_WORKERS)
    arrived: SimpleQueue[int] = SimpleQueue()
    source = enumerate(items)
    exhausted = False
    failure: Exception | None = None
    try:
        while True:
            patience = monotonic() + _PATIENCE_SECONDS
            while not exhausted and len(pending) < in_flight:
                try:
                    upcoming = next(source, None)
                except Exception as error:
                    upcoming, failure = None, error
                if upcoming is None:
                    exhausted = True
                    break
                position, item = upcoming
                forgiving = finite and position > 0
                future = _submitted(executor, call, item, forgiving)
                pending[position] = (item, future)
                future.add_done_callback(_announcer(arrived, position))
                if not arrived.empty() and monotonic() > patience:
                    break
            if not pending:
                if failure is not None:
                    raise failure
                return
            position = _next_of(arrived)
            item, future = pending.pop(position)
            yield position, item, future
    finally:
        for _, future in pending.values():
            future.cancel()


def _submitted(
    executor: AnyExecutor,
    call: Callable[[Item], Result],
    item: Item,
    forgiving: bool,
) -> Future[Result]:
    """Start a call. An item that is refused, or cannot travel to another process, has failed at once."""
    refusal: Exception | None = getattr(item, "refusal", None)
    if refusal is None:
        try:
            return executor.submit(call, item)
        except Exception as error:
            if not forgiving and _can_travel(item):
                raise
            refusal = error
    failed: Future[Result] = Future()
    failed.set_exception(refusal)
    return failed


def _can_travel(item: object) -> bool:
    import pickle  # Seldom needed, and felt when everything is imported.

    try:
        pickle.dumps(item)
    except Exception:
        return False
    return True


def _announcer(
    arrived: SimpleQueue[int], position: int
) -> Callable[[Future[Any]], None]:
    return lambda future: arrived.put(position)


def _next_of(arrived: SimpleQueue[int]) -> int:
    while True:
        try:
            return arrived.get(timeout=_LONGEST_DEAF_WAIT_SECONDS)
        except Empty:
            continue
