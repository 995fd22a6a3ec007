"""The operators of conditions: what each compares with, how it is said, and its opposite.

Source: the fuller cohort grammar of clients that use the live service; Permutive itself documents only
``contains``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from numbers import Real
from typing import Any, cast

from .reading import Part, QueryError

Check = Callable[[Part], Any]


def _scalar(part: Part) -> Any:
    if not isinstance(part.data, (str, bool, Real)):
        raise part.refusal("a text, a number, true or false is expected")
    return part.data if isinstance(part.data, (str, bool)) else part.number()


def _anything(part: Part) -> Any:
    """Read the value of an operator that needs none; what it means is not published."""
    return None if part.data is None else _scalar(part)


def _time(part: Part) -> str:
    """Read a date or time, which JSON has as a text."""
    if part.data != part.data:  # NaT, pandas' missing time.
        raise part.refusal("a time is expected")
    return part.data.isoformat() if isinstance(part.data, date) else part.text()


def _ordered(part: Part) -> Any:
    if not isinstance(part.data, (str, date, Real)):
        raise part.refusal("a number or a time is expected")
    return _time(part) if isinstance(part.data, (str, date)) else part.number()


@dataclass(frozen=True)
class _Operator:
    """An operator of the grammar.

    Attributes
    ----------
    words : str
        How it is said.
    check : callable
        Reads a value, or raises QueryError.
    ranges : bool
        Whether it compares with a start and an end; else with a value or a list of values.
    negative : str, optional
        The operator that says the opposite.
    """

    words: str
    check: Check
    ranges: bool = False
    negative: str | None = None

    def checked(self, part: Part) -> Any:
        """Return a value, a tuple of values, or a pair of start and end, as it is kept."""
        data = part.data
        if self.ranges:
            members = part.members(required=["start", "end"])
            return self.check(members["start"]), self.check(members["end"])
        if isinstance(data, dict) or (isinstance(data, list) and not data):
            raise part.refusal("a value or a list of values is expected")
        if isinstance(data, list):
            return tuple(map(self.check, part.items()))
        return self.check(part)


_OPERATORS: Mapping[str, _Operator] = {
    "equal_to": _Operator("is", _scalar, negative="not_equal_to"),
    "not_equal_to": _Operator("is not", _scalar, negative="equal_to"),
    "contains": _Operator("contains", Part.string, negative="does_not_contain"),
    "does_not_contain": _Operator("does not contain", Part.string, negative="contains"),
    "list_contains": _Operator("lists", _scalar, negative="list_does_not_contain"),
    "list_does_not_contain": _Operator(
        "does not list", _scalar, negative="list_contains"
    ),
    "list_contains_integer": _Operator("lists the number", Part.whole),
    "greater_than": _Operator("is more than", _ordered),
    "greater_than_or_equal_to": _Operator("is at least", _ordered),
    "less_than": _Operator("is less than", _ordered),
    "less_than_or_equal_to": _Operator("is at most", _ordered),
    "boolean_equal_to": _Operator("is", Part.boolean),
    "float_equal_to": _Operator("is", Part.number),
    "float_between": _Operator("is between", Part.number, ranges=True),
    "date_equal_to": _Operator("is the date", _time),
    "date_between": _Operator("is between the dates", _time, ranges=True),
    "between": _Operator("is between", _ordered, ranges=True),
    "is_empty": _Operator("is empty:", _anything, negative="is_not_empty"),
    "is_not_empty": _Operator("is not empty:", _anything, negative="is_empty"),
}


@dataclass(frozen=True)
class Operation:
    """An operator and what it compares with; :meth:`_Operator.checked` says how that is kept."""

    operator: str
    value: Any

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        value = self.value
        if _OPERATORS[self.operator].ranges:
            value = {"start": value[0], "end": value[1]}
        elif isinstance(value, tuple):
            value = list(cast("tuple[Any, ...]", value))
        return {self.operator: value}

    def negated(self) -> Operation | None:
        """Return the opposite; None where the grammar has none."""
        negative = _OPERATORS[self.operator].negative
        return None if negative is None else replace(self, operator=negative)

    def words(self) -> str:
        """Say it."""
        operator = _OPERATORS[self.operator]
        if operator.ranges:
            start, end = self.value
            return f"{operator.words} {_shown(start)} and {_shown(end)}"
        value = self.value
        values = cast(
            "tuple[Any, ...]", value if isinstance(value, tuple) else (value,)
        )
        several = "any of " if len(values) > 1 and "not" in operator.words else ""
        return f"{operator.words} {several}{' or '.join(map(_shown, values))}"

    @classmethod
    def made(cls, operator: str, value: Any) -> Operation:
        """Make one; :class:`QueryError`, naming the operator, for a value of another kind."""
        listed = list(cast("Any", value)) if isinstance(value, tuple) else value
        return cls.read(Part({operator: listed}, ""))

    @classmethod
    def read(cls, part: Part) -> Operation:
        """Read one from JSON data."""
        name, value = part.only_member(_OPERATORS)
        return cls(name, _OPERATORS[name].checked(value))


def span(start: Any, end: Any) -> dict[str, Any]:
    """Return a range as the grammar writes it; one that holds nothing is a mistake."""
    numbers = isinstance(start, Real), isinstance(end, Real)
    if any(numbers) and not (all(numbers) and start <= end):
        raise QueryError(
            f"A range goes from a number up, or from a time on, got {start!r} to {end!r}."
        )
    return {"start": start, "end": end}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
