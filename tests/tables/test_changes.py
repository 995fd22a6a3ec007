"""Changes: what they compare with the service, and how they are undone."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest

from PermutiveAPI.Tables.changes import (
    Action,
    Change,
    FieldChange,
    State,
    field_changes,
    in_order,
    same,
)


def change(action: Action, **fields: Any) -> Change:
    """Return a change of fields, each with its old and new value."""
    return Change(
        action, "a", "North", tuple(FieldChange(name, *each) for name, each in fields.items())
    )


CREATE = change("create", name=(None, "North"), cpm=(None, 2.0))
UPDATE = change("update", name=("North", "South"), cpm=(1.0, 2.0))
DELETE = change("delete", name=("North", None), cpm=(1.0, None))

STATES: Dict[str, Any] = {
    "to create, absent": (CREATE, None, "due"),
    "to create, there": (CREATE, {"name": "North", "cpm": 2.0, "description": "d"}, "done"),
    "to create, another there": (CREATE, {"name": "North", "cpm": 1.0}, "changed"),
    "to create, half there": (CREATE, {"name": "North", "cpm": None}, "changed"),
    "to update, absent": (UPDATE, None, "changed"),
    "to update, as planned": (UPDATE, {"name": "North", "cpm": 1}, "due"),
    "to update, half done": (UPDATE, {"name": "South", "cpm": 1.0}, "due"),
    "to update, done": (UPDATE, {"name": "South", "cpm": 2.0}, "done"),
    "to update, edited": (UPDATE, {"name": "East", "cpm": 1.0}, "changed"),
    "to update, another field edited": (UPDATE, {"name": "North", "cpm": 1, "x": 1}, "due"),
    "to delete, absent": (DELETE, None, "done"),
    "to delete, as planned": (DELETE, {"name": "North", "cpm": 1.0}, "due"),
    "to delete, edited": (DELETE, {"name": "North", "cpm": 2.0}, "changed"),
    "to delete, cleared": (DELETE, {"name": "North", "cpm": None}, "changed"),
}


@pytest.mark.parametrize(("planned", "current", "state"), STATES.values(), ids=list(STATES))
def test_states(planned: Change, current: Optional[Dict[str, Any]], state: State) -> None:
    """A change is done or due. Or it cannot be made, because the object has changed in another way."""
    assert planned.state_of(current) == state


def test_differences() -> None:
    """A difference has the planned and the present value."""
    assert UPDATE.differences({"name": "East", "cpm": 2.0}) == (
        FieldChange("name", "North", "East"),
    )
    assert CREATE.differences({"name": "North"}) == (FieldChange("cpm", None, None),)


@pytest.mark.parametrize("planned", [CREATE, UPDATE, DELETE], ids=["create", "update", "delete"])
def test_the_inverse_of_the_inverse(planned: Change) -> None:
    """The inverse of the inverse is the change itself."""
    assert planned.inverse().inverse() == planned


def test_inverses() -> None:
    """The inverse has the opposite action and the values exchanged. It sets no field that had no value."""
    assert UPDATE.inverse() == Change(
        "update",
        "a",
        "South",
        (FieldChange("name", "South", "North"), FieldChange("cpm", 2.0, 1.0)),
    )
    deletion = change("delete", name=("North", None), description=(None, None))
    assert deletion.inverse() == change("create", name=(None, "North"))
    assert CREATE.inverse() == change("delete", name=("North", None), cpm=(2.0, None))
    deletion = change("delete", name=("North", None), tags=([], None), cpm=(0.0, None))
    assert deletion.inverse() == change("create", name=(None, "North"))
    clearing = change("update", tags=(["a"], []))
    assert clearing.inverse() == change("update", tags=([], ["a"]))


def test_an_unknown_action() -> None:
    """An action that does not exist is refused."""
    with pytest.raises(ValueError, match="action: create, update or delete is expected, not 'x'"):
        # A type checker sees the mistake, too.
        change("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


SAME: Dict[str, Any] = {
    "numbers": (1, 1.0, True),
    "a number and true": (1, True, False),
    "a number and true inside": ({"a": [0, 1]}, {"a": [0, True]}, False),
    "inside": ({"a": [{"b": 1.0}], "c": None}, {"c": None, "a": [{"b": 1}]}, True),
    "another key": ({"a": 1}, {"b": 1}, False),
    "a key more": ({"a": 1}, {"a": 1, "b": None}, False),
    "an item more": ([1], [1, 2], False),
    "another order": ([1, 2], [2, 1], False),
    "another order of texts": (["b", "a"], ["a", "b"], True),
    "another number of texts": (["a", "a", "b"], ["a", "b"], False),
    "another order of objects": ([{"a": 1}, {"b": 1}], [{"b": 1}, {"a": 1}], False),
    "none and nothing": (None, 0, False),
    "a list and an object": ([], {}, False),
}


@pytest.mark.parametrize(("one", "other", "equal"), SAME.values(), ids=list(SAME))
def test_same(one: Any, other: Any, equal: bool) -> None:
    """Values are compared as JSON data: numbers by value, and true is not a number.

    Texts in a list have no order.
    """
    assert same(one, other) is same(other, one) is equal


def test_field_changes() -> None:
    """Only given fields count. An empty value changes nothing, unless it clears the field."""
    current = {"name": "North", "cpm": 1.0, "tags": ["a"], "id": "i"}
    wanted = {"name": "North", "cpm": None, "tags": ["b"], "new": 1}
    tags, new = FieldChange("tags", ["a"], ["b"]), FieldChange("new", None, 1)
    assert field_changes(current, wanted) == (tags, new)
    cleared = field_changes(current, wanted, clear_empty=True)
    assert cleared == (FieldChange("cpm", 1.0, None), tags, new)


def test_the_order() -> None:
    """Creations come first and deletions last; those of one kind keep their order."""
    second = change("create", name=(None, "Z"))
    assert in_order([DELETE, CREATE, UPDATE, second]) == (CREATE, second, UPDATE, DELETE)
