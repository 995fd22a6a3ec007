"""The exceptions, and the error for each response."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from types import SimpleNamespace
from typing import Any, Callable, Dict, List, Optional, Type
from unittest.mock import Mock

import pytest
import requests

import PermutiveAPI
from PermutiveAPI import (
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveInvalidResponseError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    PermutiveTimeoutError,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.errors import error_from_response, raise_unchained
from tests.support.rows import for_each

SECRET = "the-secret-key"
URL = f"https://api.permutive.app/cohorts-api/v2/cohorts/?page=2&k={SECRET}"
SHOWN = "https://api.permutive.app/cohorts-api/v2/cohorts/?page=2&k=[REDACTED]"
ENVELOPE = {
    "request_id": "req-1",
    "error": {"code": 2000, "message": "What happened", "cause": "Why it happened"},
}


def answer(status: int, body: Any = b"", *, url: str = URL) -> requests.Response:
    """Build a response as requests does."""
    response = requests.Response()
    response.status_code = status
    response.url = url
    response.request = requests.Request("GET", url, headers={"X-API-Key": SECRET}).prepare()
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response.encoding = "utf-8"
    return response


def error_of(response: Optional[requests.Response], reason: str = "why") -> Any:
    """Return what raise_for_status raises."""
    with pytest.raises(PermutiveAPIError) as caught:
        http.raise_for_status(RuntimeError(reason), response)
    return caught.value


TREE = [
    (PermutiveBadRequestError, PermutiveAPIError),
    (PermutiveAuthenticationError, PermutiveAPIError),
    (PermutiveResourceNotFoundError, PermutiveAPIError),
    (PermutiveConflictError, PermutiveAPIError),
    (PermutiveRateLimitError, PermutiveAPIError),
    (PermutiveServerError, PermutiveAPIError),
    (PermutiveConnectionError, PermutiveAPIError),
    (PermutiveTimeoutError, PermutiveConnectionError),
    (PermutiveInvalidRequestError, PermutiveAPIError),
    (PermutiveInvalidRequestError, ValueError),
    (PermutiveInvalidResponseError, PermutiveAPIError),
    (PermutiveInvalidResponseError, ValueError),
]


@for_each(("child", "parent"), TREE)
def test_tree(child: type, parent: type) -> None:
    """Each error has its parent class, and is the same class everywhere."""
    assert issubclass(child, parent)
    assert getattr(http, child.__name__) is getattr(PermutiveAPI, child.__name__)


STATUSES = [
    (400, PermutiveBadRequestError, f"400 Bad Request: Why it happened [URL: {SHOWN}]"),
    (401, PermutiveAuthenticationError, "401: Invalid API key or insufficient permissions."),
    (403, PermutiveAuthenticationError, "403: Invalid API key or insufficient permissions."),
    (404, PermutiveResourceNotFoundError, "Resource not found."),
    (405, PermutiveAPIError, "An unexpected error occurred: why"),
    (409, PermutiveConflictError, "409"),
    (422, PermutiveAPIError, "An unexpected error occurred: why"),
    (302, PermutiveAPIError, "An unexpected error occurred: why"),
    (429, PermutiveRateLimitError, "Retry limit exceeded."),
    (500, PermutiveServerError, "500: API unavailable after retries."),
    (503, PermutiveServerError, "503: API unavailable after retries."),
    (599, PermutiveServerError, "599: API unavailable after retries."),
]


@for_each(("status", "kind", "text"), STATUSES)
def test_statuses(status: int, kind: Type[PermutiveAPIError], text: str) -> None:
    """Each status has its error; the service's words follow the fixed text."""
    response = answer(status, ENVELOPE)
    error = error_of(response)
    assert type(error) is kind
    assert str(error).startswith(text)
    assert str(error) == error.message
    assert "What happened" in str(error) and "Why it happened" in str(error)
    assert (error.status, error.url) == (status, SHOWN)
    assert error.response is response
    assert (error.request_id, error.code) == ("req-1", 2000)


@for_each(("status", "kind", "text"), STATUSES)
def test_bare_answers(status: int, kind: Type[PermutiveAPIError], text: str) -> None:
    """A response that has only a status is mapped, too."""
    response = requests.Response()
    response.status_code = status
    error = error_of(response)
    assert type(error) is kind
    assert (error.status, error.request_id, error.code) == (status, None, None)
    assert error.response is response


def test_without_an_answer() -> None:
    """Without a response, the error says what went wrong, and shows no secret."""
    error = error_of(None, f"boom k={SECRET}")
    assert type(error) is PermutiveAPIError
    assert str(error) == "An unexpected error occurred: boom k=[REDACTED]"
    assert (error.status, error.url, error.response) == (None, None, None)
    assert error_of(None, "boom").message == "An unexpected error occurred: boom"


@for_each(
    ("body", "text"),
    [
        ({"error": {"cause": "c", "message": "m"}}, "c"),
        ({"error": {"message": "m"}}, "m"),
        ({"error": {"cause": "", "message": "m"}}, "m"),
        ({"error": {"cause": {"a": 1}}}, "{'a': 1}"),
        ({"error": {}}, "Unknown error"),
        ({"error": "text"}, "Unknown error"),
        ({"error": None}, "Unknown error"),
        ({}, "Unknown error"),
        ([], "Unknown error"),
        (None, "Unknown error"),
        ("text", "Unknown error"),
        (b"plain text", "Could not parse error message"),
        (b"", "Could not parse error message"),
        (b"\xff\xfe\x00", "Could not parse error message"),
        (b"[" * 100_000, "Could not parse error message"),
    ],
)
def test_extract_error_message(body: Any, text: str) -> None:
    """The text is the cause, or else the message, or else says what is missing."""
    assert http._extract_error_message(answer(400, body)) == text


@for_each(
    ("body", "words"),
    [
        (b"Invalid taxonomy", "Invalid taxonomy"),
        (b"<html><style>x{}</style><h1>Bad</h1>\n<p>gateway</p>", "Bad gateway"),
        ({"detail": "unusual"}, '{"detail": "unusual"}'),
    ],
)
def test_plain_text_bodies(body: Any, words: str) -> None:
    """A body that is not an error envelope is quoted, too."""
    for status in (400, 404, 422, 500):
        assert words in str(error_of(answer(status, body)))


REPEATS: List[Any] = [
    (
        404,
        {"message": "The requested resource does not exist.", "cause": "No cohort 5."},
        "Resource not found. No cohort 5.",
    ),
    (
        404,
        {"message": "The requested resource does not exist."},
        "Resource not found. The requested resource does not exist.",
    ),
    (
        409,
        {"message": "It exists.", "cause": "It exists. Look for abc."},
        "409: Conflict with the resource's present state. It exists. Look for abc.",
    ),
    (
        401,
        {"message": "The key is invalid.", "cause": "It does not exist."},
        "401: Invalid API key or insufficient permissions. The key is invalid. "
        "It does not exist.",
    ),
    (
        400,
        {"message": "Bad values.", "cause": "name is missing"},
        f"400 Bad Request: name is missing [URL: {SHOWN}] Bad values.",
    ),
]


@for_each(("status", "said", "text"), REPEATS)
def test_a_text_says_nothing_twice(status: int, said: Any, text: str) -> None:
    """The service's message and cause follow the text, unless they repeat it or each other."""
    assert str(error_of(answer(status, {"error": said}))) == text


def test_a_refusal_in_plain_text_says_what_the_service_said() -> None:
    """The plain text of Taxonomy's 400 is the cause; an empty body gives no cause."""
    text = str(error_of(answer(400, b"Invalid value for: body")))
    assert text == f"400 Bad Request: Invalid value for: body [URL: {SHOWN}]"
    empty = str(error_of(answer(400, b"")))
    assert empty == f"400 Bad Request: Could not parse error message [URL: {SHOWN}]"


@for_each("status", [400, 401, 404, 409, 422, 429, 500])
def test_no_secret_is_shown(status: int) -> None:
    """The service's words are shown without the key, which is found by name and by value."""
    said = f"no key {SECRET} for k={SECRET} at {URL}"
    response = answer(status, {"error": {"message": said, "cause": said}})
    error = error_of(response, f"failed: {URL}")
    carried = [
        str(error),
        repr(error),
        repr(error.args),
        str(error.url),
        str(error.response.url),
        str(error.response.request.url),
        str(error.response.request.headers),
        "".join(traceback.format_exception(error)),
    ]
    assert not [text for text in carried if SECRET in text]


def test_request_that_was_sent_is_left_alone() -> None:
    """The error's response has a copy of the request; the request that was sent does not change."""
    response = answer(404)
    sent = response.request
    error_of(response)
    assert (sent.url, sent.headers["X-API-Key"]) == (URL, SECRET)


# --- Stand-ins for a response, or for its request, in users' tests -------------------------------------


def prepared(**attributes: Any) -> requests.PreparedRequest:
    """Build a request that has only these attributes."""
    request = requests.PreparedRequest()
    vars(request).update(attributes)
    return request


def prepared_by_its_url() -> requests.PreparedRequest:
    """Build a request on which only `prepare_url` was called, as in tests of 5.4.4."""
    request = requests.PreparedRequest()
    request.prepare_url(URL, None)
    return request


KEY_HEADER = {"X-API-Key": SECRET}
HALF_MADE_REQUESTS: Dict[str, Any] = {
    "nothing prepared": prepared(),
    "only a prepared URL": prepared_by_its_url(),
    "only headers": prepared(headers=KEY_HEADER),
    "headers as bytes": prepared(url=URL, headers={b"X-API-Key": SECRET.encode()}),
    "headers of no mapping": prepared(url=URL, headers=[("X-API-Key", SECRET)]),
    "not prepared": requests.Request("GET", URL, headers=KEY_HEADER),
    "not prepared, with params": requests.Request("GET", URL, params={"k": SECRET}),
    "not prepared, empty": requests.Request(),
    "a fake with a URL": SimpleNamespace(url=URL),
    "a fake with a URL that is no text": SimpleNamespace(url=5),
    "a fake with headers": SimpleNamespace(url=URL, headers=KEY_HEADER),
    "a mock": Mock(url=URL),
    "a mock of the class": Mock(spec=requests.PreparedRequest),
    "a mock of the class with a URL": Mock(spec=requests.PreparedRequest, url=URL),
}


@for_each("request_", HALF_MADE_REQUESTS)
@for_each("make", [error_of, lambda response: PermutiveAPIError("message", response=response)])
def test_half_made_requests(make: Callable[[Any], Any], request_: Any) -> None:
    """With any stand-in for the request, the error is that of the status, and does not show the key."""
    before = dict(vars(request_))
    response = answer(404)
    response.request = request_
    error = make(response)
    assert (error.status, error.url) == (404, SHOWN)
    assert error.response is response
    shown = response.request
    assert type(shown) is requests.PreparedRequest
    carried = [str(error), error.url, response.url, str(vars(shown)), pickle.dumps(error)]
    assert SECRET not in "".join(map(str, carried))
    assert vars(request_) == before


def response_of(**attributes: Any) -> requests.Response:
    """Build a response that has only these attributes."""
    response = requests.Response()
    vars(response).update(attributes)
    return response


HALF_MADE_RESPONSES: Dict[str, Any] = {
    "nothing set": response_of(),
    "a status": response_of(status_code=404),
    "no headers": response_of(status_code=404, headers=None),
    "a body that is a mock": response_of(status_code=404, raw=Mock()),
    "a body that was read before": response_of(status_code=404, _content_consumed=True),
    "an unknown encoding": response_of(status_code=404, _content=b"?", encoding="?"),
    "a URL that is no text": response_of(status_code=404, url=5),
    "a fake with nothing": SimpleNamespace(),
    "a fake with a status": SimpleNamespace(status_code=404),
    "a fake whose request has a URL": SimpleNamespace(
        status_code=404, request=SimpleNamespace(url=URL)
    ),
    "a mock": Mock(),
    "a mock with a status": Mock(status_code=404),
    "a mock of the class": Mock(spec=requests.Response),
    "a mock of the class with a status": Mock(spec=requests.Response, status_code=404),
    "a mock whose request has a URL": Mock(status_code=404, request=Mock(url=URL)),
}


@for_each("response", HALF_MADE_RESPONSES)
def test_half_made_responses(response: Any) -> None:
    """With any stand-in for the response, the error is that of its status, if it has one."""
    known = getattr(response, "status_code", None) == 404
    error = error_of(response)
    assert type(error) is (PermutiveResourceNotFoundError if known else PermutiveAPIError)
    assert error.status == (404 if known else None)
    text = "Resource not found." if known else "An unexpected error occurred: why"
    assert str(error).startswith(text)
    assert SECRET not in f"{error} {error.url}"
    assert error.response is response
    assert PermutiveAPIError("message", response=response).response is response


ERRORS = sorted({child for child, _ in TREE} | {PermutiveAPIError}, key=lambda each: each.__name__)


@for_each("kind", ERRORS)
@for_each("again", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_errors_survive_pickling(kind: Any, again: Any) -> None:
    """A pickled error keeps its class and attributes."""
    error = kind("message", status=418, url=URL, response=answer(418, ENVELOPE))
    error.request_id, error.code = "req-1", 7
    same = again(error)
    assert type(same) is kind
    assert (str(same), same.args, same.message) == ("message", ("message",), "message")
    assert (same.status, same.url, same.request_id, same.code) == (418, SHOWN, "req-1", 7)
    assert same.response.json() == ENVELOPE


def test_pickle_holds_no_secret() -> None:
    """The key is not in the pickle either."""
    error = error_of(answer(400, ENVELOPE))
    assert SECRET.encode() not in pickle.dumps(error)


def test_fake_of_an_answer_does_not_hinder_pickling() -> None:
    """A response that cannot be pickled is left out."""
    fake: Any = SimpleNamespace(status_code=400, unpicklable=lambda: None)
    error = PermutiveAPIError("message", status=400, response=fake)
    assert error.response is fake
    assert pickle.loads(pickle.dumps(error)).response is None


def test_constructor() -> None:
    """Status, url and response may be left out, and are keywords."""
    error = PermutiveAPIError("message")
    assert (error.message, error.status, error.url, error.response) == ("message", None, None, None)
    positional: Any = PermutiveAPIError
    with pytest.raises(TypeError):
        positional("message", 400)


def test_status_and_url_come_from_the_answer() -> None:
    """If status and url are left out, they come from the response."""
    error = PermutiveAPIError("message", response=answer(404))
    assert (error.status, error.url) == (404, SHOWN)


def test_unchained() -> None:
    """An error that is raised unchained has no cause and no context."""
    error = PermutiveAPIError("new")
    with pytest.raises(PermutiveAPIError) as caught:
        try:
            raise OSError(SECRET)
        except OSError:
            raise_unchained(error)
    assert caught.value is error
    assert (error.__cause__, error.__context__) == (None, None)


def test_odd_envelopes() -> None:
    """Odd values in the envelope are kept unchanged."""
    error = error_of(answer(400, {"request_id": 5, "error": {"code": "x"}}))
    assert (error.request_id, error.code) == (5, "x")


def test_a_response_without_a_url() -> None:
    """The error of a bare Response() has no URL, as in 5.4.4."""
    response = requests.Response()
    response.status_code = 400
    response._content = b'{"error": {"cause": "c"}}'
    error = error_of(response)
    assert (str(error), error.url) == ("400 Bad Request: c", None)


def test_huge_body_of_no_known_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A huge body without an encoding is read as UTF-8, since guessing would take minutes."""

    def guess(self: requests.Response) -> str:
        raise AssertionError("asked for a guess")

    monkeypatch.setattr(requests.Response, "apparent_encoding", property(guess))
    response = requests.Response()
    response.status_code = 500
    response._content = b"<p>out of order \xfc</p>" * 100_000
    error = error_from_response(response, "x")
    assert "out of order" in str(error) and error.status == 500
