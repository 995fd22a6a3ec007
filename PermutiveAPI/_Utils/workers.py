"""Calls on a pool of workers, handed back as they complete, stopped at once.

Knows no requests. The workers are threads of an executor made for one batch, or whatever an executor
of the caller's runs calls on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, copy_context
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from .cancellation import Cancellation

Item = TypeVar("Item")
Result = TypeVar("Result")
Done = tuple[int, Item, "Future[Result]"]

# Python's own number of threads is at most 32.
_PYTHONS_MOST_WORKERS = 32
# Calls handed to the executor for each worker: one that it works on and one that waits.
_IN_FLIGHT_PER_WORKER = 2
# Calls that are put off; with more of them no new items are taken.
_MOST_POSTPONED = 1024
# How long what has completed waits for a slow iterable.
_PATIENCE_SECONDS = 0.05
# Ctrl-C interrupts no wait without a limit on Windows.
_LONGEST_DEAF_WAIT_SECONDS = 0.5
# How long a stop waits for calls on an executor of the caller's, which may run in other processes.
_GRACE_SECONDS = 0.5


class Postponed(NamedTuple):
    """What a call returns to be made again later. Until then it takes no worker.

    Attributes
    ----------
    due : float
        When, in seconds of ``time.monotonic()``.
    item : object
        What to call the function with then. The item that is handed back in the end is the first one.
    """

    due: float
    item: Any


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
    function: Callable[[Item], Result | Postponed],
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
        Called with one item, on a worker. Where it returns :class:`Postponed`, it is called again later,
        and nothing is handed back yet.
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
    call = StoppableCall(function, batch, context)
    calls: _Calls[Item, Result] = _Calls(call, workers, finite)
    try:
        with executor as running:
            try:
                yield from calls.completed(running, items)
            except BaseException:
                batch.stop()
                raise
    except BaseException:
        calls.wait_for_begun(_GRACE_SECONDS)
        for item, future in calls.done():
            if late is not None:
                late(item, future)
        raise


class _Calls(Generic[Item, Result]):
    """The calls of one batch: those that an executor has, and those that are put off.

    Parameters
    ----------
    call : callable
        What is called with each item.
    workers : int or None
        How many workers the executor has.
    finite : bool
        See :func:`run_on_workers`.
    """

    def __init__(
        self, call: StoppableCall[Item, Any], workers: int | None, finite: bool
    ) -> None:
        self._call = call
        self._most_in_flight = _IN_FLIGHT_PER_WORKER * (
            workers or _PYTHONS_MOST_WORKERS
        )
        self._finite = finite
        self._has_begun = False
        # By position.
        self._in_flight: dict[int, tuple[Item, Future[Any]]] = {}
        # A heap of (due, position, item, what to call with).
        self._postponed: list[tuple[float, int, Item, Any]] = []
        # Positions of calls in flight that are done.
        self._arrived: SimpleQueue[int] = SimpleQueue()

    def completed(
        self, executor: AnyExecutor, items: Iterable[Item]
    ) -> Generator[Done[Item, Result], None, None]:
        """Call for every item on an executor; see :func:`run_on_workers`."""
        source = enumerate(items)
        exhausted = False
        failure: Exception | None = None
        try:
            while True:
                self._begin_due(executor)
                patience = monotonic() + _PATIENCE_SECONDS
                while not exhausted and self._takes_more():
                    try:
                        upcoming = next(source, None)
                    except Exception as error:
                        upcoming, failure = None, error
                    if upcoming is None:
                        exhausted = True
                        break
                    position, item = upcoming
                    self._begin(executor, position, item, item)
                    if not self._arrived.empty() and monotonic() > patience:
                        break
                if not self._in_flight and not self._postponed:
                    if failure is not None:
                        raise failure
                    return
                done = self._next_done()
                if done is not None:
                    yield done
        finally:
            for _, future in self._in_flight.values():
                future.cancel()

    def wait_for_begun(self, seconds: float) -> None:
        """Wait until the calls that were not cancelled are done, but not for ever."""
        futures = [future for _, future in self._in_flight.values()]
        wait([one for one in futures if not one.cancelled()], timeout=seconds)

    def done(self) -> list[tuple[Item, Future[Result]]]:
        """Return what is done and was not handed back, in the order of the items."""
        return [
            (item, future)
            for _, (item, future) in sorted(self._in_flight.items())
            if future.done() and not future.cancelled() and not _put_off(future)
        ]

    def _has_room(self) -> bool:
        return len(self._in_flight) < self._most_in_flight

    def _takes_more(self) -> bool:
        return self._has_room() and len(self._postponed) < _MOST_POSTPONED

    def _begin_due(self, executor: AnyExecutor) -> None:
        """Begin what was put off until now. It goes before new items."""
        while self._postponed and self._has_room():
            if self._postponed[0][0] > monotonic():
                return
            _, position, item, again = heappop(self._postponed)
            self._begin(executor, position, item, again)

    def _begin(
        self, executor: AnyExecutor, position: int, item: Item, argument: Any
    ) -> None:
        forgiving = self._finite and self._has_begun
        future = _submitted(executor, self._call, argument, forgiving)
        self._has_begun = True
        self._in_flight[position] = (item, future)
        future.add_done_callback(_announcer(self._arrived, position))

    def _next_done(self) -> Done[Item, Result] | None:
        """Wait for a call to be done, or until one that was put off is due; None for the latter."""
        try:
            position = self._arrived.get(timeout=self._longest_wait())
        except Empty:
            return None
        item, future = self._in_flight.pop(position)
        again = _put_off(future)
        if again is None:
            return position, item, future
        heappush(self._postponed, (again.due, position, item, again.item))
        return None

    def _longest_wait(self) -> float:
        if not self._postponed or not self._has_room():
            return _LONGEST_DEAF_WAIT_SECONDS
        left = self._postponed[0][0] - monotonic()
        return min(max(left, 0.0), _LONGEST_DEAF_WAIT_SECONDS)


def _put_off(future: Future[Any]) -> Postponed | None:
    """Return when a call that is done is to be made again; None if it is done for good."""
    if future.cancelled() or future.exception() is not None:
        return None
    result = future.result()
    return result if isinstance(result, Postponed) else None


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
