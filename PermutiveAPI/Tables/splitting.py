"""Send changes in batches. A refused batch is split until the changes at fault are named."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._Utils.errors import (
    UNKNOWN_OUTCOME,
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveRateLimitError,
)
from .._Utils.list import chunk_list
from .changes import Change
from .comparing import Difference, Fields, states
from .report import STATUS_WHEN_DONE, Outcome, Status

# With these statuses, the service says that an operation is wrong. Other batches may be right.
_REFUSALS = (400, 404, 409, 422)
_MOST_NAMED = 20  # After that, probably all rows are wrong.

Send = Callable[[Sequence[Change]], Mapping[str, str | None]]
Look = Callable[[Sequence[Change]], Mapping[str, Fields]]


class Batches:
    """Sends changes in batches, one after the other.

    A service that refuses a batch does not say which change was wrong, and perhaps not whether it carried
    out the others. So the changes of a refused batch are compared with the service. Those that are left are
    sent again in two halves. After any other error nothing more is sent, because the outcome may be
    unknown.

    Parameters
    ----------
    send : callable
        Sends a batch. Returns the ids that it learns, by key, or raises the error of the request.
    look : callable
        Returns the present fields of the objects of some changes, by key.
    tell : callable
        Called with outcomes as soon as they are known. Each change has one.
    size : int
        How many changes a batch has at most.
    """

    def __init__(
        self, send: Send, look: Look, tell: Callable[[Sequence[Outcome]], None], size: int
    ) -> None:
        self._send = send
        self._look = look
        self._tell = tell
        self._size = size
        self._waiting = deque[list[Change]]()
        self._named = 0

    def carry_out(self, changes: Sequence[Change]) -> None:
        """Send the changes, and call ``tell`` with the outcome of each."""
        self._waiting.extend(chunk_list(list(changes), self._size))
        while self._waiting:
            batch = self._waiting.popleft()
            try:
                ids = self._send(batch)
            except PermutiveAPIError as error:
                self._after_error(batch, error)
            else:
                self._tell([_done(change, ids.get(change.key or "")) for change in batch])

    def _after_error(self, batch: list[Change], error: PermutiveAPIError) -> None:
        if not _is_refusal(error):
            self._stop(batch, status_after(error), error)
            return
        try:
            present = self._look(batch)
        except PermutiveAPIError as failure:
            self._stop(batch, "unknown", failure)
            return
        self._after_refusal(batch, present, str(error))

    def _after_refusal(
        self, batch: list[Change], present: Mapping[str, Fields], refusal: str
    ) -> None:
        """Name the changes at fault, and queue the rest of the batch again, in two halves."""
        outcomes, left = list[Outcome](), list[Change]()
        for change, state, current in states(batch, present):
            if state == "done":
                outcomes.append(_done(change, (current or {}).get("id")))
            elif state == "changed":
                outcomes.append(Outcome(change, "failed", error=Difference(change, current).reason))
            elif len(batch) == 1:
                outcomes.append(Outcome(change, "failed", error=refusal))
            else:
                left.append(change)
        self._tell(outcomes)
        self._named += sum(each.status == "failed" for each in outcomes)
        half = (len(left) + 1) // 2
        self._waiting.extendleft(filter(None, (left[half:], left[:half])))
        if self._named >= _MOST_NAMED:
            self._give_up()

    def _stop(self, batch: list[Change], status: Status, error: Exception) -> None:
        self._tell([Outcome(change, status, error=str(error)) for change in batch])
        self._give_up()

    def _give_up(self) -> None:
        for batch in self._waiting:
            self._tell([Outcome(change, "not tried") for change in batch])
        self._waiting.clear()


def _done(change: Change, id: Any) -> Outcome:
    return Outcome(change, STATUS_WHEN_DONE[change.action], id)


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, PermutiveAPIError) and error.status in _REFUSALS


def _surely_failed(error: Exception) -> bool:
    """Tell whether a request has certainly changed nothing. The retries assume the same of 429 and 503."""
    if isinstance(error, PermutiveConnectionError):
        return UNKNOWN_OUTCOME not in str(error)
    not_carried_out = (
        PermutiveAuthenticationError,
        PermutiveRateLimitError,
        PermutiveInvalidRequestError,
    )
    return isinstance(error, not_carried_out) or (
        isinstance(error, PermutiveAPIError) and error.status == 503
    )


def status_after(error: Exception) -> Status:
    """Return the status of a change whose request has raised an error."""
    return "failed" if _is_refusal(error) or _surely_failed(error) else "unknown"
