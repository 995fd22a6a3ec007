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
    owned=3,
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


def without(member: str) -> Callable[[Dict[str, Any]], Any]:
    """Return a function that removes a member."""
    return lambda data: data.pop(member)


def with_change(**members: Any) -> Callable[[Dict[str, Any]], Any]:
    """Return a function that changes the first change."""
    return lambda data: data["changes"][0].update(members)


BROKEN: Dict[str, Any] = {
    "another format": (
        lambda data: data.update(format=2),
        "data: a plan of format 1 is expected, not of 2; make the plan again with this version",
    ),
    "no target": (without("target"), "data: this is not a whole plan: 'target'"),
    "no rows": (without("rows"), "data: this is not a whole plan: 'rows'"),
    "an unknown action": (
        with_change(action="explode"),
        "data: this is not a whole plan: action: create, update or delete is expected, not 'explode'",
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
    [with_change(fields=5), with_change(fields=[5]), with_change(other=1), without("unchanged")],
    ids=["fields", "a field", "another member", "unchanged"],
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


def test_html() -> None:
    """In a notebook, a plan is a table of its first changes, in which texts are escaped."""
    html = PLAN._repr_html_()
    assert html.startswith(f"<p>{SUMMARY}</p>\n<table")
    assert "South\\n&lt;b&gt;" in html
    assert ">West</td>" in html
    many = replace(PLAN, changes=PLAN.changes * 10)._repr_html_()
    assert many.count("<tr>") == 21
    assert "20 of 30" in many
