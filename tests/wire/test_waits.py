"""The waits between attempts: as the service asks, or else longer each time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Callable, List, Optional

import pytest

from PermutiveAPI import (
    PermutiveAPIError,
    PermutiveConnectionError,
    PermutiveRateLimitError,
    PermutiveServerError,
    RetryConfig,
)
from PermutiveAPI._Utils import http
from tests.support.calls import ALL_CALLS, KEY
from tests.support.fake_service import FakeService, answer, reset

URL = "https://api.permutive.app/v9/things"
POLICY = RetryConfig(max_retries=3, backoff_factor=4.0, initial_delay=2.0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The waits between attempts; they take no time in the test."""
    waited: List[float] = []
    monkeypatch.setattr(http.time, "sleep", waited.append)
    return waited


def date(seconds: float) -> str:
    """Return the HTTP date in so many seconds."""
    moment = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return format_datetime(moment, usegmt=True)


def own_waits(waits: List[float], policy: RetryConfig = POLICY) -> bool:
    """Tell whether these are the policy's waits, up to jitter."""
    bases = [policy.initial_delay * policy.backoff_factor**number for number in range(len(waits))]
    return all(base * 0.5 <= wait <= base * 1.5 for base, wait in zip(bases, waits, strict=True))


ASKED: List[Any] = [
    (503, "2", 2.0),
    (429, "0", 0.0),
    (503, "1.5", 1.5),
    (429, ".5", 0.5),
    (503, "007", 7.0),
    (429, "120", 120.0),
    (429, "\t42 ", 42.0),
]


@pytest.mark.parametrize("status, header, seconds", ASKED)
def test_seconds(
    server: FakeService, waits: List[float], status: int, header: str, seconds: float
) -> None:
    """After 429 and 503, the library waits for whole or fractional seconds of Retry-After."""
    server.default = answer(status, headers={"Retry-After": header})
    with pytest.raises(PermutiveAPIError):
        http.request("POST", KEY, URL, json={}, retry=POLICY)
    assert (waits, len(server.received)) == ([seconds] * 2, 3)


@pytest.mark.parametrize("status, ahead", [(429, 30), (503, 100)])
def test_a_date_is_waited_for(
    server: FakeService, waits: List[float], status: int, ahead: int
) -> None:
    """The library waits until an HTTP date of Retry-After."""
    server.default = answer(status, headers={"Retry-After": date(ahead)})
    with pytest.raises(PermutiveAPIError):
        http.request("GET", KEY, URL, retry=POLICY)
    assert len(waits) == 2
    assert all(ahead - 5 < wait <= ahead for wait in waits)


@pytest.mark.parametrize("status", [429, 503])
def test_a_date_is_read_against_the_answers_own(
    server: FakeService, waits: List[float], status: int
) -> None:
    """A date is compared with the response's own Date, so that the service's clock may be wrong."""
    headers = {
        "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
        "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
    }
    server.script = [answer(status, headers=headers)]
    http.request("GET", KEY, URL, retry=POLICY)
    assert (waits, len(server.received)) == ([30.0], 2)


@pytest.mark.parametrize("own", ["", "now", "Wed, 99 Oct 2015 07:28:00 GMT"])
def test_an_unreadable_date_of_an_answer_is_ignored(
    server: FakeService, waits: List[float], own: str
) -> None:
    """If the response's Date cannot be read, the machine's clock is used."""
    server.script = [answer(429, headers={"Date": own, "Retry-After": date(30)})]
    http.request("GET", KEY, URL, retry=POLICY)
    assert len(waits) == 1
    assert 25 < waits[0] <= 30


@pytest.mark.parametrize("past", [lambda: date(-3600), lambda: "Wed, 21 Oct 2015 07:28:00 -0000"])
def test_a_past_date_asks_for_no_wait(
    server: FakeService, waits: List[float], past: Callable[[], str]
) -> None:
    """After a date in the past, the request is sent again at once."""
    server.script = [answer(503, headers={"Retry-After": past()})]
    http.request("GET", KEY, URL, retry=POLICY)
    assert (waits, len(server.received)) == ([0.0], 2)


JUNK: List[Optional[str]] = [
    None,
    "",
    "soon",
    "-5",
    "+5",
    "1e3",
    "inf",
    "nan",
    "1,5",
    "0x10",
    "12 s",
    "٣",
    "Wed, 99 Foo 2015 07:28:00 GMT",
    "9999999999999-01-01",
]


@pytest.mark.parametrize("header", JUNK, ids=repr)
def test_junk_is_ignored(server: FakeService, waits: List[float], header: Optional[str]) -> None:
    """If Retry-After is absent, negative or not a number, the policy's wait is used."""
    latin = None if header is None else header.encode().decode("latin-1")
    headers = {} if latin is None else {"Retry-After": latin}
    server.script = [answer(429, headers=headers), answer(503, headers=headers)]
    http.request("GET", KEY, URL, retry=POLICY)
    assert (len(waits), len(server.received)) == (2, 3)
    assert own_waits(waits)


@pytest.mark.parametrize(
    "header",
    [
        lambda: "121",
        lambda: "120.5",
        lambda: "9" * 400,
        lambda: date(3600),
        lambda: "Fri, 31 Dec 9999 23:59:59 GMT",
    ],
)
@pytest.mark.parametrize(
    "status, error_class", [(429, PermutiveRateLimitError), (503, PermutiveServerError)]
)
def test_a_wait_above_two_minutes_raises(
    server: FakeService,
    waits: List[float],
    header: Callable[[], str],
    status: int,
    error_class: Any,
) -> None:
    """A wait of more than 120 seconds raises the status's error at once."""
    server.default = answer(status, headers={"Retry-After": header()})
    with pytest.raises(error_class) as raised:
        http.request("GET", KEY, URL, retry=POLICY)
    assert (waits, len(server.received)) == ([], 1)
    assert raised.value.status == status


@pytest.mark.parametrize("status", [500, 502, 504])
def test_retry_after_with_other_statuses(
    server: FakeService, waits: List[float], status: int
) -> None:
    """Retry-After counts only with 429 and 503."""
    server.default = answer(status, headers={"Retry-After": "77"})
    with pytest.raises(PermutiveServerError):
        http.request("GET", KEY, URL, retry=POLICY)
    assert len(waits) == 2
    assert own_waits(waits)


def test_no_call_waits_after_its_last_attempt(server: FakeService, waits: List[float]) -> None:
    """Every call waits as the service asks: three attempts have two waits between them, and none after the last one."""
    server.default = answer(429, headers={"Retry-After": "3"})
    for call in ALL_CALLS:
        waits.clear()
        server.received.clear()
        assert type(call.error()) is PermutiveRateLimitError, call
        assert (waits, len(server.received)) == ([3.0, 3.0], 3), call


@pytest.mark.parametrize("step", [answer(429), answer(500), reset()])
def test_waits_grow(server: FakeService, waits: List[float], step: Any) -> None:
    """If the service does not say, each wait is the last one times the backoff factor, also after 429 and without a response."""
    policy = RetryConfig(max_retries=5, backoff_factor=3.0, initial_delay=0.5)
    server.default = step
    with pytest.raises(PermutiveAPIError):
        http.request("GET", KEY, URL, retry=policy)
    assert (len(waits), len(server.received)) == (4, 5)
    assert own_waits(waits, policy)


def test_waits_differ_from_call_to_call(server: FakeService, waits: List[float]) -> None:
    """Jitter keeps callers that failed together from coming back together."""
    server.default = answer(429)
    for _ in range(5):
        with pytest.raises(PermutiveRateLimitError):
            http.request("GET", KEY, URL, retry=POLICY)
    assert len(set(waits)) > 5


def test_a_policy_of_one_attempt_repeats_nothing(server: FakeService, waits: List[float]) -> None:
    """max_retries counts attempts, including the first one."""
    server.default = answer(503, headers={"Retry-After": "3600"})
    with pytest.raises(PermutiveServerError):
        http.request("GET", KEY, URL, retry=RetryConfig(max_retries=1))
    assert (waits, len(server.received)) == ([], 1)


def test_the_environment_sets_the_policy_of_every_call(
    server: FakeService, waits: List[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PERMUTIVE_RETRY_MAX_RETRIES, _BACKOFF_FACTOR and _INITIAL_DELAY_SECONDS are read at each call."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", " 4 ")
    monkeypatch.setenv("PERMUTIVE_RETRY_BACKOFF_FACTOR", "3")
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.5")
    server.default = answer(503)
    for call in ALL_CALLS:
        server.received.clear()
        waits.clear()
        call.error()
        assert (len(server.received), len(waits)) == (4, 3), call
        assert own_waits(waits, RetryConfig(4, 3.0, 0.5)), call


@pytest.mark.parametrize(
    "name, values",
    {
        "PERMUTIVE_RETRY_MAX_RETRIES": ["0", "-1", "1.5", "x", "inf"],
        "PERMUTIVE_RETRY_BACKOFF_FACTOR": ["0.5", "0", "-1", "x", "nan", "inf"],
        "PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS": ["-1", "x", "nan", "inf", "0"],
        "PERMUTIVE_TIMEOUT_SECONDS": ["-1", "x", "nan", "inf", "0"],
    }.items(),
)
def test_a_wrong_setting_is_named_before_anything_is_sent(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, name: str, values: List[str]
) -> None:
    """A wrong value in the environment is a ValueError that names the variable, and nothing is sent."""
    for value in values:
        monkeypatch.setenv(name, value)
        with pytest.raises(ValueError, match=name):
            http.get(KEY, URL)
    assert server.received == []


def test_a_real_wait_takes_the_time_asked_for(server: FakeService) -> None:
    """The wait that the service asks for takes real time."""
    server.script = [answer(429, headers={"Retry-After": "0.15"})]
    began = time.monotonic()
    http.get(KEY, URL)
    assert 0.14 < time.monotonic() - began < 2


@pytest.mark.parametrize(
    "url, attempts",
    [
        ("https://api.permutive.com/v2.0/identify", 3),
        ("https://api.permutive.com/ctx/v1/segment", 3),
        ("https://api.permutive.com/ctx/v1/segment?x=1", 3),
        ("https://api.permutive.com/v2.0/users", 1),
        ("https://api.permutive.com/v2.0/events", 1),
        ("https://api.permutive.com/v2.0/identify/more", 1),
        ("https://api.permutive.app/x?u=/v2.0/identify", 1),
    ],
)
@pytest.mark.parametrize("verb", ["post", "request"])
def test_posts_that_may_be_repeated(
    server: FakeService, waits: List[float], url: str, attempts: int, verb: str
) -> None:
    """After an unknown outcome, only POSTs to identify and the contextual endpoint are repeated."""
    server.default = reset()
    with pytest.raises(PermutiveConnectionError) as raised:
        if verb == "post":
            http.post(KEY, url, {})
        else:
            http.request("post", KEY, url, json={})
    assert (len(server.received), len(waits)) == (attempts, attempts - 1)
    assert ("outcome is unknown" in str(raised.value)) is (attempts == 1)


def test_the_defaults_of_http_are_those_of_policies(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If users set http.MAX_RETRIES and its like, later policies and calls use the values."""
    monkeypatch.delenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS")
    server.default = answer(503)
    before = RetryConfig()
    monkeypatch.setattr(http, "MAX_RETRIES", 2)
    monkeypatch.setattr(http, "BACKOFF_FACTOR", 4.0)
    monkeypatch.setattr(http, "INITIAL_DELAY", 0.0)
    assert RetryConfig() == RetryConfig(2, 4.0, 0.0) != before
    with pytest.raises(PermutiveServerError):
        http.get(KEY, URL)
    assert len(server.received) == 2
    monkeypatch.setattr(http, "MAX_RETRIES", 1)
    with pytest.raises(PermutiveServerError):
        http.get(KEY, URL)
    assert len(server.received) == 3
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "5")  # The environment wins.
    assert RetryConfig().max_retries == 5
