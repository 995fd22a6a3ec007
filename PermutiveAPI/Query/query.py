"""Queries: how clauses are joined, written in the service's form, and read."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from itertools import groupby, product
from typing import Any, TypeVar

from .._Utils.codec.encoding import canonical
from .logic import Joint, Logical, joined
from .reading import Node, QueryError

# An OR of clauses, by their JSON text. A query in normal form is a list of these, joined by AND.
_Either = dict[str, "Clause"]

# A query can become far longer when it is rewritten as an AND of ORs.
_MOST_PARTS = 1000


class Query(Logical):
    """Who belongs to a cohort: a clause, or clauses joined by ``&`` and ``|``.

    A query never changes. Two queries are equal if the same JSON is sent for them. A query also equals
    that JSON.

    Examples
    --------
    >>> query = event("Pageview").at_least(2) & in_segment(12345)
    >>> isinstance(query, Query)
    True
    >>> cohort = Cohort(name="Loyal readers", query=query)
    >>> cohort.create()
    """

    def describe(self) -> str:
        """Return the query as a plain sentence.

        Examples
        --------
        >>> from PermutiveAPI.Query import event, in_segment
        >>> (event("Pageview").at_least(2).in_the_last(days=30) | in_segment(12345)).describe()
        'Users who had at least 2 "Pageview" events in the last 30 days or are in segment 12345'
        """
        return f"Users who {self._to_phrase()}"

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the query in the service's form: a clause, an OR of clauses, or an AND of both.

        Raises
        ------
        QueryError
            If the result is an AND of more than 1,000 parts.

        Examples
        --------
        >>> (in_segment(1) | in_segment(2)).to_json()
        {'or': [{'in_segment': 1}, {'in_segment': 2}]}
        """

    @staticmethod
    def from_json(data: Any) -> Query:
        """Read a query from JSON data.

        Parameters
        ----------
        data : dict or str
            The query as the service writes it, or its JSON text.

        Raises
        ------
        QueryError
            If it does not follow the grammar. The text says where.

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
            return read_query(Node(data))
        except RecursionError:
            reason = "query: it is nested too deeply, or holds itself"
        raise QueryError(reason)

    @abstractmethod
    def _normal_form(self) -> list[_Either]:
        """Return the query as an AND of ORs of clauses."""

    def __and__(self, other: Query) -> Query:
        """Require both."""
        return self._joined("and", other)

    def __or__(self, other: Query) -> Query:
        """Require one of the two, or both."""
        return self._joined("or", other)

    def _joined(self, joiner: str, other: object) -> Query:
        if not isinstance(other, Query):
            return NotImplemented
        parts = (*self._parts_of(joiner), *other._parts_of(joiner))
        return JointQuery(joiner, parts)


class Clause(Query):
    """A query that is not joined from others."""

    def _normal_form(self) -> list[_Either]:
        return [{canonical(self.to_json()): self}]


class JointQuery(Joint, Query):
    """Queries joined by "and" or "or"."""

    def to_json(self) -> dict[str, Any]:
        """Return the normal form in the form of the grammar."""
        parts = [_as_json(either) for either in self._normal_form()]
        return parts[0] if len(parts) == 1 else {"and": parts}

    def _normal_form(self) -> list[_Either]:
        """Combine the normal forms of the parts; an OR of ANDs is multiplied out."""
        forms = [part._normal_form() for part in self._parts]
        if self._joiner == "and":
            return _without_implied([either for form in forms for either in form])
        result: list[_Either] = [{}]
        for form in forms:
            # With so many pairs, the comparison would be slow, and too many would remain.
            if len(result) * len(form) > 4 * _MOST_PARTS:
                raise self._too_long()
            pairs = product(result, form)
            result = _without_implied([{**one, **other} for one, other in pairs])
            if len(result) > _MOST_PARTS:
                raise self._too_long()
        return result

    def _too_long(self) -> QueryError:
        return QueryError(
            f"The service takes an AND of ORs, and this part would become one of more than "
            f"{_MOST_PARTS} ORs: {self._to_phrase():.300}"
        )


def _as_json(either: _Either) -> dict[str, Any]:
    clauses = [clause.to_json() for clause in either.values()]
    return clauses[0] if len(clauses) == 1 else {"or": clauses}


def _without_implied(eithers: list[_Either]) -> list[_Either]:
    """Leave out duplicates and each OR that follows from another one, as "A or B" follows from "A"."""
    distinct: dict[frozenset[str], _Either] = {}
    for either in eithers:
        distinct.setdefault(frozenset(either), either)
    kept: list[frozenset[str]] = []
    for _, group in groupby(sorted(distinct, key=len), key=len):
        kept += [keys for keys in [*group] if not any(each < keys for each in kept)]
    remaining = set(kept)
    return [either for keys, either in distinct.items() if keys in remaining]


# --- Reading -------------------------------------------------------------------------------------


Reader = TypeVar("Reader", bound=Callable[[Node], Clause])

# The function that reads a clause, for each member that only this clause has.
_READERS: dict[str, Callable[[Node], Clause]] = {}


def reads(*members: str) -> Callable[[Reader], Reader]:
    """Register a function that reads clauses with one of these members."""

    def decorate(reader: Reader) -> Reader:
        _READERS.update(dict.fromkeys(members, reader))
        return reader

    return decorate


def clause_names() -> tuple[str, ...]:
    """Return the members that begin a clause, of all clauses of the grammar."""
    return tuple(_READERS)


def read_query(node: Node) -> Query:
    """Read a query from JSON data."""
    if {"and", "or"} & set(node.names):
        joiner, nodes = node.only_member(["and", "or"])
        return joined(joiner, map(read_query, nodes.items()))
    readers = {_READERS[name] for name in node.names if name in _READERS}
    if len(readers) == 1:
        return readers.pop()(node)
    raise node.no_clause(["and", "or", *_READERS])
