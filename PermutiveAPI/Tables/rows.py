"""Read the rows of a plan's table: the user's own rows, and typed rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, cast

from .._Utils.encoding import encoded
from .._Utils.gc_pause import gc_paused
from .._Utils.resources.tables import rows_of, rows_of_models, typed_rows
from .texts import first_lines

Row = dict[str, Any]


def read_rows(
    table: Any, model: type, *, required: Sequence[str] = ()
) -> tuple[tuple[Row, ...], list[Row]]:
    """Read a table, or a list of models, for a plan.

    Parameters
    ----------
    table : object
        A table, as for ``typed_rows``, or a list of models.
    model : type
        The model.
    required : sequence of str
        The columns that must exist and must not have an empty cell.

    Returns
    -------
    rows : tuple of dict
        The user's own rows, as JSON data.
    typed : list of dict
        The same rows with the types of the model's fields, and without other columns.

    Raises
    ------
    ValueError
        If there are no rows, or a cell is bad.
    """
    if _are_models(table, model):
        rows = rows_of_models(table)
        empty: Row = dict.fromkeys(each.name for each in fields(model))
        typed = [{**empty, **row} for row in rows]
        refuse(
            f"row {number}, {name}: must not be empty"
            for number, row in enumerate(typed, 1)
            for name in required
            if not row[name]
        )
    else:
        rows = rows_of(table)
        typed = typed_rows(rows, model, required=required)
    if not rows:
        raise ValueError("table has no rows.")
    with gc_paused(len(rows)):
        return tuple(map(_as_json, rows)), typed


def _are_models(table: Any, model: type) -> bool:
    if not isinstance(table, list) or not table:
        return False
    return all(isinstance(each, model) for each in cast("list[Any]", table))


def _as_json(row: Row) -> Row:
    return {
        name: cell.isoformat() if isinstance(cell, date) else encoded(cell, keep_none=True)
        for name, cell in row.items()
    }


def refuse(problems: Iterable[str]) -> None:
    """Raise ValueError if there are problems with rows. The error lists the first 20."""
    found = [*problems]
    if found:
        rows = "1 bad row" if len(found) == 1 else f"{len(found):,} bad rows"
        raise ValueError("\n".join([f"table has {rows}:", *first_lines(found)]))
