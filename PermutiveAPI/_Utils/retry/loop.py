"""The retry loop: send, wait, send again, and queue if the service limits the rate.

This module carries out what policy.py and outcome.py decide. throttling.py handles what a limit refuses.
"""

from __future__ import annotations

import logging
import random
from contextvars import ContextVar
from datetime import datetime, timezone

import requests

from .. import cancellation
from ..cancellation import Cancellation, RequestPostponed, attempts_spent, batch_position, monotonic
from ..credentials import with_key
from ..errors import (
    PermutiveConnectionError,
    PermutiveInvalidResponseError,
    call_safely,
    request_id_of,
)
from ..redaction import hide_user_ids, path_for_logs, request_for_logs
from .call import Attempt, Call
from .outcome import (
    SENDING_ERRORS,
    AttemptRecord,
    NoResponse,
    error_of_failure,
    error_of_response,
    failure_of,
    hide_key_in,
    may_repeat,
)
from .pauses import pause
from .policy import (
    LONGEST_WAIT_SECONDS,
    backoff_seconds,
    is_throttled,
    is_worth_repeating,
    retry_after_of,
    wait_after_response,
)
from .throttling import await_slot, is_free, learn, own_wait

logger = logging.getLogger("PermutiveAPI")


def run(call: Call, api_key: str) -> requests.Response:
    """Send a request until it succeeds or may not be repeated.

    In a batch, a refusal by a limit uses up no attempt as long as the service accepts requests.
    """
    batch = cancellation.current() if call.rate_limited else None
    spent = attempts_spent.get()
    if spent is not None:
        # Only the first call for a request of a batch may be postponed.
        attempts_spent.set(None)
    attempts, again, refusals = spent or 0, False, None
    while True:
        if call.rate_limited:
            await_slot(call, api_key, batch, again, None if spent is None else attempts)
        again = True
        attempt = _attempt(call, api_key, attempts + 1)
        response = attempt.response
        if call.rate_limited and not isinstance(response, NoResponse):
            refusals = learn(call, api_key, batch, response, attempt, refusals)
        else:
            refusals = None
        if not isinstance(response, NoResponse) and 200 <= response.status_code <= 299:
            _report(call, api_key, attempt)
            return response
        if refusals is not None and is_free(call, batch, refusals, attempt.retry_after):
            wait = own_wait(refusals, attempt.retry_after)
            logger.info("%s: refused (%s), next in %.2f s", _named(call), attempt.seen, wait)
            _report(call, api_key, attempt, wait)
            if wait and spent is not None:
                raise RequestPostponed(monotonic() + wait, attempts, refusals)
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
        pause(wait, None if spent is None else attempts)


def _attempt(call: Call, api_key: str, number: int) -> Attempt:
    """Send a request once. No mapping with the key is kept in a variable: error trackers show those."""
    in_header = call.settings.key_in_header
    sent_at = monotonic()
    try:
        response = call.sender(call.url, **with_key(call.arguments, api_key, in_header))
    except SENDING_ERRORS as error:
        cancellation.check()  # Cancelling shuts connections down, which looks like a failure.
        response = failure_of(error, api_key)
    except PermutiveInvalidResponseError as error:
        if error.response is not None:
            taken = monotonic() - sent_at
            _report(call, api_key, Attempt(number, error.response, sent_at, taken, None))
        raise
    except Exception as error:
        # For instance of a recorder or a stand-in; its text may quote the request.
        hide_key_in(error, api_key)
        raise
    taken = monotonic() - sent_at
    retry_after = None
    if not isinstance(response, NoResponse):
        retry_after = retry_after_of(response, datetime.now(timezone.utc))
    return Attempt(number, response, sent_at, taken, retry_after)


def _wait_or_raise(call: Call, api_key: str, attempt: Attempt, batch: Cancellation | None) -> float:
    """Return how long to wait after an attempt that failed, or raise if it was the last one.

    A batch that is out of patience does not repeat what a limit refuses, so that it ends in bounded time.
    """
    response, policy, jitter = attempt.response, call.policy, random.random()
    retries = attempt.number - 1
    exhausted = attempt.number >= policy.max_retries
    if isinstance(response, NoResponse):
        if not exhausted and may_repeat(response, call.repeatable):
            return backoff_seconds(policy, retries, jitter)
        error = error_of_failure(response, attempt.number, call.url, call.repeatable)
    else:
        status, retry_after, together = response.status_code, attempt.retry_after, batch is not None
        if together and not call.own_policy:
            exhausted = exhausted or is_throttled(status, retry_after)
        wait = wait_after_response(policy, retries, status, retry_after, jitter, together=together)
        may_wait = not exhausted and wait <= LONGEST_WAIT_SECONDS
        if may_wait and is_worth_repeating(status, call.repeats_5xx):
            return wait
        error = error_of_response(response, attempt.number, wait, call.url, call.repeats_5xx)
    if isinstance(error, PermutiveConnectionError):
        logger.error("%s", hide_user_ids(error.message))
    _report(call, api_key, attempt)
    raise error


# Whether ``on_response`` is running: it does not hear of the calls that it makes itself.
_reporting: ContextVar[bool] = ContextVar("reporting", default=False)


def _report(call: Call, api_key: str, attempt: Attempt, wait: float | None = None) -> None:
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
        call_safely("on_response", on_response, record, api_key)
    finally:
        _reporting.reset(token)


def _named(call: Call) -> str:
    return request_for_logs(call.verb or "Request", call.url, batch_position.get())
