"""Short forms of long lists: HTML tables for notebooks, and texts."""

from __future__ import annotations

from datetime import datetime, timezone
from html.parser import HTMLParser
from itertools import count
from typing import Any, List

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
from PermutiveAPI._Utils.resources.display import html_table, short_repr

HOSTILE = "<script>alert('1 & \"2\"')</script>"
KEY = "sup3r-s3cret"


class Cells(HTMLParser):
    """Reads the cells of a table, and notes every tag and attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: List[List[str]] = []
        self.text = ""
        self.names = set[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Begin a row, a cell or a line."""
        self.names |= {tag, *(name for name, _ in attrs)}
        if tag == "tr":
            self.rows.append([])
        self.text = ""

    def handle_data(self, data: str) -> None:
        """Add to the text of a cell."""
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        """End a cell."""
        if tag in ("th", "td"):
            self.rows[-1].append(self.text)


def shown(*values: Any) -> List[str]:
    """Return how values are shown in a row."""
    return Cells(html_table(["heading"] * len(values), [values], 1)).rows[1]


def test_every_cell_is_escaped() -> None:
    """Texts in a heading, a cell or a list add no tag and no attribute to the page."""
    html = html_table(
        [HOSTILE, "x"], [[HOSTILE, [HOSTILE, "a"]], [{HOSTILE: 1}, Exception(HOSTILE)]], 2
    )
    read = Cells(html)
    assert read.names == {"table", "class", "tr", "th", "td", "style", "p"}
    assert read.rows[:2] == [[HOSTILE, "x"], [HOSTILE, f"{HOSTILE}, a"]]
    assert "alert('" not in html


def test_cells() -> None:
    """None is empty, lists are joined, times end with the minute, and long texts are cut."""
    moment = datetime(2025, 7, 1, 12, 30, 59, tzinfo=timezone.utc)
    assert shown(None, ["a", "b"], [], moment) == ["", "a, b", "", "2025-07-01 12:30+00:00"]
    assert shown("x" * 100, "x" * 101) == ["x" * 100, f"{'x' * 99}…"]
    assert shown(True, 12345, 0.5, 0) == ["True", "12345", "0.5", "0"]


def test_numbers_stand_on_the_right() -> None:
    """Numbers stand on the right, everything else on the left."""
    [row] = [
        line for line in html_table("abcd", [[1, 0.5, True, "1"]], 1).splitlines() if "<td" in line
    ]
    assert [part.split('"')[0] for part in row.split("text-align: ")[1:]] == ["right"] * 2 + [
        "left"
    ] * 2


def test_any_text_can_be_sent_to_a_notebook() -> None:
    """A lone surrogate, which no message can hold, is replaced."""
    assert html_table(["a\ud800"], [["b\udfff"]], 1).encode()


def test_only_the_first_rows_are_read() -> None:
    """A table has at most 20 rows, and shows how many there are in all. It reads only these rows."""
    rows = ([number] for number in count())
    html = html_table(["n"], rows, 1514)
    assert Cells(html).rows[1:] == [[str(number)] for number in range(20)]
    assert html.endswith(">20 of 1,514</p>")
    assert next(rows) == [20]


def test_a_table_that_is_whole_says_so() -> None:
    """A table without further rows says how many there are; without rows it has headings."""
    assert html_table(["n"], [[number] for number in range(20)], 20).endswith(">20 in all</p>")
    assert Cells(html_table(["n"], [], 0)).rows == [["n"]]
    assert html_table(["n"], [], 0).endswith(">0 in all</p>")


def test_it_has_no_colours_of_its_own() -> None:
    """The table sets no colours, and "$" does not start a formula."""
    html = html_table(["a"], [[1]], 30)
    assert "color" not in html
    assert "background" not in html
    assert "mathjax_ignore" in html


COHORT = Cohort(HOSTILE, code=12345, tags=[HOSTILE, "b"], state="Enabled", live_audience_size=7)
SEGMENT = Segment("c", HOSTILE, "i", description="d", cpm=0.5, categories=[HOSTILE])
IMPORT = Import("i", HOSTILE, "c", "3rd", [HOSTILE], Source("s", {}, "t"))
WORKSPACE = Workspace(HOSTILE, "o", "w", KEY)

LISTS = {
    CohortList: (
        COHORT,
        ["code", "name", "state", "tags", "live_audience_size"],
        ["12345", HOSTILE, "Enabled", f"{HOSTILE}, b", "7"],
    ),
    SegmentList: (
        SEGMENT,
        ["code", "name", "description", "cpm", "categories"],
        ["c", HOSTILE, "d", "0.5", HOSTILE],
    ),
    ImportList: (
        IMPORT,
        ["code", "name", "relation", "identifiers"],
        ["c", HOSTILE, "3rd", HOSTILE],
    ),
    WorkspaceList: (
        WORKSPACE,
        ["name", "workspace_id", "organisation_id", "is_top_level"],
        [HOSTILE, "w", "o", "False"],
    ),
}


@pytest.mark.parametrize("cls", LISTS)
def test_lists_in_notebooks(cls: Any) -> None:
    """A list shows the fields that people look for, of at most 20 items, and no key."""
    item, columns, cells = LISTS[cls]
    html = cls([item] * 30)._repr_html_()
    assert Cells(html).rows == [columns, *[cells] * 20]
    assert ">20 of 30<" in html
    assert KEY not in html
    assert Cells(cls([])._repr_html_()).rows == [columns]


@pytest.mark.parametrize("cls", LISTS)
def test_the_text_of_a_list(cls: Any) -> None:
    """Up to five items are shown as in any list; of more, the first three and how many there are."""
    item = LISTS[cls][0]
    assert repr(cls([item] * 5)) == repr([item] * 5)
    assert repr(cls([])) == "[]"
    assert repr(cls([item] * 6)) == f"[{item!r}, {item!r}, {item!r}, ... 6 in all]"
    assert KEY not in repr(cls([item] * 6))


def test_a_long_list_in_an_item() -> None:
    """The segments of an import are shortened, too."""
    audience = Import(
        "i", "n", "c", "3rd", [], Source("s", {}, "t"), segments=SegmentList([SEGMENT] * 1500)
    )
    assert "... 1,500 in all]" in repr(audience)
    assert len(repr(audience)) < 1500


def test_a_list_that_holds_itself() -> None:
    """A list that holds itself has a repr, like any list."""
    odd: Any = CohortList([COHORT] * 6)
    odd.insert(0, odd)
    assert repr(odd).startswith("[[...], Cohort(")
    assert short_repr([1]) == "[1]"
