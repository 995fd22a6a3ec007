"""The bounds of one attempt: its time, the number of interim responses, and the size of the response.

An attempt lasts from connecting to the last byte of the response. No second thread watches the clock:
each wait is as long as the attempt has left, or shorter.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

from ..arguments import is_number
from ..cancellation import monotonic
from ..settings import ATTEMPT_SECONDS, Settings, Timeout

MOST_INTERIM_RESPONSES = 20
# A socket with a timeout of 0 does not wait at all.
SHORTEST_WAIT_SECONDS = 0.001
# A socket takes 2**63 nanoseconds at most.
_LONGEST_WAIT_SECONDS = 1e9


class OutOfBounds(TimeoutError):
    """The attempt, or a part of it, has reached a bound; the message says which."""


class Attempt(NamedTuple):
    """The bounds of an attempt; `ends` is a time of the monotonic clock."""

    seconds: float
    ends: float
    most_bytes: float


_attempt: ContextVar[Attempt] = ContextVar("attempt", default=Attempt(math.inf, math.inf, math.inf))


def begin(timeout: Any, settings: Settings) -> Timeout:
    """Begin an attempt of the calling thread, and return the timeout in numbers that a socket takes.

    A timeout above ``settings.attempt_seconds`` replaces it; None lifts the bound.

    Raises
    ------
    ValueError
        If a timeout is NaN or too long. A kept connection would find that out only after the request.
    """
    seconds = settings.attempt_seconds
    if not isinstance(timeout, float) or not timeout <= seconds:  # NaN is not <= anything.
        timeout = _in_pythons_numbers(timeout)
        waits = cast("tuple[Any, ...]", timeout if type(timeout) is tuple else (timeout,))
        _require_possible(timeout, waits)
        seconds = max(seconds, *map(_limit_of, waits))
    _attempt.set(Attempt(seconds, monotonic() + seconds, settings.max_response_mb * 2**20))
    return cast("Timeout", timeout)


def _in_pythons_numbers(timeout: Any) -> Any:
    if type(timeout) is tuple:
        waits = cast("tuple[Any, ...]", timeout)
        return tuple([_in_pythons_numbers(each) for each in waits])
    is_plain = isinstance(timeout, (int, float)) or not is_number(timeout)
    return cast("Any", timeout if is_plain else float(timeout))  # It may be a number of NumPy.


def _require_possible(timeout: Any, waits: tuple[Any, ...]) -> None:
    for wait in waits:
        if isinstance(wait, (int, float)) and not wait <= _LONGEST_WAIT_SECONDS:
            raise ValueError(
                f"timeout must be at most {_LONGEST_WAIT_SECONDS:g} seconds, or None for no limit, "
                f"got {timeout!r}."
            )


def _limit_of(wait: Any) -> float:
    # requests raises an error for a value that is not a number.
    return wait if isinstance(wait, (int, float)) else math.inf


def current() -> Attempt:
    """Return the attempt of the calling thread."""
    return _attempt.get()


def most_megabytes() -> float:
    """Return how large a response of this attempt may be."""
    return _attempt.get().most_bytes / 2**20


def timeout_within(timeout: float | None) -> float | None:
    """Return a timeout that is not longer than the time that the attempt has left.

    Raises
    ------
    OutOfBounds
        If no time is left.
    """
    left = _attempt.get().ends - monotonic()
    if left <= 0:
        raise too_long(_attempt.get())
    if left == math.inf or (timeout is not None and timeout <= left):
        return timeout
    return max(left, SHORTEST_WAIT_SECONDS)


def bound_behind(error: BaseException) -> OutOfBounds | None:
    """Return the error of the bound that caused a time-out; None if an ordinary timeout caused it."""
    attempt = _attempt.get()
    if monotonic() >= attempt.ends:
        return too_long(attempt)
    reached = (each for each in (error, error.__cause__) if isinstance(each, OutOfBounds))
    return next(reached, None)


def too_long(attempt: Attempt) -> OutOfBounds:
    """Return the error of an attempt whose time is over."""
    return OutOfBounds(
        f"The attempt took longer than {attempt.seconds:g} s. "
        f"Raise {ATTEMPT_SECONDS}, or give a longer timeout."
    )
