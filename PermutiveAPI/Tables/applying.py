"""Apply a plan: check it, compare it with the service, and carry out what is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, Protocol

from .._Utils.batch.progress_bar import ProgressBar
from .._Utils.batch.types import BatchRequest, Progress, ProgressCallback
from .._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from .._Utils.errors import tell as call_safely
from .changes import Change
from .comparing import Fields, compared
from .limits import check_limits
from .plan import Plan
from .report import FAILURES, Outcome, Report
from .target import Target, present_origin

Tell = Callable[[Sequence[Outcome], BatchRequest], None]


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

    def refuse_used(self, deletes: Sequence[Change]) -> None:
        """Raise ValueError if the queries of cohorts that stay name what is to be deleted."""
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
    plan: Plan,
    api_key: str = DEFAULT_API_KEY,
    progress_callback: ProgressCallback | None = None,
    *,
    max_update_share: float | None = None,
    max_delete_share: float | None = None,
    allow_used: bool = False,
) -> Report:
    """Carry out a plan; see :meth:`Plan.apply`."""
    check_place(plan.target)
    check_limits(
        owned=plan.owned,
        updates=len(plan.updates),
        deletes=len(plan.deletes),
        max_update_share=max_update_share,
        max_delete_share=max_delete_share,
    )
    api_key = resolve_api_key(api_key)
    objects = _objects_of(plan, api_key)
    present = objects.present
    due, done = compared(plan.changes, present)
    deletes = [change for change in due if change.action == "delete"]
    others = [change for change in due if change.action != "delete"]
    if deletes and not allow_used:
        objects.refuse_used(deletes)
    with closing(_Telling(len(due), progress_callback, api_key)) as telling:
        if others:
            objects.carry_out(others, telling.tell)
        if deletes and not telling.errors:
            objects.carry_out(deletes, telling.tell)
        elif deletes:  # What failed may be what replaces them.
            telling.outcomes += [Outcome(change, "not tried") for change in deletes]
        outcomes = (*done, *telling.outcomes)
    ids = {each.key: present[each.key]["id"] for each in plan.unchanged if each.key in present}
    return Report(plan, outcomes, ids)


def check_place(target: Target) -> None:
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


class _Telling:
    """Collects outcomes, and reports the progress to the caller."""

    def __init__(self, total: int, callback: ProgressCallback | None, api_key: str) -> None:
        self.outcomes: list[Outcome] = []
        self._total = total
        self.errors = 0
        self._callback = callback
        self._begun = time.monotonic()
        self.api_key = api_key

    def tell(self, outcomes: Sequence[Outcome], request: BatchRequest) -> None:
        """Keep outcomes, and call the progress callback."""
        self.outcomes += outcomes
        self.errors += sum(each.status in FAILURES for each in outcomes)
        if self._callback is not None and outcomes:
            call_safely("progress_callback", self._callback, self._progress(request), self.api_key)

    def _progress(self, request: BatchRequest) -> Progress:
        completed, elapsed = len(self.outcomes), time.monotonic() - self._begun
        average = 1000 * elapsed / completed
        return Progress(completed, self._total, self.errors, request, elapsed, average)

    def close(self) -> None:
        """End a progress bar."""
        if isinstance(self._callback, ProgressBar):
            self._callback.close()
