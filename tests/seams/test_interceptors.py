"""The packages ``responses`` and ``requests-mock`` intercept every call, batches and errors too."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import requests_mock as requests_mock_package
import responses as responses_package

from PermutiveAPI import (
    Cohort,
    Event,
    Identity,
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    Segment,
    Segmentation,
)
from PermutiveAPI._Utils import http
from tests.support.calls import ALL_CALLS, COHORT, SEGMENT, WireCall, every
from tests.support.fake_service import FakeService
from tests.support.fakes import COHORTS, IDENTIFY, IMPORTS, KEY, SEGMENTATION

SEGMENTS = f"{IMPORTS}/i-1/segments"
PAGE = {"elements": [SEGMENT], "pagination": {}}
ANSWER = {"user_id": "u", "cohorts": ["1"]}
READ_AND_CREATE = [call for call in ALL_CALLS if call.name in ("Cohort.list", "Cohort.create")]


def _cohort() -> Cohort:
    return Cohort("Readers", id="c-1", query={"type": "users"})


def _segmentation() -> Segmentation:
    return Segmentation([Event("Pageview", "2025-07-01T15:39:11.594Z")], "u")


def url_of(call: WireCall) -> Any:
    """Return the URL of a call, at one of the two hosts of the service."""
    return re.compile(rf"https://api\.permutive\.(app|com){re.escape(call.path)}(\?|$)")


def content_of(call: WireCall) -> bytes:
    """Return the documented body of the answer."""
    return call.answer if isinstance(call.answer, bytes) else json.dumps(call.answer).encode()


def attempts_of(call: WireCall, status: int) -> int:
    """Return how often a call is made."""
    return 3 if status in (429, 503) or (status == 500 and call.harmless) else 1


@pytest.fixture
def mocked() -> Iterator[responses_package.RequestsMock]:
    """The package ``responses``; what is registered must be called."""
    with responses_package.RequestsMock() as running:
        yield running


# --- responses -------------------------------------------------------------------------------------


@every()
def test_responses_intercepts(call: WireCall, mocked: responses_package.RequestsMock) -> None:
    """The package ``responses`` answers every call, and sees the key."""
    mocked.add(call.method, url_of(call), body=content_of(call), status=call.status)
    call(api_key=KEY)
    [sent] = mocked.calls
    request: Any = sent.request
    assert parse_qs(urlsplit(request.url).query)["k"] == [KEY]
    assert request.headers["User-Agent"].startswith("PermutiveAPI/")
    assert request.headers["Accept"] == "application/json"


ERRORS: Dict[int, Any] = {
    400: PermutiveBadRequestError,
    401: PermutiveAuthenticationError,
    403: PermutiveAuthenticationError,
    404: PermutiveResourceNotFoundError,
    409: PermutiveConflictError,
    422: PermutiveAPIError,
    429: PermutiveRateLimitError,
    500: PermutiveServerError,
    503: PermutiveServerError,
}


@pytest.mark.parametrize("status", ERRORS)
def test_responses_errors(status: int, waits: List[float]) -> None:
    """The request that was sent has the key, and the error of the intercepted response does not."""
    error = {"request_id": "r", "error": {"code": 7, "cause": "why", "message": "what"}}
    for call in ALL_CALLS if status == 500 else READ_AND_CREATE:
        with responses_package.RequestsMock() as mocked:
            mocked.add(call.method, url_of(call), json=error, status=status)
            found: Any = call.error(KEY)
            assert type(found) is ERRORS[status], call
            assert (found.status, found.code, found.request_id) == (status, 7, "r"), call
            assert "why" in str(found) and "what" in str(found), call
            assert KEY not in f"{found} {found!r} {found.url} {found.response.url}", call
            assert KEY not in str(found.response.request.url), call
            assert "[REDACTED]" in found.url, call
            assert len(mocked.calls) == attempts_of(call, status), call
            assert all(f"k={KEY}" in (sent.request.url or "") for sent in mocked.calls), call


def test_responses_in_turn(mocked: responses_package.RequestsMock, waits: List[float]) -> None:
    """Several registered responses are given to the attempts one after the other."""
    mocked.add("GET", COHORTS, status=500)
    mocked.add("GET", COHORTS, status=429, headers={"Retry-After": "3"})
    mocked.add("GET", COHORTS, json=[COHORT])
    assert len(Cohort.list(KEY)) == 1
    assert len(waits) == 2 and waits[1] == 3.0


@pytest.mark.parametrize("verb, attempts", [("GET", 3), ("POST", 1)])
def test_responses_raising(
    verb: str, attempts: int, mocked: responses_package.RequestsMock, waits: List[float]
) -> None:
    """An exception registered as a body is a failure: a read is repeated, a create is not."""
    mocked.add(verb, COHORTS, body=requests.ConnectionError("boom"))
    with pytest.raises(PermutiveConnectionError, match=f"after {attempts} attempts"):
        if verb == "GET":
            Cohort.list(KEY)
        else:
            _cohort().create(KEY)
    assert len(mocked.calls) == attempts


def test_responses_matchers(mocked: responses_package.RequestsMock) -> None:
    """Matchers of query and JSON body match what is sent."""
    matchers = responses_package.matchers
    mocked.add(
        "POST",
        SEGMENTATION,
        json=ANSWER,
        match=[
            matchers.query_param_matcher(
                {"k": KEY, "activations": "true", "synchronous-validation": "false"}
            ),
            matchers.json_params_matcher(
                {
                    "user_id": "u",
                    "events": [
                        {"name": "Pageview", "time": "2025-07-01T15:39:11.594Z", "properties": {}}
                    ],
                }
            ),
        ],
    )
    assert _segmentation().send(KEY, activations=True) == ANSWER


def test_responses_unregistered(waits: List[float]) -> None:
    """A call that is not registered fails and is not sent."""
    with responses_package.RequestsMock():
        with pytest.raises(PermutiveConnectionError):
            Cohort.list(KEY)


@responses_package.activate
def test_responses_as_a_decorator() -> None:
    """The decorator of ``responses`` works like its context manager."""
    responses_package.get(COHORTS, json=[COHORT])
    assert Cohort.list(KEY)[0].name == "Readers"
    assert responses_package.assert_call_count(f"{COHORTS}?k={KEY}", 1)


def test_responses_with_many_workers(mocked: responses_package.RequestsMock) -> None:
    """Every request of a large batch is intercepted, on every worker."""
    mocked.add("POST", IDENTIFY, json={"user_id": "u"})
    identities = [Identity(f"u{n}", []) for n in range(100)]
    found, failures = Identity.batch_identify(identities, api_key=KEY, max_workers=8)
    assert (len(found), failures, len(mocked.calls)) == (100, [], 100)
    sent = {json.loads(cast(bytes, each.request.body))["user_id"] for each in mocked.calls}
    assert sent == {f"u{n}" for n in range(100)}


def test_responses_follows_the_base_url(
    mocked: responses_package.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PERMUTIVE_API_BASE_URL decides where the intercepted call goes."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "http://localhost:8080")
    mocked.add("GET", "http://localhost:8080/cohorts-api/v2/cohorts/", json=[])
    assert Cohort.list(KEY) == []


def test_removing_responses(server: FakeService) -> None:
    """When ``responses`` has stopped, calls reach the service over the pool again."""
    http.get(KEY, f"{server.url}/x")
    with responses_package.RequestsMock() as mocked:
        mocked.add("GET", f"{server.url}/x", json={})
        http.get(KEY, f"{server.url}/x")
    http.get(KEY, f"{server.url}/x")
    assert len(server.received) == 2
    assert server.connections == 1


# --- requests-mock -----------------------------------------------------------------------------------


def test_requests_mock_intercepts() -> None:
    """The package ``requests-mock`` answers every call, and sees the key."""
    for call in ALL_CALLS:
        with requests_mock_package.Mocker() as mocked:
            mocked.register_uri(
                call.method, url_of(call), content=content_of(call), status_code=call.status
            )
            call(api_key=KEY)
        assert mocked.call_count == 1, call
        assert mocked.last_request.qs["k"] == [KEY], call


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 500])
def test_requests_mock_errors(status: int, waits: List[float]) -> None:
    """The request that was sent has the key, and the error of a ``requests-mock`` response does not."""
    for call in ALL_CALLS if status == 404 else READ_AND_CREATE:
        with requests_mock_package.Mocker() as mocked:
            mocked.register_uri(call.method, url_of(call), status_code=status, text="plain words")
            found: Any = call.error(KEY)
        assert type(found) is ERRORS[status] and "plain words" in str(found), call
        assert KEY not in f"{found!r} {found.url}", call
        assert all(f"k={KEY}" in each.url for each in mocked.request_history), call
        assert mocked.call_count == attempts_of(call, status), call


def test_requests_mock_fixture(requests_mock: Any) -> None:
    """The pytest fixture ``requests_mock`` answers page after page."""
    first = {"elements": [SEGMENT], "pagination": {"next_token": "two"}}
    requests_mock.get(SEGMENTS, json=first)
    requests_mock.get(f"{SEGMENTS}?pagination_token=two", json=PAGE)
    assert len(Segment.list("i-1", KEY)) == 2
    assert requests_mock.call_count == 2


def test_requests_mock_raising(waits: List[float]) -> None:
    """An exception registered with ``exc`` is a failure, after which a read is repeated."""
    with requests_mock_package.Mocker() as mocked:
        mocked.get(COHORTS, exc=requests.exceptions.ConnectTimeout)
        with pytest.raises(PermutiveConnectionError, match="after 3 attempts"):
            Cohort.list(KEY)
    assert mocked.call_count == 3


def test_removing_requests_mock(server: FakeService) -> None:
    """When ``requests-mock`` has stopped, calls reach the service over the pool again."""
    http.get(KEY, f"{server.url}/x")
    with requests_mock_package.Mocker() as mocked:
        mocked.get(f"{server.url}/x", json={})
        http.get(KEY, f"{server.url}/x")
    http.get(KEY, f"{server.url}/x")
    assert len(server.received) == 2
    assert server.connections == 1


def test_success_without_json() -> None:
    """A 2xx answer that is not JSON where JSON is documented is a PermutiveAPIError."""
    for call in ALL_CALLS:
        with requests_mock_package.Mocker() as mocked:
            mocked.register_uri(call.method, url_of(call), text="not json")
            if not call.reads:
                call(api_key=KEY)
                continue
            found: Any = call.error(KEY)
        assert isinstance(found, PermutiveAPIError) and found.status == 200, call
        assert found.__cause__ is None and found.__context__ is None, call
