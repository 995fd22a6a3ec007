"""Show plans and save them: what all commands share that plan changes of cohorts or segments."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import click

from PermutiveAPI.Tables import Plan, Plans

from .exits import ExitStatus
from .files import refuse_to_overwrite, replacing, written_file_option
from .layout import wrapped
from .options import checking, combined
from .output import json_text, keeping, say, terminal_width, visible, write_rows
from .wording import in_words_of_the_shell

PlanFormat: TypeAlias = Literal["table", "json", "ndjson", "csv", "markdown"]

_STYLES = {"+": "green", "~": "yellow", "-": "red"}
# Lines. Above a question, more would scroll away.
_MOST_SHOWN = 100
# If a line is too long for the terminal, the rest of it is indented by this much more.
_HANGING_INDENT = 2

clear_empty_option = click.option(
    "--clear-empty",
    is_flag=True,
    help="An empty cell clears its field. Without it, it changes nothing.",
)
plan_format_option = click.option(
    "--format",
    type=click.Choice(get_args(PlanFormat)),
    default="table",
    help="How to write the changes. Default: line by line.",
)
output_option = written_file_option(
    "--output", help="Also save the plan in this file, for `apply`."
)
expect_option = click.option(
    "--expect-no-changes", is_flag=True, help="Exit with status 5 if there are changes."
)


def _check_output(*, table: str, output: Path | None, **others: Any) -> None:
    refuse_to_overwrite(table, output, "--output")


# The options of a command that shows the plan of TABLE. It passes them on to present().
plan_options = combined(
    plan_format_option,
    output_option,
    expect_option,
    checking(_check_output),
    in_words_of_the_shell(),
)


def present(
    plan: Plan | Plans, *, format: PlanFormat, output: Path | None, expect_no_changes: bool
) -> ExitStatus:
    """Save a plan, show it, and return the exit status."""
    status = finish(plan, output=output, expect_no_changes=expect_no_changes)
    with keeping(status):
        show(plan, format)
    tell_place(output)
    return status


def finish(plan: Plan | Plans, *, output: Path | None, expect_no_changes: bool) -> ExitStatus:
    """Save a plan, and return the exit status. This comes before it is shown: the reader may go away."""
    if output is not None:
        save(plan, output)
    return ExitStatus.CHANGES_FOUND if plan and expect_no_changes else ExitStatus.DONE


def tell_place(output: Path | None, *, what: str = "The plan is") -> None:
    """Say where a plan was saved, if it was."""
    if output is not None:
        say(f"{what} in {output}.")


def save(plan: Plan | Plans, output: Path) -> None:
    """Write a plan into a file, as JSON. If that fails, the file stays as it was."""
    with replacing(output) as path:
        path.write_text(f"{_json_text(plan)}\n", "utf-8")


def show(plan: Plan | Plans, format: PlanFormat = "table") -> None:
    """Write a plan on stdout."""
    if format == "json":
        click.echo(_json_text(plan))
    elif format == "markdown":
        click.echo(visible(plan.to_markdown()))
    elif format == "table":
        _show_lines(_lines_of(plan))
    else:
        frame: Any = plan.to_pd_dataframe()
        rows: Iterator[dict[str, Any]] = (
            dict(zip(frame.columns, cells, strict=True))
            for cells in frame.astype(object).where(frame.notna(), None).to_numpy()
        )
        write_rows(rows, [*frame.columns], format)


def _json_text(plan: Plan | Plans) -> str:
    return json_text(plan.to_json(), indent=2)


def show_before_asking(plan: Plan | Plans) -> None:
    """Write the first lines of a plan on stderr. Deletions come first, so that people see them."""
    lines = _lines_of(plan, deletions_first=True)
    _show_lines(lines[:_MOST_SHOWN], err=True)
    if len(lines) > _MOST_SHOWN:
        say(f"and {len(lines) - _MOST_SHOWN:,} more lines, which --dry-run shows")


def _show_lines(lines: Sequence[str], *, err: bool = False) -> None:
    width = terminal_width(sys.stderr if err else sys.stdout)
    for line in lines:
        text = visible(line)
        if width is not None:
            text = wrapped(text, width, indent=_indent_of(line) + _HANGING_INDENT)
        click.secho(text, fg=_STYLES.get(line[:1]), err=err)


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _lines_of(plan: Plan | Plans, *, deletions_first: bool = False) -> list[str]:
    """Return the lines of a plan."""
    if deletions_first:
        if isinstance(plan, Plans):
            plan = replace(plan, plans=tuple(map(_with_deletions_first, plan.plans)))
        else:
            plan = _with_deletions_first(plan)
    return str(plan).split("\n")


def _with_deletions_first(plan: Plan) -> Plan:
    return replace(plan, changes=(*plan.deletes, *plan.updates, *plan.creates))
