"""One cohort for each segment of an import."""

from __future__ import annotations

from typing import Any, List

import pytest

from PermutiveAPI import Cohort, Import, Segment
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import Plan
from tests.support.calls import KEY
from tests.support.fake_service import FakeService, answer
from tests.support.mistakes import assert_raises
from tests.tables.club import Club


@pytest.fixture
def club(sandbox: Sandbox) -> Club:
    """The cohorts of the sandbox."""
    sandbox.page_size = 1000
    return Club(sandbox)


def plan_for(club: Club, position: int, **options: Any) -> Plan:
    """Plan cohorts for the segments of an import."""
    import_id = Import.list(club.key)[position].id
    club.sandbox.clear_requests()
    return Cohort.plan_from_segments(import_id, api_key=club.key, **options)


CLAUSES = [
    (0, 25, {"in_second_party_segment": {"provider": "subscribercrm", "segment": "DigitalNorth"}}),
    (1, 60, {"in_third_party_segment": {"segment": "700100", "provider": "inmarket"}}),
]


@pytest.mark.parametrize(("position", "count", "clause"), CLAUSES, ids=["2nd", "3rd"])
def test_the_clause_fits_the_relation(club: Club, position: int, count: int, clause: Any) -> None:
    """The relation of the import decides on the clause, which names the codes of import and segment."""
    plan = plan_for(club, position)
    assert (len(plan.creates), len(plan)) == (count, count)
    assert plan.changes[0].wanted["query"] == clause
    assert plan.changes[0].name.startswith("Segment: ")


def test_applied_twice(club: Club) -> None:
    """The second time, nothing is planned; and a new segment gets its cohort."""
    report = club.apply(plan_for(club, 0, tags=["crm"]))
    assert report.counts == {"created": 25}
    assert report.rows[0].keys() == {"segment_code", "segment_name", "status", "id", "error"}
    assert len(plan_for(club, 0, tags=["crm"])) == 0
    import_id = Import.list(club.key)[0].id
    Segment("new", "New", import_id).create(club.key)
    assert [each.name for each in plan_for(club, 0).changes] == ["Segment: New"]


def test_names_and_tags(club: Club) -> None:
    """The name may hold the segment's name and code and the import's name. Tags are set only if given."""
    name = "{import_name}: {name} [{code}]"
    club.apply(plan_for(club, 0, name=name, tags=("crm", "new")))
    made = club.there()["Subscriber CRM: Digital subscribers, North [DigitalNorth]"]
    assert made["tags"] == ["crm", "new"]
    assert len(plan_for(club, 0, name=name)) == 0
    assert [each.wanted for each in plan_for(club, 0, name=name, tags=[]).changes] == [
        {"tags": []}
    ] * 25


def test_mistakes(club: Club) -> None:
    """A name that cannot be filled in, or that several segments would get, is an error."""
    known = "{name}, {code}, {import_name}"
    for name in ("{id}", "{name", "{}", "{name.x}", "{name[x]}"):
        text = f"name may contain {known}, got {name!r}."
        assert_raises(lambda: plan_for(club, 0, name=name), ValueError, text)
    assert_raises(
        lambda: plan_for(club, 0, name=5), TypeError, "name must be of type str, got int."
    )
    text = "tags must be a list or another iterable, got str."
    assert_raises(lambda: plan_for(club, 0, tags="crm"), TypeError, text)
    import_id = Import.list(club.key)[0].id
    Segment("twin", "Digital subscribers, North", import_id).create(club.key)
    text = (
        "name: the segments DigitalNorth, twin would all get the cohort name "
        "'Segment: Digital subscribers, North'; put {code} into the name"
    )
    assert_raises(lambda: plan_for(club, 0), ValueError, text)


IMPORT = {
    "id": "i-1",
    "name": "Own",
    "code": "own",
    "identifiers": [],
    "source": {"id": "s", "state": {}, "type": "x"},
}
REFUSED: List[Any] = [
    (
        [{**IMPORT, "relation": "1st"}],
        "import_id: the relation of 'Own' is '1st'; the library knows a clause only for 2nd and 3rd",
    ),
    ([{**IMPORT, "relation": "2nd"}, {"elements": []}], "import_id: 'Own' has no segments"),
]


@pytest.mark.parametrize(("answers", "text"), REFUSED, ids=["relation", "no segments"])
def test_imports_without_cohorts(server: FakeService, answers: List[Any], text: str) -> None:
    """An import of another relation, or without segments, is an error."""
    server.script = [answer(200, each) for each in answers]
    assert_raises(lambda: Cohort.plan_from_segments("i-1", api_key=KEY), ValueError, text)
