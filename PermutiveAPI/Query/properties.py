"""Properties of events, and the conditions that test them.

Source: the cohort grammar of clients that use the live service. Permutive itself documents only
``contains`` on a property.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .conditions import Condition, both, filtered
from .logic import joined
from .operators import Operation, opposite_of, read_operation
from .reading import Node
from .testable import Testable
from .writing import literal, refined

_EMPTINESS = {"is_empty": "is empty", "is_not_empty": "is not empty"}
_FUNCTIONS = ("any", "all", "sum", "product", "count", "mean")


def prop(name: str) -> Property:
    """Name a property of an event. Its methods make conditions.

    Parameters
    ----------
    name : str
        Its path, for instance "properties.client.url".

    Raises
    ------
    QueryError
        If the name is blank.

    Examples
    --------
    >>> condition = prop("properties.client.url").contains("/sport/")
    >>> condition.to_json()
    {'property': 'properties.client.url', 'condition': {'contains': '/sport/'}}
    """
    return Property(_name(name))


@dataclass(frozen=True, repr=False)
class Property(Testable):
    """A property of an event; see :func:`prop`."""

    name: str

    def is_empty(self) -> Condition:
        """Require that the property is empty.

        >>> print(prop("author").is_empty())
        author is empty
        """
        return Emptiness(self.name, "is_empty")

    def is_not_empty(self) -> Condition:
        """Require that the property is not empty.

        >>> print(prop("author").is_not_empty())
        author is not empty
        """
        return Emptiness(self.name, "is_not_empty")

    def any(self, name: str) -> Aggregate:
        """Test the property `name` of the objects in this list. At least one object must pass.

        >>> print(prop("items").any("price").greater_than(10))
        any of price in items is more than 10
        """
        return Aggregate(self.name, "any", _name(name))

    def all(self, name: str) -> Aggregate:
        """Test the property `name` of the objects in this list. All objects must pass.

        >>> print(prop("items").all("price").greater_than(10))
        all of price in items is more than 10
        """
        return Aggregate(self.name, "all", _name(name))

    def sum(self, name: str) -> Aggregate:
        """Test the sum of the property `name` of the objects in this list.

        >>> print(prop("items").sum("price").greater_than(10))
        sum of price in items is more than 10
        """
        return Aggregate(self.name, "sum", _name(name))

    def product(self, name: str) -> Aggregate:
        """Test the product of the property `name` of the objects in this list.

        >>> print(prop("items").product("price").greater_than(10))
        product of price in items is more than 10
        """
        return Aggregate(self.name, "product", _name(name))

    def count(self, name: str) -> Aggregate:
        """Test the number of objects in this list that have the property `name`.

        >>> print(prop("items").count("price").greater_than(10))
        count of price in items is more than 10
        """
        return Aggregate(self.name, "count", _name(name))

    def mean(self, name: str) -> Aggregate:
        """Test the mean of the property `name` of the objects in this list.

        >>> print(prop("items").mean("price").greater_than(10))
        mean of price in items is more than 10
        """
        return Aggregate(self.name, "mean", _name(name))

    def _tested(self, operation: Operation) -> Condition:
        return PropertyTest(self.name, operation)

    def __repr__(self) -> str:
        """Show the code that makes the property."""
        return f"prop({literal(self.name)})"


@dataclass(frozen=True, repr=False)
class Aggregate(Testable):
    """The result of a function over the objects in a list; see :class:`Property`.

    Permutive has not published what its functions do with objects that lack the property.
    """

    name: str
    function: str
    of: str
    filter: Condition | None = None

    def where(self, condition: Condition) -> Aggregate:
        """Count only objects that fulfil a condition; after a second call, they must fulfil both.

        >>> acme = prop("brand").equal_to("Acme")
        >>> print(prop("items").sum("price").where(acme).greater_than(10))
        sum of price in items where brand is "Acme" is more than 10
        """
        return replace(self, filter=both(self.filter, condition))

    def _tested(self, operation: Operation) -> Condition:
        return AggregateTest(self, operation)

    def __repr__(self) -> str:
        """Show the code that makes the condition."""
        start = f"{Property(self.name)!r}.{self.function}({literal(self.of)})"
        return refined(start, self.filter)


@dataclass(frozen=True, eq=False, repr=False)
class PropertyTest(Condition):
    """A property and its test."""

    name: str
    operation: Operation

    def to_json(self) -> dict[str, Any]:
        """Return the condition in the form of the grammar."""
        return {"property": self.name, "condition": self.operation.to_json()}

    def __invert__(self) -> PropertyTest:
        """Return the same test with the opposite operator."""
        opposite = opposite_of(self.operation)
        if opposite is None:
            return super().__invert__()
        return replace(self, operation=opposite)

    def _to_phrase(self) -> str:
        return f"{self.name} {self.operation.describe()}"

    def __repr__(self) -> str:
        """Show the code that makes the condition."""
        return f"{Property(self.name)!r}.{self.operation!r}"


@dataclass(frozen=True, eq=False, repr=False)
class Emptiness(Condition):
    """Whether a property is empty, written as a word. The grammar also has an operator for it."""

    name: str
    operator: str

    def to_json(self) -> dict[str, Any]:
        """Return the condition in the form of the grammar."""
        return {"property": self.name, "condition": self.operator}

    def __invert__(self) -> Emptiness:
        """Return the opposite."""
        [opposite] = set(_EMPTINESS) - {self.operator}
        return replace(self, operator=opposite)

    def _to_phrase(self) -> str:
        return f"{self.name} {_EMPTINESS[self.operator]}"

    def __repr__(self) -> str:
        """Show the code that makes the condition."""
        return f"{Property(self.name)!r}.{self.operator}()"


@dataclass(frozen=True, eq=False, repr=False)
class AggregateTest(Condition):
    """An aggregate and its test."""

    aggregate: Aggregate
    operation: Operation

    def to_json(self) -> dict[str, Any]:
        """Return the condition in the form of the grammar."""
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

    def __repr__(self) -> str:
        """Show the code that makes the condition."""
        return f"{self.aggregate!r}.{self.operation!r}"


def _name(name: str) -> str:
    return Node(name, "property").text()


def read_condition(node: Node) -> Condition:
    """Read a condition, the value of ``where``, from JSON data."""
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
