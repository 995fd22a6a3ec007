"""The operators of conditions: the values that each one takes, its phrase, and its opposite.

Source: the cohort grammar of clients that use the live service. Permutive itself documents only
``contains``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from numbers import Real
from typing import Any, cast

from .reading import Node, QueryError
from .writing import literal

Check = Callable[[Node], Any]


def _scalar(node: Node) -> Any:
    if not isinstance(node.data, (str, bool, Real)):
        raise node.refusal("a text, a number, true or false is expected")
    return node.data if isinstance(node.data, (str, bool)) else node.number()


def _anything(node: Node) -> Any:
    """Read a value of ``is_empty`` or ``is_not_empty``; Permutive has not published what it means."""
    return None if node.data is None else _scalar(node)


def _time(node: Node) -> str:
    """Read a date or a time. In JSON, it is a text."""
    if node.data != node.data:  # NaT, pandas' missing time.
        raise node.refusal("a time is expected")
    return node.data.isoformat() if isinstance(node.data, date) else node.text()


def _ordered(node: Node) -> Any:
    if not isinstance(node.data, (str, date, Real)):
        raise node.refusal("a number or a time is expected")
    return _time(node) if isinstance(node.data, (str, date)) else node.number()


@dataclass(frozen=True)
class _Operator:
    """An operator of the grammar.

    Attributes
    ----------
    phrase : str
        How it is written in a sentence.
    check : callable
        Reads a value, or raises QueryError.
    ranges : bool
        Whether it takes a start and an end. Otherwise it takes a value or a list of values.
    negative : str, optional
        The operator that says the opposite.
    """

    phrase: str
    check: Check
    ranges: bool = False
    negative: str | None = None

    def checked(self, node: Node) -> Any:
        """Read its value: one value, a tuple of values, or a pair of start and end."""
        data = node.data
        if self.ranges:
            members = node.members(required=["start", "end"])
            return self.check(members["start"]), self.check(members["end"])
        if isinstance(data, dict) or (isinstance(data, list) and not data):
            raise node.refusal("a value or a list of values is expected")
        if isinstance(data, list):
            return tuple(map(self.check, node.items()))
        return self.check(node)


_OPERATORS: Mapping[str, _Operator] = {
    "equal_to": _Operator("is", _scalar, negative="not_equal_to"),
    "not_equal_to": _Operator("is not", _scalar, negative="equal_to"),
    "contains": _Operator("contains", Node.string, negative="does_not_contain"),
    "does_not_contain": _Operator("does not contain", Node.string, negative="contains"),
    "list_contains": _Operator("lists", _scalar, negative="list_does_not_contain"),
    "list_does_not_contain": _Operator("does not list", _scalar, negative="list_contains"),
    "list_contains_integer": _Operator("lists the number", Node.whole),
    "greater_than": _Operator("is more than", _ordered),
    "greater_than_or_equal_to": _Operator("is at least", _ordered),
    "less_than": _Operator("is less than", _ordered),
    "less_than_or_equal_to": _Operator("is at most", _ordered),
    "boolean_equal_to": _Operator("is", Node.boolean),
    "float_equal_to": _Operator("is", Node.number),
    "float_between": _Operator("is between", Node.number, ranges=True),
    "date_equal_to": _Operator("is the date", _time),
    "date_between": _Operator("is between the dates", _time, ranges=True),
    "between": _Operator("is between", _ordered, ranges=True),
    "is_empty": _Operator("is empty:", _anything, negative="is_not_empty"),
    "is_not_empty": _Operator("is not empty:", _anything, negative="is_empty"),
}


@dataclass(frozen=True, repr=False)
class Operation:
    """An operator and its value: one value, a tuple of values, or a pair of start and end."""

    operator: str
    value: Any

    def to_json(self) -> dict[str, Any]:
        """Return the operation in the form of the grammar."""
        value = self.value
        if _OPERATORS[self.operator].ranges:
            value = {"start": value[0], "end": value[1]}
        elif isinstance(value, tuple):
            value = list(cast("tuple[Any, ...]", value))
        return {self.operator: value}

    def describe(self) -> str:
        """Return it in words."""
        operator = _OPERATORS[self.operator]
        if operator.ranges:
            start, end = self.value
            return f"{operator.phrase} {_shown(start)} and {_shown(end)}"
        value = self.value
        values = cast("tuple[Any, ...]", value if isinstance(value, tuple) else (value,))
        several = "any of " if len(values) > 1 and "not" in operator.phrase else ""
        return f"{operator.phrase} {several}{' or '.join(map(_shown, values))}"

    def __repr__(self) -> str:
        """Show the method call of a property that makes the operation."""
        values = self.value if _OPERATORS[self.operator].ranges else (self.value,)
        return f"{self.operator}({', '.join(map(literal, values))})"


def make_operation(operator: str, value: Any) -> Operation:
    """Make an operation.

    Raises
    ------
    QueryError
        If the operator does not take this value; the text names the operator.
    """
    listed = list(cast("Any", value)) if isinstance(value, tuple) else value
    return read_operation(Node({operator: listed}, ""))


def read_operation(node: Node) -> Operation:
    """Read an operation from JSON data."""
    name, value = node.only_member(_OPERATORS)
    return Operation(name, _OPERATORS[name].checked(value))


def opposite_of(operation: Operation) -> Operation | None:
    """Return the opposite, or None if the grammar has no opposite of it."""
    negative = _OPERATORS[operation.operator].negative
    return None if negative is None else replace(operation, operator=negative)


def is_written(operation: Operation) -> bool:
    """Tell whether a method makes this operation; only from_json() makes some others."""
    if operation.operator in ("is_empty", "is_not_empty"):
        return False
    return not _OPERATORS[operation.operator].ranges or _is_span(*operation.value)


def _is_span(start: Any, end: Any) -> bool:
    numbers = isinstance(start, Real), isinstance(end, Real)
    return not any(numbers) or (all(numbers) and start <= end)


def span(start: Any, end: Any) -> dict[str, Any]:
    """Return a range in the form of the grammar.

    Raises
    ------
    QueryError
        If no value can be in the range.
    """
    if not _is_span(start, end):
        raise QueryError(
            f"A range takes two numbers, the smaller one first, or two times, got {start!r} to {end!r}."
        )
    return {"start": start, "end": end}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
