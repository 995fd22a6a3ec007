"""A live service for rehearsals: the sandbox, with what a test does there and what it received."""

from __future__ import annotations

from typing import Any, Dict, List, Set

from PermutiveAPI import Cohort, Import, Segment, Workspace
from PermutiveAPI.sandbox import Sandbox

QUERY = {"in_segment": 12345}


class Live:
    """A live service with two workspaces, the group and its brand."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.url = sandbox.base_url
        self.group, self.brand = (Workspace.from_json(each) for each in sandbox.credentials())
        self.import_id = Import.list(self.group.api_key)[0].id
        sandbox.clear_requests()

    @property
    def methods(self) -> Set[str]:
        """The methods of the requests that have arrived."""
        return {each.method for each in self.sandbox.requests}

    def put(self, name: str, **fields: Any) -> Cohort:
        """Create a cohort of the group, and forget the request."""
        cohort = Cohort(name, **{"query": QUERY, **fields})
        cohort.create(self.group.api_key)
        self.sandbox.clear_requests()
        return cohort

    def put_segments(self, *codes: str) -> None:
        """Create segments, and forget the requests."""
        segments = [Segment(code, f"Segment {code}", self.import_id) for code in codes]
        _, failures = Segment.bulk(self.import_id, creates=segments, api_key=self.group.api_key)
        assert failures == []
        self.sandbox.clear_requests()


def contents(key: str) -> Dict[str, List[Any]]:
    """Return all that a key can read."""
    return {
        "cohorts": list(Cohort.list(key, include_details=True)),
        "with those below": list(
            Cohort.list(key, include_child_workspaces=True, include_details=True)
        ),
        "listed": list(Cohort.list(key, include_child_workspaces=True)),
        "imports": list(Import.list(key, include_details=True)),
    }


def named(name: str, key: str) -> Cohort:
    """Return a cohort with its query."""
    found = Cohort.get_by_name(name, key)
    assert found is not None, name
    return found
