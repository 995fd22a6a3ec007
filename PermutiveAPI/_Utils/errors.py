"""The exceptions, and the one table from statuses to them.

::

    PermutiveAPIError
    ├── PermutiveBadRequestError            400
    ├── PermutiveAuthenticationError        401, 403
    │   └── PermutiveCredentialsError       no key to send; also a ValueError
    ├── PermutiveResourceNotFoundError      404
    ├── PermutiveConflictError              409
    ├── PermutiveRateLimitError             429
    ├── PermutiveServerError                5xx
    ├── PermutiveConnectionError            no answer came
    │   └── PermutiveTimeoutError           ... in time
    ├── PermutiveInvalidRequestError        a request that was not sent; also a ValueError
    └── PermutiveInvalidResponseError       an answer that cannot be read; also a ValueError

No message, URL or response that an error carries shows a key, and no error drags another one along
that does: errors are raised outside the handler of the one that caused them.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn, cast

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
# A request id is looked for in no longer body: it would have to be decoded twice.
_LONGEST_BODY_WITH_ID = 2**16
_NOT_JSON = object()

_UNAVAILABLE = "{status}: API unavailable after retries."
_DENIED = "{status}: Invalid API key or insufficient permissions."


logger = logging.getLogger("PermutiveAPI")


class PermutiveAPIError(Exception):
    """Base class of every error that this library raises about a request.

    Parameters
    ----------
    message : str
        What happened.
    status : int, optional
        The HTTP status of the answer; None when there was no answer.
    url : str, optional
        The URL that was called; secrets in it are replaced by ``[REDACTED]``.
    response : requests.Response, optional
        The answer; status and URL are taken from it where they are left out. Its URL and request
        are replaced by copies that show no key.

    Attributes
    ----------
    message : str
        What happened, the service's own words included.
    request_id : str or None
        The service's name for the request, to quote to Permutive's support.
    code : int or None
        The service's own error code, for instance 2000 for an unknown key.
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
        # Not isinstance(): a mock of the class passes for one, and has no attributes.
        if issubclass(type(response), requests.Response):
            response = cast(requests.Response, response)
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
        """Pickle every attribute; a stand-in for a response stays behind, since it may not pickle."""
        state = dict(self.__dict__)
        if not issubclass(type(self.response), requests.Response):
            state["response"] = None
        return type(self), self.args, state


class PermutiveBadRequestError(PermutiveAPIError):
    """400: the service could not accept the request as it was."""


class PermutiveAuthenticationError(PermutiveAPIError):
    """401 or 403: the key is missing, unknown, or may not do this."""


class PermutiveCredentialsError(PermutiveAuthenticationError, ValueError):
    """No key to send: `api_key` is empty, no key is configured, or the workspace JSON cannot be used."""


class PermutiveResourceNotFoundError(PermutiveAPIError):
    """404: there is nothing at this address for this key."""


class PermutiveConflictError(PermutiveAPIError):
    """409: something with this identifier exists already."""


class PermutiveRateLimitError(PermutiveAPIError):
    """429: too many requests, even after the retries."""


class PermutiveServerError(PermutiveAPIError):
    """5xx: the service failed. The message says so when the outcome of the request is unknown."""


class PermutiveConnectionError(PermutiveAPIError):
    """No answer came. The message says so when the outcome of the request is unknown."""


class PermutiveTimeoutError(PermutiveConnectionError):
    """No answer came in time."""


class PermutiveInvalidRequestError(PermutiveAPIError, ValueError):
    """The request was not sent: an invalid URL or header, no JSON, more than 10 events, or no user."""


class PermutiveInvalidResponseError(PermutiveAPIError, ValueError):
    """The answer was a success, but its body is not what is documented."""


def raise_unchained(error: BaseException) -> NoReturn:
    """Raise an error without the one that is being handled.

    ``raise ... from None`` only hides the context; it still stands in ``__context__``, where a
    requests error shows the whole URL.
    """
    try:
        raise error
    finally:
        error.__cause__ = error.__context__ = None


def tell(name: str, function: Callable[[Any], object], value: Any, api_key: str) -> None:
    """Call a function of the user's, and log what it raises: the work must go on.

    Parameters
    ----------
    name : str
        What it is called, for the log.
    function : callable
        Called with `value`.
    value : object
        What there is to tell.
    api_key : str
        Left out of the log.
    """
    try:
        function(value)
    except Exception:
        text = redact_message(redact_secret(traceback.format_exc(), api_key))
        logger.error("%s raised an exception:\n%s", name, text)


def raise_for_status(e: Exception, response: requests.Response | None) -> NoReturn:
    """Raise the error that an answer stands for.

    Parameters
    ----------
    e : Exception
        What went wrong, for answers that no documented status explains.
    response : requests.Response or None
        The answer.

    Raises
    ------
    PermutiveAPIError
        Always: the child for the answer's status, with status, redacted URL, response, request id
        and code.
    """
    if response is None:
        raise_unchained(PermutiveAPIError(_unexpected(redact_and_shorten(str(e), ()))))
    raise_unchained(error_from_response(response, str(e)))


def error_from_response(
    response: requests.Response, reason: str, url: str | None = None, note: str = ""
) -> PermutiveAPIError:
    """Build the error that an answer stands for.

    Parameters
    ----------
    response : requests.Response
        The answer.
    reason : str
        What to say of a status that is not in the table.
    url : str, optional
        The address, where the answer itself does not know it.
    note : str
        What to add about the answer.

    Returns
    -------
    PermutiveAPIError
        Of the class for the status.
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
    # Taxonomy answers 400 in plain text.
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
    """Return the id that a JSON body gives its request; None where a body is long or has none."""
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


# The message that Permutive documents for every 404; beside a cause it repeats the text above.
_NOT_FOUND = "The requested resource does not exist."


# --- What the service said -------------------------------------------------------------------
# Users' tests answer with anything: bare responses, mocks. What cannot be read must not hide the error.


def extract_error_message(response: Any) -> str:
    """Return error.cause of a JSON body, else error.message.

    "Unknown error" stands for a JSON body with neither, "Could not parse error message" for a body
    that is not JSON.
    """
    return _cause_of(_decoded(response))


def _cause_of(body: Any) -> str:
    if body is _NOT_JSON:
        return "Could not parse error message"
    error = _member(body, "error")
    return str(_member(error, "cause") or _member(error, "message") or "Unknown error")


def _words_of(response: Any, body: Any) -> list[str]:
    """Return the service's message and cause, or the beginning of a body that has neither."""
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
    """Return what the service said without secrets, shortened."""
    text = redact_and_shorten(str(word), secrets_of(response))
    if len(text) <= _LONGEST_QUOTATION:
        return text
    return text[:_LONGEST_QUOTATION].rstrip() + "..."


def _status_of(response: Any) -> int | None:
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def _settle_encoding(response: Any) -> None:
    """Take a huge body that names no encoding for UTF-8: requests would guess for a minute."""
    # Not isinstance(), as above. A body may not be readable.
    if issubclass(type(response), requests.Response) and response.encoding is None:
        with suppress(Exception):
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
    """Leave the words of an HTML page, in one line."""
    page = re.sub(r"(?is)<(style|script)\b.*?(?:</\1>|\Z)|<[^<>]+>", " ", text)
    return " ".join(page.split())


def _beginning(text: str) -> str:
    """Leave the rest of a huge page unread, without cutting a word, which may be a key, in two."""
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
    """Show no key through ``error.response``, nor in its pickle."""
    url: Any = response.url
    if url is not None:  # As it is in a bare Response().
        response.url = redact_url(url)
    request: Any = getattr(response, "request", None)
    if request is not None:
        response.request = _without_secrets(request)


def _without_secrets(request: Any) -> requests.PreparedRequest:
    """Return a copy of a request that shows no key; others may still look at the one that was sent.

    Users' tests put anything in its place, and set little of it: the copy keeps the URL and the
    headers where they are what they should be.
    """
    # Not isinstance(), as above.
    prepared = issubclass(type(request), requests.PreparedRequest)
    shown = request.copy() if prepared else requests.PreparedRequest()
    url, headers = (getattr(request, name, None) for name in ("url", "headers"))
    shown.url = redact_url(url) if isinstance(url, str) else None
    kept: Any = None
    if isinstance(headers, Mapping):
        kept = CaseInsensitiveDict(cast("Mapping[str, Any]", headers))
        redact_headers(kept)
    shown.headers = kept
    return shown
