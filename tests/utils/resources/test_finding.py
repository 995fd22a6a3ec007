"""Find items of a list: by a text in them, and by exact values."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from PermutiveAPI import (
    Cohort,
    CohortList,
    Import,
    ImportList,
    Segment,
    SegmentList,
    Source,
    Workspace,
    WorkspaceList,
)
from tests.support.rows import for_each

FANS = Cohort(
    "Football Fans",
    id="id-1",
    code=12345,
    tags=["Sport", "news"],
    description="Straße",
    state="Enabled",
    workspace_id="w-1",
    query={"event": "hidden"},
)
RUNNERS = Cohort(
    "Runners", id="id-2", code="x-7", tags=["sport"], state="Disabled", workspace_id="w-1"
)
PLAIN = Cohort("football fans", id="id-3", workspace_id="w-2")
COHORTS = CohortList([FANS, RUNNERS, PLAIN])


FOUND: Dict[str, List[Cohort]] = {
    "football": [FANS, PLAIN],
    "FANS": [FANS, PLAIN],
    "sport": [FANS, RUNNERS],
    "news": [FANS],
    "STRASSE": [FANS],
    "2345": [FANS],
    "X-7": [RUNNERS],
    "id-3": [PLAIN],
    " fans": [FANS, PLAIN],
    "hidden": [],
    "Enabled": [],
    "w-1": [],
    "Sport, news": [],
    "None": [],
}


@for_each("text", list(FOUND))
def test_find(text: str) -> None:
    """A text is looked for in name, description, tags, code and id, whatever its case."""
    found = COHORTS.find(text)
    assert found == FOUND[text]
    assert type(found) is CohortList


def test_find_a_number() -> None:
    """A whole number is looked for as its text."""
    assert COHORTS.find(2345) == [FANS]
    assert COHORTS.find(7) == [RUNNERS]


OTHERS: Dict[str, Any] = {
    "segment": (
        SegmentList([Segment("code-1", "name", "import", "id-1", "text", categories=["label"])]),
        ["code-1", "name", "id-1", "text", "label"],
        ["import"],
    ),
    "import": (
        ImportList(
            [Import("id-1", "name", "code-1", "3rd", ["label"], Source("s", {}, "t"), "text")]
        ),
        ["id-1", "name", "code-1", "label", "text"],
        ["3rd"],
    ),
    "workspace": (
        WorkspaceList([Workspace("name", "org", "id-1", "sup3r-s3cret")]),
        ["name", "org", "id-1"],
        ["s3cret"],
    ),
}


@for_each(("items", "inside", "outside"), OTHERS)
def test_find_in_other_lists(items: Any, inside: List[str], outside: List[str]) -> None:
    """Other lists are searched in the same way; keys are not."""
    for text in inside:
        assert items.find(text.upper()) == items, text
    for text in outside:
        assert items.find(text) == [], text
    assert type(items.find("name")) is type(items)


FILTERED: Dict[str, Any] = {
    "nothing": ({}, [FANS, RUNNERS, PLAIN]),
    "tag": ({"tag": "sport"}, [RUNNERS]),
    "second tag": ({"tag": "news"}, [FANS]),
    "part of a tag": ({"tag": "spor"}, []),
    "state": ({"state": "Enabled"}, [FANS]),
    "name": ({"name": "Football Fans"}, [FANS]),
    "part of a name": ({"name": "Football"}, []),
    "workspace": ({"workspace": "w-1"}, [FANS, RUNNERS]),
    "a workspace": ({"workspace": Workspace("name", "org", "w-2", "key")}, [PLAIN]),
    "all": (
        {"tag": "sport", "state": "Disabled", "name": "Runners", "workspace": "w-1"},
        [RUNNERS],
    ),
    "one is wrong": ({"tag": "sport", "state": "Enabled"}, []),
}


@for_each(("arguments", "expected"), FILTERED)
def test_filter(arguments: Any, expected: List[Cohort]) -> None:
    """Cohorts are kept that have every value, exactly."""
    kept = COHORTS.filter(**arguments)
    assert kept == expected
    assert type(kept) is CohortList
    assert kept is not COHORTS


def test_unknown_arguments_of_filter() -> None:
    """A misspelt argument is an error, and so is a text without a name."""
    for arguments in ({"tags": "sport"}, {"code": 12345}):
        with pytest.raises(TypeError, match=next(iter(arguments))):
            # Type checkers see these mistakes, too.
            COHORTS.filter(**arguments)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        COHORTS.filter("sport")  # type: ignore[misc]  # pyright: ignore[reportCallIssue]


def test_the_dictionaries_of_a_result() -> None:
    """The dictionaries of a result hold only what was found."""
    assert list(COHORTS.filter(tag="sport").name_dictionary) == ["Runners"]
    assert list(COHORTS.find("football").id_dictionary) == ["id-1", "id-3"]
