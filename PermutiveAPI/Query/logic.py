"""What queries and conditions share: ``~``, equality, ``describe()``, and how several are joined."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeVar

from .._Utils.codec.encoding import SelfEncoding, canonical
from .reading import QueryError

L = TypeVar("L", bound="Logical")

_JOIN: Mapping[str, Callable[[Any, Any], Any]] = {
    "and": lambda one, other: one & other,
    "or": lambda one, other: one | other,
}
_OPPOSITE = {"and": "or", "or": "and"}


class Logical(SelfEncoding):
    """A query or a condition. It never changes, and it equals everything that is sent as the same JSON."""

    @abstractmethod
    def to_json(self) -> Any:
        """Return it in the form of the grammar.

        >>> prop("title").contains("Sport").to_json()
        {'property': 'title', 'condition': {'contains': 'Sport'}}
        """

    @abstractmethod
    def describe(self) -> str:
        """Return it in plain words."""

    def __str__(self) -> str:
        """Return it in plain words; ``repr()`` shows the code that makes it."""
        return self.describe()

    @abstractmethod
    def _to_phrase(self) -> str:
        """Return it as a part of a sentence."""

    def _parts_of(self, joiner: str) -> tuple[Any, ...]:
        """Return its parts if this word joins them; otherwise return it as the only part."""
        return (self,)

    def __invert__(self: L) -> L:
        """Return the opposite; raise :class:`QueryError` if the grammar has no negative form."""
        raise QueryError(f"The grammar has no negative form of this part: {self._to_phrase()}")

    def __bool__(self) -> bool:
        """Raise TypeError for ``and``, ``or``, ``not`` and ``if``, which would silently drop a part."""
        raise TypeError(
            "Write & for and, | for or, ~ for not, and put parentheses around each part."
        )

    def __eq__(self, other: object) -> bool:
        """Compare the JSON that is sent; the other side may be plain JSON data."""
        if self is other:
            return True
        if not isinstance(other, (Logical, Mapping)):
            return NotImplemented
        try:
            if isinstance(other, Logical):
                other = other.to_json()
            return canonical(self.to_json()) == canonical(other)
        except (TypeError, ValueError):  # One side cannot be sent, or is not JSON.
            return False

    def __hash__(self) -> int:
        """Hash the JSON that is sent. A query that cannot be sent equals only itself."""
        try:
            return hash(canonical(self.to_json()))
        except QueryError:
            return object.__hash__(self)


@dataclass(frozen=True, eq=False, repr=False)
class Joint(Logical):
    """Two or more parts, joined by "and" or "or". No part is itself joined by the same word.

    To read the parts, match a pattern such as ``JointQuery(joiner, parts)``.
    """

    _joiner: str
    _parts: tuple[Any, ...]

    def _parts_of(self, joiner: str) -> tuple[Any, ...]:
        return self._parts if joiner == self._joiner else (self,)

    def __invert__(self) -> Any:
        """Negate every part, and join the parts by the other word."""
        return joined(_OPPOSITE[self._joiner], (~part for part in self._parts))

    def _to_phrase(self) -> str:
        phrases = (nested(part, part._to_phrase()) for part in self._parts)
        return f" {self._joiner} ".join(phrases)

    def __repr__(self) -> str:
        """Show the code that makes it. An "or" inside an "and" gets parentheses."""
        if self._joiner == "or":
            return " | ".join(map(repr, self._parts))
        return " & ".join(nested(part, repr(part)) for part in self._parts)


def joined(joiner: str, parts: Iterable[L]) -> L:
    """Join all parts by "and" or "or"."""
    return reduce(_JOIN[joiner], parts)


def nested(part: Logical, text: str) -> str:
    """Put the text of a part in parentheses if the part has parts itself."""
    return f"({text})" if isinstance(part, Joint) else text
