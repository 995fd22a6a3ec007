"""A 429, and a 503 that asks for a wait: how a call waits for its slot, and what a refusal means for it.

rate_limit.py keeps the pace of an API and key; this module keeps a call and its batch to it.
"""

from __future__ import annotations

import math

import requests

from ..cancellation import Cancellation, earlier_refusals, monotonic
from . import rate_limit
from .call import Attempt, Call
from .outcome import error_of_block
from .pauses import pause
from .policy import LONGEST_WAIT_SECONDS, is_throttled, refusals_are_free
from .rate_limit import RateLimiter, Refusals

# Look again this often: the rate may rise while a call waits for its slot.
_POLL_SECONDS = 0.1


def await_slot(
    call: Call, api_key: str, batch: Cancellation | None, again: bool, attempts: int | None
) -> None:
    """Wait until the limiter of the URL's API and the key lets this attempt go.

    A single call goes before the requests of batches. One that is alone waits by its policy only.
    With `attempts`, the number of those used up, a request whose slot comes too late is postponed.
    """
    if not rate_limit.any_limiter():
        return
    limiter = rate_limit.limiter_of(rate_limit.limit_key_of(call.url, api_key))
    if limiter is None or (batch is None and again and limiter.is_mine_alone()):
        return
    if batch is not None and batch.deadline < math.inf and attempts is not None:
        # Without a slot: an unused one costs time.
        while (now := monotonic()) + limiter.seconds_ahead(now) > batch.deadline:
            blocked = _bearable_block(call, batch, limiter, now)
            pause(max(blocked, _POLL_SECONDS), attempts)
    slot = limiter.reserve(monotonic(), first=batch is None)
    while wait := limiter.wait_seconds(slot, now := monotonic()):
        blocked = _bearable_block(call, batch, limiter, now)
        pause(min(wait, max(blocked, _POLL_SECONDS)), attempts)


def _bearable_block(
    call: Call, batch: Cancellation | None, limiter: RateLimiter, now: float
) -> float:
    """Return how long the service accepts no request; raise if that is too long to wait."""
    blocked = limiter.blocked_seconds(now)
    hopeless = blocked > 0 and not _has_patience(call, batch, limiter, now)
    if blocked > LONGEST_WAIT_SECONDS or hopeless:
        raise error_of_block(limiter.asked, blocked, call.url)
    return blocked


def _has_patience(call: Call, batch: Cancellation | None, limiter: RateLimiter, now: float) -> bool:
    """Tell whether a refused batch goes on: only if something was accepted in the last two minutes."""
    if batch is None or call.own_policy:
        return True
    return refusals_are_free(now - max(batch.accepted_at, limiter.accepted_at))


def learn(
    call: Call,
    api_key: str,
    batch: Cancellation | None,
    response: requests.Response,
    attempt: Attempt,
    before: Refusals | None,
) -> Refusals | None:
    """Tell the rate limiter of this API and key what a response says.

    Returns
    -------
    Refusals or None
        If a limit has refused the request, this refusal and those `before`, which came without another
        response between them.
    """
    now, sent_at, retry_after = monotonic(), attempt.sent_at, attempt.retry_after
    if is_throttled(response.status_code, retry_after):
        name = rate_limit.limit_key_of(call.url, api_key)
        accepted, seconds = (0, 0.0) if batch is None else batch.accepted_in(now)
        if before is None and (before := earlier_refusals.get()) is not None:
            earlier_refusals.set(None)
        return rate_limit.on_throttled(name, sent_at, now, retry_after, accepted, seconds, before)
    if response.status_code != 503:
        if batch is not None:
            batch.note_accepted(now)
        if rate_limit.any_limiter():
            name = rate_limit.limit_key_of(call.url, api_key)
            rate_limit.on_success(name, sent_at, now)
    return None


def is_free(
    call: Call, batch: Cancellation | None, refusals: Refusals, retry_after: float | None
) -> bool:
    """Tell whether a refusal uses up no attempt. If a batch is out of patience, give up its limit.

    There is as little patience with a request that is singled out.
    """
    if batch is None or call.own_policy or (retry_after or 0.0) > LONGEST_WAIT_SECONDS:
        return False
    now = monotonic()
    if not _has_patience(call, batch, refusals.limiter, now):
        refusals.limiter.give_up()
        return False
    return not refusals.singled_out or refusals_are_free(now - refusals.since)


def own_wait(refusals: Refusals, retry_after: float | None) -> float:
    """Return how long a refused request waits by itself, before it queues again.

    A short Retry-After holds only that request; a longer one holds all. A request that is singled out
    waits as long again as it has been refused, so that its waits double.
    """
    asked = retry_after or 0.0
    short = asked if asked <= rate_limit.SHORT_RETRY_AFTER_SECONDS else 0.0
    return max(short, monotonic() - refusals.since) if refusals.singled_out else short
