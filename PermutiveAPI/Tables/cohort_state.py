"""The cohorts of a plan as the service has them now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ..Cohort import Cohort
from .changes import Change
from .cohort_reading import Seen, fetched
from .cohort_rows import fields_of
from .cohort_workspaces import check_workspace
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
        The cohorts of the plan, by :func:`key_of`. They come from the service, so an update sends only
        the fields that differ.
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

    def _found(self, workspace: Iterable[Cohort]) -> dict[str, Cohort]:
        """Return the cohorts of the plan that exist, with their queries where a change needs them."""
        by_id = self.seen.everything.id_dictionary
        # A plan can rename a cohort, and create another one with the old name.
        keys = {change.key for change in self._plan.changes}
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

    def _chosen(self, candidates: Sequence[tuple[Change, list[Cohort]]]) -> dict[str, Cohort]:
        """Return one cohort for each change. If several have the name, it is the one that fits best."""
        needed = [each for change, found in candidates if _has_query(change) for each in found]
        complete = fetched(needed, self.seen.api_key)
        chosen: dict[str, Cohort] = {}
        for change, found in candidates:
            if _has_query(change):
                found = [complete[each.id or ""] for each in found if each.id in complete]
            if found:
                chosen[key_of(change)] = min(found, key=partial(self._distance, change))
        return chosen

    def _distance(self, change: Change, cohort: Cohort) -> int:
        """Return how many fields of a cohort have a value that the change does not expect."""
        return len(change.differences(self._fields(change, cohort)))

    def fields(self) -> dict[str, Fields]:
        """Return the fields of the plan's cohorts as JSON data, by key.

        A new cohort that was created, but is not disabled yet, is left out. So its creation counts as due.
        """
        found = {
            key: self._fields(change, self.cohorts[key])
            for change in self._plan.changes
            if (key := key_of(change)) in self.cohorts and not self._is_half_done(change)
        }
        return {**found, **{each.key: {"id": each.key} for each in self._plan.unchanged}}

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
        cohort = self.cohorts[key_of(change)]
        if change.action != "create" or cohort.state != "Enabled":
            return False
        return [each.field for each in change.differences(self._fields(change, cohort))] == [
            "state"
        ]


def key_of(change: Change) -> str:
    """Return the id of a change's cohort; for a cohort that is to be created, its name."""
    return change.name if change.key is None else change.key


def _has_query(change: Change) -> bool:
    return any(each.field == "query" for each in change.fields)


def _seen_for(plan: Plan, api_key: str) -> Seen:
    """Return the cohorts that a key sees. If the plan may need them: also those of the workspaces below."""
    seen = Seen.read(api_key)
    keys = {change.key for change in plan.changes if change.key is not None}
    known = keys <= seen.cohorts.id_dictionary.keys()
    same = set(plan.target.workspace_ids) <= seen.workspace_ids
    return seen if known and same else seen.with_below()
