"""Plans of segments: compare an import with a table, and carry out the differences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Literal, TypeGuard, cast, get_args

from .._Utils.arguments import require_kind
from .._Utils.batch.types import BatchRequest
from .._Utils.credentials import DEFAULT_API_KEY
from .._Utils.encoding import encoded
from .._Utils.errors import PermutiveResourceNotFoundError
from .._Utils.gc_pause import gc_paused
from .._Utils.resources.tables import rows_of, rows_of_models, typed_rows
from ..Audience.Segment import Segment
from ..Audience.urls import segments_url
from .applying import Tell
from .changes import Change, FieldChange, Unchanged, field_changes, in_order
from .comparing import Fields
from .origin import present_origin
from .ownership import Owned
from .plan import Plan, Target
from .report import Outcome
from .splitting import Batches
from .texts import first_lines

Mode = Literal["upsert", "mirror"]
Row = dict[str, Any]

_FIELDS = ("name", "description", "cpm", "categories")
# The service accepts no more changes in one request.
_MOST_CHANGES = 5_000
# So few segments are read one by one, since a list of all segments may have many pages.
_FEW = 20


# --- Plans ---------------------------------------------------------------------------------------


def plan_segments(
    import_id: str,
    table: Any,
    mode: Mode = "upsert",
    *,
    owned: Owned | None = None,
    clear_empty: bool = False,
    api_key: str = DEFAULT_API_KEY,
) -> Plan:
    """Plan how an import becomes equal to a table; see ``Segment.plan``."""
    if mode not in get_args(Mode):
        raise ValueError(f"mode must be 'upsert' or 'mirror', got {mode!r}.")
    if owned is not None:
        require_kind("owned", owned, Owned)
    elif mode == "mirror":
        raise ValueError(
            "owned must be given for a mirror, which deletes the segments that the table lacks. Say "
            'which ones are yours, such as owned=Owned.prefix("news_") or owned=Owned.everything.'
        )
    rows, wanted = _rows_in(table)
    existing = fields_by_code(Segment.list(import_id, api_key))
    comparison = _Comparison(import_id, existing, owned or Owned.everything, clear_empty)
    return comparison.plan(rows, wanted, deletes=mode == "mirror")


def plan_between(
    old: Sequence[Segment], new: Sequence[Segment], *, clear_empty: bool = False
) -> Plan:
    """Plan how one list of segments becomes another one; see ``SegmentList.plan_to``."""
    rows, wanted = _rows_in(new)
    import_id = new[0].import_id
    existing = fields_by_code(old)
    if len(existing) < len(old) or any(each.import_id != import_id for each in old):
        raise ValueError(
            "The segments of the old list must belong to the import of the new one, "
            f"{import_id!r}, and each must have a code of its own."
        )
    comparison = _Comparison(import_id, existing, Owned.everything, clear_empty)
    return comparison.plan(rows, wanted, deletes=True)


def fields_by_code(segments: Iterable[Segment]) -> dict[str, Fields]:
    """Return the fields of segments as JSON data, by code."""
    return {segment.code: _fields_of(segment) for segment in segments if segment.code}


def _fields_of(segment: Segment) -> Fields:
    """Return a segment's fields. An empty text or list is None, and no price is 0.0."""
    return {
        "id": segment.id,
        "name": segment.name,
        "description": segment.description or None,
        "cpm": float(segment.cpm or 0.0),
        "categories": list(segment.categories) if segment.categories else None,
    }


def _rows_in(table: Any) -> tuple[tuple[Row, ...], list[Row]]:
    """Return a table's rows as JSON data, and as they are wanted."""
    if _are_segments(table):
        rows = rows_of_models(table)
        typed = [{**dict.fromkeys(_FIELDS), **row} for row in rows]
        _refuse(
            f"row {number}, code: must not be empty"
            for number, row in enumerate(typed, 1)
            if not row.get("code")
        )
    else:
        rows = rows_of(table)
        typed = typed_rows(rows, Segment, required=("code",))
    if not rows:
        raise ValueError(
            "table has no rows. To delete segments, use Segment.bulk(import_id, deletes=...)."
        )
    with gc_paused(len(rows)):
        return tuple(map(_as_json, rows)), typed


def _are_segments(table: Any) -> TypeGuard[list[Segment]]:
    if not isinstance(table, list) or not table:
        return False
    return all(isinstance(each, Segment) for each in cast("list[Any]", table))


def _as_json(row: Row) -> Row:
    return {
        name: cell.isoformat() if isinstance(cell, date) else encoded(cell, keep_none=True)
        for name, cell in row.items()
    }


def _refuse(problems: Iterable[str]) -> None:
    """Raise ValueError if there are problems. It lists the first of them."""
    found = [*problems]
    if found:
        rows = "1 bad row" if len(found) == 1 else f"{len(found):,} bad rows"
        raise ValueError("\n".join([f"table has {rows}:", *first_lines(found)]))


class _Comparison:
    """Compares the segments of an import with the rows of a table."""

    def __init__(
        self, import_id: str, existing: Mapping[str, Fields], owned: Owned, clear_empty: bool
    ) -> None:
        self._import_id = import_id
        self._existing = existing
        self._owned = owned
        self._clear_empty = clear_empty

    def plan(self, rows: tuple[Row, ...], wanted: Sequence[Row], *, deletes: bool) -> Plan:
        """Return the plan. With `deletes`, it deletes what is owned and not in the table."""
        _refuse(self._problems(wanted))
        compared = [self._compared(number, row) for number, row in enumerate(wanted, 1)]
        changes = [each for each in compared if isinstance(each, Change)]
        if deletes:
            codes = {row["code"] for row in wanted}
            changes += [self._deletion(code) for code in self._owned_codes() if code not in codes]
        return Plan(
            target=Target("segments", present_origin(), import_id=self._import_id),
            changes=in_order(changes),
            unchanged=tuple(each for each in compared if isinstance(each, Unchanged)),
            owned=len(self._owned_codes()),
            rows=rows,
        )

    def _owned_codes(self) -> list[str]:
        return [code for code in self._existing if self._is_owned(code)]

    def _is_owned(self, code: str) -> bool:
        return self._owned.owns(code, self._existing[code]["categories"])

    def _problems(self, wanted: Sequence[Row]) -> Iterator[str]:
        first: dict[str, int] = {}
        for number, row in enumerate(wanted, 1):
            code = row["code"]
            if code in first:
                yield f"row {number}: the code {code!r} is also in row {first[code]}"
            first.setdefault(code, number)
            yield from (f"row {number}: {problem}" for problem in self._problems_of(row))

    def _problems_of(self, row: Row) -> Iterator[str]:
        code, current = row["code"], self._existing.get(row["code"])
        name_is_needed = current is None or ("name" in row and self._clear_empty)
        if name_is_needed and not (row.get("name") or "").strip():
            yield f"the segment {code!r} needs a name"
        if row.get("import_id") not in (None, self._import_id):
            yield f"it belongs to the import {row['import_id']!r}"
        if current is not None and not self._is_owned(code):
            yield f"the segment {code!r} exists, and {self._owned} does not own it"
        elif not self._owned.owns(code, self._after(row, current)["categories"]):
            yield f"{self._owned} does not own the segment {code!r}"

    def _after(self, row: Row, current: Fields | None) -> Fields:
        return {"categories": None, **(current or {}), **self._wanted(row)}

    def _wanted(self, row: Row) -> Fields:
        """Return the fields that a row sets. None clears a field."""
        given = {name: row[name] for name in _FIELDS if name in row}
        set_fields = {
            name: value or None
            for name, value in given.items()
            if value is not None or self._clear_empty
        }
        if "cpm" in set_fields:
            set_fields["cpm"] = set_fields["cpm"] or 0.0
        return set_fields

    def _compared(self, number: int, row: Row) -> Change | Unchanged:
        code, wanted = row["code"], self._wanted(row)
        current = self._existing.get(code)
        if current is None:
            fields = field_changes({}, wanted)
            return Change("create", code, wanted["name"], fields, number)
        fields = field_changes(current, wanted, clear_empty=True)
        if fields:
            return Change("update", code, current["name"], fields, number)
        return Unchanged(code, current["name"], number)

    def _deletion(self, code: str) -> Change:
        current = self._existing[code]
        fields = tuple(FieldChange(name, current[name], None) for name in _FIELDS)
        return Change("delete", code, current["name"], fields)


# --- Carrying out --------------------------------------------------------------------------------


class Segments:
    """The segments of a plan: reads and changes them, for ``applying.apply``."""

    def __init__(self, target: Target) -> None:
        self._import_id = target.import_id or ""
        self._request = BatchRequest("PATCH", segments_url(self._import_id))
        self._present: dict[str, Fields] = {}

    def present(self, plan: Plan, api_key: str) -> Mapping[str, Fields]:
        """Return the segments of the import as they are now, by code."""
        self._present = fields_by_code(Segment.list(self._import_id, api_key))
        return self._present

    def carry_out(self, changes: Sequence[Change], api_key: str, tell: Tell) -> None:
        """Send changes, up to 5,000 in one request; see :class:`Batches`."""

        def send(batch: Sequence[Change]) -> Mapping[str, str]:
            return self._send(batch, api_key)

        def look(batch: Sequence[Change]) -> Mapping[str, Fields]:
            return self._look(batch, api_key)

        def tell_of_batch(outcomes: Sequence[Outcome]) -> None:
            tell(outcomes, self._request)

        Batches(send, look, tell_of_batch, _MOST_CHANGES).carry_out(changes)

    def _send(self, changes: Sequence[Change], api_key: str) -> Mapping[str, str]:
        """Send one request, and return the ids of its segments by code."""
        creates = [self._created(each) for each in changes if each.action == "create"]
        updates = [self._updated(each) for each in changes if each.action == "update"]
        deletes = [each.key or "" for each in changes if each.action == "delete"]
        answered, failures = Segment.bulk(
            self._import_id, creates=creates, updates=updates, deletes=deletes, api_key=api_key
        )
        for _, error in failures:
            raise error
        ids = {
            each.key or "": (self._present.get(each.key or "") or {}).get("id") for each in changes
        }
        return {**ids, **{each.code or "": each.id for each in answered}}

    def _created(self, change: Change) -> Segment:
        return self._segment(change, change.wanted)

    def _updated(self, change: Change) -> Segment:
        """Return a segment with the fields to send. The name is always sent, so it must be the present one."""
        present = self._present[change.key or ""]
        return self._segment(change, {"name": present["name"], **change.wanted})

    def _segment(self, change: Change, fields: Mapping[str, Any]) -> Segment:
        given = {name: _CLEARED[name] if value is None else value for name, value in fields.items()}
        return Segment(code=change.key, import_id=self._import_id, **given)

    def _look(self, changes: Sequence[Change], api_key: str) -> Mapping[str, Fields]:
        """Return the segments of some changes, or all segments, as they are now."""
        few = len(changes) <= _FEW
        found = self._found(changes, api_key) if few else Segment.list(self._import_id, api_key)
        present = fields_by_code(found)
        self._present.update(present)
        return present

    def _found(self, changes: Sequence[Change], api_key: str) -> Iterator[Segment]:
        for change in changes:
            try:
                yield Segment.get_by_code(self._import_id, change.key or "", api_key)
            except PermutiveResourceNotFoundError:
                pass


# What is sent to clear a field.
_CLEARED: Mapping[str, Any] = {"description": "", "cpm": 0.0, "categories": []}
