"""The names, positions and defaults of arguments that code of release 5.4.4 relies on."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, List, Tuple

import pytest

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    CohortList,
    Identity,
    Import,
    ImportList,
    PermutiveAPIError,
    Progress,
    RetryConfig,
    Segment,
    Segmentation,
    SegmentList,
    Workspace,
    WorkspaceList,
)
from PermutiveAPI._Utils import file, http
from PermutiveAPI._Utils import json as json_tools
from PermutiveAPI._Utils import list as list_tools
from PermutiveAPI._Utils.credentials import DEFAULT_API_KEY
from PermutiveAPI._Utils.json import JSONSerializable
from tests.support.rows import for_each

Shape = List[Tuple[Any, ...]]

_KEY = "api_key=DEFAULT_API_KEY"
_BATCH = f"*, {_KEY}, max_workers=None, progress_callback=None"
_REST = "executor=None, journal=None"

# name or name=default; arguments after a lone * are keyword-only.
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
    (
        http.process_batch,
        f"requests, *, api_key, max_workers=None, progress_callback=None, {_REST}",
    ),
    (http.to_payload, "dataclass_obj, api_payload=None"),
    (http.raise_for_status, "e, response"),
    (http._extract_error_message, "response"),
    (http._redact_sensitive_data, "message, response"),
    (http.redact_message, "message"),
    (http.redact_url, "url"),
    (Identity.identify, f"self, {_KEY}"),
    (Identity.batch_identify, f"identities, {_BATCH}, {_REST}"),
    (
        Segmentation.send,
        f"self, {_KEY}, *, timeout=10.0, activations=None, synchronous_validation=None",
    ),
    (Segmentation.batch_send, f"requests, {_BATCH}, timeout=10.0, {_REST}"),
    (Cohort.create, f"self, {_KEY}"),
    (Cohort.update, f"self, {_KEY}"),
    (Cohort.delete, f"self, {_KEY}"),
    (Cohort.get_by_id, f"id, {_KEY}"),
    (Cohort.get_by_name, f"name, {_KEY}"),
    (Cohort.get_by_code, f"code, {_KEY}"),
    (Cohort.list, f"{_KEY}, include_child_workspaces=False, include_details=False"),
    (Cohort.batch_create, f"cohorts, {_BATCH}, {_REST}"),
    (Cohort.batch_update, f"cohorts, {_BATCH}, {_REST}"),
    (Cohort.batch_delete, f"cohorts, {_BATCH}, {_REST}"),
    (Segment.create, f"self, {_KEY}"),
    (Segment.update, f"self, {_KEY}"),
    (Segment.delete, f"self, {_KEY}"),
    (Segment.get_by_code, f"import_id, segment_code, {_KEY}"),
    (Segment.get_by_id, f"import_id, segment_id, {_KEY}"),
    (Segment.list, f"import_id, {_KEY}"),
    (Segment.batch_create, f"segments, {_BATCH}, {_REST}"),
    (Segment.batch_update, f"segments, {_BATCH}, {_REST}"),
    (Segment.batch_delete, f"segments, {_BATCH}, {_REST}"),
    (Import.get_by_id, f"id, {_KEY}, include_details=False"),
    (Import.list, f"{_KEY}, include_details=False"),
    (Import.batch_get_by_id, f"ids, {_BATCH}, {_REST}"),
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
                value = eval(default, {"DEFAULT_API_KEY": DEFAULT_API_KEY})
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


@for_each(("function", "text"), CALLS)
def test_signature(function: Any, text: str) -> None:
    """A public callable takes the arguments of 5.4.4, with the same names, positions and defaults; new ones come last."""
    assert _actual(function) == _wanted(text)


FIELDS: List[Tuple[type, str]] = [
    (RetryConfig, "max_retries backoff_factor initial_delay"),
    (BatchRequest, "method url params json headers timeout retry callback error_callback"),
    (
        Progress,
        "completed total errors batch_request elapsed_seconds average_per_thousand_seconds"
        " skipped",  # New, with a default.
    ),
]


@for_each(("model", "names"), FIELDS)
def test_field_order(model: Any, names: str) -> None:
    """The parts of a batch are dataclasses whose fields have the fixed order, which is positional order."""
    assert dataclasses.is_dataclass(model)
    fields = [each.name for each in dataclasses.fields(model) if each.init]
    assert fields == names.split()
    constructor: Any = model
    assert list(inspect.signature(constructor).parameters) == names.split()


def test_retry_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry policy is three attempts, a factor of 2 and a first wait of a second."""
    monkeypatch.delenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS")
    assert RetryConfig() == RetryConfig(3, 2.0, 1.0)
    assert (http.MAX_RETRIES, http.BACKOFF_FACTOR, http.INITIAL_DELAY) == (3, 2.0, 1.0)
