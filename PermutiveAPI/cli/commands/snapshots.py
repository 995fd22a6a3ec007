"""``permutive snapshot`` and ``permutive drift``: a workspace in a folder, and what has changed since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from PermutiveAPI import Workspace, progress_bar
from PermutiveAPI.snapshots import Saved, Snapshot

from ..asking import require_answer
from ..exits import ExitStatus
from ..files import FilledPath, written_file_option
from ..options import (
    dry_run_option,
    format_option,
    limit_options,
    workspace_name_option,
    workspace_or_default,
    yes_option,
)
from ..output import Format, keeping, say, write_rows
from ..plans import carry_out
from ..showing import PlanFormat, expect_option, plan_format_option, save, show
from ..wording import in_words_of_the_shell

_workspace_option = workspace_name_option(
    "name",
    help="The workspace, by its name or id in the credentials file. Without it: that of the default key.",
)


@click.command()
@click.argument("folder", type=FilledPath(file_okay=False, path_type=Path))
@_workspace_option
@format_option
def snapshot(folder: Path, name: str | None, format: Format) -> None:
    """Save a workspace in FOLDER, for git: one file for each cohort and each import.

    Only files that differ are written. Files of objects that are gone are removed. Files that no snapshot
    wrote stay. The output says how many files were written, unchanged and removed.
    """
    saved = _read(workspace_or_default(name)).write(folder)
    write_rows([saved._asdict()], Saved._fields, format)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_workspace_option
@plan_format_option
@expect_option
@written_file_option(
    "--output", help="Also save the plans that restore the snapshot in this file, as JSON."
)
@click.option("--restore", is_flag=True, help="Make the workspace equal to the snapshot again.")
@yes_option
@dry_run_option
@limit_options
@in_words_of_the_shell()
def drift(
    folder: Path,
    name: str | None,
    format: PlanFormat,
    expect_no_changes: bool,
    output: Path | None,
    restore: bool,
    yes: bool,
    dry_run: bool,
    **limits: Any,
) -> ExitStatus:
    """Show what has changed in a workspace since the snapshot in FOLDER.

    With --restore, it shows the changes that restore the snapshot, and makes them. What cannot come back
    is listed first.
    """
    if restore and (expect_no_changes or format == "markdown"):
        option = "--expect-no-changes" if expect_no_changes else "--format markdown"
        raise click.UsageError(f"{option} does not go with --restore, which makes the changes.")
    if restore:
        # First, so that a job without --yes never works by chance.
        require_answer(yes=yes or dry_run)
    before, workspace = Snapshot.read(folder), workspace_or_default(name)
    now = _read(workspace)
    changes, back = before.plans_to(now), before.restoring(now)
    if output is not None:
        save(back, output)
        say(f"The plans that restore the snapshot are in {output}.")
    if restore:
        limits["api_key"] = workspace.api_key
        written = None if format in ("table", "markdown") else format
        return carry_out(back, yes=yes, dry_run=dry_run, format=written, failures=None, **limits)
    status = ExitStatus.CHANGES_FOUND if changes and expect_no_changes else ExitStatus.DONE
    with keeping(status):
        show(changes, format)
    if format in ("csv", "ndjson"):  # They have no place for notes.
        for note in changes.notes:
            say(note)
    return status


def _read(workspace: Workspace) -> Snapshot:
    return Snapshot.of(workspace, progress_callback=progress_bar("Reading cohorts"))
