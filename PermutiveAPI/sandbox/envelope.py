"""Error responses in the form that Permutive documents.

Codes, messages and the form of each API are documented. Assumptions: if a status has no published
code, its code is ten times the status; ``docs`` is the same for CCS as for Cohorts.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

_TAXONOMY = "/audience-api/"


@dataclass(frozen=True)
class _Form:
    """How an API writes an error.

    Attributes
    ----------
    docs : str
        The value of ``docs``.
    has_type : bool
        Whether the error has the members ``type`` and ``status_code``.
    spaced : bool
        Whether ``status`` is written with spaces: "Bad Request", not "BadRequest".
    """

    docs: str
    has_type: bool = False
    spaced: bool = True


_TYPED = _Form("https://developer.permutive.com/reference#errors", has_type=True)
_FORMS = {
    "/cohorts-api/": _TYPED,
    "/ccs/": _TYPED,
    "/v2.0/": _Form("https://docs.permutive.com/api/errors", spaced=False),
}
_OTHER = _Form("https://developer.permutive.com/docs/errors/{status}/{code}")

# The values of ``type``: the sections of the RFCs that define the statuses.
_RFC_7231 = "rfc7231#section-"
_SECTIONS = {
    400: f"{_RFC_7231}6.5.1",
    401: "rfc7235#section-3.1",
    403: f"{_RFC_7231}6.5.3",
    404: f"{_RFC_7231}6.5.4",
    405: f"{_RFC_7231}6.5.5",
    409: f"{_RFC_7231}6.5.8",
    413: f"{_RFC_7231}6.5.11",
    429: "rfc6585#section-4",
    500: f"{_RFC_7231}6.6.1",
    502: f"{_RFC_7231}6.6.3",
    503: f"{_RFC_7231}6.6.4",
    504: f"{_RFC_7231}6.6.5",
}
# Python's own phrase depends on its version.
_NAMES = {413: "Payload Too Large"}

_DOCUMENTED: dict[int, tuple[int, str]] = {
    1000: (400, "The values of one or more parameters are invalid."),
    1002: (400, "The provided request body was not structured as expected."),
    1003: (400, "A request body was expected but not found."),
    2000: (401, "The API key provided is invalid."),
    2001: (
        403,
        "The API key provided does not provide access to the request operation or resource.",
    ),
    2004: (401, "The resource requires authentication, which was not supplied with the request."),
    2005: (401, "The supplied authentication is invalid."),
    3000: (404, "The requested resource does not exist."),
    4000: (409, "A resource with this identifier already exists."),
    5000: (
        500,
        "An error of unspecified nature was encountered while processing your "
        "request. Feel free to get in touch with us at support@permutive.com "
        "referencing the Request ID.",
    ),
}
_CODE_OF_STATUS = {400: 1000, 401: 2000, 403: 2001, 404: 3000, 409: 4000, 500: 5000}


class Refused(Exception):
    """A call that gets an error response.

    Parameters
    ----------
    code : int
        Permutive's error code, which decides status and message.
    cause : str | None
        What was wrong with this call.
    """

    def __init__(self, code: int, cause: str | None = None) -> None:
        super().__init__(code, cause)
        self.code = code
        self.cause = cause


class Malformed(Refused):
    """A call with a part that cannot be read. Taxonomy says so in plain text.

    Parameters
    ----------
    part : str
        The part as Taxonomy names it, such as ``path parameter importId``.
    cause : str | None
        What was wrong with it.
    code : int
        The error code in APIs other than Taxonomy.
    """

    def __init__(self, part: str, cause: str | None = None, code: int = 1000) -> None:
        super().__init__(code, cause or f"Invalid value for: {part}")
        self.part = part


def refusal(error: Refused, path: str) -> Response:
    """Return the error response of the API at ``path``."""
    if isinstance(error, Malformed) and path.startswith(_TAXONOMY):
        return PlainTextResponse(f"Invalid value for: {error.part}", status_code=400)
    status, message = _DOCUMENTED[error.code]
    return _enveloped(status, error.code, message, error.cause, path)


def status_response(
    status: int, path: str, headers: dict[str, str] | None = None, cause: str | None = None
) -> Response:
    """Return the error response of a status, without a particular error."""
    code = _CODE_OF_STATUS.get(status, status * 10)
    if code in _DOCUMENTED:
        message = _DOCUMENTED[code][1]
    else:
        message = f"{_phrase(status)}."
    return _enveloped(status, code, message, cause, path, headers)


def _enveloped(
    status: int,
    code: int,
    message: str,
    cause: str | None,
    path: str,
    headers: dict[str, str] | None = None,
) -> Response:
    form = next((f for start, f in _FORMS.items() if path.startswith(start)), _OTHER)
    phrase = _phrase(status)
    error: dict[str, Any] = {
        "status": phrase if form.spaced else phrase.replace(" ", ""),
        "code": code,
        "message": message,
        "docs": form.docs.format(status=status, code=code),
    }
    if cause is not None:
        error["cause"] = cause
    if form.has_type:
        section = _SECTIONS.get(status)
        link = f"https://tools.ietf.org/html/{section}" if section else "about:blank"
        error.update(type=link, status_code=status)
    body = {"request_id": str(uuid.uuid4()), "error": error}
    return JSONResponse(body, status_code=status, headers=headers)


def _phrase(status: int) -> str:
    try:
        return _NAMES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
