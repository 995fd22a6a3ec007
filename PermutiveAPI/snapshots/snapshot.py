"""Snapshot: a workspace at one moment, from the service or from a folder."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from .._Utils.batch.types import ProgressCallback
from ..Tables.plans import Plans
from ..Workspace import Workspace
from .cohort_plan import plan_of_cohorts
from .folder import Content, Saved, read_folder, write_folder
from .segment_plans import plans_of_segments
from .wording import BACK, SINCE, Notes, Wording


@dataclass(frozen=True, repr=False, eq=False)
class Snapshot(Content):
    """A workspace at one moment: its cohorts with their queries, and its imports with their segments.

    :meth:`of` reads it from the service, :meth:`read` from a folder, whose files have no sizes
    and no times.

    Attributes
    ----------
    workspace_id : str
        The workspace.
    cohorts : CohortList
        The workspace's own cohorts. Lookalike cohorts have no query.
    inherited : CohortList
        The cohorts of the workspaces above that it sees, without their queries. A plan cannot change
        them. They have a snapshot in their own workspace.
    imports : ImportList
        The imports that it sees, with their segments.

    Examples
    --------
    >>> from PermutiveAPI.snapshots import Snapshot
    >>> workspace = Workspace.from_env()
    >>> saved = Snapshot.of(workspace).write("snapshot")
    >>> Cohort.get_by_code(12345).disable()
    >>> print(Snapshot.read("snapshot").plans_to(Snapshot.of(workspace)))
    cohorts: 0 to create, 1 to update, 0 to delete, 27 unchanged
    ~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)
        state: "Enabled" -> "Disabled"
    """

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        *,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
    ) -> Snapshot:
        """Read a workspace from the service: one request for each of its cohorts, and the lists.

        Parameters
        ----------
        workspace : Workspace
            The workspace, with its key. A key that may only read is enough.
        max_workers, progress_callback : optional
            As for ``Cohort.batch_create``.

        Raises
        ------
        PermutiveAPIError
            If something cannot be read. A snapshot is whole or not made.

        Examples
        --------
        >>> from PermutiveAPI.snapshots import Snapshot
        >>> Snapshot.of(Workspace.from_env())
        <Snapshot: 28 cohorts, 0 inherited, 2 imports, 85 segments>
        """
        from .service import read_service

        return cls(**vars(read_service(workspace, max_workers, progress_callback)))

    @classmethod
    def read(cls, folder: str | PathLike[str]) -> Snapshot:
        """Read a folder that :meth:`write` or ``Workspace.snapshot`` has written.

        The files may have been edited. Foreign files are left out.

        Raises
        ------
        ValueError
            If the folder has no whole snapshot, or a file is not valid. The error names the file.

        Examples
        --------
        >>> from PermutiveAPI.snapshots import Snapshot
        >>> saved = Workspace.from_env().snapshot("snapshot")
        >>> Snapshot.read("snapshot").cohorts.name_dictionary["Football Fans"].code
        12345
        """
        return cls(**vars(read_folder(Path(folder))))

    def write(self, folder: str | PathLike[str]) -> Saved:
        """Make the files of a folder equal to this snapshot; see ``Workspace.snapshot``.

        Raises
        ------
        ValueError
            If the folder has a snapshot of another workspace, or has a foreign file where a file is to be
            written. Then nothing is written.

        Examples
        --------
        >>> from PermutiveAPI.snapshots import Snapshot
        >>> Snapshot.of(Workspace.from_env()).write("another snapshot")
        Saved(written=30, unchanged=0, removed=0)
        """
        return write_folder(self, Path(folder))

    def plans_to(self, later: Snapshot) -> Plans:
        """Plan how this snapshot becomes a later one, for instance that of the service: what has changed.

        Cohorts are found by id, or by code, or by name. The notes name what no plan can change:
        lookalike cohorts, inherited cohorts, imports, and codes.

        Raises
        ------
        ValueError
            If the snapshots are of two workspaces.

        Examples
        --------
        >>> from PermutiveAPI.snapshots import Snapshot
        >>> workspace = Workspace.from_env()
        >>> before = Snapshot.of(workspace)
        >>> Cohort.get_by_code(12345).delete()
        >>> before.plans_to(Snapshot.of(workspace))
        <Plans: 0 to create, 0 to update, 1 to delete, 112 unchanged>
        """
        return _plans(self, later, SINCE)

    def restoring(self, now: Snapshot) -> Plans:
        """Plan how the service becomes equal to this snapshot again. Nothing is written.

        Cohorts that are gone are created again, with new ids and new codes. Queries that name them get the
        new codes. The notes name what cannot come back.

        Parameters
        ----------
        now : Snapshot
            The service as it is: ``Snapshot.of(workspace)``.

        Raises
        ------
        ValueError
            If the snapshots are of two workspaces.

        Examples
        --------
        >>> from PermutiveAPI.snapshots import Snapshot
        >>> workspace = Workspace.from_env()
        >>> before = Snapshot.of(workspace)
        >>> Cohort.get_by_code(12345).delete()
        >>> plans = before.restoring(Snapshot.of(workspace))
        >>> plans.notes
        ("The cohort 'Football Fans' comes back with another code; the code 12345 cannot come back.",)
        >>> plans.apply(api_key=workspace.api_key).counts
        {'created': 1, 'unchanged': 27}
        """
        return _plans(now, self, BACK)

    def __repr__(self) -> str:
        """Return the counts."""
        segments = sum(len(each.segments or ()) for each in self.imports)
        return (
            f"<Snapshot: {len(self.cohorts):,} cohorts, {len(self.inherited):,} inherited, "
            f"{len(self.imports):,} imports, {segments:,} segments>"
        )


def _plans(old: Snapshot, new: Snapshot, words: Wording) -> Plans:
    if old.workspace_id != new.workspace_id:
        raise ValueError(
            f"The snapshots are of two workspaces, {old.workspace_id} and {new.workspace_id}."
        )
    notes = Notes(words)
    plans = (plan_of_cohorts(old, new, notes), *plans_of_segments(old, new, notes))
    return Plans(plans, tuple(notes.texts))
