"""Groups whose commands are imported only when they run, so that ``--help`` starts fast."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """A command before it is imported: what it does, and its place, "module:name", below ``commands``."""

    help: str
    target: str


class LazyGroup(click.Group):
    """A group of commands. It shows their names and help without importing them."""

    def __init__(
        self, name: str, entries: Mapping[str, Entry | LazyGroup], **attributes: Any
    ) -> None:
        super().__init__(name, **attributes)
        self._entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order in which they were declared."""
        return [*self._entries]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        entry = self._entries.get(cmd_name)
        if not isinstance(entry, Entry):
            return entry
        module, _, name = entry.target.partition(":")
        found: click.Command = getattr(import_module(f"{__package__}.commands.{module}"), name)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the names and options that begin with a text, for the shell."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.help)
            for name, entry in self._entries.items()
            if name.startswith(incomplete)
        ]
        # A group would import all its commands.
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and what they do."""
        rows = [(name, entry.help or "") for name, entry in self._entries.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
