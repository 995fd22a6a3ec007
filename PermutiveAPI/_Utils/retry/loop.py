"""The body of the one retry loop: attempts, the waits between them, and slots where a limit is seen.

The rules stand in policy.py and outcome.py, and how all slow down together in rate_limit.py. Here they
are acted on.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import BuiltinFunctionType
from typing import Any

import requests

from .. import cancellation, settings
from ..cancellation import Cancellation, RequestPostponed, attempts_spent, batch_position
from ..credentials import with_key
from ..errors import PermutiveAPIError, PermutiveConnectionError
from ..redaction import hide_user_ids, request_for_logs
from . import rate_limit
from .outcome import (
    SENDING_ERRORS,
    Failure,
    error_of_block,
    error_of_failure,
    error_of_response,
    failure_of,
    hide_key_in,
    may_repeat,
)
from .policy import (
    LONGEST_WAIT_SECONDS,
    RetryConfig,
    backoff_seconds,
    is_throttled,
    may_wait,
    refusals_are_free,
    wait_after_answer,
    wait_asked_for,
)
from .rate_limit import RateLimiter

# Look again this often: the rate may rise while a call waits for its slot.
_POLL_SECONDS = 0.1

logger = logging.getLogger("PermutiveAPI")


@dataclass(slots=True)  # Not frozen, which would make each call slower.
class Call:
    """What is to be sent, and what is allowed for it.

    Parameters
    ----------
    sender : callable
        Called as ``sender(url, **arguments)`` with the key among the arguments.
    verb : str or None
        In capitals; None for a function that stands for none.
    own_policy : bool
        Whether the caller gave the policy. Then each refusal counts as an attempt.
    harmless : bool
        Whether the request may be repeated though it may have been processed.
    repeats : bool
        The same for its answers.
    rate_limited : bool
        Whether the call obeys rate limits: it contacts a service, and its waits take time.
    """

    sender: Callable[..., requests.Response]
    verb: str | None
    url: str
    arguments: Mapping[str, Any] = field(repr=False)
    policy: RetryConfig
    own_policy: bool
    harmless: bool
    repeats: bool
    rate_limited: bool


def run(call: Call, api_key: str) -> requests.Response:
    """Send a request until it succeeds or may not be repeated.

    In a batch, a refusal by a limit uses up no attempt as long as the service accepts requests.
    """
    batch = cancellation.current() if call.rate_limited else None
    spent = attempts_spent.get()
    if spent is not None:
        # Only the first call for a request of a batch may be postponed.
        attempts_spent.set(None)
    attempt, again = spent or 0, False
    while True:
        if call.rate_limited:
            _await_slot(call, api_key, batch, again)
        again = True
        sent_at = time.monotonic()
        answer = _attempt(call, api_key)
        asked = None if isinstance(answer, Failure) else _asked(answer)
        refused_by = None
        if call.rate_limited and not isinstance(answer, Failure):
            refused_by = _learn(call, api_key, batch, answer, sent_at, asked)
        if isinstance(answer, Failure):
            seen = hide_user_ids(answer.text)
        elif 200 <= answer.status_code <= 299:
            return answer
        else:
            seen = f"status {answer.status_code}"
        if refused_by is not None and _is_free(call, batch, refused_by, asked):
            wait = asked if asked and asked <= rate_limit.SHORT_RETRY_AFTER_SECONDS else 0.0
            logger.info("%s: refused (%s), next in %.2f s", _named(call), seen, wait)
            if wait and spent is not None:
                raise RequestPostponed(time.monotonic() + wait, attempt)
        else:
            attempt += 1
            wait = _wait_or_raise(call, attempt, answer, asked, batch)
            logger.info(
                "%s: attempt %d failed (%s), next in %.2f s", _named(call), attempt, seen, wait
            )
        _pause(wait)


def _attempt(call: Call, api_key: str) -> requests.Response | Failure:
    """Send a request once. No mapping with the key is kept in a variable: error trackers show those."""
    in_header = cancellation.once("key in header", settings.key_in_header)
    try:
        return call.sender(call.url, **with_key(call.arguments, api_key, in_header))
    except SENDING_ERRORS as error:
        cancellation.check()  # A stop shuts connections down, which looks like a failure.
        return failure_of(error, api_key)
    except Exception as error:
        # A recorder's or a stand-in's, whose text may quote the request.
        hide_key_in(error, api_key)
        raise


def _wait_or_raise(
    call: Call,
    attempts: int,
    answer: requests.Response | Failure,
    asked: float | None,
    batch: Cancellation | None,
) -> float:
    """Return how long to wait after an attempt that failed, or raise if it was the last one.

    A batch that is out of patience tries nothing again that a limit refuses: all must end in bounded time.
    """
    exhausted, jitter = attempts >= call.policy.max_retries, random.random()
    if isinstance(answer, Failure):
        if exhausted or not may_repeat(answer, call.harmless):
            raise _logged(error_of_failure(answer, attempts, call.url, call.harmless))
        return backoff_seconds(call.policy, attempts - 1, jitter)
    if batch is not None and not call.own_policy:
        exhausted = exhausted or is_throttled(answer.status_code, asked)
    now = datetime.now(timezone.utc)
    wait = wait_after_answer(
        call.policy, attempts - 1, answer, now, jitter, together=batch is not None
    )
    if exhausted or not may_wait(answer, wait, call.repeats):
        raise error_of_response(answer, attempts, wait, call.url, call.repeats)
    return wait


def _logged(error: PermutiveAPIError) -> PermutiveAPIError:
    """Log the one ERROR record of a call that got no response."""
    if isinstance(error, PermutiveConnectionError):
        logger.error("%s", hide_user_ids(error.message))
    return error


def _named(call: Call) -> str:
    return request_for_logs(call.verb or "Request", call.url, batch_position.get())


# --- Limits ----------------------------------------------------------------------------------------


def _await_slot(call: Call, api_key: str, batch: Cancellation | None, again: bool) -> None:
    """Wait until the limiter of the URL's API and the key lets this attempt go.

    A single call goes before the requests of batches. One that is alone waits by its policy only.
    """
    if not rate_limit.any_limiter():
        return
    limiter = rate_limit.limiter_of(rate_limit.limit_key_of(call.url, api_key))
    if limiter is None or (batch is None and again and limiter.is_mine_alone()):
        return
    slot = limiter.reserve(time.monotonic(), first=batch is None)
    while wait := limiter.wait_seconds(slot, now := time.monotonic()):
        blocked = limiter.blocked_seconds(now)
        hopeless = blocked > 0 and not _has_patience(call, batch, limiter, now)
        if blocked > LONGEST_WAIT_SECONDS or hopeless:
            raise error_of_block(limiter.asked, blocked, call.url)
        _pause(min(wait, max(blocked, _POLL_SECONDS)))


def _has_patience(call: Call, batch: Cancellation | None, limiter: RateLimiter, now: float) -> bool:
    """Tell whether a batch goes on although it is refused; false when nothing was accepted for long."""
    if batch is None or call.own_policy:
        return True
    return refusals_are_free(now - max(batch.accepted_at, limiter.accepted_at))


def _learn(
    call: Call,
    api_key: str,
    batch: Cancellation | None,
    answer: requests.Response,
    sent_at: float,
    asked: float | None,
) -> RateLimiter | None:
    """Let all that goes to the API with the key learn from an answer.

    Returns
    -------
    RateLimiter or None
        The limiter, if the answer is the refusal of a limit.
    """
    now = time.monotonic()
    if is_throttled(answer.status_code, asked):
        name = rate_limit.limit_key_of(call.url, api_key)
        accepted, seconds = (0, 0.0) if batch is None else batch.accepted_in(now)
        return rate_limit.on_throttled(name, sent_at, now, asked, accepted, seconds)
    if answer.status_code != 503:
        if batch is not None:
            batch.note_accepted(now)
        if rate_limit.any_limiter():
            name = rate_limit.limit_key_of(call.url, api_key)
            rate_limit.on_success(name, sent_at, now)
    return None


def _is_free(
    call: Call, batch: Cancellation | None, limiter: RateLimiter, asked: float | None
) -> bool:
    """Tell whether a refusal uses up no attempt. A batch that is out of patience gives the limit up."""
    if batch is None or call.own_policy or (asked or 0.0) > LONGEST_WAIT_SECONDS:
        return False
    patient = _has_patience(call, batch, limiter, time.monotonic())
    if not patient:
        limiter.give_up()
    return patient


def _asked(answer: requests.Response) -> float | None:
    if answer.status_code not in (429, 503):
        return None  # Nearly always, and then no clock is read.
    return wait_asked_for(answer, datetime.now(timezone.utc))


def _pause(seconds: float) -> None:
    """Wait between two attempts; a batch that is stopped cuts it short.

    A replaced ``time.sleep`` is called for every wait, so that tests take no real time.
    """
    batch = cancellation.current()
    if batch is None or not takes_time(time.sleep):
        time.sleep(seconds)
    else:
        batch.wait(seconds)


def takes_time(function: Any) -> bool:
    """Tell time.sleep from what a test has put in its place, perhaps another built-in function."""
    return isinstance(function, BuiltinFunctionType) and function.__module__ == "time"
