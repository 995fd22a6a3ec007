"""The cohorts that a key sees, and whether it may change them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace

from .._Utils.batch.types import ProgressCallback
from .._Utils.credentials import DEFAULT_API_KEY
from .._Utils.errors import PermutiveResourceNotFoundError
from ..Cohort import Cohort, CohortList
from ..Workspace import WorkspaceList
from .phrases import PASS_WORKSPACE_ID
from .target import Target, present_origin


@dataclass(frozen=True)
class Seen:
    """The cohorts that a key sees. They have no queries.

    Attributes
    ----------
    api_key : str
        The key.
    cohorts : CohortList
        The cohorts of the key's workspace, and those that it inherits.
    own_id : str or None
        The id of the key's workspace, if it is known. It comes from the caller or from the credentials
        file; the service does not tell it.
    below : CohortList
        The cohorts of the workspaces below, if they were asked for.
    """

    api_key: str = field(repr=False)
    cohorts: CohortList
    own_id: str | None
    below: CohortList = field(default_factory=CohortList)

    @classmethod
    def read(cls, api_key: str, *, workspace_id: str | None = None) -> Seen:
        """List the cohorts. If the id of the key's workspace is left out, the credentials file may tell it."""
        own_id = workspace_id or _workspace_of(api_key)
        return cls(api_key, Cohort.list(api_key=api_key), own_id)

    def with_below(self) -> Seen:
        """Return a copy that also has the cohorts of the workspaces below."""
        known = self.cohorts.id_dictionary
        everything = Cohort.list(api_key=self.api_key, include_child_workspaces=True)
        return replace(
            self, below=CohortList([each for each in everything if each.id not in known])
        )

    @property
    def everything(self) -> CohortList:
        """All cohorts that were read."""
        return self.cohorts + self.below

    @property
    def workspace_ids(self) -> set[str]:
        """The workspaces that the cohorts belong to, without those below."""
        return {each.workspace_id for each in self.cohorts if each.workspace_id}

    @property
    def own_or_all(self) -> CohortList:
        """The cohorts of the key's workspace. If that is not known: with the inherited ones."""
        return self.of_workspace(self.own_id)

    def of_workspace(self, workspace_id: str | None) -> CohortList:
        """Return the cohorts of a workspace. If it is None: all except those below."""
        wanted = (None, workspace_id)
        return CohortList(
            [each for each in self.cohorts if workspace_id is None or each.workspace_id in wanted]
        )

    @property
    def target(self) -> Target:
        """The target of a plan for these cohorts."""
        seen = tuple(sorted(self.workspace_ids))
        return Target("cohorts", present_origin(), seen, workspace_id=self.own_id)

    def refusal_of(self, cohort: Cohort) -> str | None:
        """Return why a cohort cannot be changed with this key; None if it can. Fetch its query first."""
        refusal = self.refusal_of_listed(cohort)
        if refusal is None and not has_query(cohort):
            return "has no query, like all lookalike cohorts, and cannot be changed here"
        return refusal

    def refusal_of_listed(self, cohort: Cohort) -> str | None:
        """Return why a cohort cannot be changed with this key, as far as a list tells; None if it can."""
        owner = cohort.workspace_id
        is_own = owner in (None, self.own_id) or cohort.id in self.below.id_dictionary
        if not is_own and self.own_id is not None:
            return f"is inherited from the workspace {owner}, and can be changed only there"
        if not is_own and len(self.workspace_ids) > 1:
            ids = ", ".join(sorted(self.workspace_ids))
            return (
                f"may be inherited, because the key sees cohorts of several workspaces: {ids}. "
                f"{PASS_WORKSPACE_ID()}"
            )
        return None


def _workspace_of(api_key: str) -> str | None:
    """Return the id of the workspace with this key, if the credentials file has it."""
    try:
        workspaces = WorkspaceList.from_env()
    except ValueError:  # There is no such file.
        return None
    return next((each.workspace_id for each in workspaces if each.api_key == api_key), None)


def has_query(cohort: Cohort) -> bool:
    """Tell whether a cohort has a query. Listed cohorts and lookalike cohorts have none."""
    return cohort.query is not None and cohort.query != {}


def fetched(
    cohorts: Iterable[Cohort],
    api_key: str = DEFAULT_API_KEY,
    *,
    max_workers: int | None = None,
    progress_callback: ProgressCallback | None = None,
) -> dict[str, Cohort]:
    """Fetch cohorts with their queries, by id. Those that no longer exist are missing."""
    found, failures = Cohort.batch_get_by_id(
        [each.id for each in cohorts if each.id is not None],
        api_key=api_key,
        max_workers=max_workers,
        progress_callback=progress_callback,
    )
    for _, error in failures:
        if not isinstance(error, PermutiveResourceNotFoundError):
            raise error
    return found


def with_queries(cohorts: Iterable[Cohort], api_key: str) -> list[Cohort]:
    """Return the cohorts with their queries. Those that have none yet, such as listed cohorts, are fetched."""
    given = [*cohorts]
    found = fetched([each for each in given if not has_query(each)], api_key)
    return [_with_query(each, found.get(each.id or "")) for each in given]


def _with_query(cohort: Cohort, source: Cohort | None) -> Cohort:
    if source is None:
        return cohort
    made = copy(cohort)
    made.query = source.query
    return made
