"""Make changes from rows and their cohorts. Nothing here sends a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._Utils.resources.tables import Row
from ..Cohort import STATES, Cohort
from .changes import Change, FieldChange, Unchanged, field_changes
from .cohort_matching import Match
from .new_codes import new_cohorts_in
from .planned_fields import FIELDS
from .rows import BadRows
from .texts import shown

# A type can be given only to a new cohort.
_FIELDS = FIELDS["cohorts"]


def fields_of(cohort: Cohort) -> dict[str, Any]:
    """Return the fields that a plan compares, as JSON data. An empty field is None; empty tags are an empty list."""
    data = cohort.to_json()
    found = {name: data.get(name) or None for name in _FIELDS}
    return {**found, "tags": found["tags"] or []}


def wanted_in(row: Row, *, clear_empty: bool = False) -> dict[str, Any]:
    """Return the fields that a row sets, as JSON data.

    With `clear_empty`, an empty cell clears the description or the tags. An empty text or list always does.
    The other fields cannot be cleared.
    """
    cells = {name: row[name] for name in _FIELDS if name in row}
    given: dict[str, Any] = {"name": "", **cells}
    fields = fields_of(Cohort(**given))
    return {
        name: fields[name]
        for name, cell in cells.items()
        if fields[name] or (_FIELDS[name].can_be_cleared and (cell is not None or clear_empty))
    }


def may_change(match: Match, *, clear_empty: bool) -> bool:
    """Tell whether a row may change its cohort. A listed cohort has no query, so every query differs."""
    if match.cohort is None:
        return False
    return bool(_differences(match.cohort, wanted_in(match.row, clear_empty=clear_empty)))


def _differences(cohort: Cohort, wanted: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return field_changes(fields_of(cohort), wanted, clear_empty=True)


def changes_for(
    matches: Iterable[Match],
    bad: BadRows,
    *,
    clear_empty: bool,
    refusal_of: Callable[[Cohort], str | None],
) -> tuple[list[Change], list[Unchanged]]:
    """Return the changes that the rows ask for, and the cohorts that stay as they are.

    Parameters
    ----------
    matches : iterable of Match
        The rows. A cohort that may change has its query.
    bad : BadRows
        The rows that are known to be bad. Those whose changes are impossible are added.
    clear_empty : bool
        As for :func:`wanted_in`.
    refusal_of : callable
        Returns why a cohort cannot be changed; None if it can.

    Raises
    ------
    ValueError
        If a row is bad. The text lists all bad rows.
    """
    changes: list[Change] = []
    unchanged: list[Unchanged] = []
    for match in matches:
        wanted = wanted_in(match.row, clear_empty=clear_empty)
        try:
            found = _compared(match, wanted, refusal_of)
        except ValueError as error:
            bad.add(match.number, error)
            continue
        if isinstance(found, Change):
            changes.append(found)
        else:
            unchanged.append(found)
    bad.refuse()
    return changes, unchanged


def _compared(
    match: Match, wanted: Mapping[str, Any], refusal_of: Callable[[Cohort], str | None]
) -> Change | Unchanged:
    cohort = match.cohort
    if cohort is None:
        _refuse_new_cohorts(wanted)
        return creation(wanted, match.number)
    fields = _differences(cohort, wanted)
    if not fields:
        return Unchanged(cohort.id or "", cohort.name, match.number)
    _refuse_new_cohorts({each.field: each.new for each in fields})
    if refusal := refusal_of(cohort):
        raise ValueError(f"{cohort.name!r} {refusal}")
    _check(fields)
    for each in fields:
        if each.field == "segment_type":
            raise ValueError(
                f"the segment_type of {cohort.name!r} is {each.old!r}, and cannot be changed to {each.new!r}"
            )
    return Change("update", cohort.id, cohort.name, fields, match.number)


def _refuse_new_cohorts(wanted: Mapping[str, Any]) -> None:
    """Raise ValueError if a query names a cohort like a copy's query does, whose code is not known yet."""
    if names := new_cohorts_in(wanted.get("query")):
        raise ValueError(
            f"the query names the new cohort {names[0]!r}, as only the plan of a copy can; give its code"
        )


def creation(wanted: Mapping[str, Any], row: int | None = None) -> Change:
    """Return the creation of a cohort with these fields; ValueError if one is missing or wrong."""
    name = wanted["name"]
    if not wanted.get("query"):
        raise ValueError(f"no cohort has the name {name!r}, and a new one needs a query")
    given = (each for each in _FIELDS if wanted.get(each))
    fields = tuple(FieldChange(each, None, wanted[each]) for each in given)
    _check(fields)
    return Change("create", None, name, fields, row)


def deletion(cohort: Cohort) -> Change:
    """Return the deletion of a cohort."""
    fields = tuple(FieldChange(name, value, None) for name, value in fields_of(cohort).items())
    return Change("delete", cohort.id, cohort.name, fields)


def _check(fields: Iterable[FieldChange]) -> None:
    """Raise ValueError for a value that the service always refuses."""
    for each in fields:
        if each.field == "state" and each.new not in STATES:
            raise ValueError(f"state must be {' or '.join(STATES)}, got {each.new!r}")
        if each.field == "query" and not isinstance(each.new, dict):
            raise ValueError(f"query must be an object, got {shown(each.new)}")
