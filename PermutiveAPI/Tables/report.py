"""Report: the result of a plan. It has the user's own rows with their outcomes, and the plan that undoes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from .._Utils.lazy_names import LateModule
from .._Utils.resources.display import html_table
from .._Utils.resources.frames import frame_of_cells
from .changes import Action, Change, FieldChange, in_order
from .plan import Plan
from .planned_fields import WHEN_NEW
from .texts import first_lines, one_line

if TYPE_CHECKING:
    import pandas
else:
    pandas = LateModule("pandas")

Status = Literal["created", "updated", "deleted", "unchanged", "failed", "not tried", "unknown"]

STATUS_WHEN_DONE: Mapping[Action, Status] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
}
FAILURES: tuple[Status, ...] = ("failed", "not tried", "unknown")
STATUSES: tuple[Status, ...] = (*STATUS_WHEN_DONE.values(), "unchanged", *FAILURES)
_OUTCOME_COLUMNS = ("status", "id", "error")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one change.

    Attributes
    ----------
    change : Change
        The change.
    status : str
        "created", "updated" or "deleted": the change was made. "unchanged": the service already had it.
        "failed": the change was not made. "not tried": it was not sent, because others had failed.
        "unknown": it may have been made.
    id : str or None
        The object's id, if it is known.
    error : str or None
        What went wrong.
    """

    change: Change
    status: Status
    id: str | None = None
    error: str | None = None

    def __str__(self) -> str:
        """Return one line: the row, the name and the key of the object, its status, and the error."""
        change = self.change
        place = f"{change.action} of" if change.row is None else f"row {change.row},"
        name = change.name if change.key in (None, change.name) else f"{change.name} ({change.key})"
        return one_line(f"{place} {name}: {self.status}{f': {self.error}' if self.error else ''}")


@dataclass(frozen=True, repr=False)
class Report:
    """The result of a plan.

    Attributes
    ----------
    plan : Plan
        The plan that was applied.
    outcomes : tuple of Outcome
        One for each change.
    ids : dict
        The ids of the unchanged objects, by key.

    Examples
    --------
    >>> plan = Segment.plan(Import.list()[0].id, [{"code": "runners", "name": "Runners"}])
    >>> report = plan.apply()
    >>> report.to_pd_dataframe()[["code", "name", "status"]].values.tolist()
    [['runners', 'Runners', 'created']]
    >>> report.inverse().apply().counts
    {'deleted': 1}
    """

    plan: Plan
    outcomes: tuple[Outcome, ...]
    ids: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def counts(self) -> dict[Status, int]:
        """How many objects have each status. A status that no object has is left out."""
        found = Counter[Status](each.status for each in self.outcomes)
        found["unchanged"] += len(self.plan.unchanged)
        return {status: found[status] for status in STATUSES if found[status]}

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The changes that failed, were not tried, or whose outcome is unknown."""
        return tuple(each for each in self.outcomes if each.status in FAILURES)

    @property
    def deleted(self) -> tuple[Outcome, ...]:
        """The outcomes of the deletions. They have no row in the table."""
        return tuple(each for each in self.outcomes if each.change.action == "delete")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The table's rows as JSON data, with ``status``, ``id`` and ``error``."""
        found: dict[int, dict[str, Any]] = {}
        for each in self.plan.unchanged:
            if each.row is not None:
                found[each.row] = _cells("unchanged", self.ids.get(each.key), None)
        for outcome in self.outcomes:
            if outcome.change.row is not None:
                found[outcome.change.row] = _cells(outcome.status, outcome.id, outcome.error)
        return [
            _with_outcome(row, found.get(number, {}))
            for number, row in enumerate(self.plan.rows, 1)
        ]

    def to_pd_dataframe(self) -> pandas.DataFrame:
        """Return the table's rows with the columns ``status``, ``id`` and ``error``.

        You can make a plan from it again, for instance after a correction. The columns ``status`` and
        ``error`` are then ignored.

        Examples
        --------
        >>> report = Segment.plan(Import.list()[0].id, [{"code": "runners", "name": "Runners"}]).apply()
        >>> report.to_pd_dataframe()["status"].tolist()
        ['created']
        """
        return frame_of_cells(*self._cells_and_columns())

    def _cells_and_columns(self) -> tuple[list[list[Any]], list[str]]:
        rows = self.rows
        names = dict.fromkeys(name for row in rows for name in row)
        own = [name for name in names if name not in _OUTCOME_COLUMNS]
        columns = [*own, *_OUTCOME_COLUMNS]
        return [[row.get(name) for name in columns] for row in rows], columns

    def _repr_html_(self) -> str:
        """Return the counts, the failures, and the first rows as a table, for notebooks. Rows that failed come first."""
        cells, columns = self._cells_and_columns()
        status = columns.index("status")
        rows = sorted(cells, key=lambda row: row[status] not in FAILURES)
        lines = "<br>\n".join(map(escape, self._lines()))
        return f"<p>{lines}</p>\n{html_table(columns, rows, len(rows))}"

    def inverse(self) -> Plan:
        """Return the plan that undoes the changes that were made or may have been made.

        Objects that it creates again get new ids. Cohorts also get new codes. It does not delete an object that
        somebody has edited after it was created: ``apply`` then raises :class:`PlanOutdatedError`.

        Examples
        --------
        >>> report = Segment.plan(Import.list()[0].id, [{"code": "runners", "name": "Runners"}]).apply()
        >>> print(report.inverse())
        segments of import 0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b: 0 to create, 0 to update, 1 to delete, 0 unchanged
        - Runners (runners)
        """
        undone = (*STATUS_WHEN_DONE.values(), "unknown")
        carried_out = [each for each in self.outcomes if each.status in undone]
        changes = in_order(map(self._inverted, carried_out))
        added = Counter(each.change.action for each in carried_out)
        owned = self.plan.owned_count + added["create"] - added["delete"]
        return Plan(self.plan.target, changes, owned_count=owned)

    def _inverted(self, outcome: Outcome) -> Change:
        """Return the change that undoes an outcome. A cohort without a known id is found by its name."""
        change, kind = outcome.change, self.plan.target.kind
        if change.action == "delete" and kind == "cohorts":
            return replace(change.inverse(), key=None)  # The service will give it another id.
        inverse = replace(change, key=change.key or outcome.id).inverse()
        if change.action == "create":
            fields = _of_whole_object(inverse.fields, WHEN_NEW[kind])
            if outcome.status == "unknown":  # Perhaps it was created, and not disabled.
                fields = [each for each in fields if each.field != "state"]
            inverse = replace(inverse, fields=tuple(fields))
        return inverse

    def __repr__(self) -> str:
        """Return the counts. The text form also shows the failures."""
        return f"<Report: {self.summary}>"

    def __str__(self) -> str:
        """Return the counts, and a line for each failure."""
        return "\n".join(self._lines())

    @property
    def summary(self) -> str:
        """The counts, in one line."""
        counts = (f"{count:,} {status}" for status, count in self.counts.items())
        return f"{self.plan.target}: {', '.join(counts) or 'nothing to do'}"

    def _lines(self) -> Iterator[str]:
        yield self.summary
        yield from first_lines(self.failures)


def _of_whole_object(
    fields: Sequence[FieldChange], when_new: Mapping[str, Any]
) -> list[FieldChange]:
    """Return the fields of a deletion, with those that the creation left out."""
    given = {each.field for each in fields}
    others = (FieldChange(name, old, None) for name, old in when_new.items() if name not in given)
    return [*fields, *others]


def _cells(status: Status, id: str | None, error: str | None) -> dict[str, Any]:
    return {"status": status, "id": id, "error": error}


def _with_outcome(row: Mapping[str, Any], outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its outcome. If the outcome has no id, the row keeps its own."""
    return {**row, **outcome, "id": outcome.get("id") or row.get("id")}
