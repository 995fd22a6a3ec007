"""What has changed since a snapshot: plans between two snapshots, and notes about what no plan can change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, List

from PermutiveAPI import Cohort
from PermutiveAPI.snapshots import Snapshot
from tests.snapshots.archive import FANS, SUBSCRIBERS, Archive
from tests.support.mistakes import assert_raises


def lines(plans: Any) -> List[str]:
    """Return the notes and changes, without fields and summaries."""
    return [each for each in str(plans).splitlines() if each[0] in "!+~-"]


def test_nothing_has_changed(archive: Archive) -> None:
    """There is nothing to show, in either direction."""
    archive.begin()
    assert not archive.drift()
    assert not archive.restoring()
    assert str(archive.drift()) == "0 to create, 0 to update, 0 to delete, 91 unchanged"


def test_changes_of_cohorts(archive: Archive) -> None:
    """New, changed and deleted cohorts are shown, field by field."""
    archive.begin()
    archive.club.edit(12345, tags=["other"], description=None)
    archive.club.get(12346).delete(archive.club.key)
    archive.club.put("New")
    text = str(archive.drift()).splitlines()
    assert text[0] == "cohorts: 1 to create, 1 to update, 1 to delete, 4 unchanged"
    assert text[1:2] == ["+ New"]
    assert text[-4:] == [
        "~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)",
        '    description: "Football Fans, kept by the audience team." -> (empty)',
        '    tags: ["editorial", "sport"] -> ["other"]',
        text[-1],
    ]
    assert text[-1].startswith("- Premier League Followers (")
    assert archive.drift().notes == ()


def test_changes_of_segments(archive: Archive) -> None:
    """Each import has its own plan."""
    archive.begin()
    archive.market.apply(
        archive.market.plan([{"code": "m_a", "name": "A"}, {"code": "DigitalNorth", "cpm": 2}])
    )
    there = archive.market.list().code_dictionary
    there["DigitalSouth"].delete(archive.club.key)
    drift = archive.drift()
    assert drift.summary == "1 to create, 1 to update, 1 to delete, 89 unchanged"
    assert lines(drift) == [
        "+ A (m_a)",
        "~ Digital subscribers, North (DigitalNorth)",
        "- Digital subscribers, South (DigitalSouth)",
    ]


def test_an_import_without_segments(archive: Archive) -> None:
    """All segments may be gone, or all may be new."""
    archive.begin()
    segments = archive.market.list()
    for each in segments:
        each.delete(archive.club.key)
    assert archive.drift().summary == "0 to create, 0 to update, 25 to delete, 66 unchanged"
    assert archive.restoring().summary == "25 to create, 0 to update, 0 to delete, 66 unchanged"


def test_two_folders(archive: Archive, tmp_path: Path) -> None:
    """Two snapshots are compared without any request, for instance two commits."""
    archive.begin()
    copy = tmp_path / "copy"
    shutil.copytree(archive.folder, copy)
    archive.edit(FANS, name="Soccer Fans")
    archive.sandbox.clear_requests()
    assert lines(Snapshot.read(copy).plans_to(archive.saved())) == [
        "~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)"
    ]
    assert archive.sandbox.requests == []


def test_a_cohort_that_was_made_again(archive: Archive) -> None:
    """It is found by its name. A query that names it by its new code has not changed."""
    named = archive.club.put("Named", {"in_segment": 1})
    user = archive.club.put("User", {"in_segment": named.code})
    archive.save()
    named.delete(archive.club.key)
    again = archive.club.put("Named", {"in_segment": 1})
    archive.club.edit(int(user.code or 0), query={"in_segment": again.code})
    drift = archive.drift()
    assert len(drift) == 0
    assert drift.notes == (
        f"The cohort 'Named' now has the code {again.code} instead of {named.code}.",
    )


def test_a_new_cohort_in_a_query(archive: Archive) -> None:
    """The plan names a new cohort where its code is not known in the snapshot."""
    archive.begin()
    new = archive.club.put("New")
    archive.club.edit(12345, query={"in_segment": new.code})
    fans = next(each for each in archive.drift().changes if each.action == "update")
    assert fans.wanted["query"] == {"in_segment": "new cohort: New"}


def test_an_old_file_has_less(archive: Archive) -> None:
    """A field that a file does not have is empty: a snapshot is whole."""
    archive.begin()
    data = archive.read(FANS)
    del data["description"], data["tags"]
    archive.path(FANS).unlink()
    archive.path(FANS).write_text(__import__("json").dumps(data))
    fields = [each.field for change in archive.drift().changes for each in change.fields]
    assert fields == ["description", "tags"]


# --- What no plan can change ---------------------------------------------------------------------


def lookalike(archive: Archive) -> Any:
    """Return a lookalike cohort as the sandbox stores it."""
    stored = archive.sandbox._state.cohorts.values()
    return next(each for each in stored if each["name"] == "Lapsed Readers Lookalike")


def test_lookalikes(archive: Archive) -> None:
    """Lookalike cohorts cannot be created, changed or deleted. They are notes."""
    archive.begin()
    stored = lookalike(archive)
    code = stored["code"]
    stored["tags"] = ["other"]
    assert archive.drift().notes == (
        f"The lookalike cohort 'Lapsed Readers Lookalike' ({code}) has changed: tags.",
    )
    assert archive.restoring().notes == (
        f"The lookalike cohort 'Lapsed Readers Lookalike' ({code}) cannot be changed back: tags.",
    )
    stored["tags"] = ["engagement", "lookalike"]
    del archive.sandbox._state.cohorts[stored["id"]]
    new = {**stored, "id": "11111111-1111-4111-8111-111111111111", "code": 5, "name": "New"}
    archive.sandbox._state.cohorts[new["id"]] = new
    assert archive.drift().notes == (
        f"The lookalike cohort 'Lapsed Readers Lookalike' ({code}) is gone.",
        "The lookalike cohort 'New' (5) is new.",
    )
    assert archive.restoring().notes == (
        "The lookalike cohort 'New' (5) is new, and stays.",
        f"The lookalike cohort 'Lapsed Readers Lookalike' ({code}) cannot come back.",
    )
    assert len(archive.drift()) == len(archive.restoring()) == 0


def test_inherited_cohorts(archive: Archive) -> None:
    """Inherited cohorts belong to another workspace. They are notes."""
    archive.workspace = archive.club.brand
    archive.save()
    archive.club.edit(12345, name="Soccer Fans")
    archive.club.edit(12347, tags=["not saved"])
    archive.club.get(12346).delete(archive.club.key)
    new = archive.club.put("New")
    assert archive.drift().notes == (
        "The inherited cohort 'Premier League Followers' (12346) is gone.",
        f"The inherited cohort 'New' ({new.code}) is new.",
        "The inherited cohort 'Football Fans' (12345) has changed: name.",
    )
    assert archive.restoring().notes == (
        f"The inherited cohort 'New' ({new.code}) is new, and stays.",
        "The inherited cohort 'Premier League Followers' (12346) cannot come back.",
        "The inherited cohort 'Soccer Fans' (12345) cannot be changed back: name.",
    )
    assert len(archive.drift()) == len(archive.restoring()) == 0


def test_imports(archive: Archive) -> None:
    """Clients can only read imports. They are notes."""
    archive.begin()
    markets, subscribers = sorted(
        archive.sandbox._state.imports.values(), key=lambda each: each.facts["code"]
    )
    subscribers.facts["name"] = "CRM"
    subscribers.facts["identifiers"] = ["internal", "email_sha256"]
    subscribers.facts["source"]["phase"] = "other"
    assert archive.drift().notes == ("The import 'Subscriber CRM' has changed: name.",)
    assert archive.restoring().notes == ("The import 'CRM' cannot be changed back: name.",)
    subscribers.facts["name"] = "Subscriber CRM"
    del archive.sandbox._state.imports[markets.facts["id"]]
    assert archive.drift().notes == ("The import 'In-Market Shoppers' with 60 segments is gone.",)
    assert archive.restoring().notes == (
        "The import 'In-Market Shoppers' with 60 segments cannot come back.",
    )


def test_types_and_states(archive: Archive) -> None:
    """A segment_type and an unknown state cannot be changed. Other fields of the cohort can."""
    archive.begin()
    stored = archive.sandbox._state.cohorts["68d8bf84-f570-44a9-abbb-d9f78d4361c0"]
    stored.update(segment_type="offline", state="Paused", tags=["other"])
    drift = archive.drift()
    assert drift.notes == ("The cohort 'Football Fans' has changed: state, segment_type.",)
    assert [each.field for change in drift.changes for each in change.fields] == ["tags"]
    back = archive.restoring()
    assert back.notes == ("The cohort 'Football Fans' cannot be changed back: segment_type.",)
    assert [each.field for change in back.changes for each in change.fields] == ["tags", "state"]


def test_a_query_that_is_gone(archive: Archive) -> None:
    """A cohort that no longer has a query is a lookalike now."""
    archive.begin()
    stored = archive.sandbox._state.cohorts["68d8bf84-f570-44a9-abbb-d9f78d4361c0"]
    del stored["query"]
    assert archive.drift().notes == (
        "The lookalike cohort 'Football Fans' (12345) has changed: query.",
    )


def test_snapshots_of_two_workspaces(archive: Archive) -> None:
    """They have nothing to do with each other."""
    other = Snapshot.of(archive.club.brand)
    here, there = archive.club.group.workspace_id, archive.club.brand.workspace_id
    text = f"The snapshots are of two workspaces, {here} and {there}."
    assert_raises(lambda: archive.now().plans_to(other), ValueError, text)
    assert_raises(lambda: other.restoring(archive.now()), ValueError, text)


def test_a_query_outside_the_grammar(archive: Archive) -> None:
    """It is saved and compared, but not put into words."""
    cohort: Cohort = archive.club.put("Strange", {"strange": {"x": None}})
    archive.save()
    data = archive.read(f"cohorts/{cohort.code} strange.json")
    assert (data["query"], data.get("sentence")) == ({"strange": {"x": None}}, None)
    assert not archive.drift()
    assert SUBSCRIBERS in archive.files()
