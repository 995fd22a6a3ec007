"""The two workspaces of the sandbox: what a test puts there, sees there, and what the service received."""

from __future__ import annotations

import copy
from typing import Any, Dict, List

from PermutiveAPI import Cohort, CohortList, Workspace
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.sandbox.recording import RecordedRequest
from PermutiveAPI.Tables import Plan, Report

QUERY = {"in_segment": 12345}
FIELDS = ("name", "description", "query", "tags", "state")


class Club:
    """The cohorts of the sandbox, with the calls that a test makes on them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.key = sandbox.api_key
        self.group, self.brand = (Workspace.from_json(each) for each in sandbox.credentials())

    def put(self, name: str, query: Any = None, key: str = "", **fields: Any) -> Cohort:
        """Create a cohort, and forget the requests so far."""
        cohort = Cohort(name, query=QUERY if query is None else query, **fields)
        cohort.create(key or self.key)
        self.sandbox.clear_requests()
        return cohort

    def edit(self, code: int, **fields: Any) -> None:
        """Change a cohort, as another user does."""
        cohort = self.get(code)
        for name, value in fields.items():
            setattr(cohort, name, value)
        cohort.update(self.key)
        self.sandbox.clear_requests()

    def empty_brand(self) -> None:
        """Leave only the cohorts of the group: its brand then sees the same ones."""
        cohorts = self.sandbox._state.cohorts
        own = {
            id for id, each in cohorts.items() if each["workspace_id"] == self.brand.workspace_id
        }
        self.sandbox._state.cohorts = {id: cohorts[id] for id in cohorts if id not in own}

    def get(self, code: int) -> Cohort:
        """Return a cohort with its query."""
        cohorts = self.sandbox._state.cohorts.values()
        (id,) = [each["id"] for each in cohorts if each["code"] == code]
        return Cohort.get_by_id(id, self.key)

    def list(self, key: str = "", details: bool = True) -> CohortList:
        """Return the cohorts that a key sees, without a request."""
        state = self.sandbox._state
        workspace = state.workspace_of_key(key or self.key)
        assert workspace is not None
        found = CohortList.from_json(copy.deepcopy(state.cohorts_seen_by(workspace)))
        for each in found if not details else ():
            each.query = None
        return found

    def there(self, key: str = "") -> Dict[str, Dict[str, Any]]:
        """Return what a plan may change of the cohorts that are there, by name."""
        return {each.name: fields_of(each) for each in self.list(key)}

    def plan(self, table: Any, **options: Any) -> Plan:
        """Plan changes from a table."""
        return Cohort.plan(table, **{"api_key": self.key, **options})

    def apply(self, plan: Plan, **options: Any) -> Report:
        """Apply a plan."""
        return plan.apply(**{"api_key": self.key, **options})

    def reads(self) -> List[RecordedRequest]:
        """Return the requests that read."""
        return [each for each in self.sandbox.requests if each.method == "GET"]

    def writes(self) -> List[RecordedRequest]:
        """Return the requests that were meant to change something."""
        return [each for each in self.sandbox.requests if each.method != "GET"]

    def sent(self) -> List[Any]:
        """Return verb and body of the requests that were meant to change something."""
        return [(each.method, each.json if each.body else None) for each in self.writes()]


def fields_of(cohort: Cohort) -> Dict[str, Any]:
    """Return what a plan may change of a cohort, with one value for what is empty."""
    fields = {name: getattr(cohort, name) for name in FIELDS}
    return {**fields, "description": cohort.description or None, "tags": cohort.tags or []}
