"""Conditions on the properties of events, and how several are joined."""

from __future__ import annotations

from typing import Any

from .logic import Joint, Logical, nested
from .reading import QueryError


class Condition(Logical):
    """A condition on the properties of an event. :func:`prop` makes one; ``&`` and ``|`` join several.

    Examples
    --------
    >>> condition = prop("title").contains("Sport") & ~prop("author").equal_to("Ada")
    >>> print(condition)
    title contains "Sport" and author is not "Ada"
    """

    # It names no event, so a cohort refuses it as its query.
    _stands_alone = False

    def describe(self) -> str:
        """Return the condition in plain words.

        >>> prop("title").contains("Sport").describe()
        'title contains "Sport"'
        """
        return self._to_phrase()

    def __and__(self, other: Condition) -> Condition:
        """Require both."""
        return self._joined("and", other)

    def __or__(self, other: Condition) -> Condition:
        """Require one of the two, or both."""
        return self._joined("or", other)

    def _joined(self, joiner: str, other: object) -> Condition:
        if not isinstance(other, Condition):
            return NotImplemented
        parts = (*self._parts_of(joiner), *other._parts_of(joiner))
        return JointCondition(joiner, parts)


class JointCondition(Joint, Condition):
    """Conditions joined by "and" or "or"."""

    def to_json(self) -> dict[str, Any]:
        """Return the conditions in the form of the grammar, nested as they were written."""
        return {self._joiner: [part.to_json() for part in self._parts]}


def filtered(condition: Condition | None) -> str:
    """Return the end of a phrase: which events or objects count."""
    if condition is None:
        return ""
    return f" where {nested(condition, condition.describe())}"


def both(one: Condition | None, other: Any) -> Condition:
    """Join two conditions by "and"; the first may be None.

    Raises
    ------
    QueryError
        If `other` is not a condition.
    """
    if not isinstance(other, Condition):
        raise QueryError(
            f'where() takes a condition, such as prop("name").contains("text"), got {other!r}.'
        )
    return other if one is None else one & other
