"""One shared, adaptive rate limit for all requests to an API with a key.

A :class:`RateLimiter` begins with the first refusal and is forgotten when it limits nobody. Requests
queue in virtual time: a clock that ticks once for every request that may go, faster or slower as the
rate changes, and that stands still while the service asks for a wait. So a new rate applies to
requests that already wait, idle time does not save up a burst, and a slot that is never used costs one
tick.

The rate rises by addition, slowly at first and faster the longer all goes well, and falls by
multiplication when more than a tenth of the last responses were refusals. A refusal costs one round
trip, but a rate that is too low slows all requests. So a few refusals do not lower the rate. If nothing
is accepted any more, a window is used up: then single requests probe at growing distances. A request
that is refused again and again while others are accepted is singled out: it says nothing about the rate.

Nothing here sleeps or reads a clock: `now` is the caller's, in monotonic seconds.
"""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# The first rate, in requests a second, if only a refusal is known.
_FIRST_RATE = 20.0
# The share of refusals that is tolerated, and how far below the limit to continue if there are more.
_MARGIN = 0.1
# The seconds over which that share is measured, and in which a rate without a known limit grows e-fold.
_SAMPLE_SECONDS = 0.5
# The smallest number of responses to measure, and of requests to send on the way back up to a limit.
_SMALLEST_SAMPLE = 10
# The seconds on the way from the margin below the limit back up to it.
_RECOVERY_SECONDS = 1.5
# One step lowers the rate at most to this share of it.
_LARGEST_DECREASE = 0.5
# The factor by which the distance between two probes grows.
_PROBE_SLOWDOWN = 1.25
# A Retry-After of up to so many seconds holds only the refused request: many servers send 1 because they
# cannot send less. A longer one holds all. Up to this distance, the distance between two probes doubles.
SHORT_RETRY_AFTER_SECONDS = 1.0

# Requests a second: a probe every half minute, and the rate above which nobody is held back.
_LEAST_RATE = 1 / 30
_HIGHEST_RATE = 10_000.0
_FORGOTTEN_AFTER_SECONDS = 60.0
# A day. After that, a service that has asked for a longer wait is tried again.
_LONGEST_BLOCK_SECONDS = 86_400.0
_MOST_LIMITERS = 256

# The APIs that have limits of their own, by the first parts of their paths.
_APIS = {
    "/cohorts-api": "Cohorts",
    "/audience-api": "Taxonomy",
    "/v2.0/identify": "Identity",
    "/v2.0/users": "Identity",
    "/v2.0/events": "Events",
    "/ccs": "CCS",
    "/ctx": "Contextual",
}


@dataclass(frozen=True)
class LimitKey:
    """What one limit applies to: one API of one origin, with one key."""

    origin: str
    api_key: str = field(repr=False)
    api: str


def api_of(path: str) -> str:
    """Return the API that a URL's path belongs to; of an unknown one, the first part of the path.

    Examples
    --------
    >>> api_of("/cohorts-api/v2/cohorts/")
    'Cohorts'
    >>> api_of("/v9/things/1")
    '/v9'
    """
    parts = path.split("/")
    first, both = "/".join(parts[:2]), "/".join(parts[:3])
    return _APIS.get(first) or _APIS.get(both) or first


def limit_key_of(url: str, api_key: str) -> LimitKey:
    """Return the limit that a request to a URL belongs to."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}".lower()
    return LimitKey(origin, api_key, api_of(parts.path))


@dataclass
class Slot:
    """A place in the queue: the tick from which its request may go."""

    tick: float
    taken: bool = False


@dataclass
class Refusals:
    """The refusals of one request in a row, the limiter, and what it had counted before them.

    Attributes
    ----------
    since : float
        When the first one came, in monotonic seconds.
    singled_out : bool
        Whether the service refuses this request and accepts others, so that no shared rate is the reason.
    """

    limiter: RateLimiter
    since: float
    accepted_before: int
    refused_before: int
    count: int = 0
    singled_out: bool = False

    def add(self, accepted: int, refused: int) -> None:
        """Count one more; of all requests, so many were accepted and refused until now.

        The share that was refused is the chance that a shared limit refuses a request. A row that is by
        this chance rarer than one in the square of the responses has another reason: once among all
        requests would not be rare enough, since a batch has many.
        """
        self.count += 1
        accepted = max(accepted - self.accepted_before, 0)  # The limiter may be a newer one.
        refused = max(refused - self.refused_before, self.count)
        responses = accepted + refused
        self.singled_out = responses**2 * (refused / responses) ** self.count < 1


class RateLimiter:
    """The shared rate of one API and key. Safe to use from any thread.

    Parameters
    ----------
    now : float
        When the first refusal came.
    accepted : int
        How many requests the service has accepted before.
    seconds : float
        In how many seconds it has done so.

    Attributes
    ----------
    rate : float
        How many requests a second may go now.
    accepted_at : float
        When the service last accepted a request.
    asked : float
        The last wait in seconds that the service has asked for, apart from short ones.
    """

    def __init__(self, now: float, accepted: int = 0, seconds: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._only_caller: int | None = threading.get_ident()
        self.rate = _HIGHEST_RATE
        # The rate before it was lowered; None while nothing is known of the limit.
        self._limit: float | None = None
        self._growth_seconds = _SAMPLE_SECONDS
        self._climbed = 0.0
        # The queue.
        self._tick = 0.0
        self._ticked_at = now
        self._last_tick = -1.0
        self._next_free = 0.0
        # The wait that the service has asked for.
        self._blocked_until = now
        self.asked = 0.0
        # Recent responses since the rate was lowered; the counts of older ones are halved.
        lately = min(seconds, _SAMPLE_SECONDS)
        self._accepted = accepted * lately / seconds if seconds else 0.0
        self._refused = 0.0
        self._looked_from = now - lately
        self._lowered_at = -math.inf
        self._refused_at = now
        self._in_drought = False
        # All that was accepted since the last drought.
        self._round_from = now - seconds
        self._in_round = accepted
        self.accepted_at = -math.inf
        self._all_accepted = accepted
        self._all_refused = 0

    def reserve(self, now: float, *, first: bool = False) -> Slot:
        """Reserve a slot: at the end of the queue, or with `first` at its beginning."""
        with self._lock:
            self._note_caller()
            self._advance(now)
            if first:
                slot = Slot(max(self._tick, self._next_free), taken=True)
                self._next_free = slot.tick + 1
            else:
                slot = Slot(max(self._tick, self._last_tick + 1))
                self._last_tick = slot.tick
            return slot

    def seconds_ahead(self, now: float) -> float:
        """Return how long the wait would be for a slot that is reserved now."""
        with self._lock:
            self._advance(now)
            free = max(self._last_tick + 1, self._next_free)
            return max((free - self._tick) / self.rate, self._blocked_until - now, 0.0)

    def wait_seconds(self, slot: Slot, now: float) -> float:
        """Return 0.0 if the request may go now; otherwise the seconds after which to ask again.

        Ask earlier, since the rate may rise. When 0.0 is returned, the slot is used.
        """
        with self._lock:
            self._advance(now)
            free = slot.tick if slot.taken else max(slot.tick, self._next_free)
            wait = max((free - self._tick) / self.rate, self._blocked_until - now)
            if wait > 1e-9:
                return wait
            if not slot.taken:
                # One late request may catch up; more would be a burst.
                self._next_free = max(self._next_free, self._tick - 1) + 1
            return 0.0

    def blocked_seconds(self, now: float) -> float:
        """Return for how long the service accepts no request at all."""
        return self._blocked_until - now

    def is_mine_alone(self) -> bool:
        """Tell whether only the calling thread has been limited here. Then it waits for nobody."""
        with self._lock:
            self._note_caller()
            return self._only_caller is not None

    def give_up(self) -> None:
        """Hold nobody back until the next refusal, except as long as the service has asked for."""
        with self._lock:
            self.rate, self._limit, self._in_drought = _HIGHEST_RATE, None, False

    def is_over(self, now: float) -> bool:
        """Tell whether the limit is long past: no refusal for a minute, or a rate that limits nobody."""
        quiet_for = now - max(self._refused_at, self._blocked_until)
        binds = self.rate < _HIGHEST_RATE or self._lowered_at == -math.inf
        return quiet_for > (_FORGOTTEN_AFTER_SECONDS if binds else 0)

    def no_refusals(self, now: float) -> Refusals:
        """Return the refusals of a request that is refused for the first time now."""
        return Refusals(self, now, self._all_accepted, self._all_refused)

    def on_success(self, sent_at: float, now: float) -> None:
        """Record that the service accepted a request that was sent at that time."""
        with self._lock:
            self.accepted_at = now
            self._in_round += 1
            self._all_accepted += 1
            if sent_at <= self._lowered_at:
                return  # It says nothing about the present rate.
            self._advance(now)
            self._accepted += 1
            if self._in_drought:
                self._begin_slowly(now)
            if max(self._last_tick, self._next_free) > self._tick:
                self._raise()  # If the rate holds nobody back, a success says nothing about it.

    def on_throttled(
        self,
        sent_at: float,
        now: float,
        retry_after: float | None,
        refusals: Refusals | None = None,
    ) -> None:
        """Record a refusal of a request.

        Parameters
        ----------
        sent_at : float
            When it was sent. Requests that were in flight together count as one signal.
        now : float
            Monotonic seconds.
        retry_after : float or None
            The wait in seconds that the service asks for.
        refusals : Refusals, optional
            Those of the same request, to which this one is added. If the request is singled out, they
            say nothing about the shared rate.
        """
        with self._lock:
            self._note_caller()
            self._advance(now)
            self._refused_at = now
            asked = min(retry_after or 0.0, _LONGEST_BLOCK_SECONDS)
            block = asked if asked > SHORT_RETRY_AFTER_SECONDS else 0.0
            if block and now + block > self._blocked_until:
                self._blocked_until, self.asked = now + block, block
            self._all_refused += 1
            if refusals is not None:
                refusals.add(self._all_accepted, self._all_refused)
                if refusals.singled_out:
                    return
            if sent_at <= self._lowered_at:
                return
            self._refused += 1
            tolerated = 1 + _MARGIN * (self._accepted + self._refused)
            known = self._accepted or self._lowered_at == -math.inf
            if known and not block and self._refused <= tolerated:
                return
            self._lower()
            self._accepted = self._refused = self._climbed = 0.0
            self._lowered_at = now
            self._looked_from = max(now, self._blocked_until)

    def _note_caller(self) -> None:
        if self._only_caller != threading.get_ident():
            self._only_caller = None

    def _advance(self, now: float) -> None:
        begin = max(self._ticked_at, min(self._blocked_until, now))
        self._tick += max(0.0, now - begin) * self.rate
        self._ticked_at = max(self._ticked_at, now)
        responses = self._accepted + self._refused
        if now - self._looked_from > _SAMPLE_SECONDS and responses > _SMALLEST_SAMPLE:
            self._accepted, self._refused = self._accepted / 2, self._refused / 2
            self._looked_from = (self._looked_from + now) / 2

    def _raise(self) -> None:
        """Raise the rate a little, for one request that was accepted."""
        rate = self.rate
        if self._limit is None:
            rate += min(1 / self._growth_seconds, rate / _SMALLEST_SAMPLE)
        else:
            seconds = max(
                _RECOVERY_SECONDS, _SMALLEST_SAMPLE / self._limit, _SMALLEST_SAMPLE * self.asked
            )
            self._climbed += 1 / rate / seconds
            # Slowly past the limit, then faster and faster, so that a limit that has risen is soon found.
            rate = self._limit * (1 - _MARGIN + _MARGIN * self._climbed**3)
        self.rate = min(rate, _HIGHEST_RATE)

    def _lower(self) -> None:
        """Lower the rate to the share that was accepted, and a tenth below."""
        if self._lowered_at == -math.inf:
            self.rate = _FIRST_RATE
        elif self._accepted:
            passed = self._accepted / (self._accepted + self._refused)
            self._limit = self.rate * max(_LARGEST_DECREASE, passed)
            self.rate = self._limit * (1 - _MARGIN)
        else:
            self._in_drought, self._limit = True, None
            near = 1 / self.rate < SHORT_RETRY_AFTER_SECONDS
            self.rate *= _LARGEST_DECREASE if near else 1 / _PROBE_SLOWDOWN
        self.rate = max(self.rate, _LEAST_RATE)

    def _begin_slowly(self, now: float) -> None:
        """Resume after a pause at the mean rate since the last pause, so that the window lasts."""
        mean = self._in_round / max(now - self._round_from, 1e-3)
        self.rate = max(self.rate, min(_FIRST_RATE, mean))
        self._growth_seconds = _RECOVERY_SECONDS
        self._in_drought, self._in_round, self._round_from = False, 0, now


_limiters: dict[LimitKey, RateLimiter] = {}
_lock = threading.Lock()


def any_limiter() -> bool:
    """Tell whether any limiter exists. Calls check this first, so that calls without limits stay fast."""
    return bool(_limiters)


def limiter_of(name: LimitKey) -> RateLimiter | None:
    """Return the limiter of an API and key; None if there is no limit."""
    return _limiters.get(name)


def on_success(name: LimitKey, sent_at: float, now: float) -> None:
    """Record that a request was accepted; see :meth:`RateLimiter.on_success`."""
    limiter = limiter_of(name)
    if limiter is None:
        return
    limiter.on_success(sent_at, now)
    if limiter.is_over(now):
        with _lock:
            if _limiters.get(name) is limiter:  # Another one may have taken its place.
                del _limiters[name]


def on_throttled(
    name: LimitKey,
    sent_at: float,
    now: float,
    retry_after: float | None,
    accepted: int = 0,
    seconds: float = 0.0,
    refusals: Refusals | None = None,
) -> Refusals:
    """Record a refusal; see :class:`RateLimiter` and :meth:`RateLimiter.on_throttled`.

    Returns
    -------
    Refusals
        Those of the same request that were given, or new ones, with this one.
    """
    with _lock:
        limiter = _limiters.get(name)
        if limiter is None or limiter.is_over(now):
            _make_room(now)
            limiter = _limiters[name] = RateLimiter(now, accepted, seconds)
    refusals = refusals or limiter.no_refusals(now)
    refusals.limiter = limiter
    limiter.on_throttled(sent_at, now, retry_after, refusals)
    return refusals


def forget_all() -> None:
    """Forget every limit, also one that another thread is about to record."""
    global _limiters, _lock
    _limiters, _lock = {}, threading.Lock()


def _make_room(now: float) -> None:
    for name in [name for name, each in _limiters.items() if each.is_over(now)]:
        del _limiters[name]
    while len(_limiters) >= _MOST_LIMITERS:
        del _limiters[next(iter(_limiters))]


if hasattr(os, "register_at_fork"):  # Not on Windows, which has no fork.
    # A thread that held a lock does not exist in the child.
    os.register_at_fork(after_in_child=forget_all)
