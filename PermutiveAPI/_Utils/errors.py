"""The exceptions, and the table that says which one a status raises.

::

    PermutiveAPIError
    ├── PermutiveBadRequestError            400
    ├── PermutiveAuthenticationError        401, 403
    │   └── PermutiveCredentialsError       no key to send; also a ValueError
    ├── PermutiveResourceNotFoundError      404
    ├── PermutiveConflictError              409
    ├── PermutiveRateLimitError             429
    ├── PermutiveServerError                5xx
    ├── PermutiveConnectionError            no response
    │   └── PermutiveTimeoutError           no response in time
    ├── PermutiveInvalidRequestError        a request that was not sent; also a ValueError
    └── PermutiveInvalidResponseError       a response that cannot be read; also a ValueError

No message, URL or response of an error shows a key. Nor does the cause or context of an error: errors
are raised outside the handler of the error that caused them.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn, TypeGuard, cast

import requests
from requests.structures import CaseInsensitiveDict

from .redaction import (
    redact_and_shorten,
    redact_headers,
    redact_message,
    redact_secret,
    redact_url,
    secrets_of,
)

_LONGEST_QUOTATION = 300
_LONGEST_PAGE = 20_000
_MOST_BYTES_TO_GUESS_FROM = 2**20
# A longer body is not searched for a request id, since it would have to be decoded twice.
_LONGEST_BODY_WITH_ID = 2**16
_NOT_JSON = object()

_UNAVAILABLE = "{status}: API unavailable after retries."
_DENIED = "{status}: Invalid API key or insufficient permissions."

UNKNOWN_OUTCOME = (
    "The outcome is unknown: the service may have processed the request. "
    "Look before sending it again."
)

logger = logging.getLogger("PermutiveAPI")


class PermutiveAPIError(Exception):
    """Base class of the errors that this library raises about requests.

    Parameters
    ----------
    message : str
        What happened.
    status : int, optional
        The HTTP status of the response; None if there was no response.
    url : str, optional
        The URL of the request. Secrets in it are replaced by ``[REDACTED]``.
    response : requests.Response, optional
        The response. It gives the status and the URL if they are left out. Its URL and request are
        replaced by copies without the key.

    Attributes
    ----------
    message : str
        What happened, including the service's own words.
    request_id : str or None
        The service's id of the request; Permutive's support may ask for it.
    code : int or None
        The service's error code, for instance 2000 for an unknown key.

    Examples
    --------
    >>> try:
    ...     Cohort("Runners", query={"in_segmnt": 1}).create()
    ... except PermutiveAPIError as error:
    ...     print(error.status, error.code, type(error).__name__)
    400 1000 PermutiveBadRequestError
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        url: str | None = None,
        response: requests.Response | None = None,
    ) -> None:
        super().__init__(message)
        if is_response(response):
            status = response.status_code if status is None else status
            url = response.url if url is None else url
            _hide_secrets(response)
        self.message = message
        self.status = status
        self.url = redact_url(url) if url else None
        self.response = response
        self.request_id: str | None = None
        self.code: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle every attribute, except a stand-in for a response, which may not be picklable."""
        state = dict(self.__dict__)
        if not is_response(self.response):
            state["response"] = None
        return type(self), self.args, state


class PermutiveBadRequestError(PermutiveAPIError):
    """400: the service did not accept the request.

    Examples
    --------
    >>> try:
    ...     Cohort("Runners", query={"in_segmnt": 1}).create()
    ... except PermutiveBadRequestError as error:
    ...     print(error.status)
    400
    """


class PermutiveAuthenticationError(PermutiveAPIError):
    """401 or 403: the key is missing or unknown, or does not permit the request.

    Examples
    --------
    >>> try:
    ...     Cohort.list(api_key="ffffffff-0000-4000-8000-000000000000")
    ... except PermutiveAuthenticationError as error:
    ...     print(error)
    401: Invalid API key or insufficient permissions. The API key provided is invalid. This key does not exist.
    """


class PermutiveCredentialsError(PermutiveAuthenticationError, ValueError):
    """No key to send: `api_key` is empty, no key is configured, or the workspace JSON cannot be used.

    Examples
    --------
    >>> try:
    ...     Cohort.list(api_key="")
    ... except PermutiveCredentialsError as error:
    ...     print(error.status)
    None
    """


class PermutiveResourceNotFoundError(PermutiveAPIError):
    """404: with this key, there is nothing at this URL.

    Examples
    --------
    >>> try:
    ...     Cohort.get_by_id("38470a62-9837-4c86-bbf3-45dd6d52dd83")
    ... except PermutiveResourceNotFoundError as error:
    ...     print(error.status)
    404
    """


class PermutiveConflictError(PermutiveAPIError):
    """409: an object with this identifier already exists.

    Examples
    --------
    >>> segment = Segment(code="DigitalNorth", name="Digital, North", import_id=Import.list()[0].id)
    >>> try:
    ...     segment.create()
    ... except PermutiveConflictError as error:
    ...     print(error.status)
    409
    """


class PermutiveRateLimitError(PermutiveAPIError):
    """429: too many requests, even after the retries.

    Examples
    --------
    >>> sandbox.fail_next(status=429, retry_after="0", times=3)
    >>> try:
    ...     Cohort.list()
    ... except PermutiveRateLimitError as error:
    ...     print(error)
    Retry limit exceeded. Too Many Requests. Attempts: 3.
    """


class PermutiveServerError(PermutiveAPIError):
    """5xx: the service failed. If the outcome of the request is unknown, the message says so.

    Examples
    --------
    >>> sandbox.fail_next(status=503, retry_after="0", times=3)
    >>> try:
    ...     Cohort.list()
    ... except PermutiveServerError as error:
    ...     print(error.status)
    503
    """


class PermutiveConnectionError(PermutiveAPIError):
    """No response came. If the outcome of the request is unknown, the message says so.

    Examples
    --------
    >>> import os
    >>> os.environ["PERMUTIVE_API_BASE_URL"] = "http://127.0.0.1:1"
    >>> try:
    ...     Cohort.list()
    ... except PermutiveConnectionError as error:
    ...     print(error.status)
    None
    """


class PermutiveTimeoutError(PermutiveConnectionError):
    """No response came within the time limit.

    Examples
    --------
    >>> sandbox.latency_seconds = 0.1
    >>> try:
    ...     TrackedEvent("Pageview", user_id="user-1").track(timeout=0.01)
    ... except PermutiveTimeoutError as error:
    ...     print(error.status)
    None
    """


class PermutiveInvalidRequestError(PermutiveAPIError, ValueError):
    """The request was not sent: an invalid URL or header, a value that JSON cannot hold, more than 10 events, or no user.

    Examples
    --------
    >>> try:
    ...     Segmentation([]).send()
    ... except PermutiveInvalidRequestError as error:
    ...     print(error)
    Give exactly one of user_id, alias, aliases; got none.
    """


class PermutiveInvalidResponseError(PermutiveAPIError, ValueError):
    """The status is a success, but the body is not what Permutive documents.

    Examples
    --------
    >>> sandbox.fail_next(status=200, body="<html>")
    >>> try:
    ...     Cohort.list()
    ... except PermutiveInvalidResponseError as error:
    ...     print(error.status)
    200
    """


def is_response(value: Any) -> TypeGuard[requests.Response]:
    """Tell whether a value is a response of requests, and no stand-in.

    ``isinstance`` would also be true for a mock of the class, which has no attributes.
    """
    return issubclass(type(value), requests.Response)


def raise_unchained(error: BaseException) -> NoReturn:
    """Raise an error without the error that is being handled.

    ``raise ... from None`` only hides that error. It is still in ``__context__``, where an error of
    requests shows the whole URL.
    """
    try:
        raise error
    finally:
        error.__cause__ = error.__context__ = None


def call_safely(name: str, function: Callable[[Any], object], value: Any, api_key: str) -> None:
    """Call a function of the user. An exception that it raises is logged, so that the work goes on.

    The log record has the `name` of the function, and is without the key.
    """
    try:
        function(value)
    except Exception:
        text = redact_message(redact_secret(traceback.format_exc(), api_key))
        logger.error("%s raised an exception:\n%s", name, text)


def raise_for_status(e: Exception, response: requests.Response | None) -> NoReturn:
    """Raise the error for the status of a response.

    Parameters
    ----------
    e : Exception
        What went wrong, for a status without its own class.
    response : requests.Response or None
        The response.

    Raises
    ------
    PermutiveAPIError
        Always: the class for the status, with status, redacted URL, response, request id and code.
    """
    if response is None:
        raise_unchained(PermutiveAPIError(_unexpected(redact_and_shorten(str(e), ()))))
    raise_unchained(error_from_response(response, str(e)))


def error_from_response(
    response: requests.Response, reason: str, url: str | None = None, note: str = ""
) -> PermutiveAPIError:
    """Build the error of the class for the status of a response.

    Parameters
    ----------
    response : requests.Response
        The response.
    reason : str
        The error text for a status that is not in the table.
    url : str, optional
        The URL, if the response does not have it.
    note : str
        A note at the end of the message.
    """
    status = _status_of(response)
    found = _address_of(response) or url
    address = redact_url(found) if found else None
    error_class, text = PermutiveAPIError, ""
    if status is not None:
        error_class, text = _CLASSES_AND_TEXTS.get(status, (error_class, text))
        if 500 <= status <= 599:
            error_class, text = PermutiveServerError, _UNAVAILABLE
    _settle_encoding(response)
    body = _decoded(response)
    words = _words_of(response, body)
    # The Taxonomy API responds to malformed input with 400 and plain text.
    said = words[0] if body is _NOT_JSON and words else _cause_of(body)
    cause = _quoted(said, response)
    place = f" [URL: {address}]" if address else ""
    message = text.format(status=status, cause=cause, place=place) or _unexpected(
        redact_and_shorten(reason, secrets_of(response))
    )
    words = _without_repeats(words, message)
    error = error_class(
        " ".join(filter(None, [message, *words, note])),
        status=status,
        url=address,
        response=response,
    )
    error.request_id = _member(body, "request_id")
    error.code = _member(_member(body, "error"), "code")
    return error


def request_id_of(response: Any) -> str | None:
    """Return the request id in a JSON body; None if the body is long or has none."""
    content: Any = getattr(response, "content", None)
    if not isinstance(content, bytes) or len(content) > _LONGEST_BODY_WITH_ID:
        return None
    found = _member(_decoded(response), "request_id")
    return found if isinstance(found, str) else None


def _unexpected(reason: str) -> str:
    return f"An unexpected error occurred: {reason}"


_CLASSES_AND_TEXTS: Mapping[int, tuple[type[PermutiveAPIError], str]] = {
    400: (PermutiveBadRequestError, "400 Bad Request: {cause}{place}"),
    401: (PermutiveAuthenticationError, _DENIED),
    403: (PermutiveAuthenticationError, _DENIED),
    404: (PermutiveResourceNotFoundError, "Resource not found."),
    409: (PermutiveConflictError, "409: Conflict with the resource's present state."),
    429: (PermutiveRateLimitError, "Retry limit exceeded."),
}


# The message that Permutive documents for every 404. It is left out if there is a cause.
_NOT_FOUND = "The requested resource does not exist."


# --- What the service said -------------------------------------------------------------------
# Users' tests use all kinds of responses, also mocks. A response that cannot be read must not hide the error.


def extract_error_message(response: Any) -> str:
    """Return error.cause of a JSON body, else error.message.

    Return "Unknown error" if a JSON body has neither, and "Could not parse error message" if the body
    is not JSON.
    """
    return _cause_of(_decoded(response))


def _cause_of(body: Any) -> str:
    if body is _NOT_JSON:
        return "Could not parse error message"
    error = _member(body, "error")
    return str(_member(error, "cause") or _member(error, "message") or "Unknown error")


def _words_of(response: Any, body: Any) -> list[str]:
    """Return the service's message and cause; the beginning of the body if it has neither."""
    error = _member(body, "error")
    words = [_member(error, name) for name in ("message", "cause")]
    if not any(words):
        words = [_without_markup(_beginning(_text_of(response)))]
    return [_quoted(word, response) for word in words if word]


def _without_repeats(words: list[str], said: str) -> list[str]:
    """Leave out a text that the error already contains, or that another text contains."""
    words = [*dict.fromkeys(words)]
    if len(words) > 1:
        words = [word for word in words if word != _NOT_FOUND]
    return [
        word
        for word in words
        if word not in said and not any(word in other for other in words if other != word)
    ]


def _quoted(word: Any, response: Any) -> str:
    """Return a text of the service without secrets, shortened."""
    text = redact_and_shorten(str(word), secrets_of(response))
    if len(text) <= _LONGEST_QUOTATION:
        return text
    return text[:_LONGEST_QUOTATION].rstrip() + "..."


def _status_of(response: Any) -> int | None:
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _settle_encoding(response: Any) -> None:
    """Treat a huge body without an encoding as UTF-8, since requests would need a minute to guess one."""
    if is_response(response) and response.encoding is None:
        with suppress(Exception):  # A body may not be readable.
            if len(response.content or b"") > _MOST_BYTES_TO_GUESS_FROM:
                response.encoding = "utf-8"


def _decoded(response: Any) -> Any:
    try:
        return response.json()
    except Exception:
        return _NOT_JSON


def _member(body: Any, name: str) -> Any:
    """Return a member of a JSON object; None of anything else."""
    return cast("dict[str, Any]", body).get(name) if isinstance(body, dict) else None


def _text_of(response: Any) -> str:
    try:
        text = response.text
    except (ValueError, LookupError):  # An unknown encoding.
        text = response.content.decode("utf-8", "replace")
    except Exception:
        text = ""
    return text if isinstance(text, str) else ""


def _without_markup(text: str) -> str:
    """Return the words of an HTML page in one line."""
    page = re.sub(r"(?is)<(style|script)\b.*?(?:</\1>|\Z)|<[^<>]+>", " ", text)
    return " ".join(page.split())


def _beginning(text: str) -> str:
    """Return the beginning of a huge page. Cut it between two words, since a word may be a key."""
    if len(text) <= _LONGEST_PAGE:
        return text
    return text[:_LONGEST_PAGE].rpartition(" ")[0]


# --- Keeping the key out of what an error carries ----------------------------------------------


def _address_of(response: Any) -> str | None:
    for holder in (getattr(response, "request", None), response):
        url = getattr(holder, "url", None)
        if isinstance(url, str) and url:
            return url
    return None


def _hide_secrets(response: requests.Response) -> None:
    """Remove keys from ``error.response`` and its pickle."""
    url: Any = response.url
    if url is not None:  # None in a bare Response().
        response.url = redact_url(url)
    request: Any = getattr(response, "request", None)
    if request is not None:
        response.request = _without_secrets(request)


def _without_secrets(request: Any) -> requests.PreparedRequest:
    """Return a copy of a request without keys. The request itself stays as it was sent.

    Users' tests use all kinds of objects as requests. So the copy keeps the URL and the headers only if
    they have the usual types.
    """
    prepared = issubclass(type(request), requests.PreparedRequest)  # As in is_response().
    shown = request.copy() if prepared else requests.PreparedRequest()
    url, headers = (getattr(request, name, None) for name in ("url", "headers"))
    shown.url = redact_url(url) if isinstance(url, str) else None
    kept: Any = None
    if isinstance(headers, Mapping):
        kept = CaseInsensitiveDict(cast("Mapping[str, Any]", headers))
        redact_headers(kept)
    shown.headers = kept
    return shown
