"""Plans: several plans that are shown, kept and applied as one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Dict, List, Tuple

import pytest

from PermutiveAPI import Cohort, Import, Progress, Segment
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import PlanOutdatedError, PlanRefusedError, Plans
from PermutiveAPI.Tables.changes import Change, FieldChange
from tests.support.mistakes import assert_raises
from tests.tables.club import Club
from tests.tables.market import Market

NAMING: Dict[str, Any] = {
    "in_second_party_segment": {"provider": "subscribercrm", "segment": "DigitalNorth"}
}


@pytest.fixture
def club(sandbox: Sandbox) -> Club:
    """The cohorts of the sandbox."""
    return Club(sandbox)


@pytest.fixture
def market(sandbox: Sandbox) -> Market:
    """The first import of the sandbox, whose cohorts stay."""
    return Market(sandbox, Import.list(sandbox.api_key)[0].id)


def without(market: Market, *codes: str) -> Any:
    """Return the plan that deletes segments of the market."""
    segments = market.list()
    return segments.plan_to(type(segments)([s for s in segments if s.code not in codes]))


def written(club: Club) -> List[Tuple[str, str]]:
    """Return the verb of each write, and whether it was for cohorts or for segments."""
    return [(e.method, "cohorts" if "cohorts" in e.path else "segments") for e in club.writes()]


def test_the_text(club: Club, market: Market) -> None:
    """Notes come first, then each plan that changes something."""
    plans = Plans(
        (
            club.plan([{"code": 12345, "tags": ["a"]}]),
            market.plan([{"code": "DigitalNorth"}]),
            market.plan([{"code": "m_a", "name": "A"}]),
        ),
        ("The import 'News' is gone.",),
    )
    assert str(plans) == "\n".join(
        [
            "! The import 'News' is gone.",
            "cohorts: 0 to create, 1 to update, 0 to delete, 0 unchanged",
            "~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)",
            '    tags: ["sport", "editorial"] -> ["a"]',
            f"segments of import {market.id}: 1 to create, 0 to update, 0 to delete, 0 unchanged",
            "+ A (m_a)",
            '    name: "A"',
        ]
    )
    assert repr(plans) == "<Plans: 1 to create, 1 to update, 0 to delete, 1 unchanged, 1 note>"
    assert (len(plans), [change.name for change in plans.changes]) == (2, ["Football Fans", "A"])
    assert plans.to_markdown().startswith("- The import 'News' is gone.\n\n**cohorts: 0 to create")
    assert plans._repr_html_().count("<table") == 2
    frame = plans.to_pd_dataframe()
    assert frame[["target", "action", "field"]].values.tolist() == [
        ["cohorts", "update", "tags"],
        [f"segments of import {market.id}", "create", "name"],
    ]


def test_nothing_to_do(club: Club, market: Market) -> None:
    """Plans without changes are false, and say so; with a note they are true."""
    plans = Plans((market.plan([{"code": "DigitalNorth"}]),))
    assert not plans
    assert str(plans) == "0 to create, 0 to update, 0 to delete, 1 unchanged"
    assert plans.to_markdown() == f"**{plans}**"
    assert Plans(notes=("Note.",))
    club.sandbox.clear_requests()
    reports = plans.apply(api_key=club.key)
    assert (str(reports), reports.counts, club.sandbox.requests) == ("nothing to do", {}, [])


def test_kept_as_json(club: Club, market: Market) -> None:
    """What was written and read again is the same."""
    plans = Plans((club.plan([{"code": 12345, "tags": ["a"]}]), without(market)), ("Note.",))
    assert Plans.from_json(json.dumps(plans.to_json())) == plans


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([], "data: a set of plans is expected, as Plans.to_json() returns it"),
        (
            {"format": 1, "notes": []},
            "data: plans must be a list of plans, and notes a list of texts",
        ),
        (
            {"format": 2, "plans": [], "notes": []},
            "data: a set of plans of format 1 is expected, not of 2; make it again with this version",
        ),
        (
            {"format": 1, "plans": {}, "notes": []},
            "data: plans must be a list of plans, and notes a list of texts",
        ),
        (
            {"format": 1, "plans": [], "notes": [1]},
            "data: plans must be a list of plans, and notes a list of texts",
        ),
        (
            {"format": 1, "plans": []},
            "data: plans must be a list of plans, and notes a list of texts",
        ),
        (
            {"format": 1, "plans": [1], "notes": []},
            "data: a plan is expected, as Plan.to_json() returns it",
        ),
    ],
    ids=["list", "no plans", "format", "plans", "notes", "no notes", "plan"],
)
def test_other_data_is_refused(data: Any, text: str) -> None:
    """The error says what is expected."""
    assert_raises(lambda: Plans.from_json(data), ValueError, text)


def test_the_order_of_the_writes(club: Club, market: Market) -> None:
    """Segments come before cohorts, and deletions last: queries may name segments."""
    new = club.put("Naming")
    mirror = replace(without(market, "DigitalNorth"), changes=())
    segments = market.plan([{"code": "m_a", "name": "A"}])
    deleting = replace(
        mirror, changes=(*segments.changes, *without(market, "DigitalNorth").changes)
    )
    cohorts = club.plan([{"name": "New", "query": {"in_segment": 1}}, {"id": new.id, "tags": "t"}])
    gone = club.list().plan_to(type(club.list())([e for e in club.list() if e.code != 12346]))
    both = replace(cohorts, changes=(*cohorts.changes, *gone.changes), owned_count=28)
    club.sandbox.clear_requests()
    progress: List[Progress] = []
    reports = Plans((both, deleting)).apply(api_key=club.key, progress_callback=progress.append)
    assert written(club) == [
        ("PATCH", "segments"),
        ("POST", "cohorts"),
        ("PATCH", "cohorts"),
        ("DELETE", "cohorts"),
        ("PATCH", "segments"),
    ]
    assert reports.counts == {"created": 2, "updated": 1, "deleted": 2, "unchanged": 24}
    assert (progress[-1].completed, progress[-1].total, progress[-1].errors) == (5, 5, 0)
    reports.inverse().apply(api_key=club.key)
    assert {"New"}.isdisjoint(club.there())
    assert "Premier League Followers" in club.there()
    assert "DigitalNorth" in market.there() and "m_a" not in market.there()


def test_nothing_is_written_if_one_plan_is_outdated(club: Club, market: Market) -> None:
    """All plans are compared with the service before the first write."""
    plans = Plans(
        (market.plan([{"code": "m_a", "name": "A"}]), club.plan([{"code": 12345, "tags": "a"}]))
    )
    club.edit(12345, tags=["other"])
    with pytest.raises(PlanOutdatedError):
        plans.apply(api_key=club.key)
    assert club.writes() == []


def test_the_limit_of_each_plan(club: Club, market: Market) -> None:
    """A plan with too many deletions stops all plans before the first write."""
    codes = [each.code or "" for each in market.list()]
    plans = Plans((club.plan([{"code": 12345, "tags": "a"}]), without(market, *codes[:24])))
    club.sandbox.clear_requests()
    with pytest.raises(PlanRefusedError, match="too many deletes: 24 of 25"):
        plans.apply(api_key=club.key)
    assert club.writes() == []
    assert plans.apply(api_key=club.key, max_delete_share=1).counts["deleted"] == 24


def test_a_segment_whose_user_changes_too(club: Club, market: Market) -> None:
    """A segment may be deleted if the plan of the cohorts takes it out of the query that names it."""
    user = club.put("User", NAMING)
    deletion = without(market, "DigitalNorth")
    other = club.plan([{"code": 12345, "tags": "a"}])
    with pytest.raises(PlanRefusedError, match="'Digital subscribers, North' .*: 'User'"):
        Plans((deletion, other)).apply(api_key=club.key)
    assert club.writes() == []
    freeing = club.plan([{"id": user.id, "query": {"in_segment": 1}}])
    report = Plans((deletion, freeing)).apply(api_key=club.key)
    assert report.counts == {"updated": 1, "deleted": 1, "unchanged": 24}


def test_segments_alone_are_deleted(club: Club, market: Market) -> None:
    """Without a plan of the cohorts, the queries of all cohorts are looked at."""
    plans = Plans((without(market, "DigitalEast"),))
    assert plans.apply(api_key=club.key).counts["deleted"] == 1
    club.put("User", NAMING)
    with pytest.raises(PlanRefusedError, match="'User'"):
        Plans((without(market, "DigitalNorth"),)).apply(api_key=club.key)


def test_used_segments_can_be_deleted(club: Club, market: Market) -> None:
    """With `allow_used`, queries are not looked at."""
    club.put("User", NAMING)
    plans = Plans((without(market, "DigitalNorth"),))
    assert plans.apply(api_key=club.key, allow_used=True).counts["deleted"] == 1


def test_nothing_is_deleted_after_a_failure_of_another_plan(club: Club, market: Market) -> None:
    """The deletions of all plans are left if a change of any plan fails."""
    plans = Plans((without(market, "DigitalNorth"), club.plan([{"code": 12345, "tags": "a"}])))
    club.sandbox.clear_requests()
    club.sandbox.fail_next(status=400, method="PATCH", path="/cohorts-api/")
    reports = plans.apply(api_key=club.key)
    assert reports.counts == {"unchanged": 24, "failed": 1, "not tried": 1}
    assert [each.change.name for each in reports.failures] == [
        "Digital subscribers, North",
        "Football Fans",
    ]
    assert str(reports).count("\n") == 3
    assert "DigitalNorth" in market.there()


def naming_a_new_cohort(club: Club) -> Tuple[Cohort, Any]:
    """Return a cohort, and a plan that creates another one and lets its query name it."""
    user = club.put("User", {"in_segment": 7})
    plan = club.plan([{"name": "Named", "query": {"in_segment": 1}}])
    fields = (FieldChange("query", {"in_segment": 7}, {"in_segment": "new cohort: Named"}),)
    return user, replace(plan, changes=(*plan.changes, Change("update", user.id, "User", fields)))


def test_an_update_that_names_a_new_cohort(club: Club) -> None:
    """The query gets the code of the new cohort. Applied again, the plan writes nothing."""
    _, plan = naming_a_new_cohort(club)
    assert club.apply(plan).counts == {"created": 1, "updated": 1}
    named = Cohort.get_by_name("Named", club.key)
    assert named is not None
    assert club.there()["User"]["query"] == {"in_segment": named.code}
    club.sandbox.clear_requests()
    assert (club.apply(plan).counts, club.writes()) == ({"unchanged": 2}, [])


def test_an_update_whose_new_cohort_is_not_created(club: Club) -> None:
    """It is not tried, since its query would name nothing."""
    _, plan = naming_a_new_cohort(club)
    club.sandbox.fail_next(status=400, method="POST")
    report = club.apply(plan)
    assert [(each.status, each.error) for each in report.failures][1] == (
        "not tried",
        "it needs the codes of 'Named'",
    )
    assert club.there()["User"]["query"] == {"in_segment": 7}


def test_a_new_cohort_with_the_old_name_of_another_one(club: Club) -> None:
    """A query that names the new cohort does not get the code of the one that had its name."""
    club.edit(12345, name="Named")
    _, plan = naming_a_new_cohort(club)
    renaming = club.plan([{"code": 12345, "name": "Football Fans"}]).changes
    creation = Change("create", None, "Named", plan_fields("Named"))
    apply = replace(plan, changes=(creation, *plan.changes[-1:], *renaming))
    assert club.apply(apply).counts == {"created": 1, "updated": 2}
    named = club.there()["User"]["query"]["in_segment"]
    assert named != 12345
    assert club.get(named).name == "Named"


def plan_fields(name: str) -> Tuple[FieldChange, ...]:
    """Return the fields of a new cohort."""
    fields = {"name": name, "query": {"in_segment": 1}}
    return tuple(FieldChange(field, None, value) for field, value in fields.items())


def test_a_second_cohort_of_one_name(club: Club) -> None:
    """A plan can create a cohort with the name of one that it knows and leaves as it is."""
    plan = club.plan([{"code": 12345, "name": "Football Fans"}])
    assert len(plan) == 0
    second = replace(
        plan, changes=(Change("create", None, "Football Fans", plan_fields("Football Fans")),)
    )
    assert club.apply(second).counts == {"created": 1, "unchanged": 1}
    club.sandbox.clear_requests()
    assert (club.apply(second).counts, club.writes()) == ({"unchanged": 2}, [])


def test_plans_of_the_first_import_and_the_second(club: Club) -> None:
    """Each plan goes to its own import."""
    imports = Import.list(club.key)
    plans = Plans(
        tuple(Segment.plan(e.id, [{"code": "m_a", "name": "A"}], api_key=club.key) for e in imports)
    )
    reports = plans.apply(api_key=club.key)
    assert [str(each) for each in reports.reports] == [
        f"segments of import {each.id}: 1 created" for each in imports
    ]
