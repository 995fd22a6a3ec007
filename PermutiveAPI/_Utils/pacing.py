"""Slowing down together: one shared, adaptive rate for everything sent to an origin with a key.

A :class:`Pace` begins with the first 429 and is forgotten when it no longer binds. Requests queue in
virtual time: a clock that ticks once for every request that may go, faster or slower as the rate
changes, and that stands still while the service asked for patience. So a new rate holds for those
that already wait, nothing saved up in idle times comes as a burst, and a ticket that is never used
costs one tick. The rate follows TCP: slow start, then the cubic curve around the limit that was
measured, which botocore's adaptive mode uses as well.

Nothing here sleeps or reads a clock: `now` is the caller's, in monotonic seconds.
"""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass

# All rates are in requests a second; the least one where calls have a second's patience.
_FIRST_RATE = 20.0
_LEAST_RATE = 0.2
_HIGHEST_RATE = 10_000.0

# Seconds in which the rate grows e-fold under load: before the limit is known, and while a first
# guess at it is being corrected.
_SLOW_START_SECONDS = 0.3
_CORRECTION_SECONDS = 1.0
# Slow start passes the limit by this factor before a bucket of a fifth of a second is empty.
_OVERSHOOT = 2.65
# The cubic curve: where it starts, how long it takes up to the limit, how steeply it leaves it.
_SHARE_AFTER_REFUSAL = 0.95
_SECONDS_TO_LIMIT = 5.0
_STEEPNESS = 0.1
# What was accepted between two refusals is the limit, give or take one request: a measure from 30.
_ENOUGH_TO_MEASURE = 30
_FEW = 5
# A bucket goes on filling while all wait; how much of that wait counts when the limit is measured.
_FILLING_SECONDS = 0.2

# Ticks of rest after a refusal, so that small delays on the way do not cause the next one.
_TICKS_OF_REST = 2.0
_LONGEST_REST_SECONDS = 2.0
# Empty ticks before a last attempt: it finds room even where the rate is a few times too high.
_TICKS_BEFORE_LAST_CHANCE = 3.0
# A caller has no more patience than this either; see LONGEST_WAIT_SECONDS of retry.py.
_LONGEST_BLOCK_SECONDS = 120.0

# For how long a thread is no longer alone after another one has sent something, too.
_COMPANY_SECONDS = 5.0

_SHORTEST_LOOK_SECONDS = 0.01
_FORGOTTEN_AFTER_SECONDS = 60.0
_MOST_PACES = 256


@dataclass
class Ticket:
    """A place in the queue: the tick from which its request may go."""

    turn: float
    last_chance: bool
    reserved: bool = False


class Pace:
    """The shared rate of one origin and key. Safe to use from any thread.

    Parameters
    ----------
    now : float
        When the first 429 came.
    patience : float
        The first wait in seconds of the refused call's policy: whoever wants to wait only briefly
        between attempts is not held up for long here either.
    """

    def __init__(self, now: float, patience: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._patience = min(patience, 1.0)
        slowest = _LEAST_RATE / self._patience if self._patience else math.inf
        self._least_rate = min(slowest, _FIRST_RATE)
        self._rate = _FIRST_RATE
        self._limit: float | None = None
        self._measured = False
        self._tick = 0.0
        self._ticked_at = now
        self._last_turn = -1.0
        self._next_free = 0.0
        self._blocked_until = now
        self._refused_at = -math.inf
        self._counted_from = now
        self._accepted = 0
        self._under_load = 0
        self._empty_periods = 0
        self._last_caller: int | None = None
        self._company_until = -math.inf

    @property
    def rate(self) -> float:
        """Requests a second that may go now."""
        return self._rate

    def enter(self, now: float, *, last_chance: bool = False) -> Ticket:
        """Queue up.

        Parameters
        ----------
        now : float
            Monotonic seconds.
        last_chance : bool
            True for a request that was refused before and fails if it is refused again: it goes
            with an empty stretch before it, and not as the probe right after a refusal.
        """
        with self._lock:
            self._note_caller(now)
            self._advance(now)
            self._last_turn = max(self._tick, self._last_turn + 1)
            return Ticket(self._last_turn, last_chance)

    def is_mine_alone(self, now: float) -> bool:
        """Tell whether only the calling thread was under this pace lately.

        Then nobody is to be waited for: after a refusal, the wait of the call's own policy is enough.
        """
        with self._lock:
            self._note_caller(now)
            return now > self._company_until

    def wait_seconds(self, ticket: Ticket, now: float) -> float:
        """Return 0.0 when the request is to be sent now, else after how long to ask again.

        The rate changes meanwhile: ask after half a second at the latest. A 0.0 takes the turn.
        """
        with self._lock:
            self._advance(now)
            until = self._blocked_until
            if ticket.last_chance and not (self._measured and self._accepted):
                until = max(until, self._refused_at + self._patience)
            free = ticket.turn if ticket.reserved else self._next_free
            wait = max(ticket.turn, free) - self._tick
            wait = max(until - now, wait / self._rate)
            if wait > 1e-9:
                return self._look_again_after(wait, max(0.0, until - now))
            if ticket.last_chance and not ticket.reserved:
                ticket.reserved = True
                ticket.turn = self._tick + _TICKS_BEFORE_LAST_CHANCE
                self._next_free = ticket.turn + 1
                return _TICKS_BEFORE_LAST_CHANCE / self._rate
            if not ticket.reserved:
                # One late request may be made up for; more would be a burst.
                self._next_free = max(self._next_free, self._tick - 1) + 1
            return 0.0

    def accepted(self, sent_at: float, now: float) -> None:
        """Take note that the service let a request through: any answer but 429."""
        with self._lock:
            if sent_at <= self._refused_at:
                return
            self._advance(now)
            self._accepted += 1
            self._empty_periods = 0
            if max(self._last_turn, self._next_free) > self._tick:
                self._under_load += 1  # A rate that holds nobody back is not tried out.
                self._rate = min(self._raised(), _HIGHEST_RATE)

    def refused(self, sent_at: float, now: float, retry_after: float | None) -> None:
        """Take note of a 429.

        Parameters
        ----------
        sent_at : float
            When that request was sent. Those that were under way together count as one signal.
        now : float
            Monotonic seconds.
        retry_after : float or None
            For how many seconds the service wants nothing more, from anybody; at most 120 count.
        """
        with self._lock:
            self._note_caller(now)
            self._advance(now)
            block = min(max(retry_after or 0.0, 0.0), _LONGEST_BLOCK_SECONDS)
            self._blocked_until = max(self._blocked_until, now + block)
            if sent_at <= self._refused_at:
                return
            first, self._refused_at = self._refused_at == -math.inf, now
            again = first or not self._accepted
            rest = _TICKS_OF_REST
            if not first:
                seconds = max(sent_at - self._counted_from, 1e-3)
                again, rest = self._lower(seconds, block > 0)
            rest_until = now + min(
                rest / self._rate, _LONGEST_REST_SECONDS * self._patience
            )
            self._blocked_until = max(self._blocked_until, rest_until)
            self._under_load = 0
            if again:
                self._accepted, self._counted_from = 0, now
            if block:
                filling = 0.0 if self._limit is None else _FILLING_SECONDS
                self._counted_from += self._blocked_until - now - filling

    def is_over(self, now: float) -> bool:
        """Tell whether the limit is long past: no 429 for a minute, or a rate that binds nobody."""
        quiet_since = max(self._refused_at, self._blocked_until)
        return (
            now - quiet_since > _FORGOTTEN_AFTER_SECONDS or self._rate >= _HIGHEST_RATE
        )

    def _note_caller(self, now: float) -> None:
        caller = threading.get_ident()
        if self._last_caller not in (None, caller):
            self._company_until = now + _COMPANY_SECONDS
        self._last_caller = caller

    def _advance(self, now: float) -> None:
        begin = max(self._ticked_at, min(self._blocked_until, now))
        self._tick += max(0.0, now - begin) * self._rate
        self._ticked_at = max(self._ticked_at, now)

    def _look_again_after(self, wait: float, blocked: float) -> float:
        """Shorten a wait while the rate grows so fast that it would be slept through."""
        if self._measured or wait <= max(blocked, _SHORTEST_LOOK_SECONDS):
            return wait
        longest = 0.1 if self._limit is None else 1.0
        return max(blocked, min(longest, max(wait / 2, _SHORTEST_LOOK_SECONDS)))

    def _raised(self) -> float:
        rate = self._rate
        if self._limit is None:
            return rate + min(1 / _SLOW_START_SECONDS, rate)
        if not self._measured:
            return rate + min(1 / _CORRECTION_SECONDS, rate / 10)
        progress = self._under_load / self._limit / _SECONDS_TO_LIMIT - 1
        steepness = _STEEPNESS if progress > 0 else 1 - _SHARE_AFTER_REFUSAL
        return self._limit * (1 + steepness * progress**3)

    def _lower(self, seconds: float, blocked: bool) -> tuple[bool, float]:
        """Lower the rate; return whether to count anew, and how many ticks to rest."""
        rate, accepted, again = self._rate, self._accepted, True
        if not accepted:
            self._empty_periods = min(self._empty_periods + 1, 30)
            if (
                self._limit is not None
            ):  # A window that is used up, not a rate too high.
                return True, _TICKS_OF_REST * 2**self._empty_periods
            self._rate = max(rate / 2, self._least_rate)
            return True, _TICKS_OF_REST
        known = self._limit is not None
        if accepted < _FEW or (known and accepted < _ENOUGH_TO_MEASURE and seconds < 1):
            share = 0.5 if not known else 0.6 if accepted < _FEW else 0.85
            limit = min(share * rate, max((accepted + 2) / seconds, rate / 4))
            self._measured = blocked
            again = seconds > 1
        elif not known:
            limit = max(min(accepted / seconds, 0.85 * rate), rate / _OVERSHOOT)
            # With Retry-After, another refusal would cost more than a guess that is too low.
            self._measured = blocked
        else:
            share = 0.7 if self._measured else 0.85
            limit = min(max(accepted / seconds, share * rate), rate)
            self._measured = True
        self._limit = max(limit, self._least_rate)
        below = _SHARE_AFTER_REFUSAL if self._measured else 1.0
        self._rate = max(self._limit * below, self._least_rate)
        return again, _TICKS_OF_REST


_paces: dict[tuple[str, str], Pace] = {}
_lock = threading.Lock()


def is_on() -> bool:
    """Tell whether anything at all is held to a pace: what a call costs where there is no limit."""
    return bool(_paces)


def pace_of(origin: str, api_key: str) -> Pace | None:
    """Return what an origin and api_key are held to, or None where there is no limit to be seen."""
    return _paces.get((origin, api_key))


def accepted(origin: str, api_key: str, sent_at: float, now: float) -> None:
    """Take note that a request was let through; see :meth:`Pace.accepted`."""
    pace = pace_of(origin, api_key)
    if pace is None:
        return
    pace.accepted(sent_at, now)
    if pace.is_over(now):
        with _lock:
            if _paces.get((origin, api_key)) is pace:
                del _paces[origin, api_key]


def refused(
    origin: str,
    api_key: str,
    sent_at: float,
    now: float,
    retry_after: float | None,
    patience: float = 1.0,
) -> None:
    """Take note of a 429; see :class:`Pace` and :meth:`Pace.refused`."""
    with _lock:
        pace = _paces.get((origin, api_key))
        if pace is None or pace.is_over(now):
            _make_room(now)
            pace = _paces[origin, api_key] = Pace(now, patience)
    pace.refused(sent_at, now, retry_after)


def forget_all() -> None:
    """Forget every limit, also where another thread was just about to note one."""
    global _paces, _lock
    _paces, _lock = {}, threading.Lock()


def _make_room(now: float) -> None:
    for name in [name for name, pace in _paces.items() if pace.is_over(now)]:
        del _paces[name]
    while len(_paces) >= _MOST_PACES:
        del _paces[next(iter(_paces))]


if hasattr(os, "register_at_fork"):  # Not on Windows, which has no fork.
    # A thread that held a lock does not live on in the child.
    os.register_at_fork(after_in_child=forget_all)
