"""Apply a plan: check it, compare it with the service, and carry out what is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from .._Utils.batch.progress_bar import ProgressBar
from .._Utils.batch.types import BatchRequest, Progress, ProgressCallback
from .._Utils.credentials import resolve_api_key
from .._Utils.errors import call_safely
from .changes import Change
from .comparing import Fields, compared
from .limits import check_limits
from .plan import Plan
from .report import FAILURES, Outcome, Report
from .target import Target, present_origin

Tell = Callable[[Sequence[Outcome], BatchRequest], None]
Queries = Iterable[tuple[str, Any]]


class Objects(Protocol):
    """The objects of a plan as the service had them when this was made. It changes them.

    Segments and cohorts each have a class for it.
    """

    @property
    def present(self) -> Mapping[Any, Fields]:
        """The objects: their fields as JSON data, with ``id``, by key.

        A change without a key, the creation of a cohort, is found under its name and its
        position among the creations of that name.
        """
        ...

    def refuse_used(self, deletes: Sequence[Change], queries: Queries) -> None:
        """Raise PlanRefusedError if queries of cohorts that stay name what is to be deleted."""
        ...

    def queries_after(self, deletes: Sequence[Change]) -> Queries:
        """Read the names and the queries of the cohorts that are there after the plan."""
        ...

    def carry_out(self, changes: Sequence[Change], tell: Tell) -> None:
        """Carry out changes, in their order.

        Parameters
        ----------
        changes : sequence of Change
            Creations, updates and deletions of objects that are as they were when the plan was made.
        tell : callable
            Called with outcomes as soon as they are known, and with the request that they come from.
            Each change has one outcome.
        """
        ...


def apply(
    plans: Iterable[Plan],
    api_key: str,
    progress_callback: ProgressCallback | None,
    *,
    max_update_share: float | None,
    max_delete_share: float | None,
    allow_used: bool,
) -> list[Report]:
    """Carry out plans as one; see :meth:`Plan.apply` and :meth:`Plans.apply`."""
    api_key = resolve_api_key(api_key)
    checked = [_CheckedPlan(plan, api_key, max_update_share, max_delete_share) for plan in plans]
    segments = [each for each in checked if each.plan.target.kind == "segments"]
    cohorts = [each for each in checked if each.plan.target.kind == "cohorts"]
    deleting = [each for each in checked if each.deletes]
    if deleting and not allow_used:
        # As they are after the plan of the cohorts.
        queries = [*(cohorts or deleting)[0].queries()]
        for each in deleting:
            each.refuse_used(queries)
    due = sum(each.due for each in checked)
    with closing(_ProgressReporter(due, progress_callback, api_key)) as progress:
        for each in (*segments, *cohorts):
            each.create_and_update(progress)
        for each in (*cohorts, *segments):  # Queries of the cohorts may name the segments.
            each.delete(progress)
    return [each.report() for each in checked]


class _CheckedPlan:
    """A plan that was compared with the service. It is carried out in two steps.

    The arguments and the errors are those of :meth:`Plan.apply`.
    """

    def __init__(
        self,
        plan: Plan,
        api_key: str,
        max_update_share: float | None,
        max_delete_share: float | None,
    ) -> None:
        _check_place(plan.target)
        check_limits(
            owned=plan.owned_count,
            updates=len(plan.updates),
            deletes=len(plan.deletes),
            max_update_share=max_update_share,
            max_delete_share=max_delete_share,
        )
        self.plan = plan
        self._objects = _objects_of(plan, api_key)
        due, self._outcomes = compared(plan.changes, self._objects.present)
        self.due = len(due)
        self.deletes = [change for change in due if change.action == "delete"]
        self._others = [change for change in due if change.action != "delete"]

    def refuse_used(self, queries: Queries) -> None:
        """Raise PlanRefusedError if queries of cohorts that stay name what is to be deleted."""
        self._objects.refuse_used(self.deletes, queries)

    def queries(self) -> Queries:
        """Read the names and the queries of the cohorts that are there after the plan."""
        return self._objects.queries_after(self.deletes)

    def create_and_update(self, progress: _ProgressReporter) -> None:
        """Carry out all but the deletions."""
        if self._others:
            self._objects.carry_out(self._others, self._reporting_to(progress))

    def delete(self, progress: _ProgressReporter) -> None:
        """Carry out the deletions, unless a change has failed: it may be what replaces them."""
        if self.deletes and not progress.errors:
            self._objects.carry_out(self.deletes, self._reporting_to(progress))
        else:
            self._outcomes += [Outcome(change, "not tried") for change in self.deletes]

    def _reporting_to(self, progress: _ProgressReporter) -> Tell:
        def tell(outcomes: Sequence[Outcome], request: BatchRequest) -> None:
            self._outcomes += outcomes
            progress.tell(outcomes, request)

        return tell

    def report(self) -> Report:
        """Return what has become of the plan."""
        present = self._objects.present
        ids = {
            each.key: present[each.key]["id"] for each in self.plan.unchanged if each.key in present
        }
        return Report(self.plan, tuple(self._outcomes), ids)


def _check_place(target: Target) -> None:
    """Raise ValueError if calls go to another service than the one that a plan was made for."""
    origin = present_origin()
    if target.origin != origin:
        raise ValueError(
            f"The plan was made for {target.origin}, but calls go to {origin} now. Make the plan again."
        )


def _objects_of(plan: Plan, api_key: str) -> Objects:
    """Read the objects of a plan; ValueError if the key is for another workspace than the plan."""
    if plan.target.kind == "cohorts":
        from .cohort_changes import Cohorts

        return Cohorts(plan, api_key)
    from .segment_changes import Segments

    return Segments(plan, api_key)


class _ProgressReporter:
    """Reports the progress to the caller, and counts the changes that failed."""

    def __init__(self, total: int, callback: ProgressCallback | None, api_key: str) -> None:
        self.errors = 0
        self._completed = 0
        self._total = total
        self._callback = callback
        self._begun = time.monotonic()
        self._api_key = api_key

    def tell(self, outcomes: Sequence[Outcome], request: BatchRequest) -> None:
        """Count outcomes, and call the progress callback."""
        self._completed += len(outcomes)
        self.errors += sum(each.status in FAILURES for each in outcomes)
        if self._callback is not None and outcomes:
            call_safely("progress_callback", self._callback, self._progress(request), self._api_key)

    def _progress(self, request: BatchRequest) -> Progress:
        completed, elapsed = self._completed, time.monotonic() - self._begun
        average = 1000 * elapsed / completed
        return Progress(completed, self._total, self.errors, request, elapsed, average)

    def close(self) -> None:
        """End a progress bar."""
        if isinstance(self._callback, ProgressBar):
            self._callback.close()
