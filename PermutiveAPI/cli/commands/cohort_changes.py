"""``permutive cohorts enable|disable|tag|plan|apply|copy``: each shows a plan, asks, and applies it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from PermutiveAPI import Cohort

from ..exits import ExitStatus
from ..finding import cohorts_named
from ..options import (
    checking,
    combined,
    complete_workspace,
    limit_options,
    workspace_name_option,
    workspace_named,
    workspace_option,
    workspace_or_default,
)
from ..output import say
from ..plans import applying_options, carry_out, plan_argument, read_plan
from ..showing import clear_empty_option, plan_options, present
from ..stdin import stdin_text
from ..table_files import opened_table, table_argument
from ..wording import without_rows

_COPY_AGAIN = "Run the same command again to copy what is left."


def _check_choice(*, cohorts: Sequence[str], tag: str | None, **others: Any) -> None:
    if not cohorts and tag is None:
        raise click.UsageError("Name cohorts, or pass --tag.")


_choosing_options = combined(
    click.argument("cohorts", metavar="[COHORT]...", nargs=-1),
    click.option("--tag", metavar="TAG", help="Also all cohorts with this tag."),
    checking(_check_choice),
)


@click.command()
@_choosing_options
@applying_options
@workspace_option
def enable(cohorts: Sequence[str], tag: str | None, **options: Any) -> ExitStatus:
    """Enable cohorts, by id, code or exact name.

    "-" reads them from stdin, one on each line.
    """
    return _set("state", lambda cohort: "Enabled", _chosen(cohorts, tag), options)


@click.command()
@_choosing_options
@applying_options
@workspace_option
def disable(cohorts: Sequence[str], tag: str | None, **options: Any) -> ExitStatus:
    """Disable cohorts, by id, code or exact name.

    "-" reads them from stdin, one on each line.
    """
    return _set("state", lambda cohort: "Disabled", _chosen(cohorts, tag), options)


def _check_tags(*, added: Sequence[str], removed: Sequence[str], **others: Any) -> None:
    if not (added or removed):
        raise click.UsageError("Pass --add or --remove.")
    if not all(map(str.strip, (*added, *removed))):
        raise click.UsageError("A tag must not be empty.")
    if both := sorted({*added} & {*removed}):
        raise click.UsageError(f"--add and --remove have the same tag: {', '.join(both)}.")


# They are checked before --yes is asked for.
_tagging_options = combined(
    click.option("--add", "added", multiple=True, metavar="TAG", help="Add this tag."),
    click.option("--remove", "removed", multiple=True, metavar="TAG", help="Remove this tag."),
    checking(_check_tags),
)


@click.command()
@_choosing_options
@_tagging_options
@applying_options
@workspace_option
def tag(
    cohorts: Sequence[str],
    tag: str | None,
    added: Sequence[str],
    removed: Sequence[str],
    **options: Any,
) -> ExitStatus:
    """Add tags to cohorts, or remove them. --add and --remove can be given several times.

    Cohorts are named by id, code or exact name. "-" reads them from stdin, one on each line.
    """

    def tags_of(cohort: Cohort) -> list[str]:
        tags = dict.fromkeys((*(cohort.tags or ()), *added))
        return [each for each in tags if each not in removed]

    return _set("tags", tags_of, _chosen(cohorts, tag), options)


def _chosen(names: Sequence[str], tag: str | None) -> list[Cohort]:
    """Return the cohorts that are named, and those with a tag, each once."""
    wanted = _names_with_those_on_stdin(names)
    found = cohorts_named(wanted) if wanted else []
    if tag is not None:
        tagged = Cohort.list().tag_dictionary[tag]
        if not tagged:
            raise click.BadParameter(f"no cohort has the tag {tag!r}", param_hint="--tag")
        found += tagged
    return [*{each.id: each for each in found}.values()]


def _names_with_those_on_stdin(names: Sequence[str]) -> list[str]:
    on_stdin = map(str.strip, stdin_text().split("\n")) if "-" in names else ()
    return [*(name for name in names if name != "-"), *filter(None, on_stdin)]


def _set(
    column: str, value_for: Callable[[Cohort], Any], cohorts: Sequence[Cohort], options: Any
) -> ExitStatus:
    """Carry out the plan that sets one column of these cohorts."""
    if not cohorts:
        say("No cohorts are named on stdin.")
        return ExitStatus.DONE
    table = [
        {"id": each.id, "code": each.code, "name": each.name, column: value_for(each)}
        for each in cohorts
    ]
    with without_rows():
        plan = Cohort.plan(table)
    return carry_out(plan, **options)


@click.command()
@table_argument
@clear_empty_option
@plan_options
@workspace_option
def plan(table: str, clear_empty: bool, **options: Any) -> ExitStatus:
    """Show how cohorts become equal to TABLE. Nothing is changed.

    TABLE is a CSV file, a sheet of Excel (.xlsx), or "-" for CSV on stdin. A row's cohort is found by its
    id, its code, or its name. A column that is missing is not touched.
    """
    with opened_table(table) as rows:
        made = Cohort.plan(rows, clear_empty=clear_empty)
    return present(made, **options)


@click.command()
@plan_argument
@limit_options
@applying_options
@workspace_option
def apply(plan: str, **options: Any) -> ExitStatus:
    """Carry out the plan in the file PLAN, or on stdin if it is "-".

    If a cohort has changed since the plan was made, nothing is written.
    """
    return carry_out(read_plan(plan, "cohorts"), **options)


def _codes(
    context: click.Context, parameter: click.Parameter, values: Sequence[str]
) -> dict[int | str, int | str]:
    codes: dict[int | str, int | str] = {}
    for value in values:
        here, _, there = map(str.strip, value.partition("="))
        if not (here and there):
            raise click.BadParameter(f"{value!r} is not CODE_HERE=CODE_THERE")
        is_number = there.isdecimal() and str(int(there)) == there
        codes[here] = int(there) if is_number else there
    return codes


@click.command()
@click.argument("cohorts", metavar="COHORT...", nargs=-1, required=True)
@click.option(
    "--to",
    required=True,
    metavar="WORKSPACE",
    help="The other workspace, by its name or id in the credentials file.",
    shell_complete=complete_workspace,
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="CODE_HERE=CODE_THERE",
    callback=_codes,
    help="The code in the other workspace for a cohort that a query names, and that is not copied.",
)
@workspace_name_option(
    "name", help="The workspace of the cohorts. Without it: the one of the default key."
)
@applying_options
def copy(
    cohorts: Sequence[str],
    to: str,
    mapping: Mapping[int | str, int | str],
    name: str | None,
    **options: Any,
) -> ExitStatus:
    """Copy cohorts to another workspace, by id, code or exact name.

    "-" reads them from stdin, one on each line. A cohort that the other workspace already has under the same
    name stays as it is.
    """
    source, target = workspace_or_default(name), workspace_named(to, "--to")
    if source.workspace_id == target.workspace_id:
        raise click.BadParameter("the cohorts are in this workspace already", param_hint="--to")
    if not (wanted := _names_with_those_on_stdin(cohorts)):
        raise click.UsageError("Name cohorts.")
    originals = cohorts_named(wanted, api_key=source.api_key)
    copies = source.plan_copy(originals, to=target, mapping=mapping)
    return carry_out(copies, api_key=target.api_key, again=_COPY_AGAIN, **options)
