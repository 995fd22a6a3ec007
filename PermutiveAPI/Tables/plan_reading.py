"""Read a plan from its JSON form. Somebody may have edited it, so all of it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from typing import Any, cast

from .._Utils.json import content_of
from .changes import SIGNS, Change, FieldChange, Unchanged
from .json_kinds import is_filled_text, is_list_of_texts, is_text
from .planned_fields import FIELDS, NEEDED
from .target import Target
from .texts import shown

FORMAT = 1  # Of the JSON forms of Plan and Plans. Another format is refused.


def members_of_plan(data: Any) -> dict[str, Any]:
    """Return the members of a plan; see ``Plan.from_json``."""
    members = _object_of_format("a plan", "Plan", data)
    try:
        return _checked(members)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"data: this is not a whole plan: {error}") from error


def members_of_plans(data: Any) -> tuple[list[Any], list[str]]:
    """Return the plans, as JSON data, and the notes; see ``Plans.from_json``."""
    members = _object_of_format("a set of plans", "Plans", data)
    plans, notes = members.get("plans"), members.get("notes")
    if not isinstance(plans, list) or not is_list_of_texts(notes):
        raise ValueError("data: plans must be a list of plans, and notes a list of texts")
    return cast("list[Any]", plans), cast("list[str]", notes)


def _object_of_format(what: str, kind: str, data: Any) -> Mapping[str, Any]:
    """Return a JSON form, if it is an object of the present format. `what` and `kind` are words for errors."""
    content = content_of(data)
    if not isinstance(content, Mapping):
        raise ValueError(f"data: {what} is expected, as {kind}.to_json() returns it")
    members = cast("Mapping[str, Any]", content)
    if members.get("format") != FORMAT:
        raise ValueError(
            f"data: {what} of format {FORMAT} is expected, not of {members.get('format')!r};"
            " make it again with this version"
        )
    return members


def _checked(data: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("target", "changes", "unchanged", "owned", "rows"):
        if name not in data:
            raise ValueError(f"{name} is missing")
    target = _target(data["target"])
    changes = tuple(
        _change(each, target.kind, f"changes[{place}]")
        for place, each in enumerate(data["changes"])
    )
    _refuse_repeated(changes)
    owned, rows = data["owned"], tuple(data["rows"])
    _require("owned", owned, "a number", _is_count(owned))
    for place, row in enumerate(rows):
        _require(f"rows[{place}]", row, "an object", isinstance(row, Mapping))
    return {
        "target": target,
        "changes": changes,
        "unchanged": tuple(
            _unchanged(each, f"unchanged[{place}]") for place, each in enumerate(data["unchanged"])
        ),
        "owned_count": owned,
        "rows": rows,
        "ignored": tuple(map(str, data.get("ignored", ()))),
    }


def _require_members(place: str, data: Mapping[str, Any], kind: type) -> None:
    """Raise ValueError if a part of a plan is no object, lacks a member, or has one that does not exist."""
    _require(place, data, "an object", isinstance(cast("object", data), Mapping))
    members = {each.name: each for each in fields(kind)}
    for name in data:
        if name not in members:
            raise ValueError(f"{place}, {name}: there is no such member, only {', '.join(members)}")
    for name, member in members.items():
        if name not in data and member.default is MISSING:
            raise ValueError(f"{place}, {name}: it is missing")


def _require(place: str, value: object, expected: str, is_right: bool) -> None:
    if not is_right:
        raise ValueError(f"{place}: {expected} is expected, not {shown(value)}")


def _is_count(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _target(data: Mapping[str, Any]) -> Target:
    _require_members("target", data, Target)
    members: dict[str, Any] = {**data, "workspace_ids": tuple(data["workspace_ids"])}
    if members["kind"] not in FIELDS:
        raise ValueError(f"kind: {' or '.join(FIELDS)} is expected, not {members['kind']!r}")
    return Target(**members)


def _unchanged(data: Mapping[str, Any], place: str) -> Unchanged:
    _require_members(place, data, Unchanged)
    found = Unchanged(**data)
    _require(f"{place}, key", found.key, "a text", is_text(found.key))
    _check_name_and_row(found, place)
    return found


def _change(data: Mapping[str, Any], kind: str, place: str) -> Change:
    """Read and check a change. `place` says where it is, for errors."""
    _require(place, data, "an object", isinstance(cast("object", data), Mapping))
    if is_text(data.get("name")):
        place = f"{place} {shown(data['name'])}"
    _require_members(place, data, Change)
    _require(
        f"{place}, action", data["action"], "create, update or delete", data["action"] in SIGNS
    )
    field_changes = tuple(
        _field_change(each, f"{place}, fields[{number}]")
        for number, each in enumerate(data["fields"])
    )
    members: dict[str, Any] = {**data, "fields": field_changes}
    change = Change(**members)
    _check_name_and_row(change, place)
    _check_key(change, kind, place)
    for each in field_changes:
        _check_field(each, change, kind, place)
    _check_fields(change, kind, place)
    return change


def _field_change(data: Mapping[str, Any], place: str) -> FieldChange:
    _require_members(place, data, FieldChange)
    return FieldChange(**data)


def _check_name_and_row(found: Change | Unchanged, place: str) -> None:
    _require(f"{place}, name", found.name, "a text", is_text(found.name))
    is_row = found.row is None or _is_count(found.row, 1)
    _require(f"{place}, row", found.row, "the number of a row", is_row)


def _check_key(change: Change, kind: str, place: str) -> None:
    """Check the key. Only the service gives a new cohort its id; one that may be there is found by its name."""
    key, action = change.key, change.action
    if kind == "cohorts" and action == "create":
        _require(f"{place}, key", key, "null", key is None)
    elif kind == "segments" or action == "update" or key is not None:
        _require(f"{place}, key", key, "a text", is_filled_text(key))


def _check_field(each: FieldChange, change: Change, kind: str, place: str) -> None:
    """Check the name and the new value of a field. The old value came from the service."""
    known = FIELDS[kind]
    name: Any = each.field
    is_known = is_text(name) and name in known
    _require(f"{place}, field", name, f"one of {', '.join(known)}", is_known)
    values = known[name]
    is_empty = each.new is None and (values.can_be_cleared or change.action == "delete")
    is_right = is_empty or values.has(each.new)
    _require(f"{place}, {name}, new", each.new, values.expected, is_right)


def _check_fields(change: Change, kind: str, place: str) -> None:
    names = [each.field for each in change.fields]
    for name in names:
        _require(f"{place}, fields", names, "each field once", names.count(name) == 1)
    if change.action == "create":
        for name in NEEDED[kind]:
            _require(f"{place}, fields", names, f"a {name}", name in names)
        new = change.wanted["name"]
        _require(f"{place}, name", change.name, f"the new name, {shown(new)},", new == change.name)


def _refuse_repeated(changes: Iterable[Change]) -> None:
    """Raise ValueError if two changes have the same key."""
    first: dict[str, int] = {}
    for place, change in enumerate(changes):
        key = change.key
        if key is not None and first.setdefault(key, place) != place:
            raise ValueError(
                f"changes[{place}], key: {key!r} is also that of changes[{first[key]}]"
            )
