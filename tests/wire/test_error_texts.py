"""The texts of errors: the number of attempts, the service's words, and what was not done."""

from __future__ import annotations

from typing import Any

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
from tests.support.fake_service import (
    FakeService,
    Step,
    answer,
    cut_in_headers,
    drip_body,
    drip_headers,
    endless_interim,
    stall,
    stall_in_body,
    truncate,
)

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
    """Return the error text of a list, which may be repeated."""
    with pytest.raises(PermutiveAPIError) as caught:
        Cohort.list(KEY)
    return str(caught.value)


def create_text() -> str:
    """Return the error text of a create, which may not be repeated."""
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
    """An error has the number of attempts if there may be several, the service's words once, and the reason."""
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
    """The number of attempts is the number of requests that arrived."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", str(attempts))
    server.default = answer(503)
    assert list_text() == f"503: API unavailable after retries. Attempts: {attempts}."
    assert len(server.received) == attempts


@pytest.mark.parametrize("status", [500, 502, 599])
def test_unknown_outcome(server: FakeService, status: int) -> None:
    """After a 5xx, a create is not repeated, and its error says that the outcome is unknown."""
    server.default = answer(status, said("Gone."))
    text = f"{status}: API unavailable after retries. Gone. {UNKNOWN}"
    assert create_text() == text
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [400, 404, 499, 600])
def test_known_outcome(server: FakeService, status: int) -> None:
    """After a 4xx, the outcome is known: nothing was created."""
    server.default = answer(status)
    assert "unknown" not in create_text()


def test_long_words_are_shortened(server: FakeService) -> None:
    """The service's words are quoted up to 300 characters, and then end with dots."""
    server.script += [answer(409, said("a" * 300)), answer(409, said("b" * 301))]
    conflict = "409: Conflict with the resource's present state."
    assert list_text() == f"{conflict} {'a' * 300}"
    assert list_text() == f"{conflict} {'b' * 300}..."


def test_words_of_a_page(server: FakeService) -> None:
    """The words of an HTML page are quoted without its styles, scripts and tags."""
    page = b"<style>b{}</style><h1>Not\n here</h1><script>x()</script> <b>Sorry</b>"
    server.default = answer(404, page, content_type="text/html")
    assert list_text() == "Resource not found. Not here Sorry"


# --- Without a response --------------------------------------------------------------------------


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
    """The error and its only log record have the number of attempts, the failure's text, and the unknown outcome."""

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
    """A request that cannot be written is an error of the caller, is tried once, and is not logged as a failure."""
    with pytest.raises(PermutiveInvalidRequestError) as caught:
        http.request("GET", KEY, url)
    assert str(caught.value).startswith("The request cannot be sent: ")
    assert caught.value.status is None
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


@pytest.mark.parametrize("charset", ["undefined", "idna", "none-such", "a\0b"])
def test_an_error_in_an_unknown_encoding(server: FakeService, charset: str) -> None:
    """An error page in an unknown encoding gives the error of its status, with the service's words."""
    server.default = answer(400, b"bad \xff body", content_type=f"text/plain; charset={charset}")
    with pytest.raises(PermutiveBadRequestError, match="bad . body"):
        http.get(KEY, f"{server.url}/x")


def test_a_time_out_within_an_answer(server: FakeService) -> None:
    """The error of a response that stops in the middle says so, and names the host."""
    server.default = stall_in_body()
    with pytest.raises(PermutiveTimeoutError, match="127.0.0.1.*within its response"):
        http.request("GET", KEY, f"{server.url}/x", timeout=0.05, retry=RetryConfig(max_retries=1))


# --- Attempts that end ---------------------------------------------------------------------------

ENDS = {
    "cut in the headers": (
        cut_in_headers(),
        "('Connection aborted.', RemoteDisconnected('Remote end closed connection inside the headers "
        "of its response'))",
    ),
    "cut in the body": (
        truncate(),
        "('Connection broken: IncompleteRead(4 bytes read, 7 more expected)', IncompleteRead(4 bytes "
        "read, 7 more expected))",
    ),
    "announced too often": (
        endless_interim(),
        "POOL: More than 20 interim (1xx) responses came in place of the final response.",
    ),
    "stalled": (stall(), "POOL: Read timed out. (read timeout=0.09)"),
    "stalled in the body": (stall_in_body(), "POOL: Read timed out within its response."),
}


@pytest.mark.parametrize(("fault", "reason"), ENDS.values(), ids=list(ENDS))
def test_why_an_attempt_ended(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, fault: Step, reason: str
) -> None:
    """The error says how the response ended."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    server.default = fault
    with pytest.raises(PermutiveAPIError) as caught:
        http.request("GET", KEY, URL, timeout=0.09)
    pool = f"HTTPConnectionPool(host='127.0.0.1', port={server.port})"
    reason = reason.replace("POOL", pool)
    assert str(caught.value) == f"Request failed after 1 attempts: {reason}"


@pytest.mark.parametrize("fault", [drip_headers(0.01), drip_body(0.01)], ids=["headers", "body"])
def test_why_a_slow_attempt_ended(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, fault: Step
) -> None:
    """The error of an attempt that took too long names its bound, and the variable to raise."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    monkeypatch.setenv("PERMUTIVE_ATTEMPT_SECONDS", "0.1")
    server.default = fault
    with pytest.raises(PermutiveAPIError) as caught:
        http.request("GET", KEY, URL, timeout=0.09)
    pool = f"HTTPConnectionPool(host='127.0.0.1', port={server.port})"
    assert str(caught.value) == (
        f"Request failed after 1 attempts: {pool}: The attempt took longer than 0.1 s. "
        "Raise PERMUTIVE_ATTEMPT_SECONDS, or give a longer timeout."
    )


def test_a_short_page_without_an_encoding_is_guessed_at(server: FakeService) -> None:
    """The encoding of a page of up to 1 MB that names none is guessed by requests."""
    words = "Größe überschritten, bitte später wieder versuchen: äöüß. " * 4
    server.default = answer(404, words.encode("latin-1"), content_type="application/octet-stream")
    guessed = requests.get(server.url, timeout=5).text.strip()
    assert "\ufffd" not in guessed
    assert list_text() == f"Resource not found. {guessed[:300].rstrip()}"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            300,
            "An unexpected error occurred: HTTP 300 (redirects are not followed, since they would "
            "carry the key elsewhere) It is wrong.",
        ),
        (400, "400 Bad Request: It is wrong. [URL: ORIGIN/cohorts-api/v2/cohorts/?k=[REDACTED]]"),
        (401, "401: Invalid API key or insufficient permissions. It is wrong."),
        (403, "403: Invalid API key or insufficient permissions. It is wrong."),
        (409, "409: Conflict with the resource's present state. It is wrong."),
        (418, "An unexpected error occurred: HTTP 418 It is wrong."),
    ],
    ids=["300", "400", "401", "403", "409", "418"],
)
def test_statuses_in_full(server: FakeService, status: int, text: str) -> None:
    """The whole text of an error, for each kind of refusal."""
    server.default = answer(status, said("It is wrong."))
    assert list_text() == text.replace("ORIGIN", server.url)


class _Unreadable:
    """A stand-in for a response whose text cannot be read."""

    status_code = 404
    content = b""

    @property
    def text(self) -> str:
        raise RuntimeError


def test_a_text_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a response has no readable text, the error only says what the status means."""
    monkeypatch.setattr(requests, "get", lambda *_, **__: _Unreadable())
    assert list_text() == "Resource not found."


@pytest.mark.parametrize("status", [300, 302, 404])
@pytest.mark.parametrize("location", ["query", "header"])
def test_a_key_that_is_quoted_without_a_name(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, status: int, location: str
) -> None:
    """If the service quotes the key, no error shows it, for any status."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", location)
    server.default = answer(status, said(f"Nobody knows {KEY}."))
    assert "Nobody knows [REDACTED]." in list_text()


def test_a_service_that_wants_nothing_for_long(server: FakeService) -> None:
    """During a long Retry-After, no call is sent, and the error says how long is left and why the call does not wait."""
    server.default = answer(429, headers={"Retry-After": "3000"})
    list_text()
    asked = "the service asked for a wait of 3000 s, of which 3000 s are left"
    assert list_text() == (
        f"Retry limit exceeded. The request was not sent: {asked}; a call waits for 120 s at the most."
    )
    assert len(server.received) == 1
