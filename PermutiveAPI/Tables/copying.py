"""Copies of cohorts in another workspace, with references to each other's new codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from .._Utils.arguments import listed, require_kind
from ..Cohort import Cohort
from ..Workspace import Workspace
from .changes import Change, Unchanged, field_changes
from .cohort_reading import Seen, has_query, with_queries
from .cohort_rows import creation, fields_of
from .new_codes import with_new_cohorts
from .phrases import MAPPING, MAPPING_OF_CODES, TO
from .plan import Plan
from .queries import names_in

_SHOWN = ("name", "description", "tags", "state")


def plan_copy(
    workspace: Workspace,
    cohorts: Iterable[Cohort],
    to: Workspace,
    mapping: Mapping[int | str, int | str] | None,
) -> Plan:
    """Plan copies of cohorts in another workspace; see :meth:`Workspace.plan_copy`."""
    require_kind("to", to, Workspace)
    require_kind("mapping", {} if mapping is None else mapping, Mapping)
    if to.workspace_id == workspace.workspace_id:
        raise ValueError(
            "to must be another workspace; use Cohort.copy() for a copy in the same one."
        )
    originals = _in_order(_originals(workspace, listed("cohorts", cohorts)))
    there = Seen.read(to.api_key, workspace_id=to.workspace_id)
    codes = _codes(originals, mapping or {}, there, to.name)
    existing = _existing(originals, there, to.name)
    new = {code: name for code, name in _names_by_code(originals).items() if name not in existing}
    for code, name in _names_by_code(originals).items():
        if name in existing:
            codes[code] = existing[name].code or ""
    wanted = [
        {**fields_of(each), "query": with_new_cohorts(each.query, codes, new)} for each in originals
    ]
    _refuse_different(wanted, existing, to.name)
    changes, unchanged = list[Change](), list[Unchanged]()
    for number, fields in enumerate(wanted, 1):
        present = existing.get(fields["name"])
        if present is None:
            changes.append(creation(fields, number))
        else:
            unchanged.append(Unchanged(present.id or "", present.name, number))
    rows = tuple({name: fields[name] for name in _SHOWN} for fields in wanted)
    return Plan(there.target, tuple(changes), tuple(unchanged), len(there.own_or_all), rows)


def _originals(workspace: Workspace, cohorts: Sequence[Any]) -> list[Cohort]:
    """Return the cohorts with their queries. Listed cohorts are fetched."""
    if not cohorts:
        raise ValueError("cohorts must not be empty.")
    for position, cohort in enumerate(cohorts):
        require_kind(f"cohorts[{position}]", cohort, Cohort)
    originals = with_queries(cohorts, workspace.api_key)
    if without := [each.name for each in originals if not has_query(each)]:
        raise ValueError(
            f"cohorts without a query, such as lookalike ones, cannot be copied: {_quoted(without)}"
        )
    if repeated := _repeated(originals):
        raise ValueError(f"cohorts has several cohorts with the name {_quoted(repeated)}")
    return originals


def _named_by(cohort: Cohort) -> list[str]:
    """Return the codes of the cohorts that a cohort's query names."""
    return [named.code for named in names_in(cohort.query) if named.kind == "cohort"]


def _names_by_code(cohorts: Iterable[Cohort]) -> dict[str, str]:
    return {str(each.code): each.name for each in cohorts if each.code is not None}


def _in_order(originals: Sequence[Cohort]) -> list[Cohort]:
    """Return the cohorts so that each comes after those that its query names."""
    by_name = {each.name: each for each in originals}
    names = _names_by_code(originals)
    graph = {
        each.name: [names[code] for code in _named_by(each) if code in names] for each in originals
    }
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        circle: Sequence[str] = error.args[1]
    # In the error's list, each cohort names the one before it.
    path = " -> ".join(map(repr, reversed(circle)))
    raise ValueError(f"cohorts name each other in a circle: {path}")


def _codes(
    originals: Sequence[Cohort], mapping: Mapping[int | str, int | str], there: Seen, place: str
) -> dict[str, int | str]:
    """Return the mapping with texts as keys; ValueError if a code is missing, or a new code does not exist."""
    codes = {str(old): new for old, new in mapping.items()}
    known = {str(each.code) for each in there.cohorts}
    if absent := [str(new) for new in codes.values() if str(new) not in known]:
        raise ValueError(f"{MAPPING()}: {place!r} has no cohort with the code {', '.join(absent)}")
    copied = _names_by_code(originals)
    users: dict[str, list[str]] = {}
    for original in originals:
        for code in _named_by(original):
            if code not in copied and code not in codes:
                users.setdefault(code, []).append(original.name)
    if users:
        lines = [f"{code}, in the query of {_quoted(names)}" for code, names in users.items()]
        raise ValueError(
            f"{MAPPING()}: in {place!r}, these codes may belong to other cohorts. Copy the cohorts with these "
            f"codes, too, or pass {MAPPING_OF_CODES()}:\n" + "\n".join(lines)
        )
    return codes


def _existing(originals: Sequence[Cohort], there: Seen, place: str) -> dict[str, Cohort]:
    """Return the other workspace's own cohorts with the names of the originals, with their queries."""
    names = {each.name for each in originals}
    found = [each for each in there.own_or_all if each.name in names]
    if repeated := _repeated(found):
        raise ValueError(f"{TO()}: {place!r} has several cohorts with the name {_quoted(repeated)}")
    return {each.name: each for each in with_queries(found, there.api_key)}


def _refuse_different(
    wanted: Sequence[Mapping[str, Any]], existing: Mapping[str, Cohort], place: str
) -> None:
    """Raise ValueError if the other workspace has a cohort with the same name and other fields."""
    lines = [*_differences(wanted, existing)]
    if lines:
        raise ValueError(
            f"{TO()}: {place!r} has other cohorts with these names. Leave them out, or give the copies other "
            "names:\n" + "\n".join(lines)
        )


def _differences(
    wanted: Sequence[Mapping[str, Any]], existing: Mapping[str, Cohort]
) -> Iterator[str]:
    for fields in wanted:
        if fields["name"] in existing:
            # The other cohort may have more fields than the original.
            given = {name: value for name, value in fields.items() if value}
            changes = field_changes(fields_of(existing[fields["name"]]), given)
            if changes:
                yield f"{fields['name']!r}: {', '.join(each.field for each in changes)}"


def _repeated(cohorts: Sequence[Cohort]) -> list[str]:
    names = [each.name for each in cohorts]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))
