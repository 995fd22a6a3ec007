"""Read cells of tables: as plain Python values, or as values of a field's type."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timezone
from numbers import Number
from typing import Any, NoReturn, cast

from ..codec.decoding import members_of, parse_timestamp
from ..codec.encoding import SelfEncoding

# Reads a cell. Returns None for an empty one, and raises ValueError with the reason for a bad one.
Reader = Callable[[Any], Any]

# "12345", and "12345.0", which pandas writes into CSV for a column with empty cells; not "007".
_WHOLE = r"(-?(?:0|[1-9][0-9]*))(?:\.0+)?"

# Above this number, a float cannot hold every whole number. So it may lose digits of a long code.
_FIRST_INEXACT = 2**53

_PLAIN = frozenset((int, bool, datetime, list, dict, type(None)))

LONGEST_TEXT = 80  # Of a value in an error or a plan.


def plain(cell: Any) -> Any:
    """Return a cell as a plain Python value; None if it is empty.

    None, "", NaN, and pandas' NaT and NA are empty. NumPy's numbers become Python's, its arrays lists.
    """
    kind = type(cast("object", cell))
    if kind is str:
        return cell or None
    if kind in _PLAIN:
        return cell
    if kind is float:
        return None if math.isnan(cell) else cell
    if kind.__name__ in ("NaTType", "NAType"):
        return None
    if hasattr(cell, "tolist"):
        native = cell.tolist()
        # NumPy has numbers that Python does not have.
        return plain(float(cell) if type(native) is kind else native)
    return None if isinstance(cell, Number) and _is_nan(cell) else cell


def _is_nan(number: Any) -> bool:
    try:
        return number != number  # Of all numbers, only NaN differs from itself.
    except ArithmeticError:  # Decimal("sNaN"), which is an error rather than an empty cell.
        return False


def reader_of(annotation: Any) -> Reader:
    """Return the function that reads the cells of a field with this annotation."""
    kinds = members_of(annotation)
    listed = ((kept, convert) for types, kept, convert in _TABLE if types <= kinds)
    kept, convert = next(listed, (None, _object_of(kinds)))

    def read(cell: Any) -> Any:
        if type(cell) is kept and cell:  # This is three times as fast, and fits most cells.
            return cell
        cell = plain(cell)
        is_blank = kept is not str and isinstance(cell, str) and not cell.strip()
        return None if cell is None or is_blank else convert(cell)

    return read


def refusing_empty(read: Reader) -> Reader:
    """Return a reader that refuses empty cells and blank texts."""

    def read_filled(cell: Any) -> Any:
        value = read(cell)
        if value is None or not str(value).strip():
            raise ValueError("must not be empty")
        return value

    return read_filled


def shortened(cell: Any) -> str:
    """Show a value in an error text."""
    return cut(repr(cell))


def cut(text: str) -> str:
    """Return a text, or its beginning if it is too long to be shown."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def _refuse(expected: str, cell: Any) -> NoReturn:
    raise ValueError(f"must be {expected}, got {shortened(cell)}")


def _is_number(cell: Any) -> bool:
    return isinstance(cell, Number) and not isinstance(cell, (bool, complex))


def is_finite(number: Any) -> bool:
    """Tell whether a number is neither NaN nor infinite, and not too large for a float."""
    try:
        return math.isfinite(number)
    except (ValueError, OverflowError):  # ValueError: a signaling NaN.
        return False


# --- Texts and numbers -----------------------------------------------------------------------------


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return str.__str__(cell)
    if _is_number(cell):  # Excel and pandas make 12345.0 of a code.
        whole = _as_whole(cell)
        if whole is not None:
            return str(whole)
        if is_finite(cell):
            return str(cell)
    if type(cell).__name__ == "UUID":
        return str(cell)
    _refuse("a text", cell)


def _as_whole(number: Any) -> int | None:
    """Return a number as an integer; None if it is not whole."""
    if isinstance(number, int):
        return int(number)
    if not is_finite(number) or number != int(number):
        return None
    if isinstance(number, float) and abs(number) >= _FIRST_INEXACT:
        _refuse("a text, because a decimal number cannot hold all its digits", number)
    return int(number)


def _whole_in(cell: Any) -> int | None:
    """Return the whole number in a number or a text, or None."""
    if isinstance(cell, str):
        match = re.fullmatch(_WHOLE, cell.strip())
        return int(match[1]) if match else None
    return _as_whole(cell) if _is_number(cell) else None


def _whole(cell: Any) -> int:
    whole = _whole_in(cell)
    return _refuse("a whole number", cell) if whole is None else whole


def _code(cell: Any) -> int | str:
    """Return the code of a cohort: a number, or any other text."""
    whole = _whole_in(cell)
    if whole is not None:
        return whole
    return str.__str__(cell) if isinstance(cell, str) else _refuse("a whole number or a text", cell)


def _number(cell: Any) -> float:
    is_text = isinstance(cell, str)
    if is_text or _is_number(cell):
        try:
            number = float(cell)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number) and not (is_text and "_" in cell):
            return number
    _refuse("a number", cell)


# --- Times -----------------------------------------------------------------------------------------


def _time(cell: Any) -> datetime:
    """Return a time with a time zone. Without one it is in UTC, as in the flat tables."""
    if isinstance(cell, str):
        return parse_timestamp(cell) or _refuse("a time such as 2025-07-01T12:30:00Z", cell)
    if type(cell) is datetime:
        return cell if cell.tzinfo else cell.replace(tzinfo=timezone.utc)
    if isinstance(cell, datetime):  # pandas' Timestamp.
        return datetime.combine(cell.date(), cell.time(), cell.tzinfo or timezone.utc)
    if isinstance(cell, date):
        return datetime.combine(cell, time(), timezone.utc)
    _refuse("a time such as 2025-07-01T12:30:00Z", cell)


# --- Lists and objects -------------------------------------------------------------------------------


def _texts(cell: Any) -> list[str]:
    """Return a list of texts. A cell may be a list, or a text such as "a, b" or '["a", "b"]'."""
    items: Any = cell
    if isinstance(cell, str):
        text = cell.strip()
        if text.startswith("[") and text.endswith("]"):
            items = _from_json_text(text)
        else:
            items = [part for item in text.split(",") if (part := item.strip())] or None
    elif _is_number(cell):  # If "2025" is the only tag, Excel makes it a number.
        items = [cell]
    try:
        if isinstance(items, (list, tuple)):
            return [*map(_text, cast("Sequence[Any]", items))]
    except ValueError:
        pass
    _refuse("""a list of texts, such as "a, b" or '["a", "b"]'""", cell)


def _object_of(kinds: frozenset[Any]) -> Reader:
    """Return the reader of an object, for instance of a query."""
    keeps_queries = Any in kinds

    def read_object(cell: Any) -> Any:
        if isinstance(cell, SelfEncoding):
            return cell if keeps_queries else cell.to_json()
        found = _from_json_text(cell) if isinstance(cell, str) else cell
        if not isinstance(found, Mapping):
            _refuse("an object or its JSON text", cell)
        return cast("Mapping[str, Any]", found)

    return read_object


def _from_json_text(text: str) -> Any:
    """Return the data of a JSON text; None if it is not valid JSON."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


# The first row that fits is used: the field has all its types. Values of the second type stay as they are.
_TABLE: Sequence[tuple[frozenset[Any], type | None, Reader]] = (
    (frozenset({datetime}), None, _time),
    (frozenset({int, str}), int, _code),
    (frozenset({int}), int, _whole),
    (frozenset({float}), None, _number),
    (frozenset({str}), str, _text),
    (frozenset({list[str]}), None, _texts),
)
