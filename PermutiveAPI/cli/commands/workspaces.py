"""``permutive workspaces``."""

from __future__ import annotations

import click

from PermutiveAPI import WorkspaceList

from ..options import format_option
from ..output import Format, write_rows

_COLUMNS = ("name", "workspace_id", "organisation_id", "is_top_level")


@click.command()
@format_option
def workspaces(format: Format) -> None:
    """List the workspaces of the credentials file, without their keys."""
    found = WorkspaceList.from_env()
    write_rows(
        ({name: getattr(each, name) for name in _COLUMNS} for each in found), _COLUMNS, format
    )
