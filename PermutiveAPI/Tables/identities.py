"""Identities from a table: one user in each row, one kind of alias in each column."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Any, cast

from .._Utils.arguments import require_kind
from .._Utils.resources.cells import Reader, reader_of, refusing_empty
from .._Utils.resources.table_rows import Row, Table, read_table, require_columns
from ..Identify.Alias import Alias
from ..Identify.Identity import Identity

_read_text = reader_of(str)
_read_filled = refusing_empty(_read_text)


def identities_from_table(
    table: Table, *, aliases: Mapping[str, int], user_id: str = "user_id"
) -> Generator[Identity, None, None]:
    """Make identities from a table, one from each row, for instance for a stream.

    The rows of a CSV file or an iterable are read one by one.

    Parameters
    ----------
    table : pandas or polars DataFrame, pyarrow Table, str or Path, iterable of mappings
        The table, or the path of a CSV file in UTF-8.
    aliases : mapping of str to int
        The columns with aliases, each with its priority. The name of the column is the alias's tag. An
        empty cell gives no alias.
    user_id : str
        The column with the users' ids.

    Yields
    ------
    Identity
        The identities, in the order of the rows.

    Raises
    ------
    ValueError
        If a column is missing, or a row has no user id or no alias. Row 1 is the first one below the
        header.
    TypeError
        If an argument or a row has the wrong type.

    Examples
    --------
    >>> rows = [{"user_id": "user-1", "email": "ada@example.com", "crm": 4711}]
    >>> identities = identities_from_table(rows, aliases={"email": 1, "crm": 2})
    >>> for result in Identity.stream_identify(identities):
    ...     print(result.value.aliases)
    [Alias(id='ada@example.com', tag='email', priority=1), Alias(id='4711', tag='crm', priority=2)]
    """
    require_kind("user_id", user_id, str)
    require_kind("aliases", aliases, Mapping)
    if not aliases:
        raise ValueError("aliases must name at least one column, got none.")
    for column, priority in cast("Mapping[str, Any]", aliases).items():
        if not isinstance(priority, int) or isinstance(priority, bool):
            raise TypeError(f"aliases[{column!r}] must be a whole number, got {priority!r}.")
    reading = read_table(table)
    if reading.columns is not None:
        require_columns([user_id, *aliases], reading.columns)
    return _identities(reading.rows, user_id, dict(aliases))


def _identities(
    rows: Iterator[Row], user_id: str, priorities: Mapping[str, int]
) -> Generator[Identity, None, None]:
    for number, row in enumerate(rows, start=1):
        try:
            identity = identity_from_row(row, user_id, priorities)
        except ValueError as error:
            raise ValueError(f"row {number} of table: {error}.") from None
        yield identity


def identity_from_row(row: Row, user_id: str, priorities: Mapping[str, int]) -> Identity:
    """Make an identity from one row. The text of a ValueError says what is wrong, and not with which row."""
    return Identity(_read_cell(row, user_id, _read_filled), _aliases(row, priorities))


def _aliases(row: Row, priorities: Mapping[str, int]) -> list[Alias]:
    ids = {column: _read_cell(row, column, _read_text) for column in priorities}
    aliases = [
        Alias(id, column, priorities[column]) for column, id in ids.items() if id and id.strip()
    ]
    if not aliases:
        raise ValueError(f"it has no alias in {' or '.join(priorities)}")
    return aliases


def _read_cell(row: Row, column: str, read: Reader) -> Any:
    if column not in row:
        raise ValueError(f"it has no column {column!r}")
    try:
        return read(row[column])
    except ValueError as error:
        raise ValueError(f"{column} {error}") from None
