"""What clauses share: conditions on the events that count, and how far back to look."""

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
    """A clause about events, of which ``where`` takes some."""

    condition: Condition | None

    def where(self: F, condition: Condition) -> F:
        """Count only events that fulfil a condition; a second one must be fulfilled, too."""
        return replace(cast("Any", self), condition=both(self.condition, condition))

    @abstractmethod
    def _to_code(self) -> str:
        """Return the code that makes it."""

    def __repr__(self) -> str:
        """Show the code that makes it."""
        if _is_only_read(self):
            return f"from_json({literal(self.to_json())})"
        return self._to_code()


def _is_only_read(part: Any) -> bool:
    """Tell whether a part was read that users cannot write, such as a number below 0."""
    if isinstance(part, Comparison):
        return part.number < 0
    if isinstance(part, Operation):
        return not is_written(part)
    if isinstance(part, tuple):
        return any(map(_is_only_read, cast("tuple[Any, ...]", part)))
    return is_dataclass(part) and any(map(_is_only_read, vars(part).values()))


class Timed(Clause):
    """A clause that looks back for a limited time."""

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
        """Look back so far; exactly one unit is given."""
        units = {
            "minutes": minutes,
            "hours": hours,
            "days": days,
            "weeks": weeks,
            "months": months,
        }
        return self._looking_back(window(units))

    def in_this_session(self: T) -> T:
        """Look at the current session only."""
        return self._looking_back(IN_THIS_SESSION)

    def _looking_back(self: T, during: Window) -> T:
        if self.during is not None:
            raise QueryError(
                f"A clause looks back once; it has: {self.during.describe()}"
            )
        return replace(cast("Any", self), during=during)


def optional_members(
    condition: Condition | None, during: Window | None
) -> dict[str, Any]:
    """Return the members ``where`` and ``during`` as the grammar writes them."""
    members: dict[str, Any] = {}
    if condition is not None:
        members["where"] = condition.to_json()
    if during is not None:
        members["during"] = during.to_json()
    return members


def read_optional(members: dict[str, Node]) -> dict[str, Any]:
    """Read the members ``where`` and ``during``, as a clause takes them."""
    read: dict[str, Any] = {}
    if "where" in members:
        read["condition"] = read_condition(members["where"])
    if "during" in members:
        read["during"] = read_window(members["during"])
    return read


def tail_of(condition: Condition | None, during: Window | None = None) -> str:
    """Say when, and with what."""
    when = f" {during.describe()}" if during is not None else ""
    return when + filtered(condition)
