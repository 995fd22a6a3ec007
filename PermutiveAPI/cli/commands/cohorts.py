"""``permutive cohorts list``, ``show`` and ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from PermutiveAPI import Cohort, CohortList, WorkspaceList, progress_bar

from ..exporting import export_models, output_option
from ..finding import cohorts_named
from ..options import combined, format_option, record_format_option, workspace_option
from ..output import Format, field_names, json_text, rows_of, write_lines, write_record, write_rows

COLUMNS = ("code", "name", "state", "tags", "live_audience_size")


_filter_options = combined(
    click.option("--tag", metavar="TAG", help="Only those with exactly this tag."),
    click.option(
        "--state",
        type=click.Choice(["Enabled", "Disabled"], case_sensitive=False),
        help="Only those in this state.",
    ),
    click.option("--name", metavar="NAME", help="Only those with exactly this name."),
    click.option(
        "--find",
        metavar="TEXT",
        help="Only those with this text in the name, description, tags, code or id. The case of letters "
        "makes no difference.",
    ),
    click.option("--children", is_flag=True, help="Also the cohorts of the workspaces below."),
)


def _listed(
    *,
    tag: str | None,
    state: Literal["Enabled", "Disabled"] | None,
    name: str | None,
    find: str | None,
    children: bool,
) -> CohortList:
    cohorts = Cohort.list(include_child_workspaces=children)
    cohorts = cohorts.filter(tag=tag, state=state, name=name)
    return cohorts if find is None else cohorts.find(find)


def _with_queries(cohorts: CohortList) -> CohortList:
    """Fetch cohorts with their queries. One that was deleted meanwhile is left out."""
    from PermutiveAPI.Tables.cohort_reading import fetched  # Rarely needed, and slow to import.

    return CohortList(fetched(cohorts, progress_callback=progress_bar("Fetching")).values())


@click.command("list")
@_filter_options
@click.option("--details", is_flag=True, help="With the queries: one request for each cohort.")
@workspace_option
@format_option
def list_cohorts(children: bool, details: bool, format: Format, **filters: Any) -> None:
    """List cohorts.

    A table shows the most important fields. The other formats have all of them.
    """
    cohorts = _listed(children=children, **filters)
    write_cohorts(_with_queries(cohorts) if details else cohorts, format, children=children)


def write_cohorts(cohorts: CohortList, format: Format, *, children: bool = False) -> None:
    """Write cohorts on stdout; if those of other workspaces are among them, with the workspace."""
    fields = field_names(Cohort)
    rows = rows_of(cohorts, fields)
    columns = [*(COLUMNS if format == "table" else fields)]
    if children:
        names = _names_of_workspaces()
        rows = [
            {**row, "workspace": names.get(row["workspace_id"], row["workspace_id"])}
            for row in rows
        ]
        columns.append("workspace")
    write_rows(rows, columns, format, if_empty="No cohorts were found.")


def _names_of_workspaces() -> dict[str, str]:
    try:
        return {each.workspace_id: each.name for each in WorkspaceList.from_env()}
    except ValueError:  # There is no credentials file.
        return {}


@click.command()
@click.argument("cohort")
@workspace_option
@record_format_option
def show(cohort: str, format: Format) -> None:
    """Show one cohort with its query. COHORT is its code, id or name.

    A table also says the query in words.
    """
    (listed,) = cohorts_named([cohort])
    found = Cohort.get_by_id(listed.id or "")
    (row,) = rows_of([found], field_names(Cohort))
    if format != "table":
        write_record(row, format)
        return
    query = row.pop("query")
    write_record(row, format)
    if query is not None:
        write_lines("", _in_words(query), "")
        click.echo(json_text(query, indent=2))


def _in_words(query: Any) -> str:
    from PermutiveAPI.Query import Query, QueryError

    try:
        return f"{Query.from_json(query).describe()}."
    except QueryError as error:
        return f"This query cannot be said in words: {error}"


@click.command()
@_filter_options
@output_option
@workspace_option
def export(output: Path | None, **filters: Any) -> None:
    """Write cohorts with their queries, one request for each.

    The plan of the written table is empty. Change cells or add rows, and `permutive cohorts plan` shows what
    would change.
    """
    export_models(_with_queries(_listed(**filters)), Cohort, output)
