"""The changes of a rehearsal are exactly what the job did, and can be made in the live service."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Tuple

import pytest

from PermutiveAPI import (
    Alias,
    Cohort,
    ContextSegment,
    Event,
    Identity,
    Import,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    Segment,
    Segmentation,
    TrackedEvent,
    Workspace,
)
from PermutiveAPI.rehearsal import Changes, Rehearsal
from PermutiveAPI.Tables import PlanOutdatedError, Plans
from tests.rehearsal.live import QUERY, Live, named

USER = "e5b1a9c2-7d44-4f3e-9b60-1f2d8c7a4e01"


def done(changes: Changes) -> List[Tuple[str, Any]]:
    """Return the action and the key of each change; the name of a new cohort."""
    return [(each.action, each.key or each.name) for each in changes.changes]


def definitions(key: str) -> Dict[str, Any]:
    """Return what people define of a key's cohorts, by name."""
    return {
        each.name: (each.query, each.tags or [], each.description or None, each.state)
        for each in Cohort.list(key, include_details=True)
    }


def code_of(name: str, key: str) -> Any:
    """Return the code of a cohort."""
    return named(name, key).code


# --- What is among them --------------------------------------------------------------------------


def test_a_hundred_changes(live: Live) -> None:
    """The changes of a job with 100 changes are exactly these, and the live service gets only GETs."""
    live.put_segments(*(f"old_{number}" for number in range(60)))
    with Rehearsal([live.group, live.brand]) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        expected = _hundred_changes(live.import_id, key)
        changes = rehearsal.changes()
    assert len(changes) == len(expected) == 100
    assert sorted(done(changes), key=str) == sorted(expected, key=str)
    assert live.methods == {"GET"}
    assert changes.other_writes == {} and changes.notes == ()


def _hundred_changes(import_id: str, key: str) -> List[Tuple[str, Any]]:
    """Make 100 changes, and return them."""
    creates = [Segment(f"new_{number}", "New", import_id) for number in range(40)]
    updates = [Segment(f"old_{number}", "Other", import_id, cpm=2.0) for number in range(30)]
    deletes = [f"old_{number}" for number in range(30, 46)]
    _, failures = Segment.bulk(
        import_id, creates=creates, updates=updates, deletes=deletes, api_key=key
    )
    new = [Cohort(f"New {number}", query=QUERY) for number in range(5)]
    *_, more_failures = Cohort.batch_create(new, api_key=key)
    fans, gone = Cohort.list(key)[:3], Cohort.list(key)[3:5]
    for each in fans:
        each.description = "Other"
    failures += [*Cohort.batch_update(fans, api_key=key)[1], *more_failures]
    failures += Cohort.batch_delete(gone, api_key=key)[1]
    (markets,) = [each.id for each in Import.list(key) if each.id != import_id]
    codes = [each.code or "" for each in Segment.list(markets, key)[:4]]
    failures += Segment.bulk(markets, deletes=codes, api_key=key)[1]
    assert failures == []
    return [
        *(("create", each.code) for each in creates),
        *(("update", each.code) for each in updates),
        *(("delete", each) for each in (*deletes, *codes)),
        *(("create", each.name) for each in new),
        *(("update", each.id) for each in fans),
        *(("delete", each.id) for each in gone),
    ]


def test_each_field_with_its_old_and_new_value(live: Live) -> None:
    """The plans say what was there, and what is there now."""
    live.put_segments("one", "two")
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        fans = named("Football Fans", key)
        fans.name, fans.tags, fans.description, fans.state = (
            "Fans",
            ["sport", "ball"],
            None,
            "Disabled",
        )
        fans.update(key)
        Segment("one", "One", live.import_id, description="The first.").update_by_code(key)
        Segment("three", "Three", live.import_id, cpm=1.5).create(key)
        Segment.get_by_code(live.import_id, "two", key).delete(key)
        text = str(rehearsal.changes())
    assert text == "\n".join(
        [
            "cohorts: 0 to create, 1 to update, 0 to delete, 8 unchanged",
            f"~ Football Fans ({fans.id})",
            '    name: "Football Fans" -> "Fans"',
            '    description: "Football Fans, kept by the audience team." -> (empty)',
            '    tags: ["sport", "editorial"] -> ["sport", "ball"]',
            '    state: "Enabled" -> "Disabled"',
            f"segments of import {live.import_id}: 1 to create, 1 to update, 1 to delete, 25 unchanged",
            "+ Three (three)",
            '    name: "Three"',
            "    cpm: 1.5",
            "~ Segment one (one)",
            '    name: "Segment one" -> "One"',
            '    description: (empty) -> "The first."',
            "- Segment two (two)",
        ]
    )


def test_what_was_changed_back(live: Live) -> None:
    """What is as it was at the start is not a change."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        fans = named("Football Fans", key)
        fans.disable(key)
        fans.enable(key)
        new = Cohort("New", query=QUERY)
        new.create(key)
        new.delete(key)
        changes = rehearsal.changes()
    assert not changes
    assert (str(changes), len(changes)) == ("no changes", 0)


def test_the_changes_so_far(live: Live) -> None:
    """The changes can be asked for at any time, and after the block."""
    rehearsal = Rehearsal(live.group)
    with pytest.raises(RuntimeError):
        rehearsal.changes()
    with rehearsal:
        key = rehearsal.workspaces[0].api_key
        named("Football Fans", key).disable(key)
        first = rehearsal.changes()
        named("Gamers", key).disable(key)
    assert [len(first), len(rehearsal.changes())] == [1, 2]


def test_a_job_that_crashes(live: Live) -> None:
    """What it did before is known, its error is raised, and the library talks to the live service again."""
    rehearsal = Rehearsal(live.group)
    with pytest.raises(ZeroDivisionError), rehearsal:
        named("Football Fans", rehearsal.workspaces[0].api_key).disable()
        _ = 1 / 0
    assert [each.name for each in rehearsal.changes().changes] == ["Football Fans"]
    assert named("Football Fans", live.group.api_key).state == "Enabled"


def test_other_writes(live: Live) -> None:
    """Requests that write something else are counted, each under its kind; those that read or fail are not."""
    page = ContextSegment("https://a.example/sport")
    event = Event("Pageview", "2025-07-01T00:00:00Z")
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        people = [Identity(USER, [Alias(f"{n}", "crm", 0)]) for n in range(3)]
        Identity.batch_identify(people, api_key=key)
        TrackedEvent("Pageview", user_id=USER).track(api_key=key)
        for _ in range(2):
            Segmentation([event], USER).send(key)
        Segmentation([event], USER).send_stateless(api_key=key)
        page.send(api_key=key)
        rehearsal.sandbox.require_uuid_user_ids = True
        with pytest.raises(PermutiveBadRequestError):
            Identity("not-a-uuid", []).identify(key)
        changes = rehearsal.changes()
    assert changes.other_writes == {"identify": 3, "events": 1, "segmentation": 2}
    assert changes.plans == () and bool(changes)
    assert repr(changes) == (
        "<Changes: 0 to create, 0 to update, 0 to delete, 0 unchanged, 3 identify, 1 events, 2 segmentation>"
    )
    assert str(changes) == "other writes: 3 identify, 1 events, 2 segmentation"


def test_a_live_key_is_refused(live: Live) -> None:
    """The error says that this is a rehearsal, and which variables have a key. The refusals are counted."""
    with Rehearsal([live.group, live.brand]) as rehearsal:
        for key in (live.group.api_key, live.brand.api_key):
            with pytest.raises(PermutiveAuthenticationError) as caught:
                Cohort.list(key)
        changes = rehearsal.changes()
        assert rehearsal.sandbox.requests[-1].query == {"k": "[REDACTED]"}
    assert str(caught.value) == (
        "401: Invalid API key or insufficient permissions. The API key provided is invalid. "
        "This is a rehearsal on a copy, which has keys of its own. Leave the key out, or take it from "
        "PERMUTIVE_API_KEY or from the file that PERMUTIVE_APPLICATION_CREDENTIALS names."
    )
    assert (changes.unknown_keys, bool(changes)) == (2, False)
    assert (
        str(changes)
        == "no changes\nrefused because of their keys: 2 (it is not known what they would have changed)"
    )


# --- In the live service -------------------------------------------------------------------------


def test_the_changes_can_be_made(live: Live) -> None:
    """The plans make the live service what the copy is, although the codes of new cohorts are others there."""
    live.put_segments("one", "two")
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        _change_much(live.import_id, key)
        changes = rehearsal.changes()
        with pytest.raises(ValueError, match="The plan was made for"):
            changes.apply(api_key=key)
        wanted = definitions(key), Segment.list(live.import_id, key).code_dictionary.keys()
        copied = [code_of(name, key) for name in ("Base", "Union")]
    live.put("Meanwhile")  # It takes the first new code.
    assert changes.notes == ()
    reports = changes.apply(api_key=live.group.api_key, allow_used=True)
    assert reports.failures == ()
    found = definitions(live.group.api_key)
    del found["Meanwhile"]
    base, union = (code_of(name, live.group.api_key) for name in ("Base", "Union"))
    assert (base, union) != tuple(copied)
    expected = dict(wanted[0])
    expected["Union"] = (
        {"or": [{"in_segment": base}, {"in_segment": 12345}]},
        [],
        None,
        "Disabled",
    )
    expected["Gamers"] = ({"in_segment": str(union)}, *expected["Gamers"][1:])
    assert found == expected
    assert Segment.list(live.import_id, live.group.api_key).code_dictionary.keys() == wanted[1]
    assert not changes.apply(
        api_key=live.group.api_key, allow_used=True
    ).failures  # Nothing is left.


def _change_much(import_id: str, key: str) -> None:
    """Create cohorts that name each other, and change, delete and create again others."""
    base = Cohort("Base", query=QUERY, tags=["new"], description="Others stand on it.")
    base.create(key)
    union = Cohort("Union", query={"or": [{"in_segment": base.code}, {"in_segment": 12345}]})
    union.create(key)
    union.disable(key)
    gamers = named("Gamers", key)
    gamers.query = {"in_segment": str(union.code)}
    gamers.update(key)
    named("Cinema Goers", key).delete(key)
    Segment.get_by_code(import_id, "one", key).delete(key)
    Segment("three", "Three", import_id).create(key)


def test_a_cohort_that_is_made_anew(live: Live) -> None:
    """If a job deletes a cohort and creates one with its name, queries name the new one in the live service, too."""
    old = live.put("Members")
    live.put("Guests", query={"in_segment": old.code})
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        new = Cohort("Members", query={"in_segment": 12346})
        new.create(key)
        Cohort("Friends", query={"in_segment": new.code}).create(key)
        guests = named("Guests", key)
        guests.query = {"in_segment": new.code}
        guests.update(key)
        Cohort(old.name, id=old.id).delete(key)
        changes = rehearsal.changes()
    assert changes.notes == ()
    assert done(changes) == [
        ("create", "Members"),
        ("create", "Friends"),
        ("update", guests.id),
        ("delete", old.id),
    ]
    live.put("Meanwhile")
    assert changes.apply(api_key=live.group.api_key).failures == ()
    members = code_of("Members", live.group.api_key)
    assert members not in (old.code, new.code)
    for name in ("Guests", "Friends"):
        assert named(name, live.group.api_key).query == {"in_segment": members}


def test_a_new_cohort_whose_name_is_not_enough(live: Live) -> None:
    """If two new cohorts have one name, a query that names one of them is not written, and a note says so."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        twins = [Cohort("Twin", query=QUERY, tags=[tag]) for tag in "ab"]
        for twin in twins:
            twin.create(key)
        user = Cohort("User", query={"in_segment": twins[1].code})
        user.create(key)
        gamers = named("Gamers", key)
        gamers.query = {"in_segment": twins[0].code}
        gamers.update(key)
        changes = rehearsal.changes()
    assert changes.notes == (
        "The query of 'Gamers' cannot be written: it names the new cohort 'Twin', which a plan cannot find by "
        "its name.",
        "The query of 'User' cannot be written: it names the new cohort 'Twin', which a plan cannot find by its "
        "name.",
    )
    reports = changes.apply(api_key=live.group.api_key)
    assert sorted((each.change.name, each.status) for each in reports.outcomes) == [
        ("Gamers", "not tried"),
        ("Twin", "created"),
        ("Twin", "created"),
        ("User", "not tried"),
    ]


def test_a_new_cohort_with_the_name_of_another(live: Live) -> None:
    """A second cohort of a name can be created beside one that stays, and queries name the new one."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        new = Cohort("Gamers", query=QUERY)
        new.create(key)
        Cohort("User", query={"in_segment": new.code}).create(key)
        changes = rehearsal.changes()
    assert changes.notes == ()
    live.put("Meanwhile")
    key = live.group.api_key
    old = named("Gamers", key)
    for _ in range(2):  # The second time, nothing is left to do.
        assert changes.apply(api_key=key).failures == ()
    (made,) = [each for each in Cohort.list(key) if each.name == "Gamers" and each.id != old.id]
    assert made.code not in (old.code, new.code)
    assert named("User", key).query == {"in_segment": made.code}


def test_what_somebody_has_changed_meanwhile(live: Live) -> None:
    """A cohort that is another one than the rehearsal has read is not changed."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        fans = named("Football Fans", key)
        fans.tags = ["rehearsed"]
        fans.update(key)
        changes = rehearsal.changes()
    fans.tags = ["other"]
    fans.update(live.group.api_key)
    with pytest.raises(PlanOutdatedError):
        changes.apply(api_key=live.group.api_key)


def test_several_workspaces(live: Live) -> None:
    """Each workspace has its plans: its cohorts, and the imports that its key changes."""
    with Rehearsal([live.group, live.brand]) as rehearsal:
        group, brand = rehearsal.workspaces
        top = Cohort("Top", query=QUERY)
        top.create(group.api_key)
        Cohort("Low", query={"in_segment": top.code}).create(brand.api_key)
        Cohort("Lower", query=QUERY).create(brand.api_key)
        named("Commuters", group.api_key).disable(group.api_key)
        Segment("new", "New", live.import_id).create(brand.api_key)
        changes = rehearsal.changes()
    of_group, of_brand = changes.of(live.group), changes.of(live.brand)
    assert [[each.name for each in plans.changes] for plans in (of_group, of_brand)] == [
        ["Top", "New"],
        ["Low", "Lower", "Commuters"],
    ]
    assert [line for line in str(changes).splitlines() if "orkspace" in line] == [
        "Workspace 'Meridian Media Group'",
        "Workspace 'Meridian Regional News'",
        "Workspace 'Meridian Media Group'",
    ]
    assert changes.notes == (
        "The query of 'Low' cannot be written: it names the new cohort 'Top', which a plan cannot find by its "
        "name.",
    )
    assert of_group.apply(api_key=live.group.api_key).counts["created"] == 2
    with pytest.raises(ValueError, match="another workspace"):
        of_brand.apply(api_key=live.group.api_key)
    counts = of_brand.apply(api_key=live.brand.api_key).counts
    assert (counts["created"], counts["updated"], counts["not tried"]) == (1, 1, 1)


def test_a_workspace_that_was_not_copied(live: Live) -> None:
    """It has no plans."""
    with Rehearsal(live.group) as rehearsal:
        Cohort("New", query=QUERY).create(rehearsal.workspaces[0].api_key)
    assert rehearsal.changes().of(live.brand) == Plans()


def test_the_json_form(live: Live) -> None:
    """It can be kept, and has the plans, the notes and the counts."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        for _ in range(2):
            Cohort("New", query=QUERY).create(key)
        Identity(USER, []).identify(key)
        changes = rehearsal.changes()
    data = changes.to_json()
    assert (data["other_writes"], data["unknown_keys"]) == ({"identify": 1}, 0)
    assert Plans.from_json(data) == Plans(changes.plans, changes.notes)
    kept = Changes.from_json(json.dumps(data))
    assert kept == changes and kept.of(live.group) == changes.of(live.group)


def test_the_form_for_a_pull_request(live: Live) -> None:
    """It has a table for each plan, and what the plans do not show."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        Cohort("New", query=QUERY).create(key)
        Identity(USER, []).identify(key)
        with pytest.raises(PermutiveAuthenticationError):
            Cohort.list(live.group.api_key)
        lines = rehearsal.changes().to_markdown().splitlines()
    assert lines[0] == "**cohorts: 1 to create, 0 to update, 0 to delete, 9 unchanged**"
    assert lines[-2:] == [
        "- other writes: 1 identify",
        "- refused because of their keys: 1 (it is not known what they would have changed)",
    ]


# --- Mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "workspaces, error, text",
    [
        ([], ValueError, "workspaces must not be empty."),
        ("key", TypeError, "workspaces must be a list or another iterable, got str."),
        (["key"], TypeError, "workspaces[0] must be of type Workspace, got str."),
    ],
)
def test_wrong_workspaces(workspaces: Any, error: Any, text: str) -> None:
    """What is not a workspace is refused before anything is read."""
    with pytest.raises(error) as caught:
        Rehearsal(workspaces)
    assert str(caught.value) == text


def test_a_rehearsal_that_has_not_begun() -> None:
    """It has no copy to ask for."""
    rehearsal = Rehearsal(Workspace("News", "o", "w", "key"))
    for ask in (
        lambda: rehearsal.workspaces,
        lambda: rehearsal.base_url,
        lambda: rehearsal.sandbox,
        rehearsal.credentials,
    ):
        with pytest.raises(RuntimeError) as caught:
            ask()
        assert str(caught.value) == "There is no copy before the with block of the rehearsal."
