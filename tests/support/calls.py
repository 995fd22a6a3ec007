"""Every call of the library that reaches the network: how to make it, and the request that must arrive."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, TypeVar

import pytest

from PermutiveAPI import (
    Alias,
    BatchRequest,
    BatchResult,
    Cohort,
    ContextSegment,
    Event,
    Identity,
    Import,
    Segment,
    Segmentation,
    TrackedEvent,
    Workspace,
    stream_batch,
)
from PermutiveAPI._Utils import http

T = TypeVar("T")
KEY = "8f14e45f-ceea-467f-a0b1-5f2f4d1c9a7e"

COHORTS = "/cohorts-api/v2/cohorts/"
IMPORTS = "/audience-api/v1/imports"
SEGMENTS = f"{IMPORTS}/i-1/segments"
IDENTIFY = "/v2.0/identify"
SEGMENTATION = "/ccs/v1/segmentation"
STATELESS = "/ccs/v1/segmentation/stateless"
USERS = "/v2.0/users"
EVENTS = "/v2.0/events"
CONTEXT = "/ctx/v1/segment"

QUERY = {"event": "Pageview", "frequency": {"greater_than_or_equal_to": 2}}
COHORT: Dict[str, Any] = {
    "id": "c-1",
    "code": 12345,
    "name": "Readers",
    "description": "Who reads",
    "tags": ["a", "b"],
    "state": "Enabled",
    "workspace_id": "w-1",
    "segment_type": "real_time",
    "request_id": "r-1",
    "created_at": "2022-09-22T15:44:29.513211710Z",
    "last_updated_at": "2022-09-23T15:44:29.513214670Z",
}
SEGMENT: Dict[str, Any] = {
    "id": "s-1",
    "code": "1234",
    "name": "Buyers",
    "import_id": "i-1",
    "description": "Who buys",
    "cpm": 2.5,
    "categories": ["c"],
    "updated_at": "2023-01-02T03:04:05Z",
}
IMPORT: Dict[str, Any] = {
    "id": "i-1",
    "name": "Markets",
    "code": "markets",
    "relation": "3rd",
    "identifiers": ["appnexus"],
    "source": {"id": "src-1", "state": {"type": "active"}, "type": "live_ramp_3p"},
    "inheritance": {"workspace_id": "w-0", "relation": "ancestor"},
}
EVENT = Event("Pageview", "2025-07-01T15:39:11.594Z", {"n": None, "x": [1]})
EVENT_JSON = {
    "name": "Pageview",
    "time": "2025-07-01T15:39:11.594Z",
    "properties": {"n": None, "x": [1]},
}
TRACKED = {"user_id": "u-1", "time": "2025-07-01T15:39:11.594Z"}
IN_CONTEXT = {"cohorts": ["12345"], "activations": {}, "contextual_data": {}}
SEGMENTED = {"user_id": "u-1", "cohorts": ["12345"]}
TRACKING = {"enrich": "true", "sdkp": "false"}
PLAIN = {"activations": "false", "synchronous-validation": "false"}
CHILDREN = {"include-child-workspaces": "true"}


def _timeout_seconds() -> float:
    """Return the timeout for calls that take one; a test may shorten it."""
    return float(os.environ.get("PERMUTIVE_TIMEOUT_SECONDS", "10"))


@dataclass(frozen=True, eq=False)
class WireCall:
    """One call, and the request that it sends, or the first one of several.

    ``make`` is called with ``api_key=...``, or without it. A batch has one item, and its failure is
    raised. ``reads`` tells whether the call reads the body of the response, ``harmless`` whether its
    request may be repeated.
    """

    name: str
    make: Callable[..., Any]
    method: str
    path: str
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    answer: Any = None
    status: int = 200
    reads: bool = True
    harmless: bool = True
    batch: bool = False
    key_optional: bool = True
    takes_timeout: bool = False

    def __str__(self) -> str:
        return self.name

    def __call__(self, **key: Any) -> Any:
        """Make the call."""
        result = self.make(**key)
        if not self.batch:
            return result
        results, failures = result
        if failures:
            [(request, error)] = failures
            assert isinstance(request, BatchRequest)
            assert not results
            raise error
        return results

    def error(self, api_key: str = KEY) -> BaseException:
        """Make the call, and return what it raises."""
        try:
            result = self(api_key=api_key)
        except Exception as error:
            return error
        raise AssertionError(f"{self.name} raised nothing and returned {result!r}")


def cohort(**fields: Any) -> Cohort:
    """Return a cohort with a name and a query."""
    return Cohort(**{"name": "Readers", "query": QUERY, "description": "Who reads", **fields})


def segment(**fields: Any) -> Segment:
    """Return a segment with a code and a name."""
    return Segment(**{"code": "1234", "name": "Buyers", "import_id": "i-1", **fields})


def identity() -> Identity:
    """Return an identity with one alias."""
    return Identity("u-1", [Alias("a@b.c", "email", 1)])


def tracked(**fields: Any) -> TrackedEvent:
    """Return an event to track."""
    return TrackedEvent(
        **{"name": "Pageview", "user_id": "u-1", "properties": {"n": None}, **fields}
    )


def page() -> ContextSegment:
    """Return a page."""
    return ContextSegment("https://h.example/sport", {"client": {}})


def segmentation(**fields: Any) -> Segmentation:
    """Return a segmentation with one event."""
    return Segmentation(events=[EVENT], user_id="u-1", **fields)


def _workspace(api_key: str = "") -> Workspace:
    return Workspace("Main", "w-1", "w-1", api_key)


def _bulk(**key: Any) -> Any:
    segments, failures = Segment.bulk("i-1", deletes=["1234"], **key)
    for _, error in failures:
        raise error
    return segments


_COHORT_BODY = {"name": "Readers", "query": QUERY, "description": "Who reads"}
_SEGMENT_BODY = {"name": "Buyers", "code": "1234", "cpm": 0.0}
_SEGMENT_CHANGE = {"name": "Buyers", "description": "Who buys"}
_IDENTITY_BODY = {"user_id": "u-1", "aliases": [{"id": "a@b.c", "tag": "email", "priority": 1}]}
_SEGMENTATION_BODY = {"events": [EVENT_JSON], "user_id": "u-1"}
_STATE = {
    "internal_state": {"12345": {"0c8b70cdb7": ["p", None, 1.5]}, "1": {}},
    "external_state": {},
    "cohorts": [],
}
_TRACKED_BODY = {"name": "Pageview", "user_id": "u-1", "properties": {"n": None}}
_PAGE_BODY = {"url": "https://h.example/sport", "page_properties": {"client": {}}}
_URL = "https://api.permutive.app/v9/things"

COHORT_CALLS: List[WireCall] = [
    WireCall(
        "Cohort.create",
        lambda **key: cohort().create(**key),
        "POST",
        COHORTS,
        _COHORT_BODY,
        answer=COHORT,
        status=201,
        harmless=False,
    ),
    WireCall(
        "Cohort.update",
        lambda **key: cohort(id="c-1", tags=["a"]).update(**key),
        "PATCH",
        f"{COHORTS}c-1",
        {**_COHORT_BODY, "id": "c-1", "tags": ["a"]},
        answer=COHORT,
    ),
    WireCall(
        "Cohort.delete",
        lambda **key: cohort(id="c-1").delete(**key),
        "DELETE",
        f"{COHORTS}c-1",
        answer=b"",
        reads=False,
    ),
    WireCall(
        "Cohort.get_by_id",
        lambda **key: Cohort.get_by_id("c-1", **key),
        "GET",
        f"{COHORTS}c-1",
        answer=COHORT,
    ),
    WireCall(
        "Cohort.get_by_name",
        lambda **key: Cohort.get_by_name("Nobody", **key),
        "GET",
        COHORTS,
        query=CHILDREN,
        answer=[COHORT],
    ),
    WireCall(
        "Cohort.get_by_code",
        lambda **key: Cohort.get_by_code(99999, **key),
        "GET",
        COHORTS,
        query=CHILDREN,
        answer=[COHORT],
    ),
    WireCall("Cohort.list", lambda **key: Cohort.list(**key), "GET", COHORTS, answer=[COHORT]),
    WireCall(
        "Cohort.plan",
        lambda **key: Cohort.plan([{"name": "Nobody", "query": QUERY}], workspace_id="w", **key),
        "GET",
        COHORTS,
        answer=[],
    ),
    WireCall(
        "Cohort.list of child workspaces",
        lambda **key: Cohort.list(include_child_workspaces=True, **key),
        "GET",
        COHORTS,
        query=CHILDREN,
        answer=[COHORT],
    ),
    WireCall(
        "Cohort.list with details",
        lambda **key: Cohort.list(include_details=True, **key),
        "GET",
        COHORTS,
        answer=[],
    ),
    WireCall(
        "Cohort.enable",
        lambda **key: cohort(id="c-1").enable(**key),
        "PATCH",
        f"{COHORTS}c-1",
        {"state": "Enabled"},
        answer=COHORT,
    ),
    WireCall(
        "Cohort.disable",
        lambda **key: cohort(id="c-1").disable(**key),
        "PATCH",
        f"{COHORTS}c-1",
        {"state": "Disabled"},
        answer=COHORT,
    ),
    WireCall(
        "Cohort.batch_enable",
        lambda **key: Cohort.batch_enable([cohort(id="c-1")], **key),
        "PATCH",
        f"{COHORTS}c-1",
        {"state": "Enabled"},
        answer=COHORT,
        batch=True,
    ),
    WireCall(
        "Cohort.batch_disable",
        lambda **key: Cohort.batch_disable([cohort(id="c-1")], **key),
        "PATCH",
        f"{COHORTS}c-1",
        {"state": "Disabled"},
        answer=COHORT,
        batch=True,
    ),
    WireCall(
        "Cohort.batch_get_by_id",
        lambda **key: Cohort.batch_get_by_id(["c-1"], **key),
        "GET",
        f"{COHORTS}c-1",
        answer=COHORT,
        batch=True,
    ),
    WireCall(
        "Cohort.batch_create",
        lambda **key: Cohort.batch_create([cohort()], **key),
        "POST",
        COHORTS,
        _COHORT_BODY,
        answer=COHORT,
        status=201,
        harmless=False,
        batch=True,
    ),
    WireCall(
        "Cohort.batch_update",
        lambda **key: Cohort.batch_update([cohort(id="c-1")], **key),
        "PATCH",
        f"{COHORTS}c-1",
        {**_COHORT_BODY, "id": "c-1"},
        answer=COHORT,
        batch=True,
    ),
    WireCall(
        "Cohort.batch_delete",
        lambda **key: Cohort.batch_delete([cohort(id="c-1")], **key),
        "DELETE",
        f"{COHORTS}c-1",
        answer=b"",
        reads=False,
        batch=True,
    ),
]

SEGMENT_CALLS: List[WireCall] = [
    WireCall(
        "Segment.create",
        lambda **key: segment().create(**key),
        "POST",
        SEGMENTS,
        _SEGMENT_BODY,
        answer=SEGMENT,
        harmless=False,
    ),
    WireCall(
        "Segment.update",
        lambda **key: segment(id="s-1", description="Who buys").update(**key),
        "PATCH",
        f"{SEGMENTS}/s-1",
        _SEGMENT_CHANGE,
        answer=SEGMENT,
    ),
    WireCall(
        "Segment.delete",
        lambda **key: segment(id="s-1").delete(**key),
        "DELETE",
        f"{SEGMENTS}/s-1",
        answer=SEGMENT,
        reads=False,
    ),
    WireCall(
        "Segment.update_by_code",
        lambda **key: segment(description="Who buys").update_by_code(**key),
        "PATCH",
        f"{SEGMENTS}/code/1234",
        _SEGMENT_CHANGE,
        answer=SEGMENT,
    ),
    WireCall(
        "Segment.delete_by_code",
        lambda **key: segment().delete_by_code(**key),
        "DELETE",
        f"{SEGMENTS}/code/1234",
        answer=SEGMENT,
        reads=False,
    ),
    WireCall(
        "Segment.bulk",
        _bulk,
        "PATCH",
        SEGMENTS,
        {"operations": [{"operation": "Delete", "code": "1234"}]},
        answer={"items": [SEGMENT]},
        harmless=False,
    ),
    WireCall(
        "Segment.get_by_id",
        lambda **key: Segment.get_by_id("i-1", "s-1", **key),
        "GET",
        f"{SEGMENTS}/s-1",
        answer=SEGMENT,
    ),
    WireCall(
        "Segment.get_by_code",
        lambda **key: Segment.get_by_code("i-1", "1234", **key),
        "GET",
        f"{SEGMENTS}/code/1234",
        answer=SEGMENT,
    ),
    WireCall(
        "Segment.list",
        lambda **key: Segment.list("i-1", **key),
        "GET",
        SEGMENTS,
        answer={"elements": [SEGMENT], "pagination": {"total_count": 1}},
    ),
    WireCall(
        "Segment.plan",
        lambda **key: Segment.plan("i-1", [{"code": "1234"}], **key),
        "GET",
        SEGMENTS,
        answer={"elements": [SEGMENT], "pagination": {"total_count": 1}},
    ),
    WireCall(
        "Segment.batch_create",
        lambda **key: Segment.batch_create([segment()], **key),
        "POST",
        SEGMENTS,
        _SEGMENT_BODY,
        answer=SEGMENT,
        harmless=False,
        batch=True,
    ),
    WireCall(
        "Segment.batch_update",
        lambda **key: Segment.batch_update([segment(id="s-1", description="Who buys")], **key),
        "PATCH",
        f"{SEGMENTS}/s-1",
        _SEGMENT_CHANGE,
        answer=SEGMENT,
        batch=True,
    ),
    WireCall(
        "Segment.batch_delete",
        lambda **key: Segment.batch_delete([segment(id="s-1")], **key),
        "DELETE",
        f"{SEGMENTS}/s-1",
        answer=SEGMENT,
        reads=False,
        batch=True,
    ),
]

IMPORT_CALLS: List[WireCall] = [
    WireCall(
        "Import.get_by_id",
        lambda **key: Import.get_by_id("i-1", **key),
        "GET",
        f"{IMPORTS}/i-1",
        answer=IMPORT,
    ),
    WireCall(
        "Import.list", lambda **key: Import.list(**key), "GET", IMPORTS, answer={"items": [IMPORT]}
    ),
    WireCall(
        "Import.list with details",
        lambda **key: Import.list(include_details=True, **key),
        "GET",
        IMPORTS,
        answer={"items": []},
    ),
    WireCall(
        "Import.batch_get_by_id",
        lambda **key: Import.batch_get_by_id(["i-1"], **key),
        "GET",
        f"{IMPORTS}/i-1",
        answer=IMPORT,
        batch=True,
    ),
]

USER_CALLS: List[WireCall] = [
    WireCall(
        "Identity.identify",
        lambda **key: identity().identify(**key),
        "POST",
        IDENTIFY,
        _IDENTITY_BODY,
        answer={"user_id": "u-2"},
        reads=False,
    ),
    WireCall(
        "Identity.batch_identify",
        lambda **key: Identity.batch_identify([identity()], **key),
        "POST",
        IDENTIFY,
        _IDENTITY_BODY,
        answer={"user_id": "u-2"},
        reads=False,
        batch=True,
    ),
    WireCall(
        "Identity.resolve",
        lambda **key: identity().resolve(**key),
        "POST",
        IDENTIFY,
        _IDENTITY_BODY,
        answer={"user_id": "u-2"},
    ),
    WireCall(
        "Identity.batch_resolve",
        lambda **key: Identity.batch_resolve([identity()], **key),
        "POST",
        IDENTIFY,
        _IDENTITY_BODY,
        answer={"user_id": "u-2"},
        batch=True,
    ),
    WireCall(
        "Identity.create_user",
        lambda **key: Identity.create_user(**key),
        "POST",
        USERS,
        answer={"id": "u-1"},
        harmless=False,
    ),
    WireCall(
        "Identity.list_aliases",
        lambda **key: Identity.list_aliases("u-1", **key),
        "GET",
        f"{USERS}/u-1/aliases",
        answer=[{"id": "a@b.c", "tag": "email", "permutive_id": "u-1"}],
    ),
    WireCall(
        "TrackedEvent.track",
        lambda **key: tracked().track(timeout=_timeout_seconds(), **key),
        "POST",
        EVENTS,
        _TRACKED_BODY,
        query=TRACKING,
        answer=TRACKED,
        status=201,
        harmless=False,
        takes_timeout=True,
    ),
    WireCall(
        "TrackedEvent.batch_track",
        lambda **key: TrackedEvent.batch_track([tracked()], timeout=_timeout_seconds(), **key),
        "POST",
        EVENTS,
        _TRACKED_BODY,
        query=TRACKING,
        answer=TRACKED,
        status=201,
        harmless=False,
        batch=True,
        takes_timeout=True,
    ),
    WireCall(
        "ContextSegment.send",
        lambda **key: page().send(timeout=_timeout_seconds(), **key),
        "POST",
        CONTEXT,
        _PAGE_BODY,
        answer=IN_CONTEXT,
        takes_timeout=True,
    ),
    WireCall(
        "ContextSegment.batch_send",
        lambda **key: ContextSegment.batch_send([page()], timeout=_timeout_seconds(), **key),
        "POST",
        CONTEXT,
        _PAGE_BODY,
        answer=IN_CONTEXT,
        batch=True,
        takes_timeout=True,
    ),
    WireCall(
        "Segmentation.send_stateless",
        lambda **key: segmentation().send_stateless(
            state=_STATE, timeout=_timeout_seconds(), **key
        ),
        "POST",
        STATELESS,
        {**_SEGMENTATION_BODY, "state": _STATE},
        query=PLAIN,
        answer={"user_id": "u-1", "state": {**_STATE, "cohorts": ["12345"]}},
        takes_timeout=True,
    ),
    WireCall(
        "Segmentation.send",
        lambda **key: segmentation().send(timeout=_timeout_seconds(), **key),
        "POST",
        SEGMENTATION,
        _SEGMENTATION_BODY,
        query=PLAIN,
        answer=SEGMENTED,
        harmless=False,
        takes_timeout=True,
    ),
    WireCall(
        "Segmentation.batch_send",
        lambda **key: Segmentation.batch_send([segmentation()], timeout=_timeout_seconds(), **key),
        "POST",
        SEGMENTATION,
        _SEGMENTATION_BODY,
        query=PLAIN,
        answer=SEGMENTED,
        harmless=False,
        batch=True,
        takes_timeout=True,
    ),
]

WORKSPACE_CALLS: List[WireCall] = [
    WireCall(
        "Workspace.cohorts",
        lambda **key: _workspace(**key).cohorts(),
        "GET",
        COHORTS,
        query=CHILDREN,
        answer=[COHORT],
    ),
    WireCall(
        "Workspace.imports",
        lambda **key: _workspace(**key).imports(),
        "GET",
        IMPORTS,
        answer={"items": [IMPORT]},
    ),
    WireCall(
        "Workspace.segments",
        lambda **key: _workspace(**key).segments("i-1"),
        "GET",
        SEGMENTS,
        answer={"elements": [SEGMENT]},
    ),
]


def _http_call(
    name: str,
    make: Callable[..., Any],
    method: str,
    body: Any = None,
    query: Optional[Mapping[str, str]] = None,
    **more: Any,
) -> WireCall:
    return WireCall(
        name,
        make,
        method,
        "/v9/things",
        body,
        query=query or {},
        reads=False,
        harmless=method != "POST",
        key_optional=False,
        **more,
    )


def _request(method: str, **arguments: Any) -> Callable[..., Any]:
    return lambda api_key: http.request(
        method, api_key, _URL, timeout=_timeout_seconds(), **arguments
    )


def _batch_of(method: str, **arguments: Any) -> Callable[..., Any]:
    return lambda **options: http.process_batch(
        [BatchRequest(method, _URL, **arguments)], max_workers=None, **options
    )


HTTP_CALLS: List[WireCall] = [
    _http_call(
        "http.get", lambda api_key: http.get(api_key, _URL, {"a": "b"}), "GET", query={"a": "b"}
    ),
    _http_call("http.post", lambda api_key: http.post(api_key, _URL, {"a": 1}), "POST", {"a": 1}),
    _http_call(
        "http.patch", lambda api_key: http.patch(api_key, _URL, {"a": 1}), "PATCH", {"a": 1}
    ),
    _http_call("http.delete", lambda api_key: http.delete(api_key, _URL), "DELETE"),
    _http_call("http.request get", _request("get"), "GET", takes_timeout=True),
    _http_call(
        "http.request POST",
        _request("POST", json=[1], params={"a": "b"}),
        "POST",
        [1],
        query={"a": "b"},
        takes_timeout=True,
    ),
    _http_call("http.request Patch", _request("Patch", json={}), "PATCH", {}, takes_timeout=True),
    _http_call("http.request DELETE", _request("DELETE"), "DELETE", takes_timeout=True),
    _http_call(
        "http.process_batch POST",
        _batch_of("POST", json={"a": 1}, params={"a": "b"}),
        "POST",
        {"a": 1},
        query={"a": "b"},
        batch=True,
    ),
    _http_call("http.process_batch get", _batch_of("get"), "GET", batch=True),
]


def _streamed(call: WireCall, name: str, stream: Callable[..., Any]) -> WireCall:
    """Return the call of a batch, made as a stream."""

    def make(**key: Any) -> Any:
        return _collected(stream(**key))

    return replace(call, name=name, make=make)


def _collected(results: Iterable[BatchResult[Any]]) -> Any:
    """Return what a batch helper returns: the values and the failures."""
    values: List[Any] = []
    failures: List[Any] = []
    for result in results:
        if result.error is None:
            values.append(result.value)
        else:
            failures.append((result.batch_request, result.error))
    return values, failures


_BATCHES = {call.name: call for call in (*USER_CALLS, *HTTP_CALLS) if call.batch}
USER_STREAMS: List[WireCall] = [
    _streamed(
        _BATCHES["Identity.batch_identify"],
        "Identity.stream_identify",
        lambda **key: Identity.stream_identify(iter([identity()]), **key),
    ),
    _streamed(
        _BATCHES["Identity.batch_resolve"],
        "Identity.stream_resolve",
        lambda **key: Identity.stream_resolve(iter([identity()]), **key),
    ),
    _streamed(
        _BATCHES["TrackedEvent.batch_track"],
        "TrackedEvent.stream_track",
        lambda **key: TrackedEvent.stream_track(
            iter([tracked()]), timeout=_timeout_seconds(), **key
        ),
    ),
    _streamed(
        _BATCHES["Segmentation.batch_send"],
        "Segmentation.stream_send",
        lambda **key: Segmentation.stream_send(
            iter([segmentation()]), timeout=_timeout_seconds(), **key
        ),
    ),
]
HTTP_STREAMS: List[WireCall] = [
    _streamed(
        _BATCHES["http.process_batch POST"],
        "stream_batch POST",
        lambda **key: stream_batch(
            [BatchRequest("POST", _URL, json={"a": 1}, params={"a": "b"})], **key
        ),
    ),
    _streamed(
        _BATCHES["http.process_batch get"],
        "stream_batch get",
        lambda **key: stream_batch(iter([BatchRequest("get", _URL)]), **key),
    ),
]

MODEL_CALLS = [
    *COHORT_CALLS,
    *SEGMENT_CALLS,
    *IMPORT_CALLS,
    *USER_CALLS,
    *USER_STREAMS,
    *WORKSPACE_CALLS,
]
ALL_CALLS = [*MODEL_CALLS, *HTTP_CALLS, *HTTP_STREAMS]


KEY_OF = {call: f"{KEY}-{number}" for number, call in enumerate(ALL_CALLS)}
"""A key for each call, by which a server can tell them apart."""


def every(calls: Sequence[WireCall] = ALL_CALLS) -> pytest.MarkDecorator:
    """Run a test once for each call."""
    return pytest.mark.parametrize("call", calls, ids=str)


def at_once(
    make: Callable[[WireCall], T], calls: Sequence[WireCall] = ALL_CALLS
) -> Dict[WireCall, T]:
    """Make calls all at the same time, so that they wait together; return the result of each."""
    with ThreadPoolExecutor(len(calls)) as executor:
        return dict(zip(calls, executor.map(make, calls), strict=True))
