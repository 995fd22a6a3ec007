"""The retry rules, without a socket, a clock or a wait."""

from __future__ import annotations

import math
import pickle
import ssl
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, Dict, Optional

import numpy
import pytest
import requests
import urllib3.exceptions as urllib3_errors

from PermutiveAPI import RetryConfig
from PermutiveAPI._Utils.retry.outcome import Outcome, is_timeout, outcome_of
from PermutiveAPI._Utils.retry.policy import (
    backoff_seconds,
    is_repeatable,
    is_throttled,
    is_worth_repeating,
    parse_retry_after,
    refusals_are_free,
    retry_after_of,
    wait_after_response,
)
from tests.support.rows import for_each

NOW = datetime(2025, 7, 1, 12, 0, 0, tzinfo=timezone.utc)


# --- The policy --------------------------------------------------------------------------------


def test_environment_is_read_when_the_object_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults come from the environment when the object is made."""
    before = RetryConfig()
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "7")
    monkeypatch.setenv("PERMUTIVE_RETRY_BACKOFF_FACTOR", "1.5")
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.25")
    assert RetryConfig() == RetryConfig(7, 1.5, 0.25)
    assert before.max_retries == 3


@for_each(
    ("variable", "argument"),
    [
        ("PERMUTIVE_RETRY_MAX_RETRIES", {"max_retries": 2}),
        ("PERMUTIVE_RETRY_BACKOFF_FACTOR", {"backoff_factor": 2.0}),
        ("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", {"initial_delay": 1.0}),
    ],
)
def test_bad_variable_counts_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch, variable: str, argument: Dict[str, Any]
) -> None:
    """A wrong variable is a ValueError that names it, but only if the argument is left out."""
    with monkeypatch.context() as patched:
        patched.setenv(variable, "-1")
        with pytest.raises(ValueError, match=variable):
            RetryConfig()
        RetryConfig(**argument)


@for_each(
    ("field", "value"),
    [
        *(("max_retries", bad) for bad in (0, -1, 1.5, math.inf, math.nan, "3", None, True)),
        *(("backoff_factor", bad) for bad in (0, 0.5, -1, math.inf, math.nan, "2", None)),
        *(("initial_delay", bad) for bad in (-0.1, math.inf, math.nan, "1", None, False)),
    ],
)
def test_constructor_refuses(field: str, value: Any) -> None:
    """A value out of its range is a ValueError that names the argument and its range."""
    with pytest.raises(ValueError) as caught:
        RetryConfig(**{field: value})
    takes = {
        "max_retries": "a whole number of at least 1",
        "backoff_factor": "a finite number of at least 1",
        "initial_delay": "a finite number of at least 0",
    }
    assert str(caught.value) == f"{field} must be {takes[field]}, got {value!r}."


def test_limits_are_allowed() -> None:
    """One attempt, a factor of 1 and no delay are allowed."""
    assert RetryConfig(1, 1, 0).max_retries == 1


def test_numbers_of_numpy() -> None:
    """A number of NumPy becomes one of Python."""
    policy: Any = RetryConfig
    made = policy(numpy.int64(4), numpy.float32(1.5), numpy.int32(0))
    assert made == RetryConfig(4, 1.5, 0.0)
    assert [type(each) for each in vars(made).values()] == [int, float, float]
    with pytest.raises(ValueError, match="max_retries must be a whole number"):
        policy(max_retries=numpy.float64(3))
    with pytest.raises(ValueError, match="max_retries must be a whole number"):
        policy(max_retries=numpy.bool_(True))


def test_checked_when_changed_and_picklable() -> None:
    """A policy can be changed within the same bounds, and can be pickled."""
    policy = RetryConfig(4, 3.0, 0.5)
    policy.max_retries = 5
    with pytest.raises(ValueError, match="max_retries"):
        policy.max_retries = 0
    assert policy.max_retries == 5
    assert pickle.loads(pickle.dumps(policy)) == policy


# --- What may be repeated --------------------------------------------------------------------------


@for_each(
    ("verb", "url", "harmless"),
    [
        ("GET", "https://api.permutive.app/cohorts-api/v2/cohorts/", True),
        ("PATCH", "https://api.permutive.app/cohorts-api/v2/cohorts/1", True),
        ("DELETE", "https://api.permutive.app/cohorts-api/v2/cohorts/1", True),
        ("POST", "https://api.permutive.app/cohorts-api/v2/cohorts/", False),
        ("POST", "https://api.permutive.app/audience-api/v1/imports/1/segments", False),
        ("POST", "https://api.permutive.app/ccs/v1/segmentation", False),
        ("POST", "https://api.permutive.com/v2.0/identify", True),
        ("POST", "http://127.0.0.1:8080/v2.0/identify", True),
        ("POST", "https://api.permutive.com/v2.0/identify/?k=1", True),
        ("POST", "https://api.permutive.com/v2.0/identify/other", False),
        ("POST", "https://api.permutive.com/ctx/v1/segment", True),
        ("POST", "https://api.permutive.app/ccs/v1/segmentation/stateless", True),
        ("PUT", "https://api.permutive.com/v2.0/identify", False),
        ("PATCH", "https://api.permutive.app/audience-api/v1/imports/1/segments", False),
        ("PATCH", "http://127.0.0.1/audience-api/v1/imports/1/segments/?k=1", False),
        ("PATCH", "https://api.permutive.app/audience-api/v1/imports/1/segments/2", True),
        ("DELETE", "https://api.permutive.app/audience-api/v1/imports/1/segments", True),
        ("GET", "https://[::1/v2.0/identify", False),
    ],
)
def test_what_is_harmless_to_repeat(verb: str, url: str, harmless: bool) -> None:
    """GET, DELETE, PATCH of one object, and POST to three endpoints, are harmless to repeat."""
    assert is_repeatable(verb, url) is harmless


@for_each(
    ("status", "whatever", "harmless"),
    [(429, True, True), (503, True, True)]
    + [(status, False, True) for status in (500, 501, 502, 504, 511, 520, 524, 599)]
    + [
        (status, False, False) for status in (200, 301, 400, 401, 403, 404, 408, 409, 422, 499, 600)
    ],
)
def test_statuses_worth_repeating(status: int, whatever: bool, harmless: bool) -> None:
    """429 and 503 are always repeated, other 5xx only if repeating is harmless."""
    assert is_worth_repeating(status, repeats_5xx=False) is whatever
    assert is_worth_repeating(status, repeats_5xx=True) is harmless


# --- What a failure means ------------------------------------------------------------------------------

_POOL: Any = SimpleNamespace(host="h", port=80)


def _wrapped(reason: Exception, kind: Any = requests.ConnectionError) -> Exception:
    return kind(urllib3_errors.MaxRetryError(_POOL, "/x?k=1", reason))


CONNECT_TIMEOUT = urllib3_errors.ConnectTimeoutError("slow")
REFUSED = urllib3_errors.NewConnectionError(_POOL, "refused")
CERTIFICATE = urllib3_errors.SSLError(ssl.SSLCertVerificationError("self-signed"))

FAILURES = [
    (requests.RequestException("?"), Outcome.UNKNOWN, False),
    (requests.ConnectionError("reset"), Outcome.UNKNOWN, False),
    (requests.ReadTimeout("slow"), Outcome.UNKNOWN, True),
    (requests.Timeout("slow"), Outcome.UNKNOWN, True),
    (requests.ConnectTimeout("slow"), Outcome.NOT_SENT, True),
    (requests.exceptions.ChunkedEncodingError("cut"), Outcome.UNKNOWN, False),
    (_wrapped(REFUSED), Outcome.NOT_SENT, False),
    (_wrapped(CONNECT_TIMEOUT), Outcome.NOT_SENT, True),
    (
        _wrapped(urllib3_errors.ProxyError("down", OSError()), requests.exceptions.ProxyError),
        Outcome.UNKNOWN,
        False,
    ),
    (
        _wrapped(
            urllib3_errors.ProxyError("down", OSError("Tunnel connection failed: 407")),
            requests.exceptions.ProxyError,
        ),
        Outcome.NOT_SENT,
        False,
    ),
    (
        _wrapped(urllib3_errors.ProxyError("down", REFUSED), requests.exceptions.ProxyError),
        Outcome.NOT_SENT,
        False,
    ),
    (_wrapped(CERTIFICATE, requests.exceptions.SSLError), Outcome.UNTRUSTED_CERTIFICATE, False),
    (requests.exceptions.SSLError("handshake"), Outcome.UNKNOWN, False),
    (
        requests.exceptions.SSLError("[SSL] certificate verify failed: self-signed"),
        Outcome.UNTRUSTED_CERTIFICATE,
        False,
    ),
    (
        requests.exceptions.SSLError(
            "(Caused by SSLError(CertificateError(\"hostname 'h' doesn't match\")))"
        ),
        Outcome.UNTRUSTED_CERTIFICATE,
        False,
    ),
    (requests.ConnectionError("Certificate verify failed"), Outcome.UNKNOWN, False),
    (ConnectionRefusedError("no"), Outcome.NOT_SENT, False),
    (OSError("no route"), Outcome.UNKNOWN, False),
    (
        requests.ConnectionError(urllib3_errors.ReadTimeoutError(_POOL, "/x", "Read timed out.")),
        Outcome.UNKNOWN,
        True,
    ),
    (
        requests.ConnectionError(urllib3_errors.ProtocolError("cut", ConnectionResetError())),
        Outcome.UNKNOWN,
        False,
    ),
    (requests.exceptions.InvalidURL("?"), Outcome.INVALID_REQUEST, False),
    (requests.exceptions.MissingSchema("?"), Outcome.INVALID_REQUEST, False),
    (requests.exceptions.InvalidSchema("?"), Outcome.INVALID_REQUEST, False),
    (requests.exceptions.InvalidHeader("?"), Outcome.INVALID_REQUEST, False),
    (requests.exceptions.InvalidJSONError("?"), Outcome.INVALID_REQUEST, False),
    (requests.exceptions.TooManyRedirects("?"), Outcome.UNKNOWN, False),
    (requests.exceptions.URLRequired("?"), Outcome.INVALID_REQUEST, False),
    (urllib3_errors.LocationParseError("?"), Outcome.INVALID_REQUEST, False),
    (UnicodeError("label too long"), Outcome.INVALID_REQUEST, False),
    (
        requests.exceptions.InvalidHeader(urllib3_errors.InvalidHeader("2, 3")),
        Outcome.UNKNOWN,
        False,
    ),
]


@for_each(("error", "outcome", "timeout"), FAILURES)
def test_what_a_failure_means(error: Any, outcome: Outcome, timeout: bool) -> None:
    """Each kind of failure tells whether the request may have been processed, and whether it was a time-out."""
    assert outcome_of(error) is outcome
    assert is_timeout(error) is timeout


def test_errors_that_hold_each_other() -> None:
    """Errors that name each other as their reason do not cause an endless loop."""
    one: Any = requests.ConnectionError("one")
    other: Any = OSError("other")
    one.reason, other.reason = other, one
    assert outcome_of(one) is Outcome.UNKNOWN
    one.reason, one.args, other.reason = REFUSED, (other,), one
    assert outcome_of(one) is Outcome.NOT_SENT


# --- Waiting ---------------------------------------------------------------------------------------

DATE = "Tue, 01 Jul 2025 12:00:30 GMT"


@for_each(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("1000", 1000.0),
        ("\t42 ", 42.0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        (DATE, 30.0),
        ("Tue, 01 Jul 2025 14:00:30 +0200", 30.0),
        ("Tue, 01 Jul 2025 12:00:30 -0000", 30.0),
        ("Tuesday, 01-Jul-25 12:00:30 GMT", 30.0),
        ("Tue, 01 Jul 2025 11:00:00 GMT", 0.0),
        ("", None),
        (" ", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1,5", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("12 s", None),
        ("Tue, 99 Jul 2025 12:00:30 GMT", None),
        ("Tue, 01 Jul 99999 12:00:30 GMT", None),
        ("Tue, 01 Jul 99999999999999999999 12:00:30 GMT", None),
        ("Tue, 99999999999999999999 Jul 2025 12:00:30 GMT", None),
        ("Tue, 01 Jul 2025 12:00:30 +9999999999999999", None),
        ("٣", None),
        (None, None),
        (3, 3.0),
        (True, None),
    ],
)
def test_retry_after(value: Any, seconds: Optional[float]) -> None:
    """Whole and fractional seconds and HTTP dates are read; junk is ignored."""
    assert parse_retry_after(value, NOW) == seconds


def test_endless_retry_after() -> None:
    """A number that is too large for a float is an infinite wait, not a crash."""
    assert parse_retry_after("9" * 400, NOW) == math.inf


def _answer(status: int, retry_after: Optional[str] = None) -> Any:
    response = requests.Response()
    response.status_code = status
    if retry_after is not None:
        response.headers["retry-after"] = retry_after
    return response


POLICY = RetryConfig(5, 2.0, 1.0)


def _wait_after(answer: Any, retries: int = 0, jitter: float = 0.0) -> float:
    asked = retry_after_of(answer, NOW)
    return wait_after_response(POLICY, retries, answer.status_code, asked, jitter)


@for_each("status", [429, 503])
@for_each("value", ["7", "7.0", "Tue, 01 Jul 2025 12:00:07 GMT"])
def test_retry_after_counts(status: int, value: str) -> None:
    """After 429 and 503, Retry-After is the wait, however long it is."""
    assert _wait_after(_answer(status, value)) == 7.0
    assert _wait_after(_answer(status, "500")) == 500.0


@for_each(
    "answer",
    [
        _answer(500, "7"),
        _answer(502, "7"),
        _answer(429),
        _answer(503, "soon"),
        SimpleNamespace(status_code=429),
        SimpleNamespace(status_code=503, headers=None),
    ],
)
def test_the_policys_wait_counts(answer: Any) -> None:
    """Without a readable Retry-After, or after another status, the policy's own wait is used."""
    for retries in range(4):
        wait = _wait_after(answer, retries, jitter=1.0)
        assert 2.0**retries <= wait <= 1.25 * 2.0**retries


@for_each(
    ("policy", "retries", "jitter", "seconds"),
    [
        (POLICY, 0, 0.0, 1.0),
        (POLICY, 3, 0.0, 8.0),
        (POLICY, 3, 1.0, 10.0),
        (RetryConfig(3, 1.0, 0.5), 9, 0.0, 0.5),
        (RetryConfig(3, 2.0, 0.0), 5, 1.0, 0.0),
        (RetryConfig(9999, 2.0, 0.0), 5000, 1.0, 0.0),
        (RetryConfig(9999, 2.0, 1.0), 5000, 0.0, 120.0),
        (RetryConfig(3, 10.0, 1e300), 2, 0.0, 120.0),
        (RetryConfig(3, 10**400, 1), 1, 0.0, 120.0),
        (POLICY, 30, 0.0, 120.0),
    ],
)
def test_backoff(policy: RetryConfig, retries: int, jitter: float, seconds: float) -> None:
    """The wait is initial_delay * backoff_factor^n with jitter, and at most 120 s."""
    assert backoff_seconds(policy, retries, jitter) == seconds


def test_date_without_zone_is_utc() -> None:
    """A date without a time zone counts as UTC."""
    later = NOW + timedelta(seconds=5)
    assert parse_retry_after(later.strftime("%a, %d %b %Y %H:%M:%S"), NOW) == 5.0


@for_each(
    ("status", "asked", "throttled"),
    [
        (429, None, True),
        (429, 0.0, True),
        (503, 0.0, True),
        (503, None, False),
        (500, 1.0, False),
        (200, None, False),
    ],
)
def test_refusals_of_a_limit(status: int, asked: Optional[float], throttled: bool) -> None:
    """A response is the refusal of a limit if it is 429, or 503 that says how long to wait."""
    assert is_throttled(status, asked) is throttled


@for_each(("seconds", "patient"), [(0, True), (120, True), (121, False)])
def test_patience(seconds: float, patient: bool) -> None:
    """Refusals use up no attempt for two minutes after the service last accepted something."""
    assert refusals_are_free(seconds) is patient


def test_a_path_that_speaks_of_certificates() -> None:
    """Only the text of the error itself says whether a certificate is invalid, not the path."""
    text = "Max retries exceeded with url: /certificate (Caused by SSLEOFError())"
    assert outcome_of(requests.exceptions.SSLError(text)) is Outcome.UNKNOWN
