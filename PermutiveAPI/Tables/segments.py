"""Plans of segments: compare an import with a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from .._Utils.arguments import require_kind
from .._Utils.credentials import DEFAULT_API_KEY
from .._Utils.resources.tables import Row
from ..Audience.Segment import Segment
from .changes import Change, FieldChange, Unchanged, field_changes, in_order
from .comparing import Fields
from .ownership import Owned
from .phrases import OWNED
from .plan import Plan
from .planned_fields import FIELDS
from .rows import PlanRows, read_rows, refuse
from .segment_changes import fields_by_code
from .target import Target, present_origin

Mode = Literal["upsert", "mirror"]

_FIELDS = tuple(FIELDS["segments"])


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
            "owned must be given for a mirror: it deletes segments that are not in the table. Say which "
            'ones are yours, for example owned=Owned.prefix("news_") or owned=Owned.everything.'
        )
    rows = read_rows(table, Segment, required=("code",))
    existing = fields_by_code(Segment.list(import_id, api_key))
    comparison = _Comparison(import_id, existing, owned or Owned.everything, clear_empty)
    return comparison.plan(rows, deletes=mode == "mirror")


def plan_between(
    old: Sequence[Segment], new: Sequence[Segment], *, clear_empty: bool = False
) -> Plan:
    """Plan how one list of segments becomes another one; see ``SegmentList.plan_to``."""
    rows = read_rows(new, Segment, required=("code",))
    import_id = new[0].import_id
    existing = fields_by_code(old)
    if len(existing) < len(old) or any(each.import_id != import_id for each in old):
        raise ValueError(
            "The segments of the old list must belong to the import of the new one, "
            f"{import_id!r}, and each must have a code of its own."
        )
    comparison = _Comparison(import_id, existing, Owned.everything, clear_empty)
    return comparison.plan(rows, deletes=True)


def plan_exact(import_id: str, old: Sequence[Segment], new: Sequence[Segment]) -> Plan:
    """Plan how an import with some segments gets exactly other ones, which may be none."""
    wanted = [{"code": code, **fields} for code, fields in fields_by_code(new).items()]
    rows = tuple({"code": row["code"], "name": row["name"]} for row in wanted)
    comparison = _Comparison(import_id, fields_by_code(old), Owned.everything, clear_empty=True)
    return comparison.plan(PlanRows(rows, wanted), deletes=True)


class _Comparison:
    """Compares the segments of an import with the rows of a table."""

    def __init__(
        self, import_id: str, existing: Mapping[str, Fields], owned: Owned, clear_empty: bool
    ) -> None:
        self._import_id = import_id
        self._existing = existing
        self._owned = owned
        self._clear_empty = clear_empty

    def plan(self, rows: PlanRows, *, deletes: bool) -> Plan:
        """Return the plan. With `deletes`, it deletes what is owned and not in the table."""
        wanted = [{**row, "code": self._code(row["code"])} for row in rows.typed]
        self._check_names(wanted)
        refuse(self._problems(wanted))
        compared = [self._compared(number, row) for number, row in enumerate(wanted, 1)]
        changes = [each for each in compared if isinstance(each, Change)]
        if deletes:
            codes = {row["code"] for row in wanted}
            changes += [self._deletion(code) for code in self._owned_codes() if code not in codes]
        return Plan(
            target=Target("segments", present_origin(), import_id=self._import_id),
            changes=in_order(changes),
            unchanged=tuple(each for each in compared if isinstance(each, Unchanged)),
            owned_count=len(self._owned_codes()),
            rows=rows.own,
            ignored=rows.ignored,
        )

    def _code(self, code: str) -> str:
        """Return a code without the spaces that sheets add around it, unless a segment has them, too."""
        return code if code in self._existing else code.strip()

    def _check_names(self, wanted: Sequence[Row]) -> None:
        """Raise ValueError if there are new segments, and no column with their names."""
        new = [n for n, row in enumerate(wanted, 1) if row["code"] not in self._existing]
        if new and not any("name" in row for row in wanted):
            raise ValueError(
                "table has no column 'name', which new segments need, such as "
                f"{wanted[new[0] - 1]['code']!r} in row {new[0]}."
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
            yield f"the segment {code!r} exists, and {OWNED(owned=self._owned)} does not own it"
        elif not self._owned.owns(code, self._after(row, current)["categories"]):
            yield f"{OWNED(owned=self._owned)} does not own the segment {code!r}"

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
