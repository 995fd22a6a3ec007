"""Restoring a snapshot: what comes back, with which codes, and what is listed because it cannot."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from PermutiveAPI import Cohort
from PermutiveAPI.Tables import PlanRefusedError, Plans
from tests.snapshots.archive import Archive
from tests.tables.club import QUERY


def code_of(archive: Archive, name: str) -> Any:
    """Return the code of a cohort that is there now."""
    found = Cohort.get_by_name(name, archive.club.key)
    assert found is not None
    return found.code


def query_of(archive: Archive, name: str) -> Any:
    """Return the query of a cohort that is there now."""
    return archive.club.there()[name]["query"]


def delete(archive: Archive, *cohorts: Cohort) -> None:
    """Delete cohorts, as another user does."""
    for each in cohorts:
        each.delete(archive.club.key)


def test_everything_comes_back(archive: Archive) -> None:
    """Edits, deletions and additions of cohorts and segments are undone. Then there is no drift."""
    archive.begin()
    before = archive.there()
    archive.club.edit(12345, name="Soccer", tags=["x"], description=None, query={"in_segment": 1})
    archive.club.get(12347).disable(archive.club.key)
    delete(archive, archive.club.get(12346))
    archive.club.put("New")
    rows = [{"code": "m_a", "name": "A"}, {"code": "DigitalNorth", "name": "N", "cpm": 2}]
    archive.market.apply(archive.market.plan(rows))
    archive.market.list().code_dictionary["DigitalSouth"].delete(archive.club.key)
    plans = Plans.from_json(archive.restoring().to_json())
    reports = plans.apply(api_key=archive.workspace.api_key)
    assert reports.counts == {"created": 2, "updated": 3, "deleted": 2, "unchanged": 26}
    assert archive.there() == before
    assert len(archive.drift()) == len(archive.restoring()) == 0
    archive.sandbox.clear_requests()
    assert {*plans.apply(api_key=archive.workspace.api_key).counts} == {"unchanged"}
    assert archive.writes() == []


def test_nothing_is_written_before(archive: Archive) -> None:
    """Planning only reads."""
    archive.begin()
    delete(archive, archive.club.get(12346))
    archive.sandbox.clear_requests()
    assert len(archive.restoring()) == 1
    assert archive.writes() == []


def test_what_cannot_come_back_comes_first(archive: Archive) -> None:
    """The text begins with the old codes, which are gone for good."""
    archive.begin()
    delete(archive, archive.club.get(12346))
    assert str(archive.restoring()).splitlines()[:2] == [
        "! The cohort 'Premier League Followers' comes back with another code; the code 12346 cannot "
        "come back.",
        "cohorts: 1 to create, 0 to update, 0 to delete, 5 unchanged",
    ]
    archive.restore()
    code = code_of(archive, "Premier League Followers")
    assert archive.restoring().notes == (
        f"The cohort 'Premier League Followers' keeps the code {code}; the code 12346 cannot come back.",
    )


def test_references_get_the_new_codes(archive: Archive) -> None:
    """Queries of cohorts that stayed, and of those that are made anew, name the new codes."""
    first = archive.club.put("First", {"in_segment": 1})
    second = archive.club.put("Second", {"in_segment": first.code})
    third = archive.club.put(
        "Third",
        {"or": [{"in_segment": str(first.code)}, {"has_entered": {"segment": second.code}}]},
    )
    archive.save()
    delete(archive, first, second)
    reports = archive.restore()
    assert reports.counts == {"created": 2, "updated": 1, "unchanged": 6}
    codes = {name: code_of(archive, name) for name in ("First", "Second", "Third")}
    assert codes["Third"] == third.code
    assert query_of(archive, "Second") == {"in_segment": codes["First"]}
    assert query_of(archive, "Third") == {
        "or": [{"in_segment": str(codes["First"])}, {"has_entered": {"segment": codes["Second"]}}]
    }
    assert len(archive.drift()) == 0
    archive.save()
    assert not archive.drift()


def test_a_reference_to_a_cohort_that_somebody_made_again(archive: Archive) -> None:
    """The query names the cohort that is there now, and the cohort gets its old definition."""
    first = archive.club.put("First", {"in_segment": 1})
    archive.club.put("Second", {"in_segment": first.code})
    archive.save()
    delete(archive, first)
    again = archive.club.put("First", {"in_segment": 2})
    plans = archive.restoring()
    assert [(each.name, each.action) for each in plans.changes] == [
        ("First", "update"),
        ("Second", "update"),
    ]
    archive.restore()
    assert query_of(archive, "First") == {"in_segment": 1}
    assert query_of(archive, "Second") == {"in_segment": again.code}


def test_a_disabled_cohort_comes_back_disabled(archive: Archive) -> None:
    """A new cohort is enabled, so it is disabled after that."""
    off = archive.club.put("Off")
    off.disable(archive.club.key)
    archive.save()
    delete(archive, off)
    archive.restore()
    assert archive.club.there()["Off"]["state"] == "Disabled"


def test_two_of_one_name(archive: Archive) -> None:
    """Of two cohorts of one name, the one that is gone comes back."""
    archive.club.put("Same", {"in_segment": 1})
    second = archive.club.put("Same", {"in_segment": 2})
    archive.save()
    delete(archive, second)
    assert archive.restore().counts == {"created": 1, "unchanged": 7}
    queries = [each.query for each in archive.club.list() if each.name == "Same"]
    assert queries == [{"in_segment": 1}, {"in_segment": 2}]
    assert len(archive.drift()) == 0


def test_a_name_that_another_cohort_has_taken(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other cohort gets its own name back, and references go to the right one."""
    # With a known workspace, all cohorts that are ready are created at once.
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", archive.credentials())
    first = archive.club.put("First", {"in_segment": 1})
    archive.club.put("User", {"in_segment": first.code})
    gone = archive.club.put("Gone", {"in_segment": first.code})
    archive.save()
    delete(archive, first, gone)
    archive.club.edit(12345, name="First")
    archive.restore()
    assert archive.club.get(12345).name == "Football Fans"
    for user in ("User", "Gone"):
        assert query_of(archive, user) == {"in_segment": code_of(archive, "First")}
    assert len(archive.drift()) == 0


def test_references_to_one_of_two_new_cohorts_of_one_name(archive: Archive) -> None:
    """The name does not tell which is meant. So the queries come back in a second step."""
    one = archive.club.put("Same", {"in_segment": 1})
    two = archive.club.put("Same", {"in_segment": 2})
    user = archive.club.put("User", {"in_segment": two.code})
    gone = archive.club.put("Gone", {"in_segment": one.code})
    archive.save()
    delete(archive, one, two, gone)
    archive.club.edit(int(user.code or 0), query={"in_segment": 5})
    plans = archive.restoring()
    reason = "its query names 'Same'. Apply these plans, and make them again."
    assert f"The cohort 'Gone' is left out for now: {reason}" in plans.notes
    assert f"The cohort 'User' keeps its query for now: {reason}" in plans.notes
    assert [each.action for each in plans.changes] == ["create", "create"]
    archive.restore()
    archive.restore()
    codes = {
        each.query["in_segment"]: each.code for each in archive.club.list() if each.name == "Same"
    }
    assert query_of(archive, "Gone") == {"in_segment": codes[1]}
    assert query_of(archive, "User") == {"in_segment": codes[2]}
    assert code_of(archive, "User") == user.code
    assert len(archive.drift()) == 0


def test_cohorts_that_name_each_other(archive: Archive) -> None:
    """None of them can be created first. They are left out, and named."""
    one = archive.club.put("One", {"in_segment": 1})
    two = archive.club.put("Two", {"in_segment": one.code})
    archive.club.edit(int(one.code or 0), query={"in_segment": two.code})
    archive.save()
    delete(archive, one, two)
    plans = archive.restoring()
    assert len(plans) == 0
    assert [each.split(":")[0] for each in plans.notes] == [
        "The cohort 'One' is left out for now",
        "The cohort 'Two' is left out for now",
    ]


def test_a_segment_that_a_new_cohort_names(archive: Archive) -> None:
    """A segment and a cohort that were added together go together."""
    archive.begin()
    archive.market.put(archive.market.segment("m_a"))
    clause = {"provider": "subscribercrm", "segment": "m_a"}
    archive.club.put("New", {"in_second_party_segment": clause})
    assert archive.restore().counts == {"deleted": 2, "unchanged": 31}
    assert len(archive.drift()) == 0


def test_limits(archive: Archive) -> None:
    """The limits of plans hold: a snapshot of few objects does not empty a workspace."""
    archive.begin()
    for path in archive.path("cohorts").iterdir():
        path.unlink()
    Cohort.batch_create(
        [Cohort(f"New {number}", query=QUERY) for number in range(6)], api_key=archive.club.key
    )
    plans = archive.restoring()
    with pytest.raises(PlanRefusedError, match="too many deletes: 11 of 12"):
        plans.apply(api_key=archive.workspace.api_key)
    assert len(archive.club.list()) == 12


def test_an_interrupted_restoring(archive: Archive) -> None:
    """What failed is restored by the next one."""
    archive.begin()
    delete(archive, archive.club.get(12346), archive.club.get(12347))
    archive.sandbox.fail_next(status=400, method="POST")
    assert archive.restore().counts == {"created": 1, "failed": 1, "unchanged": 4}
    assert archive.restore().counts == {"created": 1, "unchanged": 5}
    assert len(archive.drift()) == 0


def test_a_child_workspace(archive: Archive) -> None:
    """A child's snapshot restores only its own cohorts."""
    archive.workspace = archive.club.brand
    archive.save()
    own = next(e for e in archive.now().cohorts if e.name == "Gardeners")
    own.delete(archive.workspace.api_key)
    archive.club.edit(12345, tags=["other"])
    assert archive.restore().counts == {"created": 1, "unchanged": 2}
    there = {each.name: each for each in Cohort.list(archive.workspace.api_key)}
    assert there["Gardeners"].workspace_id == archive.workspace.workspace_id
    assert archive.club.get(12345).tags == ["other"]


def test_a_child_workspace_without_cohorts(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own cohorts come back there. What the key sees does not tell its workspace, but the file does."""
    archive.workspace = archive.club.brand
    stored = archive.sandbox._state.cohorts
    own = {
        id for id, each in stored.items() if each["workspace_id"] == archive.workspace.workspace_id
    }
    for id in own:
        if "query" not in stored[id]:
            del stored[id]
    archive.save()
    for id in own & stored.keys():
        del stored[id]
    plans = archive.restoring()
    assert plans.plans[0].target.workspace_id == archive.workspace.workspace_id
    with pytest.raises(ValueError, match="it must be in the file"):
        plans.apply(api_key=archive.workspace.api_key)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", archive.credentials())
    assert archive.restore().counts == {"created": 2}
    assert len(archive.now().cohorts) == 2


def test_an_unknown_state(archive: Archive) -> None:
    """A cohort whose state cannot be set comes back enabled, and the difference is named."""
    archive.begin()
    archive.edit("cohorts/12346 premier-league-followers.json", state="Paused")
    delete(archive, archive.club.get(12346))
    assert archive.restore().counts == {"created": 1, "unchanged": 5}
    assert archive.club.there()["Premier League Followers"]["state"] == "Enabled"
    assert archive.restoring().notes[-1] == (
        "The cohort 'Premier League Followers' cannot be changed back: state."
    )


def test_edited_files_are_restored(archive: Archive) -> None:
    """A folder whose files were edited says what is wanted, for instance after a review."""
    archive.begin()
    name = "cohorts/12345 football-fans.json"
    wanted: Dict[str, Any] = {"tags": ["reviewed"], "query": {"in_segment": 12346}}
    archive.edit(name, **wanted)
    archive.restore()
    fans = archive.club.get(12345)
    assert (fans.tags, fans.query) == (["reviewed"], {"in_segment": 12346})
    assert archive.save().written == 1  # The sentence is new.
    assert archive.read(name)["sentence"] == "Users who are in segment 12346"
