"""The packages ``responses`` and ``requests-mock`` intercept every call, batches and errors too."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple, cast
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import requests_mock as requests_mock_package
import responses as responses_package

from PermutiveAPI import (
    Alias,
    Cohort,
    Event,
    Identity,
    Import,
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
    Workspace,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.retry.policy import is_repeatable
from tests.support.calls import COHORT, IMPORT, SEGMENT
from tests.support.fake_service import FakeService
from tests.support.fakes import COHORTS, IDENTIFY, IMPORTS, KEY, SEGMENTATION

SEGMENTS = f"{IMPORTS}/i-1/segments"
Case = Tuple[str, Callable[[], Any], str, str, Any]


def _cohort() -> Cohort:
    return Cohort("Readers", id="c-1", query={"type": "users"})


def _segment() -> Segment:
    return Segment("1234", "Flyers", "i-1", id="s-1")


def _identity() -> Identity:
    return Identity("u", [Alias("a", "email", 0)])


def _segmentation() -> Segmentation:
    return Segmentation([Event("Pageview", "2025-07-01T15:39:11.594Z")], "u")


def _workspace() -> Workspace:
    return Workspace("n", "o", "w", KEY)


PAGE = {"elements": [SEGMENT], "pagination": {}}
ANSWER = {"user_id": "u", "cohorts": ["1"]}

# The name of the case, the call, and the one request that it makes.
CASES: List[Case] = [
    ("Cohort.list", lambda: Cohort.list(KEY), "GET", COHORTS, [COHORT]),
    ("Cohort.get_by_id", lambda: Cohort.get_by_id("c-1", KEY), "GET", "c-1", COHORT),
    ("Cohort.create", lambda: _cohort().create(KEY), "POST", COHORTS, COHORT),
    ("Cohort.update", lambda: _cohort().update(KEY), "PATCH", "c-1", COHORT),
    ("Cohort.delete", lambda: _cohort().delete(KEY), "DELETE", "c-1", None),
    ("Segment.list", lambda: Segment.list("i-1", KEY), "GET", SEGMENTS, PAGE),
    (
        "Segment.get_by_id",
        lambda: Segment.get_by_id("i-1", "s-1", KEY),
        "GET",
        f"{SEGMENTS}/s-1",
        SEGMENT,
    ),
    (
        "Segment.get_by_code",
        lambda: Segment.get_by_code("i-1", "1234", KEY),
        "GET",
        f"{SEGMENTS}/code/1234",
        SEGMENT,
    ),
    ("Segment.create", lambda: _segment().create(KEY), "POST", SEGMENTS, SEGMENT),
    ("Segment.update", lambda: _segment().update(KEY), "PATCH", f"{SEGMENTS}/s-1", SEGMENT),
    ("Segment.delete", lambda: _segment().delete(KEY), "DELETE", f"{SEGMENTS}/s-1", SEGMENT),
    ("Import.list", lambda: Import.list(KEY), "GET", IMPORTS, {"items": [IMPORT]}),
    ("Import.get_by_id", lambda: Import.get_by_id("i-1", KEY), "GET", f"{IMPORTS}/i-1", IMPORT),
    ("Identity.identify", lambda: _identity().identify(KEY), "POST", IDENTIFY, {}),
    ("Segmentation.send", lambda: _segmentation().send(KEY), "POST", SEGMENTATION, ANSWER),
    ("Workspace.cohorts", lambda: _workspace().cohorts(), "GET", COHORTS, [COHORT]),
    ("Workspace.imports", lambda: _workspace().imports(), "GET", IMPORTS, [IMPORT]),
    ("Workspace.segments", lambda: _workspace().segments("i-1"), "GET", SEGMENTS, PAGE),
]
BATCHES: List[Case] = [
    (
        "Cohort.batch_create",
        lambda: Cohort.batch_create([_cohort()], api_key=KEY),
        "POST",
        COHORTS,
        COHORT,
    ),
    (
        "Cohort.batch_update",
        lambda: Cohort.batch_update([_cohort()], api_key=KEY),
        "PATCH",
        "c-1",
        COHORT,
    ),
    (
        "Cohort.batch_delete",
        lambda: Cohort.batch_delete([_cohort()], api_key=KEY),
        "DELETE",
        "c-1",
        None,
    ),
    (
        "Segment.batch_create",
        lambda: Segment.batch_create([_segment()], api_key=KEY),
        "POST",
        SEGMENTS,
        SEGMENT,
    ),
    (
        "Segment.batch_update",
        lambda: Segment.batch_update([_segment()], api_key=KEY),
        "PATCH",
        f"{SEGMENTS}/s-1",
        SEGMENT,
    ),
    (
        "Segment.batch_delete",
        lambda: Segment.batch_delete([_segment()], api_key=KEY),
        "DELETE",
        f"{SEGMENTS}/s-1",
        SEGMENT,
    ),
    (
        "Import.batch_get_by_id",
        lambda: Import.batch_get_by_id(["i-1"], api_key=KEY),
        "GET",
        f"{IMPORTS}/i-1",
        IMPORT,
    ),
    (
        "Identity.batch_identify",
        lambda: Identity.batch_identify([_identity()], api_key=KEY),
        "POST",
        IDENTIFY,
        {},
    ),
    (
        "Segmentation.batch_send",
        lambda: Segmentation.batch_send([_segmentation()], api_key=KEY),
        "POST",
        SEGMENTATION,
        ANSWER,
    ),
]


def _url(text: str) -> str:
    return text if text.startswith("https://") else COHORTS + text


def _ids(cases: List[Case]) -> List[str]:
    return [each[0] for each in cases]


@pytest.fixture
def mocked() -> Iterator[responses_package.RequestsMock]:
    """The package ``responses``; what is registered must be called."""
    with responses_package.RequestsMock() as running:
        yield running


# --- responses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, run, verb, url, body", CASES + BATCHES)
def test_responses_intercepts(
    name: str,
    run: Callable[[], Any],
    verb: str,
    url: str,
    body: Any,
    mocked: responses_package.RequestsMock,
) -> None:
    """The package ``responses`` answers every call of every model, and sees the key."""
    content = b"" if body is None else json.dumps(body).encode()
    mocked.add(verb, _url(url), body=content, content_type="application/json")
    result = run()
    if ".batch_" in name:
        assert (len(result[0]), result[1]) == (1, [])
    request: Any = mocked.calls[0].request
    assert len(mocked.calls) == 1
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


def each_case_and_each_status(status_of_all: int, statuses: Iterable[int]) -> Any:
    """Parametrize with each case under one status, and a read and a create under each."""
    pairs = [
        pytest.param(case, status, id=f"{case[0]}-{status}")
        for case in CASES
        for status in statuses
        if status == status_of_all or case[0] in ("Cohort.list", "Cohort.create")
    ]
    return pytest.mark.parametrize("case, status", pairs)


@each_case_and_each_status(500, ERRORS)
def test_responses_errors(
    case: Case, status: int, mocked: responses_package.RequestsMock, waits: List[float]
) -> None:
    """The request that was sent has the key, and the error of the intercepted response does not."""
    _, run, verb, url, _ = case
    error = {"request_id": "r", "error": {"code": 7, "cause": "why", "message": "what"}}
    mocked.add(verb, _url(url), json=error, status=status)
    with pytest.raises(ERRORS[status]) as caught:
        run()
    found = caught.value
    assert (found.status, found.code, found.request_id) == (status, 7, "r")
    assert "why" in str(found) and "what" in str(found)
    assert KEY not in f"{found} {found!r} {found.url} {found.response.url}"
    assert KEY not in str(found.response.request.url)
    assert "[REDACTED]" in found.url
    repeated = status in (429, 503) or (status == 500 and is_repeatable(verb, _url(url)))
    assert len(mocked.calls) == (3 if repeated else 1)
    for sent in mocked.calls:
        assert f"k={KEY}" in (sent.request.url or "")


@pytest.mark.parametrize("case", BATCHES, ids=_ids(BATCHES))
def test_responses_errors_in_batches(
    case: Case, mocked: responses_package.RequestsMock, waits: List[float]
) -> None:
    """The failures of a batch have the intercepted error, and the request that was sent has the key."""
    _, run, verb, url, _ = case
    mocked.add(verb, _url(url), json={"error": {"cause": "why"}}, status=500)
    succeeded, ((request, error),) = run()
    assert len(succeeded) == 0
    assert type(error) is PermutiveServerError
    assert request.method == verb
    assert f"k={KEY}" in (mocked.calls[0].request.url or "")
    assert KEY not in repr(request) + repr(error)


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


@pytest.mark.parametrize("name, run, verb, url, body", CASES + BATCHES)
def test_requests_mock_intercepts(
    name: str, run: Callable[[], Any], verb: str, url: str, body: Any
) -> None:
    """The package ``requests-mock`` answers every call of every model, and sees the key."""
    content = b"" if body is None else json.dumps(body).encode()
    with requests_mock_package.Mocker() as mocked:
        mocked.register_uri(verb, _url(url), content=content)
        result = run()
    if ".batch_" in name:
        assert (len(result[0]), result[1]) == (1, [])
    assert mocked.call_count == 1
    assert mocked.last_request.method == verb
    assert mocked.last_request.qs["k"] == [KEY]


@each_case_and_each_status(404, (400, 401, 404, 409, 422, 500))
def test_requests_mock_errors(case: Case, status: int, waits: List[float]) -> None:
    """The request that was sent has the key, and the error of a ``requests-mock`` response does not."""
    _, run, verb, url, _ = case
    with requests_mock_package.Mocker() as mocked:
        mocked.register_uri(verb, _url(url), status_code=status, text="plain words")
        with pytest.raises(ERRORS[status], match="plain words") as caught:
            run()
    assert KEY not in f"{caught.value!r} {caught.value.url}"
    assert all(f"k={KEY}" in each.url for each in mocked.request_history)
    repeated = status == 500 and is_repeatable(verb, _url(url))
    assert mocked.call_count == (3 if repeated else 1)


@pytest.mark.parametrize("case", BATCHES, ids=_ids(BATCHES))
def test_requests_mock_errors_in_batches(case: Case) -> None:
    """The failures of a batch have the error of a ``requests-mock`` response."""
    _, run, verb, url, _ = case
    with requests_mock_package.Mocker() as mocked:
        mocked.register_uri(verb, _url(url), status_code=404)
        succeeded, failures = run()
    assert (len(succeeded), len(failures)) == (0, 1)
    assert f"k={KEY}" in mocked.last_request.url


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


@pytest.mark.parametrize(
    "case",
    [each for each in CASES if each[4] is not None and each[0] != "Identity.identify"],
    ids=lambda case: case[0],
)
def test_success_without_json(case: Case) -> None:
    """A 2xx answer that is not JSON where JSON is documented is a PermutiveAPIError."""
    name, run, verb, url, _ = case
    with requests_mock_package.Mocker() as mocked:
        mocked.register_uri(verb, _url(url), text="not json")
        if name == "Segment.delete":
            assert run() is None  # Nothing is read there.
        else:
            with pytest.raises(PermutiveAPIError) as caught:
                run()
            assert caught.value.status == 200
            assert caught.value.__cause__ is None and caught.value.__context__ is None
