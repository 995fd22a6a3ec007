"""The calls of a batch: those that workers have, and those that are postponed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, TimeoutError
from contextlib import suppress
from functools import partial
from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeVar

from ..cancellation import Cancellation, check, monotonic
from .pending import PendingCall
from .protocols import Call, Workers

Item = TypeVar("Item")
Result = TypeVar("Result")
Done = tuple[int, Item, Call[Result]]

# While so many calls are postponed, no new items are taken.
_MOST_POSTPONED = 1024
# On Windows, Ctrl-C does not interrupt a wait that has no timeout.
_LONGEST_WAIT_SECONDS = 0.5
# None may be a result.
_NO_RESULT = object()


class Postponed(NamedTuple):
    """A function returns it to be called again later. Until then, its item occupies no worker.

    Attributes
    ----------
    due : float
        When to call, by ``time.monotonic()``.
    item : object
        The argument of that call. The result is handed back with the first item.
    """

    due: float
    item: Any


class Calls(Generic[Item, Result]):
    """The calls of one batch: those that workers have, and those that are postponed.

    Parameters
    ----------
    batch : Cancellation
        If it is cancelled, the calling thread gets ``Cancelled``.
    expected : int
        How many calls the workers take at a time, as far as it is known before they begin.
    finite : bool
        Whether the number of items is known. If so, items fail one by one when the executor breaks;
        otherwise its error is raised.
    start : callable
        Returns the workers; called once, for the first call, with a function that makes :meth:`next_done`
        return. Any thread may call it.
    returned : callable
        Called with all calls that have returned at a time, as pairs of item and result, before
        :meth:`next_done` returns them.
    """

    def __init__(
        self,
        batch: Cancellation,
        *,
        expected: int,
        finite: bool,
        start: Callable[[Callable[[], object]], Workers],
        returned: Callable[[list[tuple[Item, Any]]], object],
    ) -> None:
        self._batch = batch
        self._expected = expected
        self._finite = finite
        self._start = start
        self._workers: Workers | None = None
        # By position.
        self._in_flight: dict[int, tuple[Item, Call[Any]]] = {}
        # A heap of (due, position, item, argument).
        self._postponed: list[tuple[float, int, Item, Any]] = []
        # Positions of calls that are done; None if the source has an item.
        self._arrived: SimpleQueue[int | None] = SimpleQueue()
        # Positions that were taken from there, to be handed back.
        self._gathered: deque[int] = deque()
        self._handed_back = 0
        self._tell_returned = returned
        # Makes `next_done` return. It refers only to the queue: a reader that waits for its iterable
        # must not keep an abandoned stream.
        self.wake: Callable[[], object] = partial(self._arrived.put, None)

    def are_over(self) -> bool:
        """Tell whether no call is running, waiting or postponed."""
        return not self._in_flight and not self._postponed

    def has_arrived(self) -> bool:
        """Tell whether :meth:`next_done` would not wait."""
        return bool(self._gathered) or not self._arrived.empty()

    def cancel(self) -> None:
        """Cancel the calls that have not begun."""
        for _, call in self._in_flight.values():
            call.cancel()

    def wait_for_begun(self, seconds: float) -> None:
        """Wait for the calls that were not cancelled, at most so many seconds."""
        wait_for((call for _, call in self._in_flight.values()), seconds)

    def tell_late(self, late: Callable[[Item, Call[Result]], object]) -> None:
        """Call `late` for each call that is done and was not handed back, in the order of the items."""
        interruption: BaseException | None = None
        for _, (item, call) in sorted(self._in_flight.items()):
            if not call.done() or call.cancelled():
                continue
            if not isinstance(_result_of(call), Postponed):
                try:
                    late(item, call)
                except BaseException as error:
                    interruption = error  # Raised when all are told.
        if interruption is not None:
            raise interruption

    def room_for_new(self) -> int:
        """Return how many calls for new items may begin."""
        if len(self._postponed) >= _MOST_POSTPONED:
            return 0
        return self._room()

    def begin_due(self) -> None:
        """Begin the postponed calls that are due. They go before new items."""
        while self._postponed and self._room() > 0:
            if self._postponed[0][0] > monotonic():
                return
            _, position, item, again = heappop(self._postponed)
            self.begin(position, item, again)

    def begin(self, position: int, item: Item, argument: Any) -> None:
        """Begin the call for an item; `argument` is the item, or the one of a :class:`Postponed`."""
        self._batch.check()
        check()  # A worker of another batch ends with that batch, for instance in ``on_response``.
        announce = partial(self._arrived.put, position)
        self._in_flight[position] = (item, self._begun(argument, announce))

    def _begun(self, argument: Any, announce: Callable[[], object]) -> Call[Any]:
        """Begin a call. An item that is refused, or cannot be sent to another process, fails at once."""
        refusal: Exception | None = getattr(argument, "refusal", None)
        if refusal is None:
            forgiving = self._finite and self._workers is not None
            if self._workers is None:
                self._workers = self._start(self.wake)
            try:
                return self._workers.submit(argument, announce)
            except Exception as error:
                if not forgiving and _can_travel(argument):
                    raise
                refusal = error
        failed = PendingCall(argument, announce)
        failed.end(None, refusal)
        return failed

    def next_done(self) -> Done[Item, Result] | None:
        """Return the next call that is done; None if something else must be done first."""
        if self._workers is not None:
            self._workers.flush(self.has_arrived, self._handed_back)
        if not self._gathered:
            self._gather()
        self._batch.check()
        check()
        if not self._gathered:
            return None
        position = self._gathered.popleft()
        self._handed_back += 1
        item, call = self._in_flight.pop(position)
        return position, item, call

    def _gather(self) -> None:
        """Wait until something has arrived, and take all of it."""
        wait_seconds = self._until_due() if self._postponed else _LONGEST_WAIT_SECONDS
        try:
            arrived = [self._arrived.get(timeout=wait_seconds)]
        except Empty:
            return
        while not self._arrived.empty():
            arrived.append(self._arrived.get_nowait())
        returned: list[tuple[Item, Any]] = []
        for position in arrived:
            if position is None:
                continue
            item, call = self._in_flight[position]
            result = _result_of(call)
            if isinstance(result, Postponed):
                del self._in_flight[position]
                heappush(self._postponed, (result.due, position, item, result.item))
                continue
            self._gathered.append(position)
            if result is not _NO_RESULT:
                returned.append((item, result))
        if returned:
            self._tell_returned(returned)

    def _room(self) -> int:
        most = self._expected if self._workers is None else self._workers.most_in_flight
        return most - len(self._in_flight)

    def _until_due(self) -> float:
        if self._room() <= 0:
            return _LONGEST_WAIT_SECONDS
        left = self._postponed[0][0] - monotonic()
        return min(max(left, 0.0), _LONGEST_WAIT_SECONDS)


def wait_for(calls: Iterable[Call[Any]], seconds: float) -> None:
    """Wait until calls are done or cancelled, at most so many seconds. It does not wait for a PendingCall.

    ``concurrent.futures.wait`` takes the locks of all futures. If Ctrl-C came in that moment, they would
    stay taken, and the workers would wait for them forever.
    """
    end = monotonic() + seconds
    for call in calls:
        with suppress(TimeoutError, CancelledError):
            call.exception(max(end - monotonic(), 0.0))


def _result_of(call: Call[Any]) -> Any:
    """Return what a call that is done has returned; ``_NO_RESULT`` if it has failed."""
    try:
        return call.result() if call.exception() is None else _NO_RESULT
    except CancelledError:
        return _NO_RESULT


def _can_travel(item: object) -> bool:
    import pickle  # Rarely needed, and slow to import.

    try:
        pickle.dumps(item)
    except Exception:
        return False
    return True
