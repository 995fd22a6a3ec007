"""Tables, records and paragraphs on terminals of every width."""

from __future__ import annotations

from typing import List, Optional

import pytest

from PermutiveAPI.cli.layout import Column, cut, record_lines, table_lines, width_of, wrapped

NAMES = [
    "Football Fans",
    "High-Value Customers Lookalike",
    "\u30b5\u30c3\u30ab\u30fc\u30d5\u30a1\u30f3",
]


@pytest.mark.parametrize(
    "text, width",
    [
        ("", 0),
        ("sport", 5),
        ("caf\xe9", 4),
        ("\u30b5\u30c3\u30ab\u30fc", 8),
        ("e\u0301", 1),  # A letter and an accent that combines with it.
        ("\U0001f3c3", 2),  # A runner.
    ],
)
def test_width(text: str, width: int) -> None:
    """Wide characters need two columns, combining ones none."""
    assert width_of(text) == width


@pytest.mark.parametrize(
    "text, width, expected",
    [
        ("sport", 5, "sport"),
        ("sports", 5, "spor\u2026"),
        ("\u30b5\u30c3\u30ab\u30fc", 8, "\u30b5\u30c3\u30ab\u30fc"),
        ("\u30b5\u30c3\u30ab\u30fc", 7, "\u30b5\u30c3\u30ab\u2026"),
        ("\u30b5\u30c3\u30ab\u30fc", 6, "\u30b5\u30c3\u2026"),
    ],
)
def test_cut(text: str, width: int, expected: str) -> None:
    """A text that is too long is cut, and never wider than the width."""
    assert cut(text, width) == expected
    assert width_of(cut(text, width)) <= width


@pytest.mark.parametrize(
    "text, width, lines",
    [
        ("", 5, [""]),
        ("a b c", 3, ["a b", "c"]),
        ("one\ntwo words", 20, ["one", "two words"]),
        ("a-long-word b", 6, ["a-long", "-word", "b"]),
        ("of a-long-word", 6, ["of", "a-long", "-word"]),
        ("\u30b5\u30c3\u30ab\u30fc", 5, ["\u30b5\u30c3", "\u30ab\u30fc"]),
    ],
)
def test_wrapped(text: str, width: int, lines: List[str]) -> None:
    """A text goes on in the next line between words, or inside a word that is too long."""
    assert wrapped(text, width) == lines


def table(width: int) -> Optional[List[str]]:
    """Lay out three cohorts."""
    columns = [
        Column("code", ["12345", "1", "12"], is_right=True, is_whole=True),
        Column("name", NAMES),
        Column("state", ["Enabled"] * 3, is_whole=True),
        Column("live audience size", ["11055", "250000", ""], is_right=True, is_whole=True),
    ]
    found = table_lines(columns, width)
    return found and [*found[0], *found[1]]


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
    found = table_lines(columns, 11)
    assert found and [*found[0], *found[1]] == ["is it", "top", "level  name", "true   News"]


def test_texts_share_what_is_left() -> None:
    """The short text stays whole, the long ones get the same width."""
    cells = ["a" * 5, "b" * 90, "c" * 90]
    found = table_lines([Column("x", [cell]) for cell in cells], 49)
    assert found and [*found[1]] == [f"aaaaa  {'b' * 19}\u2026  {'c' * 19}\u2026"]


def test_a_column_can_wrap() -> None:
    """A column that wraps is not cut, and needs more room than others to be readable."""
    columns = [
        Column("check", ["key", "file"]),
        Column("detail", ["it is missing in the file that was named", "ok"], wraps=True),
    ]
    found = table_lines(columns, 37)
    assert found and [*found[1]] == [
        "key    it is missing in the file that",
        "       was named",
        "file   ok",
    ]
    assert table_lines(columns, 36) is None


def test_a_table_without_rows_is_its_heading() -> None:
    """The names of the columns are shown."""
    found = table_lines([Column("code", []), Column("name", [])], 80)
    assert found and (found[0], [*found[1]]) == (["code  name"], [])


def test_records() -> None:
    """A record has a line for each filled member, and long texts are wrapped, not cut."""
    cells = [("code", "12345"), ("tags", ""), ("name", "High-Value Customers")]
    assert [*record_lines(cells, 20)] == ["code  12345", "name  High-Value", "      Customers"]
    assert [*record_lines([], 20)] == []


def test_a_record_leaves_long_words_to_the_terminal() -> None:
    """An id can be copied, since it is not broken."""
    cells = [("id", "0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b x")]
    assert [*record_lines(cells, 20)] == ["id  0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b", "    x"]
