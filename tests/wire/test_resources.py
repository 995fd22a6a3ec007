"""The results of each resource's calls, and calls that send several requests."""

from __future__ import annotations

import itertools
import json
import logging
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Optional

import numpy
import pandas
import pytest

from PermutiveAPI import (
    Alias,
    Cohort,
    CohortList,
    Event,
    Identity,
    Import,
    ImportList,
    PermutiveAPIError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    Segment,
    Segmentation,
    SegmentList,
    Workspace,
)
from tests.support.calls import (
    CHILDREN,
    COHORT,
    COHORTS,
    IMPORT,
    IMPORTS,
    KEY,
    QUERY,
    SEGMENT,
    SEGMENTED,
    SEGMENTS,
    cohort,
    segment,
    segmentation,
)
from tests.support.fake_service import FakeService, ReceivedRequest, answer, answer_from

CREATED = datetime(2022, 9, 22, 15, 44, 29, 513211, timezone.utc)
CHANGED = datetime(2022, 9, 23, 15, 44, 29, 513214, timezone.utc)
SEGMENT_CHANGED = datetime(2023, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def paths(server: FakeService) -> List[str]:
    """Return the verb and path of each request that arrived."""
    return [f"{seen.method} {seen.path}" for seen in server.received]


def single(model: Any, verb: str) -> Any:
    """Call a verb on the object itself."""
    getattr(model, verb)(KEY)


def batched(model: Any, verb: str) -> Any:
    """Call a verb on the object in a batch of one, which succeeds."""
    _, failures = getattr(type(model), f"batch_{verb}")([model], api_key=KEY)
    assert failures == []


both_ways = pytest.mark.parametrize("act", [single, batched])


# --- Fields from responses ----------------------------------------------------------------------

ADOPTED: List[Any] = [
    pytest.param(
        lambda: cohort(tags=["mine"], state="Mine"),
        "create",
        COHORT,
        {
            "id": "c-1",
            "code": 12345,
            "state": "Enabled",
            "segment_type": "real_time",
            "created_at": CREATED,
            "last_updated_at": CHANGED,
            "workspace_id": "w-1",
            "request_id": "r-1",
        },
        id="Cohort.create",
    ),
    pytest.param(
        lambda: cohort(id="mine", code=1, tags=["mine"]),
        "update",
        COHORT,
        {"last_updated_at": CHANGED, "request_id": "r-1"},
        id="Cohort.update",
    ),
    pytest.param(lambda: cohort(id="mine"), "delete", b"", {}, id="Cohort.delete"),
    pytest.param(
        lambda: Segment(name="Mine", import_id="i-mine"),
        "create",
        SEGMENT,
        {
            "id": "s-1",
            "code": "1234",
            "name": "Buyers",
            "description": "Who buys",
            "cpm": 2.5,
            "categories": ["c"],
            "created_at": None,
            "updated_at": SEGMENT_CHANGED,
        },
        id="Segment.create",
    ),
    pytest.param(
        lambda: segment(id="mine", code="mine", import_id="i-mine"),
        "update",
        SEGMENT,
        {
            "name": "Buyers",
            "description": "Who buys",
            "cpm": 2.5,
            "categories": ["c"],
            "updated_at": SEGMENT_CHANGED,
        },
        id="Segment.update",
    ),
    pytest.param(
        lambda: segment(id="mine", name="Mine"), "delete", SEGMENT, {}, id="Segment.delete"
    ),
]


@both_ways
@pytest.mark.parametrize("make, verb, content, adopted", ADOPTED)
def test_only_the_documented_fields_are_set(
    server: FakeService,
    act: Callable[..., Any],
    make: Callable[[], Any],
    verb: str,
    content: Any,
    adopted: Dict[str, Any],
) -> None:
    """A call sets exactly the documented fields from the response, alone and in a batch."""
    server.default = answer(200, content)
    model = make()
    before = asdict(model)
    assert act(model, verb) is None
    assert asdict(model) == {**before, **adopted}


@both_ways
@pytest.mark.parametrize(
    "make, verb",
    [
        (lambda: cohort(id="c", code=5, state="Disabled"), "create"),
        (lambda: segment(id="s", cpm=2.5, categories=["mine"]), "update"),
    ],
    ids=["create", "update"],
)
def test_fields_that_are_not_in_the_response(
    server: FakeService, act: Callable[..., Any], make: Callable[[], Any], verb: str
) -> None:
    """A field that is not in the response stays as it was; only timestamps become None."""
    model = make()
    server.default = answer(200, {"name": model.name, "import_id": "i-1"})
    times = dict.fromkeys(name for name in vars(model) if name.endswith("updated_at"))
    if verb == "create":
        times["created_at"] = None
    before = asdict(model)
    act(model, verb)
    assert asdict(model) == {**before, **times}


@both_ways
def test_an_answer_without_a_name_still_gives_the_id(
    server: FakeService, act: Callable[..., Any]
) -> None:
    """A created object gets its id from a response without a name, and keeps its name."""
    server.default = answer(201, {"id": "c-9", "code": 9})
    created = cohort()
    act(created, "create")
    assert (created.id, created.code, created.name) == ("c-9", 9, "Readers")
    server.default = answer(200, {"id": "s-9"})
    made = segment()
    act(made, "create")
    assert (made.id, made.name, made.import_id) == ("s-9", "Buyers", "i-1")


@both_ways
def test_creating_a_cohort_that_has_an_id_is_logged(
    server: FakeService, caplog: pytest.LogCaptureFixture, act: Callable[..., Any]
) -> None:
    """A cohort with an id is created, with the warning "id is specified"."""
    server.default = answer(201, COHORT)
    act(cohort(id="mine"), "create")
    warnings = [
        (record.name, record.getMessage())
        for record in caplog.records
        if record.levelno == logging.WARNING
    ]
    assert warnings == [("PermutiveAPI", "id is specified")]
    assert server.received[0].json["id"] == "mine"


@pytest.mark.parametrize(
    "model, verb, body",
    [
        (lambda: cohort(description=None), "create", {"name": "Readers", "query": QUERY}),
        (
            lambda: Segment(name="n", import_id="i-1", query={"a": None}),
            "create",
            {"name": "n", "cpm": 0.0, "query": {"a": None}},
        ),
        (lambda: segment(id="s-1", cpm=2, query={"a": 1}), "update", {"name": "Buyers", "cpm": 2}),
        (lambda: segment(id="s-1", cpm=None), "update", {"name": "Buyers"}),
        (
            lambda: cohort(id="c-1", name="Fußball ⚽ \"'\\"),
            "update",
            {"id": "c-1", "name": "Fußball ⚽ \"'\\", "query": QUERY, "description": "Who reads"},
        ),
    ],
)
@both_ways
def test_bodies(
    server: FakeService, act: Callable[..., Any], model: Callable[[], Any], verb: str, body: Any
) -> None:
    """A body holds the documented fields that are set, with any content."""
    made = model()
    server.default = answer(200, COHORT if isinstance(made, Cohort) else SEGMENT)
    act(made, verb)
    assert server.received[0].json == body


@both_ways
def test_a_price_is_reset_only_if_the_service_gave_one(
    server: FakeService, act: Callable[..., Any]
) -> None:
    """A cpm of 0.0 is sent for a fetched segment with a price, but not for a new one without."""
    server.default = answer(200, SEGMENT)
    fetched = Segment.get_by_id("i-1", "s-1", KEY)
    fetched.cpm = 0.0
    act(fetched, "update")
    by_hand = segment(id="s-1")
    act(by_hand, "update")
    by_hand.cpm = 0.0
    act(by_hand, "update")
    sent = [seen.json for seen in server.received[1:]]
    assert [body.get("cpm") for body in sent] == [0.0, None, 0.0]
    assert all("code" not in body and "query" not in body for body in sent)


# --- Identifiers -------------------------------------------------------------------------------

AWKWARD_ID = "news/sport?x=1&k=2#é %41"
QUOTED = "news%2Fsport%3Fx%3D1%26k%3D2%23%C3%A9%20%2541"

WITH_ID: Dict[str, Any] = {
    "Cohort.get_by_id": (lambda id: Cohort.get_by_id(id, KEY), COHORTS + "{}"),
    "Import.get_by_id": (lambda id: Import.get_by_id(id, KEY), IMPORTS + "/{}"),
    "Import.batch_get_by_id": (
        lambda id: Import.batch_get_by_id([id], api_key=KEY),
        IMPORTS + "/{}",
    ),
    "Segment.get_by_id": (lambda id: Segment.get_by_id("i-1", id, KEY), SEGMENTS + "/{}"),
    "Segment.get_by_id of import": (
        lambda id: Segment.get_by_id(id, "s", KEY),
        IMPORTS + "/{}/segments/s",
    ),
    "Segment.get_by_code": (lambda id: Segment.get_by_code("i-1", id, KEY), SEGMENTS + "/code/{}"),
    "Segment.list": (lambda id: Segment.list(id, KEY), IMPORTS + "/{}/segments"),
    "Segment.create": (lambda id: segment(import_id=id).create(KEY), IMPORTS + "/{}/segments"),
    "Segment.batch_create": (
        lambda id: Segment.batch_create([segment(import_id=id)], api_key=KEY),
        IMPORTS + "/{}/segments",
    ),
    "Workspace.segments": (
        lambda id: Workspace("n", "o", "w", KEY).segments(id),
        IMPORTS + "/{}/segments",
    ),
}
WITH_OWN_ID: Dict[str, Any] = {
    "Cohort.update": (lambda id: cohort(id=id).update(KEY), COHORTS + "{}"),
    "Cohort.delete": (lambda id: cohort(id=id).delete(KEY), COHORTS + "{}"),
    "Segment.update": (lambda id: segment(id=id).update(KEY), SEGMENTS + "/{}"),
    "Segment.delete": (lambda id: segment(id=id).delete(KEY), SEGMENTS + "/{}"),
}


@pytest.mark.parametrize("name", [*WITH_ID, *WITH_OWN_ID])
def test_an_awkward_identifier_is_quoted(server: FakeService, name: str) -> None:
    """An identifier with slashes, question marks and spaces arrives as one part of the path."""
    call, path = {**WITH_ID, **WITH_OWN_ID}[name]
    server.default = answer(200, {**IMPORT, **COHORT, **SEGMENT})
    call(AWKWARD_ID)
    [seen] = server.received
    assert seen.path == path.format(QUOTED)
    assert seen.query == {"k": [KEY]}


# --- Cohorts ---------------------------------------------------------------------------------


def test_get_by_id_gives_the_whole_cohort(server: FakeService) -> None:
    """A fetched cohort has every field of the response; unknown members are ignored."""
    server.default = answer(200, {**COHORT, "query": QUERY, "new": 1})
    found = Cohort.get_by_id("c-1", KEY)
    assert isinstance(found, Cohort)
    assert found == Cohort(
        **{**COHORT, "query": QUERY, "created_at": CREATED, "last_updated_at": CHANGED}
    )


def cohorts_of(request: ReceivedRequest) -> Any:
    """Respond with a list of three cohorts without queries, or with one cohort and its query."""
    three = [{"id": f"c-{number}", "name": f"n-{number}", "code": number} for number in (1, 2, 3)]
    if request.path == COHORTS:
        return three
    [found] = [one for one in three if request.path == COHORTS + one["id"]]
    return {**found, "query": QUERY}


@pytest.mark.parametrize(
    "look_up",
    [
        lambda: Cohort.get_by_name("n-2", KEY),
        lambda: Cohort.get_by_code(2, KEY),
        lambda: Cohort.get_by_code("2", KEY),
    ],
    ids=["name", "code", "code as text"],
)
def test_look_ups_list_and_then_fetch(server: FakeService, look_up: Callable[[], Any]) -> None:
    """A look-up by name or code lists the cohorts with child workspaces, and then fetches one with its query."""
    server.default = answer_from(cohorts_of)
    found = look_up()
    assert (found.id, found.query) == ("c-2", QUERY)
    assert paths(server) == [f"GET {COHORTS}", f"GET {COHORTS}c-2"]
    assert server.received[0].query == {"k": [KEY], "include-child-workspaces": ["true"]}
    assert server.received[1].query == {"k": [KEY]}


@pytest.mark.parametrize("look_up", [Cohort.get_by_name, Cohort.get_by_code])
@pytest.mark.parametrize("wanted", [2.0, float("nan"), pandas.NA, True, b"n-2"], ids=repr)
def test_a_look_up_of_a_wrong_kind(
    server: FakeService, look_up: Callable[..., Any], wanted: Any
) -> None:
    """A name or code of a wrong type, such as an empty cell, is refused before anything is sent."""
    with pytest.raises(TypeError, match="must be a text, got"):
        look_up(wanted, KEY)
    assert server.received == []


@pytest.mark.parametrize(
    "look_up", [lambda: Cohort.get_by_name("n", KEY), lambda: Cohort.get_by_code(0, KEY)]
)
def test_a_look_up_without_a_match_is_none(server: FakeService, look_up: Callable[[], Any]) -> None:
    """If no cohort matches, a look-up returns None after one request."""
    server.default = answer_from(cohorts_of)
    assert look_up() is None
    assert paths(server) == [f"GET {COHORTS}"]


def test_the_list_keeps_the_order_of_the_service(server: FakeService) -> None:
    """Cohort.list returns a CohortList in the service's order, with one request."""
    server.default = answer_from(cohorts_of)
    listed = Cohort.list(KEY)
    assert isinstance(listed, CohortList)
    assert [one.id for one in listed] == ["c-1", "c-2", "c-3"]
    assert [one.query for one in listed] == [None] * 3


def test_details_come_in_list_order(server: FakeService) -> None:
    """With details, every cohort is fetched by id, and the order of the list is kept."""
    server.default = answer_from(cohorts_of)
    listed = Cohort.list(KEY, include_child_workspaces=True, include_details=True)
    assert isinstance(listed, CohortList)
    assert [(one.id, one.query) for one in listed] == [
        (f"c-{number}", QUERY) for number in (1, 2, 3)
    ]
    assert paths(server)[0] == f"GET {COHORTS}"
    assert server.received[0].query["include-child-workspaces"] == ["true"]
    assert sorted(paths(server)[1:]) == [f"GET {COHORTS}c-{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("status", [404, 500])
def test_one_detail_that_fails_raises(server: FakeService, status: int) -> None:
    """If a cohort cannot be fetched with its details, the error is raised; none is silently left out."""

    def respond_but_once(request: Optional[ReceivedRequest]) -> Any:
        assert request is not None
        if request.path == f"{COHORTS}c-2":
            return answer(status)
        return answer_from(cohorts_of)

    server.default = lambda connection: respond_but_once(connection.request)(connection)
    with pytest.raises(PermutiveAPIError) as raised:
        Cohort.list(KEY, include_details=True)
    assert raised.value.status == status


# --- Segments and imports --------------------------------------------------------------------


def page(request: ReceivedRequest) -> Any:
    """Respond with one of three pages of segments; one has no elements."""
    token = request.query.get("pagination_token", [""])[0]
    number = {"": 0, "a=/+": 1, "b": 2}[token]
    return [
        {
            "elements": [{**SEGMENT, "id": "s-1"}, {**SEGMENT, "id": "s-2"}],
            "pagination": {"next_token": "a=/+", "total_count": 3},
        },
        {"elements": None, "pagination": {"next_token": "b"}},
        {"elements": [{**SEGMENT, "id": "s-3"}], "pagination": {"next_token": None}},
    ][number]


def test_segments_are_listed_page_after_page(server: FakeService) -> None:
    """Segment.list follows next_token, one request at a time, and keeps the order."""
    server.default = answer_from(page)
    listed = Segment.list("i-1", KEY)
    assert isinstance(listed, SegmentList)
    assert [one.id for one in listed] == ["s-1", "s-2", "s-3"]
    assert [one.cpm for one in listed] == [2.5] * 3
    assert [seen.query for seen in server.received] == [
        {"k": [KEY]},
        {"k": [KEY], "pagination_token": ["a=/+"]},
        {"k": [KEY], "pagination_token": ["b"]},
    ]
    assert {seen.path for seen in server.received} == {SEGMENTS}


@pytest.mark.parametrize(
    "content", [{}, {"elements": []}, {"elements": None, "pagination": None}, {"pagination": {}}]
)
def test_a_page_without_elements_is_empty(server: FakeService, content: Any) -> None:
    """Elements and pagination may be absent or null."""
    server.default = answer(200, content)
    assert Segment.list("i-1", KEY) == SegmentList()
    assert len(server.received) == 1


def test_a_token_that_repeats_raises(server: FakeService) -> None:
    """A next_token that repeats raises PermutiveAPIError instead of an endless loop."""
    tokens = iter("abab")
    server.default = answer_from(
        lambda seen: {"elements": [], "pagination": {"next_token": next(tokens)}}
    )
    with pytest.raises(PermutiveAPIError, match="the same page of segments twice"):
        Segment.list("i-1", KEY)
    assert len(server.received) == 3


def test_empty_pages_without_end_raise(server: FakeService) -> None:
    """A hundred empty pages in a row raise PermutiveAPIError."""
    tokens = itertools.count()
    server.default = answer_from(
        lambda seen: {"elements": [], "pagination": {"next_token": str(next(tokens))}}
    )
    with pytest.raises(PermutiveAPIError, match="100 empty pages in a row"):
        Segment.list("i-1", KEY)
    assert len(server.received) == 100


def test_empty_pages_between_others(server: FakeService) -> None:
    """Empty pages are skipped, however many there are, if other pages are between them."""
    pages = [*range(99), {**SEGMENT, "id": "s-1"}, *range(99), {**SEGMENT, "id": "s-2"}]
    page = iter(enumerate(pages))

    def next_page(request: ReceivedRequest) -> Dict[str, Any]:
        number, element = next(page)
        token = str(number) if number + 1 < len(pages) else None
        elements = [element] if isinstance(element, dict) else []
        return {"elements": elements, "pagination": {"next_token": token}}

    server.default = answer_from(next_page)
    assert [each.id for each in Segment.list("i-1", KEY)] == ["s-1", "s-2"]
    assert len(server.received) == 200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], ": the page must be"),
        (None, ": the page must be"),
        ("text", "expected an object or an array, got a text"),
        (5, ": the page must be"),
        ({"elements": 5}, "'int' object is not iterable"),
        ({"elements": [5]}, "got int"),
        ({"elements": [None]}, "got NoneType"),
        ({"elements": ["{}"]}, "got str"),
        ({"elements": "ab"}, "got str"),
        ({"elements": {"a": 1}}, "got str"),
        ({"elements": [{"id": "s-1"}]}, "missing required argument"),
        ({"pagination": "next"}, ": pagination must be"),
        ({"pagination": {"next_token": {"a": 1}}}, ": next_token must be"),
        ({"pagination": {"next_token": ["a"]}}, ": next_token must be"),
        ({"pagination": {"next_token": 7}}, ": next_token must be"),
    ],
)
def test_a_page_of_a_wrong_kind_raises(server: FakeService, content: Any, words: str) -> None:
    """A page with parts of wrong kinds is a PermutiveAPIError that says what is wrong."""
    server.default = answer(200, content)
    with pytest.raises(PermutiveAPIError, match=words):
        Segment.list("i-1", KEY)
    assert len(server.received) == 1


def test_a_page_in_the_middle_that_fails_raises(server: FakeService) -> None:
    """If a page cannot be fetched, the error is raised; the segments before it are not returned as if they were all."""
    server.script = [answer(200, {"pagination": {"next_token": "b"}})]
    server.default = answer(502)
    with pytest.raises(PermutiveServerError):
        Segment.list("i-1", KEY)
    assert len(server.received) == 1 + 3


def test_a_fetched_segment_is_whole(server: FakeService) -> None:
    """A segment that is fetched by id or code has every field of the response."""
    server.default = answer(200, SEGMENT)
    expected = Segment(**{**SEGMENT, "updated_at": SEGMENT_CHANGED})
    expected.created_at = None
    assert Segment.get_by_id("i-1", "s-1", KEY) == expected
    assert Segment.get_by_code("i-1", "1234", KEY) == expected


IMPORT_2 = {**IMPORT, "id": "i-2", "code": "two"}


def taxonomy(request: ReceivedRequest) -> Any:
    """Respond with two imports, or with one of them, or with its segment."""
    parts = request.path.removeprefix(IMPORTS).strip("/").split("/")
    if parts == [""]:
        return {"items": [IMPORT, IMPORT_2]}
    if len(parts) == 1:
        return {"i-1": IMPORT, "i-2": IMPORT_2}[parts[0]]
    return {"elements": [{**SEGMENT, "import_id": parts[0]}]}


@pytest.mark.parametrize("content", [{"items": [IMPORT, IMPORT_2]}, [IMPORT, IMPORT_2]])
def test_the_list_of_imports(server: FakeService, content: Any) -> None:
    """A response with an object with items, or with an array, gives an ImportList."""
    server.default = answer(200, content)
    listed = Import.list(KEY)
    assert isinstance(listed, ImportList)
    assert [one.id for one in listed] == ["i-1", "i-2"]
    assert listed[0].inheritance == IMPORT["inheritance"]
    assert listed[0].source.state == {"type": "active"}
    assert listed[0].segments is None


@pytest.mark.parametrize(
    "content, text",
    [
        ({"elements": []}, "Response JSON missing 'items' collection"),
        ({"items": 5}, ""),
        ({"items": None}, ""),
        ({"items": "x"}, ""),
        ({"items": [5]}, ""),
        ({"items": ["x"]}, ""),
        ({"items": [None]}, ""),
        ({"items": [[]]}, ""),
        ({"items": {"id": "i-1"}}, ""),
        ({"items": [{"id": "i-1"}]}, ""),
    ],
)
def test_a_list_of_imports_of_a_wrong_kind(server: FakeService, content: Any, text: str) -> None:
    """A response without a list of imports is both a ValueError and a PermutiveAPIError."""
    server.default = answer(200, content)
    with pytest.raises(ValueError) as raised:
        Import.list(KEY)
    assert isinstance(raised.value, PermutiveAPIError)
    assert text in str(raised.value)


def test_details_of_imports_are_their_segments(server: FakeService) -> None:
    """With details, each import has its own segments as a SegmentList."""
    server.default = answer_from(taxonomy)
    listed = Import.list(KEY, include_details=True)
    one = Import.get_by_id("i-2", KEY, include_details=True)
    for found, id in [(listed[0], "i-1"), (listed[1], "i-2"), (one, "i-2")]:
        assert isinstance(found.segments, SegmentList)
        assert [segment.import_id for segment in found.segments] == [id]
    assert paths(server)[0] == f"GET {IMPORTS}"
    assert sorted(paths(server)[1:3]) == [
        f"GET {IMPORTS}/i-1/segments",
        f"GET {IMPORTS}/i-2/segments",
    ]
    assert paths(server)[3:] == [f"GET {IMPORTS}/i-2", f"GET {IMPORTS}/i-2/segments"]


def test_many_imports_by_id(server: FakeService) -> None:
    """Import.batch_get_by_id returns the imports by id in the order of the ids, and the failures."""
    server.default = lambda connection: (
        answer(404)
        if connection.request and connection.request.path.endswith("/gone")
        else answer_from(taxonomy)
    )(connection)
    found, failures = Import.batch_get_by_id(["i-2", "gone", "i-1"], api_key=KEY)
    assert list(found) == ["i-2", "i-1"]
    assert {id: one.id for id, one in found.items()} == {"i-2": "i-2", "i-1": "i-1"}
    [(request, error)] = failures
    assert request.url.endswith("/gone")
    assert isinstance(error, PermutiveResourceNotFoundError)


# --- Users -----------------------------------------------------------------------------------


def test_identify_sends_an_empty_list_of_aliases(server: FakeService) -> None:
    """An empty list of aliases is sent, alone and in a batch."""
    Identity("u-1", []).identify(KEY)
    Identity.batch_identify([Identity("u-1", [])], api_key=KEY)
    assert [seen.json for seen in server.received] == [{"user_id": "u-1", "aliases": []}] * 2


def test_identify_reads_nothing_from_the_answer(server: FakeService) -> None:
    """identify reads nothing from the response, and does not change the identity."""
    server.default = answer(200, {"user_id": "other"})
    known = Identity("u-1", [Alias("a", "email", 1), Alias("b", "ppid", 0)])
    assert known.identify(KEY) is None
    assert known.user_id == "u-1"
    assert server.received[0].json["aliases"] == [
        {"id": "a", "tag": "email", "priority": 1},
        {"id": "b", "tag": "ppid", "priority": 0},
    ]


def test_a_number_of_numpy_as_the_user(server: FakeService) -> None:
    """A user's id from a DataFrame is sent as a number, alone and in a batch."""
    server.default = answer(200, SEGMENTED)
    # From an array, for instance. Type checkers take only texts.
    question = Segmentation([], user_id=numpy.int64(5))  # pyright: ignore[reportArgumentType]
    question.send(KEY)
    Segmentation.batch_send([question], api_key=KEY)
    assert [seen.json for seen in server.received] == [{"events": [], "user_id": 5}] * 2


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("given", [None, False, True])
@pytest.mark.parametrize(("own_check", "given_check"), [(False, None), (True, None), (True, False)])
def test_the_flags_of_a_segmentation(
    server: FakeService, own: bool, given: Any, own_check: bool, given_check: Any
) -> None:
    """Flags given to send() override the object's flags for this call; a batch sends the object's flags."""
    server.default = answer(200, SEGMENTED)
    question = segmentation(activations=own, synchronous_validation=own_check)
    question.send(KEY, activations=given, synchronous_validation=given_check)
    Segmentation.batch_send([question], api_key=KEY)
    effective = own if given is None else given
    effective_check = own_check if given_check is None else given_check
    assert [seen.query for seen in server.received] == [
        {
            "k": [KEY],
            "activations": [str(flag).lower()],
            "synchronous-validation": [str(check).lower()],
        }
        for flag, check in [(effective, effective_check), (own, own_check)]
    ]


def test_the_answer_of_a_segmentation_is_given_as_it_is(server: FakeService) -> None:
    """send() returns the decoded body with unknown members; batch_send() returns a list of bodies."""
    content = {"user_id": "u", "cohorts": [], "segments": [{"id": 1}], "x": None}
    server.default = answer(200, content)
    assert segmentation().send(KEY) == content
    bodies, failures = Segmentation.batch_send([segmentation()] * 2, api_key=KEY)
    assert (bodies, failures) == ([content] * 2, [])


def test_absent_ids_of_an_event_are_left_out(server: FakeService) -> None:
    """An event's session_id and view_id are sent if they are set, and left out otherwise."""
    server.default = answer(200, SEGMENTED)
    events = [Event("a", "t"), Event("b", "t", {"p": 1}, "s", "v")]
    Segmentation(events, "u").send(KEY)
    assert server.received[0].json == {
        "user_id": "u",
        "events": [
            {"name": "a", "time": "t", "properties": {}},
            {"name": "b", "time": "t", "properties": {"p": 1}, "session_id": "s", "view_id": "v"},
        ],
    }


# --- Workspaces ------------------------------------------------------------------------------


def anything(request: ReceivedRequest) -> Any:
    """Respond with something that is both a cohort and an import."""
    return cohorts_of(request) if request.path.startswith(COHORTS) else taxonomy(request)


@pytest.mark.parametrize(
    "ask, others, first",
    [
        (
            lambda ws, **options: ws.cohorts(**options),
            lambda ws, **options: ws.cohorts(include_details=True, **options),
            f"GET {COHORTS}",
        ),
        (
            lambda ws, **options: ws.imports(**options),
            lambda ws, **options: ws.imports(include_details=True, **options),
            f"GET {IMPORTS}",
        ),
        (
            lambda ws, **options: ws.segments("i-1", **options),
            lambda ws, **options: ws.segments(import_id="i-2", **options),
            f"GET {SEGMENTS}",
        ),
    ],
    ids=["cohorts", "imports", "segments"],
)
def test_a_workspace_caches_for_each_argument(
    server: FakeService, ask: Any, others: Any, first: str
) -> None:
    """A workspace lists once for each argument, again if forced, and with its own key."""
    server.default = answer_from(anything)
    workspace = Workspace("Main", "w-1", "w-1", KEY)
    listed = ask(workspace)
    assert ask(workspace) is listed
    assert paths(server) == [first]

    other = others(workspace)
    assert others(workspace) is other
    assert other is not listed
    count = len(server.received)
    assert count > 1

    again = ask(workspace, force_refresh=True)
    assert again is not listed
    assert ask(workspace) is again
    assert len(server.received) == count + 1
    assert {tuple(seen.query["k"]) for seen in server.received} == {(KEY,)}
    if first == f"GET {COHORTS}":
        lists = [seen for seen in server.received if seen.path == COHORTS]
        assert all(
            seen.query["include-child-workspaces"] == list(CHILDREN.values()) for seen in lists
        )


def test_a_failure_is_not_cached(server: FakeService) -> None:
    """If a list failed, a workspace lists again the next time."""
    server.script = [answer(404)]
    server.default = answer_from(anything)
    workspace = Workspace("Main", "w-1", "w-1", KEY)
    with pytest.raises(PermutiveResourceNotFoundError):
        workspace.cohorts()
    assert len(workspace.cohorts()) == 3


def test_two_workspaces_do_not_share_caches(server: FakeService) -> None:
    """Two workspaces do not share caches, since their keys may see different objects."""
    server.default = answer_from(anything)
    for key in ("key-0001", "key-0002"):
        Workspace("Main", "w-1", "w-1", key).imports()
    assert [seen.query["k"] for seen in server.received] == [["key-0001"], ["key-0002"]]


def test_an_update_answered_without_a_price(server: FakeService) -> None:
    """A price that is not in the response stays as it was."""
    facts = {"id": "s", "code": "c", "name": "n", "import_id": "i"}
    server.script = [answer(200, {**facts, "cpm": 2}), answer(200, facts)]
    server.default = answer(200, facts)
    segment = Segment.get_by_id("i", "s", KEY)
    segment.update(KEY)
    segment.update(KEY)
    assert [json.loads(seen.body) for seen in server.received[1:]] == [
        {"name": "n", "cpm": 2},
        {"name": "n", "cpm": 2},
    ]
