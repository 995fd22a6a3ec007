"""Show plans and carry them out: what all commands share that change cohorts or segments."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import click

from PermutiveAPI import progress_bar
from PermutiveAPI._Utils.resources.frames import cell_text
from PermutiveAPI.Tables import Plan, Report

from .asking import confirmed
from .exits import ExitStatus
from .output import Format, Row, say, visible, write_rows

PlanFormat: TypeAlias = Literal["table", "json", "ndjson", "csv", "markdown"]
_STYLES = {"+": "green", "~": "yellow", "-": "red"}
_OUTCOME_COLUMNS = ("action", "key", "name", "status", "id", "error")


plan_format_option = click.option(
    "--format",
    type=click.Choice(["table", "json", "ndjson", "csv", "markdown"]),
    default="table",
    help="How to write the plan. Default: its changes, line by line. `apply` reads the JSON form.",
)
output_option = click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also save the plan in this file, for `apply`.",
)
expect_option = click.option(
    "--expect-no-changes", is_flag=True, help="Exit with status 5 if there are changes."
)
failures_option = click.option(
    "--failures",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the failed rows. Default: a new file in the working directory.",
)


def show(plan: Plan, format: PlanFormat = "table", *, err: bool = False) -> None:
    """Write a plan on stdout, or its changes on stderr."""
    if format == "json":
        click.echo(json.dumps(plan.to_json(), ensure_ascii=False, indent=2))
    elif format == "markdown":
        click.echo(plan.to_markdown())
    elif format == "table":
        _show_lines(plan, err=err)
    else:
        frame = plan.to_pd_dataframe()
        rows: Iterator[dict[str, Any]] = (
            dict(zip(frame.columns, cells, strict=True))
            for cells in frame.astype(object).where(frame.notna(), None).to_numpy()
        )
        write_rows(rows, [*frame.columns], format)


def _show_lines(plan: Plan, *, err: bool) -> None:
    for line in str(plan).splitlines():
        colour = None if "NO_COLOR" in os.environ else _STYLES.get(line[:1])
        click.secho(visible(line), fg=colour, err=err)


def finish(plan: Plan, *, output: Path | None, expect_no_changes: bool) -> ExitStatus:
    """Save a plan that was shown, and return the exit status."""
    if output is not None:
        output.write_text(json.dumps(plan.to_json(), ensure_ascii=False, indent=2), "utf-8")
        say(f"The plan is in {output}.")
    return ExitStatus.CHANGES_FOUND if plan and expect_no_changes else ExitStatus.DONE


def read_plan(path: str, kind: Literal["cohorts", "segments"]) -> Plan:
    """Read a plan from a file, or from stdin if the path is "-"."""
    text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    try:
        plan = Plan.from_json(text)
    except (TypeError, ValueError) as error:
        raise click.BadParameter(str(error), param_hint="PLAN") from error
    if plan.target.kind != kind:
        raise click.BadParameter(f"this is a plan of {plan.target.kind}", param_hint="PLAN")
    return plan


def carry_out(
    plan: Plan,
    *,
    yes: bool,
    dry_run: bool,
    format: Format | None,
    failures: Path | None,
    **limits: Any,
) -> ExitStatus:
    """Show a plan, ask, carry it out, and write the outcomes.

    Parameters
    ----------
    plan : Plan
        The plan.
    yes, dry_run : bool
        Whether nobody is asked, and whether the plan is only shown.
    format : str, optional
        How the outcomes are written on stdout. None writes them as CSV, but not on a terminal.
    failures : Path, optional
        Where the failed rows go.
    **limits
        Arguments for :meth:`Plan.apply`.
    """
    show(plan, err=not dry_run)
    if not plan or dry_run:
        return ExitStatus.DONE
    if not confirmed(f"Make {len(plan):,} {'change' if len(plan) == 1 else 'changes'}?", yes=yes):
        return ExitStatus.SOME_FAILED
    report = plan.apply(progress_callback=progress_bar("Applying"), **limits)
    if format is not None or not sys.stdout.isatty():
        write_rows(_outcomes(report), _OUTCOME_COLUMNS, format or "csv")
    say(str(report))
    if not report.failures:
        return ExitStatus.DONE
    _save_failures(report, failures)
    return ExitStatus.SOME_FAILED


def _outcomes(report: Report) -> Iterator[Row]:
    for each in report.outcomes:
        change = each.change
        cells = (change.action, change.key, change.name, each.status, each.id, each.error)
        yield dict(zip(_OUTCOME_COLUMNS, cells, strict=True))


def _save_failures(report: Report, path: Path | None) -> None:
    """Write the failed rows of the user's table into a file that ``plan`` reads."""
    failed = {each.change.row for each in report.failures}
    rows = [row for number, row in enumerate(report.rows, 1) if number in failed]
    if rows:
        target = path or failures_path("csv")
        columns = [*dict.fromkeys(name for row in rows for name in row)]
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                values = (row.get(name) for name in columns)
                writer.writerow("" if value is None else cell_text(value) for value in values)
        say(f"The failed rows are in {target}. Correct them, and make a plan from this file.")
    if None in failed:
        say("Apply the same plan again to repeat the other changes that failed.")


def failures_path(ending: str) -> Path:
    """Return the path of a new file in the working directory, for what failed."""
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path(f"permutive-failed-{moment}.{ending}")
