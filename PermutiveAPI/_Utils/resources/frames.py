"""DataFrames of models: one row per object, one column per field."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast

from ..codec.decoding import hints_of, members_of, read_timestamp
from ..codec.encoding import NotJSONError, encoded, writing_plan
from ..gc_pause import gc_paused
from ..json import JSONSerializable

if TYPE_CHECKING:
    import pandas

_NONE = type(None)
_to_json_text = json.JSONEncoder(ensure_ascii=False).encode

# Types of values that a table holds unchanged.
_SCALARS = frozenset((str, int, float, bool, datetime))


def frame_of(items: list[Any], item_type: type, *, flat: bool) -> pandas.DataFrame:
    """Return a table of models, as ``TabularList.to_pd_dataframe`` describes it."""
    types = {*map(type, items)}
    if len(types) == 1 and issubclass(found := types.pop(), item_type):
        item_type = found  # A user's subclass may have more fields.
    hints = hints_of(item_type)
    columns: dict[str, Any] = {}
    with gc_paused(len(items)):
        for name, _ in writing_plan(item_type):
            values = [*map(attrgetter(name), items)]
            kinds = members_of(hints[name])
            column = _typed_column(values, kinds)
            if column is None:
                column = _text_column(name, values, kinds) if flat else _column(values, kinds)
            elif flat and datetime in kinds:
                column = column.dt.tz_localize(None)
            columns[name] = column
        return _pandas().DataFrame(columns)


def frame_of_cells(rows: Iterable[Sequence[Any]], columns: Sequence[str]) -> pandas.DataFrame:
    """Return a table of these cells. The cells stay as they are. An empty cell is None."""
    return _pandas().DataFrame(list(rows), columns=list(columns), dtype=object)


def _pandas() -> Any:
    """Import pandas, which takes long. Its stubs have no columns of unknown type, so its type is Any."""
    import pandas

    return pandas


# --- Timestamps and numbers, in both forms ---------------------------------------------------------


def _typed_column(values: list[Any], kinds: frozenset[Any]) -> Any:
    """Return a column of timestamps or numbers; None if the field or a value is something else."""
    try:
        if datetime in kinds:
            return _timestamps(values)
        if int in kinds and set(map(type, values)) <= {int, _NONE}:  # True is not a number here.
            return _pandas().array(values, dtype="Int64")
        if float in kinds:
            return _pandas().Series(values, dtype="float64")
    except (ValueError, TypeError, OverflowError):
        pass  # A number or a time out of range stays as it is.
    return None


def _timestamps(values: list[Any]) -> Any:
    """Return a column of timestamps; None if one of them cannot be read."""
    if not _are_timestamps(values):
        values = [*map(read_timestamp, values)]
        # pandas would guess: "now" would become the present time, and 5 a time in 1970.
        if not _are_timestamps(values):
            return None
    times = _pandas().to_datetime(_pandas().Series(values, dtype=object), utc=True)
    return times.dt.as_unit("us")  # Python's unit; pandas has another one for an empty column.


def _are_timestamps(values: list[Any]) -> bool:
    return all(issubclass(each, (datetime, _NONE)) for each in set(map(type, values)))


# --- Everything else, for Python -------------------------------------------------------------------


def _column(values: list[Any], kinds: frozenset[Any]) -> Any:
    """Return a column. Models become JSON data; other objects are not copied."""
    series = _pandas().Series
    if kinds <= _SCALARS:
        try:
            return series(values)
        except UnicodeEncodeError:  # A lone surrogate, which pyarrow cannot hold.
            pass
    objects = [encoded(value) if isinstance(value, JSONSerializable) else value for value in values]
    return series(objects, dtype=object)


# --- Everything else, as texts ---------------------------------------------------------------------


def _text_column(name: str, values: list[Any], kinds: frozenset[Any]) -> Any:
    """Return a column of texts, which files of every kind can hold."""
    series = _pandas().Series
    write = _writer_of(kinds)
    missing: list[bool] = series(values, dtype=object).isna().tolist()
    texts: list[str | None] = []
    try:
        for value, is_missing in zip(values, missing, strict=True):
            texts.append(None if is_missing else write(value))
    except NotJSONError as error:
        raise error.below(name).below(len(texts)) from None
    try:
        "".join(filter(None, texts)).encode()
    except UnicodeEncodeError:  # A lone surrogate, which no file can hold.
        texts = [text and text.encode(errors="replace").decode() for text in texts]
    return series(texts, dtype="string")


def cell_text(value: Any) -> str:
    """Return JSON data as the text of a cell, as a flat table has it.

    Examples
    --------
    >>> cell_text(["sport", "editorial"]), cell_text({"in_segment": 1}), cell_text(2.5)
    ('sport, editorial', '{"in_segment": 1}', '2.5')
    """
    return _list_text(value) if isinstance(value, list) else _plain_text(value)


def _writer_of(kinds: frozenset[Any]) -> Callable[[Any], str]:
    """Return the function that writes the values of a field as texts."""
    if kinds <= _SCALARS:
        return _plain_text
    is_list = any(typing.get_origin(each) is list for each in kinds)
    return _list_text if is_list else _json_text


def _plain_text(value: Any) -> str:
    """Return a text as it is, and any other value as JSON text."""
    data = encoded(value, keep_none=True)
    return data if isinstance(data, str) else _to_json_text(data)


def _list_text(value: Any) -> str:
    """Return a list as "a, b", or as JSON text if it could not be read back from that."""
    data = encoded(value, keep_none=True)
    if isinstance(data, list) and data and all(map(_can_be_joined, cast("list[Any]", data))):
        return ", ".join(cast("list[str]", data))
    return _plain_text(data)


def _can_be_joined(item: Any) -> bool:
    """Tell whether an item can be read back from "a, b", and such a text does not look like JSON."""
    return (
        isinstance(item, str)
        and item == item.strip()
        and item[:1] not in ("", "[")
        and "," not in item
    )


def _json_text(value: Any) -> str:
    return _to_json_text(encoded(value, keep_none=True))
