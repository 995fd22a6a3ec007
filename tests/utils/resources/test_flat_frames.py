"""Lists as flat tables, for files, sheets and databases."""

from __future__ import annotations

import dataclasses
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List
from uuid import UUID

import duckdb
import pandas
import polars
import pytest

from PermutiveAPI import Cohort, CohortList, Import, ImportList, Segment, SegmentList, Source
from PermutiveAPI.Query import in_segment
from tests.support.rows import for_each

MOMENT = datetime(2025, 7, 1, 12, 30, 15, 123456)  # In UTC.
AWARE = MOMENT.replace(tzinfo=timezone.utc)
AHEAD = AWARE.astimezone(timezone(timedelta(hours=2)))
SOURCE = Source("s", {"type": "active"}, "t")

MIXED = CohortList(
    [
        Cohort("c", "1", 5, {"a": [None, 1]}, ["a", "b"], "NA", created_at=AWARE),
        Cohort("d", "2", "x-5", in_segment(7), [], live_audience_size=9, created_at=AHEAD),
        Cohort("Fußball", "3", query=["q"], tags=["a, b", "c"], created_at=MOMENT),
    ]
)
BARE = CohortList([Cohort("c", live_audience_size=None)])
BARE[0].created_at = BARE[0].last_updated_at = None
# Values that the annotations forbid and the constructor accepts.
ODD: Any = CohortList(
    [
        Cohort("c", code=2**70, created_at="junk", live_audience_size=True),  # type: ignore[arg-type]
        Cohort(5, tags="t", description={"a": 1}, created_at=AHEAD),  # type: ignore[arg-type]
    ]
)
SEGMENTS = SegmentList(
    [
        Segment("007", "n", "i", cpm=1.5, categories=["x, y"], created_at=AHEAD),
        Segment("c", "n", "i", description="d", cpm=None, query={"a": {}}, created_at=AWARE),
    ]
)
IMPORTS = ImportList(
    [
        Import("i", "n", "c", "r", ["x", "y"], SOURCE, inheritance={"a": 1}, created_at=AHEAD),
        Import("j", "n", "c", "r", [], SOURCE, "d", segments=SEGMENTS, created_at=AWARE),
    ]
)
LISTS: Dict[str, Any] = {
    "mixed cohorts": MIXED,
    "a cohort without values": BARE,
    "odd cohorts": ODD,
    "segments": SEGMENTS,
    "imports": IMPORTS,
    "no cohorts": CohortList(),
    "no segments": SegmentList(),
    "no imports": ImportList(),
}
each_list = for_each("items", LISTS)


def cells_of(frame: pandas.DataFrame) -> List[List[Any]]:
    """Return the rows of a table, with None in empty cells."""
    rows = frame.itertuples(index=False)
    return [[None if pandas.isna(cell) else cell for cell in row] for row in rows]


def column(name: str, *values: Any) -> List[Any]:
    """Return the cells of cohorts that have these values in a field."""
    cohorts = CohortList([Cohort(**{"name": "c", name: value}) for value in values])
    frame = cohorts.to_pd_dataframe(flat=True)
    assert frame[name].dtype == "string"
    return [None if pandas.isna(cell) else cell for cell in frame[name]]


# --- What the cells hold ---------------------------------------------------------------------------


@each_list
def test_rows_and_columns(items: Any) -> None:
    """Each object is a row, and each field a column, in declared order."""
    frame = items.to_pd_dataframe(flat=True)
    assert len(frame) == len(items)
    assert list(frame.columns) == [each.name for each in dataclasses.fields(items._item_type)]


@for_each("items", [BARE, SEGMENTS, IMPORTS])
def test_an_empty_list_gives_the_same_types(items: Any) -> None:
    """A column without values has the type of a full one, so that the files of different days fit together."""
    full = items.to_pd_dataframe(flat=True)
    empty = type(items)().to_pd_dataframe(flat=True)
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()
    assert {str(each) for each in full.dtypes} <= {"string", "Int64", "float64", "datetime64[us]"}


def test_cells_of_cohorts() -> None:
    """Lists are joined, nested values are JSON text, and codes of two types are texts."""
    frame = MIXED.to_pd_dataframe(flat=True)
    shown = ["name", "code", "query", "tags", "description", "live_audience_size"]
    assert cells_of(frame[shown]) == [
        ["c", "5", '{"a": [null, 1]}', "a, b", "NA", 0],
        ["d", "x-5", '{"in_segment": 7}', "[]", None, 9],
        ["Fußball", None, '["q"]', '["a, b", "c"]', None, 0],
    ]
    assert frame["live_audience_size"].dtype == "Int64"


def test_cells_of_imports() -> None:
    """A source and segments are the JSON text of their JSON data."""
    frame = IMPORTS.to_pd_dataframe(flat=True)
    shown = ["identifiers", "source", "inheritance"]
    source = '{"id": "s", "state": {"type": "active"}, "type": "t"}'
    assert cells_of(frame[shown]) == [["x, y", source, '{"a": 1}'], ["[]", source, None]]
    assert SegmentList.from_json(frame["segments"][1]) == SEGMENTS


def test_whole_codes_stay_numbers() -> None:
    """Codes are numbers if all of them are numbers."""
    frame = CohortList([Cohort("c", code=5), Cohort("d")]).to_pd_dataframe(flat=True)
    assert frame["code"].dtype == "Int64"
    assert cells_of(frame[["code"]]) == [[5], [None]]


@for_each(
    ("items", "text"),
    [
        (["a", "b"], "a, b"),
        (["a"], "a"),
        (["a b", '"c"', "d]"], 'a b, "c", d]'),
        ([], "[]"),
        (["a,b"], '["a,b"]'),
        (["a", "ü,"], '["a", "ü,"]'),
        ([""], '[""]'),
        (["a", ""], '["a", ""]'),
        ([" a"], '[" a"]'),
        (["a\n"], '["a\\n"]'),
        (["[a]"], '["[a]"]'),
        ([1, 2], "[1, 2]"),
        (["a", None], '["a", null]'),
        (("a", "b"), "a, b"),
        ({"a"}, "a"),
        ("a, b", "a, b"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_lists(items: Any, text: str) -> None:
    """A list is joined, unless the text would be read back as another list."""
    assert column("tags", items) == [text]


def test_nested_texts_are_json_texts() -> None:
    """A text as a query is JSON text, too, so that every cell is read in the same way."""
    assert column("query", "q", True, [None]) == ['"q"', "true", "[null]"]


def test_other_values_in_columns_of_texts() -> None:
    """In columns of texts, other values become JSON text."""
    values: List[Any] = ["[1]", 5, True, 1.5, UUID(int=0), {"a": [1]}, [None]]
    texts = ["[1]", "5", "true", "1.5", str(UUID(int=0)), '{"a": [1]}', "[null]"]
    assert column("description", *values) == texts
    assert column("code", 1, 2**70, True) == ["1", str(2**70), "true"]


@for_each("name", ["description", "code", "query", "tags", "state"])
def test_missing_values(name: str) -> None:
    """Every value that pandas counts as missing is an empty cell."""
    cells = column(name, "x", None, math.nan, pandas.NA, pandas.NaT)
    assert cells[1:] == [None] * 4


def test_timestamps() -> None:
    """Timestamps are in UTC, without a zone; None is an empty cell."""
    times: List[Any] = [AWARE, AHEAD, MOMENT, "2025-07-01T14:30:15.123456+02:00", None]
    cohorts = CohortList([Cohort("c") for _ in times])
    for cohort, time in zip(cohorts, times, strict=True):
        cohort.created_at = time
    frame = cohorts.to_pd_dataframe(flat=True)
    assert frame["created_at"].dtype == "datetime64[us]"
    assert cells_of(frame[["created_at"]]) == [[MOMENT]] * 4 + [[None]]


def test_unreadable_timestamps() -> None:
    """If one timestamp cannot be read, the others are texts with their zone."""
    assert column("created_at", "junk", AHEAD) == ["junk", AHEAD.isoformat()]


@for_each("name", ["query", "tags", "description"])
def test_a_value_that_json_cannot_hold(name: str) -> None:
    """The error names the row, the column and the place in the value."""
    cohorts = CohortList([Cohort("c"), Cohort("d")])
    setattr(cohorts[1], name, {"a": [1, math.nan]})
    with pytest.raises(ValueError) as caught:
        cohorts.to_pd_dataframe(flat=True)
    assert str(caught.value) == (
        f"[1].{name}.a[1]: nan is not a number that JSON can hold; use None for an empty cell"
    )


def test_a_lone_surrogate(tmp_path: Path) -> None:
    """A lone surrogate, which no file can hold, becomes a question mark."""
    cohorts = CohortList([Cohort("cut \ud83d", query={"a": "\udc00"}), Cohort("whole 😀")])
    frame = cohorts.to_pd_dataframe(flat=True)
    assert cells_of(frame[["name", "query"]]) == [["cut ?", '{"a": "?"}'], ["whole 😀", None]]
    frame.to_csv(tmp_path / "cohorts.csv")


# --- Every tool reads back the same table ----------------------------------------------------------


@each_list
def test_parquet(items: Any, tmp_path: Path) -> None:
    """Parquet gives the same table back."""
    frame = items.to_pd_dataframe(flat=True)
    frame.to_parquet(tmp_path / "table.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "table.parquet"), frame)


@each_list
def test_csv(items: Any, tmp_path: Path) -> None:
    """CSV gives the same table back, if pandas is told the types."""
    frame = items.to_pd_dataframe(flat=True)
    frame.to_csv(tmp_path / "table.csv", index=False)
    back = pandas.read_csv(tmp_path / "table.csv", **untouched_texts(frame))
    pandas.testing.assert_frame_equal(back.astype(frame.dtypes.to_dict()), frame)


@each_list
def test_excel(items: Any, tmp_path: Path) -> None:
    """Excel gives the same table back; its times have milliseconds."""
    frame = items.to_pd_dataframe(flat=True)
    frame.to_excel(tmp_path / "table.xlsx", index=False)
    back = pandas.read_excel(tmp_path / "table.xlsx", **untouched_texts(frame))
    for name in frame.select_dtypes("datetime"):
        frame[name] = frame[name].dt.round("ms")
    pandas.testing.assert_frame_equal(back.astype(frame.dtypes.to_dict()), frame)


def untouched_texts(frame: pandas.DataFrame) -> Dict[str, Any]:
    """Return how pandas reads a file so that "007" and "NA" stay texts."""
    texts = frame.select_dtypes("string").columns
    return {"dtype": dict.fromkeys(texts, "string"), "keep_default_na": False, "na_values": [""]}


@each_list
def test_polars(items: Any) -> None:
    """Polars reads the table, with a type for every column."""
    frame = items.to_pd_dataframe(flat=True)
    taken = polars.from_pandas(frame)
    assert [list(row) for row in taken.rows()] == cells_of(frame)
    kinds = {polars.String, polars.Int64, polars.Float64, polars.Datetime("us")}
    assert set(taken.dtypes) <= kinds


@each_list
def test_duckdb(items: Any, tmp_path: Path) -> None:
    """DuckDB queries the table in memory, and finds the same types in its Parquet file."""
    frame = items.to_pd_dataframe(flat=True)
    found = duckdb.from_df(frame)
    assert [list(row) for row in found.fetchall()] == cells_of(frame)
    assert set(map(str, found.types)) <= {"VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMP"}
    frame.to_parquet(tmp_path / "table.parquet")
    assert duckdb.from_parquet(str(tmp_path / "table.parquet")).types == found.types
