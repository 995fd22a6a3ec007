"""Codes of cohorts that do not exist yet: a plan has their names instead. Nothing here sends a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from .queries import rewritten

# In a plan's query, one of these and the cohort's name stand for its code. _TEXT stands for a code that
# is a text in the original query.
_NUMBER = "new cohort: "
_TEXT = "new cohort, as a text: "

# Numbers that no cohort has. They show whether the original code was a number or a text.
_FIRST_STAND_IN = 10**30


def with_new_cohorts(
    query: Any, codes: Mapping[str, int | str], new_cohorts: Mapping[str, str]
) -> Any:
    """Return a copy of a query with other cohort codes.

    Parameters
    ----------
    query : dict or Query
        The query. It is not changed.
    codes : mapping
        The known new codes, by the old ones as texts.
    new_cohorts : mapping
        The names of cohorts that are to be created, by the old codes as texts.

    Examples
    --------
    >>> with_new_cohorts({"or": [{"in_segment": 1}, {"in_segment": 2}]}, {"1": 7}, {"2": "Readers"})
    {'or': [{'in_segment': 7}, {'in_segment': 'new cohort: Readers'}]}
    """
    stand_ins = {code: _FIRST_STAND_IN + number for number, code in enumerate(new_cohorts)}
    shown: dict[Any, str] = {}
    for code, stand_in in stand_ins.items():
        shown[stand_in] = _NUMBER + new_cohorts[code]
        shown[str(stand_in)] = _TEXT + new_cohorts[code]
    return _replaced(rewritten(query, {**codes, **stand_ins}), lambda leaf: shown.get(leaf, leaf))


def new_cohorts_in(data: Any) -> list[str]:
    """Return the names of the new cohorts in a plan's query, each once."""
    names = (named[1] for leaf in _leaves(data) if (named := _named(leaf)))
    return [*dict.fromkeys(names)]


def with_known_codes(data: Any, codes: Mapping[str, int | str]) -> Any:
    """Return a copy of a plan's query in which the names of new cohorts are replaced by the known codes.

    Examples
    --------
    >>> with_known_codes({"in_segment": "new cohort: Readers"}, {"Readers": 12390})
    {'in_segment': 12390}
    """

    def known(leaf: Any) -> Any:
        named = _named(leaf)
        if named is None or named[1] not in codes:
            return leaf
        code = codes[named[1]]
        return str(code) if named[0] == _TEXT else code

    return _replaced(data, known)


def _named(leaf: Any) -> tuple[str, str] | None:
    """Return the kind of a stand-in for a code, and the name in it."""
    if isinstance(leaf, str):
        for kind in (_NUMBER, _TEXT):
            if leaf.startswith(kind):
                return kind, leaf.removeprefix(kind)
    return None


def _replaced(data: Any, replace: Callable[[Any], Any]) -> Any:
    if isinstance(data, dict):
        members = cast("dict[str, Any]", data)
        return {name: _replaced(value, replace) for name, value in members.items()}
    if isinstance(data, list):
        return [_replaced(item, replace) for item in cast("list[Any]", data)]
    return replace(data)


def _leaves(data: Any) -> Iterator[Any]:
    if isinstance(data, dict):
        data = list(cast("dict[str, Any]", data).values())
    if isinstance(data, list):
        for item in cast("list[Any]", data):
            yield from _leaves(item)
    else:
        yield data
