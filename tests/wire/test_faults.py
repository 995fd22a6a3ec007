"""Single faults: all that an error tells, what passes, and what is never sent twice.

test_fault_matrix.py holds the contract for every call under every fault.
"""

from __future__ import annotations

import logging
import pickle
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Type

import pytest

from PermutiveAPI import (
    Cohort,
    Import,
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveInvalidResponseError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
)
from PermutiveAPI._Utils.retry import policy, rate_limit
from tests.support.calls import ALL_CALLS, KEY, WireCall
from tests.support.fake_service import FakeService, Step, answer, hang_up, raw
from tests.support.secrets import assert_no_secret

UNKNOWN = "outcome is unknown"
REQUEST_ID = "e2cef6f6-296d-4044-b362-73fb2bce4a72"


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Capture every record, urllib3's too."""
    caplog.set_level(logging.DEBUG)


def errors_logged(caplog: pytest.LogCaptureFixture) -> List[str]:
    """Return what was logged at ERROR or above, by anyone."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


ONE_OF_EACH_KIND = [
    call
    for call in ALL_CALLS
    if call.name
    in (
        "Cohort.create",
        "Cohort.list",
        "Segment.batch_create",
        "Segment.update",
        "Segment.delete",
        "Segment.bulk",
        "Segmentation.send",
        "TrackedEvent.track",
        "Identity.identify",
    )
]


# --- Refusals --------------------------------------------------------------------------------------


def envelope(status: int, code: int, message: str, cause: Optional[str] = None) -> Any:
    """Return the service's error document."""
    error = {"status": str(status), "code": code, "message": message, "cause": cause}
    return {
        "request_id": REQUEST_ID,
        "error": {name: value for name, value in error.items() if value is not None},
    }


@dataclass(frozen=True)
class Refusal:
    """A response that is not a success, and its error."""

    name: str
    status: int
    error_class: Type[PermutiveAPIError]
    text: str
    body: Any = b""
    content_type: str = "application/json"
    said: str = ""
    code: Optional[int] = None
    headers: Optional[Dict[str, str]] = None
    repeated: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def step(self) -> Step:
        """Return the step of the server."""
        return answer(self.status, self.body, content_type=self.content_type, headers=self.headers)


DENIED = "Invalid API key or insufficient permissions."
UNEXPECTED = "An unexpected error occurred: "
PAGE = b"<html><head><style>b{}</style></head><body><h1>Bad Gateway</h1></body></html>"

REFUSALS = [
    Refusal(
        "400 as JSON",
        400,
        PermutiveBadRequestError,
        "400 Bad Request: name is empty [URL: {url}]",
        envelope(400, 1000, "One or more parameters are invalid.", "name is empty"),
        said="One or more parameters are invalid.",
        code=1000,
    ),
    Refusal(
        "400 without a cause",
        400,
        PermutiveBadRequestError,
        "400 Bad Request: A body was expected. [URL: {url}]",
        envelope(400, 1003, "A body was expected."),
        code=1003,
    ),
    Refusal(
        "400 as plain text",
        400,
        PermutiveBadRequestError,
        "400 Bad Request: Invalid value for: path parameter importId [URL: {url}]",
        b"Invalid value for: path parameter importId",
        "text/plain; charset=UTF-8",
        said="Invalid value for: path parameter importId",
    ),
    Refusal(
        "400 with another document",
        400,
        PermutiveBadRequestError,
        "400 Bad Request: Unknown error [URL: {url}]",
        ["no", "object"],
    ),
    Refusal(
        "401",
        401,
        PermutiveAuthenticationError,
        f"401: {DENIED}",
        envelope(401, 2000, "The key is invalid.", "This key does not exist."),
        said="This key does not exist.",
        code=2000,
    ),
    Refusal(
        "403",
        403,
        PermutiveAuthenticationError,
        f"403: {DENIED}",
        envelope(403, 2001, "No access to the resource."),
        said="No access to the resource.",
        code=2001,
    ),
    Refusal(
        "404",
        404,
        PermutiveResourceNotFoundError,
        "Resource not found.",
        envelope(404, 3000, "The requested resource does not exist."),
        said="The requested resource does not exist.",
        code=3000,
    ),
    Refusal(
        "405",
        405,
        PermutiveAPIError,
        f"{UNEXPECTED}HTTP 405",
        b"Method Not Allowed",
        "text/plain",
        said="Method Not Allowed",
    ),
    Refusal(
        "409",
        409,
        PermutiveConflictError,
        "409",
        envelope(409, 4000, "A resource with this identifier already exists."),
        said="A resource with this identifier already exists.",
        code=4000,
    ),
    Refusal(
        "422",
        422,
        PermutiveAPIError,
        f"{UNEXPECTED}HTTP 422",
        envelope(422, 1002, "The body was not structured as expected."),
        said="The body was not structured as expected.",
        code=1002,
    ),
    Refusal(
        "429",
        429,
        PermutiveRateLimitError,
        "Retry limit exceeded.",
        envelope(429, 6000, "Slow down."),
        said="Slow down.",
        code=6000,
        repeated=True,
    ),
    Refusal(
        "500",
        500,
        PermutiveServerError,
        "500: API unavailable after retries.",
        envelope(500, 5000, "An error of unspecified nature was encountered."),
        said="An error of unspecified nature was encountered.",
        code=5000,
        repeated=True,
    ),
    Refusal(
        "502 as an HTML page",
        502,
        PermutiveServerError,
        "502: API unavailable after retries.",
        PAGE,
        "text/html",
        said="Bad Gateway",
        repeated=True,
    ),
    Refusal("503", 503, PermutiveServerError, "503: API unavailable after retries.", repeated=True),
    Refusal(
        "504",
        504,
        PermutiveServerError,
        "504: API unavailable after retries.",
        b"upstream timed out",
        "text/plain",
        said="upstream timed out",
        repeated=True,
    ),
    *(
        Refusal(
            f"redirect {status}",
            status,
            PermutiveAPIError,
            f"{UNEXPECTED}HTTP {status}",
            headers={"Location": "/elsewhere"},
        )
        for status in (302, 307)
    ),
    Refusal("304", 304, PermutiveAPIError, f"{UNEXPECTED}HTTP 304"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_a_refusal(
    server: FakeService,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Refusal,
) -> None:
    """A response other than 2xx raises the error of its status, with the service's words and without a secret.

    429 and 503 are repeated, and other 5xx if that is harmless; otherwise the outcome is unknown.
    """
    server.default = refusal.step
    if refusal.status == 429:  # Otherwise batches would continue for two minutes.
        monkeypatch.setattr(policy, "UNCOUNTED_REFUSALS_SECONDS", -1.0)
    for call in ALL_CALLS if refusal is REFUSALS[0] else ONE_OF_EACH_KIND:
        rate_limit.forget_all()  # Otherwise the next call would wait after 429.
        server.received.clear()
        caplog.clear()
        check_refused(server, caplog, call, refusal)


def check_refused(
    server: FakeService, caplog: pytest.LogCaptureFixture, call: WireCall, refusal: Refusal
) -> None:
    """Make a call that is refused, and check everything."""
    error = call.error()

    assert type(error) is refusal.error_class
    assert isinstance(error, PermutiveAPIError)
    query = f"?{server.received[0].target.partition('?')[2]}".replace(KEY, "[REDACTED]")
    url = f"{server.url}{call.path}{query}"
    assert str(error).startswith(refusal.text.format(url=url))
    assert refusal.said in str(error)
    assert error.message == str(error)
    assert (error.status, error.url) == (refusal.status, url)
    assert error.response is not None
    assert error.response.status_code == refusal.status
    said_by_json = isinstance(refusal.body, dict)
    assert error.request_id == (REQUEST_ID if said_by_json else None)
    assert error.code == refusal.code
    certain = call.harmless or refusal.status in (429, 503) or refusal.status < 500
    assert (UNKNOWN in str(error)) is not certain

    # A batch that is out of patience does not repeat what a limit refuses.
    once = call.batch and refusal.status == 429
    assert len(server.received) == (3 if refusal.repeated and certain and not once else 1)
    assert {(seen.method, seen.path) for seen in server.received} == {(call.method, call.path)}
    assert len({seen.body for seen in server.received}) == 1
    assert errors_logged(caplog) == []
    assert_no_secret(error, caplog.records, KEY)

    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (again.args, again.message) == (error.args, error.message)
    assert (again.status, again.url, again.code, again.request_id) == (
        error.status,
        error.url,
        error.code,
        error.request_id,
    )
    assert again.response is not None and error.response is not None
    assert again.response.content == error.response.content


def test_a_fault_that_passes_is_not_noticed(server: FakeService) -> None:
    """A call sends the same request again, and succeeds when the fault has passed."""
    for call in ALL_CALLS:
        rate_limit.forget_all()  # Otherwise the next call would wait after 429.
        server.received.clear()
        server.script = [answer(429), hang_up() if call.harmless else answer(503)]
        server.default = answer(call.status, call.answer)
        call(api_key=KEY)
        assert len(server.received) == 3, call
        assert len({(seen.method, seen.target, seen.body) for seen in server.received}) == 1, call


def test_a_redirect_is_not_followed(server: FakeService) -> None:
    """The server that a redirect points to gets no request."""
    with FakeService() as elsewhere:
        location = {"Location": f"{elsewhere.url}/?k={KEY}"}
        server.default = answer(307, b"", headers=location)
        for number, call in enumerate(ONE_OF_EACH_KIND, start=1):
            error = call.error()
            assert isinstance(error, PermutiveAPIError), call
            assert error.status == 307, call
            assert (len(server.received), elsewhere.connections) == (number, 0), call


# --- Answers that cannot be read, or need not be ----------------------------------------------------


def test_a_list_of_imports_without_items(server: FakeService) -> None:
    """The error has the response, as for every other response that cannot be read."""
    server.default = answer(200, {"imports": []})
    with pytest.raises(PermutiveInvalidResponseError) as raised:
        Import.list(KEY)
    error = raised.value
    assert error.message == "Response JSON missing 'items' collection"
    assert error.status == 200
    assert error.url == f"{server.url}/audience-api/v1/imports?k=[REDACTED]"
    assert error.response is not None and error.response.json() == {"imports": []}


@pytest.mark.parametrize(
    ("status", "content_type"),
    [(200, "text/html"), (201, "x"), (202, "text/plain"), (206, ""), (299, "image/png")],
)
def test_every_2xx_is_a_success_whatever_its_content_type(
    server: FakeService, status: int, content_type: str
) -> None:
    """Every status from 200 to 299 is a success, and the documented JSON is read with any content type."""
    for call in ALL_CALLS if status in (200, 299) else ONE_OF_EACH_KIND:
        server.received.clear()
        server.default = answer(status, call.answer, content_type=content_type)
        call(api_key=KEY)
        assert len(server.received) == 1, call


# --- What the service repeats ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_service_that_repeats_the_key(
    server: FakeService, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """If the service repeats the key in any form, no text of the error shows it."""
    words = f"The key {KEY} (?k={KEY}&x=1) is unknown"
    server.default = answer(status, envelope(status, 1, words, f"key={KEY}"))
    for call in ALL_CALLS if status == 400 else ONE_OF_EACH_KIND:
        error = call.error()
        for text in (str(error), repr(error), getattr(error, "message")):
            assert KEY not in text, call
        assert "is unknown" in str(error), call
    assert not any(KEY in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("status", [500, 502, 504, 524])
def test_nothing_is_made_twice_behind_a_failing_gateway(server: FakeService, status: int) -> None:
    """After a 5xx that may have come after the work, no create, event or bulk operation is sent again."""
    server.default = answer(status, b"upstream failed")
    for call in [call for call in ALL_CALLS if not call.harmless]:
        server.received.clear()
        error = call.error()
        assert type(error) is PermutiveServerError, call
        assert str(error).startswith(f"{status}: API unavailable after retries."), call
        assert UNKNOWN in str(error) and "upstream failed" in str(error), call
        assert len(server.received) == 1, call


def test_a_header_that_is_invalid_in_the_answer(server: FakeService) -> None:
    """After a response with two lengths, the outcome of a create is unknown, and it is not repeated."""
    lengths = b"Content-Length: 2\r\nContent-Length: 5\r\n"
    server.default = raw(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n{}")
    with pytest.raises(PermutiveConnectionError, match="outcome is unknown"):
        Cohort("c", query={"x": 1}).create(KEY)
    assert len(server.received) == 1


def test_the_callers_own_context_stays(server: FakeService) -> None:
    """An error that is raised while the caller handles an exception keeps that exception as its context."""
    server.default = answer(404, {})
    try:
        raise KeyError("the caller's own")
    except KeyError as own:
        with pytest.raises(PermutiveResourceNotFoundError) as caught:
            Cohort.get_by_id("none", KEY)
        assert caught.value.__context__ is own
