"""Sharding: it packs the requests of a batch into shards for an executor of other processes.

All of it runs in the caller's thread. The rest of the batch knows nothing of shards: it sees workers
that take one request at a time. So order, callbacks, progress and journals do not change.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from typing import Any, cast

from ..cancellation import Cancelled, monotonic
from ..errors import UNKNOWN_OUTCOME, PermutiveConnectionError
from ..redaction import redact_and_shorten
from .call_by_call import CallByCall
from .calls import Postponed, wait_for
from .executors import DEFAULT_THREADS, dumps_for, is_process_pool, processes_of, travels
from .function import CancellableFunction
from .lease import Lease
from .pending import PendingCall
from .protocols import Call
from .remote import Reported, WorkItem
from .shard_size import ShardSize
from .shards import FirstCall, FirstShard, Report, Shard, ShardResult

# With a journal, how many requests a shard may have if one of them must not be repeated.
_MOST_UNREPEATABLE_IN_SHARD = 20
# How many shards of requests are held for each process: the present one and the next one.
_SHARDS_HELD_PER_PROCESS = 2
# How long a cancelled batch waits for the shards that have begun; more than _SHARD_SECONDS.
_GRACE_SECONDS = 2.75


class Sharding(AbstractContextManager["Sharding"]):
    """Takes requests one by one, and gives them to an executor in shards.

    A shard is sent when a process is free: a full one at once, a smaller one when there is nothing else
    to do. So each process has one shard at a time, and a stop waits only for that.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        The caller's.
    threads : int or None
        How many requests a process sends at a time.
    function : CancellableFunction
        What a process calls.
    wake : callable
        Called, by any thread, when :meth:`flush` has something to do.
    finite : bool
        See :class:`~PermutiveAPI._Utils.batch.calls.Calls`.
    is_unrepeatable : callable
        Tells whether a request must go in a small shard.
    tell_records : callable
        Called with the records for ``on_response`` of requests that come back unsent.
    """

    def __init__(
        self,
        executor: Executor,
        threads: int | None,
        function: CancellableFunction[Any, Any],
        wake: Callable[[], object],
        *,
        finite: bool,
        is_unrepeatable: Callable[[WorkItem], bool],
        tell_records: Callable[[Iterable[Any]], object],
    ) -> None:
        self._executor = executor
        self._threads = threads or DEFAULT_THREADS
        self._function = function
        self._wake = wake
        self._finite = finite
        self._is_unrepeatable = is_unrepeatable
        self._tell_records = tell_records
        # For an executor that turns out to call in this process.
        self._call_by_call = CallByCall(executor, threads, function)
        # None until the first call tells.
        self._travels = travels(executor)
        self._processes = processes_of(executor)
        self._size = ShardSize(self._threads)
        self._handed_back = 0
        self._dumps = dumps_for(executor)
        self._waiting: deque[PendingCall] = deque()
        self._number = 0
        self._stopping = False
        self._failure: Exception | None = None
        self._lease = Lease() if is_process_pool(executor) else None
        # By the numbers of the shards.
        self._in_flight: dict[int, tuple[list[PendingCall], Future[Any]]] = {}
        # Numbers of shards that are done; any thread adds them.
        self._ended: SimpleQueue[int] = SimpleQueue()

    @property
    def most_in_flight(self) -> int:
        """How many requests may be in flight, or wait here for the next shards."""
        if self._travels is None:
            return 1
        if not self._travels:
            return self._call_by_call.most_in_flight
        return _SHARDS_HELD_PER_PROCESS * self._processes * self._size.requests

    def submit(self, argument: WorkItem, announce: Callable[[], object], /) -> Call[Any]:
        """Take a request for the next shard; if calls run in this process, begin its call."""
        if self._travels is False:
            return self._call_by_call.submit(argument, announce)
        call = PendingCall(argument, announce)
        self._waiting.append(call)
        return call

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
                return  # Wait until the shard is full, and the reader has caught up.
            elif self._is_unrepeatable(self._waiting[0].argument):
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

    def _next_shard(self, most: int) -> list[PendingCall]:
        shard: list[PendingCall] = []
        while self._waiting and len(shard) < most:
            item = self._waiting[0].argument
            if item.alone:
                most = 1
            elif self._is_unrepeatable(item):
                most = min(most, _MOST_UNREPEATABLE_IN_SHARD)
            if len(shard) >= most:
                break
            shard.append(self._waiting.popleft())
        return shard

    def _send_shard(self, waiting: list[PendingCall]) -> None:
        number = self._number
        if self._travels:
            try:
                content = self._dumps([each.argument for each in waiting])
            except Exception:
                waiting = [each for each in waiting if self._can_travel(each)]
                content = self._dumps([each.argument for each in waiting])
            if not waiting:
                return
            lease = None if self._lease is None else self._lease.renew()
            call, shard = self._function, Shard(number, len(waiting), content, lease)
        else:
            call = cast("Any", FirstCall(self._function))
            shard = FirstShard(number, waiting[0].argument, self._dumps)
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
            each.set_begun()
        self._number += 1
        self._in_flight[number] = (waiting, future)
        future.add_done_callback(_announcer(self._ended, number, self._wake))

    def _can_travel(self, call: PendingCall) -> bool:
        """Tell whether a request can be pickled. If not, it fails."""
        try:
            self._dumps(call.argument)
        except Exception as error:
            call.end(None, error)
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

    def _resolve(self, waiting: list[PendingCall], future: Future[Any]) -> None:
        """Take in the result of a shard: set results, postpone what is unsent, and adapt the size."""
        try:
            result = future.result()
            report: Report | None = result.report() if isinstance(result, ShardResult) else None
        except Exception as error:
            if self._travels is not None or self._can_travel(waiting[0]):
                for each in waiting:
                    each.end(None, _lost(each.argument, error))
            return
        except BaseException as interruption:
            _fail(waiting, interruption)
            return
        self._travels = report is not None
        if report is None:
            waiting[0].end(result)
            return
        for place, result, records in report.answered:
            waiting[place].end(Reported(result, records) if records else result)
        if report.unreadable:
            for each in waiting:
                each.end(Postponed(monotonic(), each.argument._replace(alone=True)))
            return
        self._postpone(waiting, report)
        _fail([each for each in waiting if not each.done()], Cancelled())
        sent, seconds = len(report.answered), report.seconds
        self._size.adapt(len(waiting), sent, seconds, self._handed_back)

    def _postpone(self, waiting: list[PendingCall], report: Report) -> None:
        now = monotonic()
        for place, delay, attempts, records in report.unsent:
            call = waiting[place]
            item: WorkItem = call.argument
            self._tell_records(records)
            if report.interrupted:
                call.end(None, KeyboardInterrupt())
                continue
            again = item if attempts == item.attempts else item._replace(attempts=attempts)
            call.end(Postponed(now + delay, again))


def _lost(item: WorkItem, error: Exception) -> Exception:
    """Return the error of a request whose shard is lost, for instance because its process died."""
    reason = redact_and_shorten(f"{type(error).__name__}: {error}", ())
    return PermutiveConnectionError(
        f"No result came from the process that had the request ({reason}). {UNKNOWN_OUTCOME}",
        url=item.request.url,
    )


def _fail(waiting: Iterable[PendingCall], error: BaseException) -> None:
    for each in waiting:
        each.end(None, error)


def _announcer(
    ended: SimpleQueue[int], number: int, wake: Callable[[], object]
) -> Callable[[Future[Any]], None]:
    def announce(_: Future[Any]) -> None:
        ended.put(number)
        wake()

    return announce
