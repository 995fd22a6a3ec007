"""Carry out the changes of cohorts: one request for each, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .._Utils.batch.types import BatchRequest, Progress, Responses
from .._Utils.errors import PermutiveResourceNotFoundError

# Private, but a name that 5.4.4 had: it stays.
from ..Cohort import _API_ENDPOINT as _COHORTS  # pyright: ignore[reportPrivateUsage]
from ..Cohort import Cohort
from .applying import Tell
from .changes import Change, PlanKey
from .cohort_reading import with_queries
from .cohort_state import CohortState
from .cohort_workspaces import places_for_new
from .comparing import Fields
from .new_codes import new_cohorts_in, with_known_codes
from .plan import Plan
from .queries import Named
from .report import STATUS_WHEN_DONE, Outcome
from .splitting import status_after
from .usage import refuse_used

Pairs = Sequence[tuple[Change, Cohort]]
_ELSEWHERE = "the plan was made for another workspace than that of the key"


class Cohorts:
    """The cohorts of a plan: reads and changes them, for ``applying.apply``."""

    def __init__(self) -> None:
        self._plan: Plan
        self._state: CohortState

    def present(self, plan: Plan, api_key: str) -> Mapping[PlanKey, Fields]:
        """Return the cohorts of a plan as they are now, by id or, if it creates them, by name."""
        self._plan, self._state = plan, CohortState(plan, api_key)
        return self._state.fields()

    def refuse_used(self, deletes: Sequence[Change], api_key: str) -> None:
        """Raise ValueError if the queries of cohorts that stay name one that is deleted."""
        deleted = [self._state.cohorts[id(each)] for each in deletes]
        names = {Named("cohort", str(each.code)): each.name for each in deleted}
        refuse_used("cohorts", names, self._queries_without({each.id for each in deleted}))

    def carry_out(self, changes: Sequence[Change], api_key: str, tell: Tell) -> None:
        """Send one request for each change. A new cohort that is to be disabled needs two."""
        deletes = [change for change in changes if change.action == "delete"]
        updates = [change for change in changes if change.action == "update"]
        creates = [change for change in changes if change.action == "create"]
        if not self._create(creates, api_key, tell):
            _leave([*updates, *deletes], _ELSEWHERE, tell)
            return
        for method, several in ((Cohort.batch_update, updates), (Cohort.batch_delete, deletes)):
            send = partial(method, api_key=api_key)
            _send(send, [(change, self._changed(change)) for change in several], tell)

    def _changed(self, change: Change) -> Cohort:
        cohort = self._state.cohorts[id(change)]
        if change.action == "update":
            for name, value in change.wanted.items():
                setattr(cohort, name, value)
        return cohort

    def _create(self, changes: Sequence[Change], api_key: str, tell: Tell) -> bool:
        """Create cohorts, first those whose codes the queries of others need. Then disable some of them.

        Returns
        -------
        bool
            False if the first answer shows that the key is that of another workspace: nothing else was sent.
        """
        existing = self._state.cohorts
        half_done = [(each, existing[id(each)]) for each in changes if id(each) in existing]
        waiting = [each for each in changes if id(each) not in existing]
        codes = dict(self._state.codes)
        places = places_for_new(self._plan, self._state.seen)
        create = partial(Cohort.batch_create, api_key=api_key)
        while ready := [each for each in waiting if codes.keys() >= {*_needed_by(each)}]:
            ready = ready[:1] if places else ready  # Alone, until it is seen where it comes to be.
            sent = {*map(id, ready)}
            waiting = [each for each in waiting if id(each) not in sent]
            made = [(each, _new(each, codes)) for each in ready]
            is_half = _is_always if places else _is_to_be_disabled
            half_made = _send(create, made, tell, is_half=is_half)
            if places and half_made:
                place = _place_of(half_made[0][1], api_key)
                if place not in places:
                    _tell_of_stray(*half_made[0], place, tell)
                    _leave([*(each for each, _ in half_done), *waiting], _ELSEWHERE, tell)
                    return False
                places, half_made = set[str](), _to_be_disabled(half_made, tell)
            half_done += half_made
            codes |= {each.name: each.code for _, each in made if each.code is not None}
        for change in waiting:
            names = ", ".join(map(repr, _needed_by(change)))
            _leave([change], f"it needs the codes of {names}", tell)
        _send(partial(Cohort.batch_disable, api_key=api_key), half_done, tell)
        return True

    def _queries_without(self, deleted_ids: Container[str | None]) -> Iterator[tuple[str, Any]]:
        """Yield the name and the query of each cohort, as they are after the plan."""
        seen = self._state.seen.with_below()  # Cohorts below may name inherited ones.
        staying = [each for each in seen.everything if each.id not in deleted_ids]
        wanted = {each.key: each.wanted for each in self._plan.updates}
        for cohort in with_queries(staying, seen.api_key):
            yield cohort.name, wanted.get(cohort.id, {}).get("query", cohort.query)
        for change in self._plan.creates:
            yield change.name, change.wanted.get("query")


def _leave(changes: Sequence[Change], reason: str, tell: Tell) -> None:
    """Tell that changes were not tried."""
    for change in changes:
        tell([Outcome(change, "not tried", error=reason)], BatchRequest("POST", _COHORTS))


def _place_of(cohort: Cohort, api_key: str) -> str | None:
    """Return the workspace of a new cohort: from the answer, or from the list if the answer lacks it."""
    if cohort.workspace_id is not None:
        return cohort.workspace_id
    listed = Cohort.list(api_key=api_key).id_dictionary.get(cohort.id or "")
    return None if listed is None else listed.workspace_id


def _tell_of_stray(change: Change, cohort: Cohort, place: str | None, tell: Tell) -> None:
    """Tell of a cohort that was created in another workspace than that of the plan."""
    error = (
        f"{_ELSEWHERE}: it was created in the workspace {place}. Delete it there, and make the plan again "
        "with workspace_id= or with the credentials file"
    )
    tell([Outcome(change, "unknown", cohort.id, error)], BatchRequest("POST", _COHORTS))


def _needed_by(change: Change) -> list[str]:
    """Return the names of the new cohorts whose codes a creation needs."""
    return new_cohorts_in(change.wanted.get("query"))


def _new(change: Change, codes: Mapping[str, int | str]) -> Cohort:
    fields = {name: value for name, value in change.wanted.items() if name != "state"}
    return Cohort(**{**fields, "query": with_known_codes(fields["query"], codes)})


def _is_always(outcome: Outcome) -> bool:
    return True


def _to_be_disabled(created: Pairs, tell: Tell) -> list[tuple[Change, Cohort]]:
    """Return those of the created cohorts that are to be disabled, and tell of the others."""
    left: list[tuple[Change, Cohort]] = []
    for change, cohort in created:
        outcome = Outcome(change, "created", cohort.id)
        if _is_to_be_disabled(outcome):
            left.append((change, cohort))
        else:
            tell([outcome], BatchRequest("POST", _COHORTS))
    return left


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
