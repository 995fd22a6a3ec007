"""The names, positions and defaults of arguments that code of release 5.4.4 relies on."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from typing import Any, Dict, List, Tuple

import pytest

import PermutiveAPI
from PermutiveAPI import (
    Alias,
    BatchRequest,
    Cohort,
    CohortList,
    Event,
    Identity,
    Import,
    ImportList,
    PermutiveAPIError,
    Progress,
    RetryConfig,
    Segment,
    Segmentation,
    SegmentList,
    Source,
    Workspace,
    WorkspaceList,
)
from PermutiveAPI._Utils import file, http
from PermutiveAPI._Utils import json as json_tools
from PermutiveAPI._Utils import list as list_tools
from PermutiveAPI._Utils.json import JSONSerializable

Shape = List[Tuple[Any, ...]]
ANY = object()

_BATCH = "*, api_key=?, max_workers=?, progress_callback=None"

# name or name=default; what follows a lone * is by keyword; "=?" stands for any default or none.
CALLS: List[Tuple[Any, str]] = [
    (http.get, "api_key, url, params=None"),
    (http.post, "api_key, url, data"),
    (http.patch, "api_key, url, data"),
    (http.delete, "api_key, url"),
    (
        http.request,
        "method, api_key, url, *, params=None, json=None, headers=None, timeout=10.0, retry=None",
    ),
    (http._with_retry, "method, url, api_key, *, headers=None, retry=None, **kwargs"),
    (http.process_batch, "requests, *, api_key=?, max_workers=?, progress_callback=None"),
    (http.to_payload, "dataclass_obj, api_payload=None"),
    (http.raise_for_status, "e, response"),
    (http._extract_error_message, "response"),
    (http._redact_sensitive_data, "message, response"),
    (http.redact_message, "message"),
    (http.redact_url, "url"),
    (Identity.identify, "self, api_key=?"),
    (Identity.batch_identify, f"identities, {_BATCH}"),
    (
        Segmentation.send,
        "self, api_key=?, *, timeout=10.0, activations=None, synchronous_validation=None",
    ),
    (Segmentation.batch_send, f"requests, {_BATCH}, timeout=10.0"),
    (Cohort.create, "self, api_key=?"),
    (Cohort.update, "self, api_key=?"),
    (Cohort.delete, "self, api_key=?"),
    (Cohort.get_by_id, "id, api_key=?"),
    (Cohort.get_by_name, "name, api_key=?"),
    (Cohort.get_by_code, "code, api_key=?"),
    (Cohort.list, "api_key=?, include_child_workspaces=False, include_details=False"),
    (Cohort.batch_create, f"cohorts, {_BATCH}"),
    (Cohort.batch_update, f"cohorts, {_BATCH}"),
    (Cohort.batch_delete, f"cohorts, {_BATCH}"),
    (Segment.create, "self, api_key=?"),
    (Segment.update, "self, api_key=?"),
    (Segment.delete, "self, api_key=?"),
    (Segment.get_by_code, "import_id, segment_code, api_key=?"),
    (Segment.get_by_id, "import_id, segment_id, api_key=?"),
    (Segment.list, "import_id, api_key=?"),
    (Segment.batch_create, f"segments, {_BATCH}"),
    (Segment.batch_update, f"segments, {_BATCH}"),
    (Segment.batch_delete, f"segments, {_BATCH}"),
    (Import.get_by_id, "id, api_key=?, include_details=False"),
    (Import.list, "api_key=?, include_details=False"),
    (Import.batch_get_by_id, f"ids, {_BATCH}"),
    (Workspace.cohorts, "self, include_details=False, force_refresh=False"),
    (Workspace.imports, "self, include_details=False, force_refresh=False"),
    (Workspace.segments, "self, import_id, force_refresh=False"),
    (Workspace.from_env, ""),
    (WorkspaceList.from_env, ""),
    (PermutiveAPIError, "message, *, status=None, url=None, response=None"),
    (JSONSerializable.to_json, "self"),
    (JSONSerializable.from_json, "data"),
    (JSONSerializable.to_json_file, "self, filepath"),
    (JSONSerializable.from_json_file, "filepath"),
    (JSONSerializable.serialize_value, "value"),
    (JSONSerializable.unserialize_value, "value, annotation, module=None"),
    (json_tools.json_default, "value"),
    (json_tools.load_json_list, "data, list_name, item_name=None"),
    (list_tools.chunk_list, "lst, n"),
    (list_tools.convert_list, "val"),
    (list_tools.compare_list, "list1, list2"),
    (list_tools.merge_list, "lst1, lst2=None"),
    (file.check_filepath, "filepath"),
    (file.split_filepath, "fullfilepath"),
    *[(each, "items_list=None") for each in (CohortList, SegmentList, ImportList, WorkspaceList)],
]


def _wanted(text: str) -> Shape:
    shape: Shape = []
    kind = "positional"
    for part in filter(None, text.split(", ")):
        if part == "*":
            kind = "keyword"
        elif part.startswith("**"):
            shape.append((part[2:], "rest", inspect.Parameter.empty))
        else:
            name, equals, default = part.partition("=")
            value: Any = inspect.Parameter.empty
            if equals:
                value = ANY if default == "?" else eval(default)
            shape.append((name, kind, value))
    return shape


def _actual(function: Any) -> Shape:
    kinds = {
        inspect.Parameter.POSITIONAL_OR_KEYWORD: "positional",
        inspect.Parameter.KEYWORD_ONLY: "keyword",
        inspect.Parameter.VAR_KEYWORD: "rest",
    }
    return [
        (each.name, kinds.get(each.kind, str(each.kind)), each.default)
        for each in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("function, text", CALLS, ids=[each[0].__qualname__ for each in CALLS])
def test_signature(function: Any, text: str) -> None:
    """A public callable takes the arguments of 5.4.4, under their names, places and defaults; new ones are keywords that may be left out."""
    wanted, actual = _wanted(text), _actual(function)
    assert [each[:2] for each in actual[: len(wanted)]] == [each[:2] for each in wanted]
    assert {each[1:] for each in actual[len(wanted) :]} <= {("keyword", None)}
    for (name, _, default), (_, _, found) in zip(wanted, actual):
        if default is not ANY:
            assert found == default, name


FIELDS: List[Tuple[type, str]] = [
    (Alias, "id tag priority"),
    (Identity, "user_id aliases"),
    (Event, "name time properties session_id view_id"),
    (Segmentation, "events user_id activations synchronous_validation alias aliases"),
    (
        Cohort,
        "name id code query tags description subject_entity_level state segment_type"
        " live_audience_size created_at last_updated_at workspace_id request_id error",
    ),
    (Segment, "code name import_id id description cpm categories created_at updated_at query"),
    (
        Source,
        "id state type schema_id cohorts bucket permissions phase errors advertiser_name"
        " organization_id version",
    ),
    (
        Import,
        "id name code relation identifiers source description inheritance segments"
        " created_at updated_at",
    ),
    (Workspace, "name organisation_id workspace_id api_key"),
    (RetryConfig, "max_retries backoff_factor initial_delay"),
    (BatchRequest, "method url params json headers timeout retry callback error_callback"),
    (Progress, "completed total errors batch_request elapsed_seconds average_per_thousand_seconds"),
]


@pytest.mark.parametrize("model, names", FIELDS, ids=[e[0].__name__ for e in FIELDS])
def test_field_order(model: Any, names: str) -> None:
    """A model is a dataclass whose fields stand in the fixed order, which is positional order."""
    assert dataclasses.is_dataclass(model)
    fields = [each.name for each in dataclasses.fields(model) if each.init]
    assert fields == names.split()
    assert list(inspect.signature(model).parameters) == names.split()


DEFAULTS: List[Tuple[Any, Dict[str, Any]]] = [
    (
        Cohort("n"),
        {
            "live_audience_size": 0,
            **dict.fromkeys(
                "id code query tags description subject_entity_level state segment_type"
                " workspace_id request_id error".split()
            ),
        },
    ),
    (Segment("c", "n", "i"), {"code": "c", "name": "n", "import_id": "i", "cpm": 0.0}),
    (Segment("c", "n", "i"), dict.fromkeys(("id", "description", "categories", "query"))),
    (Event("n", "t"), {"properties": {}, "session_id": None, "view_id": None}),
    (Segmentation([], "u"), {"activations": False, "synchronous_validation": False}),
    (
        Source("i", {}, "t"),
        dict.fromkeys(
            "schema_id cohorts bucket permissions phase errors advertiser_name"
            " organization_id version".split()
        ),
    ),
    (
        Import("i", "n", "c", "r", [], Source("i", {}, "t")),
        dict.fromkeys(("description", "inheritance", "segments")),
    ),
    (
        BatchRequest("GET", "https://host"),
        {
            "timeout": 10.0,
            **dict.fromkeys("params json headers retry callback error_callback".split()),
        },
    ),
]


@pytest.mark.parametrize("made, values", DEFAULTS)
def test_field_defaults(made: Any, values: Dict[str, Any]) -> None:
    """A field that is left out has the default of 5.4.4."""
    assert {name: getattr(made, name) for name in values} == values


def test_retry_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry policy is three attempts, a factor of 2 and a first wait of a second."""
    monkeypatch.delenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS")
    assert RetryConfig() == RetryConfig(3, 2.0, 1.0)
    assert (http.MAX_RETRIES, http.BACKOFF_FACTOR, http.INITIAL_DELAY) == (3, 2.0, 1.0)


PATHS = {
    "PermutiveAPI.Cohort": "Cohort CohortList _API_ENDPOINT _API_PAYLOAD",
    "PermutiveAPI.Workspace": "Workspace WorkspaceList",
    "PermutiveAPI.Segmentation": "Event Segmentation _API_ENDPOINT _API_PAYLOAD",
    "PermutiveAPI.Audience": "_API_ENDPOINT",
    "PermutiveAPI.Audience.Import": "Import ImportList",
    "PermutiveAPI.Audience.Segment": "Segment SegmentList _API_PAYLOAD",
    "PermutiveAPI.Audience.Source": "Source",
    "PermutiveAPI.Identify": "_API_ENDPOINT",
    "PermutiveAPI.Identify.Identity": "Identity http _API_PAYLOAD",
    "PermutiveAPI.Identify.Alias": "Alias",
    "PermutiveAPI._Utils.http": "get post patch delete request _with_retry RetryConfig"
    " BatchRequest Progress process_batch to_payload raise_for_status redact_message"
    " redact_url _redact_sensitive_data _extract_error_message DEFAULT_HEADERS"
    " MAX_RETRIES BACKOFF_FACTOR INITIAL_DELAY ThreadPoolExecutor time requests"
    " PermutiveAPIError PermutiveAuthenticationError PermutiveBadRequestError"
    " PermutiveRateLimitError PermutiveResourceNotFoundError PermutiveServerError"
    " PermutiveConflictError PermutiveConnectionError PermutiveTimeoutError",
    "PermutiveAPI._Utils.json": "JSONSerializable json_default customJSONEncoder to_payload"
    " load_json_list",
    "PermutiveAPI._Utils.list": "chunk_list convert_list compare_list merge_list",
    "PermutiveAPI._Utils.file": "check_filepath split_filepath",
    "PermutiveAPI": "Alias Cohort CohortList Event Identity Import ImportList Segment"
    " SegmentList Segmentation Source Workspace WorkspaceList PermutiveAPIError"
    " PermutiveAuthenticationError PermutiveBadRequestError PermutiveRateLimitError"
    " PermutiveResourceNotFoundError PermutiveServerError BatchRequest Progress RetryConfig"
    " __version__",
}


@pytest.mark.parametrize("path", PATHS)
def test_import_paths(path: str) -> None:
    """Every name can be imported from where 5.4.4 has it."""
    module = importlib.import_module(path)
    assert [name for name in PATHS[path].split() if not hasattr(module, name)] == []


def test_top_level_names_are_sorted() -> None:
    """``__all__`` is sorted and names what the package offers."""
    assert PermutiveAPI.__all__ == sorted(PermutiveAPI.__all__)
    assert set(PATHS["PermutiveAPI"].split()) <= set(PermutiveAPI.__all__)


def test_identity_module_keeps_its_name() -> None:
    """``PermutiveAPI.Identify.Identity`` is the module, so that its ``http`` can be replaced."""
    import PermutiveAPI.Identify as package

    assert inspect.ismodule(package.Identity)
    assert package.Identity.http is http


ENDPOINTS = {
    "PermutiveAPI.Cohort": "https://api.permutive.app/cohorts-api/v2/cohorts/",
    "PermutiveAPI.Audience": "https://api.permutive.app/audience-api/v1/imports",
    "PermutiveAPI.Identify": "https://api.permutive.com/v2.0/identify",
    "PermutiveAPI.Segmentation": "https://api.permutive.app/ccs/v1/segmentation",
}
PAYLOADS = {
    "PermutiveAPI.Cohort": {"id", "name", "query", "description", "tags"},
    "PermutiveAPI.Audience.Segment": {
        *("name", "code", "description", "cpm", "categories", "query")
    },
    "PermutiveAPI.Identify.Identity": {"user_id", "aliases"},
    "PermutiveAPI.Segmentation": {"events", "user_id"},
}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_endpoints(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint constants are Permutive's, whatever PERMUTIVE_API_BASE_URL says."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "http://127.0.0.1:1")
    assert importlib.import_module(path)._API_ENDPOINT == ENDPOINTS[path]


@pytest.mark.parametrize("path", PAYLOADS)
def test_payload_names(path: str) -> None:
    """The payload constants name what the service takes."""
    names = importlib.import_module(path)._API_PAYLOAD
    assert set(names) == PAYLOADS[path]
    assert len(names) == len(set(names))


def test_default_headers() -> None:
    """The default headers ask for JSON and announce JSON."""
    assert http.DEFAULT_HEADERS == {
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
