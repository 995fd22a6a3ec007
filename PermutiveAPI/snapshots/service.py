"""Read a workspace from the service."""

from __future__ import annotations

from .._Utils.batch.types import ProgressCallback
from ..Audience.Import import Import
from ..Cohort import Cohort, CohortList
from ..Tables.cohort_reading import fetched
from ..Workspace import Workspace
from .folder import Content


def read_service(
    workspace: Workspace, max_workers: int | None, progress_callback: ProgressCallback | None
) -> Content:
    """Read a workspace; see ``Snapshot.of``."""
    api_key, own_id = workspace.api_key, workspace.workspace_id
    listed = Cohort.list(api_key=api_key)
    own = [each for each in listed if each.workspace_id in (None, own_id)]
    found = fetched(own, api_key, max_workers=max_workers, progress_callback=progress_callback)
    return Content(
        workspace_id=own_id,
        cohorts=CohortList([_in_workspace(each, own_id) for each in found.values()]),
        inherited=CohortList([each for each in listed if each.workspace_id not in (None, own_id)]),
        imports=Import.list(api_key=api_key, include_details=True),
    )


def _in_workspace(cohort: Cohort, workspace_id: str) -> Cohort:
    """Set the workspace of a cohort, which a fetched one may lack."""
    cohort.workspace_id = cohort.workspace_id or workspace_id
    return cohort
