"""The question before changes."""

from __future__ import annotations

import io
import sys

import click
import pytest

from PermutiveAPI.cli.asking import confirmed


class Keyboard(io.StringIO):
    """A terminal on which an answer is typed."""

    def isatty(self) -> bool:
        """Say that it is a terminal."""
        return True


@pytest.mark.parametrize(
    "typed, answer",
    [("y\n", True), ("YES \n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)],
)
def test_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool) -> None:
    """Anything else, also the end of the input, changes nothing. Nothing is written on stdout."""
    out, err = io.StringIO(), Keyboard()
    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "stdout", out)
    assert confirmed("Delete \x1b[2J?", yes=False) is answer
    ending = "" if answer else "Nothing was changed.\n"
    assert err.getvalue() == "Delete \\x1b[2J? [y/N]: " + ("\n" if not typed else "") + ending
    assert out.getvalue() == ""


def test_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, --yes is needed, and the error names it."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(click.UsageError, match="--yes"):
        confirmed("Delete?", yes=False)
    assert confirmed("Delete?", yes=True)
