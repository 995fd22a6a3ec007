"""Conditions on an event's properties: what stands in ``where``, and how several are joined."""

from __future__ import annotations

from typing import Any

from .logic import Joint, Logical, nested
from .reading import QueryError


class Condition(Logical):
    """A condition on an event's properties; made by :func:`prop`, joined by ``&`` and ``|``."""

    # A cohort refuses it as its query: it lacks the event.
    _stands_alone = False

    def describe(self) -> str:
        """Return the words that a colleague would read."""
        return self._to_phrase()

    def __and__(self, other: Condition) -> Condition:
        """Both are true."""
        return self._joined("and", other)

    def __or__(self, other: Condition) -> Condition:
        """One of the two is true, or both."""
        return self._joined("or", other)

    def _joined(self, joiner: str, other: object) -> Condition:
        if not isinstance(other, Condition):
            return NotImplemented
        parts = (*self._parts_of(joiner), *other._parts_of(joiner))
        return JointCondition(joiner, parts)


class JointCondition(Joint, Condition):
    """Conditions joined by "and" or by "or"."""

    def to_json(self) -> dict[str, Any]:
        """Return them as the grammar writes them: nested as they are."""
        return {self._joiner: [part.to_json() for part in self._parts]}


def filtered(condition: Condition | None) -> str:
    """Say the condition after what it filters, several in parentheses."""
    if condition is None:
        return ""
    return f" where {nested(condition, condition.describe())}"


def both(one: Condition | None, other: Any) -> Condition:
    """Return one condition and another, where there is one yet.

    Raises
    ------
    QueryError
        If the other one is none.
    """
    if not isinstance(other, Condition):
        raise QueryError(
            f'where() takes a condition, such as prop("name").contains("text"), got {other!r}.'
        )
    return other if one is None else one & other
