"""Segment.bulk: many operations on an import's segments in one request."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

import pytest

from PermutiveAPI import (
    Import,
    PermutiveBadRequestError,
    PermutiveConnectionError,
    PermutiveInvalidResponseError,
    Segment,
)
from PermutiveAPI._Utils import http
from PermutiveAPI.sandbox import Sandbox
from tests.support.calls import KEY, SEGMENT, SEGMENTS, segment
from tests.support.fake_service import FakeService, ReceivedRequest, answer, answer_from, reset
from tests.support.platforms import needs_posix
from tests.support.time_limits import TimeIsUp, time_limit


def items_of(request: ReceivedRequest) -> Any:
    """Respond with a segment for each operation, in another order."""
    codes = [each.get("code") or each["data"]["code"] for each in request.json["operations"]]
    items = [{**SEGMENT, "code": code, "id": f"id-{code}"} for code in codes]
    return {"items": items[::-1]}


def test_what_is_sent(server: FakeService) -> None:
    """One PATCH on the collection sends all operations; updates and deletes have codes, and None is left out."""
    server.default = answer_from(items_of)
    new = segment(code="n1", cpm=2.0)
    changed = segment(code="u1", description="Who buys", id="ignored")
    answered, failures = Segment.bulk(
        "i-1",
        creates=[new],
        updates=iter([changed]),
        deletes=["d1", segment(code="d2")],
        api_key=KEY,
    )
    [seen] = server.received
    assert (seen.method, seen.path) == ("PATCH", SEGMENTS)
    assert seen.json == {
        "operations": [
            {"operation": "Create", "data": {"name": "Buyers", "code": "n1", "cpm": 2.0}},
            {
                "operation": "Update",
                "code": "u1",
                "data": {"name": "Buyers", "description": "Who buys"},
            },
            {"operation": "Delete", "code": "d1"},
            {"operation": "Delete", "code": "d2"},
        ]
    }
    assert failures == []
    assert sorted(each.code or "" for each in answered) == ["d1", "d2", "n1", "u1"]
    assert (new.id, new.cpm) == ("id-n1", 2.5)
    assert (changed.id, changed.cpm) == ("ignored", 2.5)


def test_nothing_to_do(server: FakeService) -> None:
    """Without operations, nothing is sent."""
    assert Segment.bulk("i-1", api_key=KEY) == ([], [])
    assert server.received == []


def test_more_than_one_request_takes(server: FakeService) -> None:
    """A request has at most 5,000 operations; requests are sent one after the other, and each operation once."""
    server.default = answer_from(items_of)
    codes = [f"c{number}" for number in range(10_001)]
    answered, failures = Segment.bulk("i-1", deletes=codes, api_key=KEY)
    sizes = [len(seen.json["operations"]) for seen in server.received]
    assert sizes == [5000, 5000, 1]
    sent = [each["code"] for seen in server.received for each in seen.json["operations"]]
    assert sent == codes
    assert (len(answered), failures) == (10_001, [])


def test_one_of_several_fails(server: FakeService) -> None:
    """If one request fails, the others are sent; the failures have its operations and the error."""
    server.script = [answer(400, b"Invalid value for: body")]
    server.default = answer_from(items_of)
    segments = [segment(code=f"c{number}") for number in range(5001)]
    answered, failures = Segment.bulk("i-1", creates=segments, api_key=KEY)
    [(operations, error)] = failures
    assert isinstance(error, PermutiveBadRequestError)
    assert [each["data"]["code"] for each in operations] == [f"c{number}" for number in range(5000)]
    assert len(answered) == 1
    assert [each.id for each in segments[4999:]] == [None, "id-c5000"]


@needs_posix
def test_a_time_limit_ends_it(server: FakeService) -> None:
    """An exception that a signal handler raises during a request is no failure of it: nothing more is sent."""
    with time_limit() as interrupt:
        server.script, server.default = [interrupt], answer_from(items_of)
        with pytest.raises(TimeIsUp):
            Segment.bulk("i-1", deletes=[f"c{number}" for number in range(5001)], api_key=KEY)
    assert len(server.received) == 1


def test_an_unknown_outcome_is_not_repeated(server: FakeService) -> None:
    """A request that may have been carried out is not sent again, since its codes may exist by then."""
    server.default = reset()
    _, [(operations, error)] = Segment.bulk("i-1", deletes=["d1"], api_key=KEY)
    assert isinstance(error, PermutiveConnectionError)
    assert "outcome is unknown" in str(error)
    assert operations == [{"operation": "Delete", "code": "d1"}]
    assert len(server.received) == 1


MISTAKES: Dict[str, Any] = {
    "a code twice": (
        lambda: {"creates": [segment(code="a")], "deletes": ["b", "a"]},
        ValueError,
        "code 'a' is given twice, in creates[0] and deletes[1]; the service promises no order of operations.",
    ),
    "no code": (
        lambda: {"creates": [segment(code=None)]},
        ValueError,
        "the code of creates[0] must not be empty, got None.",
    ),
    "a blank code": (
        lambda: {"deletes": [" "]},
        ValueError,
        "the code of deletes[0] must not be empty, got ' '.",
    ),
    "a number for a code": (
        lambda: {"deletes": [5]},
        TypeError,
        "deletes[0] must be of type str, got int.",
    ),
    "a number for the code of a segment": (
        lambda: {"creates": [segment(), segment(code=5)]},
        TypeError,
        "the code of creates[1] must be of type str, got int.",
    ),
    "no price": (
        lambda: {"updates": [segment(), segment(code="a", cpm=float("nan"))]},
        ValueError,
        "updates[1].cpm: nan is not a number that JSON can hold; use None for an empty cell",
    ),
    "another import": (
        lambda: {"updates": [segment(import_id="i-2")]},
        ValueError,
        "updates[0] belongs to the import 'i-2'.",
    ),
    "a code to create": (
        lambda: {"creates": ["a"]},
        TypeError,
        "creates[0] must be of type Segment, got str.",
    ),
    "a text of codes": (
        lambda: {"deletes": "abc"},
        TypeError,
        "deletes must be a list or another iterable, got str.",
    ),
}


@pytest.mark.parametrize(("make", "kind", "text"), MISTAKES.values(), ids=list(MISTAKES))
def test_mistakes(server: FakeService, make: Callable[[], Any], kind: Any, text: str) -> None:
    """A wrong operation is an error before anything is sent."""
    with pytest.raises(kind) as caught:
        Segment.bulk("i-1", api_key=KEY, **make())
    assert (str(caught.value), server.received) == (text, [])


def test_in_the_sandbox(sandbox: Sandbox) -> None:
    """Segments are created, changed and deleted in the sandbox."""
    key = sandbox.api_key
    import_id = Import.list(key)[0].id
    new = [Segment(f"bulk{n}", f"Bulk {n}", import_id) for n in range(30)]
    Segment.bulk(import_id, creates=new, api_key=key)
    assert all(each.id for each in new)
    new[0].name = "Renamed"
    gone: List[Any] = [each.code for each in new[10:]]
    _, failures = Segment.bulk(import_id, updates=new[:1], deletes=gone, api_key=key)
    assert failures == []
    codes = Segment.list(import_id, key).code_dictionary
    assert codes["bulk0"].name == "Renamed"
    assert {f"bulk{n}" in codes for n in range(10)} == {True}
    assert {code in codes for code in gone} == {False}


def test_by_code(sandbox: Sandbox) -> None:
    """A segment without an id is updated and deleted by its code."""
    key = sandbox.api_key
    import_id = Import.list(key)[0].id
    Segment("bycode", "By code", import_id).create(key)
    mine = Segment("bycode", "Renamed", import_id, description="d")
    mine.update_by_code(key)
    assert Segment.get_by_code(import_id, "bycode", key).name == "Renamed"
    mine.delete_by_code(key)
    assert "bycode" not in Segment.list(import_id, key).code_dictionary


@pytest.mark.parametrize("call", [Segment.update_by_code, Segment.delete_by_code])
def test_without_a_code(server: FakeService, call: Callable[..., None]) -> None:
    """Nothing is sent for a segment without a code."""
    with pytest.raises(ValueError, match="code must not be empty"):
        call(segment(code=None), KEY)
    assert server.received == []


@pytest.mark.parametrize("body", [{"items": {}}, {"items": "a"}, [], "[]"])
def test_answers_that_cannot_be_read(server: FakeService, body: Any) -> None:
    """A response that cannot be read is a failure of its request, and the error says that the service reported success."""
    server.default = answer(200, body)
    _, [(_, error)] = Segment.bulk("i-1", deletes=["a"], api_key=KEY)
    assert isinstance(error, PermutiveInvalidResponseError)


def test_an_interruption_between_two_requests(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments that were created before an interruption have their ids."""
    server.default = answer_from(items_of)

    class Helper:
        @staticmethod
        def patch(**arguments: Any) -> Any:
            """Send one request, and let Ctrl-C come in the second."""
            if server.received:
                raise KeyboardInterrupt
            return http.patch(**arguments)

    monkeypatch.setattr(Segment, "_request_helper", Helper)
    segments = [segment(code=f"c{number}") for number in range(5001)]
    with pytest.raises(KeyboardInterrupt):
        Segment.bulk("i-1", creates=segments, api_key=KEY)
    assert {each.id is None for each in segments[:5000]} == {False}
    assert segments[5000].id is None
