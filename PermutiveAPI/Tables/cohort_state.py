"""The cohorts of a plan as the service has them now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..Cohort import Cohort
from .changes import Change, PlanKey, keyed
from .cohort_reading import Seen, fetched
from .cohort_rows import fields_of
from .cohort_workspaces import check_owners, check_workspace
from .comparing import Fields
from .new_codes import new_cohorts_in, with_new_cohorts
from .plan import Plan


class CohortState:
    """The cohorts of a plan as the service has them now.

    Attributes
    ----------
    seen : Seen
        All cohorts that the key sees.
    cohorts : dict
        The cohorts of the plan, by the ``id()`` of their changes. They come from the service, so an
        update sends only the fields that differ.
    codes : dict
        The codes of the workspace's cohorts, by name.
    """

    def __init__(self, plan: Plan, api_key: str) -> None:
        self._plan = plan
        self.seen = _seen_for(plan, api_key)
        check_workspace(plan, self.seen)
        workspace = self.seen.of_workspace(plan.target.workspace_id)
        self.codes = {each.name: each.code for each in workspace if each.code is not None}
        self.cohorts = self._found(workspace)
        for change in plan.creates:
            if id(change) not in self.cohorts:  # Another cohort may still have its name.
                self.codes.pop(change.name, None)
        touched = [
            self.cohorts[id(each)] for each in plan.changes if each.key and id(each) in self.cohorts
        ]
        check_owners(plan, self.seen, touched)

    def _found(self, workspace: Iterable[Cohort]) -> dict[int, Cohort]:
        """Return the cohorts of the plan that exist, with their queries where a change needs them."""
        by_id = self.seen.everything.id_dictionary
        # A plan can rename a cohort, and create another one with the old name. It can also create a
        # second cohort with the name of one that stays as it is.
        keys = {each.key for each in (*self._plan.changes, *self._plan.unchanged)}
        by_name: dict[str, list[Cohort]] = {}
        for each in workspace:
            if each.id not in keys:
                by_name.setdefault(each.name, []).append(each)
        candidates: list[tuple[Change, list[Cohort]]] = []
        for change in self._plan.changes:
            of_key = [by_id[change.key]] if change.key in by_id else []
            candidates.append(
                (change, by_name.get(change.name, []) if change.key is None else of_key)
            )
        return self._chosen(candidates)

    def _chosen(self, candidates: Sequence[tuple[Change, list[Cohort]]]) -> dict[int, Cohort]:
        """Return one cohort for each change, the one that it expects if several have a name.

        No cohort is chosen for two changes. The code of a chosen one is then that of its name.
        """
        needed = [each for change, found in candidates if _has_query(change) for each in found]
        complete = fetched(needed, self.seen.api_key)
        groups: dict[str | tuple[str], list[tuple[Change, list[Cohort]]]] = {}
        for change, found in candidates:
            if _has_query(change):
                found = [complete[each.id or ""] for each in found if each.id in complete]
            # The creations of one name choose from the same cohorts.
            name = (change.name,) if change.key is None else change.key
            groups.setdefault(name, []).append((change, found))
        chosen: dict[int, Cohort] = {}
        for group in groups.values():
            chosen |= self._nearest(group)
        return chosen

    def _nearest(self, group: Sequence[tuple[Change, list[Cohort]]]) -> dict[int, Cohort]:
        """Return a cohort for each change as far as there are any, first for those that expect just it."""
        pairs = [(change, cohort) for change, found in group for cohort in found]
        chosen: dict[int, Cohort] = {}
        taken = set[str | None]()
        for change, cohort in sorted(pairs, key=lambda pair: self._distance(*pair)):
            if id(change) not in chosen and cohort.id not in taken:
                chosen[id(change)] = cohort
                taken.add(cohort.id)
                if change.action == "create" and cohort.code is not None:
                    self.codes[cohort.name] = cohort.code
        return chosen

    def _distance(self, change: Change, cohort: Cohort) -> int:
        """Return how many fields of a cohort have a value that the change does not expect."""
        return len(change.differences(self._fields(change, cohort)))

    def fields(self) -> dict[PlanKey, Fields]:
        """Return the fields of the plan's cohorts as JSON data, by key.

        A new cohort that was created, but is not disabled yet, is left out. So its creation counts as due.
        """
        found: dict[PlanKey, Fields] = {
            key: self._fields(change, self.cohorts[id(change)])
            for key, change in keyed(self._plan.changes)
            if id(change) in self.cohorts and not self._is_half_done(change)
        }
        for each in self._plan.unchanged:
            found[each.key] = {"id": each.key}
        return found

    def _fields(self, change: Change, cohort: Cohort) -> dict[str, Any]:
        """Return a cohort's fields. Codes of new cohorts in its query are shown as in the plan."""
        fields = fields_of(cohort)
        queries = [each for each in change.fields if each.field == "query"]
        names = [
            name for each in queries for old in (each.old, each.new) for name in new_cohorts_in(old)
        ]
        new = {str(self.codes[name]): name for name in names if name in self.codes}
        query = with_new_cohorts(fields["query"], {}, new) if new else fields["query"]
        return {**fields, "id": cohort.id, "query": query}

    def _is_half_done(self, change: Change) -> bool:
        cohort = self.cohorts[id(change)]
        if change.action != "create" or cohort.state != "Enabled":
            return False
        return [each.field for each in change.differences(self._fields(change, cohort))] == [
            "state"
        ]


def _has_query(change: Change) -> bool:
    return any(each.field == "query" for each in change.fields)


def _seen_for(plan: Plan, api_key: str) -> Seen:
    """Return the cohorts that a key sees. If the plan may need them: also those of the workspaces below."""
    seen = Seen.read(api_key)
    keys = {change.key for change in plan.changes if change.key is not None}
    known = keys <= seen.cohorts.id_dictionary.keys()
    same = set(plan.target.workspace_ids) <= seen.workspace_ids
    return seen if known and same else seen.with_below()
