"""Properties of the plan of any two tables of segments."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI import Import, Segment, SegmentList
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import Owned, Plan
from tests.tables.market import Market, fields_of

codes = st.sampled_from(["m_a", "m_b", "m_c", "m_d", "x_a", "x_b"])
FIELDS: Dict[str, "st.SearchStrategy[Any]"] = {
    "description": st.sampled_from([None, "", "d"]),
    "cpm": st.sampled_from([None, 0, 0.0, 1.5]),
    "categories": st.sampled_from([None, [], ["c"], ["c", "d"]]),
}
tables = st.dictionaries(
    codes, st.fixed_dictionaries({"name": st.sampled_from(["A", "B"])}, optional=FIELDS), max_size=5
)
MINE = Owned.prefix("m_")
# Each example makes about ten requests.
fewer = settings(max_examples=12)


@pytest.fixture
def market(sandbox: Sandbox) -> Market:
    """An import for all examples of a test. Each example empties it first."""
    sandbox.page_size = 1_000
    return Market(sandbox, Import.list(sandbox.api_key)[0].id).without_cohorts()


def put(market: Market, table: Dict[str, Dict[str, Any]]) -> SegmentList:
    """Let the import have exactly these segments."""
    segments = [Segment(code=code, import_id=market.id, **row) for code, row in table.items()]
    there = [each.code or "" for each in market.list()]
    Segment.bulk(market.id, deletes=there, api_key=market.key)
    market.put(*segments)
    return market.list()


def rows_of(table: Dict[str, Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return the rows of a table that are owned, and one that is always there."""
    owned = {code: row for code, row in table.items() if MINE.owns(code)}
    return [{"code": code, **row} for code, row in {"m_z": {"name": "Z"}, **owned}.items()]


def wanted_of(row: Dict[str, Any], before: Dict[str, Any], clear_empty: bool) -> Dict[str, Any]:
    """Return the fields that a segment has when a row was applied to it."""
    empty: Dict[str, Any] = {"name": None, "description": None, "cpm": 0.0, "categories": None}
    found = {**empty, **before}
    for name in empty:
        value = row.get(name, "not given")
        if value in (None, "") and clear_empty:
            found[name] = empty[name]
        elif value not in (None, "", "not given"):
            found[name] = value or empty[name]
    return found


@fewer
@given(old=tables, new=tables, clear_empty=st.booleans(), mirrors=st.booleans())
def test_applying_a_plan_gives_the_wanted_table(
    market: Market,
    old: Dict[str, Dict[str, Any]],
    new: Dict[str, Dict[str, Any]],
    clear_empty: bool,
    mirrors: bool,
) -> None:
    """Fields of the table are then as it says, and all others as before. The inverse undoes the plan.

    A segment that the plan does not show stays as it is, with its id and time. A field that it does not
    show stays, too.
    """
    found = put(market, old)
    before = {each.code or "": fields_of(each) for each in found}
    rows = rows_of(new)
    mode = "mirror" if mirrors else "upsert"
    plan = market.plan(rows, mode, owned=MINE, clear_empty=clear_empty)
    report = market.apply(Plan.from_json(plan.to_json()))
    expected = {
        code: fields for code, fields in before.items() if not (mirrors and MINE.owns(code))
    }
    for row in rows:
        code = row["code"]
        expected[code] = wanted_of(row, before.get(code, {}), clear_empty)
    now = market.list()
    assert {each.code: fields_of(each) for each in now} == expected
    assert_only_shown_changes(plan, found, now)
    assert report.failures == ()
    assert not market.plan(rows, mode, owned=MINE, clear_empty=clear_empty)
    market.apply(report.inverse())
    assert market.there() == before


def assert_only_shown_changes(plan: Plan, old: SegmentList, new: SegmentList) -> None:
    """Assert that two lists differ in what a plan shows, and in nothing else."""
    before = {each.code or "": each for each in old}
    after = {each.code or "": each for each in new}
    shown = {change.key or "": change for change in plan.changes}
    assert before.keys() - after.keys() == {each.key for each in plan.deletes}
    assert after.keys() - before.keys() == {each.key for each in plan.creates}
    for code in before.keys() & after.keys():
        if code not in shown:
            assert after[code] == before[code]
        else:
            fields = {each.field for each in shown[code].fields}
            was, now = fields_of(before[code]), fields_of(after[code])
            assert after[code].id == before[code].id
            assert {name for name in was if was[name] != now[name]} == fields


@fewer
@given(old=tables, new=tables.filter(bool))
def test_one_list_becomes_the_other(
    market: Market, old: Dict[str, Dict[str, Any]], new: Dict[str, Dict[str, Any]]
) -> None:
    """The plan between two lists of segments, applied to the first, gives the second."""
    second = put(market, new)
    first = put(market, old)
    plan = first.plan_to(second, clear_empty=True)
    market.apply(plan)
    assert market.there() == {each.code: fields_of(each) for each in second}
    assert not market.list().plan_to(second, clear_empty=True)
