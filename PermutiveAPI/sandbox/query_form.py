"""The outer form of a cohort query: clauses, and how they are joined.

Only the top of the grammar is looked at: ``and`` and ``or`` hold clauses, and a clause
carries one of the names in use. What stands inside a clause is not checked.
"""

from __future__ import annotations

from typing import Any, cast

from .shapes import JSONObject

_JOINTS = frozenset({"and", "or"})
_CLAUSES = frozenset(
    {
        "event",
        "engaged_time",
        "engaged_completion",
        "engaged_views",
        "has_entered",
        "has_not_entered",
        "has_exited",
        "has_not_exited",
        "in_segment",
        "in_second_party_segment",
        "not_in_second_party_segment",
        "in_third_party_segment",
        "not_in_third_party_segment",
        "in_connections_import_segment",
        "not_in_connections_import_segment",
    }
)


def query_fault(query: JSONObject) -> str | None:
    """Return what is wrong with a query's outer form, or None."""
    pending: list[Any] = [query]
    while pending:
        part = pending.pop()
        if not isinstance(part, dict):
            return "a clause must be an object"
        names = set(cast(JSONObject, part))
        if names & _JOINTS:
            joined = next(iter(cast(JSONObject, part).values()))
            if len(names) > 1 or not isinstance(joined, list) or not joined:
                return "'and' and 'or' stand alone and hold a list of clauses"
            pending += cast("list[Any]", joined)
        elif len(names & _CLAUSES) != 1:
            return f"no clause of a cohort query: {', '.join(sorted(names)) or '{}'}"
    return None
