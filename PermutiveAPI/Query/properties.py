"""Properties of events and their tests, of which conditions are made.

Source: the fuller cohort grammar of clients that use the live service; Permutive itself documents only
``contains`` on a property.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from .conditions import Condition, both, filtered
from .logic import joined
from .operators import Operation, make_operation, opposite_of, read_operation, span
from .reading import Node

Value = TypeVar("Value")
OneOrMore = Value | Sequence[Value]

_EMPTINESS = {"is_empty": "is empty", "is_not_empty": "is not empty"}
_FUNCTIONS = ("any", "all", "sum", "product", "count", "mean")


class _Comparable:
    """What can be tested: one method for each operator of the grammar.

    Where a value is expected, a list of values means any one of them; of a negative operator none of
    them, which Permutive has not confirmed.
    """

    _stands_alone = False  # As of a condition.

    def _tested(self, operation: Operation) -> Condition:
        raise NotImplementedError

    def _test(self, operator: str, value: Any) -> Condition:
        return self._tested(make_operation(operator, value))

    def equal_to(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: it is this value."""
        return self._test("equal_to", value)

    def not_equal_to(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: it is another value."""
        return self._test("not_equal_to", value)

    def contains(self, text: OneOrMore[str]) -> Condition:
        """Test: the text holds this text."""
        return self._test("contains", text)

    def does_not_contain(self, text: OneOrMore[str]) -> Condition:
        """Test: the text does not hold this text."""
        return self._test("does_not_contain", text)

    def list_contains(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: the list holds this value."""
        return self._test("list_contains", value)

    def list_does_not_contain(self, value: OneOrMore[str | float | bool]) -> Condition:
        """Test: the list does not hold this value."""
        return self._test("list_does_not_contain", value)

    def list_contains_integer(self, number: OneOrMore[int]) -> Condition:
        """Test: the list holds this whole number."""
        return self._test("list_contains_integer", number)

    def greater_than(self, value: float | str | date) -> Condition:
        """Test: it is above this number or after this time."""
        return self._test("greater_than", value)

    def greater_than_or_equal_to(self, value: float | str | date) -> Condition:
        """Test: it is this number or time, or above."""
        return self._test("greater_than_or_equal_to", value)

    def less_than(self, value: float | str | date) -> Condition:
        """Test: it is below this number or before this time."""
        return self._test("less_than", value)

    def less_than_or_equal_to(self, value: float | str | date) -> Condition:
        """Test: it is this number or time, or below."""
        return self._test("less_than_or_equal_to", value)

    def boolean_equal_to(self, value: bool) -> Condition:
        """Test: it is true, or it is false."""
        return self._test("boolean_equal_to", value)

    def float_equal_to(self, number: OneOrMore[float]) -> Condition:
        """Test: the number with a fraction is this one."""
        return self._test("float_equal_to", number)

    def float_between(self, start: float, end: float) -> Condition:
        """Test: the number with a fraction is between these, both included."""
        return self._test("float_between", span(start, end))

    def date_equal_to(self, day: OneOrMore[str | date]) -> Condition:
        """Test: the date is this one."""
        return self._test("date_equal_to", day)

    def date_between(self, start: str | date, end: str | date) -> Condition:
        """Test: the date is between these, both included."""
        return self._test("date_between", span(start, end))

    def between(self, start: float | str | date, end: float | str | date) -> Condition:
        """Test: it is between these, both included."""
        return self._test("between", span(start, end))


# --- Properties ----------------------------------------------------------------------------------


def prop(name: str) -> Property:
    """Name a property of an event, to be tested by a method: ``prop("...").contains("...")``.

    Parameters
    ----------
    name : str
        Its path, for instance "properties.client.url".

    Raises
    ------
    QueryError
        If the name is blank.
    """
    return Property(_name(name))


@dataclass(frozen=True)
class Property(_Comparable):
    """A property of an event; see :func:`prop`."""

    name: str

    def is_empty(self) -> Condition:
        """Test: there is nothing in it."""
        return Emptiness(self.name, "is_empty")

    def is_not_empty(self) -> Condition:
        """Test: there is something in it."""
        return Emptiness(self.name, "is_not_empty")

    def any(self, name: str) -> Aggregate:
        """Take the property `name` of the objects in this list; one of them must fit."""
        return Aggregate(self.name, "any", _name(name))

    def all(self, name: str) -> Aggregate:
        """Take the property `name` of the objects in this list; each of them must fit."""
        return Aggregate(self.name, "all", _name(name))

    def sum(self, name: str) -> Aggregate:
        """Take the sum of the property `name` of the objects in this list."""
        return Aggregate(self.name, "sum", _name(name))

    def product(self, name: str) -> Aggregate:
        """Take the product of the property `name` of the objects in this list."""
        return Aggregate(self.name, "product", _name(name))

    def count(self, name: str) -> Aggregate:
        """Take the number of objects in this list that have the property `name`."""
        return Aggregate(self.name, "count", _name(name))

    def mean(self, name: str) -> Aggregate:
        """Take the mean of the property `name` of the objects in this list."""
        return Aggregate(self.name, "mean", _name(name))

    def _tested(self, operation: Operation) -> Condition:
        return PropertyTest(self.name, operation)


@dataclass(frozen=True)
class Aggregate(_Comparable):
    """What a function makes of the objects in a list, to be tested; see :class:`Property`.

    Permutive has not published what its functions do with objects that lack the property.
    """

    name: str
    function: str
    of: str
    filter: Condition | None = None

    def where(self, condition: Condition) -> Aggregate:
        """Take only the objects that fulfil a condition."""
        return replace(self, filter=both(self.filter, condition))

    def _tested(self, operation: Operation) -> Condition:
        return AggregateTest(self, operation)


@dataclass(frozen=True, eq=False)
class PropertyTest(Condition):
    """A property and its test."""

    name: str
    operation: Operation

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        return {"property": self.name, "condition": self.operation.to_json()}

    def __invert__(self) -> PropertyTest:
        """Return the same with the opposite operator."""
        opposite = opposite_of(self.operation)
        if opposite is None:
            return super().__invert__()
        return replace(self, operation=opposite)

    def _to_phrase(self) -> str:
        return f"{self.name} {self.operation.describe()}"


@dataclass(frozen=True, eq=False)
class Emptiness(Condition):
    """Whether there is something in a property, as a word; the grammar has an operator for it, too."""

    name: str
    operator: str

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        return {"property": self.name, "condition": self.operator}

    def __invert__(self) -> Emptiness:
        """Return the opposite."""
        [opposite] = set(_EMPTINESS) - {self.operator}
        return replace(self, operator=opposite)

    def _to_phrase(self) -> str:
        return f"{self.name} {_EMPTINESS[self.operator]}"


@dataclass(frozen=True, eq=False)
class AggregateTest(Condition):
    """What a function makes of a list, and its test."""

    aggregate: Aggregate
    operation: Operation

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        aggregate = self.aggregate
        condition: dict[str, Any] = {
            "function": aggregate.function,
            "property": aggregate.of,
            "condition": self.operation.to_json(),
        }
        if aggregate.filter is not None:
            condition["where"] = aggregate.filter.to_json()
        return {"property": aggregate.name, "condition": condition}

    def _to_phrase(self) -> str:
        aggregate = self.aggregate
        what = f"{aggregate.function} of {aggregate.of} in {aggregate.name}"
        return f"{what}{filtered(aggregate.filter)} {self.operation.describe()}"


def _name(name: str) -> str:
    return Node(name, "property").text()


# --- Reading -------------------------------------------------------------------------------------


def read_condition(node: Node) -> Condition:
    """Read what stands in ``where`` from JSON data."""
    if {"and", "or"} & set(node.names):
        joiner, parts = node.only_member(["and", "or"])
        return joined(joiner, map(read_condition, parts.items()))
    members = node.members(required=["property", "condition"])
    name, condition = members["property"].text(), members["condition"]
    if isinstance(condition.data, str):
        return Emptiness(name, condition.one_of(_EMPTINESS))
    if "function" in condition.names:
        return _read_aggregate(name, condition)
    return PropertyTest(name, read_operation(condition))


def _read_aggregate(name: str, node: Node) -> Condition:
    members = node.members(["function", "property", "condition"], ["where"])
    filter = read_condition(members["where"]) if "where" in members else None
    function = members["function"].one_of(_FUNCTIONS)
    aggregate = Aggregate(name, function, members["property"].text(), filter)
    return AggregateTest(aggregate, read_operation(members["condition"]))
