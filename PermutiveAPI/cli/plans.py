"""Carry out plans: what all commands share that change cohorts or segments."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import click

from PermutiveAPI import AttemptRecord, progress_bar
from PermutiveAPI import options as settings_of_calls
from PermutiveAPI.Tables import Plan, Plans, Report, Reports
from PermutiveAPI.Tables.limits import check_limits

from .asking import confirmed, require_answer
from .exits import ExitStatus
from .failures import new_failures_path, open_failures, remove_failures
from .files import naming, refuse_to_overwrite, written_file_option
from .options import checking, combined, dry_run_option, require_rich, yes_option
from .output import Format, Row, keeping, say, write_csv, write_rows
from .showing import show, show_before_asking
from .stdin import stdin_text
from .wording import in_words_of_the_shell

_OUTCOME_COLUMNS = ("action", "key", "name", "status", "id", "error")

plan_argument = click.argument(
    "plan", metavar="PLAN", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)


def _check_application(
    *, yes: bool, dry_run: bool, failures: Path | None, plan: str = "-", **others: Any
) -> None:
    """Check the options of a command that applies a plan. Only some commands have the argument PLAN."""
    # First, so that a job without --yes never works by chance.
    require_answer(yes=yes or dry_run)
    refuse_to_overwrite(plan, failures, "--failures")


# The options of a command that carries out a plan. It passes them on to carry_out().
applying_options = combined(
    yes_option,
    dry_run_option,
    click.option(
        "--format",
        type=click.Choice(get_args(Format)),
        callback=require_rich,
        help="How to write the outcomes. Default: CSV, but nothing on a terminal.",
    ),
    written_file_option(
        "--failures",
        help="Where to write the failed rows. Default: a new file in the working directory.",
    ),
    checking(_check_application),
    in_words_of_the_shell(),
)


def read_plan(path: str, kind: Literal["cohorts", "segments"]) -> Plan:
    """Read a plan from a file, or from stdin if the path is "-"."""
    try:
        text = stdin_text() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
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
        show_before_asking(plan)
    # `apply` checks this, too, but nobody should be asked before.
    for each in plan.plans if isinstance(plan, Plans) else (plan,):
        counts = {"updates": len(each.updates), "deletes": len(each.deletes)}
        check_limits(owned=each.owned_count, **counts, **shares)
    count = len(plan)
    if dry_run:
        return ExitStatus.DONE
    if count == 0:
        if format is not None:  # Programs read an empty list, too.
            write_rows((), _OUTCOME_COLUMNS, format)
        return ExitStatus.DONE
    if not confirmed(f"Make {count:,} {'change' if count == 1 else 'changes'}?", yes=yes):
        return ExitStatus.SOME_FAILED
    refusals = list[AttemptRecord]()
    try:
        with settings_of_calls(on_response=partial(_note_refusal, refusals)):
            report: Report | Reports = plan.apply(
                progress_callback=progress_bar("Applying"), **shares, **options
            )
    except KeyboardInterrupt:
        say("The same command, given again, makes the changes that are left.")
        raise
    say(str(report))
    status = _status_of(report, key_was_refused=bool(refusals))
    try:
        if report.failures:
            _tell_what_to_do(report, failures, again)
    finally:  # If the disk is full, this is the only list of what was done.
        if format is not None or not sys.stdout.isatty():
            _write_outcomes(report, format or "csv", status)
    return status


def _note_refusal(refusals: list[AttemptRecord], record: AttemptRecord) -> None:
    if record.status in (401, 403):
        refusals.append(record)


def _status_of(report: Report | Reports, *, key_was_refused: bool) -> ExitStatus:
    """Return the exit status: also for a key that may only read, which nothing notices before the changes."""
    if not report.failures:
        return ExitStatus.DONE
    nothing_done = len(report.failures) == len(report.outcomes)
    return ExitStatus.NO_CREDENTIALS if nothing_done and key_was_refused else ExitStatus.SOME_FAILED


def _write_outcomes(report: Report | Reports, format: Format, status: ExitStatus) -> None:
    with keeping(status):
        write_rows(_outcomes(report), _OUTCOME_COLUMNS, format)


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
        if path is not None:
            remove_failures(path)
        target = path or new_failures_path("csv")
        _save_rows(rows, target)
        say(f"The failed rows are in {target}. Correct them, and make a plan from this file.")
    if None in failed:
        say("Apply the same plan again to repeat the other changes that failed.")


def _save_rows(rows: Sequence[Row], path: Path) -> None:
    columns = [*dict.fromkeys(name for row in rows for name in row)]
    with naming(path), open_failures(path) as file:
        write_csv(rows, columns, file)
