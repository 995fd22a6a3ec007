"""Codes of cohorts that do not exist yet: a plan has their names instead. Nothing here sends a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .queries import codes_in, rewritten, with_codes

# In a plan's query, one of these and the cohort's name stand for its code. _TEXT stands for a code that
# is a text in the original query.
_NUMBER = "new cohort: "
_TEXT = "new cohort, as a text: "


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

    def shown(code: int | str) -> int | str:
        name = new_cohorts.get(str(code))
        if name is None:
            return code
        return (_NUMBER if isinstance(code, int) else _TEXT) + name

    others = {old: new for old, new in codes.items() if old not in new_cohorts}
    return rewritten(with_codes(query, shown), others)


def new_cohorts_in(data: Any) -> list[str]:
    """Return the names of the new cohorts in a plan's query, each once."""
    names = (named[1] for code in codes_in(data) if (named := _named(code)))
    return [*dict.fromkeys(names)]


def with_known_codes(data: Any, codes: Mapping[str, int | str]) -> Any:
    """Return a copy of a plan's query in which the names of new cohorts are replaced by the known codes.

    Examples
    --------
    >>> with_known_codes({"in_segment": "new cohort: Readers"}, {"Readers": 12390})
    {'in_segment': 12390}
    """

    def known(code: int | str) -> int | str:
        named = _named(code)
        if named is None or named[1] not in codes:
            return code
        found = codes[named[1]]
        return str(found) if named[0] == _TEXT else found

    return with_codes(data, known)


def _named(code: int | str) -> tuple[str, str] | None:
    """Return the kind of a stand-in for a code, and the name in it."""
    if isinstance(code, str):
        for kind in (_NUMBER, _TEXT):
            if code.startswith(kind):
                return kind, code.removeprefix(kind)
    return None
