"""What queries and their conditions have in common: ``~``, equality, sentences, and how several are joined."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

from .._Utils.encoding import SelfEncoding
from .reading import QueryError

L = TypeVar("L", bound="Logical")

_JOIN: Mapping[str, Callable[[Any, Any], Any]] = {
    "and": lambda one, other: one & other,
    "or": lambda one, other: one | other,
}
_OPPOSITE = {"and": "or", "or": "and"}


class Logical(SelfEncoding):
    """Something true or false. Immutable; two are equal when the same JSON is sent for them."""

    @abstractmethod
    def to_json(self) -> Any:
        """Return it as the grammar writes it."""

    @abstractmethod
    def describe(self) -> str:
        """Return the words that a colleague would read."""

    def __str__(self) -> str:
        """Say it in words; ``repr()`` shows how it is made."""
        return self.describe()

    @abstractmethod
    def _to_phrase(self) -> str:
        """Say it as a part of a sentence."""

    def _parts_of(self, joiner: str) -> tuple[Any, ...]:
        """Return the parts that this word joins; what is not joined by it is one part."""
        return (self,)

    def __invert__(self: L) -> L:
        """Return the opposite; :class:`QueryError` where the grammar has no negative form."""
        raise QueryError(
            f"The grammar has no negative form of this part: {self._to_phrase()}"
        )

    def __bool__(self) -> bool:
        """Refuse ``and``, ``or``, ``not`` and ``if``, which would silently drop a part."""
        raise TypeError(
            "Write & for and, | for or, ~ for not, with parentheses around."
        )

    def __eq__(self, other: object) -> bool:
        """Compare what is sent, also with plain JSON data."""
        if self is other:
            return True
        if not isinstance(other, (Logical, Mapping)):
            return NotImplemented
        try:
            if isinstance(other, Logical):
                other = other.to_json()
            return canonical(self.to_json()) == canonical(other)
        except (TypeError, ValueError):  # One cannot be sent, or is no JSON.
            return False

    def __hash__(self) -> int:
        """Hash what is sent; what cannot be sent is equal to itself alone."""
        try:
            return hash(canonical(self.to_json()))
        except QueryError:
            return object.__hash__(self)


def canonical(data: Any) -> str:
    """Return the same text for the same JSON data; 1 and true, equal in Python, differ there."""
    return json.dumps(data, sort_keys=True)


@dataclass(frozen=True, eq=False, repr=False)
class Joint(Logical):
    """Two or more parts, joined by "and" or by "or"; none of them is joined by the same word.

    A pattern takes it apart, such as ``JointQuery(joiner, parts)``.
    """

    _joiner: str
    _parts: tuple[Any, ...]

    def _parts_of(self, joiner: str) -> tuple[Any, ...]:
        return self._parts if joiner == self._joiner else (self,)

    def __invert__(self) -> Any:
        """Return the opposites of the parts, joined by the other word."""
        return joined(_OPPOSITE[self._joiner], (~part for part in self._parts))

    def _to_phrase(self) -> str:
        phrases = (nested(part, part._to_phrase()) for part in self._parts)
        return f" {self._joiner} ".join(phrases)

    def __repr__(self) -> str:
        """Show the code that makes it; ``|`` stands in parentheses beside ``&``."""
        if self._joiner == "or":
            return " | ".join(map(repr, self._parts))
        return " & ".join(nested(part, repr(part)) for part in self._parts)


def joined(joiner: str, parts: Iterable[L]) -> L:
    """Return all parts, joined by "and" or by "or"."""
    return reduce(_JOIN[joiner], parts)


def nested(part: Logical, text: str) -> str:
    """Return a text about a part of something else, in parentheses where the part has parts itself."""
    return f"({text})" if isinstance(part, Joint) else text
