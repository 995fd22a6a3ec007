"""Compare a copy with what it was at its start: the plans of what has changed. Nothing here sends a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..Audience.Segment import Segment
from ..Cohort import Cohort
from ..Tables.changes import Change, FieldChange, Unchanged, field_changes, in_order
from ..Tables.cohort_rows import creation, deletion, fields_of
from ..Tables.comparing import Fields
from ..Tables.new_codes import with_new_cohorts
from ..Tables.plan import Plan
from ..Tables.queries import codes_in
from ..Tables.segment_changes import fields_by_code
from ..Tables.target import Target

Data = dict[str, Any]


# --- Cohorts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CohortComparison:
    """Compares the cohorts of a copy at its start with those that it has now.

    Attributes
    ----------
    targets : dict
        The target of a plan for the cohorts of each workspace, by its id.
    before, after : sequence of Cohort
        The cohorts with their queries.
    """

    targets: Mapping[str, Target]
    before: Sequence[Cohort]
    after: Sequence[Cohort]

    def plans(self) -> Iterator[Plan]:
        """Yield a plan for each target, if anything has changed."""
        for target in dict.fromkeys(self.targets.values()):
            plan = self._plan(target)
            if plan:
                yield plan

    def notes(self) -> Iterator[str]:
        """Yield what the plans cannot do in the live service."""
        created = {str(each.code): each for each in self._created}
        for user in self.after:
            for code in dict.fromkeys(map(str, codes_in(user.query))):
                if code in created and not self._is_found_for(self._target_of(user), created[code]):
                    yield (
                        f"The query of {user.name!r} cannot be written: it names the new cohort "
                        f"{created[code].name!r}, which a plan cannot find by its name."
                    )

    def _plan(self, target: Target) -> Plan:
        old = {each.id: each for each in self.before if self._target_of(each) == target}
        now = {each.id: each for each in self.after if self._target_of(each) == target}
        names = self._names_for(target)
        changes: list[Change] = []
        unchanged: list[Unchanged] = []
        for id, cohort in now.items():
            fields = _fields(cohort, names)
            if id not in old:
                changes.append(creation(fields))
            elif differing := field_changes(fields_of(old[id]), fields, clear_empty=True):
                changes.append(Change("update", id, old[id].name, differing))
            else:
                unchanged.append(Unchanged(id or "", cohort.name))
        changes += [deletion(each) for id, each in old.items() if id not in now]
        return Plan(target, in_order(changes), tuple(unchanged), len(old))

    def _target_of(self, cohort: Cohort) -> Target | None:
        """Return the target of a plan for a cohort; None for an inherited one, which no key can change."""
        return self.targets.get(cohort.workspace_id or "")

    def _names_for(self, target: Target) -> dict[str, str]:
        """Return the names that stand for the codes of new cohorts, in the queries of a plan.

        If a plan cannot find a cohort by its name, a name that no cohort has stands for its code. Then
        the change is not made.
        """
        return {
            str(each.code): (
                each.name
                if self._is_found_for(target, each)
                else f"{each.name} (code {each.code} in the copy)"
            )
            for each in self._created
        }

    def _is_found_for(self, target: Target | None, new: Cohort) -> bool:
        return self._target_of(new) == target and self._counts[new.workspace_id, new.name] == 1

    @cached_property
    def _created(self) -> list[Cohort]:
        known = {each.id for each in self.before}
        return [each for each in self.after if each.id not in known]

    @cached_property
    def _counts(self) -> Counter[tuple[str | None, str]]:
        return Counter((each.workspace_id, each.name) for each in self._created)


def _fields(cohort: Cohort, names: Mapping[str, str]) -> Data:
    """Return a cohort's fields. In its query, names stand for the codes of new cohorts."""
    fields = fields_of(cohort)
    return {**fields, "query": with_new_cohorts(fields["query"], {}, names)} if names else fields


# --- Segments ------------------------------------------------------------------------------------


def segment_plans(
    origin: str, before: Mapping[str, Sequence[Data]], after: Mapping[str, Sequence[Data]]
) -> Iterator[Plan]:
    """Yield a plan for each import whose segments have changed; `before` and `after` have them by its id."""
    for import_id, segments in before.items():
        plan = _segment_plan(
            Target("segments", origin, import_id=import_id), segments, after[import_id]
        )
        if plan:
            yield plan


def _segment_plan(target: Target, before: Sequence[Data], after: Sequence[Data]) -> Plan:
    old, now = _by_code(before), _by_code(after)
    # Only these become models: an import may have many segments.
    touched = {code for code in {**old, **now} if old.get(code) != now.get(code)}
    old_fields, now_fields = (
        fields_by_code(Segment.from_json(each) for code, each in several.items() if code in touched)
        for several in (old, now)
    )
    changes = [*_segment_changes(old_fields, now_fields)]
    changed = {change.key for change in changes}
    unchanged = tuple(
        Unchanged(code, each["name"]) for code, each in old.items() if code not in changed
    )
    return Plan(target, in_order(changes), unchanged, len(old))


def _by_code(segments: Iterable[Data]) -> dict[str, Data]:
    return {each["code"]: each for each in segments}


def _segment_changes(old: Mapping[str, Fields], now: Mapping[str, Fields]) -> Iterator[Change]:
    for code, segment in now.items():
        fields = _without_id(segment)
        if code not in old:
            filled = {name: value for name, value in fields.items() if value}
            yield Change("create", code, fields["name"], field_changes({}, filled))
        elif differing := field_changes(old[code], fields, clear_empty=True):
            yield Change("update", code, old[code]["name"], differing)
    for code, segment in old.items():
        if code not in now:
            fields = _without_id(segment)
            gone = tuple(FieldChange(name, value, None) for name, value in fields.items())
            yield Change("delete", code, fields["name"], gone)


def _without_id(fields: Fields) -> Data:
    return {name: value for name, value in fields.items() if name != "id"}
