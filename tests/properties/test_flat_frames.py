"""A flat table loses nothing: the values can be read back from its cells."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI import CohortList
from tests.properties.strategies import MODELS, lists_of, texts

LISTS = ("tags", "categories", "identifiers")
NESTED = ("query", "source", "inheritance", "segments")


def read(name: str, cell: Any) -> Any:
    """Read the cell of a field."""
    if pandas.isna(cell):
        return None
    if name in NESTED:
        return json.loads(cell)
    if name in LISTS:
        return read_list(cell)
    if name == "live_audience_size":
        return int(cell)  # It is a text if one of the numbers is too large for a column.
    return cell.tz_localize("UTC").to_pydatetime() if isinstance(cell, pandas.Timestamp) else cell


def read_list(cell: str) -> List[Any]:
    """Read a list, which is JSON text or items with commas between them."""
    return json.loads(cell) if cell.startswith("[") else [item.strip() for item in cell.split(",")]


def without_kinds_of_codes(items: Any) -> Any:
    """Return the list with codes as texts, as a column has them if one of them is a text."""
    for item in items:
        item.code = None if item.code is None else str(item.code)
    return items


@pytest.mark.parametrize("name", ["CohortList", "SegmentList", "ImportList"])
@settings(max_examples=10)
@given(data=st.data())
def test_a_flat_table_gives_the_list_back(name: str, data: st.DataObject) -> None:
    """Each cell of a flat table shows the field's value, except the zone of timestamps."""
    items = data.draw(MODELS[name])
    records: List[Dict[Any, Any]] = items.to_pd_dataframe(flat=True).to_dict("records")
    rows = [{field: read(field, cell) for field, cell in row.items()} for row in records]
    again = type(items).from_json(rows)
    assert without_kinds_of_codes(again) == without_kinds_of_codes(items)


@given(st.lists(lists_of(texts | st.sampled_from([",", "[", "]", ", ", '"', "a, b"]))))
def test_different_lists_have_different_cells(lists: List[List[str]]) -> None:
    """Two different lists of texts never have the same cell."""
    cohorts = CohortList.from_json([{"name": "c", "tags": tags} for tags in lists])
    cells = cohorts.to_pd_dataframe(flat=True)["tags"]
    assert [read_list(cell) for cell in cells] == lists
