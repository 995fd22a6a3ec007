"""Plans of segments, against the sandbox: what they show, what arrives, and what is there afterwards."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy
import pandas
import pytest

from PermutiveAPI import (
    Cohort,
    Import,
    PermutiveAuthenticationError,
    PermutiveCredentialsError,
    PermutiveResourceNotFoundError,
    Progress,
    Segment,
    SegmentList,
    options,
    progress_bar,
)
from PermutiveAPI.Tables import Owned, Plan, PlanOutdatedError, PlanRefusedError
from tests.support.mistakes import assert_raises
from tests.tables.market import MINE, Market, fields_of


def codes(changes: Any) -> List[str]:
    """Return the codes of changes."""
    return [change.key for change in changes]


# --- What a plan shows -------------------------------------------------------------------------------


def test_an_upsert(market: Market) -> None:
    """An upsert creates and updates what the table has, in one request, and deletes nothing."""
    market.put(market.segment("m_a", "A", cpm=1.5), market.segment("m_b", "B"))
    before = market.there()
    table = [
        {"code": "m_c", "name": "C", "categories": "x, y"},
        {"code": "m_a", "name": "A", "cpm": 2.5},
        {"code": "m_b", "name": "B"},
    ]
    market.sandbox.clear_requests()
    plan = market.plan(table)
    assert (codes(plan.creates), codes(plan.updates), codes(plan.deletes)) == (["m_c"], ["m_a"], [])
    assert [each.key for each in plan.unchanged] == ["m_b"]
    assert (plan.owned_count, market.writes()) == (len(before), [])
    report = market.apply(plan)
    [write] = market.writes()
    assert write.json == {
        "operations": [
            {"operation": "Create", "data": {"code": "m_c", "name": "C", "categories": ["x", "y"]}},
            {"operation": "Update", "code": "m_a", "data": {"name": "A", "cpm": 2.5}},
        ]
    }
    assert report.counts == {"created": 1, "updated": 1, "unchanged": 1}
    c = {"name": "C", "description": None, "cpm": 0.0, "categories": ["x", "y"]}
    assert market.there() == {**before, "m_a": {**before["m_a"], "cpm": 2.5}, "m_c": c}


def test_a_mirror(market: Market) -> None:
    """A mirror deletes what is owned and not in the table. Foreign segments stay, and a second run writes nothing."""
    market.put(*(market.segment(f"m_{n}") for n in range(3)), market.segment("other"))
    foreign = {code: each for code, each in market.there().items() if not MINE.owns(code)}
    table = [{"code": "m_1", "name": "One"}, {"code": "m_9", "name": "Nine"}]
    plan = market.mirror(table)
    assert (codes(plan.deletes), plan.owned_count) == (["m_0", "m_2"], 3)
    report = market.apply(plan)
    assert [each.status for each in report.deleted] == ["deleted", "deleted"]
    there = market.there()
    assert {code: each["name"] for code, each in market.mine().items()} == {
        "m_1": "One",
        "m_9": "Nine",
    }
    assert {code: each for code, each in there.items() if not MINE.owns(code)} == foreign
    market.sandbox.clear_requests()
    again = market.mirror(table)
    assert not again
    assert market.apply(again).counts == {"unchanged": 2}
    assert market.writes() == []


def test_owned_by_category(market: Market) -> None:
    """A category owns the segments that have it, whatever their codes are."""
    market.put(
        market.segment("a", categories=["x", "news"]),
        market.segment("b", categories=["x"]),
        market.segment("m_c"),
    )
    table = [{"code": "d", "name": "D", "categories": ["news"]}]
    plan = market.plan(table, "mirror", owned=MINE | Owned.category("news"))
    assert (codes(plan.creates), codes(plan.deletes), plan.owned_count) == (["d"], ["a", "m_c"], 2)


def test_everything_is_owned(market: Market) -> None:
    """A mirror of everything leaves nothing but the table."""
    plan = market.plan([{"code": "a", "name": "A"}], "mirror", owned=Owned.everything)
    market.apply(plan, max_delete_share=1)
    assert list(market.there()) == ["a"]


EXPORTS: Dict[str, Callable[[SegmentList], Any]] = {
    "a DataFrame": lambda segments: segments.to_pd_dataframe(),
    "a flat DataFrame": lambda segments: segments.to_pd_dataframe(flat=True),
    "dictionaries": lambda segments: segments.to_json(),
    "the list itself": lambda segments: segments,
    "a plain list": lambda segments: list(segments),
    "a copy of the list": lambda segments: SegmentList.from_json(segments.to_json()),
}


@pytest.mark.parametrize("clear_empty", [False, True])
@pytest.mark.parametrize("export", EXPORTS.values(), ids=list(EXPORTS))
def test_the_plan_of_an_export_is_empty(
    market: Market, export: Callable[[SegmentList], Any], clear_empty: bool
) -> None:
    """The plan of an export is empty, whatever the fields hold."""
    market.put(
        market.segment("a", cpm=0.0, description="", categories=[]),
        market.segment("b", cpm=1.25, description="D", categories=["x", "y, z"]),
        market.segment("c", cpm=2),
    )
    table = export(market.list())
    plan = market.plan(table, "mirror", owned=Owned.everything, clear_empty=clear_empty)
    assert (plan.changes, len(plan.unchanged)) == ((), len(market.list()))


def test_the_plan_of_an_exported_file_is_empty(market: Market, tmp_path: Path) -> None:
    """A CSV file of an export changes nothing either."""
    market.put(market.segment("a", cpm=1.0), market.segment("007", description="x, y"))
    market.list().to_pd_dataframe(flat=True).to_csv(tmp_path / "segments.csv", index=False)
    assert not market.plan(tmp_path / "segments.csv", "mirror", owned=Owned.everything)


FULL: Dict[str, Any] = {"name": "A", "description": "D", "cpm": 1.5, "categories": ["x"]}
CELLS: Dict[str, Any] = {
    "no columns": ({}, False, FULL),
    "empty cells": ({"description": "", "cpm": None, "categories": float("nan")}, False, FULL),
    "empty cells that clear": (
        {"description": "", "cpm": None, "categories": float("nan")},
        True,
        {"name": "A", "description": None, "cpm": 0.0, "categories": None},
    ),
    "an empty list": ({"categories": []}, False, {**FULL, "categories": None}),
    "a price of zero": ({"cpm": "0"}, False, {**FULL, "cpm": 0.0}),
    "another name": ({"name": "B"}, True, {**FULL, "name": "B"}),
    "an empty name": ({"name": None}, False, FULL),
}


@pytest.mark.parametrize(("cells", "clear_empty", "expected"), CELLS.values(), ids=list(CELLS))
def test_cells(
    market: Market, cells: Dict[str, Any], clear_empty: bool, expected: Dict[str, Any]
) -> None:
    """A missing column is not touched, and an empty cell changes nothing unless it clears the field."""
    market.put(market.segment("m_a", **FULL))
    plan = market.plan([{"code": "m_a", **cells}], clear_empty=clear_empty)
    market.apply(plan)
    assert market.there()["m_a"] == expected
    assert bool(plan) == (expected != FULL)


def test_models_as_a_table(market: Market) -> None:
    """In a list of segments, only members that are not None count. A price that was left out does not count."""
    market.put(market.segment("m_a", **FULL), market.segment("m_b", **FULL))
    table = [market.segment("m_a", "A", description=""), market.segment("m_b", "B", cpm=0.0)]
    market.apply(market.plan(table))
    assert market.mine() == {
        "m_a": {**FULL, "description": None},
        "m_b": {**FULL, "name": "B", "cpm": 0.0},
    }


def test_other_columns(market: Market) -> None:
    """id, timestamps and columns that are not fields change nothing, and the report has them."""
    row = {
        "code": "m_a",
        "name": "A",
        "id": "x",
        "updated_at": "2020-01-01",
        "query": {"a": 1},
        "owner": "Ada",
        "since": pandas.Timestamp("2024-01-02"),
    }
    report = market.apply(market.plan([row]))
    [write] = market.writes()
    assert write.json["operations"][0]["data"] == {"code": "m_a", "name": "A"}
    [shown] = report.rows
    id = market.list().code_dictionary["m_a"].id
    outcome = {"id": id, "status": "created", "error": None}
    assert shown == {**row, "since": "2024-01-02T00:00:00", **outcome}


OWN_CELLS: Dict[str, Any] = {
    "infinity": (math.inf, "inf"),
    "a decimal number": (Decimal("-inf"), "-Infinity"),
    "a signaling NaN": (Decimal("sNaN"), "sNaN"),
    "a number that no float holds": (Decimal("1e400"), "1E+400"),
    "a list": ([1, math.nan, [math.inf], "a"], [1, None, ["inf"], "a"]),
    "an array": (numpy.array([1.5, math.nan]), [1.5, None]),
    "an object": ({"a": (math.nan, 2), 1: pandas.NaT}, {"a": [None, 2], "1": None}),
    "a key": ({math.nan: 1}, {"nan": 1}),
    "keys that are no texts": ({1: {2.5: [{None: 3}]}}, {"1": {"2.5": [{"null": 3}]}}),
}


@pytest.mark.parametrize(("cell", "expected"), OWN_CELLS.values(), ids=list(OWN_CELLS))
def test_own_columns_may_hold_anything(market: Market, cell: Any, expected: Any) -> None:
    """What JSON cannot hold is a text or empty in the plan's rows, and the plan can be read back."""
    plan = market.plan([{"code": "m_a", "name": "A", "own": cell}])
    assert plan.rows == ({"code": "m_a", "name": "A", "own": expected},)
    assert Plan.from_json(plan.to_json()) == plan
    assert Plan.from_json(json.dumps(plan.to_json())) == plan
    [row] = market.apply(plan).rows
    assert (row["own"], row["status"]) == (expected, "created")


def test_own_columns_without_an_end(market: Market) -> None:
    """A cell that contains itself is an error that names the row and the column."""
    endless: List[Any] = [1]
    endless.append(endless)
    text = "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1, own: is nested too deeply"
    row = {"code": "m_a", "name": "A", "own": endless}
    assert_raises(lambda: market.plan([row]), ValueError, text)


def test_spaces_around_codes(market: Market) -> None:
    """Sheets add spaces around a code. A mirror does not take it for another one."""
    market.put(market.segment("m_1", "A"))
    plan = market.mirror([{"code": " m_1 ", "name": "B"}])
    assert [(each.action, each.key) for each in plan.changes] == [("update", "m_1")]
    assert market.apply(plan).counts == {"updated": 1}
    assert market.mine() == {
        "m_1": {"name": "B", "description": None, "cpm": 0.0, "categories": None}
    }


def test_codes_with_spaces_that_are_there(market: Market) -> None:
    """A segment whose own code has spaces is found by it."""
    old, new = (SegmentList([market.segment("m_1 ", name)]) for name in "AB")
    assert [(each.action, each.key) for each in old.plan_to(new).changes] == [("update", "m_1 ")]


def test_spaces_around_new_codes(market: Market) -> None:
    """A new segment has its code without the spaces around it."""
    report = market.apply(market.mirror([{"code": "m_2\u00a0", "name": "B"}]))
    assert (report.counts, [*market.mine()]) == ({"created": 1}, ["m_2"])
    assert not market.mirror([{"code": "m_2 ", "name": "B"}])


# --- Mistakes ----------------------------------------------------------------------------------------

GOOD = {"code": "m_a", "name": "A"}
MISTAKES: Dict[str, Any] = {
    "an empty table": ([], {}, "table has no rows."),
    "an empty list of segments": (SegmentList(), {}, "table has no rows."),
    "no column code": ([{"name": "A"}], {}, "table has no column 'code', only name."),
    "an empty code": (
        [GOOD, {"code": None, "name": "B"}],
        {},
        "table has 1 bad cell (row 1 is line 2 of a sheet):\nrow 2, code: must not be empty",
    ),
    "a segment without a code": (
        [Segment(name="A", import_id="i-1")],
        {},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1, code: must not be empty",
    ),
    "a code twice": (
        [GOOD, {"code": "m_b", "name": "B"}, {"code": "m_a", "name": "C"}],
        {},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 3: the code 'm_a' is also in row 1",
    ),
    "a new segment without a name": (
        [{"code": "m_a"}, {"code": "m_b", "name": " "}],
        {},
        "table has 2 bad rows (row 1 is line 2 of a sheet):\nrow 1: the segment 'm_a' needs a name\n"
        "row 2: the segment 'm_b' needs a name",
    ),
    "a name that would be cleared": (
        [{"code": "DigitalNorth", "name": ""}],
        {"clear_empty": True},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1: the segment 'DigitalNorth' needs a name",
    ),
    "new segments and no column name": (
        [{"code": "DigitalNorth", "cpm": 1}, {"code": "m_a", "cpm": 1}],
        {},
        "table has no column 'name', which new segments need, such as 'm_a' in row 2.",
    ),
    "a code twice, with spaces": (
        [GOOD, {"code": "m_a ", "name": "B"}],
        {},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 2: the code 'm_a' is also in row 1",
    ),
    "a blank code": (
        [Segment(code=" ", name="A", import_id="i-1")],
        {},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1, code: must not be empty",
    ),
    "another import": (
        [{**GOOD, "import_id": "i-2"}],
        {},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1: it belongs to the import 'i-2'",
    ),
    "a new segment that is not owned": (
        [{"code": "x", "name": "X"}],
        {"owned": MINE},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1: Owned.prefix('m_') does not own the segment 'x'",
    ),
    "a segment that is there and not owned": (
        [{"code": "DigitalNorth", "name": "X", "categories": ["mine"]}],
        {"owned": Owned.category("mine")},
        "table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1: the segment 'DigitalNorth' exists, and Owned.category('mine') "
        "does not own it",
    ),
    "many bad rows": (
        [{"code": f"x{n}", "name": "X"} for n in range(30)],
        {"owned": MINE},
        "\n".join(
            [
                "table has 30 bad rows (row 1 is line 2 of a sheet):",
                *(
                    f"row {n + 1}: Owned.prefix('m_') does not own the segment 'x{n}'"
                    for n in range(20)
                ),
                "and 10 more",
            ]
        ),
    ),
    "a mirror of nobody": (
        [GOOD],
        {"mode": "mirror"},
        "owned must be given for a mirror: it deletes segments that are not in the table. Say which "
        'ones are yours, for example owned=Owned.prefix("news_") or owned=Owned.everything.',
    ),
    "another mode": ([GOOD], {"mode": "merge"}, "mode must be 'upsert' or 'mirror', got 'merge'."),
}


@pytest.mark.parametrize(("table", "arguments", "text"), MISTAKES.values(), ids=list(MISTAKES))
def test_mistakes(market: Market, table: Any, arguments: Dict[str, Any], text: str) -> None:
    """A table that cannot be planned is an error that names the rows."""
    with pytest.raises(ValueError) as caught:
        market.plan(table, **arguments)
    assert str(caught.value) == text


def test_the_name_of_what_is_owned_is_no_text(market: Market) -> None:
    """A text does not say what is owned."""
    with pytest.raises(TypeError, match="owned must be of type Owned, got str"):
        market.plan([GOOD], "mirror", owned="m_")
    assert market.sandbox.requests[1:] == []


def test_an_owned_segment_must_stay_owned(market: Market) -> None:
    """A row may not take a segment out of what is owned."""
    market.put(market.segment("a", categories=["mine"]))
    with pytest.raises(ValueError, match=r"Owned.category\('mine'\) does not own the segment 'a'"):
        market.plan([{"code": "a", "categories": "x"}], owned=Owned.category("mine"))
    assert not market.plan([{"code": "a"}], owned=Owned.category("mine"))


def test_an_unknown_import(market: Market) -> None:
    """The error of the service for an unknown import reaches the caller."""
    market.id = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(PermutiveResourceNotFoundError):
        market.plan([GOOD])


# --- Before anything is written ----------------------------------------------------------------------


def test_an_edit_in_between(market: Market) -> None:
    """If a segment was edited after the plan was made, nothing is written, and the error shows both values."""
    market.put(
        market.segment("m_a", "A", cpm=1.0), market.segment("m_b", "B"), market.segment("m_c", "C")
    )
    table = [{"code": "m_a", "name": "A", "cpm": 2.0}, {"code": "m_d", "name": "D"}]
    plan = market.mirror([*table, {"code": "m_c", "name": "See"}])
    edits = [market.segment("m_a", "A", cpm=9.0), market.segment("m_b", "B", description="new")]
    Segment.bulk(
        market.id,
        updates=edits,
        creates=[market.segment("m_d", "Dee")],
        deletes=["m_c"],
        api_key=market.key,
    )
    market.sandbox.clear_requests()
    with pytest.raises(PlanOutdatedError) as caught:
        market.apply(plan)
    assert str(caught.value) == (
        "Nothing was written: 4 objects have changed since the plan was made. Make the plan again.\n"
        "+ D (m_d)\n"
        "    the service already has it\n"
        '    name: (empty) when planned, "Dee" now\n'
        "~ A (m_a)\n"
        "    cpm: 1.0 when planned, 9.0 now\n"
        "~ C (m_c)\n"
        "    the service no longer has it\n"
        "- B (m_b)\n"
        '    description: (empty) when planned, "new" now'
    )
    assert [each.change.key for each in caught.value.differences] == ["m_d", "m_a", "m_c", "m_b"]
    assert market.writes() == []


def test_an_edit_of_something_else(market: Market) -> None:
    """Somebody may edit fields and segments that the plan does not show. The plan is applied, and the edits stay."""
    market.put(market.segment("m_a", "A"), market.segment("m_b", "B"))
    plan = market.plan([{"code": "m_a", "cpm": 2.0}])
    edits = [market.segment("m_a", "New name", description="new"), market.segment("m_b", "Bee")]
    Segment.bulk(market.id, updates=edits, api_key=market.key)
    market.apply(plan)
    new = {"name": "New name", "description": "new", "cpm": 2.0, "categories": None}
    assert market.mine()["m_a"] == new
    assert market.mine()["m_b"]["name"] == "Bee"


def test_somebody_else_did_the_same(market: Market) -> None:
    """Changes that the service already has are skipped. A half-made update is completed."""
    market.put(market.segment("m_a", "A"), market.segment("m_b", "B"))
    table = [{"code": "m_a", "name": "Aah", "cpm": 2.0}, {"code": "m_c", "name": "C"}]
    plan = market.mirror(table)
    Segment.bulk(
        market.id,
        creates=[market.segment("m_c", "C")],
        updates=[market.segment("m_a", "Aah")],
        deletes=["m_b"],
        api_key=market.key,
    )
    report = market.apply(plan)
    assert report.counts == {"updated": 1, "unchanged": 2}
    assert market.writes()[-1].json["operations"] == [
        {"operation": "Update", "code": "m_a", "data": {"name": "Aah", "cpm": 2.0}}
    ]
    assert {each["status"]: each["id"] is not None for each in report.rows} == {
        "updated": True,
        "unchanged": True,
    }


def test_applied_twice(market: Market) -> None:
    """A plan that is applied a second time does nothing, also if it was kept as JSON."""
    market.put(market.segment("m_a", "A"), market.segment("m_b", "B"))
    plan = market.mirror([{"code": "m_a", "name": "Aah"}, {"code": "m_c", "name": "C"}])
    text = json.dumps(plan.to_json())
    assert market.key not in text
    market.apply(Plan.from_json(text))
    assert len(market.writes()) == 2
    assert market.apply(plan).counts == {"unchanged": 3}
    assert len(market.writes()) == 2


def test_used_segments_are_not_deleted(market: Market) -> None:
    """A segment that the query of a cohort names is deleted only if told."""
    market.put(market.segment("m_a", "A"), market.segment("m_b", "B"))
    provider = Import.get_by_id(market.id, market.key).code
    for name, of in (("Theirs", "another"), ("Ours", provider)):
        clause = {"provider": of, "segment": "m_b"}
        query = {"or": [{"in_second_party_segment": clause}, {"in_segment": 12345}]}
        Cohort(name, query=query).create(market.key)
    plan = market.mirror([{"code": "m_c", "name": "C"}])
    market.sandbox.clear_requests()
    text = (
        "Nothing was written: the queries of cohorts name segments that the plan deletes. Change the "
        "queries first, or pass allow_used=True.\n'B' (m_b): 'Ours'"
    )
    assert_raises(lambda: market.apply(plan), PlanRefusedError, text)
    assert market.writes() == []
    assert market.apply(plan, allow_used=True).counts == {"created": 1, "deleted": 2}


def test_a_key_that_may_not_read_cohorts(market: Market) -> None:
    """If the queries cannot be read, nothing is written, and the error says what the key needs."""
    market.put(market.segment("m_a", "A"))
    plan = market.mirror([{"code": "m_b", "name": "B"}])
    market.sandbox.clear_requests()
    market.sandbox.fail_next(status=403, method="GET", path="/cohorts-api/")
    with pytest.raises(PermutiveAuthenticationError) as caught:
        market.apply(plan)
    assert (caught.value.status, str(caught.value)) == (403, caught.value.message)
    assert str(caught.value).endswith(
        "Before segments are deleted, the queries of cohorts are read. Pass a key that may read imports and "
        "cohorts, or allow_used=True."
    )
    assert market.writes() == []
    assert market.apply(plan, allow_used=True).counts == {"created": 1, "deleted": 1}


def test_ignored_columns(market: Market) -> None:
    """A plan names the columns that it does not know. Exports and reports have none."""
    assert market.plan(market.list().to_pd_dataframe()).ignored == ()
    rows: Any = [{**GOOD, "Preis": 2}, {"code": "m_b", "name": "B", "owner": "Ada"}]
    plan = market.plan(rows)
    assert plan.ignored == ("Preis", "owner")
    assert str(plan).splitlines()[1] == "ignored columns: Preis, owner"
    report = market.apply(plan)
    assert market.plan(report.to_pd_dataframe()).ignored == ("Preis", "owner")
    own = [
        {**GOOD, "status": "created", "error": None},
        {"code": "m_b", "name": "B", "status": "old"},
    ]
    assert market.plan(own).ignored == ("status", "error")


def test_what_somebody_added_is_not_undone(market: Market) -> None:
    """A new segment that somebody has edited since is not deleted, whether the plan had set the field or not."""
    for edit in ({"description": "Ours"}, {"cpm": 2.0}, {"categories": ["ours"]}):
        report = market.apply(market.plan([GOOD]))
        edits = [market.segment("m_a", "A", **edit)]
        Segment.bulk(market.id, updates=edits, api_key=market.key)
        with pytest.raises(PlanOutdatedError, match=f"{next(iter(edit))}: .* when planned, .* now"):
            market.apply(report.inverse())
        Segment.bulk(market.id, deletes=["m_a"], api_key=market.key)


def test_another_service(market: Market) -> None:
    """A plan is refused if calls go to another service than when it was made."""
    plan = market.plan([GOOD])
    with options(base_url="http://127.0.0.1:9"), pytest.raises(ValueError) as caught:
        market.apply(plan)
    assert str(caught.value) == (
        f"The plan was made for {market.sandbox.base_url}, but calls go to http://127.0.0.1:9 now. "
        "Make the plan again."
    )


def test_too_many_deletes(market: Market) -> None:
    """A plan that deletes too much is refused before anything is sent, unless its limit is raised."""
    market.put(*(market.segment(f"m_{n}") for n in range(20)))
    plan = market.mirror([{"code": "m_0"}])
    market.sandbox.clear_requests()
    with pytest.raises(ValueError, match="too many deletes: 19 of 20, 95 % is over 80 %"):
        market.apply(plan)
    assert market.sandbox.requests == []
    assert market.apply(plan, max_delete_share=0.95).counts == {"deleted": 19, "unchanged": 1}


def test_too_many_updates(market: Market) -> None:
    """Updates have a limit only if it is given."""
    market.put(*(market.segment(f"m_{n}") for n in range(20)))
    plan = market.plan([{"code": f"m_{n}", "cpm": 1} for n in range(20)])
    with pytest.raises(ValueError, match="too many updates: 20 of 45, 44.5 % is over 40 %"):
        market.apply(plan, max_update_share=0.4)
    assert market.apply(plan).counts == {"updated": 20}


@pytest.mark.parametrize("key", [None, ""])
def test_no_key(market: Market, key: Any) -> None:
    """An empty key never stands for the default one."""
    plan = market.plan([GOOD])
    with pytest.raises(PermutiveCredentialsError):
        plan.apply(api_key=key)
    with pytest.raises(PermutiveCredentialsError):
        Segment.plan(market.id, [GOOD], api_key=key)


# --- Reports -----------------------------------------------------------------------------------------


def test_the_report_is_a_table(market: Market) -> None:
    """The report is the table with status, id and error, and can be planned again."""
    market.put(market.segment("m_a", "A"), market.segment("m_b", "B"))
    table = pandas.DataFrame(
        {"code": ["m_a", "m_b", "m_c"], "name": ["A", "Bee", "C"], "cpm": [None, None, 1.5]}
    )
    report = market.apply(market.plan(table))
    frame = report.to_pd_dataframe()
    assert list(frame.columns) == ["code", "name", "cpm", "status", "id", "error"]
    assert frame["status"].tolist() == ["unchanged", "updated", "created"]
    there = market.list().code_dictionary
    assert frame["id"].tolist() == [there[code].id for code in ("m_a", "m_b", "m_c")]
    assert frame["error"].tolist() == [None, None, None]
    assert not market.plan(frame)
    assert repr(report) == (
        f"<Report: segments of import {market.id}: 1 created, 1 updated, 1 unchanged>"
    )


def test_the_inverse(market: Market) -> None:
    """The inverse of a report brings back what was there, except ids and times."""
    market.put(
        market.segment("m_a", **FULL),
        market.segment("m_b", "B", cpm=2.0),
        market.segment("m_c", "C"),
    )
    before = market.there()
    table = [
        {"code": "m_a", "name": "Aah", "description": None, "categories": "y"},
        {"code": "m_d", "name": "D", "cpm": 1},
    ]
    report = market.apply(market.mirror(table, clear_empty=True))
    assert market.there() != before
    inverse = report.inverse()
    assert inverse.owned_count == 2
    assert market.apply(Plan.from_json(inverse.to_json())).counts == {
        "created": 2,
        "updated": 1,
        "deleted": 1,
    }
    assert market.there() == before
    assert market.apply(inverse).counts == {"unchanged": 4}


def test_from_one_list_to_another(market: Market) -> None:
    """A plan between two lists needs no request, and turns the old list into the new one."""
    market.put(*(market.segment(f"m_{n}", cpm=1.0) for n in range(3)))
    backup = market.list()
    edits = [market.segment("m_0", "Other", description="new")]
    Segment.bulk(market.id, updates=edits, deletes=["m_1"], api_key=market.key)
    market.put(market.segment("m_9"))
    now = market.list()
    market.sandbox.clear_requests()
    plan = now.plan_to(backup, clear_empty=True)
    assert market.sandbox.requests == []
    assert (codes(plan.creates), codes(plan.updates), codes(plan.deletes)) == (
        ["m_1"],
        ["m_0"],
        ["m_9"],
    )
    market.apply(plan)
    assert market.there() == {each.code: fields_of(each) for each in backup}


def test_lists_that_do_not_belong_together(market: Market) -> None:
    """A plan between two lists needs one import, and a code for each segment."""
    segment = market.segment("m_a")
    text = "The segments of the old list must belong to the import of the new one"
    for old in ([Segment("a", "A", "i-1")], [segment, segment], [market.segment("")]):
        with pytest.raises(ValueError, match=text):
            SegmentList(old).plan_to(SegmentList([segment]))
    with pytest.raises(ValueError, match="table has no rows"):
        SegmentList([segment]).plan_to(SegmentList())


def test_progress(market: Market, capsys: pytest.CaptureFixture[str]) -> None:
    """The callback hears of every request; it counts changes. A callback that raises stops nothing."""
    heard: List[Progress] = []

    def hear(progress: Progress) -> None:
        heard.append(progress)
        raise ValueError("never mind")

    plan = market.plan([GOOD, {"code": "m_b", "name": "B"}])
    report = market.apply(plan, progress_callback=hear)
    assert report.counts == {"created": 2}
    [progress] = heard
    assert (progress.completed, progress.total, progress.errors) == (2, 2, 0)
    request = progress.batch_request
    assert (request.method, request.url.endswith(f"/imports/{market.id}/segments")) == (
        "PATCH",
        True,
    )
    market.apply(report.inverse(), progress_callback=progress_bar("Undoing"))
    assert capsys.readouterr().err.startswith("Undoing: 2 of 2 requests, 0 errors")


# --- Many --------------------------------------------------------------------------------------------


def sizes_of(market: Market) -> List[int]:
    """Return how many changes each request had."""
    return [len(each.json["operations"]) for each in market.writes()]


def test_5_001_segments(market: Market) -> None:
    """A request has at most 5,000 changes."""
    table = [{"code": f"m_{n}", "name": "A"} for n in range(5_001)]
    assert market.apply(market.plan(table)).counts == {"created": 5_001}
    assert sizes_of(market) == [5_000, 1]


def test_few_requests(market: Market) -> None:
    """All updates of a mirror are one request, and then all deletions. The second run writes nothing."""
    foreign = market.there()
    table = [{"code": f"m_{n}", "name": f"Name {n}", "cpm": n / 100} for n in range(50)]
    assert market.apply(market.mirror(table)).counts == {"created": 50}
    market.sandbox.clear_requests()
    edited = [{**row, "name": "New"} if n < 20 else row for n, row in enumerate(table) if n % 10]
    plan = market.mirror(edited)
    assert market.apply(plan).counts == {"updated": 18, "deleted": 5, "unchanged": 27}
    assert sizes_of(market) == [18, 5]
    assert not market.mirror(edited)
    found = [Segment.get_by_code(market.id, code, market.key) for code in foreign]
    assert [fields_of(each) for each in found] == list(foreign.values())
