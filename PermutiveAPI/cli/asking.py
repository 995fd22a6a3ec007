"""Ask before changes."""

from __future__ import annotations

import sys

import click

from .output import say, visible


def require_answer(*, yes: bool) -> None:
    """Refuse to go on if ``--yes`` is missing, and there is no terminal to ask on."""
    if not (yes or (sys.stdin.isatty() and sys.stderr.isatty())):
        raise click.UsageError("There is no terminal to ask on. Pass --yes to make the changes.")


def confirmed(question: str, *, yes: bool) -> bool:
    """Return whether the changes may be made: asked on a terminal, or told by ``--yes``."""
    require_answer(yes=yes)
    if yes:
        return True
    # click's own question would write a space on stdout.
    click.echo(f"{visible(question)} [y/N]: ", nl=False, err=True)
    answer = sys.stdin.readline()
    if answer.strip().lower() in ("y", "yes"):
        return True
    if not answer:  # The input has ended, and the cursor stands behind the question.
        click.echo(err=True)
    say("Nothing was changed.")
    return False
