"""What a plan consists of: the change of one object, field by field. Values alone, without any request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["create", "update", "delete"]
State = Literal["done", "due", "changed"]
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
        What names the object at the service: the code of a segment, the id of a cohort. A cohort that
        is to be created has none.
    name : str
        The object's name before the change. If the object is created, its name after it.
    fields : tuple of FieldChange
        The fields that change. All fields of an object that is created or deleted.
    row : int or None
        The number of the table's row that asks for the change, from 1; None if no row does.
    """

    action: Action
    key: str | None
    name: str
    fields: tuple[FieldChange, ...]
    row: int | None = None

    @property
    def wanted(self) -> dict[str, Any]:
        """The fields after the change."""
        return {each.field: each.new for each in self.fields}

    @property
    def known(self) -> dict[str, Any]:
        """The fields before the change."""
        return {each.field: each.old for each in self.fields}

    def inverse(self) -> Change:
        """Return the change that undoes this one."""
        opposite: Mapping[Action, Action] = {
            "create": "delete",
            "update": "update",
            "delete": "create",
        }
        fields = tuple(FieldChange(each.field, each.new, each.old) for each in self.fields)
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
            "done": the object is already as wanted. "due": it is as it was when the change was planned,
            or some of its fields are and the others are as wanted. "changed": neither.
        """
        if current is None:
            absent: Mapping[Action, State] = {
                "create": "due",
                "update": "changed",
                "delete": "done",
            }
            return absent[self.action]
        if self.action == "create":
            return "done" if _has(current, self.wanted) else "changed"
        if self.action == "delete":
            return "due" if _has(current, self.known) else "changed"
        if _has(current, self.wanted):
            return "done"
        either = all(
            current.get(each.field) == each.old or current.get(each.field) == each.new
            for each in self.fields
        )
        return "due" if either else "changed"


def _has(current: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    return all(current.get(name) == value for name, value in fields.items())


def field_changes(
    current: Mapping[str, Any], wanted: Mapping[str, Any], *, clear_empty: bool = False
) -> tuple[FieldChange, ...]:
    """Return the fields of an object that differ from the wanted ones.

    Parameters
    ----------
    current, wanted : mapping
        The object's fields, and those of a table's row, as JSON data. A field that `wanted` lacks stays
        as it is.
    clear_empty : bool
        Whether an empty value, None, clears the field. Otherwise it changes nothing.
    """
    return tuple(
        FieldChange(name, current.get(name), value)
        for name, value in wanted.items()
        if (value is not None or clear_empty) and value != current.get(name)
    )
