"""Which queries of cohorts the sandbox accepts.

A query that follows the grammar is always accepted. A query that uses the grammar and does not follow
it is refused, so that a misspelt query fails in a user's test. A query that does not use the grammar is
accepted, since Permutive publishes only parts of its grammar.

A query uses the grammar if one of its objects, at any depth, has a member that begins a clause or stands in
one, or a member with nearly the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, cast

from ..Query import Query, QueryError
from ..Query.query import clause_names
from .shapes import JSONObject

_JOINERS = ("and", "or")
_INSIDE_CLAUSES = (
    "frequency",
    "where",
    "property",
    "condition",
    "during",
    "the_last",
    "greater_than",
    "greater_than_or_equal_to",
    "equal_to",
    "less_than_or_equal_to",
    "less_than",
)
_LONG_NAMES = (*clause_names(), *_INSIDE_CLAUSES)
# A name of five letters is still this similar if one letter is wrong, added, missing or swapped with
# the next one. The joiners are too short for that.
_LEAST_LIKENESS = 0.8


def query_fault(query: JSONObject, check: bool | None) -> str | None:
    """Return why a query is refused; None if it is accepted.

    `check` tells whether it must follow the grammar; None: only if it uses the grammar.
    """
    hint = ""
    if check is None:
        check = uses_grammar(query)
        hint = " (The sandbox takes any query with check_queries=False.)"
    if not check:
        return None
    try:
        Query.from_json(query)
    except QueryError as error:
        return f"{error}{hint}"
    return None


def uses_grammar(query: Any) -> bool:
    """Tell whether a query uses the grammar, correctly or not.

    Examples
    --------
    >>> uses_grammar({"evnt": "Pageview"}), uses_grammar({"all": [{"in_segment": 1}]})
    (True, True)
    >>> uses_grammar({"type": "segment", "id": "in_segment"})
    False
    """
    return any(map(_is_of_grammar, _names(query)))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        yield from members
        value = list(members.values())
    if isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _names(inner)


def _is_of_grammar(name: str) -> bool:
    name = name.lower()
    if name in _JOINERS or name in _LONG_NAMES:
        return True
    return bool(get_close_matches(name, _LONG_NAMES, n=1, cutoff=_LEAST_LIKENESS))
