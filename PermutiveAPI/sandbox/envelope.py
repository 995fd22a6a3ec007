"""Refusals, and the documented bodies that carry them.

Codes and messages are Permutive's own. Statuses without a published code get ten
times the status, and the values of ``type`` and ``docs`` are made up: assumptions.
"""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

_TAXONOMY = "/audience-api/"
_APIS_WITH_TYPE = ("/cohorts-api/", "/ccs/")
_DOCS = "https://developer.permutive.com/docs/errors"

_DOCUMENTED: dict[int, tuple[int, str]] = {
    1000: (400, "The values of one or more parameters are invalid."),
    1002: (400, "The provided request body was not structured as expected."),
    1003: (400, "A request body was expected but not found."),
    2000: (401, "The API key provided is invalid."),
    2001: (
        403,
        "The API key provided does not provide access to the request operation "
        "or resource.",
    ),
    2004: (
        401,
        "The resource requires authentication, which was not supplied with the "
        "request.",
    ),
    2005: (401, "The supplied authentication is invalid."),
    3000: (404, "The requested resource does not exist."),
    4000: (409, "A resource with this identifier already exists."),
    5000: (500, "An error of unspecified nature was encountered."),
}
_CODE_OF_STATUS = {400: 1000, 401: 2000, 403: 2001, 404: 3000, 409: 4000, 500: 5000}


class Refused(Exception):
    """A call that is answered with an error.

    Parameters
    ----------
    code : int
        Permutive's error code; it decides status and message.
    cause : str | None
        What was wrong in this call.
    """

    def __init__(self, code: int, cause: str | None = None) -> None:
        super().__init__(code, cause)
        self.code = code
        self.cause = cause


class Malformed(Refused):
    """A part of the call that cannot be read; plain text from Taxonomy.

    Parameters
    ----------
    part : str
        The part in Taxonomy's words, such as ``path parameter importId``.
    cause : str | None
        What was wrong with it.
    code : int
        The code where the answer is the JSON envelope.
    """

    def __init__(self, part: str, cause: str | None = None, code: int = 1000) -> None:
        super().__init__(code, cause or f"Invalid value for: {part}")
        self.part = part


def refusal(error: Refused, path: str) -> Response:
    """Return the answer that the API at ``path`` gives to ``error``."""
    if isinstance(error, Malformed) and path.startswith(_TAXONOMY):
        return PlainTextResponse(f"Invalid value for: {error.part}", status_code=400)
    status, message = _DOCUMENTED[error.code]
    return _enveloped(status, error.code, message, error.cause, path)


def status_answer(
    status: int, path: str, headers: dict[str, str] | None = None
) -> Response:
    """Return the envelope for a status that no particular refusal explains."""
    code = _CODE_OF_STATUS.get(status, status * 10)
    if code in _DOCUMENTED:
        message = _DOCUMENTED[code][1]
    else:
        message = f"{_phrase(status)}."
    return _enveloped(status, code, message, None, path, headers)


def _enveloped(
    status: int,
    code: int,
    message: str,
    cause: str | None,
    path: str,
    headers: dict[str, str] | None = None,
) -> Response:
    error: dict[str, Any] = {
        "status": _phrase(status),
        "code": code,
        "message": message,
        "docs": f"{_DOCS}#{code}",
    }
    if cause is not None:
        error["cause"] = cause
    if path.startswith(_APIS_WITH_TYPE):
        error["type"] = "client_error" if status < 500 else "server_error"
        error["status_code"] = status
    body = {"request_id": str(uuid.uuid4()), "error": error}
    return JSONResponse(body, status_code=status, headers=headers)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
