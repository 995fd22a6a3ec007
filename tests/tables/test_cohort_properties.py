"""For any two tables: the plan from one to the other, applied, gives the other, and touches nothing else."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from PermutiveAPI import Cohort, CohortList, options
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import Plan
from tests.tables.club import Club, fields_of

NAMES = st.sampled_from(["A", "B", "C", "D"])
VALUES: Dict[str, st.SearchStrategy[Any]] = {
    "description": st.sampled_from([None, "d", "e"]),
    "tags": st.sampled_from([[], ["x"], ["x", "y, z"]]),
    "query": st.sampled_from([{"in_segment": 1}, {"in_segment": "1"}, {"or": [{"in_segment": 1}]}]),
    "state": st.sampled_from(["Enabled", "Disabled"]),
}
ROWS = st.lists(
    st.fixed_dictionaries({"name": NAMES, **VALUES}), max_size=4, unique_by=lambda row: row["name"]
)
# Each example makes some thirty requests.
searching = settings(
    max_examples=10,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """One sandbox for all examples."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def club(running: Sandbox) -> Club:
    """The cohorts of the sandbox."""
    return Club(running)


def begin(club: Club, rows: List[Dict[str, Any]]) -> CohortList:
    """Leave no cohorts but these and one more, and return these with their ids."""
    made = CohortList([Cohort(**{**row, "state": None}) for row in [*rows, {**OTHER}]])
    with options(base_url=club.sandbox.base_url, api_key=club.key):
        club.sandbox._state.cohorts.clear()
        Cohort.batch_create(made)
        Cohort.batch_disable(
            [each for each, row in zip(made, rows, strict=False) if row["state"] == "Disabled"]
        )
        found = Cohort.list(include_details=True)
    club.sandbox.clear_requests()
    return CohortList([each for each in found if each.name != OTHER["name"]])


OTHER: Dict[str, Any] = {"name": "Other", "query": {"in_segment": 9}, "tags": ["o"]}


def there(club: Club) -> Dict[str, Dict[str, Any]]:
    """Return what is there now, by name, and check that the other cohort is as it was."""
    found = {each.name: fields_of(each) for each in Cohort.list(include_details=True)}
    other = found.pop("Other")
    assert (other["query"], other["tags"]) == (OTHER["query"], OTHER["tags"])
    return found


def expected(rows: List[Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """Return rows by name."""
    return {row["name"]: row for row in rows}


@searching
@given(before=ROWS, after=ROWS.filter(bool))
def test_a_table_becomes_true(club: Club, before: Any, after: Any) -> None:
    """The cohorts of the table are then there, and the others stay. The inverse restores everything."""
    begin(club, before)
    with options(base_url=club.sandbox.base_url, api_key=club.key):
        plan = Cohort.plan(after, clear_empty=True)
        report = plan.apply()
        assert there(club) == {**expected(before), **expected(after)}
        assert len(Cohort.plan(after, clear_empty=True)) == 0
        assert {*plan.apply().counts} == {"unchanged"}
        report.inverse().apply()
        assert there(club) == expected(before)


@searching
@given(before=ROWS.filter(bool), after=ROWS.filter(bool), data=st.data())
def test_a_list_becomes_another(club: Club, before: Any, after: Any, data: st.DataObject) -> None:
    """A plan from list to list gives the new list, also with exchanged names. Nothing else changes."""
    old = begin(club, before)
    ids = data.draw(st.permutations([each.id for each in old]))
    new = CohortList(
        [
            Cohort(id=id, **{**row, "description": row["description"] or "cleared"})
            for row, id in zip(after, [*ids, *[None] * len(after)], strict=False)
        ]
    )
    with options(base_url=club.sandbox.base_url, api_key=club.key):
        try:
            plan = old.plan_to(new)
        except ValueError as error:  # One row has the name of a cohort, another one its id.
            assert "is also in row" in str(error)
            return
        plan = Plan.from_json(plan.to_json())
        assert plan.apply(max_delete_share=1).counts.keys() <= {
            "created",
            "updated",
            "deleted",
            "unchanged",
        }
        assert there(club) == {each.name: fields_of(each) for each in new}
        assert plan.apply(max_delete_share=1).counts == {
            "unchanged": len(plan) + len(plan.unchanged)
        }
