"""Identities from tables, for streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow
import pytest

from PermutiveAPI import Alias, Identity
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import identities_from_table

ALIASES = {"email": 1, "crm": 2}
ROWS: list[dict[str, Any]] = [
    {"user_id": "u-1", "email": "ada@example.com", "crm": 4711},
    {"user_id": "u-2", "email": None, "crm": 4712.0},
]
IDENTITIES = [
    Identity("u-1", [Alias("ada@example.com", "email", 1), Alias("4711", "crm", 2)]),
    Identity("u-2", [Alias("4712", "crm", 2)]),
]
KINDS: dict[str, Any] = {
    "pandas": pandas.DataFrame(ROWS),
    "polars": polars.DataFrame(ROWS, strict=False),
    "pyarrow": pyarrow.Table.from_pandas(pandas.DataFrame(ROWS)),
    "dictionaries": ROWS,
    "generator": iter(ROWS),
}


@pytest.mark.parametrize("table", KINDS.values(), ids=list(KINDS))
def test_every_kind_of_table(table: Any) -> None:
    """Each row is a user, each column a kind of alias; an empty cell gives no alias."""
    assert list(identities_from_table(table, aliases=ALIASES)) == IDENTITIES


def test_other_columns() -> None:
    """The users' ids may stand in any column, and columns that are not named are left out."""
    rows = [{"key": 5, "crm": "c", "email": "a@example.com", "blank": " "}]
    made = identities_from_table(rows, user_id="key", aliases={"crm": 0, "blank": 1})
    assert list(made) == [Identity("5", [Alias("c", "crm", 0)])]


def test_a_csv_file_is_streamed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The rows of a file become aliases of users in the service."""
    path = tmp_path / "users.csv"
    path.write_text("user_id,email,crm\nu-1,ada@example.com,4711\nu-2,,4712\n")
    identities = identities_from_table(path, aliases=ALIASES)
    results = Identity.stream_identify(identities, api_key=sandbox.api_key)
    assert [result.error for result in results] == [None, None]
    assert sandbox.aliases["crm", "4712"] == "u-2"


def test_rows_are_read_when_they_are_needed() -> None:
    """A generator of rows is read one by one, after the call has checked its arguments."""
    read: list[int] = []

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(3):
            read.append(number)
            yield {"user_id": number, "crm": number}

    made = identities_from_table(rows(), aliases={"crm": 0})
    assert read == []
    assert next(made).user_id == "0"
    assert read == [0]


def test_a_bad_row_does_not_lose_those_before_it() -> None:
    """The identities before a bad row are made."""
    made = identities_from_table(
        [*ROWS, {"user_id": "u-3", "email": "", "crm": " "}], aliases=ALIASES
    )
    assert [next(made), next(made)] == IDENTITIES
    with pytest.raises(ValueError, match="^row 3 of table: it has no alias in email or crm.$"):
        next(made)
