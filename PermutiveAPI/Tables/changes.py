"""The parts of a plan: the change of one object, field by field. Nothing here sends a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, cast

from .texts import one_line

Action = Literal["create", "update", "delete"]
State = Literal["done", "due", "changed"]
# What names a change in its plan: the key; of a creation without one, the name and its position among those of
# that name.
PlanKey = str | tuple[str, int]
SIGNS: Mapping[str, str] = {"create": "+", "update": "~", "delete": "-"}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """The change of one field. Values are JSON data; None is a field without a value.

    Parameters
    ----------
    field : str
        The name of the field.
    old, new
        The value before and after.
    """

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Change:
    """The creation, the update or the deletion of one object.

    Parameters
    ----------
    action : {"create", "update", "delete"}
        What happens to the object.
    key : str or None
        The code of a segment, or the id of a cohort. None for a cohort that is to be created.
    name : str
        The object's name before the change. For an object that is created: its new name.
    fields : tuple of FieldChange
        The fields that change. If the object is created or deleted: all its fields.
    row : int or None
        The number of the table's row that asks for the change, from 1; None if no row does.
    """

    action: Action
    key: str | None
    name: str
    fields: tuple[FieldChange, ...]
    row: int | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown action, which only a plan from a file can have."""
        if self.action not in SIGNS:
            raise ValueError(f"action: create, update or delete is expected, not {self.action!r}")

    @property
    def title(self) -> str:
        """What happens to which object, in one line: its sign, name and key."""
        key = "" if self.key is None else f" ({self.key})"
        return one_line(f"{SIGNS[self.action]} {self.name}{key}")

    @property
    def wanted(self) -> dict[str, Any]:
        """The fields after the change."""
        return {each.field: each.new for each in self.fields}

    def inverse(self) -> Change:
        """Return the change that undoes this one. It leaves out fields that were empty and stay so."""
        opposite: Mapping[Action, Action] = {
            "create": "delete",
            "update": "update",
            "delete": "create",
        }
        fields = tuple(
            FieldChange(each.field, each.new, each.old)
            for each in self.fields
            if not same(each.new or None, each.old or None)
        )
        name = self.wanted.get("name", self.name) if self.action == "update" else self.name
        return Change(opposite[self.action], self.key, name, fields)

    def state_of(self, current: Mapping[str, Any] | None) -> State:
        """Compare the change with the object as the service has it now.

        Parameters
        ----------
        current : mapping or None
            The object's fields as JSON data; None if the service does not have the object.

        Returns
        -------
        str
            "done": the object is already as wanted. "due": the change is still to be made: each field has its
            old or its new value. "changed": the object has changed in another way.
        """
        if current is None:
            absent: Mapping[Action, State] = {
                "create": "due",
                "update": "changed",
                "delete": "done",
            }
            return absent[self.action]
        if self.differences(current):
            return "changed"
        wanted = all(same(current.get(each.field), each.new) for each in self.fields)
        return "done" if wanted and self.action != "delete" else "due"

    def differences(self, current: Mapping[str, Any]) -> tuple[FieldChange, ...]:
        """Return the fields with an unexpected value, each with the planned and the present value."""
        found = ((each, current.get(each.field)) for each in self.fields)
        return tuple(
            FieldChange(each.field, each.old, value)
            for each, value in found
            if not any(same(value, expected) for expected in self._expected(each))
        )

    def _expected(self, each: FieldChange) -> tuple[Any, ...]:
        expected: Mapping[Action, tuple[Any, ...]] = {
            "create": (each.new,),
            "update": (each.old, each.new),
            "delete": (each.old,),
        }
        return expected[self.action]


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An object that is already as the table wants it.

    Parameters
    ----------
    key, name, row
        As for :class:`Change`.
    """

    key: str
    name: str
    row: int | None = None


def keyed(changes: Iterable[Change]) -> Iterator[tuple[PlanKey, Change]]:
    """Yield the changes of a plan with what names them in it."""
    counts = Counter[str]()
    for change in changes:
        if change.key is not None:
            yield change.key, change
        else:
            yield (change.name, counts[change.name]), change
            counts[change.name] += 1


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes in the order in which they are carried out: creations, updates, deletions."""
    order = [*SIGNS]
    return tuple(sorted(changes, key=lambda change: order.index(change.action)))


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON data.

    1 and 1.0 are the same, 1 and true are not. The order of texts in a list, such as tags, does not count,
    because the service may change it.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        ones, others = cast("dict[str, Any]", one), cast("dict[str, Any]", other)
        return ones.keys() == others.keys() and all(same(ones[key], others[key]) for key in ones)
    if isinstance(one, list) and isinstance(other, list):
        pair = cast("list[Any]", one), cast("list[Any]", other)
        if all(isinstance(each, str) for each in chain(*pair)):
            return sorted(pair[0]) == sorted(pair[1])
        return len(pair[0]) == len(pair[1]) and all(map(same, *pair))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def field_changes(
    current: Mapping[str, Any], wanted: Mapping[str, Any], *, clear_empty: bool = False
) -> tuple[FieldChange, ...]:
    """Return the fields of an object that differ from the wanted ones.

    Parameters
    ----------
    current, wanted : mapping
        The object's fields, and those of a table's row, as JSON data. A field that is not in `wanted`
        stays as it is.
    clear_empty : bool
        Whether an empty value, None, clears the field. Otherwise it changes nothing.
    """
    return tuple(
        FieldChange(name, current.get(name), value)
        for name, value in wanted.items()
        if (value is not None or clear_empty) and not same(value, current.get(name))
    )
