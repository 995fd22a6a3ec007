"""Short forms of long lists: HTML tables for notebooks, texts, and the lines of errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from html import escape
from itertools import islice
from typing import Any, cast

MOST_ROWS = 20
_LONGEST_CELL = 100
_LONGEST_WHOLE_LIST = 5
_FIRST_ITEMS = 3

# It sets no colours, so the page uses its own, light or dark. Because of the classes, notebooks do not read
# "$5 or $6" as a formula.
_TABLE = '<table class="tex2jax_ignore mathjax_ignore">'


def html_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], total: int) -> str:
    """Return the first 20 rows of a table as HTML, without scripts, for ``_repr_html_``.

    No more than these are read. The line below the table shows `total`, how many rows there are in all.

    Examples
    --------
    >>> print(html_table(["name", "cpm"], [["Runners & walkers", 2]], 30))
    <table class="tex2jax_ignore mathjax_ignore">
    <tr><th style="text-align: left">name</th><th style="text-align: left">cpm</th></tr>
    <tr><td style="text-align: left">Runners &amp; walkers</td><td style="text-align: right">2</td></tr>
    </table>
    <p style="opacity: 0.7">1 of 30</p>
    """
    shown = [*islice(rows, MOST_ROWS)]
    lines = [_row("th", columns), *(_row("td", cells) for cells in shown)]
    count = f"{len(shown):,} of {total:,}" if len(shown) < total else f"{total:,} in all"
    return "\n".join([_TABLE, *lines, "</table>", f'<p style="opacity: 0.7">{count}</p>'])


def _row(tag: str, cells: Iterable[Any]) -> str:
    return f"<tr>{''.join(_cell(tag, value) for value in cells)}</tr>"


def _cell(tag: str, value: Any) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    side = "right" if is_number else "left"
    return f'<{tag} style="text-align: {side}">{escape(_text_of(value))}</{tag}>'


def _text_of(value: Any) -> str:
    """Return a value as a short text that every page can show."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = value.isoformat(" ", "minutes")
    if isinstance(value, list):
        value = ", ".join(map(str, cast("list[Any]", value)))
    text = str(value).encode(errors="replace").decode()  # Without lone surrogates.
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"


def short_repr(items: list[Any]) -> str:
    """Return the ``repr()`` of a list. For a long list: the first items, and how many there are.

    Examples
    --------
    >>> short_repr([1, 2, 3, 4, 5])
    '[1, 2, 3, 4, 5]'
    >>> short_repr([1, 2, 3, 4, 5, 6])
    '[1, 2, 3, ... 6 in all]'
    """
    is_long = len(items) > _LONGEST_WHOLE_LIST
    texts = [repr(item) for item in islice(items, _FIRST_ITEMS if is_long else None)]
    if is_long:
        texts.append(f"... {len(items):,} in all")
    return f"[{', '.join(texts)}]"


def first_lines(lines: Sequence[object]) -> Iterator[str]:
    """Yield the first 20 lines, and how many more there are."""
    yield from map(str, lines[:MOST_ROWS])
    if len(lines) > MOST_ROWS:
        yield f"and {len(lines) - MOST_ROWS:,} more"
