"""``permutive segments plan|apply``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import click

from PermutiveAPI import Segment
from PermutiveAPI.Tables import Owned

from ..exits import ExitStatus
from ..finding import import_named
from ..options import limit_options, workspace_option
from ..plans import applying_options, carry_out, plan_argument, read_plan
from ..showing import clear_empty_option, plan_options, present
from ..table_files import opened_table, table_argument
from ..wording import naming_owned_options


@click.command()
@click.argument("import_name", metavar="IMPORT")
@table_argument
@click.option(
    "--mode",
    type=click.Choice(["upsert", "mirror"]),
    default="upsert",
    show_default=True,
    help="A mirror also deletes the segments that are yours and not in the table.",
)
@click.option(
    "--owned-prefix",
    "prefixes",
    multiple=True,
    metavar="TEXT",
    help="Segments whose code begins with this are yours.",
)
@click.option(
    "--owned-category",
    "categories",
    multiple=True,
    metavar="CATEGORY",
    help="Segments with this category are yours.",
)
@click.option(
    "--owned-everything", "everything", is_flag=True, help="All segments of the import are yours."
)
@clear_empty_option
@plan_options
@workspace_option
def plan(
    import_name: str,
    table: str,
    mode: Literal["upsert", "mirror"],
    prefixes: Sequence[str],
    categories: Sequence[str],
    everything: bool,
    clear_empty: bool,
    **options: Any,
) -> ExitStatus:
    """Show how the segments of IMPORT become equal to TABLE. Nothing is changed.

    IMPORT is the id, the code or the exact name of an import. TABLE is a CSV file, a sheet of Excel
    (.xlsx), or "-" for CSV on stdin. A row's segment is found by its code. A column that is missing is not
    touched. The options --owned-... can be given several times. All other segments are protected.
    """
    owned = _owned(prefixes, categories, everything)
    if mode == "mirror" and owned is None:
        raise click.UsageError(
            "A mirror deletes segments that are not in the table. Say which ones are yours: pass "
            "--owned-prefix, --owned-category or --owned-everything."
        )
    found = import_named(import_name)
    with opened_table(table) as rows, naming_owned_options(_owned_options(prefixes, categories)):
        made = Segment.plan(found.id, rows, mode, owned=owned, clear_empty=clear_empty)
    return present(made, **options)


def _owned(prefixes: Sequence[str], categories: Sequence[str], everything: bool) -> Owned | None:
    parts = [*map(Owned.prefix, prefixes), *map(Owned.category, categories)]
    if everything:
        parts.append(Owned.everything)
    owned = None
    for part in parts:
        owned = part if owned is None else owned | part
    return owned


def _owned_options(prefixes: Sequence[str], categories: Sequence[str]) -> list[str]:
    return [
        *(f"--owned-prefix {each!r}" for each in prefixes),
        *(f"--owned-category {each!r}" for each in categories),
    ]


@click.command()
@plan_argument
@limit_options
@applying_options
@workspace_option
def apply(plan: str, **options: Any) -> ExitStatus:
    """Carry out the plan in the file PLAN, or on stdin if it is "-".

    If a segment has changed since the plan was made, nothing is written.
    """
    return carry_out(read_plan(plan, "segments"), **options)
