"""Plan: the changes to make. People can read, keep and review it before they apply it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any

from .._Utils.batch.types import ProgressCallback
from .._Utils.credentials import DEFAULT_API_KEY
from .._Utils.lazy_names import LateModule
from .._Utils.resources.display import html_table
from .._Utils.resources.frames import frame_of_cells
from .changes import SIGNS, Change, Unchanged
from .plan_reading import FORMAT, members_of_plan
from .target import Target
from .texts import first_lines, one_line, shown, shown_both

if TYPE_CHECKING:
    import pandas

    from . import report
else:
    pandas, report = LateModule("pandas"), LateModule("PermutiveAPI.Tables.report")


@dataclass(frozen=True)
class Plan:
    """The changes to make. Nothing is sent before :meth:`apply`.

    ``print(plan)`` shows every change. ``Plan.from_json(plan.to_json())`` is the same plan.

    Parameters
    ----------
    target : Target
        What the plan is made for.
    changes : tuple of Change
        Creations, updates and deletions, in the order in which they are carried out.
    unchanged : tuple of Unchanged
        The objects that are already as the table wants them.
    owned_count : int
        How many objects are owned. The limits are shares of this number.
    rows : tuple of dict
        The table's rows, as JSON data. The report shows them with their outcomes.
    ignored : tuple of str
        The table's columns that are not fields. They change nothing.

    Examples
    --------
    >>> plan = Segment.plan(Import.list()[0].id, [{"code": "DigitalNorth", "cpm": 2}])
    >>> [(change.name, change.wanted) for change in plan.updates]
    [('Digital subscribers, North', {'cpm': 2.0})]
    """

    target: Target
    changes: tuple[Change, ...]
    unchanged: tuple[Unchanged, ...] = ()
    owned_count: int = 0
    rows: tuple[dict[str, Any], ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def owned(self) -> int:
        """The name of `owned_count` in release 5.12."""
        return self.owned_count

    @property
    def creates(self) -> tuple[Change, ...]:
        """The objects that will be created."""
        return self._of("create")

    @property
    def updates(self) -> tuple[Change, ...]:
        """The objects with fields that will change."""
        return self._of("update")

    @property
    def deletes(self) -> tuple[Change, ...]:
        """The objects that will be deleted."""
        return self._of("delete")

    def _of(self, action: str) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.action == action)

    def __bool__(self) -> bool:
        """Tell whether there is anything to change."""
        return bool(self.changes)

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self.changes)

    def __repr__(self) -> str:
        """Return the counts. The text form also shows the changes."""
        return f"<Plan: {self.summary}>"

    def __str__(self) -> str:
        """Return a readable diff."""
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        """Return the first changes as a table, for notebooks. Deletions come first, so that people see them."""
        rows = (
            (SIGNS[each.action], one_line(each.name), each.key, "; ".join(_phrases(each)))
            for each in (*self.deletes, *self.updates, *self.creates)
        )
        table = html_table(("", "name", "key", "changes"), rows, len(self.changes))
        head = "<br>\n".join(map(escape, self._head()))
        return f"<p>{head}</p>\n{table}"

    @property
    def summary(self) -> str:
        """What changes, in one line."""
        return f"{self.target}: {counts_in_words(self.changes, len(self.unchanged))}"

    def _head(self) -> Iterator[str]:
        yield self.summary
        if self.ignored:
            yield f"ignored columns: {', '.join(map(one_line, first_lines(self.ignored)))}"

    def _lines(self) -> Iterator[str]:
        yield from self._head()
        for change in self.changes:
            yield change.title
            yield from (f"    {phrase}" for phrase in _phrases(change, arrow="->"))

    def to_pd_dataframe(self) -> pandas.DataFrame:
        """Return a table with one row for each field that changes.

        Its columns are ``action``, ``key``, ``name``, ``field``, ``old``, ``new`` and ``row``.

        Examples
        --------
        >>> plan = Segment.plan(Import.list()[0].id, [{"code": "DigitalNorth", "cpm": 2}])
        >>> plan.to_pd_dataframe()[["action", "key", "field", "old", "new"]].values.tolist()
        [['update', 'DigitalNorth', 'cpm', 0.0, 2.0]]
        """
        return frame_of_cells(self._cells(), _COLUMNS).astype({"row": "Int64"})

    def _cells(self) -> Iterator[tuple[Any, ...]]:
        for change in self.changes:
            for each in change.fields:
                begin = (change.action, change.key, change.name)
                yield (*begin, each.field, each.old, each.new, change.row)

    def to_markdown(self) -> str:
        """Return a table in Markdown, for instance for a comment on a pull request.

        Examples
        --------
        >>> plan = Segment.plan(Import.list()[0].id, [{"code": "runners", "name": "Runners"}])
        >>> print(plan.to_markdown().splitlines()[-1])
        | + | Runners | runners | name: "Runners" |
        """
        summary, *ignored = map(escaped, self._head())
        rows = [f"**{summary}**", ""]
        for line in ignored:
            rows += [line, ""]
        if self.changes:
            rows += ["| | name | key | changes |", "|---|---|---|---|"]
        for change in self.changes:
            cells = (
                SIGNS[change.action],
                escaped(change.name),
                escaped(change.key or ""),
                "<br>".join(map(escaped, _phrases(change))),
            )
            rows.append(f"| {' | '.join(cells)} |")
        return "\n".join(rows)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data, for instance to keep or review it. It has no key in it.

        Examples
        --------
        >>> plan = Segment.plan(Import.list()[0].id, [{"code": "runners", "name": "Runners"}])
        >>> plan.to_json()["changes"][0]["action"]
        'create'
        """
        members = {
            "target": self.target,
            "changes": self.changes,
            "unchanged": self.unchanged,
            "owned": self.owned_count,  # Its name in release 5.12, so that saved plans stay readable.
            "rows": self.rows,
            "ignored": self.ignored,
        }
        return {"format": FORMAT, **json.loads(json.dumps(members, default=_members))}

    @classmethod
    def from_json(cls, data: Any) -> Plan:
        """Make a plan from its JSON form.

        Parameters
        ----------
        data : dict or str or Path
            JSON data, JSON text, or the path of a JSON file.

        Raises
        ------
        ValueError
            If `data` is not the JSON form of a plan, or has another format. A plan may be edited. The text
            names the change and the member that is wrong.

        Examples
        --------
        >>> plan = Segment.plan(Import.list()[0].id, [{"code": "runners", "name": "Runners"}])
        >>> Plan.from_json(plan.to_json()) == plan
        True
        """
        return cls(**members_of_plan(data))

    def apply(
        self,
        *,
        api_key: str = DEFAULT_API_KEY,
        progress_callback: ProgressCallback | None = None,
        max_update_share: float | None = None,
        max_delete_share: float | None = None,
        allow_used: bool = False,
    ) -> report.Report:
        """Make the changes: creations first, then updates, deletions last.

        First, every change is compared with the service. Changes that the service already has are
        skipped. If an object has changed in another way, nothing is written. So a plan can be applied
        again after an interruption: it does what is left. If a creation or an update fails, nothing
        is deleted.

        Parameters
        ----------
        api_key : str, optional
            The key.
        progress_callback : callable, optional
            Called with a :class:`Progress` after each request. It counts changes.
        max_update_share : float, optional
            The largest share of the owned objects that may be updated, from 0 to 1. Without it, there is
            no limit.
        max_delete_share : float, optional
            The same for deletions. Without it, the share is 0.8 for up to 100 owned objects, 0.5 for up
            to 1,000, and 0.2 for more. Ten changes are always allowed, unless the share is 0.
        allow_used : bool
            Whether a segment or cohort may be deleted if the query of a cohort names it. If false, a plan
            that deletes something first reads the queries of the cohorts that stay: one request each.

        Returns
        -------
        Report
            The table's rows with their outcomes. Its ``inverse()`` is the plan that undoes the changes.

        Raises
        ------
        PlanOutdatedError
            If objects have changed after the plan was made. The text shows the differences.
        ValueError
            If the plan was made for another service or workspace, if it has too many changes, or if it
            deletes segments or cohorts that queries name.

        Examples
        --------
        >>> table = [{"code": "runners", "name": "Runners"}, {"code": "walkers", "name": "Walkers"}]
        >>> plan = Segment.plan(Import.list()[0].id, table)
        >>> report = plan.apply()
        >>> report
        <Report: segments of import 0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b: 2 created>
        """
        from .applying import apply

        [done] = apply(
            [self],
            api_key,
            progress_callback,
            max_update_share=max_update_share,
            max_delete_share=max_delete_share,
            allow_used=allow_used,
        )
        return done


_COLUMNS = ("action", "key", "name", "field", "old", "new", "row")


def _members(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass. Their values are not copied."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def _phrases(change: Change, arrow: str = "→") -> Iterator[str]:
    """Yield what happens to each field. A deletion has no phrases."""
    for each in () if change.action == "delete" else change.fields:
        if change.action == "create":
            yield f"{each.field}: {shown(each.new)}"
        else:
            old, new = shown_both(each.old, each.new)
            yield f"{each.field}: {old} {arrow} {new}"


def counts_in_words(changes: Iterable[Change], unchanged: int) -> str:
    """Say how many creations, updates and deletions there are, and how many objects stay as they are."""
    count = Counter(change.action for change in changes)
    return (
        f"{count['create']:,} to create, {count['update']:,} to update, "
        f"{count['delete']:,} to delete, {unchanged:,} unchanged"
    )


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return re.sub(r"[\\`*_\[\]<>|#&~]", r"\\\g<0>", one_line(text))
