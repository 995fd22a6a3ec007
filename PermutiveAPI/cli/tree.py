"""All commands, with one line about each."""

from __future__ import annotations

from typing import Any

import click

from .group import Entry, LazyGroup

_CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _print_version(context: click.Context, parameter: click.Parameter, is_given: bool) -> None:
    if is_given and not context.resilient_parsing:
        from PermutiveAPI import __version__

        click.echo(f"permutive {__version__}")
        context.exit()


_VERSION = click.Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)

_COHORTS = LazyGroup(
    "cohorts",
    {
        "list": Entry("List cohorts.", "cohorts:list_cohorts"),
        "show": Entry("Show one cohort with its query.", "cohorts:show"),
        "export": Entry("Write cohorts with their queries, for a sheet.", "cohorts:export"),
        "enable": Entry("Enable cohorts.", "cohort_changes:enable"),
        "disable": Entry("Disable cohorts.", "cohort_changes:disable"),
        "tag": Entry("Add tags to cohorts, or remove them.", "cohort_changes:tag"),
        "plan": Entry("Show how cohorts become equal to a table.", "cohort_changes:plan"),
        "apply": Entry("Carry out a plan of cohorts.", "cohort_changes:apply"),
        "copy": Entry("Copy cohorts to another workspace.", "cohort_changes:copy"),
    },
    help="List, export and change cohorts.",
    context_settings=_CONTEXT,
)

_IMPORTS = LazyGroup(
    "imports",
    {"list": Entry("List imports.", "imports:list_imports")},
    help="List imports.",
    context_settings=_CONTEXT,
)

_SEGMENTS = LazyGroup(
    "segments",
    {
        "list": Entry("List the segments of an import.", "segments:list_segments"),
        "export": Entry("Write the segments of an import, for a sheet.", "segments:export"),
        "plan": Entry("Show how segments become equal to a table.", "segment_changes:plan"),
        "apply": Entry("Carry out a plan of segments.", "segment_changes:apply"),
    },
    help="List, export and change the segments of an import.",
    context_settings=_CONTEXT,
)

permutive = LazyGroup(
    "permutive",
    {
        "workspaces": Entry(
            "List the workspaces of the credentials file.", "workspaces:workspaces"
        ),
        "cohorts": _COHORTS,
        "imports": _IMPORTS,
        "segments": _SEGMENTS,
        "references": Entry("Show which cohorts name which others.", "references:references"),
        "identify": Entry("Send the identities in a file.", "users:identify"),
        "segment": Entry("Send the events in a file, and get the cohorts.", "users:segment"),
        "snapshot": Entry("Save a workspace in a folder, for git.", "snapshots:snapshot"),
        "drift": Entry("Show what has changed since a snapshot.", "snapshots:drift"),
        "rehearse": Entry("Run a program against a copy of a workspace.", "rehearse:rehearse"),
        "sandbox": Entry("Serve a local Permutive service until Ctrl-C.", "sandbox:sandbox"),
        "demo": Entry("Do a day's work against a sandbox.", "demo:demo"),
        "doctor": Entry("Check the configuration and the service.", "doctor:doctor"),
    },
    help="""Work with Permutive from a shell.

    Keys come from the environment, from .env, or from the credentials file, never from arguments.
    `permutive doctor` shows which one is used. `permutive demo` needs no key.
    """,
    epilog="Exit status: 0 done, 1 something failed, 2 wrong usage, 3 refused by a safety check, "
    "4 no key or a refused key, 5 changes found where none were expected.",
    params=[_VERSION],
    context_settings=_CONTEXT,
)
