"""Cells of tables: what is empty, what fits a field, and what does not."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy
import pandas
import pytest

from PermutiveAPI import Cohort, Segment
from PermutiveAPI._Utils.resources.cells import plain, reader_of, refusing_empty
from PermutiveAPI._Utils.resources.tables import typed_rows
from PermutiveAPI.Query import Query, in_segment
from tests.support.rows import for_each

UTC_NOON = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)
AHEAD = UTC_NOON.astimezone(timezone(timedelta(hours=2)))
QUERY = in_segment(7)
EMPTY: dict[str, Any] = {
    "None": None,
    "text": "",
    "nan": math.nan,
    "NumPy's nan": numpy.float32("nan"),
    "decimal nan": Decimal("nan"),
    "NaT": pandas.NaT,
    "NumPy's NaT": numpy.datetime64("NaT"),
    "NA": pandas.NA,
}


@for_each("cell", EMPTY)
def test_empty_cells(cell: Any) -> None:
    """Every kind of empty cell is None, in every field."""
    assert plain(cell) is None
    for annotation in (str, int, float, datetime, list[str], "int | str", Any, dict[str, Any]):
        assert reader_of(annotation)(cell) is None


@for_each(
    ("cell", "value"),
    [
        (numpy.int64(5), 5),
        (numpy.float64(1.5), 1.5),
        (numpy.longdouble(1.5), 1.5),
        (numpy.bool_(True), True),
        (numpy.str_("a"), "a"),
        (numpy.array(["a", "b"]), ["a", "b"]),
        (" a ", " a "),
        (0, 0),
        (False, False),
        ([], []),
    ],
)
def test_plain_cells(cell: Any, value: Any) -> None:
    """NumPy's values become Python's, and everything else stays as it is."""
    assert type(plain(cell)) is type(value)
    assert plain(cell) == value


STRANGE: dict[str, Any] = {
    "inf": math.inf,
    "NumPy's -inf": numpy.float32("-inf"),
    "Decimal inf": Decimal("inf"),
    "Decimal sNaN": Decimal("sNaN"),
    "too large": Decimal("1e400"),
}


@for_each("cell", STRANGE)
@for_each("field", ["name", "code", "live_audience_size", "created_at", "tags", "query"])
def test_numbers_that_are_not_finite(field: str, cell: Any) -> None:
    """They are bad cells in every field, also in a list."""
    cells = [cell, [cell], ["a", cell]] if field == "tags" else [cell]
    for each in cells:
        with pytest.raises(
            ValueError, match=f"^table has 1 bad cell .*:\nrow 1, {field}: must be "
        ):
            typed_rows([{field: each}], Cohort)
    with pytest.raises(ValueError, match="row 1, cpm: must be a number"):
        typed_rows([{"cpm": cell}], Segment)


def test_nan_in_a_list() -> None:
    """An item of a list may not be empty: NaN does not become the text "nan"."""
    for nan in (math.nan, numpy.float64("nan"), Decimal("nan")):
        with pytest.raises(ValueError, match="row 1, tags: must be a list of texts"):
            typed_rows([{"tags": ["a", nan]}], Cohort)


def test_only_numbers_are_compared() -> None:
    """A cell of another kind is not compared with itself, which may take long, or fail."""

    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise AssertionError

    for cell in (QUERY, Incomparable()):
        assert plain(cell) is cell


# A field, a cell, and the value that is read from it.
READ: list[tuple[str, Any, Any]] = [
    ("name", "007 ", "007 "),
    ("name", 12345.0, "12345"),
    ("name", 12345, "12345"),
    ("name", 1.5, "1.5"),
    ("name", Decimal("12345.0"), "12345"),
    ("name", Decimal(2**60), str(2**60)),
    ("name", numpy.int64(5), "5"),
    ("name", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ("name", "1.0", "1.0"),
    ("code", 12345, 12345),
    ("code", 12345.0, 12345),
    ("code", " 12345 ", 12345),
    ("code", "12345.0", 12345),
    ("code", "-5", -5),
    ("code", "007", "007"),
    ("code", "12345.5", "12345.5"),
    ("code", "x-5 ", "x-5 "),
    ("live_audience_size", "0", 0),
    ("live_audience_size", 10.0, 10),
    ("live_audience_size", 2**70, 2**70),
    ("live_audience_size", Decimal(10), 10),
    ("cpm", "1.5", 1.5),
    ("cpm", " 1e2 ", 100.0),
    ("cpm", 2, 2.0),
    ("cpm", Decimal("0.1"), 0.1),
    ("created_at", "2025-07-01T12:00:00Z", UTC_NOON),
    ("created_at", "2025-07-01 14:00:00+02:00", UTC_NOON),
    ("created_at", "2025-07-01 12:00", UTC_NOON),
    ("created_at", UTC_NOON.replace(tzinfo=None), UTC_NOON),
    ("created_at", AHEAD, UTC_NOON),
    ("created_at", pandas.Timestamp("2025-07-01T12:00:00.000000001"), UTC_NOON),
    ("created_at", pandas.Timestamp("2025-07-01T14:00+02:00"), UTC_NOON),
    ("created_at", date(2025, 7, 1), UTC_NOON.replace(hour=0)),
    ("tags", ["a", "b, c", ""], ["a", "b, c", ""]),
    ("tags", ("a",), ["a"]),
    ("tags", numpy.array(["a", "b"]), ["a", "b"]),
    ("tags", "a, b,c ,, d,", ["a", "b", "c", "d"]),
    ("tags", ' ["a, b", "", 5] ', ["a, b", "", "5"]),
    ("tags", "[]", []),
    ("tags", "[new] a, b", ["[new] a", "b"]),
    ("tags", "a, b [old]", ["a", "b [old]"]),
    ("tags", 2025.0, ["2025"]),
    ("query", {"in_segment": 1}, {"in_segment": 1}),
    ("query", ' {"in_segment": 1} ', {"in_segment": 1}),
    ("query", "{}", {}),
]


@for_each(("field", "cell", "value"), READ)
def test_cells_that_fit(field: str, cell: Any, value: Any) -> None:
    """A cell becomes a value of its field's type."""
    model = Segment if field == "cpm" else Cohort
    [row] = typed_rows([{field: cell}], model)
    assert row == {field: value}
    assert type(row[field]) is type(value)
    if isinstance(value, datetime):
        assert row[field].tzinfo is not None


@for_each("field", ["code", "live_audience_size", "created_at", "tags", "query"])
def test_blank_texts_are_empty_cells(field: str) -> None:
    """A blank text stays a text in a field of texts. In other fields it is an empty cell."""
    row: dict[str, Any] = {field: "  ", "description": "  "}
    assert typed_rows([row], Cohort) == [{field: None, "description": "  "}]


def test_code_of_a_segment_is_a_text() -> None:
    """The code of a segment is always a text, because its field has this type."""
    codes = [12345, 12345.0, "12345", "007"]
    rows = typed_rows([{"code": code} for code in codes], Segment)
    assert [row["code"] for row in rows] == ["12345", "12345", "12345", "007"]


def test_queries() -> None:
    """A query stays a query where the field takes one, and becomes its JSON where it does not."""
    [of_cohort] = typed_rows([{"query": QUERY}], Cohort)
    [of_segment] = typed_rows([{"query": QUERY}], Segment)
    assert isinstance(of_cohort["query"], Query)
    assert of_segment["query"] == {"in_segment": 7}
    assert type(of_segment["query"]) is dict


def test_cells_are_not_changed() -> None:
    """Lists of the table are copied, not shared."""
    tags = ["a"]
    [row] = typed_rows([{"tags": tags}], Cohort)
    row["tags"].append("b")
    assert tags == ["a"]


LISTS = """a list of texts, such as "a, b" or '["a", "b"]'"""
TIMES = "a time such as 2025-07-01T12:30:00Z"
EXACT = "a text, because a decimal number cannot hold all its digits"
# A field, a cell that is bad there, and what is expected.
BAD: list[tuple[str, Any, str]] = [
    ("name", True, "a text"),
    ("name", ["a"], "a text"),
    ("name", {}, "a text"),
    ("name", b"a", "a text"),
    ("name", 1j, "a text"),
    ("name", datetime(2025, 1, 1), "a text"),
    ("name", float(2**53), EXACT),
    ("code", float(2**53), EXACT),
    ("code", 1.5, "a whole number or a text"),
    ("code", False, "a whole number or a text"),
    ("live_audience_size", True, "a whole number"),
    ("live_audience_size", 1.5, "a whole number"),
    ("live_audience_size", math.inf, "a whole number"),
    ("live_audience_size", "1,000", "a whole number"),
    ("live_audience_size", "007", "a whole number"),
    ("cpm", True, "a number"),
    ("cpm", "1,5", "a number"),
    ("cpm", "1_000", "a number"),
    ("cpm", "nan", "a number"),
    ("cpm", "inf", "a number"),
    ("cpm", -math.inf, "a number"),
    ("cpm", 10**400, "a number"),
    ("cpm", [1.5], "a number"),
    ("cpm", "x" * 78, "a number"),  # The longest text that is shown whole.
    ("cpm", "x" * 79, "a number"),
    ("created_at", "yesterday", TIMES),
    ("created_at", "2025-13-01", TIMES),
    ("created_at", 45000.5, TIMES),
    ("tags", True, LISTS),
    ("tags", {"a": 1}, LISTS),
    ("tags", ["a", None], LISTS),
    ("tags", [True], LISTS),
    ("tags", "['a', 'b']", LISTS),
    ("tags", "[NaN]", LISTS),
    ("tags", " , ", LISTS),
    ("query", "in_segment", "an object or its JSON text"),
    ("query", "[1]", "an object or its JSON text"),
    ("query", '{"a": NaN}', "an object or its JSON text"),
    ("query", '{"a":' * 100_000, "an object or its JSON text"),
    ("query", 5, "an object or its JSON text"),
]


@for_each(("field", "cell", "expected"), BAD)
def test_cells_that_do_not_fit(field: str, cell: Any, expected: str) -> None:
    """A bad cell is an error that says where it is, what is expected there, and what is there."""
    model = Segment if field == "cpm" else Cohort
    with pytest.raises(ValueError) as caught:
        typed_rows([{field: cell}], model)
    shown = repr(cell) if len(repr(cell)) <= 80 else repr(cell)[:77] + "..."
    head = "table has 1 bad cell (row 1 is line 2 of a sheet):"
    assert str(caught.value) == f"{head}\nrow 1, {field}: must be {expected}, got {shown}"


@for_each("cell", [None, "", "  ", math.nan])
def test_required_cells(cell: Any) -> None:
    """A required cell is neither empty nor blank."""
    with pytest.raises(ValueError, match="^must not be empty$"):
        refusing_empty(reader_of(str))(cell)
