"""What clauses share: a condition that selects events, and a time window."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import is_dataclass, replace
from typing import Any, TypeVar, cast

from .conditions import Condition, both, filtered
from .numbers import IN_THIS_SESSION, Comparison, Window, read_window, window
from .operators import Operation, is_written
from .properties import read_condition
from .query import Clause
from .reading import Node, QueryError
from .writing import literal

F = TypeVar("F", bound="Filtered")
T = TypeVar("T", bound="Timed")


class Filtered(Clause):
    """A clause about events; ``where`` selects those that count."""

    condition: Condition | None

    def where(self: F, condition: Condition) -> F:
        """Count only events that fulfil a condition; after a second call, they must fulfil both.

        >>> print(event("Pageview").where(prop("title").contains("Sport")))
        Users who had at least 1 "Pageview" event where title contains "Sport"
        """
        return replace(cast("Any", self), condition=both(self.condition, condition))

    @abstractmethod
    def _to_code(self) -> str:
        """Return the code that makes the clause."""

    def __repr__(self) -> str:
        """Show the code that makes the clause; one that only from_json() can make is shown as JSON."""
        if _is_only_read(self):
            return f"from_json({literal(self.to_json())})"
        return self._to_code()


def _is_only_read(part: Any) -> bool:
    """Tell whether only from_json() can make a part, such as a number below 0."""
    if isinstance(part, Comparison):
        return part.number < 0
    if isinstance(part, Operation):
        return not is_written(part)
    if isinstance(part, tuple):
        return any(map(_is_only_read, cast("tuple[Any, ...]", part)))
    return is_dataclass(part) and any(map(_is_only_read, vars(part).values()))


class Timed(Clause):
    """A clause that may have a time window."""

    during: Window | None

    def in_the_last(
        self: T,
        *,
        minutes: int | None = None,
        hours: int | None = None,
        days: int | None = None,
        weeks: int | None = None,
        months: int | None = None,
    ) -> T:
        """Look at the time up to now. Give exactly one of the units.

        >>> print(event("Pageview").in_the_last(days=30))
        Users who had at least 1 "Pageview" event in the last 30 days
        """
        units = {"minutes": minutes, "hours": hours, "days": days, "weeks": weeks, "months": months}
        return self._looking_back(window(units))

    def in_this_session(self: T) -> T:
        """Look only at the current session.

        >>> print(event("Pageview").in_this_session())
        Users who had at least 1 "Pageview" event in this session
        """
        return self._looking_back(IN_THIS_SESSION)

    def _looking_back(self: T, during: Window) -> T:
        if self.during is not None:
            raise QueryError(f"A clause takes one time window; it has: {self.during.describe()}")
        return replace(cast("Any", self), during=during)


def optional_members(condition: Condition | None, during: Window | None) -> dict[str, Any]:
    """Return the members ``where`` and ``during`` in the form of the grammar."""
    members: dict[str, Any] = {}
    if condition is not None:
        members["where"] = condition.to_json()
    if during is not None:
        members["during"] = during.to_json()
    return members


def read_optional(members: dict[str, Node]) -> dict[str, Any]:
    """Read the members ``where`` and ``during``, and return them as fields of a clause."""
    read: dict[str, Any] = {}
    if "where" in members:
        read["condition"] = read_condition(members["where"])
    if "during" in members:
        read["during"] = read_window(members["during"])
    return read


def tail_of(condition: Condition | None, during: Window | None = None) -> str:
    """Return the end of a sentence: the time window, and the condition."""
    when = f" {during.describe()}" if during is not None else ""
    return when + filtered(condition)
