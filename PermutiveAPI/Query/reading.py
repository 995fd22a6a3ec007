"""Read JSON data: each node knows its place, so that an error can name it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any, cast


class QueryError(ValueError):
    """A query does not follow the grammar.

    The text names the wrong part, and says what is allowed there.

    Examples
    --------
    >>> try:
    ...     Query.from_json({"in_segmnt": 12345})
    ... except QueryError as error:
    ...     print(error)
    query: the grammar has no clause 'in_segmnt' here; did you mean "in_segment"?
    """


@dataclass(frozen=True)
class Node:
    """A node of a query's JSON data, and its place.

    Every method that reads returns the value, or raises QueryError that names the place and what is
    expected there.
    """

    data: Any
    place: str = "query"

    @property
    def names(self) -> list[str]:
        """The names of an object's members; an empty list for anything else."""
        data = self.data
        return list(cast("dict[str, Any]", data)) if isinstance(data, dict) else []

    def refusal(self, reason: str) -> QueryError:
        """Return the error that says what is wrong here."""
        return QueryError(f"{self.place}: {reason}, got {_shortened(self.data)}")

    def members(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Node]:
        """Read an object with all required members, any optional ones, and no others."""
        given = self._object()
        known = [*required, *optional]
        for name in given:
            if name not in known:
                raise self._unknown("member", name, known)
        for name in required:
            if name not in given:
                raise self.refusal(f'the member "{name}" is missing')
        return {name: self._below(name, given[name]) for name in given}

    def only_member(self, names: Iterable[str]) -> tuple[str, Node]:
        """Read an object with one member that has one of these names."""
        given = self._object()
        if len(given) != 1:
            raise self.refusal("an object with one member is expected")
        [(name, value)] = given.items()
        known = list(names)
        if name not in known:
            raise self._unknown("member", name, known)
        return name, self._below(name, value)

    def items(self) -> list[Node]:
        """Read a list that is not empty."""
        data = self.data
        if not isinstance(data, list) or not data:
            raise self.refusal("a list that is not empty is expected")
        items = enumerate(cast("list[Any]", data))
        return [Node(item, f"{self.place}[{position}]") for position, item in items]

    def one_of(self, words: Iterable[str]) -> str:
        """Read one of these words."""
        known = list(words)
        if self.data not in known:
            raise self._unknown("word", self.data, known)
        return cast(str, self.data)

    def string(self) -> str:
        """Read any text."""
        if not isinstance(self.data, str):
            raise self.refusal("a text is expected")
        return self.data

    def boolean(self) -> bool:
        """Read true or false."""
        if not isinstance(self.data, bool):
            raise self.refusal("true or false is expected")
        return self.data

    def text(self) -> str:
        """Read a text that is not blank."""
        if not isinstance(self.data, str) or not self.data.strip():
            raise self.refusal("a text that is not blank is expected")
        return self.data

    def number(self) -> float:
        """Read a finite number; a NumPy number becomes a Python number."""
        if isinstance(self.data, bool) or not isinstance(self.data, Real):
            raise self.refusal("a number is expected")
        if isinstance(self.data, Integral):
            return int(self.data)
        if not math.isfinite(self.data):
            raise self.refusal("a finite number is expected")
        return float(self.data)

    def whole(self) -> int:
        """Read a whole number."""
        if isinstance(self.data, bool) or not isinstance(self.data, Integral):
            raise self.refusal("a whole number is expected")
        return int(self.data)

    def name(self) -> str | int:
        """Read the name of a segment: a text that is not blank, or a whole number."""
        if isinstance(self.data, str):
            return self.text()
        if isinstance(self.data, bool) or not isinstance(self.data, Integral):
            raise self.refusal("a text or a whole number is expected")
        return int(self.data)

    def no_clause(self, known: list[str]) -> QueryError:
        """Return the error for a node that is not exactly one clause."""
        names = self.names
        if len(names) == 1 or (names and _close_to(names[0], known)):
            strange = [name for name in names if name not in known]
            if strange == names:
                return self._unknown("clause", names[0], known)
        return self.refusal("an object with one clause is expected")

    def _object(self) -> dict[str, Any]:
        data = self.data
        if not isinstance(data, dict):
            raise self.refusal("an object is expected")
        return cast("dict[str, Any]", data)

    def _below(self, name: str, value: Any) -> Node:
        return Node(value, f"{self.place}.{name}".lstrip("."))

    def _unknown(self, what: str, found: Any, known: list[str]) -> QueryError:
        close = _close_to(found, known)
        hint = f'did you mean "{close[0]}"?' if close else f"it has {', '.join(known)}"
        return QueryError(
            f"{self.place}: the grammar has no {what} {_shortened(found)} here; {hint}"
        )


def _close_to(found: Any, known: list[str]) -> list[str]:
    return get_close_matches(str(found).lower(), known, n=1)


def _shortened(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 80 else f"{text[:77]}..."
