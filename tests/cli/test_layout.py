"""Tables, records and paragraphs on terminals of every width."""

from __future__ import annotations

from typing import Dict, List, Optional

import pytest
from click import unstyle

from PermutiveAPI.cli.layout import Column, record_text, table_text, wrapped

NAMES = [
    "Football Fans",
    "High-Value Customers Lookalike",
    "\u30b5\u30c3\u30ab\u30fc\u30d5\u30a1\u30f3",
]


@pytest.mark.parametrize(
    "text, width, lines",
    [
        ("", 15, [""]),
        ("a text of 15 ch", 15, ["a text of 15 ch"]),
        ("a text of 15 cha", 15, ["a text of 15", "cha"]),
        ("a-long-word-of-this-size b", 15, ["a-long-word-of-this-size", "b"]),
        ("of a-long-word-of-this-size", 15, ["of", "a-long-word-of-this-size"]),
        (
            "\u30b5\u30c3\u30ab\u30fc\u30d5 \u30d5\u30a1",
            15,
            ["\u30b5\u30c3\u30ab\u30fc\u30d5 \u30d5\u30a1"],
        ),
        (
            "\u30b5\u30c3\u30ab\u30fc\u30d5 \u30d5\u30a1",
            14,
            ["\u30b5\u30c3\u30ab\u30fc\u30d5", "\u30d5\u30a1"],
        ),
        ("\uff26\uff23\uff22 \uff26\uff23\uff22", 12, ["\uff26\uff23\uff22", "\uff26\uff23\uff22"]),
    ],
)
def test_wrapped(text: str, width: int, lines: List[str]) -> None:
    """A text goes on in the next line between words. A long word stays whole, so that it can be copied."""
    assert wrapped(text, width).split("\n") == lines


def test_wrapped_with_an_indent() -> None:
    """The first line has its own start, and spaces at its beginning stay."""
    assert wrapped("one two three", 15, start="name  ", indent=3) == "name  one two\n   three"
    assert wrapped("    state: new and old", 20, indent=6) == "    state: new and\n      old"


def lines_of(columns: List[Column], width: int) -> Optional[List[str]]:
    """Return the lines of a table, without styles; None if it is too wide."""
    found = table_text(columns, width)
    return None if found is None else unstyle(found).split("\n")


def table(width: int) -> Optional[List[str]]:
    """Lay out three cohorts."""
    columns = [
        Column("code", ["12345", "1", "12"], is_right=True, is_whole=True),
        Column("name", NAMES),
        Column("state", ["Enabled"] * 3, is_whole=True),
        Column("live audience size", ["11055", "250000", ""], is_right=True, is_whole=True),
    ]
    return lines_of(columns, width)


def test_a_table_that_fits_is_whole() -> None:
    """Nothing is cut, numbers stand on the right, and no line ends in spaces."""
    assert table(66) == [
        " code  name                            state    live audience size",
        "12345  Football Fans                   Enabled               11055",
        "    1  High-Value Customers Lookalike  Enabled              250000",
        "   12  \u30b5\u30c3\u30ab\u30fc\u30d5\u30a1\u30f3                  Enabled",
    ]


def test_a_narrow_table_wraps_its_heading_and_cuts_texts() -> None:
    """Only texts are cut; codes, states and numbers never are."""
    assert table(40) == [
        "                                    live",
        "                                audience",
        " code  name            state        size",
        "12345  Football Fans   Enabled     11055",
        "    1  High-Value Cu\u2026  Enabled    250000",
        "   12  \u30b5\u30c3\u30ab\u30fc\u30d5\u30a1\u30f3  Enabled",
    ]


def test_a_table_that_is_too_narrow_is_none() -> None:
    """A table whose texts would get less than twelve columns is not made."""
    assert table(38) is not None
    assert table(37) is None


def test_narrow_texts_need_no_room_for_long_ones() -> None:
    """A table of short texts is made even if its heading must be wrapped."""
    columns = [Column("is it top level", ["true"]), Column("name", ["News"])]
    assert lines_of(columns, 11) == ["is it", "top", "level  name", "true   News"]


def test_texts_share_what_is_left() -> None:
    """The short text stays whole, the long ones get the same width."""
    columns = [Column("x", [cell]) for cell in ("a" * 5, "b" * 90, "c" * 90)]
    assert lines_of(columns, 49) == [
        f"x      x{' ' * 19}  x",
        f"aaaaa  {'b' * 19}\u2026  {'c' * 19}\u2026",
    ]


def test_the_last_column_can_run_over_the_edge() -> None:
    """Its text stays whole, so that a path can be copied. It needs more room than others to be readable."""
    path = "/home/ann/One Drive/audiences/workspace.json"
    columns = [Column("check", ["key", "file"]), Column("detail", ["ok", path], runs_over=True)]
    assert lines_of(columns, 37) == ["check  detail", "key    ok", f"file   {path}"]
    assert table_text(columns, 36) is None


def test_beside_a_column_that_runs_over_the_edge_others_are_cut() -> None:
    """They are cut only if they would leave less than 30 columns for it."""
    columns = [Column("name", ["n" * 40]), Column("problem", ["p" * 50], runs_over=True)]
    assert lines_of(columns, 72) == [f"name{' ' * 38}problem", f"{'n' * 40}  {'p' * 50}"]
    assert lines_of(columns, 71) == [f"name{' ' * 37}problem", f"{'n' * 38}\u2026  {'p' * 50}"]
    assert lines_of(columns, 62) == [f"name{' ' * 28}problem", f"{'n' * 29}\u2026  {'p' * 50}"]
    assert table_text(columns, 61) is None


def test_a_table_without_rows_is_its_heading() -> None:
    """The names of the columns are shown."""
    assert lines_of([Column("code", []), Column("name", [])], 80) == ["code  name"]


def test_only_the_heading_is_bold() -> None:
    """Each of its lines is bold, and rows have no style."""
    text = table_text([Column("a b", ["1"], is_right=True), Column("name", ["x" * 40])], 20)
    assert text == f"\x1b[1ma\x1b[0m\n\x1b[1mb  name\x1b[0m\n1  {'x' * 16}\u2026"


@pytest.mark.parametrize(
    "text",
    [
        "[red]x[/]",
        "[/]",
        "\\[b]",
        ":smile:",
        "12345 true None 'x' https://example.com/[x]",
        " a  b",
    ],
)
def test_a_text_means_nothing_to_the_layout(text: str) -> None:
    """No text is markup, an emoji's code, or highlighted, neither in a cell nor in a heading."""
    assert table_text([Column(text, [text])], 80) == f"\x1b[1m{text}\x1b[0m\n{text}"


@pytest.mark.parametrize(
    "variables",
    [
        {"COLUMNS": "40"},
        {"TERM": "dumb", "FORCE_COLOR": "1"},
        {"NO_COLOR": "1"},
        {"FORCE_COLOR": "1"},
        {"TTY_COMPATIBLE": "0"},
    ],
)
def test_the_environment_does_not_change_a_table(
    monkeypatch: pytest.MonkeyPatch, variables: Dict[str, str]
) -> None:
    """The width is the given one. Colours are removed, if at all, when the table is written."""
    before = table_text([Column("name", NAMES)], 20)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert table_text([Column("name", NAMES)], 20) == before


def test_a_character_without_a_width_takes_no_room() -> None:
    """Columns stay aligned behind wide characters and behind accents that combine with a letter."""
    columns = [Column("a", ["e\u0301", "\u30b5", "x"]), Column("b", ["1", "2", "3"])]
    assert lines_of(columns, 80) == ["a   b", "e\u0301   1", "\u30b5  2", "x   3"]


def test_records() -> None:
    """A record has a line for each filled member, and long texts are wrapped, not cut."""
    cells = [("code", "12345"), ("tags", ""), ("name", "High-Value Customers")]
    assert record_text(cells, 20) == "code  12345\nname  High-Value\n      Customers"
    assert record_text([("name", " ")], 20).rstrip() == "name"
    assert record_text([], 20) == ""


def test_a_record_leaves_long_words_to_the_terminal() -> None:
    """An id can be copied, since it is not broken."""
    cells = [("id", "0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b x")]
    assert record_text(cells, 20) == "id  0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b\n    x"
