"""Tables of every kind as rows and as models."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow
import pytest

from PermutiveAPI import Cohort, CohortList, Segment, SegmentList
from PermutiveAPI._Utils.resources.table_rows import read_table
from PermutiveAPI._Utils.resources.tables import rows_of, rows_of_models, typed_rows
from tests.support.rows import for_each

ROWS = [{"name": "a", "size": 1}, {"name": None, "size": 2}]


def csv_file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write a CSV file."""
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


class NamedRow:
    """A row that is not a mapping, but has keys, such as a row of a database."""

    def keys(self) -> list[str]:
        """Return the names of its columns."""
        return ["name", "size"]

    def __getitem__(self, name: str) -> Any:
        """Return a cell."""
        return ROWS[0][name]


KINDS: dict[str, Any] = {
    "pandas": pandas.DataFrame(ROWS),
    "pandas with texts": pandas.DataFrame(ROWS).astype({"name": "string"}),
    "pandas with categories": pandas.DataFrame(ROWS).astype({"name": "category"}),
    "polars": polars.DataFrame(ROWS),
    "pyarrow": pyarrow.Table.from_pylist(ROWS),
    "batch of pyarrow": pyarrow.RecordBatch.from_pylist(ROWS),
    "dictionaries": ROWS,
    "rows of pandas": [row for _, row in pandas.DataFrame(ROWS).iterrows()],
    "tuple": tuple(ROWS),
}


@for_each("table", KINDS)
def test_every_kind_of_table(table: Any) -> None:
    """The rows of every kind of table are the same, with plain Python values."""
    rows = rows_of(table)
    assert rows == ROWS
    assert [type(row["size"]) for row in rows] == [int, int]


def test_rows_with_keys() -> None:
    """A row needs only keys and cells, such as a row of a database."""
    # It has what is read of a mapping, but is not declared as one.
    assert rows_of([NamedRow()]) == [ROWS[0]]  # type: ignore[list-item]
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    assert rows_of(connection.execute("SELECT 'a' AS name, 1 AS size")) == [ROWS[0]]
    connection.close()


def test_names_of_columns() -> None:
    """Names are stripped texts, and columns without a name are left out."""
    for table in (pandas.DataFrame([[1, 2, 3]], columns=[" a ", 5, ""]), [{" a ": 1, 5: 2, "": 3}]):
        assert rows_of(table) == [{"a": 1, "5": 2}]


def test_rows_may_have_different_columns() -> None:
    """Each dictionary has its own columns; one that is missing is missing in the row."""
    rows = [{"name": "a"}, {"tags": "x", "name": "b"}, {"name": "c"}]
    assert rows_of(rows) == rows
    assert typed_rows(rows, Cohort) == [{"name": "a"}, {"name": "b", "tags": ["x"]}, {"name": "c"}]


# --- CSV files ---------------------------------------------------------------------------------------


@for_each("encoding", ["utf-8", "utf-8-sig"])
@for_each("line_end", ["\n", "\r\n"])
def test_csv_files(tmp_path: Path, encoding: str, line_end: str) -> None:
    """A CSV file in UTF-8 is read, with and without a mark at its beginning; empty lines are not rows."""
    lines = [" name ,size,,", "Läufer,1,x,y", "", '"a, ""b"""', '"two', 'lines",2']
    path = csv_file(tmp_path, line_end.join(lines), encoding)
    expected = [
        {"name": "Läufer", "size": "1"},
        {"name": 'a, "b"', "size": None},
        {"name": f"two{line_end}lines", "size": "2"},
    ]
    assert rows_of(path) == rows_of(str(path)) == expected


def test_separators_in_names(tmp_path: Path) -> None:
    """A semicolon in one of several names does not separate columns."""
    assert rows_of(csv_file(tmp_path, "a;b,c\n1,2\n")) == [{"a;b": "1", "c": "2"}]


def test_csv_files_are_read_row_by_row(tmp_path: Path) -> None:
    """The rows before a bad line can be read, and the file is closed when the reading stops."""
    path = csv_file(tmp_path, "name\na\nb,c\n")
    rows = read_table(path).rows
    assert next(rows) == {"name": "a"}
    with pytest.raises(ValueError, match="line 3"):
        next(rows)
    rows = read_table(path).rows
    next(rows)
    del rows  # A file that stays open is a warning, and warnings are errors.


def test_iterables_are_read_row_by_row() -> None:
    """A generator is read only as far as its rows are asked for."""
    made: list[int] = []

    def rows() -> Iterator[dict[str, int]]:
        for number in range(3):
            made.append(number)
            yield {"a": number}

    reading = read_table(rows())
    assert made == []
    assert next(reading.rows) == {"a": 0}
    assert made == [0]


def test_more_cells_than_the_header(tmp_path: Path) -> None:
    """Rows of csv.DictReader with too many cells are refused, like those of a file."""
    path = csv_file(tmp_path, "name\na,b\n")
    with path.open(newline="") as file, pytest.raises(ValueError, match="more cells"):
        rows_of(csv.DictReader(file))
    with pytest.raises(ValueError, match="2 cells, but the header has 1"):
        rows_of(path)


# --- Columns of a model --------------------------------------------------------------------------------


@for_each(
    "name",
    "status size label segment created_by import workspace import_name query_text code_name game".split(),
)
def test_foreign_columns_are_left_out(name: str) -> None:
    """A column that is not a field, and does not look like one, is left out."""
    assert typed_rows([{"name": "a", name: 1}], Cohort) == [{"name": "a"}]


@for_each(
    ("column", "field"),
    [
        ("Name", "name"),
        ("tag", "tags"),
        ("Tags", "tags"),
        ("querry", "query"),
        ("nmae", "name"),
        ("Ocde", "code"),
        ("di", "id"),
        ("created_ta", "created_at"),
        ("Live audience-size", "live_audience_size"),
        ("workspaceId", "workspace_id"),
        ("live audiencesize", "live_audience_size"),
    ],
)
def test_misspelt_columns(column: str, field: str) -> None:
    """A column that looks like a field is an error that says which was meant."""
    with pytest.raises(ValueError, match=f"the column '{column}'. If '{field}' is meant"):
        typed_rows([{column: "a"}], Cohort)


def test_a_column_beside_the_field_is_not_misspelt() -> None:
    """A column that looks like a field is left out if the field has its own column."""
    assert typed_rows([{"tags": "a", "tag": "b"}], Cohort) == [{"tags": ["a"]}]


def test_columns_are_checked_without_rows(tmp_path: Path) -> None:
    """The columns of an empty DataFrame or file are checked; an empty list has none."""
    for table in (pandas.DataFrame(columns=["size"]), csv_file(tmp_path, "size\n")):
        with pytest.raises(ValueError, match="no column 'name'"):
            CohortList.from_table(table)
    assert CohortList.from_table([]) == CohortList()
    assert CohortList.from_table(CohortList().to_pd_dataframe()) == CohortList()


def test_bad_cells_are_counted() -> None:
    """The error lists the first twenty bad cells in order, and how many more there are."""
    rows: list[Any] = [{"name": "a", "tags": True, "code": 1.5} for _ in range(1000)]
    rows[0]["tags"] = "fine"
    with pytest.raises(ValueError) as caught:
        CohortList.from_table(rows)
    first, *listed, last = str(caught.value).splitlines()
    assert (first, last) == (
        "table has 1,999 bad cells (row 1 is line 2 of a sheet):",
        "and 1,979 more",
    )
    assert [line.split(":")[0] for line in listed[:3]] == [
        "row 1, code",
        "row 2, tags",
        "row 2, code",
    ]
    assert len(listed) == 20


def test_required_cells_of_ragged_rows() -> None:
    """A row that lacks a required column has an empty cell there."""
    with pytest.raises(ValueError, match="row 2, name: must not be empty"):
        CohortList.from_table([{"name": "a"}, {"tags": "b"}])


# --- Lists of models -----------------------------------------------------------------------------------


def test_lists_have_their_types() -> None:
    """from_table makes a list of its class, also for a subclass."""

    class Mine(SegmentList):
        """A user's own list."""

    assert type(CohortList.from_table(ROWS[:1])) is CohortList
    assert type(Mine.from_table([{"name": "a", "code": "b"}], "i")) is Mine


def test_import_of_segments() -> None:
    """The import is that of the argument, or else that of the column; they must not differ."""
    rows: list[dict[str, Any]] = [
        {"name": "a", "code": "a", "import_id": "i"},
        {"name": "b", "code": "b", "import_id": None},
    ]
    segments = SegmentList.from_table(rows, import_id="i")
    assert [each.import_id for each in segments] == ["i", "i"]
    assert SegmentList.from_table(rows[:1])[0].import_id == "i"
    assert SegmentList.from_table([{"name": "a", "code": 5}], "j")[0].import_id == "j"
    with pytest.raises(ValueError, match="row 2, import_id: must not be empty"):
        SegmentList.from_table(rows)


def test_timestamps() -> None:
    """An empty timestamp stays empty; without the column the constructor sets it."""
    rows: list[dict[str, Any]] = [{"name": "a", "created_at": None}, {"name": "b"}]
    empty, missing = CohortList.from_table(rows)
    assert empty.created_at is None
    assert isinstance(empty.last_updated_at, datetime)
    assert isinstance(missing.created_at, datetime)


def test_models_as_rows() -> None:
    """A model is a row of the members that somebody gave: no default price, no None."""
    segments = [Segment("a", "A", "i", cpm=0.0, description=""), Segment("b", "B", "i")]
    for each in segments:
        each.created_at = each.updated_at = None
    assert rows_of_models(segments) == [
        {"code": "a", "name": "A", "import_id": "i", "cpm": 0.0, "description": ""},
        {"code": "b", "name": "B", "import_id": "i"},
    ]
