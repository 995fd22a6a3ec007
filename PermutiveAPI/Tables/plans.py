"""Plans: several plans as one, such as that of the cohorts and those of each import's segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from .._Utils.batch.types import ProgressCallback
from .._Utils.credentials import DEFAULT_API_KEY
from .._Utils.lazy_names import LateModule
from .._Utils.resources.frames import frame_of_cells
from .changes import Change
from .plan import Plan, counts_in_words, escaped
from .plan_reading import FORMAT, members_of_plans

if TYPE_CHECKING:
    import pandas

    from . import reports
else:
    pandas, reports = LateModule("pandas"), LateModule("PermutiveAPI.Tables.reports")

_COLUMNS = ("target", "action", "key", "name", "field", "old", "new")


@dataclass(frozen=True, repr=False)
class Plans:
    """Several plans as one: at most one of cohorts, and one for each import. It works like a :class:`Plan`.

    ``Plans.from_json(plans.to_json())`` are the same plans.

    Parameters
    ----------
    plans : tuple of Plan
        The plans.
    notes : tuple of str
        What the plans cannot do, one line each. The text form begins with them.

    Examples
    --------
    >>> from PermutiveAPI.Tables import Plans
    >>> plans = Plans(tuple(Segment.plan(each.id, [{"code": "a", "name": "A"}]) for each in Import.list()))
    >>> plans
    <Plans: 2 to create, 0 to update, 0 to delete, 0 unchanged>
    >>> plans.apply().counts
    {'created': 2}
    """

    plans: tuple[Plan, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of all plans."""
        return tuple(change for plan in self.plans for change in plan.changes)

    def __bool__(self) -> bool:
        """Tell whether there is anything to change, or a note."""
        return bool(self.notes) or any(self.plans)

    def __len__(self) -> int:
        """Return the number of changes."""
        return sum(map(len, self.plans))

    def __repr__(self) -> str:
        """Return the counts. The text form also shows the changes."""
        return f"<Plans: {self.summary}>"

    def __str__(self) -> str:
        """Return the notes, and a readable diff."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if not self:
            yield self.summary
        yield from (f"! {note}" for note in self.notes)
        yield from (str(plan) for plan in self.plans if plan)

    def _repr_html_(self) -> str:
        """Return the notes and the first changes of each plan, for notebooks."""
        lines = [self.summary, *self.notes]
        # Notebooks call this method, too, so it is not private.
        tables = [
            plan._repr_html_() for plan in self.plans if plan  # pyright: ignore[reportPrivateUsage]
        ]
        return "\n".join([f"<p>{'<br>'.join(map(escape, lines))}</p>", *tables])

    @property
    def summary(self) -> str:
        """What changes, in one line."""
        unchanged = sum(len(plan.unchanged) for plan in self.plans)
        counts = counts_in_words(self.changes, unchanged)
        count = len(self.notes)
        return f"{counts}, {count:,} {'note' if count == 1 else 'notes'}" if count else counts

    def to_pd_dataframe(self) -> pandas.DataFrame:
        """Return a table with one row for each field that changes.

        Its columns are ``target``, ``action``, ``key``, ``name``, ``field``, ``old`` and ``new``.

        Examples
        --------
        >>> from PermutiveAPI.Tables import Plans
        >>> plan = Segment.plan(Import.list()[0].id, [{"code": "DigitalNorth", "cpm": 2}])
        >>> Plans((plan,)).to_pd_dataframe()[["action", "key", "field", "old", "new"]].values.tolist()
        [['update', 'DigitalNorth', 'cpm', 0.0, 2.0]]
        """
        return frame_of_cells(self._cells(), _COLUMNS)

    def _cells(self) -> Iterator[tuple[Any, ...]]:
        for plan in self.plans:
            for change in plan.changes:
                begin = (str(plan.target), change.action, change.key, change.name)
                for each in change.fields:
                    yield (*begin, each.field, each.old, each.new)

    def to_markdown(self) -> str:
        """Return the notes as a list and the plans as tables, for instance for a pull request.

        Examples
        --------
        >>> from PermutiveAPI.Tables import Plans
        >>> print(Plans().to_markdown())
        **0 to create, 0 to update, 0 to delete, 0 unchanged**
        """
        parts = [] if self else [f"**{self.summary}**"]
        if self.notes:
            parts.append("\n".join(f"- {escaped(note)}" for note in self.notes))
        return "\n\n".join([*parts, *(plan.to_markdown() for plan in self.plans if plan)])

    def to_json(self) -> dict[str, Any]:
        """Return the plans as JSON data, for instance to keep or review them. They have no key in them.

        Examples
        --------
        >>> from PermutiveAPI.Tables import Plans
        >>> Plans(notes=("The import 'News' is gone.",)).to_json()
        {'format': 1, 'plans': [], 'notes': ["The import 'News' is gone."]}
        """
        plans = [plan.to_json() for plan in self.plans]
        return {"format": FORMAT, "plans": plans, "notes": [*self.notes]}

    @classmethod
    def from_json(cls, data: Any) -> Plans:
        """Make plans from their JSON form: the argument and the errors are those of :meth:`Plan.from_json`.

        Examples
        --------
        >>> from PermutiveAPI.Tables import Plans
        >>> plans = Plans((Segment.plan(Import.list()[0].id, [{"code": "a", "name": "A"}]),))
        >>> Plans.from_json(plans.to_json()) == plans
        True
        """
        plans, notes = members_of_plans(data)
        return cls(tuple(map(Plan.from_json, plans)), tuple(notes))

    def apply(
        self,
        *,
        api_key: str = DEFAULT_API_KEY,
        progress_callback: ProgressCallback | None = None,
        max_update_share: float | None = None,
        max_delete_share: float | None = None,
        allow_used: bool = False,
    ) -> reports.Reports:
        """Make the changes: segments first, then cohorts, deletions last.

        All plans are checked as :meth:`Plan.apply` does, before anything is written. If a change of one
        plan fails, no plan deletes anything. The arguments are those of :meth:`Plan.apply`. The limits
        hold for each plan.

        Returns
        -------
        Reports
            The outcomes. Their ``inverse()`` are the plans that undo the changes.

        Raises
        ------
        PlanOutdatedError, ValueError
            As :meth:`Plan.apply` does.

        Examples
        --------
        >>> from PermutiveAPI.Tables import Plans
        >>> plans = Plans((Segment.plan(Import.list()[0].id, [{"code": "a", "name": "A"}]),))
        >>> plans.apply()
        <Reports: 1 created>
        """
        from .applying import apply
        from .reports import Reports

        done = apply(
            filter(None, self.plans),
            api_key,
            progress_callback,
            max_update_share=max_update_share,
            max_delete_share=max_delete_share,
            allow_used=allow_used,
        )
        return Reports(tuple(done))
