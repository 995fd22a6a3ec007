"""Carry out the changes of cohorts: one request for each, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from .._Utils.batch.types import BatchRequest, Progress, Responses
from .._Utils.errors import PermutiveAPIError, PermutiveResourceNotFoundError

# Private, but a name that 5.4.4 had: it stays.
from ..Cohort import _API_ENDPOINT as _COHORTS  # pyright: ignore[reportPrivateUsage]
from ..Cohort import Cohort
from .applying import Queries, Tell
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

Pair = tuple[Change, Cohort]
_ELSEWHERE = "the plan was made for another workspace than that of the key"


class Cohorts:
    """The cohorts of a plan: reads and changes them; see ``applying.Objects``."""

    def __init__(self, plan: Plan, api_key: str) -> None:
        self._plan = plan
        self._api_key = api_key
        self._state = CohortState(plan, api_key)
        # By name. Those of new cohorts are added.
        self._codes: dict[str, int | str] = dict(self._state.codes)
        self.present: Mapping[PlanKey, Fields] = self._state.fields()

    def refuse_used(self, deletes: Sequence[Change], queries: Queries) -> None:
        """Raise PlanRefusedError if one of the queries names a cohort that is deleted."""
        deleted = [self._state.cohorts[id(each)] for each in deletes]
        names = {Named("cohort", str(each.code)): each.name for each in deleted}
        refuse_used("cohorts", names, queries)

    def queries_after(self, deletes: Sequence[Change]) -> Queries:
        """Yield the name and the query of each cohort that is not deleted, as they are after the plan."""
        deleted_ids = {self._state.cohorts[id(each)].id for each in deletes}
        seen = self._state.seen.with_below()  # Cohorts below may name inherited ones.
        staying = [each for each in seen.everything if each.id not in deleted_ids]
        wanted = {each.key: each.wanted for each in self._plan.updates}
        for cohort in with_queries(staying, seen.api_key):
            yield cohort.name, wanted.get(cohort.id, {}).get("query", cohort.query)
        for change in self._plan.creates:
            yield change.name, change.wanted.get("query")

    def carry_out(self, changes: Sequence[Change], tell: Tell) -> None:
        """Send one request for each change. A new cohort that is to be disabled needs two."""
        deletes = [change for change in changes if change.action == "delete"]
        updates = [change for change in changes if change.action == "update"]
        creates = [change for change in changes if change.action == "create"]
        if not self._create(creates, tell):
            _leave([*updates, *deletes], _ELSEWHERE, tell)
            return
        ready = _without_unready(updates, self._codes, tell)
        changed = [(change, self._changed(change)) for change in ready]
        gone = [(change, self._state.cohorts[id(change)]) for change in deletes]
        for method, pairs in ((Cohort.batch_update, changed), (Cohort.batch_delete, gone)):
            _send_and_tell(partial(method, api_key=self._api_key), pairs, tell)

    def _changed(self, change: Change) -> Cohort:
        cohort = self._state.cohorts[id(change)]
        for name, value in change.wanted.items():
            known = with_known_codes(value, self._codes) if name == "query" else value
            setattr(cohort, name, known)
        return cohort

    def _create(self, changes: Sequence[Change], tell: Tell) -> bool:
        """Create cohorts, first those whose codes the queries of others need. Then disable some of them.

        Returns
        -------
        bool
            False if the first answer shows that the key is that of another workspace: nothing else was
            created.
        """
        existing = self._state.cohorts
        half_done = [(each, existing[id(each)]) for each in changes if id(each) in existing]
        waiting = [each for each in changes if id(each) not in existing]
        codes = self._codes
        places = places_for_new(self._plan, self._state.seen)
        while ready := [each for each in waiting if codes.keys() >= {*_needed_by(each)}]:
            ready = ready[:1] if places else ready  # Alone, until it is seen where it comes to be.
            sent = {*map(id, ready)}
            waiting = [each for each in waiting if id(each) not in sent]
            made = [(each, _new(each, codes)) for each in ready]
            created = self._created(made, tell, _is_any if places else _is_to_be_disabled)
            if places and created:
                [(change, cohort)] = created
                place = _place_of(cohort, self._api_key)
                if place not in places:
                    self._take_back(change, cohort, place, tell)
                    _leave([*(each for each, _ in half_done), *waiting], _ELSEWHERE, tell)
                    return False
                places = set[str]()
                created = _to_be_disabled(created, tell)
            half_done += created
            codes |= {each.name: each.code for _, each in made if each.code is not None}
        _without_unready(waiting, codes, tell)
        _send_and_tell(partial(Cohort.batch_disable, api_key=self._api_key), half_done, tell)
        return True

    def _created(
        self, pairs: Sequence[Pair], tell: Tell, is_kept: Callable[[Change], bool]
    ) -> list[Pair]:
        """Create cohorts. Return those that are kept for more to be done, and tell of the others."""
        kept: list[Pair] = []

        def succeeded(change: Change, cohort: Cohort, request: BatchRequest) -> None:
            if is_kept(change):
                kept.append((change, cohort))
            else:
                tell([_done(change, cohort)], request)

        _send(partial(Cohort.batch_create, api_key=self._api_key), pairs, succeeded, tell)
        return kept

    def _take_back(self, change: Change, cohort: Cohort, place: str | None, tell: Tell) -> None:
        """Delete a cohort that was created in another workspace than that of the plan, and tell of it."""
        where = "another one" if place is None else f"the workspace {place}"
        error = f"{_ELSEWHERE}: it was created in {where}"
        remedy = "Make the plan again with workspace_id= or with the credentials file"
        failure = _failure_to_delete(cohort, self._api_key)
        if failure is None:
            outcome = Outcome(change, "failed", None, f"{error}, and deleted again. {remedy}")
        else:
            error = f"{error}, and could not be deleted: {failure} Delete it there. {remedy}"
            outcome = Outcome(change, "unknown", cohort.id, error)
        tell([outcome], BatchRequest("POST", _COHORTS))


def _leave(changes: Sequence[Change], reason: str, tell: Tell) -> None:
    """Tell that changes were not tried."""
    for change in changes:
        tell([Outcome(change, "not tried", error=reason)], BatchRequest("POST", _COHORTS))


def _without_unready(
    changes: Iterable[Change], codes: Mapping[str, int | str], tell: Tell
) -> list[Change]:
    """Return the changes whose queries need no unknown codes. Tell that the others were not tried."""
    ready = list[Change]()
    for change in changes:
        if {*(needed := _needed_by(change))} <= codes.keys():
            ready.append(change)
        else:
            names = ", ".join(map(repr, needed))
            _leave([change], f"it needs the codes of {names}", tell)
    return ready


def _place_of(cohort: Cohort, api_key: str) -> str | None:
    """Return the workspace of a new cohort: from the answer, or from the list if the answer lacks it."""
    if cohort.workspace_id is not None:
        return cohort.workspace_id
    listed = Cohort.list(api_key=api_key).id_dictionary.get(cohort.id or "")
    return None if listed is None else listed.workspace_id


def _failure_to_delete(cohort: Cohort, api_key: str) -> Exception | None:
    """Delete a cohort; return the error if it may still be there."""
    try:
        cohort.delete(api_key)
    except PermutiveResourceNotFoundError:
        pass  # It was deleted by a request whose answer was lost.
    except PermutiveAPIError as error:
        return error
    return None


def _needed_by(change: Change) -> list[str]:
    """Return the names of the new cohorts whose codes a change needs."""
    return new_cohorts_in(change.wanted.get("query"))


def _new(change: Change, codes: Mapping[str, int | str]) -> Cohort:
    fields = {name: value for name, value in change.wanted.items() if name != "state"}
    return Cohort(**{**fields, "query": with_known_codes(fields["query"], codes)})


def _is_any(change: Change) -> bool:
    return True


def _is_to_be_disabled(change: Change) -> bool:
    return change.wanted.get("state") == "Disabled"


def _to_be_disabled(created: Sequence[Pair], tell: Tell) -> list[Pair]:
    """Return those of the created cohorts that are to be disabled, and tell of the others."""
    for change, cohort in created:
        if not _is_to_be_disabled(change):
            tell([_done(change, cohort)], BatchRequest("POST", _COHORTS))
    return [pair for pair in created if _is_to_be_disabled(pair[0])]


def _done(change: Change, cohort: Cohort) -> Outcome:
    return Outcome(change, STATUS_WHEN_DONE[change.action], cohort.id)


def _send_and_tell(send: Callable[..., Responses], pairs: Sequence[Pair], tell: Tell) -> None:
    """Send one request for each cohort, and tell the outcomes; see :func:`_send`."""

    def succeeded(change: Change, cohort: Cohort, request: BatchRequest) -> None:
        tell([_done(change, cohort)], request)

    _send(send, pairs, succeeded, tell)


def _send(
    send: Callable[..., Responses],
    pairs: Sequence[Pair],
    succeeded: Callable[[Change, Cohort, BatchRequest], None],
    tell: Tell,
) -> None:
    """Send one request for each cohort.

    Parameters
    ----------
    send : callable
        A batch call of Cohort.
    pairs : sequence of (Change, Cohort)
        The changes and their cohorts.
    succeeded : callable
        Called for each request that succeeds, at once.
    tell : callable
        As for :meth:`Cohorts.carry_out`. It hears of the requests that fail.
    """
    changes = {id(cohort): change for change, cohort in pairs}
    errors = 0

    def told(progress: Progress) -> None:
        nonlocal errors
        request, failed = progress.batch_request, progress.errors > errors
        errors = progress.errors
        if not failed:  # A failure is told below, with its error.
            cohort: Cohort = request.item
            succeeded(changes[id(cohort)], cohort, request)

    if pairs:
        _, failures = send([cohort for _, cohort in pairs], progress_callback=told)
        for request, error in failures:
            tell([_failed(changes[id(request.item)], request.item, error)], request)


def _failed(change: Change, cohort: Cohort, error: Exception) -> Outcome:
    if change.action == "delete" and isinstance(error, PermutiveResourceNotFoundError):
        return Outcome(change, "deleted", cohort.id)  # By a request whose answer was lost.
    if change.action == "create" and cohort.id is not None:
        text = f"it was created, but could not be disabled: {error}"
        return Outcome(change, "unknown", cohort.id, text)
    return Outcome(change, status_after(error), cohort.id, str(error))
