"""The retry loop: send, wait, send again, and queue if the service limits the rate.

policy.py, outcome.py and rate_limit.py decide; this module acts on it.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import BuiltinFunctionType
from typing import Any, NamedTuple

import requests

from .. import cancellation
from ..cancellation import Cancellation, RequestPostponed, attempts_spent, batch_position
from ..credentials import with_key
from ..errors import PermutiveConnectionError, PermutiveInvalidResponseError, request_id_of, tell
from ..redaction import hide_user_ids, path_for_logs, request_for_logs
from ..settings import Settings
from . import rate_limit
from .outcome import (
    SENDING_ERRORS,
    AttemptRecord,
    NoResponse,
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
    wait_after_response,
    wait_asked_for,
)
from .rate_limit import RateLimiter

# Look again this often: the rate may rise while a call waits for its slot.
_POLL_SECONDS = 0.1

logger = logging.getLogger("PermutiveAPI")


@dataclass(slots=True)  # Not frozen, which would make each call slower.
class Call:
    """A request to send, and how it may be repeated.

    Parameters
    ----------
    sender : callable
        Called as ``sender(url, **arguments)`` with the key among the arguments.
    verb : str or None
        In capitals; None for a function that is not one of the four verbs.
    settings : Settings
        The settings of the call.
    own_policy : bool
        Whether the caller gave the policy. Then each refusal counts as an attempt.
    harmless : bool
        Whether the request may be repeated, although it may have been processed.
    repeats : bool
        The same after a response.
    rate_limited : bool
        Whether the call obeys rate limits: it contacts a service, and its waits take time.
    """

    sender: Callable[..., requests.Response]
    verb: str | None
    url: str
    arguments: Mapping[str, Any] = field(repr=False)
    settings: Settings
    policy: RetryConfig
    own_policy: bool
    harmless: bool
    repeats: bool
    rate_limited: bool


class _Attempt(NamedTuple):
    """An attempt that was made.

    Attributes
    ----------
    number : int
        Its number, from 1. A refusal that uses up no attempt does not count.
    response : requests.Response or NoResponse
        The response, or the failure without one.
    sent_at, seconds : float
        When it was sent, by the monotonic clock, and how long it took.
    asked : float or None
        The wait in seconds that the service asks for.
    """

    number: int
    response: requests.Response | NoResponse
    sent_at: float
    seconds: float
    asked: float | None

    @property
    def seen(self) -> str:
        """The text that log records show."""
        if isinstance(self.response, NoResponse):
            return hide_user_ids(self.response.text)
        return f"status {self.response.status_code}"


def run(call: Call, api_key: str) -> requests.Response:
    """Send a request until it succeeds or may not be repeated.

    In a batch, a refusal by a limit uses up no attempt as long as the service accepts requests.
    """
    batch = cancellation.current() if call.rate_limited else None
    spent = attempts_spent.get()
    if spent is not None:
        # Only the first call for a request of a batch may be postponed.
        attempts_spent.set(None)
    attempts, again = spent or 0, False
    while True:
        if call.rate_limited:
            _await_slot(call, api_key, batch, again, None if spent is None else attempts)
        again = True
        attempt = _attempt(call, api_key, attempts + 1)
        response = attempt.response
        limiter = None
        if call.rate_limited and not isinstance(response, NoResponse):
            limiter = _learn(call, api_key, batch, response, attempt)
        if not isinstance(response, NoResponse) and 200 <= response.status_code <= 299:
            _report(call, api_key, attempt)
            return response
        if limiter is not None and _is_free(call, batch, limiter, attempt.asked):
            wait = _short(attempt.asked)
            logger.info("%s: refused (%s), next in %.2f s", _named(call), attempt.seen, wait)
            _report(call, api_key, attempt, wait)
            if wait and spent is not None:
                raise RequestPostponed(time.monotonic() + wait, attempts)
        else:
            attempts += 1
            wait = _wait_or_raise(call, api_key, attempt, batch)
            logger.info(
                "%s: attempt %d failed (%s), next in %.2f s",
                _named(call),
                attempts,
                attempt.seen,
                wait,
            )
            _report(call, api_key, attempt, wait)
        _pause(wait, None if spent is None else attempts)


def _attempt(call: Call, api_key: str, number: int) -> _Attempt:
    """Send a request once. No mapping with the key is kept in a variable: error trackers show those."""
    in_header = call.settings.key_in_header
    sent_at = time.monotonic()
    try:
        response = call.sender(call.url, **with_key(call.arguments, api_key, in_header))
    except SENDING_ERRORS as error:
        cancellation.check()  # Cancelling shuts connections down, which looks like a failure.
        response = failure_of(error, api_key)
    except PermutiveInvalidResponseError as error:
        if error.response is not None:
            taken = time.monotonic() - sent_at
            _report(call, api_key, _Attempt(number, error.response, sent_at, taken, None))
        raise
    except Exception as error:
        # For instance of a recorder or a stand-in; its text may quote the request.
        hide_key_in(error, api_key)
        raise
    taken = time.monotonic() - sent_at
    asked = None if isinstance(response, NoResponse) else _asked(response)
    return _Attempt(number, response, sent_at, taken, asked)


def _wait_or_raise(
    call: Call, api_key: str, attempt: _Attempt, batch: Cancellation | None
) -> float:
    """Return how long to wait after an attempt that failed, or raise if it was the last one.

    A batch that is out of patience does not repeat what a limit refuses, so that it ends in bounded time.
    """
    response, policy, jitter = attempt.response, call.policy, random.random()
    exhausted = attempt.number >= policy.max_retries
    if isinstance(response, NoResponse):
        if not exhausted and may_repeat(response, call.harmless):
            return backoff_seconds(policy, attempt.number - 1, jitter)
        error = error_of_failure(response, attempt.number, call.url, call.harmless)
    else:
        if batch is not None and not call.own_policy:
            exhausted = exhausted or is_throttled(response.status_code, attempt.asked)
        now = datetime.now(timezone.utc)
        together = batch is not None
        wait = wait_after_response(
            policy, attempt.number - 1, response, now, jitter, together=together
        )
        if not exhausted and may_wait(response, wait, call.repeats):
            return wait
        error = error_of_response(response, attempt.number, wait, call.url, call.repeats)
    if isinstance(error, PermutiveConnectionError):
        logger.error("%s", hide_user_ids(error.message))
    _report(call, api_key, attempt)
    raise error


# Whether ``on_response`` is running: it does not hear of the calls that it makes itself.
_reporting: ContextVar[bool] = ContextVar("reporting", default=False)


def _report(call: Call, api_key: str, attempt: _Attempt, wait: float | None = None) -> None:
    """Call ``on_response`` for an attempt, if the caller has given it."""
    on_response = call.settings.options.on_response
    if on_response is None or _reporting.get():
        return
    response = attempt.response
    answered = None if isinstance(response, NoResponse) else response
    record = AttemptRecord(
        method=call.verb or "Request",
        path=path_for_logs(call.url),
        status=None if answered is None else answered.status_code,
        seconds=attempt.seconds,
        attempt=attempt.number,
        request_id=request_id_of(answered),
        wait_seconds=wait,
    )
    token = _reporting.set(True)
    try:
        tell("on_response", on_response, record, api_key)
    finally:
        _reporting.reset(token)


def _named(call: Call) -> str:
    return request_for_logs(call.verb or "Request", call.url, batch_position.get())


# --- Limits ----------------------------------------------------------------------------------------


def _await_slot(
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
        while (now := time.monotonic()) + limiter.seconds_ahead(now) > batch.deadline:
            blocked = _bearable_block(call, batch, limiter, now)
            _pause(max(blocked, _POLL_SECONDS), attempts)
    slot = limiter.reserve(time.monotonic(), first=batch is None)
    while wait := limiter.wait_seconds(slot, now := time.monotonic()):
        blocked = _bearable_block(call, batch, limiter, now)
        _pause(min(wait, max(blocked, _POLL_SECONDS)), attempts)


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


def _learn(
    call: Call,
    api_key: str,
    batch: Cancellation | None,
    response: requests.Response,
    attempt: _Attempt,
) -> RateLimiter | None:
    """Tell the rate limiter of this API and key what a response says.

    Returns
    -------
    RateLimiter or None
        The limiter, if a limit has refused the request.
    """
    now, asked, sent_at = time.monotonic(), attempt.asked, attempt.sent_at
    if is_throttled(response.status_code, asked):
        name = rate_limit.limit_key_of(call.url, api_key)
        accepted, seconds = (0, 0.0) if batch is None else batch.accepted_in(now)
        return rate_limit.on_throttled(name, sent_at, now, asked, accepted, seconds)
    if response.status_code != 503:
        if batch is not None:
            batch.note_accepted(now)
        if rate_limit.any_limiter():
            name = rate_limit.limit_key_of(call.url, api_key)
            rate_limit.on_success(name, sent_at, now)
    return None


def _is_free(
    call: Call, batch: Cancellation | None, limiter: RateLimiter, asked: float | None
) -> bool:
    """Tell whether a refusal uses up no attempt. If a batch is out of patience, give up its limit."""
    if batch is None or call.own_policy or (asked or 0.0) > LONGEST_WAIT_SECONDS:
        return False
    patient = _has_patience(call, batch, limiter, time.monotonic())
    if not patient:
        limiter.give_up()
    return patient


def _short(asked: float | None) -> float:
    """Return a Retry-After that holds only one request; 0.0 for a longer one, which holds all."""
    return asked if asked and asked <= rate_limit.SHORT_RETRY_AFTER_SECONDS else 0.0


def _asked(response: requests.Response) -> float | None:
    if response.status_code not in (429, 503):
        return None  # The usual case: no clock is read.
    return wait_asked_for(response, datetime.now(timezone.utc))


def _pause(seconds: float, attempts: int | None) -> None:
    """Wait between two attempts. If the batch is stopped, the wait ends.

    A replaced ``time.sleep`` is called for every wait, so that tests take no real time. With `attempts`,
    the number of those used up, a request whose next attempt comes too late is postponed.
    """
    batch = cancellation.current()
    if batch is None or not takes_time(time.sleep):
        time.sleep(seconds)
        return
    if attempts is not None:
        batch.check_deadline(time.monotonic() + seconds, attempts)
    batch.wait(seconds)
    if attempts is not None:
        batch.check_deadline(time.monotonic(), attempts)


def takes_time(function: Any) -> bool:
    """Tell whether a function is the real time.sleep, not a test's replacement."""
    return isinstance(function, BuiltinFunctionType) and function.__module__ == "time"
