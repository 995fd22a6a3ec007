"""Compare the changes of a plan with the service, before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .changes import Change, State, in_order, keyed
from .refusal import PlanRefusedError
from .report import Outcome
from .texts import first_lines, shown_both

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A change that cannot be made, because its object has changed after the plan was made.

    Attributes
    ----------
    change : Change
        The change.
    present : dict or None
        The object's fields as they are now; None if the service no longer has the object.
    """

    change: Change
    present: Fields | None

    @property
    def reason(self) -> str:
        """What has changed, in one line: each field with the planned and the present value."""
        return "; ".join(self._reasons())

    def _reasons(self) -> Iterator[str]:
        if self.present is None:
            yield "the service no longer has it"
            return
        if self.change.action == "create":
            yield "the service already has it"
        for each in self.change.differences(self.present):
            planned, now = shown_both(each.old, each.new)
            yield f"{each.field}: {planned} when planned, {now} now"

    def __str__(self) -> str:
        """Return the object and what has changed, one line each."""
        return "\n".join([self.change.title, *(f"    {each}" for each in self._reasons())])


class PlanOutdatedError(PlanRefusedError):
    """Objects have changed since the plan was made, so nothing was written. Make the plan again.

    Attributes
    ----------
    differences : tuple of Difference
        The changes that cannot be made.

    Examples
    --------
    >>> from PermutiveAPI.Tables import PlanOutdatedError
    >>> import_id = Import.list()[0].id
    >>> plan = Segment.plan(import_id, [{"code": "DigitalNorth", "name": "North"}])
    >>> other = Segment("DigitalNorth", "Northern subscribers", import_id)
    >>> other.update_by_code()
    >>> try:
    ...     report = plan.apply()
    ... except PlanOutdatedError as error:
    ...     print(error)
    Nothing was written: 1 object has changed since the plan was made. Make the plan again.
    ~ Digital subscribers, North (DigitalNorth)
        name: "Digital subscribers, North" when planned, "Northern subscribers" now
    """

    def __init__(self, differences: Sequence[Difference]) -> None:
        self.differences = tuple(differences)
        super().__init__("\n".join(self._lines()))

    def _lines(self) -> Iterator[str]:
        count = len(self.differences)
        have = "1 object has" if count == 1 else f"{count:,} objects have"
        yield (f"Nothing was written: {have} changed since the plan was made. Make the plan again.")
        yield from first_lines(self.differences)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the differences, from which the text is made."""
        return type(self), (self.differences,)


def compared(
    changes: Sequence[Change], present: Mapping[Any, Fields]
) -> tuple[tuple[Change, ...], list[Outcome]]:
    """Compare changes with the service.

    Returns
    -------
    due : tuple of Change
        The changes that are left to make, in order.
    done : list of Outcome
        The outcomes of the changes that the service already has.

    Raises
    ------
    PlanOutdatedError
        If an object has changed in another way than the plan wants.
    """
    due, done, differences = list[Change](), list[Outcome](), list[Difference]()
    for change, state, current in states(changes, present):
        if state == "due":
            due.append(change)
        elif state == "done":
            done.append(Outcome(change, "unchanged", (current or {}).get("id")))
        else:
            differences.append(Difference(change, current))
    if differences:
        raise PlanOutdatedError(differences)
    return in_order(due), done


def states(
    changes: Sequence[Change], present: Mapping[Any, Fields]
) -> Iterator[tuple[Change, State, Fields | None]]:
    """Yield each change with its state, and with the fields of its object now."""
    for key, change in keyed(changes):
        current = present.get(key)
        yield change, change.state_of(current), current
