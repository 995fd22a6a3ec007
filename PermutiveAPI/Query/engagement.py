"""Engagement clauses: for how long and how far a user read or watched.

Source: the fuller cohort grammar of clients that use the live service; Permutive has not confirmed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .clauses import Filtered, Timed, optional_members, read_optional, tail_of
from .conditions import Condition
from .numbers import Comparison, Window, at_least, read_comparison
from .query import reads
from .reading import Node, QueryError


def engaged_time(seconds: Comparison) -> EngagedTime:
    """Say for how many seconds a user was engaged: ``engaged_time(at_least(30))``."""
    return EngagedTime(_comparison("seconds", seconds))


def engaged_completion(completion: Comparison) -> EngagedCompletion:
    """Say how much of what a user saw was seen to its end: ``engaged_completion(at_least(0.5))``."""
    return EngagedCompletion(_comparison("completion", completion))


def engaged_views(seconds: Comparison, times: Comparison | None = None) -> EngagedViews:
    """Say how many views, at least one unless given, a user was engaged in for how many seconds."""
    times = at_least(1) if times is None else _comparison("times", times)
    return EngagedViews(_comparison("seconds", seconds), times)


@dataclass(frozen=True, eq=False)
class EngagedTime(Filtered, Timed):
    """For how long a user was engaged; see :func:`engaged_time`."""

    seconds: Comparison
    condition: Condition | None = None
    during: Window | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        optional = optional_members(self.condition, self.during)
        return {"engaged_time": {"seconds": self.seconds.to_json(), **optional}}

    def _to_phrase(self) -> str:
        tail = tail_of(self.condition, self.during)
        return f"were engaged for {self.seconds.describe()} seconds{tail}"


@reads("engaged_time")
def read_engaged_time(node: Node) -> EngagedTime:
    """Read such a clause from JSON data."""
    _, inner = node.only_member(["engaged_time"])
    members = inner.members(["seconds"], ["where", "during"])
    return EngagedTime(read_comparison(members["seconds"]), **read_optional(members))


@dataclass(frozen=True, eq=False)
class EngagedCompletion(Filtered):
    """How much a user saw to its end; see :func:`engaged_completion`."""

    completion: Comparison
    condition: Condition | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        optional = optional_members(self.condition, None)
        return {
            "engaged_completion": {"completion": self.completion.to_json(), **optional}
        }

    def _to_phrase(self) -> str:
        tail = tail_of(self.condition)
        return f"reached a completion of {self.completion.describe()}{tail}"


@reads("engaged_completion")
def read_engaged_completion(node: Node) -> EngagedCompletion:
    """Read such a clause from JSON data."""
    _, inner = node.only_member(["engaged_completion"])
    members = inner.members(["completion"], ["where"])
    return EngagedCompletion(
        read_comparison(members["completion"]), **read_optional(members)
    )


@dataclass(frozen=True, eq=False)
class EngagedViews(Filtered, Timed):
    """How many views a user was engaged in; see :func:`engaged_views`."""

    seconds: Comparison
    times: Comparison
    condition: Condition | None = None
    during: Window | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as the grammar writes it."""
        inner = {
            "engaged_time": self.seconds.to_json(),
            "times": self.times.to_json(),
            **optional_members(self.condition, self.during),
        }
        return {"engaged_views": inner}

    def _to_phrase(self) -> str:
        noun = "view" if self.times.number == 1 else "views"
        tail = tail_of(self.condition, self.during)
        return f"had {self.times.describe()} {noun} of {self.seconds.describe()} engaged seconds{tail}"


@reads("engaged_views")
def read_engaged_views(node: Node) -> EngagedViews:
    """Read such a clause from JSON data."""
    _, inner = node.only_member(["engaged_views"])
    members = inner.members(["engaged_time", "times"], ["where", "during"])
    seconds = read_comparison(members["engaged_time"])
    times = read_comparison(members["times"])
    return EngagedViews(seconds, times, **read_optional(members))


def _comparison(name: str, value: Any) -> Comparison:
    if not isinstance(value, Comparison):
        raise QueryError(
            f"{name} must be a comparison such as at_least(30), got {value!r}."
        )
    return value
