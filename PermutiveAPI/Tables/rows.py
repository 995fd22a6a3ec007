"""Read the rows of a plan's table: the user's own rows, typed rows, and the columns that are ignored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, cast

from .._Utils.codec.encoding import NotJSONError, encoded
from .._Utils.gc_pause import gc_paused
from .._Utils.json import JSONSerializable
from .._Utils.resources.cells import plain
from .._Utils.resources.tables import Row, refuse_bad, rows_of, rows_of_models, typed_rows
from .phrases import ROW
from .planned_fields import FIELDS
from .report import STATUSES

# The columns that find an object, and those that a plan compares. In other columns any text may stand: Excel
# writes times and large numbers in its own way.
_READ = frozenset({"id", "code", "import_id", *chain.from_iterable(FIELDS.values())})


class PlanRows(NamedTuple):
    """The rows of a plan's table.

    Attributes
    ----------
    own : tuple of dict
        The user's own rows, as JSON data.
    typed : sequence of dict
        The same rows with the types of the model's fields, and without other columns.
    ignored : tuple of str
        The other columns. The status and the error of a report that is fed back are left out.
    """

    own: tuple[Row, ...]
    typed: Sequence[Row]
    ignored: tuple[str, ...] = ()


def read_rows(table: Any, model: type, *, required: Sequence[str] = ()) -> PlanRows:
    """Read a table, or a list of models, for a plan.

    Parameters
    ----------
    table : object
        A table, as for ``typed_rows``, or a list of models.
    model : type
        The model.
    required : sequence of str
        The columns that must exist and must not have an empty cell.

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
            if not (row[name] or "").strip()
        )
    else:
        rows = rows_of(table)
        typed = typed_rows(rows, model, _READ, required=required)
    if not rows:
        raise ValueError("table has no rows.")
    with gc_paused(len(rows)):
        return PlanRows(_as_json(rows, typed), typed, _ignored(rows, model))


def _ignored(rows: Iterable[Row], model: type) -> tuple[str, ...]:
    columns = dict.fromkeys(chain.from_iterable(rows))
    known = {each.name for each in fields(model)}
    if "status" in columns and all(row.get("status") in (None, *STATUSES) for row in rows):
        known |= {"status", "error"}
    return tuple(name for name in columns if name not in known)


def _are_models(table: Any, model: type) -> bool:
    if not isinstance(table, list) or not table:
        return False
    return all(isinstance(each, model) for each in cast("list[Any]", table))


def _as_json(rows: Sequence[Row], typed: Sequence[Row]) -> tuple[Row, ...]:
    """Write rows as JSON data. In columns that are not fields, what JSON cannot hold becomes a text."""
    problems: list[str] = []
    written: list[Row] = []
    for number, (row, known) in enumerate(zip(rows, typed, strict=True), 1):
        data: Row = {}
        for name, cell in row.items():
            try:
                data[name] = _cell_as_json(_without_keys(cell), is_field=name in known)
            except NotJSONError as error:
                problems.append(f"row {number}, {name}: {error}")
            except RecursionError:
                problems.append(f"row {number}, {name}: is nested too deeply")
        written.append(data)
    refuse(problems)
    return tuple(written)


def _without_keys(cell: Any) -> Any:
    """Return a cell in which workspaces are JSON data without their keys."""
    if isinstance(cell, JSONSerializable):
        return json.loads(str(cast("object", cell)))
    if isinstance(cell, (list, tuple)):
        return [_without_keys(each) for each in cast("Sequence[Any]", cell)]
    if isinstance(cell, dict):
        members = cast("dict[Any, Any]", cell)
        return {name: _without_keys(value) for name, value in members.items()}
    return cell


def _cell_as_json(cell: Any, *, is_field: bool) -> Any:
    if isinstance(cell, date):
        return cell.isoformat()
    try:
        return _with_text_keys(encoded(cell, keep_none=True))
    except NotJSONError:
        if is_field:
            raise
        return _with_text_keys(_without_strange_numbers(cell))


def _with_text_keys(data: Any) -> Any:
    """Return JSON data with the keys that it has when it is read back: 1 is "1"."""
    return json.loads(json.dumps(data)) if isinstance(data, (dict, list)) else data


def _without_strange_numbers(cell: Any) -> Any:
    """Return what JSON can hold of a value: NaN is None, and infinity is a text."""
    try:
        return encoded(cell, keep_none=True)
    except NotJSONError:
        value = plain(cell)
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        return {str(key): _without_strange_numbers(item) for key, item in members.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_without_strange_numbers(item) for item in cast("Iterable[Any]", value)]
    return None if value is None else str(value)


class BadRows:
    """What is wrong with the rows of a table, found in several steps and told in one error."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        """Tell whether something is wrong."""
        return bool(self._found)

    def add(self, number: int, reason: object) -> None:
        """Note what is wrong with a row."""
        self._found.append((number, f"{ROW(number=number)}{reason}"))

    def refuse(self) -> None:
        """Raise ValueError if something is wrong. The error lists it in the order of the rows."""
        refuse(text for _, text in sorted(self._found, key=itemgetter(0)))


def refuse(problems: Iterable[str]) -> None:
    """Raise ValueError if there are problems with rows. The error lists the first 20."""
    refuse_bad("row", [*problems])
