"""Comparisons with a number, and time windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .reading import Node, QueryError

# The phrase of each comparison.
_PHRASES = {
    "greater_than_or_equal_to": "at least",
    "greater_than": "more than",
    "equal_to": "exactly",
    "less_than_or_equal_to": "at most",
    "less_than": "fewer than",
}
_UNITS = ("minutes", "hours", "days", "weeks", "months")
THIS_SESSION = "this_session"


@dataclass(frozen=True, repr=False)
class Comparison:
    """A comparison with a number; :func:`at_least` and similar functions make one."""

    operator: str
    number: float

    def to_json(self) -> dict[str, float]:
        """Return the comparison in the form of the grammar."""
        return {self.operator: self.number}

    def describe(self) -> str:
        """Return it in words."""
        return f"{_PHRASES[self.operator]} {self.number}"

    def __repr__(self) -> str:
        """Show the code that makes the comparison."""
        return f"{_PHRASES[self.operator].replace(' ', '_')}({self.number})"


def at_least(number: float) -> Comparison:
    """Require `number` or more.

    >>> print(engaged_time(at_least(30)))
    Users who were engaged for at least 30 seconds
    """
    return Comparison("greater_than_or_equal_to", _checked(number))


def more_than(number: float) -> Comparison:
    """Require more than `number`.

    >>> print(engaged_time(more_than(30)))
    Users who were engaged for more than 30 seconds
    """
    return Comparison("greater_than", _checked(number))


def exactly(number: float) -> Comparison:
    """Require exactly `number`.

    >>> print(engaged_time(exactly(30)))
    Users who were engaged for exactly 30 seconds
    """
    return Comparison("equal_to", _checked(number))


def at_most(number: float) -> Comparison:
    """Require `number` or less.

    >>> print(engaged_time(at_most(30)))
    Users who were engaged for at most 30 seconds
    """
    return Comparison("less_than_or_equal_to", _checked(number))


def fewer_than(number: float) -> Comparison:
    """Require less than `number`.

    >>> print(engaged_time(fewer_than(30)))
    Users who were engaged for fewer than 30 seconds
    """
    return Comparison("less_than", _checked(number))


def _checked(number: float) -> float:
    node = Node(number, "number")
    if node.number() < 0:
        raise node.refusal("a number of 0 or more is expected")
    return node.number()


def read_comparison(node: Node) -> Comparison:
    """Read a comparison from JSON data."""
    operator, number = node.only_member(_PHRASES)
    return Comparison(operator, number.number())


@dataclass(frozen=True, repr=False)
class Window:
    """A time window that ends now; ``in_the_last()`` and ``in_this_session()`` make one.

    Parameters
    ----------
    length : int
        The number of units; 0 for the current session.
    unit : str
        A unit of time, or "this_session".
    """

    length: int
    unit: str

    def to_json(self) -> Any:
        """Return the window in the form of the grammar."""
        if self.unit == THIS_SESSION:
            return THIS_SESSION
        return {"the_last": {"unit": self.unit, "value": self.length}}

    def describe(self) -> str:
        """Return it in words."""
        if self.unit == THIS_SESSION:
            return "in this session"
        if self.length == 1:
            return f"in the last {self.unit[:-1]}"
        return f"in the last {self.length} {self.unit}"

    def __repr__(self) -> str:
        """Show the method call of a clause that makes the window."""
        if self.unit == THIS_SESSION:
            return "in_this_session()"
        return f"in_the_last({self.unit}={self.length})"


IN_THIS_SESSION = Window(0, THIS_SESSION)


def window(units: dict[str, int | None]) -> Window:
    """Make a window from the lengths of all units; exactly one of them is not None.

    Raises
    ------
    QueryError
        If no unit or several are given, or the length is not a whole number of 1 or more.
    """
    given = [(unit, length) for unit, length in units.items() if length is not None]
    if len(given) != 1:
        raise QueryError(
            f"in_the_last() takes one of {', '.join(_UNITS)}, got "
            f"{' and '.join(unit for unit, _ in given) or 'none'}."
        )
    [(unit, length)] = given
    return Window(_length(Node(length, unit)), unit)


def _length(node: Node) -> int:
    if node.whole() < 1:
        raise node.refusal("a whole number of 1 or more is expected")
    return node.whole()


def read_window(node: Node) -> Window:
    """Read a window from JSON data; its unit may be singular or plural."""
    if isinstance(node.data, str):
        node.one_of([THIS_SESSION])
        return IN_THIS_SESSION
    _, last = node.only_member(["the_last"])
    members = last.members(required=["unit", "value"])
    unit = members["unit"].one_of([*_UNITS, *(unit[:-1] for unit in _UNITS)])
    length = _length(members["value"])
    return Window(length, unit if unit.endswith("s") else f"{unit}s")
