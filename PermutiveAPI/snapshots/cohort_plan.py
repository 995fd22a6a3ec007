"""The plan of the cohorts between two snapshots, and what it cannot do."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..Cohort import STATES, Cohort
from ..Tables.changes import Change, FieldChange, Unchanged, field_changes, in_order
from ..Tables.cohort_reading import has_query
from ..Tables.cohort_rows import creation, deletion, fields_of
from ..Tables.new_codes import with_new_cohorts
from ..Tables.plan import Plan
from ..Tables.queries import codes_in
from ..Tables.target import Target, present_origin
from .folder import Content
from .matching import Matching, codes_of, matched_cohorts
from .wording import Notes, named, named_inherited, named_lookalike

_CLEARABLE = ("description", "tags")


def plan_of_cohorts(old: Content, new: Content, notes: Notes) -> Plan:
    """Plan how the cohorts of one snapshot become those of another one. The notes get what the plan cannot do."""
    _compare_inherited(old, new, notes)
    comparison = _Comparison(old, new, notes)
    changes, unchanged = comparison.changes()
    rows = tuple({"code": each.code, "name": each.name} for each in new.cohorts)
    return Plan(_target(old), in_order(changes), tuple(unchanged), len(old.cohorts), rows)


def _target(old: Content) -> Target:
    cohorts = (*old.cohorts, *old.inherited)
    owners = sorted({each.workspace_id for each in cohorts if each.workspace_id})
    return Target("cohorts", present_origin(), tuple(owners), workspace_id=old.workspace_id)


def _compare_inherited(old: Content, new: Content, notes: Notes) -> None:
    matching = Matching(old.inherited, new.inherited)
    matching.match(lambda each: each.id)
    notes.unmatched(map(named_inherited, matching.old), map(named_inherited, matching.new))
    for before, after in matching.pairs:
        notes.changed(named_inherited(before), ["name"] if before.name != after.name else [])


class _Comparison:
    """Compares the cohorts of two snapshots."""

    def __init__(self, old: Content, new: Content, notes: Notes) -> None:
        self._notes = notes
        self._matching: Matching[Cohort] = matched_cohorts(old.cohorts, new.cohorts)
        self._codes = codes_of(self._matching.pairs)
        self._rows = {id(each): number for number, each in enumerate(new.cohorts, 1)}
        self._codes_in_queries = {
            id(each): [*map(str, codes_in(each.query))] for each in new.cohorts
        }
        # The names of the cohorts that only the new snapshot has, by code: of those whose new codes
        # queries can name, and of the others.
        self._made: dict[str, str] = {}
        self._lost: dict[str, str] = {}

    def changes(self) -> tuple[list[Change], list[Unchanged]]:
        """Return the changes, and the cohorts that stay as they are."""
        old, new = self._matching.old, self._matching.new
        self._notes.unmatched(
            [named_lookalike(each) for each in old if not has_query(each)],
            [named_lookalike(each) for each in new if not has_query(each)],
        )
        changes = [self._creation(each) for each in self._creatable()]
        changes += [deletion(each) for each in old if has_query(each)]
        unchanged: list[Unchanged] = []
        for before, after in sorted(self._matching.pairs, key=lambda each: self._rows[id(each[1])]):
            self._notes.recoded(before, after)
            if fields := self._differences(before, after):
                row = self._rows[id(after)]
                changes.append(Change("update", before.id, before.name, fields, row))
            else:
                unchanged.append(Unchanged(before.id or "", before.name, self._rows[id(after)]))
        return changes, unchanged

    # --- Creations -------------------------------------------------------------------------------

    def _creatable(self) -> list[Cohort]:
        """Return the cohorts that can be created, each after those that its query names."""
        waiting = [each for each in self._matching.new if has_query(each)]
        counts = Counter(each.name for each in waiting)
        self._lost = {str(each.code): each.name for each in waiting}
        ready: list[Cohort] = []
        while found := [each for each in waiting if not self._lost_in(each)]:
            ready += found
            waiting = [each for each in waiting if self._lost_in(each)]
            for each in found:
                if counts[each.name] == 1:  # Else the name does not tell which one a query means.
                    self._made[str(each.code)] = self._lost.pop(str(each.code))
        for each in waiting:
            self._notes.add(f"{named(each)} is left out for now: {self._reason(each)}")
        return ready

    def _lost_in(self, cohort: Cohort) -> list[str]:
        """Return the names of the cohorts that a query names and whose new codes it cannot get."""
        codes = self._codes_in_queries[id(cohort)]
        return [self._lost[code] for code in codes if code in self._lost]

    def _reason(self, cohort: Cohort) -> str:
        names = ", ".join(map(repr, self._lost_in(cohort)))
        return f"its query names {names}. Apply these plans, and make them again"

    def _creation(self, new: Cohort) -> Change:
        self._notes.created(new)
        wanted = self._wanted(new)
        if wanted.get("state") not in STATES:
            wanted.pop("state", None)
        return creation(wanted, self._rows[id(new)])

    def _wanted(self, new: Cohort) -> dict[str, Any]:
        """Return the fields that a cohort should have. Its query has codes of the old snapshot."""
        query = with_new_cohorts(new.query, self._codes, self._made) if has_query(new) else None
        fields = {**fields_of(new), "query": query}
        return {
            name: value for name, value in fields.items() if value is not None or name in _CLEARABLE
        }

    # --- Updates ---------------------------------------------------------------------------------

    def _differences(self, old: Cohort, new: Cohort) -> tuple[FieldChange, ...]:
        """Return the fields that the plan changes. Those that it cannot change become notes."""
        fields = field_changes(fields_of(old), self._wanted(new), clear_empty=True)
        if not (has_query(old) and has_query(new)):
            lost = ["query"] if has_query(old) else []
            self._notes.changed(named_lookalike(new), [*(each.field for each in fields), *lost])
            return ()
        if self._lost_in(new):
            self._notes.add(f"{named(new)} keeps its query for now: {self._reason(new)}")
            fields = tuple(each for each in fields if each.field != "query")
        fixed = [each.field for each in fields if not _is_changeable(each)]
        self._notes.changed(named(new), fixed)
        return tuple(each for each in fields if _is_changeable(each))


def _is_changeable(change: FieldChange) -> bool:
    if change.field == "state":
        return change.new in STATES
    return change.field != "segment_type"
