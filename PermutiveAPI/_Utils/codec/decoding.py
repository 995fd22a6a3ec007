"""JSON data to annotated Python objects: one reading plan per class.

Pure. A plan holds a converter for each field with such an annotation: timestamps, nested models, lists
and dictionaries of models. Every other value stays as it is.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast

T = TypeVar("T")
# A check for dict is fast; a check for an abstract class takes several times as long.
MAPPINGS: Any = (dict, Mapping)
# JSON has only lists, but users' data may have the others.
_LISTS = (list, tuple, set, frozenset)
Converter = Callable[[Any], Any]
# The members that are read, each with its converter, or None if its value stays as it is.
Plan = tuple[tuple[str, Converter | None], ...]

# Not compiled at import, which would take long. The service's own form is read without it.
_TIMESTAMP = (
    r"(?ai)(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
    r"\s*(Z|[+-]\d\d(?::?\d\d(?::?\d\d(?:\.\d+)?)?)?)?)?"
)
_SERVICE_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d\.\d{6,9}Z", re.ASCII)


def parse_timestamp(text: str) -> datetime | None:
    """Read an ISO 8601 timestamp, in UTC if it has no offset; return None if it cannot be read.

    Nanoseconds are cut to microseconds.

    Examples
    --------
    >>> parse_timestamp("2022-09-22T15:44:29.513211710Z").isoformat()
    '2022-09-22T15:44:29.513211+00:00'
    """
    if _SERVICE_TIMESTAMP.fullmatch(text):
        # The service's form, which the C code of every Python version reads.
        try:
            return datetime.fromisoformat(text[:26] + "+00:00")
        except ValueError:
            return None
    match = re.fullmatch(_TIMESTAMP, text.strip())
    if match is None:
        return None
    *numbers, fraction, offset = match.groups()
    microseconds = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        year, month, day, hour, minute, second = (int(each or 0) for each in numbers)
        zone = _zone(offset)
        return datetime(year, month, day, hour, minute, second, microseconds, zone)
    except ValueError:  # Such as a month 13.
        return None


def read_timestamp(value: Any) -> Any:
    """Return a timestamp as a datetime; return the value itself if it cannot be read."""
    if isinstance(value, str):
        return parse_timestamp(value) or value
    return value


def build(cls: type[T], data: Mapping[str, Any]) -> T:
    """Make an object of an annotated class from JSON data. Unknown members are ignored.

    The class is a dataclass, or its constructor takes the members of `data`.

    Raises
    ------
    TypeError
        If a member is missing, or has another type than its annotation; the message names it.
    """
    arguments: dict[str, Any] = {}
    for name, convert in reading_plan(cls):
        if name not in data:
            continue
        value = data[name]
        try:
            arguments[name] = value if convert is None or value is None else convert(value)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}.{name}: {error}") from None
    return cls(**arguments)


def convert_value(value: Any, annotation: Any, module: Any = None) -> Any:
    """Convert a value of JSON data as its annotation says: a type, a typing construct, or its text.

    `module` is the module whose names the text uses, or its name. A value whose annotation needs no
    conversion stays as it is.
    """
    names = _namespace(module)
    convert = converter_of(_resolved(annotation, names))
    return value if convert is None or value is None else convert(value)


@cache
def reading_plan(cls: Any) -> Plan:
    """Return which members of a class are read, and how."""
    if dataclasses.is_dataclass(cls):
        names = [each.name for each in dataclasses.fields(cls) if each.init]
    else:
        names = list(inspect.signature(cls).parameters)
    hints = hints_of(cast(type, cls))
    return tuple((name, converter_of(hints.get(name, Any))) for name in names)


def converter_of(annotation: Any) -> Converter | None:
    """Return the converter of JSON data to the annotated type; None if the data stays as it is."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Union or origin is types.UnionType:
        members = [each for each in arguments if each is not type(None)]
        return converter_of(members[0]) if len(members) == 1 else None
    # A list, List, dict or Dict without brackets has no arguments.
    if origin is list or annotation is list:
        return _list_converter(converter_of(arguments[0]) if arguments else None)
    if origin is dict or annotation is dict:
        return _dict_converter(converter_of(arguments[1]) if arguments else None)
    if annotation is datetime:
        return read_timestamp
    if isinstance(annotation, type) and (
        hasattr(annotation, "from_json") or dataclasses.is_dataclass(annotation)
    ):
        return _model_converter(annotation)
    return None


def _list_converter(convert: Converter | None) -> Converter:
    def convert_list(value: Any) -> Any:
        _require(value, _LISTS, "a list")
        if convert is None:
            return value
        return [None if item is None else convert(item) for item in value]

    return convert_list


def _dict_converter(convert: Converter | None) -> Converter:
    def convert_dict(value: Any) -> Any:
        _require(value, MAPPINGS, "an object")
        if convert is None:
            return value
        return {key: None if item is None else convert(item) for key, item in value.items()}

    return convert_dict


def _model_converter(model: Any) -> Converter:
    if issubclass(cast(type, model), list):
        kind, description = list, "a list"
    else:
        kind, description = MAPPINGS, "an object"

    def convert_model(value: Any) -> Any:
        if isinstance(value, model):
            return value
        # from_json would also take a text, but here a text is an error, not JSON text.
        _require(value, kind, description)
        if hasattr(model, "from_json"):
            return model.from_json(value)
        return build(model, value)

    return convert_model


def _require(value: Any, kind: Any, description: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"expected {description}, got {type(value).__name__}")


def _zone(offset: str | None) -> timezone:
    if offset is None or offset in "zZ":
        return timezone.utc
    digits, _, fraction = offset[1:].replace(":", "").partition(".")
    hours, minutes, seconds = (int(digits[at : at + 2] or 0) for at in (0, 2, 4))
    distance = timedelta(
        hours=hours, minutes=minutes, seconds=seconds, microseconds=int(fraction[:6].ljust(6, "0"))
    )
    return timezone(-distance if offset[0] == "-" else distance)


def hints_of(cls: type) -> dict[str, Any]:
    """Resolve the annotations of a class; one that cannot be resolved counts as Any."""
    try:
        return typing.get_type_hints(cls)
    except (NameError, TypeError, AttributeError, SyntaxError):
        hints: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            names = _namespace(base.__module__)
            for name, annotation in vars(base).get("__annotations__", {}).items():
                hints[name] = _resolved(annotation, names)
        return hints


def members_of(annotation: Any) -> frozenset[Any]:
    """Return the types in a union, without None; for a literal, the types of its values."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return frozenset[Any]().union(*map(members_of, arguments))
    if origin is Literal:
        return frozenset(map(type, arguments))
    return frozenset({annotation} - {type(None)})


def _namespace(module: Any) -> dict[str, Any]:
    found = sys.modules.get(module) if isinstance(module, str) else module
    return {**vars(typing), "datetime": datetime, **(vars(found) if found else {})}


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    text = getattr(annotation, "__forward_arg__", annotation)
    holder = type("_Holder", (), {"__annotations__": {"annotation": text}})
    try:
        return typing.get_type_hints(holder, names)["annotation"]
    except Exception:  # An annotation is code, which may raise anything.
        return Any
