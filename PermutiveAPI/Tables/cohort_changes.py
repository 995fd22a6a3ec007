"""Carry out the changes of cohorts: one request for each, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .._Utils.batch.types import BatchRequest, Progress, Responses
from .._Utils.errors import PermutiveResourceNotFoundError

# The name is that of 5.4.4.
from ..Cohort import _API_ENDPOINT as _COHORTS  # pyright: ignore[reportPrivateUsage]
from ..Cohort import Cohort
from .applying import Tell
from .changes import Change
from .cohort_reading import with_queries
from .cohort_state import CohortState, key_of
from .comparing import Fields
from .new_codes import new_cohorts_in, with_known_codes
from .plan import Plan
from .queries import Named
from .report import STATUS_WHEN_DONE, Outcome
from .splitting import status_after
from .usage import refuse_used

Pairs = Sequence[tuple[Change, Cohort]]


class Cohorts:
    """The cohorts of a plan: reads and changes them, for ``applying.apply``."""

    def __init__(self) -> None:
        self._plan: Plan
        self._state: CohortState

    def present(self, plan: Plan, api_key: str) -> Mapping[str, Fields]:
        """Return the cohorts of a plan as they are now, by id or, if it creates them, by name."""
        self._plan, self._state = plan, CohortState(plan, api_key)
        return self._state.fields()

    def refuse_used(self, deletes: Sequence[Change], api_key: str) -> None:
        """Raise ValueError if the queries of cohorts that stay name one that is deleted."""
        deleted = [self._state.cohorts[key_of(each)] for each in deletes]
        names = {Named("cohort", str(each.code)): each.name for each in deleted}
        refuse_used("cohorts", names, self._queries_without({each.id for each in deleted}))

    def carry_out(self, changes: Sequence[Change], api_key: str, tell: Tell) -> None:
        """Send one request for each change. A new cohort that is to be disabled needs two."""
        deletes = [change for change in changes if change.action == "delete"]
        self._create([change for change in changes if change.action == "create"], api_key, tell)
        updates = [change for change in changes if change.action == "update"]
        for method, several in ((Cohort.batch_update, updates), (Cohort.batch_delete, deletes)):
            send = partial(method, api_key=api_key)
            _send(send, [(change, self._changed(change)) for change in several], tell)

    def _changed(self, change: Change) -> Cohort:
        cohort = self._state.cohorts[key_of(change)]
        if change.action == "update":
            for name, value in change.wanted.items():
                setattr(cohort, name, value)
        return cohort

    def _create(self, changes: Sequence[Change], api_key: str, tell: Tell) -> None:
        """Create cohorts in the order that their queries need, then disable those that are to be disabled."""
        existing = self._state.cohorts
        half_done = [(each, existing[key]) for each in changes if (key := key_of(each)) in existing]
        waiting = [each for each in changes if key_of(each) not in existing]
        codes = dict(self._state.codes)
        create = partial(Cohort.batch_create, api_key=api_key)
        while ready := [each for each in waiting if codes.keys() >= {*_needed_by(each)}]:
            waiting = [each for each in waiting if not codes.keys() >= {*_needed_by(each)}]
            made = [(each, _new(each, codes)) for each in ready]
            half_done += _send(create, made, tell, is_half=_is_to_be_disabled)
            codes |= {each.name: each.code for _, each in made if each.code is not None}
        for change in waiting:
            names = ", ".join(map(repr, _needed_by(change)))
            outcome = Outcome(change, "not tried", error=f"it needs the codes of {names}")
            tell([outcome], BatchRequest("POST", _COHORTS))
        _send(partial(Cohort.batch_disable, api_key=api_key), half_done, tell)

    def _queries_without(self, deleted_ids: Container[str | None]) -> Iterator[tuple[str, Any]]:
        """Yield the name and the query of each cohort, as they are after the plan."""
        seen = self._state.seen.with_below()  # Cohorts below may name inherited ones.
        staying = [each for each in seen.everything if each.id not in deleted_ids]
        wanted = {each.key: each.wanted for each in self._plan.updates}
        for cohort in with_queries(staying, seen.api_key):
            yield cohort.name, wanted.get(cohort.id, {}).get("query", cohort.query)
        for change in self._plan.creates:
            yield change.name, change.wanted.get("query")


def _needed_by(change: Change) -> list[str]:
    """Return the names of the new cohorts whose codes a creation needs."""
    return new_cohorts_in(change.wanted.get("query"))


def _new(change: Change, codes: Mapping[str, int | str]) -> Cohort:
    fields = {name: value for name, value in change.wanted.items() if name != "state"}
    return Cohort(**{**fields, "query": with_known_codes(fields["query"], codes)})


def _is_to_be_disabled(outcome: Outcome) -> bool:
    return outcome.status == "created" and outcome.change.wanted.get("state") == "Disabled"


def _send(
    send: Callable[..., Responses],
    pairs: Pairs,
    tell: Tell,
    is_half: Callable[[Outcome], bool] = lambda outcome: False,
) -> list[tuple[Change, Cohort]]:
    """Send one request for each cohort, and tell the outcomes.

    Parameters
    ----------
    send : callable
        A batch call of Cohort.
    pairs : sequence of (Change, Cohort)
        The changes and their cohorts.
    tell : callable
        As for :meth:`Cohorts.carry_out`.
    is_half : callable
        Tells whether the change needs one more request after this outcome.

    Returns
    -------
    list of (Change, Cohort)
        The changes that need one more request. Their outcomes were not told.
    """
    changes = {id(cohort): change for change, cohort in pairs}
    half: list[tuple[Change, Cohort]] = []
    errors = 0

    def told(progress: Progress) -> None:
        nonlocal errors
        request, failed = progress.batch_request, progress.errors > errors
        errors = progress.errors
        if failed:
            return  # It is told below, with its error.
        cohort: Cohort = request.item
        change = changes[id(cohort)]
        outcome = Outcome(change, STATUS_WHEN_DONE[change.action], cohort.id)
        if is_half(outcome):
            half.append((change, cohort))
        else:
            tell([outcome], request)

    if pairs:
        _, failures = send([cohort for _, cohort in pairs], progress_callback=told)
        for request, error in failures:
            tell([_failed(changes[id(request.item)], request.item, error)], request)
    return half


def _failed(change: Change, cohort: Cohort, error: Exception) -> Outcome:
    if change.action == "delete" and isinstance(error, PermutiveResourceNotFoundError):
        return Outcome(change, "deleted", cohort.id)  # By a request whose answer was lost.
    if change.action == "create" and cohort.id is not None:
        text = f"it was created, but could not be disabled: {error}"
        return Outcome(change, "unknown", cohort.id, text)
    return Outcome(change, status_after(error), cohort.id, str(error))
