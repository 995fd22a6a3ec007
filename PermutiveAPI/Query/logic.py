"""What queries and their conditions have in common: ``~``, equality, words, and how several are joined."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
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
    def words(self) -> str:
        """Say it as a part of a sentence."""

    def words_inside(self) -> str:
        """Say it as a part of something else, in parentheses where that is clearer."""
        return self.words()

    def negated(self: L) -> L:
        """Return the opposite; :class:`QueryError` where the grammar has no negative form."""
        raise QueryError(
            f"The grammar has no negative form of this part: {self.words()}"
        )

    def parts_of(self: L, joiner: str) -> tuple[L, ...]:
        """Return the parts of which it is made with "and", or with "or"."""
        return (self,)

    def __invert__(self: L) -> L:
        """Return the opposite."""
        return self.negated()

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


def joined(joiner: str, parts: Iterable[L]) -> L:
    """Return all parts, joined by "and" or by "or"."""
    return reduce(_JOIN[joiner], parts)


class Joint(Logical):
    """Several parts, joined by "and" or by "or".

    Parameters
    ----------
    joiner : str
        "and" or "or".
    parts : tuple
        Two or more, none of them joined by the same word.
    """

    def __init__(self, joiner: str, parts: tuple[Any, ...]) -> None:
        self._joiner = joiner
        self._parts = parts

    @property
    def joiner(self) -> str:
        """The word between the parts."""
        return self._joiner

    @property
    def parts(self) -> tuple[Any, ...]:
        """The parts."""
        return self._parts

    def parts_of(self, joiner: str) -> tuple[Any, ...]:
        """Return the parts, or this as one part of something else."""
        return self._parts if joiner == self._joiner else (self,)

    def negated(self) -> Any:
        """Negate every part, and join them by the other word."""
        opposites = (part.negated() for part in self._parts)
        return joined(_OPPOSITE[self._joiner], opposites)

    def words(self) -> str:
        """Say the parts, those that are joined themselves in parentheses."""
        return f" {self._joiner} ".join(part.words_inside() for part in self._parts)

    def words_inside(self) -> str:
        """Say the parts in parentheses."""
        return f"({self.words()})"

    def __repr__(self) -> str:
        """Show how it is written."""
        symbol = {"and": "&", "or": "|"}[self._joiner]
        return f"({f' {symbol} '.join(map(repr, self._parts))})"
