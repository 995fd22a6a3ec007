"""What errors say in the command instead of the library's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial

from PermutiveAPI._Utils.resources import table_rows
from PermutiveAPI._Utils.resources.phrases import replaced_phrases
from PermutiveAPI.Tables import phrases

# Errors name the options of the command.
in_words_of_the_shell = partial(
    replaced_phrases,
    {
        phrases.ALLOW_USED: "--allow-used",
        phrases.MAX_DELETE_SHARE: "--max-delete-share",
        phrases.MAX_UPDATE_SHARE: "--max-update-share",
        phrases.MAPPING: "--map",
        phrases.MAPPING_OF_CODES: "--map CODE_HERE=CODE_THERE",
        phrases.TO: "--to",
        phrases.PASS_KEY: "Name it with --workspace",
        phrases.PASS_WORKSPACE_ID: "Name the workspace in the credentials file, and pass --workspace",
        phrases.NAME_WORKSPACE: "Name a credentials file in PERMUTIVE_APPLICATION_CREDENTIALS",
        # In many countries, Excel writes CSV only with semicolons.
        table_rows.READ_WITH_SEPARATOR: "Save it with commas, or as a sheet of Excel (.xlsx)",
        table_rows.OR_READ_WITH_PANDAS: ", or as a sheet of Excel (.xlsx)",
    },
)

# The user has named cohorts, and the command has made a table of them. So errors name no rows.
without_rows = partial(
    replaced_phrases, {table_rows.BAD_TABLE: "These cohorts cannot be changed:", phrases.ROW: ""}
)


def naming_owned_options(options: Sequence[str]) -> AbstractContextManager[None]:
    """Let errors name these options instead of an ``Owned``."""
    text = " or ".join(options).replace("{", "{{").replace("}", "}}")
    return replaced_phrases({phrases.OWNED: text})
