"""Errors of the library in words of the shell: they name options instead of arguments."""

from __future__ import annotations

import re
from collections.abc import Generator
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
)


@contextmanager
def in_words_of_the_shell() -> Generator[None, None, None]:
    """Let errors name the options of the command instead of the library's arguments."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        for pattern, words in _IN_SHELL:
            text = re.sub(pattern, words, text)
        if text == str(error):
            raise
        kind = PlanRefusedError if isinstance(error, PlanRefusedError) else ValueError
        raise kind(text) from None
