"""Lay out texts in the columns of a terminal: tables, records and paragraphs. Nothing here writes.

Tables need the package rich. It takes long to import, so it is imported only when a table is made.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import east_asian_width

import click

if TYPE_CHECKING:
    from rich.segment import Segment

_GAP = "  "
# A table is readable if each column has room for its longest text, or has this width. If a column runs over the
# edge, the second width is needed.
_NARROWEST = 12
_NARROWEST_OVER_THE_EDGE = 30


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
    runs_over : bool
        Whether a long text runs over the edge. The terminal breaks it, so that users can copy it whole, for
        instance a path. If it is False, the text is cut. Only the last column can run over.
    """

    heading: str
    cells: Sequence[str]
    is_right: bool = False
    is_whole: bool = False
    runs_over: bool = False


def can_make_tables() -> bool:
    """Tell whether rich is installed."""
    return find_spec("rich") is not None


def table_text(columns: Sequence[Column], width: int) -> str | None:
    """Return a table with a bold heading; None if it is too wide to be readable, or rich is not installed."""
    widths = _widths(columns, width) if can_make_tables() else None
    if widths is None:
        return None
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # In a str, rich would read "[red]" as a colour and ":smile:" as an emoji. In a Text, it does not.
    table = Table(box=None, padding=(0, len(_GAP), 0, 0), header_style="bold")
    for column, most in zip(columns, widths, strict=True):
        table.add_column(
            Text(column.heading),
            justify="right" if column.is_right else "left",
            width=most if column.is_whole or column.runs_over else None,
            max_width=most,
        )
    for cells in zip(*(each.cells for each in columns), strict=True):
        table.add_row(*(Text(text, no_wrap=True, overflow="ellipsis") for text in cells))
    width += _width_over_the_edge(columns, widths, width)
    # The gap behind the last column is cut off. Without a height, TERM=dumb would change the width.
    console = Console(width=width + len(_GAP), height=1, legacy_windows=False)
    return "\n".join(map(_line, console.render_lines(table, pad=False)))


def _line(segments: Sequence[Segment]) -> str:
    """Return a line of a table, without spaces at its end."""
    text = "".join(each.text for each in segments).rstrip()
    return click.style(text, bold=True) if any(each.style for each in segments) else text


def _widths(columns: Sequence[Column], width: int) -> list[int] | None:
    """Return the largest widths of the columns; None if a text would get too little."""
    from rich.cells import cell_len

    room = width - len(_GAP) * (len(columns) - 1)
    longest = [max(map(cell_len, each.cells), default=0) for each in columns]
    widths = [*map(max, longest, (cell_len(each.heading) for each in columns))]
    if sum(widths) <= room:
        return widths
    # A heading can wrap, so it needs room for its longest word.
    words = [max(map(cell_len, each.heading.split())) for each in columns]
    widths = [*map(max, longest, words)]
    narrowest = _NARROWEST_OVER_THE_EDGE if columns[-1].runs_over else _NARROWEST
    needed = sum(
        wanted if each.is_whole else min(wanted, narrowest)
        for each, wanted in zip(columns, widths, strict=True)
    )
    return widths if needed <= room else None


def _width_over_the_edge(columns: Sequence[Column], widths: Sequence[int], width: int) -> int:
    """Return how far the last column runs over the edge. If less than 30 columns are left for it, the others are cut."""
    if not columns[-1].runs_over:
        return 0
    left = width - sum(widths[:-1]) - len(_GAP) * (len(columns) - 1)
    return max(0, widths[-1] - max(left, _NARROWEST_OVER_THE_EDGE))


def record_text(cells: Sequence[tuple[str, str]], width: int, running_over: str = "") -> str:
    """Return a record: names on the left, texts on the right. Empty texts are left out.

    Long texts wrap. Only that of the name `running_over` runs over the edge.

    Examples
    --------
    >>> print(record_text([("code", "12345"), ("name", "Football Fans"), ("tags", "")], 18))
    code  12345
    name  Football
          Fans
    """
    filled = [(name, text) for name, text in cells if text]
    indent = max((len(name) for name, _ in filled), default=0) + len(_GAP)
    return "\n".join(
        (
            f"{name:{indent}}{text}"
            if name == running_over
            else wrapped(text, width, start=f"{name:{indent}}", indent=indent)
        )
        for name, text in filled
    )


def wrapped(text: str, width: int, *, start: str = "", indent: int = 0) -> str:
    r"""Wrap a text. All lines but the first are indented.

    A word that is too long stays whole. The terminal breaks it, and users can still copy it.

    Examples
    --------
    >>> wrapped("live audience size of a cohort", 20, indent=2)
    'live audience size\n  of a cohort'
    """
    # A character that needs two columns must count as two, so "\0" is added. No text here has "\0".
    counted = "".join(f"{each}\0" if east_asian_width(each) in "WF" else each for each in text)
    lines = textwrap.wrap(
        counted,
        max(width, indent + _NARROWEST),
        initial_indent=start,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines or [start]).replace("\0", "")
