"""Python values to JSON data: one ordered table of types, and one writing plan per class.

Pure. :func:`encoded` turns a value into data that ``json.dumps`` can write: texts, numbers, booleans,
None, lists and dictionaries. A value that JSON cannot hold, such as NaN, is a ValueError that names its
place.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from decimal import Decimal

# In a field's metadata: an empty field is written, too, because the service requires it or because the
# constructor would fill it in.
ALWAYS_WRITTEN: Mapping[str, bool] = {"always_written": True}

_NO_DEFAULT = object()
_type_of: Callable[[Any], Any] = type  # Without pyright's "partially unknown".


class SelfEncoding:
    """A type whose ``to_json()`` says how it is written."""

    def to_json(self) -> Any:
        """Return the value as JSON data."""
        return encoded_object(self)


class NotJSONError(ValueError):
    """A value that JSON cannot hold, and its place."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path.lstrip('.')}: {reason}" if path else reason)
        self._reason = reason
        self._path = path

    def below(self, key: object) -> NotJSONError:
        """Return the same error, with `key` put before the place."""
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        return NotJSONError(self._reason, step + self._path)


def encoded(value: Any, *, keep_none: bool = False) -> Any:
    """Write any value as JSON data that shares no container with it.

    With `keep_none`, lists keep their None items. Lists inside dictionaries always do, since users fill
    queries and properties as they like.

    Raises
    ------
    ValueError
        For NaN, infinities and NaT; the message names the place.
    """
    return _encoder_of(_type_of(value))(value, keep_none)


def encoded_object(value: Any) -> Any:
    """Write the fields or attributes of an object; write a dict or list subclass as a dict or list.

    Raises
    ------
    TypeError
        If it has no attributes.
    ValueError
        As :func:`encoded` does.
    """
    return _object_encoder_of(_type_of(value))(value)


def to_payload(dataclass_obj: Any, api_payload: Iterable[str] | None = None) -> dict[str, Any]:
    """Write an object's fields as JSON data, without those that are None.

    Parameters
    ----------
    dataclass_obj : object
        A dataclass instance, or another object with attributes.
    api_payload : iterable of str, optional
        The names of the fields to write. If it is left out: every field.

    Returns
    -------
    dict
        The body of a request. It contains empty lists and dictionaries, since they clear a value.

    Examples
    --------
    >>> to_payload(Cohort("Runners", tags=[]), ["name", "description", "tags"])
    {'name': 'Runners', 'tags': []}
    """
    taken = None if api_payload is None else frozenset(api_payload)
    kind = _type_of(dataclass_obj)
    if dataclasses.is_dataclass(kind):
        return _encode_fields(dataclass_obj, _payload_plan(kind, taken))
    names: list[str] = [*vars(dataclass_obj)]
    plan = tuple((name, None) for name in names if taken is None or name in taken)
    return _encode_fields(dataclass_obj, plan)


def canonical(data: Any) -> str:
    """Return a text that is the same for equal JSON data. Unlike in Python, 1 and true differ."""
    try:
        return json.dumps(data, sort_keys=True)
    except TypeError:  # Keys of several types cannot be sorted, but as JSON all are texts.
        return json.dumps(json.loads(json.dumps(data)), sort_keys=True)


# --- A dataclass ---------------------------------------------------------------------------------

# A field's name, and the empty value (None, [] or {}) that is left out, since from_json gives the field
# the same value again. _NO_DEFAULT: the field is always written.
Plan = tuple[tuple[str, Any], ...]


@cache
def writing_plan(cls: type) -> Plan:
    """Return which fields of a class are written, and when each may be left out."""
    return tuple(
        (each.name, _omissible_value(each))
        for each in dataclasses.fields(cls)
        if not each.name.startswith("_")
    )


@lru_cache(maxsize=1024)
def _payload_plan(cls: type, taken: frozenset[str] | None) -> Plan:
    """Return the plan of a request body: only None is left out."""
    names = [name for name, _ in writing_plan(cls)]
    return tuple((name, None) for name in names if taken is None or name in taken)


def _omissible_value(each: dataclasses.Field[Any]) -> Any:
    if each.metadata.get("always_written"):
        return _NO_DEFAULT
    if each.default_factory is not dataclasses.MISSING:
        default = each.default_factory()
    else:
        default = each.default
    return default if default is None or default in ([], {}) else _NO_DEFAULT


def _encode_fields(value: Any, plan: Plan) -> dict[str, Any]:
    result: dict[str, Any] = {}
    name = ""
    try:
        for name, omissible in plan:
            item = getattr(value, name)
            kind = _type_of(item)
            if kind in _ATOMS:
                if item is not omissible:
                    result[name] = item
            elif kind is datetime:
                result[name] = item.isoformat()
            elif kind is not type(omissible) or item != omissible:
                result[name] = _encoder_of(kind)(item, False)
    except NotJSONError as error:
        raise error.below(name) from None
    except RecursionError:
        reason = "it is nested too deeply, or holds itself"
        raise NotJSONError(reason, f".{name}") from None
    return result


@lru_cache(maxsize=1024)
def _object_encoder_of(kind: Any) -> Callable[[Any], Any]:
    if issubclass(kind, dict):
        return partial(_encode_mapping, keep_none=False)
    if issubclass(kind, list):
        return partial(_encode_sequence, keep_none=False)
    if dataclasses.is_dataclass(kind):
        return partial(_encode_fields, plan=writing_plan(cast(type, kind)))
    return _encode_what_has_attributes


def _encode_what_has_attributes(value: Any) -> dict[str, Any]:
    if not hasattr(value, "__dict__"):
        raise TypeError(f"{type(value).__name__} has no attributes that could be written as JSON.")
    return _encode_attributes(value, False)


# --- The table -------------------------------------------------------------------------------------

Encoder = Callable[[Any, bool], Any]


# Large lists spend their time in these two functions. So they handle the most common types themselves
# and use the table only for the others. Every call passes all arguments: CPython 3.13.0 does not count
# the recursion of calls that leave one out, and a payload may contain itself.
def _encode_dict(value: dict[Any, Any], keep_none: bool) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    key: Any = None
    try:
        for key in value:  # items() would make a tuple for each member.
            item = value[key]
            kind = _type_of(item)
            if type(key) is not str:
                key = _encode_key(key)
            if kind is str or kind is int:
                result[key] = item
            elif kind is dict:
                result[key] = _encode_dict(item, True)
            elif kind is list:
                result[key] = _encode_sequence(item, True)
            else:
                result[key] = item if kind in _ATOMS else _encoder_of(kind)(item, True)
    except NotJSONError as error:
        raise error.below(str(key)) from None
    return result


def _encode_sequence(value: Iterable[Any], keep_none: bool) -> list[Any]:
    result: list[Any] = []
    position = 0
    try:
        for position, item in enumerate(value):
            kind = _type_of(item)
            if kind is str or kind is int:
                result.append(item)
            elif kind is dict:
                result.append(_encode_dict(item, True))
            elif item is not None or keep_none:
                result.append(item if kind in _ATOMS else _encoder_of(kind)(item, keep_none))
    except NotJSONError as error:
        raise error.below(position) from None
    return result


def _encode_mapping(value: Mapping[Any, Any], keep_none: bool) -> dict[Any, Any]:
    if type(value) is not dict:
        value = dict(value.items())
    return _encode_dict(cast("dict[Any, Any]", value), True)


def _encode_key(key: Any) -> Any:
    plain = encoded(key)
    return plain if type(plain) in (str, int, float, bool, type(None)) else str(key)


def _encode_set(value: set[Any], keep_none: bool) -> list[Any]:
    try:
        items: Iterable[Any] = sorted(value)  # The same set gives the same JSON.
    except TypeError:
        items = value
    return _encode_sequence(items, keep_none)


def _encode_float(value: float, keep_none: bool) -> float:
    if not math.isfinite(value):
        raise NotJSONError(
            f"{value!r} is not a number that JSON can hold; use None for an empty cell"
        )
    return float(value)


def _encode_decimal(value: Decimal, keep_none: bool) -> float:
    if not value.is_finite():
        # float() would refuse a signaling NaN without naming its place.
        raise NotJSONError(f"{value!r} is not a number that JSON can hold")
    return _encode_float(float(value), keep_none)


def _encode_datetime(value: datetime, keep_none: bool) -> str:
    if value != value:  # NaT, pandas' missing timestamp.
        raise NotJSONError("NaT is not a time that JSON can hold")
    return value.isoformat()


def _encode_date(value: date, keep_none: bool) -> dict[str, int]:
    return {"year": value.year, "month": value.month, "day": value.day}


def _encode_attributes(value: Any, keep_none: bool) -> dict[str, Any]:
    attributes = cast("dict[str, Any]", value.__dict__)
    public = {name: attributes[name] for name in attributes if not name.startswith("_")}
    return _encode_dict(public, True)


_TABLE_PACKAGES = frozenset(("numpy", "pandas", "polars", "pyarrow"))
# The methods that return their values as Python's own. Each type has one of them.
_TO_NATIVE = ("tolist", "to_list", "to_pylist", "as_py")


def _encode_foreign(value: Any, keep_none: bool) -> Any:
    """Write a value that no row of _TABLE fits: a cell, column or array, an object, anything else as text."""
    if type(value).__module__.split(".")[0] in _TABLE_PACKAGES:
        if type(value).__name__ in ("NaTType", "NAType"):
            raise NotJSONError(f"{value} is not a value that JSON can hold")
        to_native = next(filter(None, (getattr(value, name, None) for name in _TO_NATIVE)), None)
        if to_native is None:
            return str(value)  # The attributes of such a type are not its value.
        native = to_native()  # A list for an array or a Series, a number for a scalar.
        if native is None:
            raise NotJSONError(f"{value} is not a value that JSON can hold")
        if type(native) is type(value):  # A number that is wider than Python's.
            return _encode_float(float(value), keep_none)
        return encoded(native, keep_none=keep_none)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return encoded_object(value)
    if isinstance(value, type) or not hasattr(value, "__dict__") or _is_shown_by_its_text(value):
        return str(value)
    return _encode_attributes(value, keep_none)


def _is_shown_by_its_text(value: Any) -> bool:
    """Tell whether an object has a text, but no public attribute, such as a URL of pydantic or a time of arrow."""
    attributes = cast("dict[str, Any]", value.__dict__)
    has_text = type(value).__str__ is not object.__str__
    return has_text and bool(attributes) and all(name.startswith("_") for name in attributes)


# The first row that fits decides. Enum comes first, since its members may be texts or numbers, too.
# bool comes before int, and datetime before date, since they are subclasses. A type that encodes itself
# comes before dict and list, since it may be a subclass of them. Two classes are given by name, since
# importing their modules takes long. A value of such a class has imported its module.
_TABLE: Sequence[tuple[tuple[type, ...] | str, Encoder]] = (
    ((Enum,), lambda value, keep_none: encoded(value.value, keep_none=keep_none)),
    ((type(None), bool), lambda value, keep_none: value),
    ((str,), lambda value, keep_none: str.__str__(value)),
    ((int,), lambda value, keep_none: int(value)),
    ((float,), _encode_float),
    ("decimal.Decimal", _encode_decimal),
    ("uuid.UUID", lambda value, keep_none: str(value)),
    ((datetime,), _encode_datetime),
    ((date,), _encode_date),
    ((SelfEncoding,), lambda value, keep_none: value.to_json()),
    ((Mapping,), _encode_mapping),
    ((list, tuple), _encode_sequence),
    ((set, frozenset), _encode_set),
)

# Values of exactly these types are JSON already.
_ATOMS = frozenset((str, int, bool, type(None)))


@lru_cache(maxsize=1024)
def _encoder_of(kind: type) -> Encoder:
    names = [f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__]
    for types, encoder in _TABLE:
        if types in names if isinstance(types, str) else issubclass(kind, types):
            return encoder
    return _encode_foreign
