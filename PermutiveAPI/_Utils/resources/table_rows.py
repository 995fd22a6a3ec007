"""Read rows from every kind of table: DataFrames, pyarrow tables, CSV files, iterables of dictionaries.

No package is imported for them: the kind of a table is found by its methods.
"""

from __future__ import annotations

import csv
from collections.abc import (
    Callable,
    Collection,
    Container,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import closing
from os import PathLike
from os.path import getsize, isfile
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Union, cast

from ..arguments import length_of
from .cells import shortened
from .display import first_lines
from .phrases import Phrase

Row = dict[str, Any]

BAD_TABLE = Phrase("table has {count} (row 1 is line 2 of a sheet):")
READ_WITH_SEPARATOR = Phrase("Pass pandas.read_csv(path, sep={separator!r}, dtype='string')")
OR_READ_WITH_PANDAS = Phrase(
    ", or pass pandas.read_excel(path, dtype='string') or pandas.read_csv(path, encoding=..., dtype='string')"
)

_CHARACTERS_PER_ROW = 100  # About, in a CSV file.


class _ToDict(Protocol):
    """A pandas DataFrame, or an object that behaves like one."""

    @property
    def to_dict(self) -> Any: ...


class _ToDicts(Protocol):
    """A polars DataFrame."""

    @property
    def to_dicts(self) -> Any: ...


class _ToPylist(Protocol):
    """A pyarrow Table or RecordBatch."""

    @property
    def to_pylist(self) -> Any: ...


Table = Union[str, PathLike[str], Iterable[Mapping[Any, Any]], _ToDict, _ToDicts, _ToPylist]


class TableReading(NamedTuple):
    """A table whose cells are not converted yet.

    Attributes
    ----------
    columns : list of str or None
        The names of the columns. None if each row has its own.
    rows : iterator of dict
        The rows. Those of a CSV file and of an iterable are read one by one.
    length : int
        About how many rows there are; 0 if it is not known.
    """

    columns: list[str] | None
    rows: Iterator[Row]
    length: int = 0


def read_table(table: Any) -> TableReading:
    """Check a table, and prepare to read its rows; see ``tables.rows_of``."""
    if isinstance(table, (str, PathLike)):
        return _read_csv(Path(cast("str | PathLike[str]", table)))
    for method, columns, records in _FRAMES:
        if hasattr(table, method) and hasattr(table, columns):
            names = [*_levels_of(table), *_names_of(getattr(table, columns))]
            rows = _named(names, records(table))
            return TableReading([*filter(None, names)], rows, len(table))
    if not isinstance(table, Iterable) or isinstance(table, (bytes, Mapping)):
        raise TypeError(
            "table must be a DataFrame, a pyarrow Table, the path of a CSV file, or an iterable of "
            f"dictionaries, got {type(cast('object', table)).__name__}."
        )
    rows = cast("Iterable[Any]", table)
    return TableReading(None, _rows_of_mappings(rows), length_of(rows) or 0)


def require_columns(
    names: Iterable[str], columns: Collection[str], arguments: Container[str] = ()
) -> None:
    """Raise ValueError if a column is missing. `arguments` are columns that an argument can replace."""
    for name in names:
        if name not in columns:
            remedy = f"; pass {name}=" if name in arguments else ""
            found = f", only {', '.join(columns)}" if columns else ""
            raise ValueError(f"table has no column {name!r}{found}{remedy}.")


def refuse_bad(kind: Literal["cell", "row"], problems: Sequence[str]) -> None:
    """Raise ValueError if a table has bad cells or rows. The error lists the first 20."""
    if problems:
        count = f"1 bad {kind}" if len(problems) == 1 else f"{len(problems):,} bad {kind}s"
        head = BAD_TABLE(count=count)
        raise ValueError("\n".join([head, *first_lines(problems)]))


def _levels_of(table: Any) -> dict[str, Any]:
    """Return what pandas' index has beside the columns: its levels that have names, as in pyarrow."""
    index: Any = getattr(table, "index", None)
    names: list[Any] = [*getattr(index, "names", ())]
    if names == [None] * len(names):
        return {}
    nameless = index.set_names([None] * len(names))  # A name may be a number, like a position.
    own = {str(name).strip() for name in table.columns}
    levels: dict[str, Any] = {}
    for position, name in enumerate(names):
        if name is not None and str(name).strip() not in own:
            levels.setdefault(str(name).strip(), nameless.get_level_values(position))
    return levels


def _records_of_pandas(table: Any) -> Iterable[Iterable[Any]]:
    columns = (column for _, column in table.items())
    return zip(*map(_cells_of_pandas, (*_levels_of(table).values(), *columns)), strict=True)


def _cells_of_pandas(column: Any) -> list[Any]:
    """Return the cells of a column. Times become Python's: pandas' own are ten times as slow."""
    read_times = getattr(getattr(column, "array", None), "to_pydatetime", None)
    return (column if read_times is None else read_times()).tolist()


# For each kind of table: a method that only it has, its attribute with the columns, and a function that
# returns the cells of its rows.
_FRAMES: Sequence[tuple[str, str, Callable[[Any], Iterable[Iterable[Any]]]]] = (
    ("to_dicts", "columns", lambda table: (row.values() for row in table.to_dicts())),  # polars
    ("to_pylist", "column_names", lambda table: (row.values() for row in table.to_pylist())),
    ("to_dict", "columns", _records_of_pandas),
)


def _names_of(columns: Iterable[Any]) -> list[str]:
    """Return the names of columns as stripped texts; raise ValueError if two are the same."""
    names = [str(name).strip() for name in columns]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ValueError(f"table has several columns with the name {name!r}.")
    return names


def _named(names: list[str], records: Iterable[Iterable[Any]]) -> Iterator[Row]:
    for cells in records:
        row = dict(zip(names, cells, strict=True))
        row.pop("", None)
        yield row


def _rows_of_mappings(rows: Iterable[Any]) -> Iterator[Row]:
    columns: list[Any] = []
    names: list[str] = []
    for number, row in enumerate(rows, start=1):
        if not hasattr(row, "keys"):
            kind = type(row).__name__
            raise TypeError(f"row {number} of table must be a dictionary, got {kind}.")
        record = dict(row)
        if [*record] != columns:  # Most rows have the columns of the row before.
            columns = [*record]
            if None in record:  # csv.DictReader puts extra cells there.
                raise ValueError(f"row {number} of table has more cells than the header.")
            names = _names_of(columns)
        yield from _named(names, [record.values()])


# --- CSV files ---------------------------------------------------------------------------------------


def _read_csv(path: Path) -> TableReading:
    if not isfile(path):
        raise ValueError(f"table: there is no file {shortened(str(path))}.")
    with closing(_csv_lines(path)) as lines:
        _, header = next(lines, (0, list[str]()))
    if not header:
        raise ValueError(f"table: the file {str(path)!r} is empty.")
    for separator in (";", "\t"):
        if len(header) == 1 and separator in header[0]:
            raise ValueError(
                f"table: the columns of {str(path)!r} are separated by {separator!r} instead of commas. "
                f"{READ_WITH_SEPARATOR(separator=separator)}."
            )
    columns = _names_of(name for name in header if name.strip())
    names = [name.strip() for name in header]
    rows = _named(names, _csv_records(path, len(names)))
    return TableReading(columns, rows, getsize(path) // _CHARACTERS_PER_ROW)


def _csv_records(path: Path, width: int) -> Iterator[list[str]]:
    """Yield the rows without the empty ones at the end, which Excel writes where cells were cleared."""
    waiting: list[list[str]] = []
    with closing(_csv_lines(path)) as lines:
        next(lines)
        for line, cells in lines:
            missing = width - len(cells)
            if missing < 0:
                raise ValueError(
                    f"table: line {line} of {str(path)!r} has {len(cells)} cells, but the header has {width}."
                )
            waiting.append(cells + [""] * missing)
            if any(cells):
                yield from waiting
                waiting.clear()


def _csv_lines(path: Path) -> Generator[tuple[int, list[str]], None, None]:
    """Yield the lines that are not empty, each with its number."""
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for cells in reader:
                line = reader.line_num
                if cells:
                    yield line, cells
        return
    except UnicodeDecodeError:
        problem = "it is not a CSV file in UTF-8. Save it as one" + OR_READ_WITH_PANDAS()
    except csv.Error as error:
        problem = f"after line {line}: {error}"
    raise ValueError(f"table: {str(path)!r}: {problem}.")
