"""Attempts that failed: whether to try again, and what to say when giving up.

What a failure means, and how long to wait, is decided in retry.py.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import NamedTuple, NoReturn

import requests

from .errors import (
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveRateLimitError,
    PermutiveTimeoutError,
    error_from_response,
)
from .redaction import hide_user_ids, redact_and_shorten, redact_secret
from .retry import (
    LONGEST_WAIT_SECONDS,
    UNCOUNTED_REFUSALS_SECONDS,
    Outcome,
    is_timeout,
    is_worth_repeating,
    outcome_of,
)

_UNKNOWN_OUTCOME = (
    "The outcome is unknown: the service may have processed the request. "
    "Look before sending it again."
)

logger = logging.getLogger("PermutiveAPI")


class Failure(NamedTuple):
    """An attempt that brought no answer. Its text shows no secret."""

    outcome: Outcome
    text: str
    timed_out: bool


def failure_of(error: Exception, api_key: str) -> Failure:
    """Return what an exception of an attempt means; `api_key` is left out of its text."""
    text = redact_and_shorten(str(error) or type(error).__name__, [api_key])
    return Failure(outcome_of(error), text, is_timeout(error))


def hide_key_in(error: Exception, api_key: str) -> None:
    """Leave the key out of the texts that an exception of somebody else's was made with."""
    with suppress(AttributeError):  # Where they cannot be set.
        error.args = tuple(
            redact_secret(each, api_key) if isinstance(each, str) else each for each in error.args
        )


def may_repeat(failure: Failure, harmless: bool) -> bool:
    """Tell whether to try again after a failure; `harmless`: the request may be repeated."""
    return failure.outcome is Outcome.NOT_SENT or (failure.outcome is Outcome.UNKNOWN and harmless)


def may_wait(response: requests.Response, wait: float, harmless: bool) -> bool:
    """Tell whether to try again after an answer, when that takes a wait of so many seconds."""
    if wait > LONGEST_WAIT_SECONDS:
        return False
    return is_worth_repeating(response.status_code, harmless)


def raise_failure(failure: Failure, attempts: int, url: str, harmless: bool) -> NoReturn:
    """Give up without an answer: log it, and raise the error that says so."""
    if failure.outcome is Outcome.UNWRITABLE:
        raise PermutiveInvalidRequestError(f"The request cannot be sent: {failure.text}", url=url)
    message = f"Request failed after {attempts} attempts: {failure.text}"
    if failure.outcome is Outcome.UNKNOWN and not harmless:
        message += f". {_UNKNOWN_OUTCOME}"
    logger.error("%s", hide_user_ids(message))
    error_class = PermutiveTimeoutError if failure.timed_out else PermutiveConnectionError
    raise error_class(message, url=url)


def raise_refusal(
    response: requests.Response, attempts: int, wait: float, url: str, harmless: bool
) -> NoReturn:
    """Give up with an answer: raise the error of its status."""
    reason, note = f"HTTP {response.status_code}", ""
    if 300 <= response.status_code <= 399:
        reason += " (redirects are not followed, since they would carry the key elsewhere)"
    elif is_worth_repeating(response.status_code, harmless):
        note = f"Attempts: {attempts}."
        if wait > LONGEST_WAIT_SECONDS:
            note += (
                f" The service asks for a wait of {wait:g} s; a call waits for "
                f"{LONGEST_WAIT_SECONDS:.0f} s at the most."
            )
    elif 500 <= response.status_code <= 599:
        note = _UNKNOWN_OUTCOME
    raise error_from_response(response, reason, url, note=note)


def raise_blocked(asked: float, left: float, url: str) -> NoReturn:
    """Give up without sending: the wait is longer than a call's, or the service has refused all for long."""
    reason = (
        f"a call waits for {LONGEST_WAIT_SECONDS:.0f} s at the most"
        if left > LONGEST_WAIT_SECONDS
        else f"it has accepted nothing for {UNCOUNTED_REFUSALS_SECONDS:.0f} s"
    )
    raise PermutiveRateLimitError(
        f"Retry limit exceeded. The request was not sent: the service asked for a wait of {asked:g} s, "
        f"of which {left:.0f} s are left; {reason}.",
        status=429,
        url=url,
    )
