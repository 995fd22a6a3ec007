"""Lists as DataFrames."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional

import pandas

from PermutiveAPI import Cohort, CohortList, Import, ImportList, Segment, SegmentList, Source
from PermutiveAPI._Utils.json import JSONSerializable
from PermutiveAPI._Utils.resources.lists import TabularList
from PermutiveAPI.Query import in_segment
from tests.support.rows import for_each

MOMENT = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)
SOURCE = Source("s", {}, "t")
FULL: List[Any] = [
    CohortList(
        [
            Cohort("c", "1", 5, {"a": [None]}, ["t"], live_audience_size=7, created_at=MOMENT),
            Cohort("d", created_at=MOMENT),
        ]
    ),
    SegmentList([Segment("c", "n", "i", cpm=1.5, created_at=MOMENT), Segment("d", "n", "i")]),
    ImportList(
        [
            Import(
                "i", "n", "c", "r", ["x"], SOURCE, segments=SegmentList([Segment("c", "n", "i")])
            ),
            Import("j", "n", "c", "r", [], SOURCE, inheritance={"a": 1}),
        ]
    ),
]
EMPTY: List[Any] = [CohortList(), SegmentList(), ImportList()]
TIMES = {"created_at", "updated_at", "last_updated_at"}


@for_each("items", FULL + EMPTY)
def test_rows_and_columns(items: Any) -> None:
    """A table has one row per object and one column per field in declared order, also for an empty list."""
    frame = items.to_pd_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == len(items)
    assert list(frame.columns) == [each.name for each in dataclasses.fields(items._item_type)]
    assert list(frame.index) == list(range(len(items)))


@for_each("items", FULL + EMPTY)
def test_timestamps(items: Any) -> None:
    """Timestamps are timezone-aware datetimes with microseconds, also in an empty table."""
    frame = items.to_pd_dataframe()
    for name in TIMES & set(frame.columns):
        assert isinstance(frame[name].dtype, pandas.DatetimeTZDtype)
        assert str(frame[name].dtype) == "datetime64[us, UTC]"
        assert [each.to_pydatetime() for each in frame[name]] == [
            getattr(item, name) for item in items
        ]


@for_each("cohorts", [CohortList(), CohortList([Cohort("c")]), FULL[0]])
def test_whole_numbers(cohorts: Any) -> None:
    """Whole numbers are nullable integers, also if some or all are missing."""
    frame = cohorts.to_pd_dataframe()
    assert frame["live_audience_size"].dtype == "Int64"
    assert frame["code"].dtype == "Int64"


def test_missing_whole_numbers() -> None:
    """A missing number is missing, and the others stay whole."""
    frame = CohortList(
        [Cohort("c", live_audience_size=None), Cohort("d", live_audience_size=2**60 + 1)]
    ).to_pd_dataframe()
    assert frame["live_audience_size"].isna().tolist() == [True, False]
    assert frame["live_audience_size"][1] == 2**60 + 1


@for_each("codes", [["a", "b"], [1, "b"], ["a", None], [1, "b", None]])
def test_codes_that_are_texts(codes: List[Any]) -> None:
    """Codes may be texts, or both texts and numbers."""
    frame = CohortList([Cohort("c", code=code) for code in codes]).to_pd_dataframe()
    shown = [None if pandas.isna(code) else code for code in frame["code"]]
    assert shown == codes
    assert [type(code) for code in shown] == [type(code) for code in codes]


@for_each("texts", [[], ["Enabled", "Disabled"], ["Enabled", None], [None], ["Other"]])
def test_states_are_texts(texts: List[Any]) -> None:
    """The column of states, which are literals, is one of texts."""
    cohorts = [Cohort("c", state=text, segment_type=text) for text in texts]
    frame = CohortList(cohorts).to_pd_dataframe()
    pandas.testing.assert_series_equal(frame["state"], frame["segment_type"], check_names=False)


@dataclasses.dataclass
class Switch(JSONSerializable[Dict[str, Any]]):
    """A model with texts and booleans."""

    word: str
    on: bool
    perhaps: Optional[bool] = None


class Switches(TabularList[Switch]):
    """A list of them."""

    _item_type = Switch


def test_texts_and_booleans() -> None:
    """A column of texts or booleans has pandas' usual type, and a missing value is None."""
    frame = Switches([Switch("a", True), Switch("", False, True)]).to_pd_dataframe()
    assert frame["word"].dtype == pandas.Series(["a", ""]).dtype
    assert frame["word"].tolist() == ["a", ""]
    assert frame["on"].dtype == "bool"
    assert frame["on"].tolist() == [True, False]
    assert frame["perhaps"].dtype == object
    assert frame["perhaps"].tolist() == [None, True]
    assert {str(dtype) for dtype in Switches().to_pd_dataframe().dtypes} == {"object"}


def test_texts_of_a_cohort() -> None:
    """Names and descriptions are texts, not JSON, and a missing one is missing."""
    cohorts = CohortList([Cohort("c", description="[1]"), Cohort("d")])
    frame = cohorts.to_pd_dataframe()
    assert frame["name"].tolist() == ["c", "d"]
    assert frame["description"][0] == "[1]"
    assert frame["description"].isna().tolist() == [False, True]


def test_true_is_no_number() -> None:
    """True in a column of whole numbers stays True, and does not become 1."""
    cohorts = CohortList([Cohort("c", live_audience_size=True), Cohort("d")])
    frame = cohorts.to_pd_dataframe()
    assert frame["live_audience_size"].tolist() == [True, 0]
    assert frame["live_audience_size"][0] is True


def test_prices() -> None:
    """Prices are numbers, and a missing price is a missing value."""
    frame = SegmentList(
        [Segment("c", "n", "i", cpm=2), Segment("d", "n", "i", cpm=None)]
    ).to_pd_dataframe()
    assert frame["cpm"].dtype == "float64"
    assert frame["cpm"][0] == 2.0
    assert frame["cpm"].isna().tolist() == [False, True]
    assert SegmentList().to_pd_dataframe()["cpm"].dtype == "float64"


def test_nested_values() -> None:
    """Lists and dictionaries stand in the table as they are, and nested models as JSON data."""
    frame = FULL[2].to_pd_dataframe()
    assert frame["source"][0] == {"id": "s", "state": {}, "type": "t"}
    assert frame["identifiers"].tolist() == [["x"], []]
    assert frame["segments"][0] == FULL[2][0].segments.to_json()
    assert frame["segments"][1] is None
    assert frame["inheritance"].tolist() == [None, {"a": 1}]
    cohorts = FULL[0].to_pd_dataframe()
    assert cohorts["query"].tolist() == [{"a": [None]}, None]
    assert cohorts["tags"].tolist() == [["t"], None]


@for_each("junk", ["garbage", "now", "today", "2025", 5, 1.5, {"a": 1}])
def test_unreadable_timestamps(junk: Any) -> None:
    """A timestamp that cannot be read stays unchanged, without a guess and without a warning."""
    cohorts = CohortList([Cohort("c", created_at=junk), Cohort("d", created_at=MOMENT)])
    frame = cohorts.to_pd_dataframe()
    assert frame["created_at"].tolist() == [junk, MOMENT]
    assert len(frame) == 2


@for_each("junk", ["garbage", 5, {"a": 1}])
def test_nothing_but_unreadable_timestamps(junk: Any) -> None:
    """A column of only unreadable timestamps stays unchanged, too."""
    frame = CohortList([Cohort("c", created_at=junk)]).to_pd_dataframe()
    assert frame["created_at"].tolist() == [junk]


def test_timestamps_that_are_texts_or_have_no_zone() -> None:
    """A text that can be read, and a time without a zone, count as UTC; other zones are converted."""
    ahead = MOMENT.astimezone(timezone(timedelta(hours=2)))
    given: List[Any] = ["2025-07-01T12:00:00Z", MOMENT.replace(tzinfo=None), ahead, MOMENT]
    frame = CohortList([Cohort("c", created_at=each) for each in given]).to_pd_dataframe()
    assert isinstance(frame["created_at"].dtype, pandas.DatetimeTZDtype)
    assert [each.to_pydatetime() for each in frame["created_at"]] == [MOMENT] * 4


def test_missing_timestamps() -> None:
    """A timestamp that was set to None is a missing value in the table."""
    cohort = Cohort("c")
    cohort.created_at = None
    frame = CohortList([cohort]).to_pd_dataframe()
    assert frame["created_at"].isna().tolist() == [True]
    assert isinstance(frame["created_at"].dtype, pandas.DatetimeTZDtype)


def test_numbers_too_large_for_a_column() -> None:
    """A number that is too large for a nullable integer stays unchanged."""
    frame = CohortList([Cohort("c", live_audience_size=2**70)]).to_pd_dataframe()
    assert frame["live_audience_size"].tolist() == [2**70]


@for_each("wrong", ["free", {"a": 1}])
def test_prices_of_a_wrong_kind(wrong: Any) -> None:
    """A price that is not a number stays unchanged."""
    frame = SegmentList([Segment("c", "n", "i", cpm=wrong)]).to_pd_dataframe()
    assert frame["cpm"].tolist() == [wrong]


def test_example_of_the_readme() -> None:
    """The table of the README's two cohorts has their ids and names."""
    cohorts = CohortList(
        [
            Cohort(name="C1", id="1", code="c1", tags=["t1"]),
            Cohort(name="C2", id="2", description="second cohort"),
        ]
    )
    frame = cohorts.to_pd_dataframe()
    found: List[Dict[Any, Any]] = frame[["id", "name"]].to_dict("records")
    assert found == [{"id": "1", "name": "C1"}, {"id": "2", "name": "C2"}]


def test_nested_values_are_shared_with_the_models() -> None:
    """Lists, dictionaries and queries in a table are the models' own: a change in a cell changes the model."""
    typed = in_segment(1)
    cohorts = CohortList([Cohort("c", query={"a": [1]}, tags=["t"]), Cohort("d", query=typed)])
    frame = cohorts.to_pd_dataframe()
    frame["query"][0]["a"].append(2)
    frame["tags"][0].append("u")
    assert cohorts[0].query == {"a": [1, 2]}
    assert cohorts[0].tags == ["t", "u"]
    assert frame["query"][1] is typed
    imports = ImportList([Import("i", "n", "c", "r", ["x"], SOURCE, inheritance={"a": 1})])
    table = imports.to_pd_dataframe()
    assert table["identifiers"][0] is imports[0].identifiers
    assert table["inheritance"][0] is imports[0].inheritance


@dataclasses.dataclass
class OwnedCohort(Cohort):
    """A user's subclass of Cohort, with one more field."""

    owner: str = ""


@for_each("flat", [False, True])
def test_fields_of_a_subclass(flat: bool) -> None:
    """A list of a user's subclass has its further fields as columns; a mixed list has only the common ones."""
    owned = OwnedCohort("c", owner="ada")
    frame = CohortList([owned]).to_pd_dataframe(flat=flat)
    assert list(frame.columns)[-2:] == ["error", "owner"]
    assert frame["owner"].tolist() == ["ada"]
    assert "owner" not in CohortList([owned, Cohort("d")]).to_pd_dataframe(flat=flat)


def test_half_a_character() -> None:
    """A text with half of a character, which JSON can hold, is shown as it is."""
    frame = CohortList([Cohort("cut \ud83d"), Cohort("d")]).to_pd_dataframe()
    assert frame["name"].tolist() == ["cut \ud83d", "d"]
