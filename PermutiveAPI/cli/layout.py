"""Lay out texts in the columns of a terminal: tables, records and paragraphs. Nothing here writes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, zip_longest
from typing import NamedTuple

_GAP = "  "
# A table is readable if each of its texts is whole, or has at least this width. One that wraps needs more.
_NARROWEST = 12
_NARROWEST_WRAPPED = 30


class Column(NamedTuple):
    """A column of a table.

    Attributes
    ----------
    heading : str
        Its heading.
    cells : sequence of str
        Its texts, one for each row.
    is_right : bool
        Whether they stand on the right, as numbers do.
    is_whole : bool
        Whether they are never cut.
    wraps : bool
        Whether a long text goes on in the next line. Otherwise it is cut.
    """

    heading: str
    cells: Sequence[str]
    is_right: bool = False
    is_whole: bool = False
    wraps: bool = False


def width_of(text: str) -> int:
    """Return how many columns a terminal needs for a text.

    Examples
    --------
    >>> width_of("sport"), width_of("\u30b9\u30dd\u30fc\u30c4"), width_of("e\u0301")
    (5, 8, 1)
    """
    return len(text) if text.isascii() else sum(map(_width_of_character, text))


@lru_cache(maxsize=4096)
def _width_of_character(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0  # It changes the character before it.
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return a text that is cut to a width.

    Examples
    --------
    >>> cut("Football Fans", 13), cut("Football Fans", 6)
    ('Football Fans', 'Footb\u2026')
    """
    return text if width_of(text) <= width else f"{_start(text, width - 1)}\u2026"


def _start(text: str, width: int) -> str:
    """Return as much of a text as fits."""
    used = accumulate(map(_width_of_character, text))
    return text[: sum(each <= width for each in used)]


def wrapped(text: str, width: int, *, breaks: bool = True) -> list[str]:
    """Return the lines of a text that is wrapped to a width.

    Parameters
    ----------
    text : str
        The text.
    width : int
        The width, at least 2.
    breaks : bool
        Whether a word that is too long is broken. Otherwise the terminal does that, and the word can be copied.

    Examples
    --------
    >>> wrapped("live audience size", 8)
    ['live', 'audience', 'size']
    """
    lines: list[str] = []
    for part in text.split("\n"):
        line = ""
        for word in _words_of(part, width) if breaks else part.split():
            if line and width_of(line) + 1 + width_of(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def _words_of(text: str, width: int) -> Iterator[str]:
    """Yield the words of a text, those that are too long in parts."""
    for word in text.split():
        while width_of(word) > width:
            start = _start(word, width)
            yield start
            word = word[len(start) :]
        yield word


def table_lines(columns: Sequence[Column], width: int) -> tuple[list[str], Iterator[str]] | None:
    """Lay out a table.

    Returns
    -------
    heading : list of str
        The lines of the heading.
    body : iterator of str
        The lines of the rows.
    None
        If the table is too wide to be readable.
    """
    widths = _widths(columns, width)
    if widths is None:
        return None
    headings = [wrapped(each.heading, room) for each, room in zip(columns, widths, strict=True)]
    height = max(map(len, headings))
    headings = [[""] * (height - len(lines)) + lines for lines in headings]
    return [*_row(columns, headings, widths)], _body(columns, widths)


def _widths(columns: Sequence[Column], width: int) -> list[int] | None:
    """Return the widths of the columns; None if a text would get too little."""
    room = width - len(_GAP) * (len(columns) - 1)
    longest = [max(map(width_of, each.cells), default=0) for each in columns]
    headings = [width_of(each.heading) for each in columns]
    widths = [*map(max, longest, headings)]
    if sum(widths) <= room:
        return widths
    words = [max(map(width_of, each.heading.split())) for each in columns]
    widths = [*map(max, longest, words)]
    most = _most_for_texts(columns, widths, room)
    wraps = any(each.wraps for each in columns)
    if most < (_NARROWEST_WRAPPED if wraps else _NARROWEST):
        return None
    return [
        wanted if each.is_whole else min(wanted, most)
        for each, wanted in zip(columns, widths, strict=True)
    ]


def _most_for_texts(columns: Sequence[Column], widths: Sequence[int], room: int) -> int:
    """Return the width that a text may have at most, so that all columns fit."""
    pairs = [*zip(columns, widths, strict=True)]
    left = room - sum(wanted for each, wanted in pairs if each.is_whole)
    texts = sorted(wanted for each, wanted in pairs if not each.is_whole)
    for place, wanted in enumerate(texts):
        share = left // (len(texts) - place)
        if wanted > share:
            return share
        left -= wanted
    return max([_NARROWEST_WRAPPED, *texts]) if left >= 0 else 0


def _body(columns: Sequence[Column], widths: Sequence[int]) -> Iterator[str]:
    for cells in zip(*(each.cells for each in columns), strict=True):
        lines = [
            wrapped(text, room) if each.wraps else [cut(text, room)]
            for each, text, room in zip(columns, cells, widths, strict=True)
        ]
        yield from _row(columns, lines, widths)


def _row(
    columns: Sequence[Column], cells: Sequence[Sequence[str]], widths: Sequence[int]
) -> Iterator[str]:
    """Yield the lines of a row, whose cells may have several."""
    for texts in zip_longest(*cells, fillvalue=""):
        padded = map(_padded, texts, widths, (each.is_right for each in columns))
        yield _GAP.join(padded).rstrip()


def _padded(text: str, width: int, is_right: bool) -> str:
    spaces = " " * (width - width_of(text))
    return f"{spaces}{text}" if is_right else f"{text}{spaces}"


def record_lines(cells: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    r"""Yield the lines of a record: names on the left, texts on the right. Empty texts are left out.

    Examples
    --------
    >>> print(*record_lines([("code", "12345"), ("name", "Football Fans"), ("tags", "")], 16), sep="\n")
    code  12345
    name  Football
          Fans
    """
    filled = [(name, text) for name, text in cells if text]
    indent = max((width_of(name) for name, _ in filled), default=0) + len(_GAP)
    for name, text in filled:
        first, *rest = wrapped(text, max(width - indent, _NARROWEST), breaks=False)
        yield f"{name}{' ' * (indent - width_of(name))}{first}"
        yield from (" " * indent + line for line in rest)
