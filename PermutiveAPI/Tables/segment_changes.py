"""Carry out the changes of segments: many in one request."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .._Utils.batch.types import BatchRequest
from .._Utils.errors import PermutiveAuthenticationError, PermutiveResourceNotFoundError
from ..Audience.Import import Import
from ..Audience.Segment import Segment
from ..Audience.urls import segments_url
from ..Cohort import Cohort
from .applying import Queries, Tell
from .changes import Change
from .cohort_reading import with_queries
from .comparing import Fields
from .phrases import ALLOW_USED
from .plan import Plan
from .queries import Named
from .report import Outcome
from .splitting import Batches
from .usage import refuse_used

# The service accepts at most this many changes in one request.
_MOST_CHANGES = 5_000
# Up to this many segments are read one by one. The list of all segments may have many pages.
_FEW = 20
# The values that clear a field.
_CLEARED: Mapping[str, Any] = {"description": "", "cpm": 0.0, "categories": []}


def fields_by_code(segments: Iterable[Segment]) -> dict[str, Fields]:
    """Return the fields of segments as JSON data, by code."""
    return {segment.code: _fields_of(segment) for segment in segments if segment.code}


def _fields_of(segment: Segment) -> Fields:
    """Return a segment's fields. An empty text or list becomes None, and a missing price 0.0."""
    return {
        "id": segment.id,
        "name": segment.name,
        "description": segment.description or None,
        "cpm": float(segment.cpm or 0.0),
        "categories": list(segment.categories) if segment.categories else None,
    }


class Segments:
    """The segments of a plan's import: reads and changes them; see ``applying.Objects``."""

    def __init__(self, plan: Plan, api_key: str) -> None:
        self._import_id = plan.target.import_id or ""
        self._api_key = api_key
        self._request = BatchRequest("PATCH", segments_url(self._import_id))
        self.present = fields_by_code(Segment.list(self._import_id, api_key))

    def refuse_used(self, deletes: Sequence[Change], queries: Queries) -> None:
        """Raise PlanRefusedError if one of the queries names a segment that is deleted."""
        with _saying_what_the_key_needs():
            provider = Import.get_by_id(self._import_id, self._api_key).code
        names = {
            Named("segment", change.key or "", of): change.name
            for change in deletes
            for of in (provider, None)  # A query may name a segment without its import.
        }
        refuse_used("segments", names, queries)

    def queries_after(self, deletes: Sequence[Change]) -> Queries:
        """Yield the name and the query of each cohort. A plan of segments changes none of them."""
        with _saying_what_the_key_needs():
            cohorts = Cohort.list(api_key=self._api_key, include_child_workspaces=True)
            for each in with_queries(cohorts, self._api_key):
                yield each.name, each.query

    def carry_out(self, changes: Sequence[Change], tell: Tell) -> None:
        """Send changes, up to 5,000 in one request; see :class:`Batches`."""

        def tell_of_batch(outcomes: Sequence[Outcome]) -> None:
            tell(outcomes, self._request)

        Batches(self._send, self._look, tell_of_batch, _MOST_CHANGES).carry_out(changes)

    def _send(self, changes: Sequence[Change]) -> Mapping[str, str | None]:
        """Send one request, and return the ids of its segments by code."""
        creates = [self._segment(each, each.wanted) for each in changes if each.action == "create"]
        updates = [self._updated(each) for each in changes if each.action == "update"]
        deletes = [each.key or "" for each in changes if each.action == "delete"]
        answered, failures = Segment.bulk(
            self._import_id,
            creates=creates,
            updates=updates,
            deletes=deletes,
            api_key=self._api_key,
        )
        for _, error in failures:
            raise error
        ids = {each.code: each.id for each in answered}
        return {
            each.key: ids.get(each.key) or self.present.get(each.key, {}).get("id")
            for each in changes
            if each.key is not None
        }

    def _updated(self, change: Change) -> Segment:
        """Return a segment with the fields to send. The service needs the name, so it has the present one."""
        present = self.present[change.key or ""]
        return self._segment(change, {"name": present["name"], **change.wanted})

    def _segment(self, change: Change, fields: Mapping[str, Any]) -> Segment:
        given = {name: _CLEARED[name] if value is None else value for name, value in fields.items()}
        return Segment(code=change.key, import_id=self._import_id, **given)

    def _look(self, changes: Sequence[Change]) -> Mapping[str, Fields]:
        """Return the segments of these changes as they are now, and perhaps other ones."""
        few = len(changes) <= _FEW
        found = self._found(changes) if few else Segment.list(self._import_id, self._api_key)
        present = fields_by_code(found)
        self.present.update(present)
        return present

    def _found(self, changes: Sequence[Change]) -> Iterator[Segment]:
        for change in changes:
            try:
                yield Segment.get_by_code(self._import_id, change.key or "", self._api_key)
            except PermutiveResourceNotFoundError:
                pass


@contextmanager
def _saying_what_the_key_needs() -> Generator[None, None, None]:
    """Add to the error of a refused key what the key must be able to read."""
    try:
        yield
    except PermutiveAuthenticationError as error:
        error.message = (
            f"{error.message} Before segments are deleted, the queries of cohorts are read. Pass a key that "
            f"may read imports and cohorts, or {ALLOW_USED()}."
        )
        error.args = (error.message,)
        raise
