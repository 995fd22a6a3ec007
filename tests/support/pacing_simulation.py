"""Workers, a rate limited service and the time between them, as events: minutes in milliseconds."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Deque, Generator, List, Optional, Tuple

from PermutiveAPI._Utils import pacing

Allows = Callable[[float], bool]
Worker = Generator[float, float, None]

ATTEMPTS = 3
LONGEST_SLEEP_SECONDS = 0.5
# What each waking costs on top, from the scheduler of the machine.
LATENESS_SECONDS = 0.0002


def token_bucket(rate: Callable[[float], float], burst: int) -> Allows:
    """Return a limit of `rate(now)` a second that saves up to `burst`."""
    tokens, at = float(burst), 0.0

    def allows(now: float) -> bool:
        nonlocal tokens, at
        tokens, at = min(burst, tokens + (now - at) * rate(now)), now
        if tokens < 1 - 1e-9:
            return False
        tokens -= 1
        return True

    return allows


def sliding_window(limit: int) -> Allows:
    """Return a limit of so many within any second."""
    sent: Deque[float] = deque()

    def allows(now: float) -> bool:
        while sent and sent[0] <= now - 1:
            sent.popleft()
        if len(sent) >= limit:
            return False
        sent.append(now)
        return True

    return allows


def fixed_window(limit: int, phase: float = 0.0) -> Allows:
    """Return a limit of so many in each second of the service's clock."""
    counts: "dict[int, int]" = {}

    def allows(now: float) -> bool:
        window = int(now + phase)
        counts[window] = counts.get(window, 0) + 1
        return counts[window] <= limit

    return allows


@dataclass
class Outcome:
    """What became of the requests."""

    lost: int = 0
    seconds: float = 0.0
    looks: int = 0
    accepted_at: List[float] = field(default_factory=list)
    refused_at: List[float] = field(default_factory=list)


@dataclass
class Simulation:
    """So many requests, taken one by one by so many workers that send as the client does.

    Parameters
    ----------
    allows : callable
        The service: tells whether a request that arrives now is let through.
    retry_after : float, optional
        What the service sends with a 429; left out, a worker waits with full jitter.
    latency : float
        Seconds to the service and back.
    client_seconds : float
        What a request costs the client, one after the other.
    """

    allows: Allows
    requests: int = 1000
    workers: int = 16
    retry_after: Optional[float] = None
    seed: int = 0
    latency: float = 0.001
    client_seconds: float = 0.0007
    origin: str = "https://service"
    key: str = "key"

    def run(self) -> Outcome:
        """Send all requests, beginning at 0 s."""
        self._chance = random.Random(self.seed)
        self._client_free_at = 0.0
        self._left = self.requests
        self._outcome = Outcome()
        events: List[Tuple[float, int, Worker]] = []
        for number in range(self.workers):
            worker = self._worker()
            next(worker)
            events.append((self._chance.random() * 0.002, number, worker))
        heapq.heapify(events)
        while events:
            now, number, worker = heapq.heappop(events)
            try:
                heapq.heappush(events, (now + worker.send(now), number, worker))
            except StopIteration:
                self._outcome.seconds = now
        return self._outcome

    def _worker(self) -> Worker:
        now = yield 0.0
        while self._left:
            self._left -= 1
            for attempt in range(1, ATTEMPTS + 1):
                pace = pacing.pace_of(self.origin, self.key)
                if pace is not None:
                    last_chance = 1 < attempt == ATTEMPTS
                    ticket = pace.enter(now, last_chance=last_chance)
                    while (wait := pace.wait_seconds(ticket, now)) > 0:
                        self._outcome.looks += 1
                        late = self._chance.random() * LATENESS_SECONDS
                        now = yield min(wait, LONGEST_SLEEP_SECONDS) + late
                sent_at = now
                now = yield self._client_work(now)
                now = yield self.latency / 2
                allowed = self.allows(now)
                now = yield self.latency / 2
                now = yield self._client_work(now)
                if allowed:
                    pacing.accepted(self.origin, self.key, sent_at, now)
                    self._outcome.accepted_at.append(now)
                    break
                pacing.refused(self.origin, self.key, sent_at, now, self.retry_after)
                self._outcome.refused_at.append(now)
                if attempt == ATTEMPTS:
                    self._outcome.lost += 1
                elif self.retry_after is not None:
                    now = yield self.retry_after
                else:
                    now = yield self._chance.random() * 2 ** (attempt - 1)

    def _client_work(self, now: float) -> float:
        self._client_free_at = max(now, self._client_free_at) + self.client_seconds / 2
        return self._client_free_at - now
