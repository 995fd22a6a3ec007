"""An import of the sandbox: what a test puts there, sees there, and what the service received."""

from __future__ import annotations

from typing import Any, Dict, List

from PermutiveAPI import Segment, SegmentList
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.sandbox.recording import RecordedRequest
from PermutiveAPI.Tables import Owned, Plan, Report

MINE = Owned.prefix("m_")


class Market:
    """An import, with the calls that a test makes on it."""

    def __init__(self, sandbox: Sandbox, import_id: str) -> None:
        self.sandbox = sandbox
        self.key = sandbox.api_key
        self.id = import_id

    def without_cohorts(self) -> Market:
        """Remove all cohorts: before a deletion their queries are read, each with a request."""
        self.sandbox._state.cohorts.clear()
        return self

    def put(self, *segments: Segment) -> None:
        """Create segments, and forget the requests so far."""
        _, failures = Segment.bulk(self.id, creates=segments, api_key=self.key)
        assert failures == []
        self.sandbox.clear_requests()

    def segment(self, code: str, name: str = "Name", **fields: Any) -> Segment:
        """Return a segment of this import."""
        return Segment(code=code, name=name, import_id=self.id, **fields)

    def list(self) -> SegmentList:
        """Return the segments that are there."""
        return Segment.list(self.id, self.key)

    def there(self) -> Dict[str, Dict[str, Any]]:
        """Return the fields of the segments that are there, by code."""
        return {each.code or "": fields_of(each) for each in self.list()}

    def mine(self) -> Dict[str, Dict[str, Any]]:
        """Return the segments that are owned."""
        return {code: fields for code, fields in self.there().items() if MINE.owns(code)}

    def plan(self, table: Any, mode: Any = "upsert", **options: Any) -> Plan:
        """Plan an upsert or a mirror."""
        return Segment.plan(self.id, table, mode, api_key=self.key, **options)

    def mirror(self, table: Any, **options: Any) -> Plan:
        """Plan a mirror of what is owned."""
        return self.plan(table, "mirror", owned=MINE, **options)

    def apply(self, plan: Plan, **options: Any) -> Report:
        """Apply a plan."""
        return plan.apply(api_key=self.key, **options)

    def writes(self) -> List[RecordedRequest]:
        """Return the requests that were meant to change something."""
        return [each for each in self.sandbox.requests if each.method != "GET"]


def fields_of(segment: Segment) -> Dict[str, Any]:
    """Return what a plan may change of a segment, with one value for what is empty."""
    return {
        "name": segment.name,
        "description": segment.description or None,
        "cpm": segment.cpm or 0.0,
        "categories": segment.categories or None,
    }
