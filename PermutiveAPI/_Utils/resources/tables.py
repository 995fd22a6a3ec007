"""Make rows and models from tables. Columns have the names of fields, and cells get their types."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import fields
from difflib import SequenceMatcher
from functools import cache
from itertools import chain
from typing import Any, TypeVar, cast

from ..arguments import listed, require_filled
from ..codec.decoding import hints_of
from ..codec.encoding import writing_plan
from ..gc_pause import gc_paused
from .base import Resource
from .cells import Reader, plain, reader_of, refusing_empty
from .table_rows import Row, Table, TableReading, read_table, refuse_bad, require_columns

__all__ = [
    "Row",
    "Table",
    "models_from_table",
    "refuse_bad",
    "rows_of",
    "rows_of_models",
    "typed_rows",
]

R = TypeVar("R", bound=Resource)

_LIKENESS = 0.75

_ABSENT = object()


def rows_of(table: Table) -> list[Row]:
    """Read a table as rows: dictionaries of plain Python values by the names of the columns.

    A text is the path of a CSV file in UTF-8, whose first line names the columns. In pandas, an index that
    has a name is a column, too. Names have no spaces around them, and a column without a name is left out.
    An empty cell is None: NaN, NaT, pandas' NA, None, or an empty text.

    Raises
    ------
    TypeError
        If `table` or a row is of another kind.
    ValueError
        If two columns have the same name, or a file is missing or is not such a CSV file.
    """
    reading = read_table(table)
    with gc_paused(reading.length):
        return [{name: plain(cell) for name, cell in row.items()} for row in reading.rows]


def typed_rows(
    table: Table, model: type, only: Container[str] | None = None, *, required: Sequence[str] = ()
) -> list[Row]:
    """Read a table, as :func:`rows_of` does, as rows whose cells have the types of a model's fields.

    Columns that are not fields of the model are left out, and so are those that are not among `only`, if
    it is given. The `required` columns must exist and must not have an empty cell.

    Raises
    ------
    ValueError
        If a column is missing, or its name looks like a misspelt field, or cells are bad. The error
        lists them by row and column: row 1 is the first one below the header.
    TypeError
        As :func:`rows_of` does.
    """
    readers = _readers_of(model)
    if only is not None:
        readers = {name: read for name, read in readers.items() if name in only}
    return _typed(read_table(table), readers, required)


def rows_of_models(models: Iterable[Any]) -> list[Row]:
    """Return models as rows. A row has no cell for a member that is None, or that still has its default.

    For example, a segment's row has no price if nobody gave one.
    """
    return [
        {
            name: value
            for name, default in _defaults_of(type(model))
            if (value := getattr(model, name)) is not None and value is not default
        }
        for model in cast("list[object]", listed("models", models))
    ]


@cache
def _defaults_of(model: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((each.name, each.default) for each in fields(model))


def models_from_table(
    model: type[R], table: Table, *, required: Sequence[str], **given: str | None
) -> list[R]:
    """Make one model from each row of a table. Arguments have the same meaning as for :func:`typed_rows`.

    `given` are fields with the same value in every row. If the value is None, the table must have the column.
    """
    readers = _readers_of(model)
    values = {name: value for name, value in given.items() if value is not None}
    for name, value in values.items():
        require_filled(name, value)
        readers[name] = _equal_to(value, readers[name])
    needed = [*required, *(name for name in given if name not in values)]
    reading = read_table(table)
    from_row = cast("Any", model)._from_row
    with gc_paused(reading.length):
        rows = _typed(reading, readers, needed, arguments=given)
        return [from_row({**row, **values}) for row in rows]


def _equal_to(value: str, read: Reader) -> Reader:
    def read_equal(cell: Any) -> Any:
        found = read(cell)
        if found not in (None, value):
            raise ValueError(f"must be {value!r} as in the argument, got {found!r}")
        return value

    return read_equal


# --- Cells of a model's fields -----------------------------------------------------------------------


def _readers_of(model: type) -> dict[str, Reader]:
    hints = hints_of(model)
    return {name: reader_of(hints[name]) for name, _ in writing_plan(model)}


def _typed(
    table: TableReading,
    readers: dict[str, Reader],
    required: Sequence[str],
    arguments: Container[str] = (),
) -> list[Row]:
    with gc_paused(table.length):
        columns, rows = table.columns, [*table.rows]
        if columns is None:
            columns = [*dict.fromkeys(chain.from_iterable(rows))]
        if rows or table.columns is not None:
            _refuse_misspelt(columns, readers)
            require_columns(required, columns, arguments)
        wanted = {name: readers[name] for name in columns if name in readers}
        wanted |= {name: refusing_empty(readers[name]) for name in required if name in wanted}
        bad = list[str]()
        typed = [
            _typed_row(row, number, wanted, required, bad)
            for number, row in enumerate(rows, start=1)
        ]
    refuse_bad("cell", bad)
    return typed


def _refuse_misspelt(columns: Iterable[str], fields: Iterable[str]) -> None:
    """Raise ValueError if a column is not a field, but looks like a missing one."""
    missing = [name for name in fields if name not in columns]
    for column in columns:
        for field in missing if column not in fields else ():
            if _is_like(column, field):
                raise ValueError(
                    f"table has the column {column!r}. If {field!r} is meant, rename it; if not, give it "
                    "another name or leave it out."
                )


def _is_like(column: str, field: str) -> bool:
    """Tell whether two names have the same letters, or similar words: "Tag" is like "tags".

    "status", which reports have, is not like "state", and "created_by" is not like "created_at".
    """
    words, meant = re.split(r"[\W_]+", column.lower()), field.split("_")
    return "".join(words) == "".join(meant) or (
        len(words) == len(meant)
        and all(
            SequenceMatcher(None, *pair).ratio() > _LIKENESS or _is_swapped(*pair)
            for pair in zip(words, meant, strict=True)
        )
    )


def _is_swapped(word: str, meant: str) -> bool:
    """Tell whether two neighbouring letters of a word have changed places: "nmae" is "name"."""
    places = range(1, len(word))
    return any(word[: n - 1] + word[n] + word[n - 1] + word[n + 1 :] == meant for n in places)


def _typed_row(
    row: Row, number: int, readers: dict[str, Reader], required: Sequence[str], bad: list[str]
) -> Row:
    typed: Row = {}
    for name, read in readers.items():
        cell = row.get(name, _ABSENT)
        if cell is not _ABSENT or name in required:
            try:
                typed[name] = read(None if cell is _ABSENT else cell)
            except ValueError as error:
                bad.append(f"row {number}, {name}: {error}")
    return typed
