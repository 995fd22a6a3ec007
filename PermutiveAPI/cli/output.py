"""Write data on stdout, as a table, JSON, NDJSON or CSV, and words on stderr."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from io import TextIOWrapper
from typing import Any, Literal, TextIO, TypeAlias

import click
from click.exceptions import Exit

from PermutiveAPI._Utils.resources.frames import cell_text

from .layout import Column, record_text, table_text, wrapped

Format: TypeAlias = Literal["table", "json", "ndjson", "csv"]
Row: TypeAlias = Mapping[str, Any]

# A table in a file or a pipe has no width to fit.
_WIDEST = 100_000
# Some terminals do not tell their width.
_USUAL_WIDTH = 80
# The last words of columns that are useless if they are cut.
_WHOLE = ("id", "code", "state", "status", "kind")


def say(text: str) -> None:
    """Write a line for people on stderr."""
    click.echo(visible(text), err=True)


@contextmanager
def keeping(status: int) -> Generator[None, None, None]:
    """Exit with a status if the reader of stdout goes away while the block writes."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise Exit(status) from None


# --- Characters ----------------------------------------------------------------------------------


def visible(text: str) -> str:
    r"""Return a text in which control characters, which could fool a terminal, are escaped.

    Examples
    --------
    >>> visible("red: \x1b[31m, a tab: \t")
    'red: \\x1b[31m, a tab: \\t'
    """
    if text.isprintable():
        return text
    return "".join(each if _is_harmless(each) else ascii(each)[1:-1] for each in text)


def _is_harmless(character: str) -> bool:
    category = unicodedata.category(character)
    return character == "\n" or category == "Zs" or category[0] not in "CZ"


def json_text(data: Any, indent: int | None = None) -> str:
    r"""Return JSON text in which control characters are escaped as JSON escapes them.

    Examples
    --------
    >>> print(json_text({"name": "Caf\xe9 \x9b"}))
    {"name": "Café \u009b"}
    """
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    if text.isprintable():
        return text
    return "".join(each if _is_harmless(each) else json.dumps(each)[1:-1] for each in text)


# --- Rows ------------------------------------------------------------------------------------------


def rows_of(models: Iterable[Any], columns: Iterable[str]) -> list[dict[str, Any]]:
    """Return models as rows of JSON data with these members. A member that is None stays."""
    empty: dict[str, Any] = dict.fromkeys(columns)
    return [
        empty | {name: value for name, value in each.to_json().items() if name in empty}
        for each in models
    ]


def field_names(model: Any) -> list[str]:
    """Return the names of a model's fields."""
    return [each.name for each in fields(model)]


def write_rows(
    rows: Iterable[Row],
    columns: Sequence[str],
    format: Format,
    *,
    running_over: str | None = None,
    if_empty: str | None = None,
) -> None:
    """Write rows on stdout.

    Parameters
    ----------
    rows : iterable of mappings
        JSON data. Each is written at once. Only a table waits for all rows.
    columns : sequence of str
        The columns of a table or CSV. JSON and NDJSON have every member of the rows.
    format : str
        "table", "json", "ndjson" or "csv".
    running_over : str, optional
        The last column, if its long texts run over the edge. Long texts of other columns are cut in a
        table, and wrapped in records.
    if_empty : str, optional
        A message on stderr, if a table has no rows.
    """
    _prepare_stdout()
    if format == "table":
        shown = [*rows]
        _write_table(shown, columns, running_over)
        if if_empty is not None and not shown:
            say(if_empty)
    elif format == "csv":
        write_csv(rows, columns, sys.stdout)
    elif format == "ndjson":
        for row in rows:
            print(json_text(row))
    else:
        _write_json(rows)


def write_record(row: Row, format: Format) -> None:
    """Write one row on stdout. In a table, each member that is not None has a line."""
    _prepare_stdout()
    if format == "table":
        _write_records([row], [*row])
    elif format == "json":
        print(json_text(row, indent=2))
    else:
        write_rows([row], [*row], format)


def write_lines(*texts: str) -> None:
    """Write texts on stdout that are wrapped to the width of the terminal."""
    for line in "\n".join(texts).split("\n"):
        print(wrapped(visible(line), _width()))


def _prepare_stdout() -> None:
    """Let stdout write every character, and for programs UTF-8 and line feeds on every system."""
    stdout: Any = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        if stdout.isatty():
            stdout.reconfigure(errors="replace")
        else:
            stdout.reconfigure(encoding="utf-8", errors="replace", newline="\n")


def write_csv(rows: Iterable[Row], columns: Sequence[str], file: TextIO) -> None:
    """Write rows as CSV, with the cells of a flat table. On a terminal, control characters are escaped."""
    shown = visible if file.isatty() else str
    writer = csv.writer(file, lineterminator="\n")
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    for row in rows:
        cells = [shown(cell_of(row.get(name))) for name in columns]
        # The plain writer does not quote a carriage return, and then nobody can read the line.
        (quoting if any("\r" in cell for cell in cells) else writer).writerow(cells)


def cell_of(value: Any) -> str:
    """Return JSON data as the text of a cell."""
    return "" if value is None else cell_text(value)


def _write_json(rows: Iterable[Row]) -> None:
    """Write an array with one row on each line, as the rows come."""
    before = "["
    for row in rows:
        sys.stdout.write(f"{before}\n  {json_text(row)}")
        before = ","
    print("[]" if before == "[" else "\n]")


# --- Tables ----------------------------------------------------------------------------------------


def terminal_width(stream: TextIO) -> int | None:
    """Return the width of the terminal that a stream goes to; None if it does not go to one."""
    if not stream.isatty():
        return None
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):  # Windows takes its null device for a terminal.
        size = (0, 0)
    # Python itself asks only stdout, which may be a pipe while stderr goes to a terminal.
    return shutil.get_terminal_size(size).columns or _USUAL_WIDTH


def _width() -> int:
    return terminal_width(sys.stdout) or _WIDEST


def _write_table(rows: Sequence[Row], columns: Sequence[str], running_over: str | None) -> None:
    """Write a table that fits the terminal; on a terminal that is too narrow, a record for each row."""
    made = [
        _column(name, [row.get(name) for row in rows], runs_over=name == running_over)
        for name in columns
    ]
    table = table_text(made, _width())
    if table is None:
        _write_records(rows, columns, running_over)
    else:
        click.echo(table)


def _column(name: str, values: Sequence[Any], *, runs_over: bool) -> Column:
    numbers = _are_numbers(values)
    return Column(
        heading=_label(name),
        cells=[_shown(value) for value in values],
        is_right=numbers,
        is_whole=numbers or name.split("_")[-1] in _WHOLE,
        runs_over=runs_over,
    )


def _write_records(
    rows: Iterable[Row], columns: Sequence[str], running_over: str | None = None
) -> None:
    width, whole = _width(), _label(running_over or "")
    records = (
        record_text([(_label(name), _shown(row.get(name))) for name in columns], width, whole)
        for row in rows
    )
    print("\n\n".join(records))


def _label(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    return visible(cell_of(value)).replace("\n", " ")


def _are_numbers(values: Iterable[Any]) -> bool:
    filled = [value for value in values if value is not None]
    return bool(filled) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in filled
    )
