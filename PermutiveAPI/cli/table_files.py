"""The tables that commands read: CSV files, CSV on stdin, and sheets of Excel."""

from __future__ import annotations

import csv
import shutil
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import click

from .stdin import open_binary

if TYPE_CHECKING:
    import pandas

_LONGEST_CELL = 2**31 - 1  # What a C long holds on every system.

table_argument = click.argument(
    "table", metavar="TABLE", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)


@contextmanager
def opened_table(path: str) -> Generator[str | pandas.DataFrame, None, None]:
    """Give the library's plans a table: a CSV file, a sheet (.xlsx), or CSV in a pipe; "-" is stdin."""
    with _long_cells():
        if path.lower().endswith(".xlsx"):
            yield _read_sheet(path)
        elif path != "-" and Path(path).is_file():
            yield path
        else:
            with _copied(path) as copy:
                yield copy


@contextmanager
def _copied(path: str) -> Generator[str, None, None]:
    """Copy a pipe into a file, since the library reads a table twice. Errors about the copy name the pipe."""
    with TemporaryDirectory(prefix="permutive-") as folder:
        copy = str(Path(folder, "table.csv"))
        with open(copy, "wb") as file, open_binary(path) as pipe:
            shutil.copyfileobj(pipe, file)
        with _renamed(copy, "stdin" if path == "-" else repr(path)):
            yield copy


@contextmanager
def _renamed(path: str, name: str) -> Generator[None, None, None]:
    """Let an error about a copy of a table name the table itself."""
    try:
        yield
    except ValueError as error:
        if repr(path) not in str(error):
            raise
        raise ValueError(str(error).replace(repr(path), name)) from None


@contextmanager
def _long_cells() -> Generator[None, None, None]:
    """Let CSV have cells of any length. A long query has more than the 131,072 characters that Python allows."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read_sheet(path: str) -> pandas.DataFrame:
    """Read the first sheet, with every cell as a text, so that the code 007 stays one."""
    import pandas

    try:
        with warnings.catch_warnings():
            # openpyxl warns that it would not save some things, such as drop-down lists. Nothing is saved here.
            warnings.simplefilter("ignore")
            # The stubs of pandas have no columns of unknown type.
            cells = cast("Any", pandas).read_excel(
                path, header=None, dtype=str, keep_default_na=False, engine="openpyxl"
            )
    except ImportError as error:
        raise click.UsageError(
            "A sheet of Excel needs the package openpyxl: pip install openpyxl. Or save it as CSV."
        ) from error
    except Exception as error:  # The packages below raise errors of many kinds for a broken file.
        raise click.BadParameter(
            f"{path} cannot be read as a sheet of Excel: {error}", param_hint="TABLE"
        ) from error
    return cells if cells.empty else _below_header(cells)


class _ErrorOfExcel:
    """The value of a cell whose formula has failed. It is no text and no number, so a plan that reads it refuses it."""

    # A plan also keeps columns that it does not read. JSON shows an object without attributes as its text.
    __slots__ = ()

    def __repr__(self) -> str:
        """Return what errors call it."""
        return "an error of Excel, such as #N/A"


def _below_header(cells: Any) -> Any:
    """Return the rows below the header. pandas would rename a column that has no name, or the name of another one."""
    header = cells.iloc[0].fillna("")
    header = header[header != ""]
    rows = cells.iloc[1:][header.index].set_axis(header, axis=1).astype(object)
    # pandas reads an error as NaN, and an empty cell as an empty text.
    return rows.mask(rows.isna(), _ErrorOfExcel())
