"""Whether an event fulfils a condition of a query.

How Permutive treats a missing property is not published. Here, a missing property fulfils only the
negative operators and ``is_empty``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from .._Utils.codec.decoding import parse_timestamp
from ..Query.conditions import Condition, JointCondition
from ..Query.operators import Operation
from ..Query.properties import AggregateTest, Emptiness, PropertyTest
from .shapes import JSONObject

JOIN: Mapping[str, Callable[[Iterable[bool]], bool]] = {"and": all, "or": any}
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "greater_than": operator.gt,
    "greater_than_or_equal_to": operator.ge,
    "equal_to": operator.eq,
    "less_than_or_equal_to": operator.le,
    "less_than": operator.lt,
}
_MISSING = object()


def fulfils(condition: Condition, thing: JSONObject) -> bool:
    """Tell whether an event, or an object in one of its lists, fulfils a condition."""
    match condition:
        case JointCondition(joiner, parts):
            return JOIN[joiner](fulfils(part, thing) for part in parts)
        case PropertyTest(name, operation):
            return _passes(operation, _value(thing, name))
        case Emptiness(name, word):
            return _is_empty(_value(thing, name), True) is (word == "is_empty")
        case AggregateTest():
            try:
                return _aggregated(condition, thing)
            except OverflowError:  # Numbers that no float holds.
                return False
        case _:
            raise TypeError(f"no condition: {condition!r}")


def _value(thing: JSONObject, path: str) -> Any:
    value: Any = thing
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = cast("dict[str, Any]", value)[name]
    return value


def _aggregated(test: AggregateTest, thing: JSONObject) -> bool:
    aggregate = test.aggregate
    found = _value(thing, aggregate.name)
    things = cast("list[Any]", found) if isinstance(found, list) else []
    objects = [cast(JSONObject, each) for each in things if isinstance(each, dict)]
    values = [
        _value(each, aggregate.of)
        for each in objects
        if aggregate.filter is None or fulfils(aggregate.filter, each)
    ]
    values = [value for value in values if value is not _MISSING]
    if aggregate.function in ("any", "all"):
        decide = any if aggregate.function == "any" else all
        return decide(_passes(test.operation, value) for value in values)
    if aggregate.function == "count":
        return _passes(test.operation, len(values))
    numbers = [value for value in values if _is_number(value)]
    if aggregate.function == "mean":
        mean = sum(numbers) / len(numbers) if numbers else _MISSING
        return _passes(test.operation, mean)
    combine = sum if aggregate.function == "sum" else math.prod
    return _passes(test.operation, combine(numbers))


def _passes(operation: Operation, value: Any) -> bool:
    name = operation.operator
    if name in _NEGATIVE:
        return not _passes(Operation(_NEGATIVE[name], operation.value), value)
    if name == "date_between":
        start, end = operation.value
        return _between_days(start, value, end)
    if name in _BETWEEN:
        start, end = operation.value
        return _ordered("less_than_or_equal_to", start, value) and _ordered(
            "less_than_or_equal_to", value, end
        )
    several = operation.value
    wanted = cast("tuple[Any, ...]", several) if isinstance(several, tuple) else (several,)
    return any(_TESTS[name](value, each) for each in wanted)


def _is_empty(value: Any, wanted: Any) -> bool:
    return (value in (_MISSING, None, "", [], {})) is (wanted is not False)


def _contains(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and wanted in value


def _lists(value: Any, wanted: Any) -> bool:
    return isinstance(value, list) and any(
        _equal(each, wanted) for each in cast("list[Any]", value)
    )


def _equal(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted


def _between_days(start: Any, value: Any, end: Any) -> bool:
    """Compare the dates of three times, without the time of day."""
    if not all(isinstance(each, str) for each in (start, value, end)):
        return False
    try:
        first, day, last = (moment(each).date() for each in (start, value, end))
    except ValueError:
        return False
    return first <= day <= last


def _ordered(comparison: str, one: Any, other: Any) -> bool:
    """Compare two numbers, or two times."""
    if isinstance(one, str) and isinstance(other, str):
        try:
            one, other = moment(one), moment(other)
        except ValueError:
            return False
    elif not (_is_number(one) and _is_number(other)):
        return False
    return COMPARE[comparison](one, other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_NEGATIVE = {
    "not_equal_to": "equal_to",
    "does_not_contain": "contains",
    "list_does_not_contain": "list_contains",
    "is_not_empty": "is_empty",
}
_BETWEEN = ("between", "float_between")
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal_to": _equal,
    "boolean_equal_to": _equal,
    "float_equal_to": _equal,
    "contains": _contains,
    "list_contains": _lists,
    "list_contains_integer": _lists,
    "date_equal_to": lambda value, wanted: _between_days(wanted, value, wanted),
    "is_empty": _is_empty,
    **{
        name: lambda value, wanted, name=name: _ordered(name, value, wanted)
        for name in COMPARE
        if name != "equal_to"
    },
}


def moment(text: str) -> datetime:
    """Read the time of an event; without an offset it is UTC. Raise ValueError if it is not a time."""
    read = parse_timestamp(text)
    if read is None:
        raise ValueError(f"not a time: {text!r}")
    return read
