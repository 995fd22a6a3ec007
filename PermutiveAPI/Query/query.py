"""Queries: clauses joined by ``&`` and ``|``, brought into the form that the service takes, and read back."""

from __future__ import annotations

import json
from abc import abstractmethod
from itertools import groupby, product
from typing import Any, ClassVar

from .logic import Joint, Logical, canonical, joined
from .reading import Part, QueryError

# A disjunction: its clauses by their JSON text. A query in normal form: all of these hold.
_Either = dict[str, "Clause"]

# What a query becomes as an AND of ORs can be far longer than what was written.
_MOST_PARTS = 1000


class Query(Logical):
    """Who belongs to a cohort: a clause, or clauses joined by ``&`` and ``|``.

    Immutable. Two queries are equal when the same JSON is sent for them; a query is equal to that
    JSON, too.
    """

    def describe(self) -> str:
        """Return the sentence that a colleague would read.

        Examples
        --------
        >>> from PermutiveAPI.Query import event, in_segment
        >>> (event("Pageview").at_least(2).in_the_last(days=30) | in_segment(12345)).describe()
        'Users who had at least 2 "Pageview" events in the last 30 days or are in segment 12345'
        """
        return f"Users who {self.words()}"

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return it as the service takes it: a clause, ORs of clauses, or an AND of these.

        Raises
        ------
        QueryError
            If it cannot be written so in 1,000 parts.
        """

    @staticmethod
    def from_json(data: Any) -> Query:
        """Read a query of the grammar.

        Parameters
        ----------
        data : dict or str
            The query as the service writes it, or its JSON text.

        Raises
        ------
        QueryError
            If it is none of the grammar; the text says where it departs from it.

        Examples
        --------
        >>> Query.from_json({"in_segment": 12345}).describe()
        'Users who are in segment 12345'
        >>> Query.from_json({"or": [{"in_segment": 1}, {"in_segmnt": 2}]})
        Traceback (most recent call last):
        PermutiveAPI.Query.reading.QueryError: query.or[1]: the grammar has no clause 'in_segmnt' here; did you mean "in_segment"?
        """
        if isinstance(data, str):
            try:
                data = json.loads(data)
            except (ValueError, RecursionError) as error:
                raise QueryError(f"query: it is not valid JSON: {error}") from None
        try:
            return _read(Part(data))
        except RecursionError:
            reason = "query: it is nested too deeply, or holds itself"
        raise QueryError(reason)

    @abstractmethod
    def normal_form(self) -> list[_Either]:
        """Return it as an AND of ORs of clauses."""

    def __and__(self, other: Query) -> Query:
        """Both are true."""
        return self._joined("and", other)

    def __or__(self, other: Query) -> Query:
        """One of the two is true, or both."""
        return self._joined("or", other)

    def _joined(self, joiner: str, other: object) -> Query:
        if not isinstance(other, Query):
            return NotImplemented
        return JointQuery(joiner, (*self.parts_of(joiner), *other.parts_of(joiner)))


# The classes of clauses, by the members that tell them apart.
_clauses: dict[str, type[Clause]] = {}


class Clause(Query):
    """A query that is not made of others."""

    # The grammar's members that tell a clause of this class from others.
    members: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        """Let from_json() know the class."""
        for member in getattr(cls, "members", ()):
            _clauses[member] = cls

    @classmethod
    @abstractmethod
    def read(cls, part: Part) -> Clause:
        """Read a clause of this class from JSON data."""

    def normal_form(self) -> list[_Either]:
        """Return this clause alone."""
        return [{canonical(self.to_json()): self}]


class JointQuery(Joint, Query):
    """Queries joined by "and" or by "or"."""

    def to_json(self) -> dict[str, Any]:
        """Return the normal form as the grammar writes it."""
        parts = [_joined("or", [*either.values()]) for either in self.normal_form()]
        return parts[0] if len(parts) == 1 else {"and": parts}

    def normal_form(self) -> list[_Either]:
        """Return the parts' normal forms put together; for "or" they are multiplied out."""
        forms = [part.normal_form() for part in self.parts]
        if self.joiner == "and":
            return _without_implied([either for form in forms for either in form])
        result: list[_Either] = [{}]
        for form in forms:
            # So many are not even compared: hardly any could be left out.
            if len(result) * len(form) > 4 * _MOST_PARTS:
                raise self._too_long()
            pairs = product(result, form)
            result = _without_implied([{**one, **other} for one, other in pairs])
            if len(result) > _MOST_PARTS:
                raise self._too_long()
        return result

    def _too_long(self) -> QueryError:
        return QueryError(
            f"The service takes an AND of ORs, and this part would be one of more than "
            f"{_MOST_PARTS} ORs: {self.words():.300}"
        )


def _joined(joiner: str, parts: list[Clause]) -> dict[str, Any]:
    written = [part.to_json() for part in parts]
    return written[0] if len(written) == 1 else {joiner: written}


def _without_implied(eithers: list[_Either]) -> list[_Either]:
    """Leave out what holds anyway: A or B, where A or B, or A alone, is asked for beside it."""
    distinct: dict[frozenset[str], _Either] = {}
    for either in eithers:
        distinct.setdefault(frozenset(either), either)
    kept: list[frozenset[str]] = []
    for _, group in groupby(sorted(distinct, key=len), key=len):
        kept += [keys for keys in [*group] if not any(each < keys for each in kept)]
    remaining = set(kept)
    return [either for keys, either in distinct.items() if keys in remaining]


# --- Reading -------------------------------------------------------------------------------------


def _read(part: Part) -> Query:
    if {"and", "or"} & set(part.names):
        joiner, parts = part.only_member(["and", "or"])
        return joined(joiner, map(_read, parts.items()))
    classes = {_clauses[name] for name in part.names if name in _clauses}
    if len(classes) == 1:
        return classes.pop().read(part)
    raise part.no_clause(["and", "or", *_clauses])
