"""Engagement clauses: for how long a user was engaged, and how much of a page or video the user saw.

Source: the cohort grammar of clients that use the live service; Permutive has not confirmed all of it. Permutive
documents that ``engaged_views`` counts views by engaged time or by completion, but not how the second is written. The
member ``completion`` is an assumption, after the model of ``engaged_completion``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

from .clauses import Filtered, Timed, optional_members, read_optional, tail_of
from .conditions import Condition
from .numbers import Comparison, Window, at_least, read_comparison
from .query import reads
from .reading import Node, QueryError
from .writing import refined


def engaged_time(seconds: Comparison) -> EngagedTime:
    """Require a number of engaged seconds.

    >>> print(engaged_time(at_least(30)))
    Users who were engaged for at least 30 seconds
    """
    return EngagedTime(_comparison("seconds", seconds))


def engaged_completion(completion: Comparison) -> EngagedCompletion:
    """Require that a user saw a part of a page or video.

    >>> print(engaged_completion(at_least(0.5)))
    Users who reached a completion of at least 0.5
    """
    return EngagedCompletion(_comparison("completion", completion))


@overload
def engaged_views(seconds: Comparison, times: Comparison | None = None) -> EngagedViews: ...
@overload
def engaged_views(*, completion: Comparison, times: Comparison | None = None) -> EngagedViews: ...
def engaged_views(
    seconds: Comparison | None = None,
    times: Comparison | None = None,
    *,
    completion: Comparison | None = None,
) -> EngagedViews:
    """Require a number of views, each with a number of engaged seconds or with a completion.

    Parameters
    ----------
    seconds : Comparison, optional
        The engaged seconds of each view that counts.
    times : Comparison, optional
        The number of such views; at least 1 by default.
    completion : Comparison, optional
        The completion of each view that counts, instead of `seconds`. Permutive has not confirmed how
        the service expects it.

    Raises
    ------
    QueryError
        If not exactly one of `seconds` and `completion` is given.

    Examples
    --------
    >>> engaged_views(at_least(30), times=at_least(2)).describe()
    'Users who had at least 2 views of at least 30 engaged seconds'
    >>> engaged_views(completion=at_least(0.5)).describe()
    'Users who had at least 1 view with a completion of at least 0.5'
    """
    if (seconds is None) is (completion is None):
        got = "neither" if seconds is None else "both"
        raise QueryError(
            f"engaged_views() takes seconds or completion, exactly one of the two, got {got}."
        )
    times = at_least(1) if times is None else _comparison("times", times)
    if seconds is not None:
        return EngagedViews("engaged_time", _comparison("seconds", seconds), times)
    return EngagedViews("completion", _comparison("completion", completion), times)


@dataclass(frozen=True, eq=False, repr=False)
class EngagedTime(Filtered, Timed):
    """For how long a user was engaged; see :func:`engaged_time`."""

    seconds: Comparison
    condition: Condition | None = None
    during: Window | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the clause in the form of the grammar."""
        optional = optional_members(self.condition, self.during)
        return {"engaged_time": {"seconds": self.seconds.to_json(), **optional}}

    def _to_phrase(self) -> str:
        tail = tail_of(self.condition, self.during)
        return f"were engaged for {self.seconds.describe()} seconds{tail}"

    def _to_code(self) -> str:
        start = f"engaged_time({self.seconds!r})"
        return refined(start, self.condition, self.during)


@reads("engaged_time")
def read_engaged_time(node: Node) -> EngagedTime:
    """Read this clause from JSON data."""
    _, inner = node.only_member(["engaged_time"])
    members = inner.members(["seconds"], ["where", "during"])
    return EngagedTime(read_comparison(members["seconds"]), **read_optional(members))


@dataclass(frozen=True, eq=False, repr=False)
class EngagedCompletion(Filtered):
    """How much of a page or video a user saw; see :func:`engaged_completion`."""

    completion: Comparison
    condition: Condition | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the clause in the form of the grammar."""
        optional = optional_members(self.condition, None)
        return {"engaged_completion": {"completion": self.completion.to_json(), **optional}}

    def _to_phrase(self) -> str:
        tail = tail_of(self.condition)
        return f"reached a completion of {self.completion.describe()}{tail}"

    def _to_code(self) -> str:
        start = f"engaged_completion({self.completion!r})"
        return refined(start, self.condition)


@reads("engaged_completion")
def read_engaged_completion(node: Node) -> EngagedCompletion:
    """Read this clause from JSON data."""
    _, inner = node.only_member(["engaged_completion"])
    members = inner.members(["completion"], ["where"])
    return EngagedCompletion(read_comparison(members["completion"]), **read_optional(members))


# The measures that select views, as the grammar names them, and their phrases.
_MEASURES = {"engaged_time": "of {} engaged seconds", "completion": "with a completion of {}"}


@dataclass(frozen=True, eq=False, repr=False)
class EngagedViews(Filtered, Timed):
    """How many views a user had; see :func:`engaged_views`.

    Parameters
    ----------
    measure : str
        Which views count: "engaged_time" or "completion".
    amount : Comparison
        The seconds or the completion of each view that counts.
    times : Comparison
        The number of such views.
    """

    measure: str
    amount: Comparison
    times: Comparison
    condition: Condition | None = None
    during: Window | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the clause in the form of the grammar."""
        inner = {
            self.measure: self.amount.to_json(),
            "times": self.times.to_json(),
            **optional_members(self.condition, self.during),
        }
        return {"engaged_views": inner}

    def _to_phrase(self) -> str:
        noun = "view" if self.times.number == 1 else "views"
        which = _MEASURES[self.measure].format(self.amount.describe())
        tail = tail_of(self.condition, self.during)
        return f"had {self.times.describe()} {noun} {which}{tail}"

    def _to_code(self) -> str:
        name = "completion=" if self.measure == "completion" else ""
        start = f"engaged_views({name}{self.amount!r}, times={self.times!r})"
        return refined(start, self.condition, self.during)


@reads("engaged_views")
def read_engaged_views(node: Node) -> EngagedViews:
    """Read this clause from JSON data."""
    _, inner = node.only_member(["engaged_views"])
    members = inner.members(["times"], [*_MEASURES, "where", "during"])
    given = [measure for measure in _MEASURES if measure in members]
    if len(given) != 1:
        raise inner.refusal("one of engaged_time and completion is expected")
    [measure] = given
    amount = read_comparison(members[measure])
    times = read_comparison(members["times"])
    return EngagedViews(measure, amount, times, **read_optional(members))


def _comparison(name: str, value: Any) -> Comparison:
    if not isinstance(value, Comparison):
        raise QueryError(f"{name} must be a comparison such as at_least(30), got {value!r}.")
    return value
