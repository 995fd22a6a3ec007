"""``permutive segments list`` and ``export``."""

from __future__ import annotations

from pathlib import Path

import click

from PermutiveAPI import Segment

from ..exporting import export_models, output_option
from ..finding import import_named
from ..options import format_option, workspace_option
from ..output import Format, field_names, rows_of, write_rows

_COLUMNS = ("code", "name", "cpm", "categories")


@click.command("list")
@click.argument("import_", metavar="IMPORT")
@workspace_option
@format_option
def list_segments(import_: str, format: Format) -> None:
    """List the segments of an import. IMPORT is its code, id or name.

    A table shows the most important fields. The other formats have all of them.
    """
    fields = field_names(Segment)
    segments = Segment.list(import_named(import_).id)
    columns = _COLUMNS if format == "table" else fields
    write_rows(rows_of(segments, fields), columns, format, if_empty="No segments were found.")


@click.command()
@click.argument("import_", metavar="IMPORT")
@output_option
@workspace_option
def export(import_: str, output: Path | None) -> None:
    """Write the segments of an import. IMPORT is its code, id or name.

    The plan of the written table is empty. Change cells or add rows, and `permutive segments plan` shows what
    would change.
    """
    export_models(Segment.list(import_named(import_).id), Segment, output)
