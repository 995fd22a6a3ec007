"""Edges of the rate limiter: late slots, and the last success."""

from __future__ import annotations

import pytest

from PermutiveAPI._Utils.retry.rate_limit import RateLimiter


def test_late_requests_make_up_for_one() -> None:
    """If several slots are overdue, two requests go at once and the others at the rate."""
    limiter = RateLimiter(0.0)
    for _ in range(2):
        limiter.on_throttled(-0.1, 0.0, None)
    tick = 1 / limiter.rate
    slots = [limiter.reserve(0.0) for _ in range(5)]
    waits = [limiter.wait_seconds(slot, 10 * tick) for slot in slots[:2]]
    assert waits == [0.0, 0.0]
    for number, slot in enumerate(slots[2:], start=1):
        now = (10 + number) * tick
        early = limiter.wait_seconds(slot, now - tick / 2)
        assert early == pytest.approx(tick / 2)
        assert limiter.wait_seconds(slot, now) == 0.0


def test_it_knows_when_a_request_was_last_accepted() -> None:
    """A success counts as the last one even if its request was sent before the rate was lowered."""
    limiter = RateLimiter(0.0)
    for _ in range(2):
        limiter.on_throttled(-0.1, 0.0, None)
    limiter.on_success(-0.1, 0.5)
    assert limiter.accepted_at == 0.5
    limiter.on_success(0.6, 0.7)
    assert limiter.accepted_at == 0.7
