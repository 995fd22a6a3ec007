"""``permutive references``."""

from __future__ import annotations

import click

from PermutiveAPI import progress_bar
from PermutiveAPI._Utils.credentials import DEFAULT_API_KEY
from PermutiveAPI.Tables.reference_reading import read_references
from PermutiveAPI.Tables.references import COLUMNS, References

from ..finding import cohorts_named
from ..options import format_option, workspace_option
from ..output import Format, Row, say, write_rows
from .cohorts import write_cohorts

_BROKEN_COLUMNS = ("code", "cohort_code", "cohort_name")


@click.command()
@click.option("--used-by", metavar="COHORT", help="The cohorts whose queries name this one.")
@click.option("--unused", is_flag=True, help="The cohorts that no query names.")
@click.option("--broken", is_flag=True, help="The codes that queries name but that do not exist.")
@click.option(
    "--check-segments",
    is_flag=True,
    help="Look up each segment that a query names with its import. This sends one request for each.",
)
@workspace_option
@format_option
def references(
    used_by: str | None, unused: bool, broken: bool, check_segments: bool, format: Format
) -> None:
    """Show which cohorts name which cohorts, segments and imports.

    Each cohort is fetched, with one request. COHORT is a code, an id or a name. Without --check-segments,
    only missing cohorts are found.
    """
    if (used_by is not None) + unused + broken > 1:
        raise click.UsageError("Only one of --used-by, --unused and --broken can be given.")
    if check_segments and (used_by is not None or unused):
        raise click.UsageError("--check-segments cannot be given with --used-by or --unused.")
    named = [] if used_by is None else cohorts_named([used_by])
    bar = progress_bar("Fetching")
    found = read_references(DEFAULT_API_KEY, None, bar, check_segments=check_segments)
    if named:
        write_cohorts(found.used_by(named[0]), format)
    elif unused:
        write_cohorts(found.unused(), format)
    elif broken:
        checked = "cohorts or segments" if check_segments else "cohorts"
        empty = f"No missing {checked} were found."
        write_rows(_broken(found), _BROKEN_COLUMNS, format, if_empty=empty)
    else:
        _write_all(found, format)
    if found.unknown and (named or unused or broken):
        say(
            f"{len(found.unknown):,} more cohorts may name others, but cannot be read. `permutive references` "
            "says why."
        )


def _broken(found: References) -> list[Row]:
    return [
        {"code": code, "cohort_code": cohort.code, "cohort_name": cohort.name}
        for code, cohorts in found.broken().items()
        for cohort in cohorts
    ]


def _write_all(found: References, format: Format) -> None:
    rows, columns = found.rows, [*COLUMNS]
    if format == "table":  # There is little room, and some columns are often empty.
        columns = [
            name for name in columns if any(row[name] is not None for row in rows)
        ] or columns
    # Problems are shown whole.
    write_rows(
        rows, columns, format, running_over="problem", if_empty="No query names another object."
    )
