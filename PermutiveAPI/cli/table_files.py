"""The tables that commands read: CSV files, CSV on stdin, and sheets of Excel."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import click

from .stdin import open_stdin

if TYPE_CHECKING:
    import pandas

table_argument = click.argument(
    "table", metavar="TABLE", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)


@contextmanager
def opened_table(path: str) -> Generator[str | pandas.DataFrame, None, None]:
    """Give the library's plans a table: a CSV file, a sheet (.xlsx), or CSV on stdin if the path is "-"."""
    if path.lower().endswith(".xlsx"):
        yield _read_sheet(path)
    elif path == "-":
        with TemporaryDirectory(prefix="permutive-") as folder:
            copy = Path(folder, "stdin.csv")
            with copy.open("wb") as file, open_stdin() as stdin:
                shutil.copyfileobj(stdin, file)
            yield str(copy)
    else:
        yield path


def _read_sheet(path: str) -> pandas.DataFrame:
    """Read the first sheet, with every cell as a text, so that the code 007 stays one."""
    import pandas

    try:
        # Its stubs have no columns of unknown type.
        return cast("Any", pandas).read_excel(
            path, dtype=str, keep_default_na=False, na_values=[""], engine="openpyxl"
        )
    except ImportError as error:
        raise click.UsageError(
            "A sheet of Excel needs the package openpyxl: pip install openpyxl. Or save it as CSV."
        ) from error
    except Exception as error:  # The packages below raise errors of many kinds for a broken file.
        raise click.BadParameter(
            f"{path} cannot be read as a sheet of Excel: {error}", param_hint="TABLE"
        ) from error
