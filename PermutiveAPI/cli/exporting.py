"""Write cohorts and segments into sheets from which ``plan`` makes an empty plan."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import click

from PermutiveAPI import CohortList, SegmentList
from PermutiveAPI._Utils.resources.display import first_lines

from .files import in_a_folder, replacing, written_file_option
from .output import Row, cell_of, field_names, rows_of, say, write_csv, write_rows

_LONGEST_CELL_OF_EXCEL = 32_767
# A carriage return is among them: in a workbook, it would become a line feed.
_NOT_IN_EXCEL = re.compile(r"[\x00-\x08\x0b-\x1f]")


def _checked_output(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Find out what is wrong with the path before anything is fetched."""
    if path is None:
        return None
    if path.suffix.lower() not in (".csv", ".xlsx"):
        raise click.BadParameter(f"{str(path)!r} does not end in .csv or .xlsx.")
    if path.suffix.lower() == ".xlsx" and find_spec("openpyxl") is None:
        raise click.BadParameter(
            "an .xlsx file needs the package 'openpyxl', which is not installed. Install it (pip install "
            "openpyxl), or write a .csv file."
        )
    return in_a_folder(context, parameter, path)


output_option = written_file_option(
    "--output",
    callback=_checked_output,
    help="The file, .csv or .xlsx. It is replaced only when all is written. Default: CSV on stdout.",
)


def export_models(models: CohortList | SegmentList, model: type, output: Path | None) -> None:
    """Write models into a file, or as CSV on stdout."""
    columns = field_names(model)
    rows = rows_of(models, columns)
    if output is None:
        write_rows(rows, columns, "csv")
        return
    if output.suffix.lower() == ".xlsx":
        _refuse_cells(rows, columns)
        with replacing(output) as path:
            path.write_bytes(_workbook(models.to_pd_dataframe(flat=True)))
    else:
        with replacing(output) as path, path.open("w", encoding="utf-8", newline="") as file:
            write_csv(rows, columns, file)
    say(f"{len(models):,} rows are in {output}.")


def _refuse_cells(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Raise ValueError if a cell would not come back from a workbook as it is."""
    bad = [
        f"row {number}, {name}"
        for number, row in enumerate(rows, 1)
        for name in columns
        if not _fits(cell_of(row.get(name)))
    ]
    if bad:
        reason = (
            f"A cell of an .xlsx file holds at most {_LONGEST_CELL_OF_EXCEL:,} characters, and no control "
            "characters. Write a .csv file. These cells do not fit:"
        )
        raise ValueError("\n".join([reason, *first_lines(bad)]))


def _fits(text: str) -> bool:
    return len(text) <= _LONGEST_CELL_OF_EXCEL and not _NOT_IN_EXCEL.search(text)


def _workbook(frame: Any) -> bytes:
    """Return the bytes of a workbook. It is made in memory: on a full disk, its unfinished file could not be closed."""
    import pandas

    file = BytesIO()
    with pandas.ExcelWriter(file, engine="openpyxl") as writer:
        frame.to_excel(writer, index=False)
        sheet: Any = writer.book.active
        for row in sheet:
            for cell in row:
                # A text such as "=1+1" or "#N/A" is not a formula or an error.
                if cell.data_type in ("f", "e"):
                    cell.data_type = "s"
    return file.getvalue()
