"""Send shards in another process: on its own threads, and until a deadline.

Connections, rate limits and threads stay in that process from one shard to the next.
"""

from __future__ import annotations

import math
import os
import pickle
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any

from .. import cancellation, settings
from ..cancellation import Cancellation, Cancelled, RequestPostponed, attempts_spent, monotonic
from ..errors import is_response
from ..settings import Settings
from .calls import wait_for
from .lease import has_ended
from .remote import Failed, Send, WorkItem, send_item
from .shards import Answered, Report, Shard, ShardResult, Unsent, packed

# If the responses of a shard have more bytes than this, it sends no further request.
_MOST_BYTES = 64 * 2**20
# How often to look whether the batch has ended. On Windows, Ctrl-C does not interrupt longer waits.
_SECONDS_BETWEEN_LOOKS = 0.1
# When the batch has ended: how long to wait for responses, so that a stop takes less than three seconds.
_GRACE_SECONDS = 0.4


@dataclass(repr=False, eq=False)
class ShardSender:
    """Sends shards in another process, by the settings of the caller's process. Its repr() shows no key.

    It sends as many requests at a time as it has `threads`. `run_id` is random, and different for each run;
    see :class:`Shard`.
    """

    send: Send
    api_key: str
    used: Settings
    threads: int
    run_id: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without ``on_response``: the caller's process calls it when the results return."""
        options = self.used.options
        reports = _reports if options.on_response else None
        kept = options.replaced(api_key=None, on_response=reports, block=None)
        # The other process reads its own proxies and certificates.
        used = self.used._replace(options=kept, network=())
        return ShardSender, (self.send, self.api_key, used, self.threads, self.run_id)

    def __call__(self, shard: Shard) -> ShardResult:
        """Send what can be sent in time, and report it. Each call has its own context."""
        try:
            items: list[WorkItem] = pickle.loads(shard.content)
        except Exception as error:
            if shard.count > 1:
                return packed(Report([], [], 0.0, unreadable=True))
            return packed(Report([(0, Failed(error), ())], [], 0.0))
        settings.options.set(self.used.options)
        settings.of_batch.set(self.used)
        batch = cancellation.current() or Cancellation()
        sending = _Sending(self.send, self.api_key, self.used, items, batch, shard.lease)
        return packed(sending.run(self.threads, shard.seconds))


class _Sending:
    """The sending of one shard.

    Its requests have no futures, unlike those of a batch: nothing is handed back before the end, and
    futures take time.
    """

    def __init__(
        self,
        send: Send,
        api_key: str,
        used: Settings,
        items: Sequence[WorkItem],
        batch: Cancellation,
        lease: str | None,
    ) -> None:
        self._send = send
        self._api_key = api_key
        self._used = used
        self._items = items
        # Threads only append and popleft, which are atomic.
        self._left = deque(enumerate(items))
        self._answered: list[Answered] = []
        self._postponed: list[tuple[int, RequestPostponed, list[Any]]] = []
        self._bytes = 0
        self._batch = batch
        self._lease = lease

    def run(self, threads: int, seconds: float) -> Report:
        """Send until all is done or the time is up, and report it."""
        began = monotonic()
        self._batch.deadline = -math.inf if has_ended(self._lease) else began + seconds
        interrupted = False
        working: list[Future[Any]] = []
        with _thread_pool(threads) as pool:
            try:
                self._begin(working, pool, min(threads, len(self._items)))
                self._wait(working)
            except KeyboardInterrupt:
                # Wait for requests in flight: otherwise their outcome would be unknown.
                interrupted = True
                self._batch.deadline = monotonic()
                self._wait(working)
            finally:
                if not all(each.done() for each in working):
                    self._batch.cancel()  # A second Ctrl-C.
        for each in working:
            if not isinstance(each.exception(), Cancelled):
                each.result()
        now = monotonic()
        unsent: list[Unsent] = [
            (place, max(later.due - now, 0.0), later.attempts, records)
            for place, later, records in self._postponed
        ]
        unsent += [(place, 0.0, item.attempts, ()) for place, item in self._left]
        return Report(self._answered, unsent, now - began, interrupted)

    def _begin(self, working: list[Future[Any]], pool: ThreadPoolExecutor, threads: int) -> None:
        """Begin in so many threads, or in those that the system allows."""
        for _ in range(threads):
            try:
                working.append(pool.submit(copy_context().run, self._work))
            except RuntimeError:
                if not working:
                    raise
                return  # The pool keeps this call. When its turn comes, nothing is left to send.

    def _work(self) -> None:
        """Send one request after the other, in a thread."""
        with self._batch.joined():
            while monotonic() <= self._batch.deadline and self._bytes <= _MOST_BYTES:
                try:
                    place, item = self._left.popleft()
                except IndexError:
                    return
                self._send_one(place, item)

    def _wait(self, working: Sequence[Future[Any]]) -> None:
        """Wait for the threads. If the batch ends, begin no more, and end requests that are not answered soon."""
        while not all(each.done() for each in working):
            wait_for(working, _SECONDS_BETWEEN_LOOKS)
            if has_ended(self._lease):
                self._batch.deadline = -math.inf
                wait_for(working, _GRACE_SECONDS)
                self._batch.cancel()

    def _send_one(self, place: int, item: WorkItem) -> None:
        records: list[Any] = []
        _records.set(records)
        attempts_spent.set(item.attempts)
        try:
            result = send_item(self._send, self._api_key, item, self._used)
        except RequestPostponed as later:
            self._postponed.append((place, later, records))
        else:
            self._answered.append((place, result, records))
            # A lost count does no harm.
            self._bytes += _length_of(result)


def _length_of(result: Any) -> int:
    """Return the length of a response's body; 0 for a stand-in, which is left alone."""
    if not is_response(result):
        return 0
    content: bytes | None = result.__dict__.get("_content")
    return len(content or b"")


_records: ContextVar[list[Any]] = ContextVar("records")


def _reports(record: Any) -> None:
    _records.get().append(record)


# --- Threads, kept from one shard to the next ----------------------------------------------------

# Pools that no shard uses now, each with its number of threads.
_idle_pools: list[tuple[int, ThreadPoolExecutor]] = []


@contextmanager
def _thread_pool(threads: int) -> Generator[ThreadPoolExecutor, None, None]:
    """Give a pool of threads that no other shard uses."""
    pool = _idle_pool(threads) or ThreadPoolExecutor(threads, "PermutiveAPI shard")
    yield pool
    # Not after an exception: its threads may be busy.
    _idle_pools.append((threads, pool))


def _idle_pool(threads: int) -> ThreadPoolExecutor | None:
    """Return a pool that is idle, and end those of another size: they are of an earlier batch."""
    while True:
        try:
            number, pool = _idle_pools.pop()
        except IndexError:
            return None
        if number == threads:
            return pool
        pool.shutdown(wait=False)


if hasattr(os, "register_at_fork"):  # Not on Windows, which has no fork.
    # The threads do not exist in the child.
    os.register_at_fork(after_in_child=_idle_pools.clear)
