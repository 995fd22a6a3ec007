"""Sharding: it packs the requests of a batch into shards for an executor of other processes.

All of it runs in the caller's thread. The rest of the batch knows nothing of shards: it sees an executor
that takes one request at a time. So order, callbacks, progress and journals do not change.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, cast

from ..cancellation import Cancelled, monotonic
from ..errors import UNKNOWN_OUTCOME, PermutiveConnectionError
from ..redaction import redact_and_shorten
from .calls import Postponed, most_in_flight, wait_for
from .executors import DEFAULT_THREADS, dumps_for, is_process_pool, processes_of, travels
from .lease import Lease
from .protocols import Call, Gatherer
from .remote import Reported, WorkItem
from .shard_size import ShardSize
from .shards import FirstCall, FirstShard, Report, Shard, ShardResult
from .unlocked import UnlockedFuture

# With a journal, a shard with requests that must not be repeated is no larger.
_MOST_UNREPEATABLE_IN_SHARD = 20
# So many shards of requests are held for each process: the present one and the next one.
_SHARDS_HELD_PER_PROCESS = 2
# How long a cancelled batch waits for the shards that have begun; more than _SHARD_SECONDS.
_GRACE_SECONDS = 2.75


class _Waiting(NamedTuple):
    """A request that waits for its shard, or is in one."""

    item: WorkItem
    future: UnlockedFuture


class ShardingExecutor(Gatherer, AbstractContextManager["ShardingExecutor"]):
    """Takes requests one by one, and gives them to an executor in shards.

    A shard is sent when a process is free: a full one at once, a smaller one when there is nothing else
    to do. So each process has one shard at a time, and a stop waits only for that.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        The caller's.
    threads : int or None
        How many requests a process sends at a time.
    finite : bool
        See ``workers.Listener.total``.
    is_unrepeatable : callable
        Tells whether a request must go in a small shard.
    tell_records : callable
        Called with the records for ``on_response`` of requests that come back unsent.
    """

    def __init__(
        self,
        executor: Executor,
        threads: int | None,
        finite: bool,
        is_unrepeatable: Callable[[WorkItem], bool],
        tell_records: Callable[[Iterable[Any]], object],
    ) -> None:
        self._executor = executor
        self._threads = threads or DEFAULT_THREADS
        self._finite = finite
        self._is_unrepeatable = is_unrepeatable
        self._tell_records = tell_records
        self._most_one_by_one = most_in_flight(threads)
        # None until the first call tells.
        self._travels = travels(executor)
        self._processes = 1
        self._size = ShardSize(self._threads)
        self._handed_back = 0
        self._dumps = dumps_for(executor)
        self._call: Any = None
        self._waiting: deque[_Waiting] = deque()
        self._number = 0
        self._stopping = False
        self._failure: Exception | None = None
        self._lease = Lease() if is_process_pool(executor) else None
        # By the numbers of the shards.
        self._in_flight: dict[int, tuple[list[_Waiting], Future[Any]]] = {}
        # Numbers of shards that are done; any thread adds them.
        self._ended: SimpleQueue[int] = SimpleQueue()

    def begin(self, wake: Callable[[], object]) -> None:
        """Find out how many processes there are."""
        self._wake = wake
        self._processes = processes_of(self._executor)

    def most_in_flight(self) -> int:
        """Return how many requests may be in flight, or wait here for the next shards."""
        if self._travels is None:
            return 1
        if not self._travels:
            return self._most_one_by_one
        return _SHARDS_HELD_PER_PROCESS * self._processes * self._size.requests

    def submit(self, fn: Callable[..., Any], /, item: Any) -> Call[Any]:
        """Take a request for the next shard; if calls run in this process, begin its call."""
        if self._travels is False:
            return self._executor.submit(fn, item)
        self._call = fn
        waiting = _Waiting(item, UnlockedFuture())
        self._waiting.append(waiting)
        return waiting.future

    def flush(self, has_arrived: Callable[[], bool], handed_back: int) -> None:
        """Collect the shards that are done, and send the next ones."""
        self._handed_back = handed_back
        while True:
            self._take_back()
            if self._failure is not None:
                if self._in_flight or has_arrived():
                    return  # These results come first.
                raise self._failure
            if not self._waiting or len(self._in_flight) >= self._processes:
                return
            most = self._size.requests
            if not has_arrived():
                # Share the last requests among the processes that are free.
                free = self._processes - len(self._in_flight)
                most = min(most, math.ceil(len(self._waiting) / free))
            elif min(len(self._waiting), handed_back) < most:
                return  # A shard that is not full, or too far ahead of the reader, waits for it.
            elif self._is_unrepeatable(self._waiting[0].item):
                return  # It waits until all results are recorded.
            self._send_shard(self._next_shard(most))

    def __exit__(self, *exception: object) -> None:
        """Wait for the shards that have begun, but not too long."""
        self._stopping = True
        if self._lease is not None:
            self._lease.end()
        futures = [future for _, future in self._in_flight.values()]
        if is_process_pool(self._executor):
            # A cluster would cancel calls that run, too, and nobody would know what they sent.
            for future in futures:
                future.cancel()
        wait_for(futures, _GRACE_SECONDS)
        for future in futures:
            future.cancel()
        self._take_back()
        for waiting, _ in self._in_flight.values():
            _fail(waiting, Cancelled())

    # --- Sending ---

    def _next_shard(self, most: int) -> list[_Waiting]:
        shard: list[_Waiting] = []
        while self._waiting and len(shard) < most:
            item = self._waiting[0].item
            if item.alone:
                most = 1
            elif self._is_unrepeatable(item):
                most = min(most, _MOST_UNREPEATABLE_IN_SHARD)
            if len(shard) >= most:
                break
            shard.append(self._waiting.popleft())
        return shard

    def _send_shard(self, waiting: list[_Waiting]) -> None:
        number = self._number
        if self._travels:
            try:
                content = self._dumps([each.item for each in waiting])
            except Exception:
                waiting = [each for each in waiting if self._can_travel(each)]
                content = self._dumps([each.item for each in waiting])
            if not waiting:
                return
            lease = None if self._lease is None else self._lease.renew()
            call, shard = self._call, Shard(number, len(waiting), content, lease)
        else:
            call = cast("Any", FirstCall(self._call))
            shard = FirstShard(number, waiting[0].item, self._dumps)
        try:
            future = self._executor.submit(call, shard)
        except Exception as error:
            if self._travels is None and not self._can_travel(waiting[0]):
                return
            if self._finite and number:
                _fail(waiting, error)
            else:
                self._waiting.extendleft(reversed(waiting))
                self._failure = error
            return
        for each in waiting:
            each.future.set_begun()
        self._number += 1
        self._in_flight[number] = (waiting, future)
        future.add_done_callback(_announcer(self._ended, number, self._wake))

    def _can_travel(self, waiting: _Waiting) -> bool:
        """Tell whether a request can be pickled. If not, it fails."""
        try:
            self._dumps(waiting.item)
        except Exception as error:
            _fail([waiting], error)
            return False
        return True

    # --- Taking back ---

    def _take_back(self) -> None:
        while True:
            try:
                number = self._ended.get_nowait()
            except Empty:
                return
            waiting, future = self._in_flight.pop(number)
            if self._stopping and future.cancelled():
                _fail(waiting, Cancelled())
            else:
                self._resolve(waiting, future)

    def _resolve(self, waiting: list[_Waiting], future: Future[Any]) -> None:
        """Set the result of each request of a shard."""
        try:
            result = future.result()
            report: Report | None = result.report() if isinstance(result, ShardResult) else None
        except Exception as error:
            if self._travels is not None or self._can_travel(waiting[0]):
                for each in waiting:
                    each.future.set_exception(_lost(each.item, error))
            return
        except BaseException as interruption:
            _fail(waiting, interruption)
            return
        self._travels = report is not None
        if report is None:
            waiting[0].future.set_result(result)
            return
        for place, result, records in report.answered:
            waiting[place].future.set_result(Reported(result, records) if records else result)
        if report.unreadable:
            for each in waiting:
                each.future.set_result(Postponed(monotonic(), replace(each.item, alone=True)))
            return
        self._postpone(waiting, report)
        _fail([each for each in waiting if not each.future.done()], Cancelled())
        sent, seconds = len(report.answered), report.seconds
        self._size.adapt(len(waiting), sent, seconds, self._handed_back)

    def _postpone(self, waiting: list[_Waiting], report: Report) -> None:
        now = monotonic()
        for place, delay, attempts, records in report.unsent:
            item, future = waiting[place]
            self._tell_records(records)
            if report.interrupted:
                future.set_exception(KeyboardInterrupt())
                continue
            again = item if attempts == item.attempts else replace(item, attempts=attempts)
            future.set_result(Postponed(now + delay, again))


def _lost(item: WorkItem, error: Exception) -> Exception:
    """Return the error of a request whose shard is lost, for instance because its process died."""
    reason = redact_and_shorten(f"{type(error).__name__}: {error}", ())
    return PermutiveConnectionError(
        f"No result came from the process that had the request ({reason}). {UNKNOWN_OUTCOME}",
        url=item.request.url,
    )


def _fail(waiting: Iterable[_Waiting], error: BaseException) -> None:
    for each in waiting:
        each.future.set_exception(error)


def _announcer(
    ended: SimpleQueue[int], number: int, wake: Callable[[], object]
) -> Callable[[Future[Any]], None]:
    def announce(_: Future[Any]) -> None:
        ended.put(number)
        wake()

    return announce
