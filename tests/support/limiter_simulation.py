"""A simulation of workers and a service with a rate limit: minutes take milliseconds.

The workers behave as those of a batch: they use the real limiters and the real rules.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Callable, Deque, Generator, List, Optional, Protocol, Tuple

from PermutiveAPI._Utils.retry import rate_limit, throttling
from PermutiveAPI._Utils.retry.policy import is_throttled, refusals_are_free
from PermutiveAPI._Utils.retry.rate_limit import SHORT_RETRY_AFTER_SECONDS, LimitKey, Refusals

ATTEMPTS = 3
# The time that a request costs the client; requests do not overlap in it.
CLIENT_SECONDS = 0.0003
# How late the scheduler wakes a worker at most.
LATENESS_SECONDS = 0.0002
# By which share the time of each way varies.
JITTER = 0.05
# A simulation that takes longer fails.
LONGEST_SECONDS = 10_000.0


# --- Services ------------------------------------------------------------------------------------


class Service(Protocol):
    """A rate limit."""

    def wait(self, now: float) -> float:
        """Return 0.0 if a request that arrives now is accepted, else the seconds until one is."""
        ...

    def take(self, now: float) -> None:
        """Accept a request that arrives now."""
        ...


class Bucket:
    """So many requests a second, saved up to `burst`; the rate may change."""

    def __init__(
        self, rate: float, burst: int, later: Tuple[Tuple[float, float], ...] = ()
    ) -> None:
        self._rate, self._burst, self._later = rate, burst, later
        self._tokens, self._at = float(burst), 0.0

    def wait(self, now: float) -> float:
        """Fill the bucket, and check it."""
        while self._later and self._later[0][0] <= now:
            begin, rate = self._later[0]
            self._fill(begin)
            self._rate, self._later = rate, self._later[1:]
        self._fill(now)
        if self._tokens >= 1 - 1e-9:
            return 0.0
        return (1 - self._tokens) / self._rate

    def take(self, now: float) -> None:
        """Take a token."""
        self._tokens -= 1

    def _fill(self, now: float) -> None:
        gained = max(0.0, now - self._at) * self._rate
        self._tokens = min(self._burst, self._tokens + gained)
        self._at = max(self._at, now)


class FixedWindow:
    """So many requests in each fixed period of the service's clock."""

    def __init__(self, most: int, seconds: float, phase: float = 0.0) -> None:
        self._most, self._seconds, self._phase = most, seconds, phase
        self._window, self._count = -1, 0

    def wait(self, now: float) -> float:
        """Check whether the window is used up."""
        window = math.floor((now + self._phase) / self._seconds + 1e-9)
        if window != self._window:
            self._window, self._count = window, 0
        if self._count < self._most:
            return 0.0
        return (window + 1) * self._seconds - self._phase - now

    def take(self, now: float) -> None:
        """Count a request."""
        self._count += 1


class SlidingWindow:
    """So many requests in any period of this length."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._sent: Deque[float] = deque()

    def wait(self, now: float) -> float:
        """Count the requests of the last period."""
        while self._sent and now - self._sent[0] >= self._seconds - 1e-9:
            self._sent.popleft()
        if len(self._sent) < self._most:
            return 0.0
        return self._sent[0] + self._seconds - now

    def take(self, now: float) -> None:
        """Remember a request."""
        self._sent.append(now)


class ConcurrencyLimit:
    """So many requests at the same time, each as long as the service works on it."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._until: List[float] = []

    def wait(self, now: float) -> float:
        """Check whether a place is free."""
        while self._until and self._until[0] <= now:
            heapq.heappop(self._until)
        return 0.0 if len(self._until) < self._most else self._until[0] - now

    def take(self, now: float) -> None:
        """Take a place."""
        heapq.heappush(self._until, now + self._seconds)


class RandomRefusals:
    """Refuses a share of all requests, at random."""

    def __init__(self, share: float, seed: int) -> None:
        self._share, self._chance = share, random.Random(seed)

    def wait(self, now: float) -> float:
        """Refuse at random."""
        return 0.5 if self._chance.random() < self._share else 0.0

    def take(self, now: float) -> None:
        """Do nothing."""


# --- Cells ---------------------------------------------------------------------------------------

# The Retry-After for a wait: whole seconds and at least one, always one, or something else.
RETRY_AFTER: "dict[str, Callable[[float], Optional[float]]]" = {
    "none": lambda wait: None,
    "right": lambda wait: float(max(1, math.ceil(wait - 1e-9))),
    "one": lambda wait: 1.0,
    "zero": lambda wait: 0.0,
    "short": lambda wait: 0.1 * wait,
    "long": lambda wait: 10.0 * max(1, math.ceil(wait)),
}


@dataclass(frozen=True)
class Cell:
    """One service, and one batch that reaches its limit.

    Parameters
    ----------
    make : callable
        Makes the service from a seed.
    latency : float
        Seconds to the service and back.
    retry_after : str
        A key of RETRY_AFTER.
    clients : int
        Processes that share the key and the requests.
    """

    group: str
    name: str
    make: Callable[[int], Service]
    requests: int
    workers: int
    latency: float
    retry_after: str = "none"
    status: int = 429
    clients: int = 1


@dataclass
class Outcome:
    """The results of a cell's requests."""

    lost: int = 0
    seconds: float = 0.0
    sent: int = 0
    refused: int = 0
    # How many of the refused requests were sent before the first refusal came back.
    unaware: int = 0

    @property
    def refused_share(self) -> float:
        """The share of refusals after the first one came back, less ten requests."""
        refused = self.refused - self.unaware - 10
        return max(0, refused) / max(1, self.sent - self.unaware)


def shortest_seconds(cell: Cell, seed: int) -> float:
    """Return how long a client takes that knows the limit, with the same workers and latency."""
    if cell.group.startswith("random"):
        worked = cell.requests * cell.latency / cell.workers
        return max(worked, cell.requests * CLIENT_SECONDS) + cell.latency
    service = cell.make(seed)
    free = [0.0] * (cell.workers * cell.clients)
    sent_at = arrives = end = 0.0
    for _ in range(cell.requests):
        sent_at = max(sent_at, heapq.heappop(free)) + CLIENT_SECONDS / cell.clients
        arrives = max(arrives, sent_at + cell.latency / 2)
        while (wait := service.wait(arrives)) > 0:
            arrives += wait
        service.take(arrives)
        heapq.heappush(free, arrives + cell.latency / 2)
        end = max(end, arrives + cell.latency / 2)
    return end


# --- The simulation ------------------------------------------------------------------------------

Worker = Generator[float, float, None]


def simulate(cell: Cell, seed: int = 0) -> Outcome:
    """Send all requests of a cell, beginning at 0 s."""
    rate_limit.forget_all()
    simulation = _Simulation(cell, seed)
    simulation.run()
    rate_limit.forget_all()
    return simulation.outcome


class _Client:
    """A process: its remaining requests, its postponed ones, and the state of its batch."""

    def __init__(self, number: int, requests: int) -> None:
        self.name = LimitKey("https://service", f"key of {number}", "/v9")
        self.left = requests
        self.postponed: List[Tuple[float, int, Optional[Refusals]]] = (
            []
        )  # A heap of (due, number, refusals).
        self.postponements = 0
        self.busy_until = 0.0
        self.accepted = 0
        self.accepted_at = 0.0


class _Simulation:
    def __init__(self, cell: Cell, seed: int) -> None:
        self.outcome = Outcome()
        self._cell = cell
        self._service = cell.make(seed)
        self._chance = random.Random(seed * 7919 + 13)
        self._first_refusal_at = math.inf
        share = cell.requests // cell.clients
        self._clients = [_Client(number, share) for number in range(cell.clients)]

    def run(self) -> None:
        events: List[Tuple[float, int, Worker]] = []
        for client in self._clients:
            for _ in range(self._cell.workers):
                worker = self._worker(client)
                next(worker)
                start = self._chance.random() * 0.002
                heapq.heappush(events, (start, len(events), worker))
        while events:
            now, number, worker = heapq.heappop(events)
            assert now < LONGEST_SECONDS, f"{self._cell.name} does not end"
            try:
                heapq.heappush(events, (now + worker.send(now), number, worker))
            except StopIteration:
                pass

    def _worker(self, client: _Client) -> Worker:
        now = yield 0.0
        while client.left or client.postponed:
            refusals = None
            if client.postponed and (client.postponed[0][0] <= now or not client.left):
                due, _, refusals = heapq.heappop(client.postponed)
                if due > now:
                    now = yield due - now
            else:
                client.left -= 1
            now = yield from self._request(client, now, refusals)

    def _request(
        self, client: _Client, now: float, refusals: Optional[Refusals]
    ) -> Generator[float, float, float]:
        """Do as loop.run() does."""
        attempts = 0
        while True:
            limiter = rate_limit.limiter_of(client.name)
            if limiter is not None:
                slot = limiter.reserve(now)
                while wait := limiter.wait_seconds(slot, now):
                    longest = max(limiter.blocked_seconds(now), throttling._POLL_SECONDS)
                    late = self._chance.random() * LATENESS_SECONDS
                    now = yield min(wait, longest) + late
            sent_at = now
            client.busy_until = max(client.busy_until, now) + CLIENT_SECONDS
            now = yield client.busy_until - now + self._leg()
            service_wait = self._service.wait(now)
            if service_wait <= 0:
                self._service.take(now)
            now = yield self._leg() + 1e-6
            self._count(sent_at, now, service_wait > 0)
            if service_wait <= 0:
                client.accepted, client.accepted_at = client.accepted + 1, now
                rate_limit.on_success(client.name, sent_at, now)
                return now
            asked = RETRY_AFTER[self._cell.retry_after](service_wait)
            assert is_throttled(self._cell.status, asked)
            refusals = rate_limit.on_throttled(
                client.name, sent_at, now, asked, client.accepted, now, refusals
            )
            limiter = refusals.limiter
            refused_for = now - refusals.since
            patient = refusals_are_free(now - max(client.accepted_at, limiter.accepted_at))
            if patient and not (refusals.singled_out and not refusals_are_free(refused_for)):
                wait = asked if asked and asked <= SHORT_RETRY_AFTER_SECONDS else 0.0
                if refusals.singled_out:
                    wait = max(wait, refused_for)
                if wait:
                    client.postponements += 1
                    heapq.heappush(client.postponed, (now + wait, client.postponements, refusals))
                    return now
                continue
            limiter.give_up()
            attempts += 1
            if attempts == ATTEMPTS:
                self.outcome.lost += 1
                return now
            now = yield asked or self._chance.random() * 2.0 ** (attempts - 1)

    def _leg(self) -> float:
        """Return how long one way takes."""
        return self._cell.latency / 2 * (1 + JITTER * (2 * self._chance.random() - 1))

    def _count(self, sent_at: float, now: float, refused: bool) -> None:
        outcome = self.outcome
        if refused:
            self._first_refusal_at = min(self._first_refusal_at, now)
        outcome.seconds = now
        outcome.sent += 1
        outcome.refused += refused
        outcome.unaware += refused and sent_at < self._first_refusal_at
