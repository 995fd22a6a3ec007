"""Plans: their text, Markdown, table and JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict

import pytest

from PermutiveAPI.Tables import Plan
from PermutiveAPI.Tables.changes import Change, FieldChange, Unchanged
from PermutiveAPI.Tables.target import Target
from PermutiveAPI.Tables.texts import shown_both

PLAN = Plan(
    target=Target("segments", "https://api.permutive.app", import_id="i-1"),
    changes=(
        Change(
            "create",
            "market_north",
            "North",
            (FieldChange("name", None, "North"), FieldChange("categories", None, ["a", "ü"])),
            1,
        ),
        Change(
            "update",
            "market_south",
            "South | *old*",
            (
                FieldChange("name", "South | *old*", "South\n<b>"),
                FieldChange("description", "x" * 100, None),
                FieldChange("cpm", 0.0, 2.5),
            ),
            2,
        ),
        Change("delete", "market_west", "West", (FieldChange("name", "West", None),)),
    ),
    unchanged=(Unchanged("market_east", "East", 3),),
    owned_count=3,
    rows=(
        {"code": "market_north", "name": "North", "categories": ["a", "ü"]},
        {"code": "market_south", "name": "South\n<b>", "cpm": 2.5},
        {"code": "market_east", "name": "East"},
    ),
)
SUMMARY = "segments of import i-1: 1 to create, 1 to update, 1 to delete, 1 unchanged"

TEXT = f"""\
{SUMMARY}
+ North (market_north)
    name: "North"
    categories: ["a", "ü"]
~ South | *old* (market_south)
    name: "South | *old*" -> "South\\n<b>"
    description: "{'x' * 76}... -> (empty)
    cpm: 0.0 -> 2.5
- West (market_west)"""

MARKDOWN = f"""\
**{SUMMARY}**

| | name | key | changes |
|---|---|---|---|
| + | North | market\\_north | name: "North"<br>categories: \\["a", "ü"\\] |
| ~ | South \\| \\*old\\* | market\\_south | name: "South \\| \\*old\\*" → "South\\\\n\\<b\\>"<br>\
description: "{'x' * 76}... → (empty)<br>cpm: 0.0 → 2.5 |
| - | West | market\\_west |  |"""


def test_the_text() -> None:
    """A plan prints as a diff; its repr has the counts only."""
    assert str(PLAN) == TEXT
    assert repr(PLAN) == f"<Plan: {SUMMARY}>"


def test_markdown() -> None:
    """In Markdown, a plan is a table in which names show as they are."""
    assert PLAN.to_markdown() == MARKDOWN


def test_nothing_to_do() -> None:
    """A plan without changes is false, and shows that there is nothing to do."""
    plan = Plan(Target("cohorts", "https://api.permutive.app", ("w-1",)), ())
    text = "cohorts: 0 to create, 0 to update, 0 to delete, 0 unchanged"
    assert not plan
    assert (len(plan), str(plan), plan.to_markdown()) == (0, text, f"**{text}**\n")
    assert len(plan.to_pd_dataframe()) == 0


def test_a_table_of_the_changes() -> None:
    """A DataFrame has one row for each field that changes."""
    table = PLAN.to_pd_dataframe()
    assert list(table.columns) == ["action", "key", "name", "field", "old", "new", "row"]
    assert table.values.tolist()[4] == [
        *("update", "market_south", "South | *old*", "cpm", 0.0, 2.5, 2)
    ]
    assert table["row"].isna().tolist() == [False] * 5 + [True]


def test_the_changes_by_action() -> None:
    """Creates, updates and deletes are the changes of one action each."""
    assert (PLAN.creates, PLAN.updates, PLAN.deletes) == tuple((each,) for each in PLAN.changes)


def test_json(tmp_path: Path) -> None:
    """A plan can be read back from its JSON form, from text and from a file."""
    data = PLAN.to_json()
    text = json.dumps(data)
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert PLAN == Plan.from_json(data) == Plan.from_json(text) == Plan.from_json(file)
    data["rows"][0]["name"] = "changed"
    assert PLAN.rows[0]["name"] == "North"


def test_the_name_of_the_count_in_release_5_12() -> None:
    """Plans, and their JSON form, still have the number of owned objects under its name in release 5.12."""
    assert PLAN.to_json()["owned"] == PLAN.owned == PLAN.owned_count == 3


def without(member: str) -> Callable[[Dict[str, Any]], Any]:
    """Return a function that removes a member."""
    return lambda data: data.pop(member)


def with_change(**members: Any) -> Callable[[Dict[str, Any]], Any]:
    """Return a function that changes the first change."""
    return lambda data: data["changes"][0].update(members)


BROKEN: Dict[str, Any] = {
    "another format": (
        lambda data: data.update(format=2),
        "data: a plan of format 1 is expected, not of 2; make it again with this version",
    ),
    "no target": (without("target"), "data: this is not a whole plan: target is missing"),
    "no rows": (without("rows"), "data: this is not a whole plan: rows is missing"),
    "an unknown action": (
        with_change(action="explode"),
        'data: this is not a whole plan: changes[0] "North", action: create, update or delete is expected, '
        'not "explode"',
    ),
    "an unknown kind": (
        lambda data: data["target"].update(kind="users"),
        "data: this is not a whole plan: kind: segments or cohorts is expected, not 'users'",
    ),
}


@pytest.mark.parametrize(("damage", "text"), BROKEN.values(), ids=list(BROKEN))
def test_data_that_is_no_plan(damage: Callable[[Dict[str, Any]], Any], text: str) -> None:
    """Data that is not a whole plan of this format is refused."""
    data = PLAN.to_json()
    damage(data)
    with pytest.raises(ValueError) as caught:
        Plan.from_json(data)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "damage",
    [
        with_change(fields=5),
        with_change(fields=[5]),
        with_change(other=1),
        with_change(name=None),
        without("unchanged"),
        lambda data: data.update(owned="many"),
        lambda data: data.update(rows=[5]),
    ],
    ids=["fields", "a field", "another member", "a name", "unchanged", "owned", "rows"],
)
def test_data_of_other_kinds(damage: Callable[[Dict[str, Any]], Any]) -> None:
    """Members of other kinds are refused with the same error."""
    data = PLAN.to_json()
    damage(data)
    with pytest.raises(ValueError, match="data: this is not a whole plan"):
        Plan.from_json(data)


@pytest.mark.parametrize("data", [[], 5, None])
def test_data_that_is_no_object(data: Any) -> None:
    """Data of another kind is refused."""
    with pytest.raises(ValueError, match="data: a plan is expected"):
        Plan.from_json(data)


def cohort_plan(change: Dict[str, Any]) -> Dict[str, Any]:
    """Return the JSON form of a plan of cohorts, with one change."""
    target = Target("cohorts", "https://api.permutive.app", ("w-1",))
    return {**Plan(target, ()).to_json(), "changes": [change]}


def change_of(action: str, key: Any, **fields: Any) -> Dict[str, Any]:
    """Return the JSON form of the change of a cohort with the name A."""
    members = [{"field": name, "old": None, "new": new} for name, new in fields.items()]
    return {"action": action, "key": key, "name": "A", "fields": members, "row": None}


QUERY = {"in_segment": 1}
EDITED: Dict[str, Any] = {
    "an unknown field": (
        change_of("update", "id-1", nmae="B"),
        'field: one of name, description, query, tags, state, segment_type is expected, not "nmae"',
    ),
    "a field of segments": (
        change_of("update", "id-1", cpm=1.0),
        'field: one of name, description, query, tags, state, segment_type is expected, not "cpm"',
    ),
    "a name that is no text": (
        change_of("update", "id-1", name=5),
        "name, new: a text that is not blank is expected, not 5",
    ),
    "no name": (
        change_of("update", "id-1", name=None),
        "name, new: a text that is not blank is expected, not (empty)",
    ),
    "a text for tags": (
        change_of("update", "id-1", tags="a, b"),
        'tags, new: a list of texts is expected, not "a, b"',
    ),
    "tags that are no texts": (
        change_of("update", "id-1", tags=["a", 5]),
        'tags, new: a list of texts is expected, not ["a", 5]',
    ),
    "an empty query": (
        change_of("update", "id-1", query={}),
        "query, new: an object is expected, not {}",
    ),
    "another state": (
        change_of("update", "id-1", state="Paused"),
        'state, new: Enabled or Disabled is expected, not "Paused"',
    ),
    "a new cohort without a query": (
        change_of("create", None, name="A"),
        'fields: a query is expected, not ["name"]',
    ),
    "two names": (
        change_of("create", None, name="B", query=QUERY),
        'name: the new name, "B", is expected, not "A"',
    ),
    "a field twice": (
        {
            **change_of("update", "id-1", name="B"),
            "fields": change_of("x", "", name="B")["fields"] * 2,
        },
        'fields: each field once is expected, not ["name", "name"]',
    ),
    "a new cohort with an id": (
        change_of("create", "id-1", name="A", query=QUERY),
        'key: null is expected, not "id-1"',
    ),
    "an update without an id": (
        change_of("update", None, name="B"),
        "key: a text is expected, not (empty)",
    ),
    "a deletion with a strange id": (
        change_of("delete", 5, name=None),
        "key: a text is expected, not 5",
    ),
    "a misspelt member": (
        {**change_of("update", "id-1", name="B"), "feilds": []},
        "feilds: there is no such member, only action, key, name, fields, row",
    ),
    "no key": (
        {name: value for name, value in change_of("update", "id-1").items() if name != "key"},
        "key: it is missing",
    ),
    "no old value": (
        {**change_of("update", "id-1"), "fields": [{"field": "name", "new": "B"}]},
        "fields[0], old: it is missing",
    ),
    "a text for a field": (
        {**change_of("update", "id-1"), "fields": ["name"]},
        'fields[0]: an object is expected, not "name"',
    ),
    "a row that does not exist": (
        {**change_of("update", "id-1", name="B"), "row": 0},
        "row: the number of a row is expected, not 0",
    ),
}


@pytest.mark.parametrize(("change", "problem"), EDITED.values(), ids=list(EDITED))
def test_wrong_changes(change: Dict[str, Any], problem: str) -> None:
    """A change that was edited wrongly is refused, with its place, its name and the member."""
    with pytest.raises(ValueError) as caught:
        Plan.from_json(cohort_plan(change))
    assert str(caught.value) == f'data: this is not a whole plan: changes[0] "A", {problem}'


RIGHT: Dict[str, Any] = {
    "a new cohort": change_of("create", None, name="A", query=QUERY, state="Disabled", tags=["a"]),
    "a cleared field": change_of("update", "id-1", description=None, tags=[]),
    "a deletion by name": change_of("delete", None, name=None, query=None, state=None),
    "a strange old value": {
        **change_of("delete", "id-1"),
        "fields": [{"field": "state", "old": "Archived", "new": None}],
    },
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=list(RIGHT))
def test_right_changes(change: Dict[str, Any]) -> None:
    """A change that a plan can have is read. What the service had before may be anything."""
    data = cohort_plan(change)
    assert Plan.from_json(data).to_json() == data


OTHER_MEMBERS: Dict[str, Any] = {
    "a price": (
        lambda data: data["changes"][1]["fields"][2].update(new="2,50"),
        'changes[1] "South | *old*", cpm, new: a number is expected, not "2,50"',
    ),
    "a price that is no number": (
        lambda data: data["changes"][1]["fields"][2].update(new=float("nan")),
        'changes[1] "South | *old*", cpm, new: a number is expected, not NaN',
    ),
    "a price that no float can hold": (
        lambda data: data["changes"][1]["fields"][2].update(new=10**400),
        f'changes[1] "South | *old*", cpm, new: a number is expected, not 1{"0" * 76}...',
    ),
    "a price that is a truth value": (
        lambda data: data["changes"][1]["fields"][2].update(new=True),
        'changes[1] "South | *old*", cpm, new: a number is expected, not true',
    ),
    "a segment without a code": (
        lambda data: data["changes"][2].update(key=None),
        'changes[2] "West", key: a text is expected, not (empty)',
    ),
    "a code twice": (
        lambda data: data["changes"][2].update(key="market_south"),
        "changes[2], key: 'market_south' is also that of changes[1]",
    ),
    "a name": (
        lambda data: data["changes"][0].update(name=None),
        "changes[0], name: a text is expected, not (empty)",
    ),
    "an unchanged one": (
        lambda data: data["unchanged"][0].update(key=5),
        "unchanged[0], key: a text is expected, not 5",
    ),
    "a change": (
        lambda data: data["changes"].append(5),
        "changes[3]: an object is expected, not 5",
    ),
    "a row": (lambda data: data["rows"].append(5), "rows[3]: an object is expected, not 5"),
    "how many are owned": (
        lambda data: data.update(owned="all"),
        'owned: a number is expected, not "all"',
    ),
}


@pytest.mark.parametrize(("edit", "problem"), OTHER_MEMBERS.values(), ids=list(OTHER_MEMBERS))
def test_other_wrong_members(edit: Callable[[Dict[str, Any]], Any], problem: str) -> None:
    """Every member of a plan is checked."""
    data = PLAN.to_json()
    edit(data)
    with pytest.raises(ValueError) as caught:
        Plan.from_json(data)
    assert str(caught.value) == f"data: this is not a whole plan: {problem}"


IGNORED = replace(PLAN, ignored=("owner", "since\n- All"))


def test_ignored_columns() -> None:
    """A plan names the columns that it ignores, in every form that people read, and in JSON."""
    assert str(IGNORED).splitlines()[:2] == [SUMMARY, "ignored columns: owner, since\\n- All"]
    assert IGNORED.to_markdown().splitlines()[:4] == [
        *(f"**{SUMMARY}**", "", "ignored columns: owner, since\\\\n- All", "")
    ]
    html = IGNORED._repr_html_()
    assert html.startswith(f"<p>{SUMMARY}<br>\nignored columns: owner, since\\n- All</p>\n<table")
    assert Plan.from_json(json.dumps(IGNORED.to_json())) == IGNORED
    many = replace(PLAN, ignored=tuple(f"c{n}" for n in range(22)))
    assert str(many).splitlines()[1].endswith("c18, c19, and 2 more")


def test_a_plan_of_before() -> None:
    """A plan that was kept when plans did not name ignored columns is read."""
    data = PLAN.to_json()
    del data["ignored"]
    assert Plan.from_json(data) == PLAN


@pytest.mark.parametrize(
    "name", ["A\n- B (b)", "A\r- B (b)", "A\u2028- B", "A\x1b[2K", "A\u202eB", "\ud800"]
)
def test_names_that_mislead(name: str) -> None:
    """A name is one line. It cannot look like another change, hide text on a terminal, or break a table."""
    change = replace(PLAN.changes[1], name=name, fields=(FieldChange("description", name, None),))
    plan = replace(PLAN, changes=(change,))
    _, title, field = str(plan).splitlines()
    assert title == f"~ {name.encode('unicode_escape').decode()} (market_south)"
    assert field.startswith('    description: "')
    assert name not in field and field.encode()
    assert len(plan.to_markdown().splitlines()) == 5


def test_markdown_shows_names_as_they_are() -> None:
    """Entities and strike-outs are not made of names."""
    plan = replace(PLAN, changes=(replace(PLAN.changes[2], name="~~a~~ &lt;"),))
    assert "| \\~\\~a\\~\\~ \\&lt; |" in plan.to_markdown()


def test_long_values_show_their_difference() -> None:
    """Two long values that differ only near their ends do not look the same."""
    old, new = ({"or": [{"in_segment": 10_000 + n} for n in [*range(20), last]]} for last in (1, 2))
    change = replace(PLAN.changes[1], fields=(FieldChange("query", old, new),))
    line = str(replace(PLAN, changes=(change,))).splitlines()[-1]
    assert line == '    query: ... {"in_segment": 10001}]} -> ... {"in_segment": 10002}]}'


@pytest.mark.parametrize("length", [60, 70, 78, 79, 80, 200])
def test_the_difference_of_two_texts_is_shown(length: int) -> None:
    """Wherever two texts differ, the shown ones differ, too. Texts that are not long are shown whole."""
    old, new = (f"{'x' * length}{end}" for end in ("a" * 50, "b" * 50))
    one, other = shown_both(old, new)
    assert one != other and max(len(one), len(other)) <= 80
    short = "x" * (length - 50)
    assert shown_both(f"{short}a", f"{short}b")[0].endswith('a"')
    assert shown_both(1.0, 1.05) == ("1.0", "1.05")  # One text begins with the other one.
    assert shown_both("x" * 75 + "a", "x" * 75 + "b") == (f'"{"x" * 75}a"', f'"{"x" * 75}b"')


def test_html() -> None:
    """In a notebook, a plan is a table of its first changes, in which texts are escaped."""
    html = PLAN._repr_html_()
    assert html.startswith(f"<p>{SUMMARY}</p>\n<table")
    assert "South\\n&lt;b&gt;" in html
    assert ">West</td>" in html
    many = replace(PLAN, changes=PLAN.changes * 10)._repr_html_()
    assert many.count("<tr>") == 21
    assert "20 of 30" in many
