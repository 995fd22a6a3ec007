"""Show plans and carry them out: what all commands share that change cohorts or segments."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import click
from click.exceptions import Exit

from PermutiveAPI import progress_bar
from PermutiveAPI.Tables import Plan, Plans, Report, Reports
from PermutiveAPI.Tables.changes import Change
from PermutiveAPI.Tables.limits import check_limits

from .asking import confirmed, require_answer
from .exits import ExitStatus
from .failures import new_failures_path, open_failures
from .files import replacing
from .options import dry_run_option, yes_option
from .output import Format, Row, json_text, say, visible, write_csv, write_rows
from .wording import in_words_of_the_shell

Function = TypeVar("Function", bound=Callable[..., Any])
PlanFormat: TypeAlias = Literal["table", "json", "ndjson", "csv", "markdown"]

_STYLES = {"+": "green", "~": "yellow", "-": "red"}
_OUTCOME_COLUMNS = ("action", "key", "name", "status", "id", "error")
# Lines. Above a question, more would scroll away.
_MOST_SHOWN = 100

plan_argument = click.argument(
    "plan", metavar="PLAN", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
clear_empty_option = click.option(
    "--clear-empty",
    is_flag=True,
    help="An empty cell clears its field. Without it, it changes nothing.",
)
plan_format_option = click.option(
    "--format",
    type=click.Choice(["table", "json", "ndjson", "csv", "markdown"]),
    default="table",
    help="How to write the changes. Default: line by line.",
)
output_option = click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also save the plan in this file, for `apply`.",
)
expect_option = click.option(
    "--expect-no-changes", is_flag=True, help="Exit with status 5 if there are changes."
)


def plan_options(function: Function) -> Function:
    """Add the options of a command that shows a plan; it passes them on to :func:`present`."""

    @plan_format_option
    @output_option
    @expect_option
    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        with in_words_of_the_shell():
            return function(*arguments, **named)

    return run  # type: ignore[return-value]  # click's decorators keep no signature either.


def applying_options(function: Function) -> Function:
    """Add the options of a command that carries out a plan; it passes them on to :func:`carry_out`."""

    @yes_option
    @dry_run_option
    @click.option(
        "--format",
        type=click.Choice(["table", "json", "ndjson", "csv"]),
        help="How to write the outcomes. Default: CSV, but nothing on a terminal.",
    )
    @click.option(
        "--failures",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Where to write the failed rows. Default: a new file in the working directory.",
    )
    @wraps(function)
    def run(*arguments: Any, yes: bool, dry_run: bool, **named: Any) -> Any:
        # First, so that a job without --yes never works by chance.
        require_answer(yes=yes or dry_run)
        with in_words_of_the_shell():
            return function(*arguments, yes=yes, dry_run=dry_run, **named)

    return run  # type: ignore[return-value]  # As above.


# --- Showing -------------------------------------------------------------------------------------


def present(
    plan: Plan | Plans, *, format: PlanFormat, output: Path | None, expect_no_changes: bool
) -> ExitStatus:
    """Show a plan, save it, and return the exit status."""
    show(plan, format)
    return finish(plan, output=output, expect_no_changes=expect_no_changes)


def finish(
    plan: Plan | Plans, *, output: Path | None, expect_no_changes: bool, what: str = "The plan is"
) -> ExitStatus:
    """Save a plan that was shown, say what is in the file, and return the exit status."""
    if output is not None:
        save(plan, output)
        say(f"{what} in {output}.")
    return ExitStatus.CHANGES_FOUND if plan and expect_no_changes else ExitStatus.DONE


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


def _show_before_asking(plan: Plan | Plans) -> None:
    """Write the first lines of a plan on stderr. Deletions come first, so that people see them."""
    lines = _lines_of(plan, deletions_first=True)
    _show_lines(lines[:_MOST_SHOWN], err=True)
    if len(lines) > _MOST_SHOWN:
        say(f"and {len(lines) - _MOST_SHOWN:,} more lines, which --dry-run shows")


def _show_lines(lines: Sequence[str], *, err: bool = False) -> None:
    for line in lines:
        click.secho(visible(line), fg=_STYLES.get(line[:1]), err=err)


def _lines_of(plan: Plan | Plans, *, deletions_first: bool = False) -> list[str]:
    """Return the lines of a plan. A line break in a name is escaped, so that it makes no line of its own."""
    if isinstance(plan, Plans):
        tidied = replace(plan, plans=tuple(_tidied(each, deletions_first) for each in plan.plans))
        return str(tidied).split("\n")
    return str(_tidied(plan, deletions_first)).split("\n")


def _tidied(plan: Plan, deletions_first: bool) -> Plan:
    changes = plan.changes
    if deletions_first:
        changes = (*plan.deletes, *plan.updates, *plan.creates)
    return replace(plan, changes=tuple(map(_with_names_in_one_line, changes)))


def _with_names_in_one_line(change: Change) -> Change:
    key = None if change.key is None else _in_one_line(change.key)
    return replace(change, name=_in_one_line(change.name), key=key)


def _in_one_line(text: str) -> str:
    return visible(text).replace("\n", "\\n")


# --- Carrying out --------------------------------------------------------------------------------


def read_plan(path: str, kind: Literal["cohorts", "segments"]) -> Plan:
    """Read a plan from a file, or from stdin if the path is "-"."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
        plan = Plan.from_json(text)
    except (TypeError, ValueError) as error:
        raise click.BadParameter(
            f"{path} holds no plan as `permutive {kind} plan --output` saves it: {error}",
            param_hint="PLAN",
        ) from error
    if plan.target.kind != kind:
        other = plan.target.kind
        raise click.BadParameter(
            f"this is a plan of {other}; use `permutive {other} apply`.", param_hint="PLAN"
        )
    return plan


def carry_out(
    plan: Plan | Plans,
    *,
    yes: bool,
    dry_run: bool,
    format: Format | None,
    failures: Path | None,
    again: str | None = None,
    max_update_share: float | None = None,
    max_delete_share: float | None = None,
    **options: Any,
) -> ExitStatus:
    """Show a plan, ask, carry it out, and write the outcomes.

    Parameters
    ----------
    plan : Plan or Plans
        The plan, or several.
    yes, dry_run : bool
        Whether nobody is asked, and whether the plan is only shown.
    format : str, optional
        How the outcomes are written on stdout. None writes them as CSV, but not on a terminal.
    failures : Path, optional
        Where the failed rows go.
    again : str, optional
        What people do about failures, if the plan's rows are no table that they could plan again.
    max_update_share, max_delete_share, **options
        Arguments for :meth:`Plan.apply`.
    """
    shares: dict[str, Any] = {
        "max_update_share": max_update_share,
        "max_delete_share": max_delete_share,
    }
    if dry_run:
        show(plan, format or "table")
    else:
        _show_before_asking(plan)
    # `apply` checks this, too, but nobody should be asked before.
    for each in plan.plans if isinstance(plan, Plans) else (plan,):
        counts = {"updates": len(each.updates), "deletes": len(each.deletes)}
        check_limits(owned=each.owned, **counts, **shares)
    count = len(plan)
    if count == 0 or dry_run:
        return ExitStatus.DONE
    if not confirmed(f"Make {count:,} {'change' if count == 1 else 'changes'}?", yes=yes):
        return ExitStatus.SOME_FAILED
    try:
        report: Report | Reports = plan.apply(
            progress_callback=progress_bar("Applying"), **shares, **options
        )
    except KeyboardInterrupt:
        say("The same command, given again, makes the changes that are left.")
        raise
    say(str(report))
    if report.failures:
        _tell_what_to_do(report, failures, again)
    status = ExitStatus.SOME_FAILED if report.failures else ExitStatus.DONE
    if format is not None or not sys.stdout.isatty():
        _write_outcomes(report, format or "csv", status)
    return status


def _write_outcomes(report: Report | Reports, format: Format, status: ExitStatus) -> None:
    """Write the outcomes on stdout. If its reader is gone, the exit status still says what was done."""
    try:
        write_rows(_outcomes(report), _OUTCOME_COLUMNS, format)
        sys.stdout.flush()
    except BrokenPipeError:
        raise Exit(status) from None


def _outcomes(report: Report | Reports) -> Iterator[Row]:
    for each in report.outcomes:
        change = each.change
        cells = (change.action, change.key, change.name, each.status, each.id, each.error)
        yield dict(zip(_OUTCOME_COLUMNS, cells, strict=True))


def _tell_what_to_do(report: Report | Reports, path: Path | None, again: str | None) -> None:
    """Say how to repeat what failed. Rows of the user's table go into a file that ``plan`` reads."""
    if again is not None or isinstance(report, Reports):
        say(again or "Run the same command again: it does what is left.")
        return
    failed = {each.change.row for each in report.failures}
    rows = [row for number, row in enumerate(report.rows, 1) if number in failed]
    if rows:
        target = path or new_failures_path("csv")
        _save_rows(rows, target)
        say(f"The failed rows are in {target}. Correct them, and make a plan from this file.")
    if None in failed:
        say("Apply the same plan again to repeat the other changes that failed.")


def _save_rows(rows: Sequence[Row], path: Path) -> None:
    columns = [*dict.fromkeys(name for row in rows for name in row)]
    with open_failures(path) as file:
        write_csv(rows, columns, file)
