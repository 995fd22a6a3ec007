"""Plans of cohorts: from a table, from the segments of an import, and from one list to another."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from .._Utils.arguments import listed, require_kind
from .._Utils.credentials import resolve_api_key
from .._Utils.resources.tables import Row
from ..Audience.Import import Import
from ..Audience.Segment import Segment
from ..Cohort import Cohort
from ..Query import Query, in_second_party_segment, in_third_party_segment
from .changes import Change, Unchanged, in_order
from .cohort_matching import Directory, Match, matched
from .cohort_reading import Seen, has_query, with_queries
from .cohort_rows import changes_for, deletion, may_change
from .cohort_workspaces import require_workspace
from .plan import Plan
from .rows import BadRows, PlanRows, read_rows
from .target import Target, present_origin
from .texts import one_line


def plan_cohorts(table: Any, *, clear_empty: bool, workspace_id: str | None, api_key: str) -> Plan:
    """Plan how cohorts become equal to a table; see :meth:`Cohort.plan`."""
    rows = read_rows(table, Cohort)
    _require_names(rows)
    seen = Seen.read(resolve_api_key(api_key), workspace_id=workspace_id)
    return _plan_from_rows(rows, seen, clear_empty=clear_empty)


def _require_names(rows: PlanRows) -> None:
    """Raise ValueError if no column names the cohorts, for instance because a title stands above the header."""
    if not any({"id", "code", "name"} & row.keys() for row in rows.typed):
        columns = ", ".join(map(one_line, dict.fromkeys(chain.from_iterable(rows.own))))
        found = f", only {columns}" if columns else ""
        raise ValueError(f"table has no column 'id', 'code' or 'name'{found}.")


def _plan_from_rows(rows: PlanRows, seen: Seen, *, clear_empty: bool = False) -> Plan:
    directory = Directory(seen.cohorts)
    if not all(map(directory.knows, rows.typed)):
        seen = seen.with_below()
        directory = Directory(seen.cohorts, seen.below)
    bad = BadRows()
    matches = matched(rows.typed, directory, bad)
    if bad:  # The error tells what else is wrong, as far as that needs no queries.
        matches = _without_queries(matches)
        refusal_of = seen.refusal_of_listed
    else:
        matches = _complete(matches, seen.api_key, clear_empty=clear_empty)
        refusal_of = seen.refusal_of
    changes, unchanged = changes_for(matches, bad, clear_empty=clear_empty, refusal_of=refusal_of)
    return _plan(seen.target, changes, unchanged, len(seen.own_or_all), rows)


def _plan(
    target: Target,
    changes: Sequence[Change],
    unchanged: Sequence[Unchanged],
    owned: int,
    rows: PlanRows,
) -> Plan:
    plan = Plan(target, in_order(changes), tuple(unchanged), owned, rows.own, rows.ignored)
    require_workspace(plan)
    return plan


def _without_queries(matches: Iterable[Match]) -> list[Match]:
    """Return matches that compare no queries of listed cohorts, since those are not known."""
    return [
        match if match.cohort is None else replace(match, row={**match.row, "query": None})
        for match in matches
    ]


def _complete(matches: Sequence[Match], api_key: str, *, clear_empty: bool) -> list[Match]:
    """Return matches in which the cohorts that may change have their queries."""
    changing = [match for match in matches if may_change(match, clear_empty=clear_empty)]
    cohorts = with_queries([match.cohort for match in changing if match.cohort], api_key)
    pairs = zip(changing, cohorts, strict=True)
    complete = {match.number: replace(match, cohort=cohort) for match, cohort in pairs}
    return [complete.get(match.number, match) for match in matches]


# --- From segments -------------------------------------------------------------------------------


def _in_second_party(found: Import, segment: Segment) -> Query:
    return in_second_party_segment(found.code, segment.code or "")


def _in_third_party(found: Import, segment: Segment) -> Query:
    return in_third_party_segment(segment.code or "", provider=found.code)


# The clause for each relation of an import.
_CLAUSES = {"2nd": _in_second_party, "3rd": _in_third_party}


def plan_from_segments(
    import_id: str, *, name: str, tags: Sequence[str] | None, workspace_id: str | None, api_key: str
) -> Plan:
    """Plan one cohort for each segment of an import; see :meth:`Cohort.plan_from_segments`."""
    require_kind("name", name, str)
    given_tags = None if tags is None else listed("tags", tags)
    api_key = resolve_api_key(api_key)
    found = Import.get_by_id(import_id, api_key)
    if found.relation not in _CLAUSES:
        raise ValueError(
            f"import_id: the relation of {found.name!r} is {found.relation!r}; the library knows a clause only for "
            f"{' and '.join(_CLAUSES)}"
        )
    segments = Segment.list(import_id, api_key)
    if not segments:
        raise ValueError(f"import_id: {found.name!r} has no segments")
    clause = _CLAUSES[found.relation]
    wanted = [
        {
            "name": _formatted(name, found, segment),
            "query": clause(found, segment).to_json(),
            "tags": given_tags,
        }
        for segment in segments
    ]
    _refuse_same_names(segments, wanted)
    rows = tuple({"segment_code": each.code, "segment_name": each.name} for each in segments)
    seen = Seen.read(api_key, workspace_id=workspace_id)
    return _plan_from_rows(PlanRows(rows, wanted), seen)


def _formatted(name: str, found: Import, segment: Segment) -> str:
    values = {"name": segment.name, "code": segment.code, "import_name": found.name}
    try:
        return name.format_map(values)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        known = ", ".join(f"{{{each}}}" for each in values)
    raise ValueError(f"name may contain {known}, got {name!r}.")


def _refuse_same_names(segments: Sequence[Segment], wanted: Sequence[Row]) -> None:
    codes: dict[str, list[str]] = {}
    for segment, row in zip(segments, wanted, strict=True):
        codes.setdefault(row["name"], []).append(segment.code or "")
    for name, several in codes.items():
        if len(several) > 1:
            raise ValueError(
                f"name: the segments {', '.join(several)} would all get the cohort name {name!r}; put {{code}} "
                "into the name"
            )


# --- From list to list ---------------------------------------------------------------------------


def plan_between(
    old: Sequence[Cohort], new: Sequence[Cohort], *, clear_empty: bool, workspace_id: str | None
) -> Plan:
    """Plan how one list of cohorts becomes another one; see :meth:`CohortList.plan_to`."""
    rows = read_rows(new, Cohort)
    for each in old:
        if not (each.id and each.workspace_id):
            raise ValueError(f"The cohort {each.name!r} of the old list has no id or workspace_id.")
    directory = Directory(old)
    bad = BadRows()
    matches = matched(map(directory.with_known_keys, rows.typed), directory, bad)
    changes, unchanged = changes_for(matches, bad, clear_empty=clear_empty, refusal_of=_lacks_query)
    kept = {match.cohort.id for match in matches if match.cohort}
    for each in old:
        if each.id not in kept:
            if refusal := _lacks_query(each) or _is_of_another(each, workspace_id):
                raise ValueError(f"The new list lacks a cohort: {each.name!r} {refusal}.")
            changes.append(deletion(each))
    owners = tuple(sorted({each.workspace_id or "" for each in old}))
    target = Target("cohorts", present_origin(), owners, workspace_id=workspace_id)
    return _plan(target, changes, unchanged, _owned(old, kept), rows)


def _owned(old: Sequence[Cohort], kept: Container[str | None]) -> int:
    """Return how many cohorts the limits count: if any are deleted, those of the workspaces that lose some."""
    losing = {each.workspace_id for each in old if each.id not in kept}
    return len([each for each in old if not losing or each.workspace_id in losing])


def _is_of_another(cohort: Cohort, workspace_id: str | None) -> str | None:
    """Return why a cohort cannot be deleted if the plan is for this workspace; None if it can."""
    if workspace_id in (None, cohort.workspace_id):
        return None
    return f"belongs to the workspace {cohort.workspace_id}, and can be deleted only there"


def _lacks_query(cohort: Cohort) -> str | None:
    """Return why a cohort of the old list cannot be changed or deleted; None if it can."""
    if has_query(cohort):
        return None
    return (
        "has no query in the old list, and cannot be changed or deleted. Read the list with "
        "Cohort.list(include_details=True). Lookalike cohorts have no query"
    )
