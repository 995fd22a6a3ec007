"""The event clause: how often a user had an event.

Source: Permutive documents this clause, with ``contains`` and ``the_last``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .clauses import Filtered, Timed, optional_members, read_optional, tail_of
from .conditions import Condition
from .numbers import (
    Comparison,
    Window,
    at_least,
    at_most,
    exactly,
    fewer_than,
    more_than,
    read_comparison,
)
from .query import reads
from .reading import Node, QueryError
from .writing import literal, refined


def event(name: str) -> EventClause:
    """Require that a user had an event: at least once, unless a method of the clause says otherwise.

    Parameters
    ----------
    name : str
        The event's name, for instance "Pageview".

    Raises
    ------
    QueryError
        If the name is blank.

    Examples
    --------
    >>> event("Pageview").at_least(2).in_the_last(days=30).to_json()
    {'event': 'Pageview', 'frequency': {'greater_than_or_equal_to': 2}, 'during': {'the_last': {'unit': 'days', 'value': 30}}}
    """
    return EventClause(Node(name, "event").text())


@dataclass(frozen=True, eq=False, repr=False)
class EventClause(Filtered, Timed):
    """How often a user had an event; see :func:`event`."""

    name: str
    frequency: Comparison | None = None
    condition: Condition | None = None
    during: Window | None = None

    def at_least(self, times: float) -> EventClause:
        """Require `times` events or more.

        >>> print(event("Pageview").at_least(2))
        Users who had at least 2 "Pageview" events
        """
        return self._as_often_as(at_least(times))

    def more_than(self, times: float) -> EventClause:
        """Require more than `times` events.

        >>> print(event("Pageview").more_than(2))
        Users who had more than 2 "Pageview" events
        """
        return self._as_often_as(more_than(times))

    def exactly(self, times: float) -> EventClause:
        """Require exactly `times` events.

        >>> print(event("Pageview").exactly(2))
        Users who had exactly 2 "Pageview" events
        """
        return self._as_often_as(exactly(times))

    def at_most(self, times: float) -> EventClause:
        """Require `times` events or fewer. Permutive does not say whether users without any event count.

        >>> print(event("Pageview").at_most(2))
        Users who had at most 2 "Pageview" events
        """
        return self._as_often_as(at_most(times))

    def fewer_than(self, times: float) -> EventClause:
        """Require fewer than `times` events. Permutive does not say whether users without any event count.

        >>> print(event("Pageview").fewer_than(2))
        Users who had fewer than 2 "Pageview" events
        """
        return self._as_often_as(fewer_than(times))

    def _as_often_as(self, frequency: Comparison) -> EventClause:
        if self.frequency is not None:
            raise QueryError(
                f"A clause has one number; it has: {self.frequency.describe()}. Join two clauses by &."
            )
        return replace(self, frequency=frequency)

    def to_json(self) -> dict[str, Any]:
        """Return the clause in the form of the grammar."""
        frequency = self.frequency or at_least(1)
        return {
            "event": self.name,
            "frequency": frequency.to_json(),
            **optional_members(self.condition, self.during),
        }

    def _to_phrase(self) -> str:
        frequency = self.frequency or at_least(1)
        noun = "event" if frequency.number == 1 else "events"
        tail = tail_of(self.condition, self.during)
        return f'had {frequency.describe()} "{self.name}" {noun}{tail}'

    def _to_code(self) -> str:
        start = f"event({literal(self.name)})"
        return refined(start, self.condition, self.frequency, self.during)


@reads("event")
def read_event(node: Node) -> EventClause:
    """Read an event clause from JSON data."""
    members = node.members(["event", "frequency"], ["where", "during"])
    frequency = read_comparison(members["frequency"])
    return EventClause(members["event"].text(), frequency, **read_optional(members))
