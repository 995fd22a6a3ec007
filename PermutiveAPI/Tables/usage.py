"""Refuse to delete segments and cohorts that queries name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .phrases import ALLOW_USED
from .queries import Named, names_in
from .refusal import PlanRefusedError
from .texts import first_lines


def refuse_used(
    kind: str, deleted: Mapping[Named, str], queries: Iterable[tuple[str, Any]]
) -> None:
    """Raise PlanRefusedError if a query names a segment or cohort that is to be deleted.

    Parameters
    ----------
    kind : str
        "cohorts" or "segments", for the error.
    deleted : mapping
        The names of the objects to delete, by the form in which a query can name them.
    queries : iterable of (str, query)
        The names and the queries of the cohorts that stay.
    """
    users: dict[Named, list[str]] = {}
    for name, query in queries:
        for named in names_in(query):
            if named in deleted:
                users.setdefault(named, []).append(repr(name))
    if users:
        lines = [
            f"{deleted[named]!r} ({named.code}): {', '.join(of)}" for named, of in users.items()
        ]
        text = (
            f"Nothing was written: the queries of cohorts name {kind} that the plan deletes. "
            f"Change the queries first, or pass {ALLOW_USED()}."
        )
        raise PlanRefusedError("\n".join([text, *first_lines(lines)]))
