"""from_table reads back every table that a list writes."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict

import pandas
import polars
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI import Cohort, CohortList, Segment, SegmentList
from PermutiveAPI.Query import in_segment
from tests.properties.strategies import cohorts, segments
from tests.support.rows import for_each


def as_a_table_tells(item: Any) -> Any:
    """Return the model as a table can hold it: no empty texts, whole numbers as codes of cohorts, 64 bits."""
    for each in fields(item):
        value = getattr(item, each.name)
        if value == "":
            setattr(item, each.name, None)
        elif (
            type(value) is int
        ):  # pandas 2 makes longer ones floats if a cell of the column is empty.
            setattr(item, each.name, value % 2**63)
    for name in ("name", "import_id"):
        if hasattr(item, name) and not (getattr(item, name) or "").strip():
            setattr(item, name, "filled")
    if isinstance(item, Segment):
        item.code = item.code if item.code and item.code.strip() else "code"
    elif isinstance(item.code, str) and not item.code.strip():
        item.code = None
    elif isinstance(item.code, str) and item.code.strip().lstrip("-").isdecimal():
        item.code = f"code {item.code}"
    return item


MOMENT = datetime(2025, 7, 1, 12, 30, 15, 123_000, tzinfo=timezone.utc)

LISTS: Dict[str, "st.SearchStrategy[Any]"] = {
    "cohorts": st.lists(cohorts.map(as_a_table_tells), max_size=3).map(CohortList),
    "segments": st.lists(segments.map(as_a_table_tells), max_size=3).map(SegmentList),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("flat", [False, True])
@settings(max_examples=15)
@given(data=st.data())
def test_a_table_gives_the_list_back(name: str, flat: bool, data: st.DataObject) -> None:
    """Both forms of a table give the list back; the flat one has its timestamps in UTC."""
    items = data.draw(LISTS[name])
    assert type(items).from_table(items.to_pd_dataframe(flat=flat)) == items


def through_csv(frame: pandas.DataFrame, folder: Path) -> Any:
    """Write a CSV file, and return its path."""
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def through_excel(frame: pandas.DataFrame, folder: Path) -> Any:
    """Write an Excel file, and read it with pandas."""
    frame.to_excel(folder / "table.xlsx", index=False)
    return pandas.read_excel(folder / "table.xlsx")


ROUTES: Dict[str, Callable[[pandas.DataFrame, Path], Any]] = {
    "csv": through_csv,
    "csv as text": lambda frame, folder: str(through_csv(frame, folder)),
    "csv by pandas": lambda frame, folder: pandas.read_csv(through_csv(frame, folder)),
    "excel": through_excel,
    "polars": lambda frame, folder: polars.from_pandas(frame),
    "pyarrow": lambda frame, folder: pyarrow.Table.from_pandas(frame),
    "a batch of pyarrow": lambda frame, folder: pyarrow.RecordBatch.from_pandas(frame),
    "dictionaries": lambda frame, folder: iter(frame.to_dict("records")),
}
WRITTEN: Dict[str, Any] = {
    "cohorts": CohortList(
        [
            Cohort("Läufer", "c-1", 12345, {"in_segment": 1}, ["sport", "new"], "Zeile 1\nZeile 2"),
            Cohort('"c"', code=None, query=in_segment(7), tags=[], live_audience_size=9),
            Cohort("d", state="Disabled", tags=["Berlin, Mitte", "2025"], live_audience_size=None),
        ]
    ),
    "segments": SegmentList(
        [
            Segment("1234", "n", "i", cpm=2.5, categories=["only"], updated_at=MOMENT),
            Segment("1235", "o, p", "i", "s-2", "d", None, [], created_at=MOMENT, query={"a": [1]}),
        ]
    ),
}


@for_each("route", ROUTES)
@for_each("name", list(WRITTEN))
def test_files_and_other_tables_give_the_list_back(
    name: str, route: Callable[[pandas.DataFrame, Path], Any], tmp_path: Path
) -> None:
    """A flat table that went through a file or another package gives the list back."""
    items = WRITTEN[name]
    for each in items:  # Excel keeps milliseconds.
        for timestamp in each._timestamps:
            setattr(each, timestamp, MOMENT)
    setattr(items[0], items[0]._timestamps[1], None)
    table = route(items.to_pd_dataframe(flat=True), tmp_path)
    assert type(items).from_table(table) == items
