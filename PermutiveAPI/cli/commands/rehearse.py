"""``permutive rehearse``: run a program against a copy of the workspaces, and show what it changed."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from PermutiveAPI import PermutiveCredentialsError, WorkspaceList
from PermutiveAPI._Utils import settings
from PermutiveAPI.rehearsal import Rehearsal

from ..files import written_file_option
from ..options import workspace_name_option, workspace_named
from ..output import keeping, say
from ..program import run_program
from ..showing import PlanFormat, expect_option, finish, plan_format_option, show, tell_place

# The program that runs a script, by the script's suffix.
_RUNNERS = {".py": "python", ".sh": "sh"}


@click.command(
    context_settings={"allow_interspersed_args": False},
    epilog="Example: permutive rehearse -- python nightly.py",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@workspace_name_option(
    "names",
    multiple=True,
    help="Copy only this workspace, by its name or id in the credentials file. It can be given several times.",
)
@click.option(
    "--check-queries/--no-check-queries",
    default=None,
    help="Check every query that the copy gets, or none. Default: check those that use the grammar.",
)
@plan_format_option
@written_file_option("--output", help="Also save the changes in this file, as JSON.")
@expect_option
def rehearse(
    command: tuple[str, ...],
    names: tuple[str, ...],
    check_queries: bool | None,
    format: PlanFormat,
    output: Path | None,
    expect_no_changes: bool,
) -> int:
    """Run a program against a copy of the workspaces, and show what it changed.

    The workspaces of the credentials file are read. The program's calls then go to the copy, with keys
    of its own. This command sends only GETs to the live service. But what the program sends by other
    means than this library reaches the live service, and files that it writes are real.

    The changes are on stdout, and the output of the program is on stderr. The exit status is the
    program's own; with --expect-no-changes, it is 5 if the program succeeded and has changed something.
    """
    _require_program(command[0])
    workspaces = _workspaces(names)
    if sys.stderr.isatty():
        say("Copying the workspaces. Each cohort takes one request.")
    with Rehearsal(workspaces) as rehearsal:
        rehearsal.sandbox.check_queries = check_queries
        status = run_program(command)
        changes = rehearsal.changes()
    found = finish(changes, output=output, expect_no_changes=expect_no_changes)
    status = status or found
    with keeping(status):
        show(changes, format)
    if format not in ("table", "markdown"):  # They have no place for words.
        for remark in changes.remarks:
            say(remark)
    tell_place(output, what="The changes are")
    return status


def _require_program(name: str) -> None:
    if shutil.which(name) is not None:
        return
    path = Path(name)
    if not path.is_file():
        raise click.UsageError(f"There is no program {name!r}.")
    runner = _RUNNERS.get(path.suffix)
    hint = f" For a script: permutive rehearse -- {runner} {shlex.quote(name)}" if runner else ""
    raise click.UsageError(f"{name!r} cannot be run as a program.{hint}")


def _workspaces(names: tuple[str, ...]) -> WorkspaceList:
    """Return the workspaces to copy. The default key must be one of theirs."""
    workspaces = (
        WorkspaceList([workspace_named(name) for name in names]) or WorkspaceList.from_env()
    )
    key = settings.text(settings.API_KEY)
    if key is not None and all(key != each.api_key for each in workspaces):
        raise PermutiveCredentialsError(
            f"The key of {settings.API_KEY} belongs to none of the workspaces that are copied. Add its workspace "
            f"to the file that {settings.APPLICATION_CREDENTIALS} names."
        )
    return workspaces
