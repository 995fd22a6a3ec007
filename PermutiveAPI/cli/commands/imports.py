"""``permutive imports list``."""

from __future__ import annotations

import click

from PermutiveAPI import Import

from ..options import format_option, workspace_option
from ..output import Format, field_names, rows_of, write_rows

_COLUMNS = ("code", "name", "relation", "identifiers")


@click.command("list")
@workspace_option
@format_option
def list_imports(format: Format) -> None:
    """List imports.

    A table shows the most important fields. The other formats have all of them, but not the segments.
    """
    fields = [name for name in field_names(Import) if name != "segments"]
    columns = _COLUMNS if format == "table" else fields
    write_rows(rows_of(Import.list(), fields), columns, format, if_empty="No imports were found.")
