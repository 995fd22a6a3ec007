"""Plans of odd tables: what arrives at the service, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, Dict, List

import numpy
import pandas
import polars
import pyarrow
import pytest

from PermutiveAPI._Utils.resources.tables import rows_of
from tests.tables.market import Market

A = {"name": "A", "description": None, "cpm": 1.5, "categories": None}
ROWS: List[Dict[str, Any]] = [
    {"code": "m_1", "name": "A", "cpm": 1.5},
    {"code": "m_2", "name": "B", "cpm": None},
]
FRAME: Any = pandas.DataFrame(ROWS)
EXPECTED = {"m_1": A, "m_2": {**A, "name": "B", "cpm": 0.0}}

ODD: Dict[str, Any] = {
    "an index of several levels": FRAME.set_index([["x", "x"], [1, 2]]),
    "an index with duplicates": FRAME.set_index([[1, 1]]),
    "an index with a name": FRAME.set_index("code"),
    "an index of several levels with names": FRAME.set_index(["code", "name"]),
    "an index with the name of a column": FRAME.set_index("code", drop=False),
    "an index with the name of a column, and spaces": FRAME.rename_axis(" code "),
    "an index with a name twice": FRAME.set_index(["code", "code"]).rename_axis(["code", "code"]),
    "an index alone among its levels": FRAME.set_index(["code", [0, 0]]),
    "columns of categories": FRAME.set_index("code")
    .rename(columns=str)
    .pipe(lambda frame: frame.set_axis(pandas.CategoricalIndex(frame.columns), axis=1)),
    "categories": FRAME.astype("category"),
    "NaN among objects": FRAME.astype(object).where(FRAME.notna(), float("nan")),
    "NA among objects": FRAME.astype(object).where(FRAME.notna(), pandas.NA),
    "decimal numbers": [{**ROWS[0], "cpm": Decimal("1.50")}, {**ROWS[1], "cpm": Decimal("NaN")}],
    "numbers of NumPy": [{**ROWS[0], "cpm": numpy.float32(1.5)}, ROWS[1]],
    "texts": FRAME.astype({"cpm": "string"}),
    "pyarrow with a dictionary": pyarrow.Table.from_pandas(FRAME.astype({"name": "category"})),
    "polars with categories": polars.DataFrame(ROWS).with_columns(
        polars.col("name").cast(polars.Categorical)
    ),
    "names with spaces": FRAME.rename(columns={"code": " code", "cpm": "cpm "}),
    "a column without a name": FRAME.assign(**{"": [1, 2]}),
}


@pytest.mark.parametrize("table", ODD.values(), ids=list(ODD))
def test_odd_tables(market: Market, table: Any) -> None:
    """An odd table is planned like a plain one, and the plan ignores none of its columns."""
    plan = market.plan(table)
    assert (plan.ignored, market.apply(plan).counts) == ((), {"created": 2})
    assert market.mine() == EXPECTED
    assert not market.plan(table)


def test_an_index_whose_names_are_numbers() -> None:
    """A number is the name of a level, not its position."""
    frame = FRAME[["code", "name"]].set_index(["code", "name"]).rename_axis([1, 0])
    assert rows_of(frame) == [{"1": "m_1", "0": "A"}, {"1": "m_2", "0": "B"}]


def test_an_index_in_pyarrow(market: Market) -> None:
    """pyarrow keeps an index as a column. The plan says that it ignores it."""
    table = pyarrow.Table.from_pandas(FRAME.set_index([["x", "y"]]))
    assert market.plan(table).ignored == ("__index_level_0__",)


def test_a_column_of_errors_that_is_no_report(market: Market) -> None:
    """Only a report has both a status and an error. A column of errors alone is ignored."""
    assert market.plan(FRAME.assign(error="x")).ignored == ("error",)


REFUSED: Dict[str, Any] = {
    "duplicate columns": (
        pandas.DataFrame([["m_1", "A", "B"]], columns=["code", "name", "name"]),
        "table has several columns with the name 'name'.",
    ),
    "columns of several levels": (
        pandas.DataFrame(
            [["m_1", "A"]], columns=pandas.MultiIndex.from_tuples([("x", "code"), ("x", "name")])
        ),
        "table has no column 'code', only ('x', 'code'), ('x', 'name').",
    ),
    "no columns": (pandas.DataFrame(index=[1, 2]), "table has no rows."),
    "a truth value as code": (
        [{"code": True, "name": "A"}],
        "table has 1 bad cell (row 1 is line 2 of a sheet):\nrow 1, code: must be a text, got True",
    ),
}


@pytest.mark.parametrize(("table", "text"), REFUSED.values(), ids=list(REFUSED))
def test_refused_tables(market: Market, table: Any, text: str) -> None:
    """A table that cannot be read is an error that says why, before anything is sent."""
    market.sandbox.clear_requests()
    with pytest.raises(ValueError) as caught:
        market.plan(table)
    assert str(caught.value) == text
    assert market.sandbox.requests == []


LINES = "code,name,cpm\nm_1,A,1.5\nm_2,B,\n"
FILES: Dict[str, bytes] = {
    "plain": LINES.encode(),
    "a mark at the beginning": LINES.encode("utf-8-sig"),
    "lines of Windows": LINES.replace("\n", "\r\n").encode(),
    "empty lines": LINES.replace("\n", "\n\n").encode(),
    "empty rows and columns of Excel": LINES.replace("\n", ",,\n").encode() + b",,,,\n,,,,\n",
    "quoted cells": b'"code","name","cpm"\n"m_1","A","1.5"\n"m_2","B",""\n',
    "a short line": b"code,name,cpm\nm_1,A,1.5\nm_2,B\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=list(FILES))
def test_odd_files(market: Market, tmp_path: Path, content: bytes) -> None:
    """An odd CSV file is planned like a plain one."""
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    market.apply(market.plan(path))
    assert market.mine() == EXPECTED


BROKEN_FILES: Dict[str, Any] = {
    "empty": (b"", "the file .* is empty"),
    "a mark only": ("\ufeff".encode(), "the file .* is empty"),
    "a header only": (b"code,name\n", "table has no rows"),
    "semicolons": (b"code;name\nm_1;A\n", "are separated by ';' instead of commas"),
    "semicolons, as Excel says": (
        b"sep=;\ncode;name\nm_1;A\n",
        "are separated by ';' instead of commas",
    ),
    "tabs": (b"code\tname\nm_1\tA\n", r"are separated by '\\t' instead of commas"),
    "an empty row between others": (
        b"code,name\nm_1,A\n,\nm_2,B\n",
        "row 2, code: must not be empty",
    ),
    "a sheet of Excel": (b"PK\x03\x04\xff\xfe", "dtype='string'"),
    "UTF-16": ("code,name\nm_1,Ä\n".encode("utf-16"), "it is not a CSV file in UTF-8"),
}


@pytest.mark.parametrize(("content", "text"), BROKEN_FILES.values(), ids=list(BROKEN_FILES))
def test_broken_files(market: Market, tmp_path: Path, content: bytes, text: str) -> None:
    """A file that is no table says what to do, before anything is sent."""
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    market.sandbox.clear_requests()
    with pytest.raises(ValueError, match=text):
        market.plan(path)
    assert market.sandbox.requests == []


NAMES = [
    "Läufer",
    "日本語",
    "a\nb",
    "a\tb",
    "👨‍👩‍👧",
    "\u202eabc",
    "<b>&amp;</b>",
    "'; --",
    "=1+1",
    "x" * 500,
]


def test_names_of_every_kind(market: Market) -> None:
    """Names and descriptions arrive as they are. The plan of them, read back from JSON, is then empty."""
    rows = [{"code": f"m_{n}", "name": name, "description": name} for n, name in enumerate(NAMES)]
    report = market.apply(market.plan(rows))
    assert report.counts == {"created": len(NAMES)}
    assert [each["name"] for each in market.mine().values()] == NAMES
    assert [each["description"] for each in market.mine().values()] == NAMES
    assert not market.plan(rows)
    assert not market.plan(report.to_pd_dataframe())
    assert market.apply(report.inverse()).counts == {"deleted": len(NAMES)}
