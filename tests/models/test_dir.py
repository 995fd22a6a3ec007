"""``dir()`` and completion show what users call and read, and no internals."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List

import PermutiveAPI
from PermutiveAPI import (
    BatchRequest,
    BatchResult,
    Cohort,
    Identity,
    PermutiveAPIError,
    Progress,
    RetryConfig,
    Source,
    progress_bar,
)
from PermutiveAPI._Utils.resources.base import Resource
from tests.support.calls import KEY
from tests.support.fake_service import FakeService, answer
from tests.support.rows import for_each

JSON = "from_json from_json_file serialize_value to_json to_json_file unserialize_value"
SINGLE = "create update delete"
BATCHES = "batch_create batch_update batch_delete"
TABLE = "to_pd_dataframe refresh find id_dictionary code_dictionary name_dictionary"

# The names beside the fields, and beside those of the JSON mixin and of list.
CALLS = {
    "Alias": "",
    "Cohort": f"{SINGLE} {BATCHES} enable disable copy get_by_id get_by_name get_by_code list"
    " batch_enable batch_disable batch_get_by_id plan plan_from_segments",
    "CohortList": f"{TABLE} filter from_table plan_to tag_dictionary segment_type_dictionary workspace_dictionary",
    "ContextSegment": "send batch_send",
    "Event": "",
    "Identity": "identify resolve create_user list_aliases batch_identify stream_identify"
    " batch_resolve stream_resolve",
    "Import": "get_by_id list batch_get_by_id",
    "ImportList": f"{TABLE} identifier_dictionary",
    "KnownAlias": "",
    "Segment": f"{SINGLE} {BATCHES} update_by_code delete_by_code get_by_id get_by_code list bulk"
    " plan",
    "SegmentList": f"{TABLE} from_table plan_to",
    "Segmentation": "split send send_stateless batch_send stream_send",
    "Source": "",
    "TrackedEvent": "track batch_track stream_track",
    "Workspace": "is_top_level cohorts imports segments references snapshot plan_copy from_env",
    "WorkspaceList": "refresh find id_dictionary name_dictionary master_workspace cohorts imports from_env",
}
# The arguments of the constructors.
MADE: Dict[str, List[Any]] = {
    "Alias": ["a", "email", 0],
    "Cohort": ["n"],
    "ContextSegment": ["https://example.com"],
    "Event": ["Pageview", "2025-07-01T15:39:11.594Z"],
    "Identity": ["u", []],
    "Import": ["i", "n", "c", "r", [], Source("s", {}, "t")],
    "KnownAlias": ["a", "email", "u"],
    "Segment": ["c", "n", "i"],
    "Segmentation": [[], "u"],
    "Source": ["s", {}, "t"],
    "TrackedEvent": ["Pageview"],
    "Workspace": ["n", "o", "w", KEY],
}


def shown(value: Any) -> List[str]:
    """Return the names of an object that users see."""
    return [name for name in dir(value) if not name.startswith("_")]


def fields_of(cls: Any) -> List[str]:
    """Return the fields of a dataclass, or the names that every list has."""
    if issubclass(cls, list):
        return shown(list)
    return [each.name for each in dataclasses.fields(cls)]


@for_each("name", list(CALLS))
def test_models_and_lists(name: str) -> None:
    """A model shows its fields, its JSON methods and its calls; a list also shows its dictionaries."""
    cls: Any = getattr(PermutiveAPI, name)
    made = cls(*MADE.get(name, []))
    names = {*fields_of(cls), *JSON.split(), *CALLS[name].split()}
    assert shown(made) == sorted(names)


def test_no_class_is_forgotten() -> None:
    """Every model and list at the top level is in the table above."""
    public = [getattr(PermutiveAPI, name) for name in PermutiveAPI.__all__]
    classes = {each for each in public if isinstance(each, type)}
    assert set(CALLS) == {each.__name__ for each in classes if hasattr(each, "to_json")}
    resources = {each.__name__ for each in classes if issubclass(each, Resource)}
    assert resources < set(CALLS)


REQUEST = BatchRequest("GET", "https://h")
BATCH: Dict[str, Any] = {
    "BatchRequest": (REQUEST, ""),
    "BatchResult": (BatchResult(0, REQUEST, None, None, None), "item"),
    "Progress": (Progress(1, 2, 0, REQUEST, 1.0, 1.0), "requests_per_second remaining_seconds"),
    "RetryConfig": (RetryConfig(), ""),
}


@for_each(("made", "more"), BATCH)
def test_parts_of_batches(made: Any, more: str) -> None:
    """Requests, results and progress show their fields and properties."""
    assert shown(made) == sorted([*fields_of(type(made)), *more.split()])


def test_requests_of_helpers(server: FakeService) -> None:
    """A request that a helper made shows the same names as any request."""
    server.default = answer(404, {})
    _, failures = Cohort.batch_delete([Cohort("n", id="c-1")], api_key=KEY)
    [result] = Identity.stream_identify([Identity("u", [])], api_key=KEY)
    for request in (failures[0][0], result.batch_request):
        assert shown(request) == sorted(fields_of(BatchRequest))


def test_errors_and_progress_bars() -> None:
    """An error shows its attributes, and a progress bar its method `close`."""
    told = set(shown(PermutiveAPIError("m"))) - set(shown(Exception()))
    assert told == {"message", "status", "url", "response", "request_id", "code"}
    assert shown(progress_bar()) == ["close"]
