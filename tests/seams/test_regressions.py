"""Defects that were found by attacking the library, each with the sentence that it broke."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Type
from unittest.mock import MagicMock, Mock, patch

import pytest
import requests
import requests_mock as requests_mock_package

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    CohortList,
    Event,
    Identity,
    Import,
    ImportList,
    PermutiveAPIError,
    PermutiveBadRequestError,
    PermutiveConnectionError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    PermutiveTimeoutError,
    RetryConfig,
    Segment,
    Segmentation,
    Workspace,
)
from PermutiveAPI._Utils import http
from tests.support.fakes import COHORT, COHORTS, IMPORTS, KEY, SEGMENT, URL, OnlyJson

# --- Mocks as answers ------------------------------------------------------------------------------

STATUSES: Dict[int, Any] = {
    400: PermutiveBadRequestError,
    404: PermutiveResourceNotFoundError,
    418: PermutiveAPIError,
    429: PermutiveRateLimitError,
    500: PermutiveServerError,
}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("spec", [None, requests.Response])
@pytest.mark.parametrize("make", [Mock, MagicMock])
def test_raise_for_status_takes_mocks(make: Type[Mock], spec: Any, status: int) -> None:
    """``raise_for_status`` maps a mock that has a status code and nothing else, also one with a spec."""
    answer = make(spec=spec, status_code=status)
    with pytest.raises(STATUSES[status]) as caught:
        http.raise_for_status(RuntimeError("x"), answer)
    assert type(caught.value) is STATUSES[status]
    assert caught.value.status == status
    assert caught.value.response is answer


@pytest.mark.parametrize("spec", [None, requests.Response])
@pytest.mark.parametrize("make", [Mock, MagicMock])
def test_with_retry_takes_mocks(make: Type[Mock], spec: Any, waits: List[float]) -> None:
    """Mocks with a status code are retried and mapped like any other answer."""
    answers = [make(spec=spec, status_code=status) for status in (500, 429, 400)]
    with pytest.raises(PermutiveBadRequestError):
        http._with_retry(Mock(side_effect=answers), URL, KEY)
    assert len(waits) == 2


def test_redaction_takes_mocks() -> None:
    """``_redact_sensitive_data`` takes a mock, whose headers are a mock too."""
    assert http._redact_sensitive_data(f"k={KEY}", Mock()) == "k=[REDACTED]"


@pytest.mark.parametrize(
    "model, read, body",
    [
        (Import, lambda: Import.list(KEY), {"foo": 1}),
        (Import, lambda: Import.get_by_id("i", KEY), []),
        (Cohort, lambda: Cohort.list(KEY), {"foo": 1}),
        (Segment, lambda: Segment.list("i", KEY), []),
    ],
)
def test_specified_mocks_that_cannot_be_read(
    model: Any, read: Callable[[], Any], body: Any
) -> None:
    """An unreadable body of a ``Mock(spec=requests.Response)`` is a ValueError, nothing else touched."""
    answer = Mock(spec=requests.Response)
    answer.json.return_value = body
    with patch.object(model, "_request_helper") as helper:
        helper.get.return_value = answer
        with pytest.raises(ValueError) as caught:
            read()
    assert isinstance(caught.value, PermutiveAPIError)


def test_errors_with_mocks_survive_pickling() -> None:
    """An error with a mock for a response survives pickling, without the mock."""
    answer = Mock(spec=requests.Response, status_code=404)
    with pytest.raises(PermutiveResourceNotFoundError) as caught:
        http.raise_for_status(RuntimeError("x"), answer)
    restored = pickle.loads(pickle.dumps(caught.value))
    assert (type(restored), str(restored)) == (type(caught.value), str(caught.value))
    assert (restored.status, restored.response) == (404, None)


# --- Answers of a wrong kind ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        [],
        None,
        "text",
        5,
        {"elements": 5},
        {"elements": "ab"},
        {"elements": {"a": 1}},
        {"elements": [None]},
        {"elements": [5]},
        {"elements": [json.dumps(SEGMENT)]},
        {"elements": [], "pagination": "next"},
        {"elements": [], "pagination": {"next_token": ["a"]}},
        {"elements": [], "pagination": {"next_token": {"a": 1}}},
    ],
)
def test_segment_pages_of_a_wrong_kind(body: Any) -> None:
    """A page of segments that is not as documented is a PermutiveAPIError, never a bare error."""
    with patch.object(Segment, "_request_helper") as helper:
        helper.get.return_value = OnlyJson(body)
        with pytest.raises(PermutiveAPIError):
            Segment.list("i", KEY)
    assert helper.get.call_count == 1


@pytest.mark.parametrize(
    "read",
    [
        lambda: Cohort.get_by_id("c", KEY),
        lambda: Cohort.list(KEY),
        lambda: Import.list(KEY),
        lambda: Segment.get_by_id("i", "s", KEY),
        lambda: Segmentation([Event("e", "t")], "u").send(KEY),
    ],
)
def test_bottomless_answers(read: Callable[[], Any]) -> None:
    """A body that nests too deeply to be decoded is a PermutiveAPIError too."""
    with requests_mock_package.Mocker() as service:
        service.register_uri(
            requests_mock_package.ANY, requests_mock_package.ANY, text="[" * 100_000
        )
        with pytest.raises(PermutiveAPIError):
            read()


def test_listed_cohorts_without_an_id() -> None:
    """With details, a cohort without an id is refused: ``/None`` is never called."""
    nameless = {name: value for name, value in COHORT.items() if name != "id"}
    with patch.object(Cohort, "_request_helper") as helper:
        helper.get.return_value = OnlyJson([nameless])
        with pytest.raises(ValueError, match="id must not be empty"):
            Cohort.list(KEY, include_details=True)
    assert helper.get.call_count == 1


# --- Wrong arguments, before anything is sent ---------------------------------------------------------


WRONG: List[Any] = [
    ("cohorts", lambda: Cohort.batch_create(None, api_key=KEY)),  # type: ignore[arg-type]
    ("cohorts", lambda: Cohort.batch_delete(5, api_key=KEY)),  # type: ignore[arg-type]
    ("segments", lambda: Segment.batch_update("ab", api_key=KEY)),  # type: ignore[arg-type]
    ("identities", lambda: Identity.batch_identify(None, api_key=KEY)),  # type: ignore[arg-type]
    ("requests", lambda: Segmentation.batch_send(None, api_key=KEY)),  # type: ignore[arg-type]
    (
        "requests",
        lambda: http.process_batch(None, api_key=KEY, max_workers=1),  # type: ignore[arg-type]
    ),
    ("ids", lambda: Import.batch_get_by_id(None, api_key=KEY)),  # type: ignore[arg-type]
    ("ids", lambda: Import.batch_get_by_id("i-1", api_key=KEY)),
    ("ids", lambda: Import.batch_get_by_id(b"i-1", api_key=KEY)),  # type: ignore[arg-type]
    ("retry", lambda: http.request("GET", KEY, URL, retry=3)),  # type: ignore[arg-type]
    ("retry", lambda: http._with_retry(requests.get, URL, KEY, retry={})),  # type: ignore[arg-type]
    (
        "progress_callback",
        lambda: http.process_batch(
            [BatchRequest("GET", URL)],
            api_key=KEY,
            max_workers=1,
            progress_callback=5,  # type: ignore[arg-type]
        ),
    ),
    ("name", lambda: Cohort.get_by_name("", KEY)),
    ("name", lambda: Cohort.get_by_name(None, KEY)),  # type: ignore[arg-type]
    ("code", lambda: Cohort.get_by_code(None, KEY)),  # type: ignore[arg-type]
    *[
        ("id", lambda id=id: Cohort.get_by_id(id, KEY))  # type: ignore[misc]
        for id in (b"c-1", ["c-1"], {"id": 1}, True, float("nan"), ("c",))
    ],
    ("segment_id", lambda: Segment.get_by_id("i", b"s", KEY)),  # type: ignore[arg-type]
    ("import_id", lambda: Segment.list(float("nan"), KEY)),  # type: ignore[arg-type]
    ("api_key", lambda: Cohort.list(b"key")),  # type: ignore[arg-type]
    ("api_key", lambda: Cohort.batch_delete([Cohort("n", id="1")], api_key=5)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("name, call", WRONG)
def test_wrong_arguments(name: str, call: Callable[[], Any]) -> None:
    """A wrong argument is a ValueError or TypeError that names it, before any request."""
    with requests_mock_package.Mocker() as service:
        with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
            call()
    assert service.call_count == 0


@pytest.mark.parametrize("kind", [iter, tuple, set, dict.fromkeys])
def test_batches_take_any_iterable(kind: Any) -> None:
    """Ids may be any iterable, a generator too; one id is fetched once."""
    with requests_mock_package.Mocker() as service:
        service.get(f"{IMPORTS}/i-1", status_code=404)
        found, failures = Import.batch_get_by_id(kind(["i-1", "i-1"]), api_key=KEY)
    assert (found, len(failures), service.call_count) == ({}, 1, 1)


# --- Failures -----------------------------------------------------------------------------------------


def test_a_refused_connection_is_no_timeout(waits: List[float]) -> None:
    """A refused connection is a PermutiveConnectionError and no PermutiveTimeoutError."""
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(PermutiveConnectionError) as caught:
            http.get(KEY, url)
    assert not isinstance(caught.value, PermutiveTimeoutError)
    assert len(waits) == 2


# --- Redaction ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "k=" + "\\" * 50_000,
        '"k"' + "\\" * 50_000,
        "\\" * 50_000 + '"',
        'k=\\"' + "\\\\" * 25_000,
        '"k": \\"' * 10_000,
        "%6B%3D" * 10_000,
        "k" + "%2527" * 10_000,
        "k" + " " * 50_000,
        "://" * 20_000,
    ],
    ids=range(9),
)
def test_redaction_takes_no_time(text: str) -> None:
    """Whatever the service answers, redacting it takes a blink."""
    began = time.monotonic()
    http.redact_message(text)
    http.redact_url(f"https://host/?{text}")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("depth", range(6))
@pytest.mark.parametrize("quote", ['"', "'"])
def test_members_in_escaped_json(depth: int, quote: str) -> None:
    """A member of JSON that was escaped any number of times is redacted."""
    mark = "\\" * (2**depth - 1) + quote
    text = f"{{{mark}api_key{mark}: {mark}{KEY}{mark}}}"
    assert KEY not in http.redact_message(text)


# --- Settings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["http://host?", "http://host#", "http://host\\x"])
def test_origins_with_an_empty_query(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An origin with a query or fragment, were it empty, is a ValueError that names the variable."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", value)
    with pytest.raises(ValueError, match="PERMUTIVE_API_BASE_URL"):
        Cohort.list(KEY)


@pytest.mark.parametrize(
    "address",
    [
        "https://api.permutive.app:443/x",
        "https://API.permutive.APP/x",
        " https://api.permutive.com/x",
    ],
)
def test_every_spelling_of_the_hosts(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request meant for Permutive's hosts goes to PERMUTIVE_API_BASE_URL, however it is written."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "http://127.0.0.1:8080")
    with requests_mock_package.Mocker() as service:
        service.get("http://127.0.0.1:8080/x", json={})
        http.get(KEY, address)
    assert service.call_count == 1


def test_bottomless_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credentials file that nests too deeply is a ValueError that names variable and path."""
    path = tmp_path / "workspace.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(ValueError, match="PERMUTIVE_APPLICATION_CREDENTIALS"):
        Workspace.from_env()


# --- Lists ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [[None], [Cohort("a"), None], ["text"], [5]])
def test_text_of_lists_with_foreign_items(items: List[Any]) -> None:
    """``str()`` of a list shows what ``to_json()`` gives, whatever was put into it."""
    cohorts = CohortList(items)
    assert json.loads(str(cohorts)) == cohorts.to_json()
    assert str(ImportList()) == "[]"


def test_policies_are_used_as_given(waits: List[float]) -> None:
    """A RetryConfig, and a subclass of it, is taken as the policy of one call."""

    class Mine(RetryConfig):
        pass

    with requests_mock_package.Mocker() as service:
        service.get(COHORTS, status_code=500)
        with pytest.raises(PermutiveServerError):
            http.request("GET", KEY, COHORTS, retry=Mine(max_retries=2))
    assert (service.call_count, len(waits)) == (2, 1)
