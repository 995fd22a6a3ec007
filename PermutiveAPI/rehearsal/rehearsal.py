"""Rehearsal: a copy of live workspaces, on which a job can do no harm."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack

from .._Utils.arguments import listed, require_kind
from ..Cohort import Cohort
from ..sandbox import Sandbox
from ..sandbox.copied import CopiedSandbox
from ..Tables.target import present_origin
from ..Workspace import Workspace, WorkspaceList
from .changes import Changes
from .comparing import CohortComparison, segment_plans
from .environment import of_copy
from .reading import Copy, read

_UNKNOWN_KEY = (
    "This is a rehearsal on a copy, which has keys of its own. Leave the key out, or take it from "
    "PERMUTIVE_API_KEY or from the file that PERMUTIVE_APPLICATION_CREDENTIALS names."
)
# The operations that write something that no plan shows.
_OTHER_WRITES = {
    "POST /v2.0/identify": "identify",
    "POST /v2.0/events": "events",
    "POST /ccs/v1/segmentation": "segmentation",
    "POST /v2.0/users": "users",
}


class Rehearsal(AbstractContextManager["Rehearsal"]):
    """A copy of live workspaces: a job runs on it, and :meth:`changes` shows what the job did.

    On entering the block, the cohorts with their queries, the imports and their segments are read from
    the live service. Only GETs are sent, so keys that may only read are enough. The copy is a sandbox
    with the same ids and codes, and with new keys, which may write. It has no users, events or
    memberships, since nobody can read them.

    Inside the block, calls go to the copy, in child processes, too: PERMUTIVE_API_BASE_URL names the
    copy, and PERMUTIVE_APPLICATION_CREDENTIALS a file with the same workspaces and their new keys. The
    default key of PERMUTIVE_API_KEY or of ``options()`` is replaced by the copy's key. A live key is
    refused with 401. Journals are kept in a temporary folder, whatever their paths are. What does
    not use these settings is not caught, such as another library, or a file that the job deletes.

    Parameters
    ----------
    workspaces : Workspace or iterable of Workspace
        The live workspaces, with their keys.

    Raises
    ------
    ValueError
        If there are no workspaces.
    PermutiveAPIError
        On entering the block, if a workspace cannot be read.

    Examples
    --------
    >>> from PermutiveAPI.rehearsal import Rehearsal
    >>> with Rehearsal(WorkspaceList.from_env()) as rehearsal:
    ...     Cohort.get_by_name("Football Fans").disable()
    ...     print(rehearsal.changes().plans[0])
    cohorts: 0 to create, 1 to update, 0 to delete, 27 unchanged
    ~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)
        state: "Enabled" -> "Disabled"
    >>> Cohort.get_by_name("Football Fans").state
    'Enabled'
    """

    def __init__(self, workspaces: Workspace | Iterable[Workspace]) -> None:
        one = isinstance(workspaces, Workspace)
        self._live: list[Workspace] = [workspaces] if one else listed("workspaces", workspaces)
        if not self._live:
            raise ValueError("workspaces must not be empty.")
        for position, each in enumerate(self._live):
            require_kind(f"workspaces[{position}]", each, Workspace)
        self._copy: Copy
        self._origin: str
        self._sandbox: CopiedSandbox | None = None
        self._running: ExitStack | None = None

    def __enter__(self) -> Rehearsal:
        """Read the workspaces, and start the copy."""
        if self._running is not None:
            raise RuntimeError("The rehearsal is running already.")
        self._origin = present_origin()
        self._copy = read(self._live)
        self._sandbox = CopiedSandbox(self._copy.data, unknown_key=_UNKNOWN_KEY)
        self._cohorts, self._segments = self._sandbox.cohorts(), self._sandbox.segments()
        with ExitStack() as stack:
            base_url = stack.enter_context(self._sandbox).base_url
            stack.enter_context(of_copy(base_url, self.workspaces, self._copy.new_keys))
            self._running = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the copy, and restore the environment. :meth:`changes` still works."""
        stack, self._running = self._running, None
        if stack is not None:
            stack.close()

    @property
    def sandbox(self) -> Sandbox:
        """The copy, for instance for its ``requests`` or its ``fail_next``."""
        return self._copied

    @property
    def _copied(self) -> CopiedSandbox:
        if self._sandbox is None:
            raise RuntimeError("There is no copy before the with block of the rehearsal.")
        return self._sandbox

    @property
    def base_url(self) -> str:
        """The origin of the copy."""
        return self._copied.base_url

    @property
    def workspaces(self) -> WorkspaceList:
        """The workspaces with the copy's keys, in the order of the live ones."""
        return WorkspaceList.from_json(self.credentials())

    def credentials(self) -> list[dict[str, str]]:
        """Return the content of a credentials file: the workspaces with the copy's keys.

        Examples
        --------
        >>> from PermutiveAPI.rehearsal import Rehearsal
        >>> with Rehearsal(Workspace.from_env()) as rehearsal:
        ...     [each["name"] for each in rehearsal.credentials()]
        ['Meridian Media Group']
        """
        return self._copied.credentials()

    def changes(self) -> Changes:
        """Compare the copy with what it was at its start. It also works after the block.

        Examples
        --------
        >>> from PermutiveAPI.rehearsal import Rehearsal
        >>> with Rehearsal(Workspace.from_env()) as rehearsal:
        ...     Segment("runners", "Runners", Import.list()[0].id).create()
        >>> print(rehearsal.changes())
        segments of import 0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b: 1 to create, 0 to update, 0 to delete, 25 unchanged
        + Runners (runners)
            name: "Runners"
        """
        copy = self._copied
        before, after = (
            [Cohort.from_json(each) for each in cohorts]
            for cohorts in (self._cohorts, copy.cohorts())
        )
        comparison = CohortComparison(self._copy.targets, before, after)
        segments = segment_plans(self._origin, self._segments, copy.segments())
        carried_out = copy.carried_out
        return Changes(
            plans=(*comparison.plans(), *segments),
            notes=tuple(comparison.notes()),
            other_writes={
                kind: carried_out[operation]
                for operation, kind in _OTHER_WRITES.items()
                if carried_out[operation]
            },
            unknown_keys=copy.unknown_keys,
            workspaces={each.workspace_id: each.name for each in self._live},
            homes=self._copy.homes,
        )

    def __repr__(self) -> str:
        """Show the names of the workspaces, never a key."""
        names = ", ".join(repr(each.name) for each in self._live)
        return f"<Rehearsal of {names}{'' if self._running else ', not running'}>"
