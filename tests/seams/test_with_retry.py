"""``_with_retry`` called directly, with any callable."""

from __future__ import annotations

import functools
import logging
from typing import Any, List

import pytest
import requests
import requests_mock as requests_mock_package

from PermutiveAPI import (
    PermutiveAPIError,
    PermutiveConnectionError,
    PermutiveRateLimitError,
    PermutiveServerError,
    PermutiveTimeoutError,
    RetryConfig,
)
from PermutiveAPI._Utils import http
from tests.support.fakes import COHORTS, KEY, URL, Recorder, UrlOnly, bare, with_body


def test_arguments_of_the_method() -> None:
    """A method gets the URL, headers, params with the key, and the given keywords, nothing else."""
    method = Recorder(bare(200))
    response = http._with_retry(method, URL, KEY, params={"p": "1"}, json={"b": 2}, timeout=4)
    assert response is method.answers[0]
    assert method.calls == [
        (
            (URL,),
            {
                "headers": http.DEFAULT_HEADERS,
                "params": {"p": "1", "k": KEY},
                "json": {"b": 2},
                "timeout": 4,
            },
        )
    ]


def test_fewest_arguments_of_the_method() -> None:
    """Without keywords, a method gets only headers and params, so a small function is enough."""

    def method(url: str, headers: Any, params: Any) -> requests.Response:
        assert (url, params) == (URL, {"k": KEY})
        return bare(200)

    assert http._with_retry(method, URL, KEY).status_code == 200


def test_the_callers_dicts_stay_as_they_are() -> None:
    """The caller's params and headers do not change; the method gets new dictionaries that hide the key."""
    params, headers = {"p": "1"}, {"H": "1"}
    method = Recorder(bare(200))
    http._with_retry(method, URL, KEY, params=params, headers=headers)
    assert (params, headers) == ({"p": "1"}, {"H": "1"})
    kwargs = method.calls[0][1]
    assert kwargs["params"] is not params and isinstance(kwargs["params"], dict)
    assert (kwargs["params"], kwargs["headers"]) == ({"p": "1", "k": KEY}, {"H": "1"})
    assert repr(kwargs["params"]) == "{'p': '1', 'k': '[REDACTED]'}"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_success(status: int, waits: List[float]) -> None:
    """Every 2xx status of a bare response returns at once."""
    method = Recorder(bare(status))
    assert http._with_retry(method, URL, KEY) is method.answers[0]
    assert (len(method.calls), waits) == (1, [])


@pytest.mark.parametrize("status", [301, 302, 304, 307, 400, 401, 403, 404, 405, 409])
def test_no_second_attempt(status: int, waits: List[float]) -> None:
    """Other statuses raise at once, 3xx too."""
    method = Recorder(bare(status))
    with pytest.raises(PermutiveAPIError) as caught:
        http._with_retry(method, URL, KEY)
    assert caught.value.status == status
    assert (len(method.calls), waits) == (1, [])


@pytest.mark.parametrize("status", [429, 500, 501, 502, 503, 504, 599])
def test_attempts_count_the_first(status: int, waits: List[float]) -> None:
    """``max_retries`` counts attempts; there is a wait between two and none after the last."""
    expected = PermutiveRateLimitError if status == 429 else PermutiveServerError
    for attempts in (1, 2, 5):
        waits.clear()
        method = Recorder(bare(status))
        with pytest.raises(expected):
            http._with_retry(method, URL, KEY, retry=RetryConfig(max_retries=attempts))
        assert (len(method.calls), len(waits)) == (attempts, attempts - 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda recorder: recorder,
        lambda recorder: lambda *args, **kwargs: recorder(*args, **kwargs),
        lambda recorder: functools.partial(recorder),
        lambda recorder: recorder.__call__,
    ],
    ids=["object", "lambda", "partial", "bound method"],
)
@pytest.mark.parametrize(
    "failure",
    [
        requests.RequestException("boom"),
        requests.ConnectionError("boom"),
        requests.ReadTimeout("boom"),
    ],
)
def test_any_callable_is_harmless_to_repeat(
    make: Any, failure: Exception, waits: List[float]
) -> None:
    """A method that is not a function of one of the four verbs is repeated after any failure."""
    recorder = Recorder(failure)
    with pytest.raises(PermutiveConnectionError) as caught:
        http._with_retry(make(recorder), URL, KEY)
    assert str(caught.value) == "Request failed after 3 attempts: boom"
    assert "unknown" not in str(caught.value)
    assert (len(recorder.calls), len(waits)) == (3, 2)


def test_a_failure_then_an_answer(waits: List[float]) -> None:
    """A failure that is followed by an answer returns the answer."""
    method = Recorder(requests.RequestException("boom"), bare(503), bare(200))
    assert http._with_retry(method, URL, KEY).status_code == 200
    assert len(waits) == 2


@pytest.mark.parametrize("failure", [requests.ReadTimeout("slow"), requests.ConnectTimeout("slow")])
def test_timeouts_have_their_own_error(failure: Any, waits: List[float]) -> None:
    """A failure by a time limit is a PermutiveTimeoutError with the failure's text."""
    with pytest.raises(PermutiveTimeoutError, match="after 3 attempts: slow$"):
        http._with_retry(Recorder(failure), URL, KEY)


def test_one_error_record(waits: List[float], caplog: pytest.LogCaptureFixture) -> None:
    """If no attempt gets a response, there is one ERROR record, with the error's text."""
    failure = requests.ConnectionError(f"no route to {URL}?k={KEY}")
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(PermutiveConnectionError) as caught:
            http._with_retry(Recorder(failure), URL, KEY)
    errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [each.getMessage() for each in errors] == [str(caught.value)]
    assert errors[0].name == "PermutiveAPI"
    assert str(caught.value) == (f"Request failed after 3 attempts: no route to {URL}?k=[REDACTED]")
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "failure",
    [
        requests.exceptions.MissingSchema("no scheme"),
        requests.exceptions.InvalidURL("no host"),
        requests.exceptions.InvalidJSONError("NaN"),
    ],
)
def test_mistakes_are_not_repeated(failure: Exception, waits: List[float]) -> None:
    """A mistake of the caller is never tried again."""
    method = Recorder(failure)
    with pytest.raises(PermutiveAPIError):
        http._with_retry(method, URL, KEY)
    assert (len(method.calls), waits) == (1, [])


@pytest.mark.parametrize("failure", [ValueError("v"), KeyError("k"), RuntimeError("r")])
def test_other_exceptions_pass(failure: Exception, waits: List[float]) -> None:
    """An exception that is not a failure of requests is raised unchanged."""
    method = Recorder(failure)
    with pytest.raises(type(failure)) as caught:
        http._with_retry(method, URL, KEY)
    assert caught.value is failure
    assert (len(method.calls), waits) == (1, [])


def test_answers_with_a_url_only_request(waits: List[float]) -> None:
    """Responses whose request has only a URL are retried and mapped like any other."""
    busy: Any = with_body(503, b"down for repairs")
    busy.request = UrlOnly(f"{URL}?k={KEY}")
    with pytest.raises(PermutiveServerError, match="down for repairs") as caught:
        http._with_retry(Recorder(busy), URL, KEY)
    assert caught.value.url == f"{URL}?k=[REDACTED]"
    assert len(waits) == 2


def test_without_request_the_error_names_the_address() -> None:
    """The error of a response without a request has the URL that was called."""
    with pytest.raises(PermutiveAPIError) as caught:
        http._with_retry(Recorder(bare(404)), URL, KEY)
    assert caught.value.url == URL


def test_no_exception_is_chained() -> None:
    """An error chains no failure of requests, whose text would show the key."""
    failure = requests.ConnectionError(f"{URL}?k={KEY}")
    with pytest.raises(PermutiveConnectionError) as caught:
        http._with_retry(Recorder(failure), URL, KEY)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert KEY not in repr(caught.value)


def test_a_refusal_that_a_fake_reports() -> None:
    """A refused connection that a fake reports surely never reached the service."""
    calls: list[str] = []

    def refuse(url: str, **arguments: Any) -> requests.Response:
        calls.append(url)
        raise requests.ConnectionError(ConnectionRefusedError(111, "refused"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "post", refuse)
        with pytest.raises(PermutiveConnectionError, match="after 3 attempts"):
            http.post(KEY, "https://api.permutive.app/x", {})
    assert len(calls) == 3


def test_an_invalid_certificate_that_a_fake_reports() -> None:
    """An invalid certificate that a fake reports is not tried again."""
    calls: list[str] = []

    def refuse(url: str, **arguments: Any) -> requests.Response:
        calls.append(url)
        raise requests.exceptions.SSLError("certificate verify failed")

    with pytest.raises(PermutiveConnectionError, match="after 1 attempts"):
        http._with_retry(refuse, "https://api.permutive.app/x", KEY)
    assert len(calls) == 1


def test_policies_are_used_as_given(waits: List[float]) -> None:
    """A RetryConfig, and a subclass of it, is taken as the policy of one call."""

    class Mine(RetryConfig):
        pass

    with requests_mock_package.Mocker() as service:
        service.get(COHORTS, status_code=500)
        with pytest.raises(PermutiveServerError):
            http.request("GET", KEY, COHORTS, retry=Mine(max_retries=2))
    assert (service.call_count, len(waits)) == (2, 1)
