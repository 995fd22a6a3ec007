"""Endpoints, payloads, and the error texts that callers match."""

from __future__ import annotations

import importlib
import inspect
import logging
from types import SimpleNamespace
from typing import Any, Callable, Dict, List

import pytest

from PermutiveAPI import Alias, Cohort, Event, Identity, Import, Segment, Segmentation
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.credentials import DEFAULT_API_KEY

ENDPOINTS = {
    "Cohort": "https://api.permutive.app/cohorts-api/v2/cohorts/",
    "Audience": "https://api.permutive.app/audience-api/v1/imports",
    "Identify": "https://api.permutive.com/v2.0/identify",
    "Segmentation": "https://api.permutive.app/ccs/v1/segmentation",
}
VERSIONS = {"Cohort": "v2", "Audience": "v1", "Identify": "v2.0", "Segmentation": "v1"}
PAYLOADS = {
    "Cohort": ["id", "name", "query", "description", "tags"],
    "Audience.Segment": ["name", "code", "description", "cpm", "categories", "query"],
    "Identify.Identity": ["user_id", "aliases"],
    "Segmentation": ["events", "user_id"],
}


@pytest.mark.parametrize(("module", "endpoint"), ENDPOINTS.items())
def test_endpoints(module: str, endpoint: str) -> None:
    """The endpoints are the documented ones, whatever the environment says."""
    assert importlib.import_module(f"PermutiveAPI.{module}")._API_ENDPOINT == endpoint


@pytest.mark.parametrize(("module", "version"), VERSIONS.items())
def test_versions(module: str, version: str) -> None:
    """The version of an API stands beside its endpoint, which names it."""
    found = importlib.import_module(f"PermutiveAPI.{module}")
    assert found._API_VERSION == version
    assert f"/{version}/" in found._API_ENDPOINT


@pytest.mark.parametrize(("module", "payload"), PAYLOADS.items())
def test_payloads(module: str, payload: List[str]) -> None:
    """The payloads name what is sent."""
    assert importlib.import_module(f"PermutiveAPI.{module}")._API_PAYLOAD == payload


def _cohort(**fields: Any) -> Cohort:
    return Cohort("c", **fields)


def _segment(**fields: Any) -> Segment:
    return Segment("c", "n", "i", **fields)


UPDATE_COHORT = "Cohort ID must be specified for update."
DELETE_COHORT = "Cohort ID must be specified for deletion."
UPDATE_SEGMENT = "Segment ID must be specified for update."
DELETE_SEGMENT = "Segment ID must be specified for deletion."
REFUSALS: List[Any] = [
    (lambda: _cohort().create("k"), "query must be specified"),
    (lambda: _cohort(query={}).create("k"), "query must be specified"),
    (lambda: _cohort().update("k"), UPDATE_COHORT),
    (lambda: _cohort(id="").update("k"), UPDATE_COHORT),
    (lambda: _cohort().delete("k"), DELETE_COHORT),
    (lambda: _segment().update("k"), UPDATE_SEGMENT),
    (lambda: _segment().delete("k"), DELETE_SEGMENT),
    (lambda: Cohort.batch_update([_cohort(id="1"), _cohort()], api_key="k"), UPDATE_COHORT),
    (lambda: Cohort.batch_delete([_cohort(id="1"), _cohort()], api_key="k"), DELETE_COHORT),
    (lambda: Segment.batch_update([_segment(id="1"), _segment()], api_key="k"), UPDATE_SEGMENT),
    (lambda: Segment.batch_delete([_segment(id="1"), _segment()], api_key="k"), DELETE_SEGMENT),
]


@pytest.fixture
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail when anything reaches the verbs' one loop."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("a request was sent")

    monkeypatch.setattr(http, "_with_retry", refuse)


@pytest.mark.usefixtures("nothing_is_sent")
@pytest.mark.parametrize(("act", "text"), REFUSALS)
def test_refusals(act: Callable[[], Any], text: str) -> None:
    """What is missing is a ValueError with the documented text, before anything is sent."""
    with pytest.raises(ValueError) as caught:
        act()
    assert str(caught.value) == text


IDENTIFIERS: List[Any] = [
    (lambda bad: Cohort.get_by_id(bad, "k"), "id"),
    (lambda bad: Segment.get_by_id(bad, "s", "k"), "import_id"),
    (lambda bad: Segment.get_by_id("i", bad, "k"), "segment_id"),
    (lambda bad: Segment.get_by_code(bad, "c", "k"), "import_id"),
    (lambda bad: Segment.get_by_code("i", bad, "k"), "segment_code"),
    (lambda bad: Segment.list(bad, "k"), "import_id"),
    (lambda bad: Segment("c", "n", bad).create("k"), "import_id"),
    (lambda bad: Segment("c", "n", bad, "1").update("k"), "import_id"),
    (lambda bad: Segment("c", "n", bad, "1").delete("k"), "import_id"),
    (lambda bad: Segment.batch_create([Segment("c", "n", bad)], api_key="k"), "import_id"),
    (lambda bad: Import.get_by_id(bad, "k"), "id"),
    (lambda bad: Import.batch_get_by_id(["1", bad], api_key="k"), "id"),
]


@pytest.mark.usefixtures("nothing_is_sent")
@pytest.mark.parametrize(("act", "name"), IDENTIFIERS)
@pytest.mark.parametrize("bad", [None, "", " "])
def test_empty_identifiers(act: Callable[[Any], Any], name: str, bad: Any) -> None:
    """An empty identifier or None is a ValueError that names the argument, before any request."""
    with pytest.raises(ValueError, match=rf"^{name} must not be empty"):
        act(bad)


def test_id_on_create_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Creating a cohort that has an id logs a warning under the package's name."""
    answer = SimpleNamespace(json=lambda: {"id": "new", "name": "c"})
    helper = SimpleNamespace(post=lambda api_key, url, data: answer)
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    _cohort(id="old", query={"a": 1}).create("k")
    warnings = [(each.name, each.getMessage()) for each in caplog.records]
    assert warnings == [("PermutiveAPI", "id is specified")]
    assert caplog.records[0].levelno == logging.WARNING


WITHOUT_ANSWER: List[Any] = [
    (Cohort, lambda: _cohort(query={"a": 1}).create("k"), "Response is None"),
    (Cohort, lambda: _cohort(id="1").update("k"), "Response is None"),
    (Cohort, lambda: Cohort.get_by_id("1", "k"), "Response is None"),
    (Cohort, lambda: Cohort.list("k"), "Response is None"),
    (Segment, lambda: _segment().create("k"), "Unable to create_segment"),
    (Segment, lambda: _segment(id="1").update("k"), "Unable to update_segment"),
    (Segment, lambda: _segment(id="1").delete("k"), "Response is None"),
    (Segment, lambda: Segment.list("i", "k"), "Response is None"),
    (Segment, lambda: Segment.get_by_code("i", "c", "k"), "Unable to get_segment"),
    (Segment, lambda: Segment.get_by_id("i", "s", "k"), "Unable to get_by_id"),
    (Import, lambda: Import.get_by_id("i", "k"), "Unable to get_import"),
    (Import, lambda: Import.list("k"), "Response is None"),
]


@pytest.mark.parametrize(("model", "act", "text"), WITHOUT_ANSWER)
def test_helper_that_answers_none(
    monkeypatch: pytest.MonkeyPatch, model: Any, act: Callable[[], Any], text: str
) -> None:
    """A helper that answers None is a ValueError with the documented text."""
    nothing: Dict[str, Any] = {
        verb: lambda *args, **kwargs: None for verb in ("get", "post", "patch", "delete")
    }
    monkeypatch.setattr(model, "_request_helper", SimpleNamespace(**nothing))
    with pytest.raises(ValueError) as caught:
        act()
    assert str(caught.value) == text


SIGNATURES: Dict[Any, str] = {
    Identity.identify: "self, api_key",
    Identity.batch_identify: "identities, *, api_key, max_workers, progress_callback, executor, journal",
    Segmentation.send: "self, api_key, *, timeout, activations, synchronous_validation",
    Segmentation.batch_send: "requests, *, api_key, max_workers, progress_callback, timeout, executor, journal",
    Cohort.create: "self, api_key",
    Cohort.update: "self, api_key",
    Cohort.delete: "self, api_key",
    Cohort.get_by_id: "id, api_key",
    Cohort.get_by_name: "name, api_key",
    Cohort.get_by_code: "code, api_key",
    Cohort.list: "api_key, include_child_workspaces, include_details",
    Cohort.batch_create: "cohorts, *, api_key, max_workers, progress_callback, executor, journal",
    Cohort.batch_update: "cohorts, *, api_key, max_workers, progress_callback, executor, journal",
    Cohort.batch_delete: "cohorts, *, api_key, max_workers, progress_callback, executor, journal",
    Segment.create: "self, api_key",
    Segment.update: "self, api_key",
    Segment.delete: "self, api_key",
    Segment.get_by_code: "import_id, segment_code, api_key",
    Segment.get_by_id: "import_id, segment_id, api_key",
    Segment.list: "import_id, api_key",
    Segment.batch_create: "segments, *, api_key, max_workers, progress_callback, executor, journal",
    Segment.batch_update: "segments, *, api_key, max_workers, progress_callback, executor, journal",
    Segment.batch_delete: "segments, *, api_key, max_workers, progress_callback, executor, journal",
    Import.get_by_id: "id, api_key, include_details",
    Import.list: "api_key, include_details",
    Import.batch_get_by_id: "ids, *, api_key, max_workers, progress_callback, executor, journal",
    http.get: "api_key, url, params",
    http.post: "api_key, url, data",
    http.patch: "api_key, url, data",
    http.delete: "api_key, url",
    http.request: "method, api_key, url, *, params, json, headers, timeout, retry",
    http._with_retry: "method, url, api_key, *, headers, retry, **kwargs",
    http.process_batch: "requests, *, api_key, max_workers, progress_callback, executor, journal",
    http.to_payload: "dataclass_obj, api_payload",
    http.raise_for_status: "e, response",
    http._extract_error_message: "response",
    http._redact_sensitive_data: "message, response",
    http.redact_message: "message",
    http.redact_url: "url",
}


@pytest.mark.parametrize(
    ("function", "expected"), SIGNATURES.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_signatures(function: Callable[..., Any], expected: str) -> None:
    """Arguments have the documented names and places."""
    parts: List[str] = []
    star = False
    for each in inspect.signature(function).parameters.values():
        if each.kind is each.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        parts.append(f"**{each.name}" if each.kind is each.VAR_KEYWORD else each.name)
    assert ", ".join(parts) == expected


@pytest.mark.parametrize(
    "function",
    [
        each
        for each in SIGNATURES
        if "api_key" in inspect.signature(each).parameters and each.__module__ != http.__name__
    ],
    ids=lambda each: each.__qualname__,
)
def test_defaults(function: Callable[..., Any]) -> None:
    """The key may be left out, and what is optional has the documented default."""
    defaults = {
        "api_key": DEFAULT_API_KEY,
        "max_workers": None,
        "progress_callback": None,
        "executor": None,
        "journal": None,
        "include_details": False,
        "include_child_workspaces": False,
        "timeout": 10.0,
        "activations": None,
        "synchronous_validation": None,
    }
    for name, each in inspect.signature(function).parameters.items():
        if name in defaults:
            assert each.default is defaults[name] or each.default == defaults[name]
            assert type(each.default) is type(defaults[name])
        else:
            assert each.default is inspect.Parameter.empty


def test_request_helper_is_http() -> None:
    """The class attribute through which calls go is the module http."""
    for model in (Cohort, Segment, Import, Identity, Segmentation):
        assert model._request_helper is http


def test_segmentation_to_json() -> None:
    """to_json of a segmentation gives exactly events and user_id."""
    data = Segmentation([Event("e", "now")], "u", True, True).to_json()
    assert sorted(data) == ["events", "user_id"]
    again = Segmentation.from_json(data)
    assert (again.events, again.user_id) == ([Event("e", "now")], "u")


def test_empty_list_of_aliases_is_sent() -> None:
    """An empty list of aliases is sent as it is."""
    assert http.to_payload(Identity("u", []), ["user_id", "aliases"]) == {
        "user_id": "u",
        "aliases": [],
    }
    assert Identity("u", [Alias("a", "t", 1)]).to_json()["aliases"][0]["priority"] == 1
