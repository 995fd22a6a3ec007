"""Changes: what a job did to the copy of a rehearsal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from .._Utils.json import content_of
from ..Tables.plan import Plan
from ..Tables.plans import Plans
from ..Workspace import Workspace


@dataclass(frozen=True, repr=False)
class Changes(Plans):
    """What a job did to the copy: plans for the live service, and how much else it wrote.

    They are the differences between the copy at its start and now. What was changed and changed back is
    not among them. There is a plan for the cohorts of each workspace, and one for the segments of each
    import. They were made for the live service, where ``apply()`` carries them out. With several
    workspaces, use :meth:`of`.

    Parameters
    ----------
    plans : tuple of Plan
        The plans.
    notes : tuple of str
        What the plans cannot do in the live service, one line each.
    other_writes : dict
        How many requests wrote something else: "identify", "events", "segmentation" and "users". A kind
        without requests is left out. They are not in the plans.
    unknown_keys : int
        How many requests were refused because of their key.
    workspaces : dict
        The names of the workspaces, by their ids.
    homes : dict
        For each import, the id of the workspace whose key changes it.

    Examples
    --------
    >>> from PermutiveAPI.rehearsal import Rehearsal
    >>> with Rehearsal(Workspace.from_env()) as rehearsal:
    ...     Cohort("Runners", query={"in_segment": 12345}).create()
    ...     changes = rehearsal.changes()
    >>> changes
    <Changes: 1 to create, 0 to update, 0 to delete, 42 unchanged>
    >>> Cohort.get_by_name("Runners") is None
    True
    >>> changes.apply().counts
    {'created': 1, 'unchanged': 42}
    """

    other_writes: Mapping[str, int] = field(default_factory=dict[str, int])
    unknown_keys: int = 0
    workspaces: Mapping[str, str] = field(default_factory=dict[str, str])
    homes: Mapping[str, str] = field(default_factory=dict[str, str])

    def of(self, workspace: Workspace) -> Plans:
        """Return the plans to apply with the key of a workspace.

        Examples
        --------
        >>> from PermutiveAPI.rehearsal import Rehearsal
        >>> group, brand = WorkspaceList.from_env()
        >>> with Rehearsal([group, brand]) as rehearsal:
        ...     Cohort("Rowers", query={"in_segment": 1}).create(rehearsal.workspaces[1].api_key)
        ...     changes = rehearsal.changes()
        >>> changes.of(brand).apply(api_key=brand.api_key).counts
        {'created': 1, 'unchanged': 14}
        """
        own = (plan for plan in self.plans if self._home_of(plan) == workspace.workspace_id)
        return Plans(tuple(own), self.notes)

    def _home_of(self, plan: Plan) -> str | None:
        import_id = plan.target.import_id
        return plan.target.workspace_id if import_id is None else self.homes.get(import_id)

    def __bool__(self) -> bool:
        """Tell whether the job has changed or written anything."""
        return super().__bool__() or bool(self.other_writes)

    def __repr__(self) -> str:
        """Return the counts. The text form also shows the changes."""
        return f"<Changes: {self.summary}>"

    @property
    def summary(self) -> str:
        """What changes, and what else was written, in one line."""
        return ", ".join((super().summary, *self._writes()))

    def _lines(self) -> Iterator[str]:
        yield from (f"! {note}" for note in self.notes)
        for plan in self.plans:
            if len(self.workspaces) > 1:
                yield f"Workspace {self.workspaces.get(self._home_of(plan) or '', '')!r}"
            yield str(plan)
        if not self:
            yield "no changes"
        yield from self.remarks

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the plans do not show, one line each: other writes, and refused requests.

        Examples
        --------
        >>> from PermutiveAPI.rehearsal import Changes
        >>> Changes(other_writes={"identify": 1_000}).remarks
        ('other writes: 1,000 identify',)
        """
        writes = [f"other writes: {', '.join(self._writes())}"] if self.other_writes else []
        refused = [
            f"refused because of their keys: {self.unknown_keys:,} (it is not known what they would have changed)"
        ]
        return (*writes, *(refused if self.unknown_keys else []))

    def _writes(self) -> Iterator[str]:
        return (f"{count:,} {kind}" for kind, count in self.other_writes.items())

    def to_markdown(self) -> str:
        """Return the plans as tables, and what they do not show as a list, for instance for a pull request.

        Examples
        --------
        >>> from PermutiveAPI.rehearsal import Changes
        >>> print(Changes(other_writes={"identify": 1_000}).to_markdown())
        - other writes: 1,000 identify
        """
        remarks = "\n".join(f"- {remark}" for remark in self.remarks)
        return "\n\n".join(filter(None, (super().to_markdown(), remarks)))

    def to_json(self) -> dict[str, Any]:
        """Return the changes as JSON data. ``Plans.from_json`` reads the plans in them, too.

        Examples
        --------
        >>> from PermutiveAPI.rehearsal import Changes
        >>> Changes(other_writes={"identify": 1_000}).to_json()["other_writes"]
        {'identify': 1000}
        """
        return {**super().to_json(), **{name: copy(getattr(self, name)) for name in _OWN_MEMBERS}}

    @classmethod
    def from_json(cls, data: Any) -> Changes:
        """Make changes from their JSON form; see ``Plans.from_json``.

        Examples
        --------
        >>> from PermutiveAPI.rehearsal import Changes
        >>> changes = Changes(other_writes={"identify": 1_000})
        >>> Changes.from_json(changes.to_json()) == changes
        True
        """
        content = content_of(data)
        plans = Plans.from_json(content)
        own = {name: content[name] for name in _OWN_MEMBERS if name in content}
        return cls(plans.plans, plans.notes, **own)


# The members of the JSON form that Plans do not have.
_OWN_MEMBERS = ("other_writes", "unknown_keys", "workspaces", "homes")
