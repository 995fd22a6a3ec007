"""The words of the shell for what errors of the library call arguments."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from PermutiveAPI._Utils.resources import table_rows
from PermutiveAPI._Utils.resources.phrases import in_other_words
from PermutiveAPI.Tables import phrases

_IN_SHELL = {
    phrases.ALLOW_USED: "--allow-used",
    phrases.MAX_DELETE_SHARE: "--max-delete-share",
    phrases.MAX_UPDATE_SHARE: "--max-update-share",
    phrases.MAPPING: "--map",
    phrases.MAPPING_OF_CODES: "--map CODE_HERE=CODE_THERE",
    phrases.TO: "--to",
    phrases.PASS_KEY: "Pass --workspace",
    phrases.PASS_WORKSPACE_ID: "Name the workspace in the credentials file, and pass --workspace",
    phrases.NAME_WORKSPACE: "Name a credentials file in PERMUTIVE_APPLICATION_CREDENTIALS",
    table_rows.READ_WITH_SEPARATOR: "Save it with commas",
    table_rows.OR_READ_WITH_PANDAS: "",
}
# The user has named cohorts, and the command has made a table of them.
_WITHOUT_ROWS = {table_rows.BAD_TABLE: "These cohorts cannot be changed:", phrases.ROW: ""}


@contextmanager
def in_words_of_the_shell() -> Generator[None, None, None]:
    """Let errors name the options of the command instead of the library's arguments."""
    with in_other_words(_IN_SHELL):
        yield


@contextmanager
def without_rows() -> Generator[None, None, None]:
    """Let errors about a table that the command made itself leave out its rows."""
    with in_other_words(_WITHOUT_ROWS):
        yield


@contextmanager
def owned_by_options(options: Sequence[str]) -> Generator[None, None, None]:
    """Let errors name the options that say which segments are the user's."""
    text = " or ".join(options).replace("{", "{{").replace("}", "}}")
    with in_other_words({phrases.OWNED: text}):
        yield
