"""Options that several commands have."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, get_args

import click

from PermutiveAPI import Workspace, WorkspaceList, options
from PermutiveAPI._Utils import settings

from .layout import can_make_tables
from .output import Format

Function = TypeVar("Function", bound=Callable[..., Any])


def combined(*decorators: Callable[[Any], Any]) -> Callable[[Function], Function]:
    """Return one decorator for several. The first one is the outermost."""

    def decorate(function: Function) -> Function:
        """Apply the decorators."""
        for each in reversed(decorators):
            function = each(function)
        return function

    return decorate


def checking(check: Callable[..., None]) -> Callable[[Function], Function]:
    """Return a decorator that calls a check before a command. The check raises an error to end the command.

    It gets the command's arguments by name.
    """

    def decorate(function: Function) -> Function:
        @wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            check(**named)
            return function(*arguments, **named)

        return run  # type: ignore[return-value]  # click's decorators keep no signature either.

    return decorate


def workspace_option(function: Function) -> Function:
    """Add ``--workspace NAME``. The command's calls use the key of that workspace."""

    @workspace_name_option(
        "workspace_name",
        help="The workspace, by its name or id in the credentials file. Without it: the default key.",
    )
    @wraps(function)
    def run(*arguments: Any, workspace_name: str | None, **named: Any) -> Any:
        if workspace_name is None:
            return function(*arguments, **named)
        with options(api_key=workspace_named(workspace_name).api_key):
            return function(*arguments, **named)

    return run  # type: ignore[return-value]  # click's decorators keep no signature either.


def workspace_name_option(
    argument: str, *, help: str, multiple: bool = False
) -> Callable[[Function], Function]:
    """Return the option ``--workspace NAME``, whose value goes to this argument of the command."""
    return click.option(
        "--workspace",
        argument,
        metavar="NAME",
        multiple=multiple,
        help=help,
        shell_complete=complete_workspace,
    )


def workspace_or_default(name: str | None) -> Workspace:
    """Return the workspace with a name, or that of the default key. Its id must be known."""
    if name is not None:
        return workspace_named(name)
    api_key = settings.text(settings.API_KEY)
    if api_key is None:
        return Workspace.from_env()
    found = [each for each in WorkspaceList.from_env() if each.api_key == api_key]
    if not found:
        raise click.UsageError(
            f"The credentials file has no workspace with the key of {settings.API_KEY}. Pass --workspace."
        )
    return found[0]


def workspace_named(name: str, option: str = "--workspace") -> Workspace:
    """Return a workspace of the credentials file, by its name or id. The error names the option."""
    workspaces = WorkspaceList.from_env()
    found = [each for each in workspaces if name in (each.name, each.workspace_id)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(repr(each.name) for each in workspaces)
    problem = (
        f"Several workspaces are called {name!r}; give the id."
        if found
        else f"No workspace is called {name!r}; the credentials file has {names}."
    )
    raise click.BadParameter(problem, param_hint=option)


def complete_workspace(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[str]:
    """Return the names of workspaces that begin with a text, as the shell inserts them."""
    try:
        names = [each.name for each in WorkspaceList.from_env()]
    except ValueError:  # Nothing is configured yet.
        return []
    found = [name for name in names if name.startswith(incomplete)]
    return [*map(shlex.quote, found)] if _bash_needs_quotes() else found


def _bash_needs_quotes() -> bool:
    """Return whether bash completes a word without a quotation mark. Other shells quote texts themselves."""
    if os.environ.get("_PERMUTIVE_COMPLETE") != "bash_complete":
        return False
    words = os.environ.get("COMP_WORDS", "").split("\n")
    return not words[-1].startswith(("'", '"'))


def require_rich(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Refuse a table if rich is not installed. As the callback of an option, it does so before any work."""
    if value == "table" and not can_make_tables():
        raise click.UsageError(
            "A table needs the package 'rich', which is not installed. Install the extra: pip install "
            '"PermutiveAPI[cli]". Or pass another --format.'
        )
    return value


def _format_or_default(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str:
    return value or ("table" if sys.stdout.isatty() else "csv")


def _format_with_rich(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    return require_rich(context, parameter, _format_or_default(context, parameter, value))


def _format_option(callback: Callable[..., str | None]) -> Callable[[Function], Function]:
    return click.option(
        "--format",
        type=click.Choice(get_args(Format)),
        callback=callback,
        help="How to write the data. Default: a table on a terminal, CSV elsewhere.",
    )


format_option = _format_option(_format_with_rich)
# For commands that write records instead of a table if rich is not installed.
record_format_option = _format_option(_format_or_default)

yes_option = click.option("--yes", is_flag=True, help="Make the changes without asking.")
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Only show the changes. Nothing is written."
)


class NumberRange(click.FloatRange):
    """A range of numbers without "nan". click's own range accepts it, since it is not too small and not too large."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or end the command."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


_share = NumberRange(0, 1)

# The limits of a plan, under the names of ``Plan.apply``.
limit_options = combined(
    click.option(
        "--max-update-share",
        type=_share,
        metavar="SHARE",
        help="The largest share that may be updated, 0 to 1. Default: no limit. Ten may always be "
        "updated, unless SHARE is 0.",
    ),
    click.option(
        "--max-delete-share",
        type=_share,
        metavar="SHARE",
        help="The largest share that may be deleted, 0 to 1. Default: 0.8 of up to 100 objects, 0.5 of "
        "up to 1,000, 0.2 of more. Ten may always be deleted, unless SHARE is 0.",
    ),
    click.option(
        "--allow-used", is_flag=True, help="Also delete what the query of a cohort names."
    ),
)
