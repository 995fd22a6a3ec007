"""Errors of the library in words of the shell: they name options instead of arguments."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from PermutiveAPI.Tables import PlanRefusedError

# What errors of the library say, and what the command says instead.
_IN_SHELL = (
    (r"pass max_(update|delete)_share=", r"pass --max-\1-share"),
    (r"pass allow_used=True", "pass --allow-used"),
    (r"pass mapping=\{code here: code there\}", "pass --map CODE_HERE=CODE_THERE"),
    (r"\Amapping: ", "--map: "),
    (r"\Ato: ", "--to: "),
    (
        r"Pass workspace_id=, the id of the key's own workspace",
        "Name the workspace in the credentials file, and pass --workspace",
    ),
    (r"Pass pandas\.read_csv\(path, sep=.*?\)\.", "Save it with commas."),
    (r", or pass pandas\.read_excel\(.*?\bencoding=.*?\)", ""),
    (r"Owned\.(prefix|category)\(('.*?'|\".*?\")\)", r"--owned-\1 \2"),
    (r" \| (?=--owned-)", " or "),
)
# The lines about rows, if the user named cohorts and has no table.
_WITHOUT_ROWS = ((r"\Atable has .*:\n", ""), (r"(?m)^row \d+: ", ""))


@contextmanager
def in_words_of_the_shell() -> Generator[None, None, None]:
    """Let errors name the options of the command instead of the library's arguments."""
    with _reworded(_IN_SHELL):
        yield


@contextmanager
def without_rows() -> Generator[None, None, None]:
    """Let errors about a table that the command made itself leave out its rows."""
    with _reworded(_WITHOUT_ROWS):
        yield


@contextmanager
def _reworded(replacements: Sequence[tuple[str, str]]) -> Generator[None, None, None]:
    try:
        yield
    except ValueError as error:
        text = str(error)
        for pattern, words in replacements:
            text = re.sub(pattern, words, text)
        if text == str(error):
            raise
        kind = PlanRefusedError if isinstance(error, PlanRefusedError) else ValueError
        raise kind(text) from None
