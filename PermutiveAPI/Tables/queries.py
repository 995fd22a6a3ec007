"""Find the cohorts, segments and imports that a query names, and give its cohorts other codes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from reprlib import Repr
from typing import Any, Literal, NamedTuple, cast

from .._Utils.codec.encoding import encoded
from ..Query.membership import InSegment, Membership, Transition
from ..Query.query import Query
from ..Query.reading import QueryError

Naming = InSegment | Transition | Membership
_NAMING = (InSegment, Transition, Membership)

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80


class Named(NamedTuple):
    """What a clause of a query names.

    Attributes
    ----------
    kind : str
        "cohort", "segment", "import", or "unknown" for a part of a query that cannot be read.
    code : str
        The code. For an unknown part: its shortened text.
    provider : str, optional
        The code of the import that a segment belongs to, if the clause says it.
    """

    kind: Literal["cohort", "segment", "import", "unknown"]
    code: str
    provider: str | None = None


def names_in(query: Any) -> list[Named]:
    """Return what a query names, each once, in the query's order. The unknown parts come last.

    Parameters
    ----------
    query : dict or Query or None
        A query. Parts that do not follow the grammar are listed as unknown, and clauses inside them are
        found, too. None and an empty query name nothing.

    Examples
    --------
    >>> query = {"and": [{"in_segment": 12345}, {"or": [{"in_segment": 7}, {"type": "users"}]}]}
    >>> for named in names_in(query):
    ...     print(named.kind, named.code)
    cohort 12345
    cohort 7
    unknown {'type': 'users'}
    """
    try:
        data = encoded(query)
    except (ValueError, RecursionError):  # It cannot be sent.
        return [Named("unknown", _SHORT.repr(query))]
    names = [_named_by(clause) for _, _, clause in _memberships(data)]
    names += [Named("unknown", _SHORT.repr(part)) for part in _parts(data) if _read(part) is None]
    return [*dict.fromkeys(names)]


def rewritten(query: Any, codes: Mapping[str, int | str]) -> Any:
    """Return a copy of a query, as JSON data, in which cohorts have other codes.

    Parameters
    ----------
    query : dict or Query or None
        A query. It is not changed.
    codes : mapping
        The new codes, by the old codes as texts. A code that is not in it stays. A text stays a text, and
        a number stays a number if the new code can be one.

    Examples
    --------
    >>> rewritten({"or": [{"in_segment": 1}, {"has_entered": {"segment": "2"}}]}, {"1": 10, "2": 20})
    {'or': [{'in_segment': 10}, {'has_entered': {'segment': '20'}}]}
    """
    return with_codes(query, lambda old: _like(old, codes.get(str(old), old)))


def with_codes(query: Any, new: Callable[[int | str], int | str]) -> Any:
    """Return a copy of a query, as JSON data, in which each code of a cohort is what `new` makes of it."""
    copy = encoded(query)
    for holder, member, clause in [*_memberships(copy)]:
        if not isinstance(clause, Membership):
            code = new(clause.segment)
            if code != clause.segment:
                holder[member] = replace(clause, segment=code).to_json()[member]
    return copy


def codes_in(query: Any) -> list[int | str]:
    """Return the codes of the cohorts that a query names, in its order."""
    clauses = (clause for _, _, clause in _memberships(encoded(query)))
    return [clause.segment for clause in clauses if not isinstance(clause, Membership)]


def _like(old: int | str, new: int | str) -> int | str:
    """Return the new code as a number if the old one is a number and the new one can be. Else as a text."""
    is_number = isinstance(old, int) and str(new).isdecimal()
    return int(new) if is_number else str(new)


def _named_by(clause: Naming) -> Named:
    if not isinstance(clause, Membership):
        return Named("cohort", str(clause.segment))
    fields = {name: str(value) for name, value in clause.fields}
    if "segment" in fields:
        return Named("segment", fields["segment"], fields.get("provider"))
    if "provider" in fields:
        return Named("import", fields["provider"])
    # A field of a connection, and its value. Permutive does not document what they name.
    return Named("unknown", _SHORT.repr(clause.to_json()))


def _memberships(data: Any) -> Iterator[tuple[dict[str, Any], str, Naming]]:
    """Yield each clause that names something, with the object and the member that hold it."""
    for part in _parts(data):
        whole = _read(part)
        if isinstance(whole, _NAMING):
            [member] = part
            yield part, member, whole
        elif whole is None:
            for holder in _objects_in(part):
                for member, value in holder.items():
                    clause = _read({member: value})
                    # {"and": [x]} is read as x. This loop finds x itself later.
                    if isinstance(clause, _NAMING) and member in clause.to_json():
                        yield holder, member, clause


def _parts(data: Any) -> Iterator[Any]:
    """Yield the clauses of a query, and the parts that cannot be read."""
    waiting = [data] if data else []
    while waiting:
        part = waiting.pop()
        match part:
            case {"and": [*parts], **others} | {"or": [*parts], **others} if not others:
                waiting += reversed(parts)
            case _:
                yield part


def _objects_in(data: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in JSON data, the outer ones first."""
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            yield members
            waiting += reversed(members.values())
        elif isinstance(value, list):
            waiting += reversed(cast("list[Any]", value))


def _read(part: Any) -> Query | None:
    """Read a clause; None if it does not follow the grammar."""
    try:
        return Query.from_json(part) if isinstance(part, dict) else None
    except QueryError:
        return None
