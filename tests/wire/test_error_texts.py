"""What errors say: how often was tried, what the service said, and what was not done."""

from __future__ import annotations

from typing import Any, List

import pytest
import requests

from PermutiveAPI import (
    Cohort,
    PermutiveAPIError,
    PermutiveBadRequestError,
    PermutiveInvalidRequestError,
    PermutiveTimeoutError,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.retry.policy import RetryConfig
from tests.support.calls import COHORTS, KEY
from tests.support.fake_service import FakeService, Step, answer, stall_in_body

URL = f"https://api.permutive.app{COHORTS}"
QUERY = {"type": "users"}
UNKNOWN = (
    "The outcome is unknown: the service may have processed the request. "
    "Look before sending it again."
)


def said(message: Any = None, cause: Any = None) -> Any:
    """Return the service's error document."""
    return {"error": {"message": message, "cause": cause}}


def list_text() -> str:
    """Return what the error of a list, which is harmless to repeat, says."""
    with pytest.raises(PermutiveAPIError) as caught:
        Cohort.list(KEY)
    return str(caught.value)


def create_text() -> str:
    """Return what the error of a create, which is not, says."""
    with pytest.raises(PermutiveAPIError) as caught:
        Cohort("Fans", query=QUERY).create(KEY)
    return str(caught.value)


@pytest.mark.parametrize(
    ("step", "text", "count"),
    [
        (answer(500), "500: API unavailable after retries. Attempts: 3.", 3),
        (answer(429), "Retry limit exceeded. Attempts: 3.", 3),
        (
            answer(503, said("Down.", "A disk.")),
            "503: API unavailable after retries. Down. A disk. Attempts: 3.",
            3,
        ),
        (
            answer(503, said("Down.", "Down.")),
            "503: API unavailable after retries. Down. Attempts: 3.",
            3,
        ),
        (answer(404), "Resource not found.", 1),
        (
            answer(302, headers={"Location": "https://elsewhere.example"}),
            "An unexpected error occurred: HTTP 302 (redirects are not followed, since they would "
            "carry the key elsewhere)",
            1,
        ),
        (answer(399), "HTTP 399 (redirects are not followed", 1),
        (answer(405), "An unexpected error occurred: HTTP 405", 1),
        (
            answer(429, headers={"Retry-After": "120.5"}),
            "Retry limit exceeded. Attempts: 1. The service asks for a wait of 120.5 s; a call "
            "waits for 120 s at the most.",
            1,
        ),
    ],
    ids=[
        "500",
        "429",
        "503-with-words",
        "503-with-a-word",
        "404",
        "302",
        "399",
        "405",
        "too-long-a-wait",
    ],
)
def test_what_an_answer_means(server: FakeService, step: Step, text: str, count: int) -> None:
    """An error tells the number of attempts where there may be several, each of the service's words once, and why not."""
    server.default = step
    found = list_text()
    assert text in found
    if len(text) > 40:
        assert found == text
    assert len(server.received) == count


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_counted(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    """The number in the text is that of the requests that arrived."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", str(attempts))
    server.default = answer(503)
    assert list_text() == f"503: API unavailable after retries. Attempts: {attempts}."
    assert len(server.received) == attempts


@pytest.mark.parametrize("status", [500, 502, 599])
def test_unknown_outcome(server: FakeService, status: int) -> None:
    """After a 5xx a create is not repeated, and its error says so after its kept text."""
    server.default = answer(status, said("Gone."))
    text = f"{status}: API unavailable after retries. Gone. {UNKNOWN}"
    assert create_text() == text
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [400, 404, 499, 600])
def test_known_outcome(server: FakeService, status: int) -> None:
    """A refusal that is no 5xx leaves no doubt: nothing was made."""
    server.default = answer(status)
    assert "unknown" not in create_text()


def test_a_wait_of_two_minutes_is_kept(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Retry-After of 120 s is waited for; only a longer one is an error at once."""
    waits: List[float] = []
    monkeypatch.setattr(http.time, "sleep", waits.append)
    server.script += [answer(429, headers={"Retry-After": "120"}), answer(body=[])]
    assert Cohort.list(KEY) == []
    assert waits == [120.0]


def test_long_words_are_shortened(server: FakeService) -> None:
    """What the service says is quoted up to 300 characters, then cut with an ellipsis."""
    server.script += [answer(409, said("a" * 300)), answer(409, said("b" * 301))]
    conflict = "409: Conflict with the resource's present state."
    assert list_text() == f"{conflict} {'a' * 300}"
    assert list_text() == f"{conflict} {'b' * 300}..."


def test_words_of_a_page(server: FakeService) -> None:
    """Of an HTML page the words are told, without its styles, scripts and tags."""
    page = b"<style>b{}</style><h1>Not\n here</h1><script>x()</script> <b>Sorry</b>"
    server.default = answer(404, page, content_type="text/html")
    assert list_text() == "Resource not found. Not here Sorry"


# --- Without an answer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (requests.ConnectionError("cut off"), "cut off"),
        (requests.ConnectionError(), "ConnectionError"),
        (requests.Timeout(), "Timeout"),
        (requests.ConnectionError(f"?k={KEY}&x=1"), "?k=[REDACTED]&x=1"),
    ],
    ids=["words", "no-words", "timeout", "key"],
)
@pytest.mark.parametrize("verb", ["get", "post"])
def test_what_a_failure_says(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
    text: str,
    verb: str,
) -> None:
    """The error and the one record say how often was tried, the failure's words, and what is not known."""

    def fail(*arguments: Any, **options: Any) -> Any:
        raise failure

    monkeypatch.setattr(requests, verb, fail)
    expected = (
        f"Request failed after 3 attempts: {text}"
        if verb == "get"
        else f"Request failed after 1 attempts: {text}. {UNKNOWN}"
    )
    assert (list_text() if verb == "get" else create_text()) == expected
    errors = [each for each in caplog.records if each.levelname == "ERROR"]
    assert [each.getMessage() for each in errors] == [expected]


@pytest.mark.parametrize(
    "url",
    ["https://ho st.example/a", "https://:80/a", "nonsense"],
    ids=["space", "no-host", "no-scheme"],
)
def test_what_cannot_be_sent(caplog: pytest.LogCaptureFixture, url: str) -> None:
    """A request that cannot be written says so, once, as a mistake of the caller's, and is no failure to be logged."""
    with pytest.raises(PermutiveInvalidRequestError) as caught:
        http.request("GET", KEY, url)
    assert str(caught.value).startswith("The request cannot be sent: ")
    assert caught.value.status is None
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


@pytest.mark.parametrize("charset", ["undefined", "idna", "none-such", "a\0b"])
def test_an_error_in_an_encoding_that_is_none(server: FakeService, charset: str) -> None:
    """An error page in an unknown encoding is the documented error, with the service's words."""
    server.default = answer(400, b"bad \xff body", content_type=f"text/plain; charset={charset}")
    with pytest.raises(PermutiveBadRequestError, match="bad . body"):
        http.get(KEY, f"{server.url}/x")


def test_a_time_out_within_an_answer(server: FakeService) -> None:
    """An answer that stops in its middle is told as such, with the host."""
    server.default = stall_in_body()
    with pytest.raises(PermutiveTimeoutError, match="127.0.0.1.*within its response"):
        http.request("GET", KEY, f"{server.url}/x", timeout=0.05, retry=RetryConfig(max_retries=1))
