"""The outcome of an attempt: what a failure means, whether to try again, and which error to raise.

Pure functions, without socket, clock or log. The errors are raised in loop.py.
"""

from __future__ import annotations

import enum
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import requests
import requests.exceptions as requests_errors
import urllib3.exceptions as urllib3_errors

from ..errors import (
    UNKNOWN_OUTCOME,
    PermutiveAPIError,
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveRateLimitError,
    PermutiveTimeoutError,
    error_from_response,
)
from ..redaction import redact_and_shorten, redact_secret
from .policy import LONGEST_WAIT_SECONDS, UNCOUNTED_REFUSALS_SECONDS, is_worth_repeating

_CERTIFICATE_ERRORS = (ssl.CertificateError, ssl.SSLCertVerificationError)
# For errors of stand-ins and of urllib3 before 2, which have other classes.
_CERTIFICATE = r"(?i)certificate verify failed|CertificateError\("
_NOT_SENT_ERRORS = (
    requests_errors.ConnectTimeout,
    urllib3_errors.NewConnectionError,  # DNS and refused connections
    urllib3_errors.ConnectTimeoutError,
    ConnectionRefusedError,
)
# http.client's text for a proxy that opens no tunnel. Other ProxyErrors are connections that were lost
# after the proxy had got the request.
_NO_TUNNEL = "Tunnel connection failed"
_INVALID_REQUEST_ERRORS = (
    requests_errors.InvalidURL,
    requests_errors.MissingSchema,
    requests_errors.InvalidSchema,
    requests_errors.InvalidHeader,
    requests_errors.InvalidJSONError,
    requests_errors.URLRequired,
    # A header outside Latin-1, or a host name that is too long.
    UnicodeError,
    urllib3_errors.LocationParseError,
)
# The errors that sending a request may raise.
SENDING_ERRORS = (requests_errors.RequestException, *_INVALID_REQUEST_ERRORS)
_TIMEOUT_ERRORS = (requests_errors.Timeout, urllib3_errors.TimeoutError)


@dataclass(frozen=True)
class AttemptRecord:
    """The record of an attempt, for ``on_response``. It holds no key, no body and no user id.

    Attributes
    ----------
    method : str
        GET, POST, PATCH or DELETE.
    path : str
        The URL's path, without the query; a user's id in it is replaced.
    status : int or None
        The HTTP status; None if no response came.
    seconds : float
        How long the attempt took.
    attempt : int
        Its number, from 1. An attempt that does not count has the number of the next one.
    request_id : str or None
        The service's id of the request, if a JSON body of at most 64 KB holds it.
    wait_seconds : float or None
        How long the call waits before the next attempt; None if this is the last one.

    Examples
    --------
    >>> AttemptRecord("GET", "/cohorts-api/v2/cohorts/", 200, 0.25, 1).wait_seconds is None
    True
    """

    method: str
    path: str
    status: int | None
    seconds: float
    attempt: int
    request_id: str | None = None
    wait_seconds: float | None = None


class Outcome(enum.Enum):
    """What a failure without a response tells about the request."""

    NOT_SENT = "it surely never reached the service"
    UNKNOWN = "it may have been processed"
    UNTRUSTED_CERTIFICATE = "the service's certificate is not valid, so it was not sent"
    INVALID_REQUEST = "it could not be written at all"


def outcome_of(error: Exception) -> Outcome:
    """Tell what a failure means. After one of an unknown kind, the request may have been processed."""
    causes = tuple(_causes(error))
    if isinstance(error, requests_errors.SSLError) and re.search(_CERTIFICATE, str(error)):
        return Outcome.UNTRUSTED_CERTIFICATE
    if any(isinstance(cause, _CERTIFICATE_ERRORS) for cause in causes):
        return Outcome.UNTRUSTED_CERTIFICATE
    if any(
        isinstance(cause, _NOT_SENT_ERRORS)
        or (isinstance(cause, OSError) and str(cause).startswith(_NO_TUNNEL))
        for cause in causes
    ):
        return Outcome.NOT_SENT
    if isinstance(error, _INVALID_REQUEST_ERRORS):
        # requests raises InvalidHeader for a header of the response, too.
        answered = any(isinstance(cause, urllib3_errors.InvalidHeader) for cause in causes)
        return Outcome.UNKNOWN if answered else Outcome.INVALID_REQUEST
    return Outcome.UNKNOWN


def is_timeout(error: Exception) -> bool:
    """Tell whether a failure came from a time limit."""
    # A refused connection is not a time-out, although urllib3 derives its error class from one.
    return any(
        isinstance(cause, _TIMEOUT_ERRORS)
        and not isinstance(cause, urllib3_errors.NewConnectionError)
        for cause in _causes(error)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and the errors inside it, since requests and urllib3 wrap errors in each other."""
    waiting = [error]
    seen = set[int]()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        behind = (getattr(current, "reason", None), *current.args)
        waiting.extend(cause for cause in behind if isinstance(cause, BaseException))


# --- Attempts that failed --------------------------------------------------------------------------


class NoResponse(NamedTuple):
    """The failure of an attempt without a response. Its text shows no secret."""

    outcome: Outcome
    text: str
    timed_out: bool


def failure_of(error: Exception, api_key: str) -> NoResponse:
    """Turn an exception into a failure, without the key in its text."""
    text = redact_and_shorten(str(error) or type(error).__name__, [api_key])
    return NoResponse(outcome_of(error), text, is_timeout(error))


def hide_key_in(error: Exception, api_key: str) -> None:
    """Remove the key from the arguments of another library's exception."""
    with suppress(AttributeError):  # Some exceptions do not let them be set.
        error.args = tuple(
            redact_secret(each, api_key) if isinstance(each, str) else each for each in error.args
        )


def may_repeat(failure: NoResponse, repeatable: bool) -> bool:
    """Tell whether to try again after a failure; a `repeatable` request even if it may have been processed."""
    if failure.outcome is Outcome.UNKNOWN:
        return repeatable
    return failure.outcome is Outcome.NOT_SENT


# --- Giving up ---------------------------------------------------------------------------------------


def error_of_failure(
    failure: NoResponse, attempts: int, url: str, repeatable: bool
) -> PermutiveAPIError:
    """Return the error of a call that got no response."""
    if failure.outcome is Outcome.INVALID_REQUEST:
        return PermutiveInvalidRequestError(f"The request cannot be sent: {failure.text}", url=url)
    message = f"Request failed after {attempts} attempts: {failure.text}"
    if failure.outcome is Outcome.UNKNOWN and not repeatable:
        message += f". {UNKNOWN_OUTCOME}"
    error_class = PermutiveTimeoutError if failure.timed_out else PermutiveConnectionError
    return error_class(message, url=url)


def error_of_response(
    response: requests.Response, attempts: int, wait: float, url: str, repeats_5xx: bool
) -> PermutiveAPIError:
    """Return the error of a call after its last response: the error for the status."""
    reason, note = f"HTTP {response.status_code}", ""
    if 300 <= response.status_code <= 399:
        reason += " (redirects are not followed, since they would carry the key elsewhere)"
    elif is_worth_repeating(response.status_code, repeats_5xx):
        note = f"Attempts: {attempts}."
        if wait > LONGEST_WAIT_SECONDS:
            note += (
                f" The service asks for a wait of {wait:g} s; a call waits for "
                f"{LONGEST_WAIT_SECONDS:.0f} s at the most."
            )
    elif 500 <= response.status_code <= 599:
        note = UNKNOWN_OUTCOME
    return error_from_response(response, reason, url, note=note)


def error_of_block(asked: float, left: float, url: str) -> PermutiveAPIError:
    """Return the error of a request that is not sent, since the service has asked for a long wait.

    It has asked for a wait of `asked` seconds, and `left` seconds of it are left.
    """
    reason = (
        f"a call waits for {LONGEST_WAIT_SECONDS:.0f} s at the most"
        if left > LONGEST_WAIT_SECONDS
        else f"it has accepted nothing for {UNCOUNTED_REFUSALS_SECONDS:.0f} s"
    )
    return PermutiveRateLimitError(
        f"Retry limit exceeded. The request was not sent: the service asked for a wait of {asked:g} s, "
        f"of which {left:.0f} s are left; {reason}.",
        status=429,
        url=url,
    )
