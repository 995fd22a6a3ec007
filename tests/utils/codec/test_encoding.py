"""Python values to JSON data: the ordered table, and fields that are left out."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, Dict, List, Optional
from uuid import UUID

import numpy
import pandas
import polars
import pyarrow
import pytest

from PermutiveAPI import Alias, Cohort, CohortList, Event, Segmentation, Source
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.codec.encoding import SelfEncoding, encoded, encoded_object, to_payload
from PermutiveAPI._Utils.json import JSONSerializable, json_default
from PermutiveAPI._Utils.json import to_payload as to_payload_of_json
from tests.support.rows import for_each


class Colour(enum.Enum):
    """An enumeration of texts."""

    RED = "red"


class Level(enum.IntEnum):
    """An enumeration whose members are numbers."""

    LOW = 1


class Word(str, enum.Enum):
    """An enumeration whose members are texts."""

    A = "a"


class Thing:
    """An object with attributes."""

    def __init__(self) -> None:
        self.shown = 1
        self.nested = Alias("a", "t", 1)
        self._hidden = 2


class Slotted:
    """An object without a __dict__."""

    __slots__ = ()

    def __str__(self) -> str:
        return "slotted"


class Address:
    """An object that shows its value as a text only, as a URL of pydantic or a time of arrow does."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __str__(self) -> str:
        return self._address


class MappingModel(Dict[str, Any], JSONSerializable[Dict[str, Any]]):
    """A dictionary with the mixin."""


class ListModel(List[Any], JSONSerializable[List[Any]]):
    """A list with the mixin."""


@dataclass
class PlainDataclass:
    """A dataclass without the mixin."""

    name: str
    nothing: Optional[str] = None


Point = namedtuple("Point", "x y")
MOMENT = datetime(2025, 7, 1, 12, 30, 15, 123456, tzinfo=timezone.utc)

VALUES = [
    (None, None),
    ("text", "text"),
    (True, True),
    (False, False),
    (1, 1),
    (-(10**30), -(10**30)),
    (1.5, 1.5),
    (Colour.RED, "red"),
    (Level.LOW, 1),
    (Word.A, "a"),
    (Decimal("1.25"), 1.25),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (MOMENT, "2025-07-01T12:30:15.123456+00:00"),
    (datetime(2025, 7, 1), "2025-07-01T00:00:00"),
    (date(2025, 7, 1), {"year": 2025, "month": 7, "day": 1}),
    ({"b", "a"}, ["a", "b"]),
    (frozenset((1,)), [1]),
    ((1, "a"), [1, "a"]),
    (Point(1, 2), [1, 2]),
    ([1, [2, {"a": (3,)}]], [1, [2, {"a": [3]}]]),
    ({"a": {"b": None}}, {"a": {"b": None}}),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (Thing(), {"shown": 1, "nested": {"id": "a", "tag": "t", "priority": 1}}),
    (SimpleNamespace(a=None, _b=1), {"a": None}),
    (PlainDataclass("n"), {"name": "n"}),
    (Alias("a", "t", 1), {"id": "a", "tag": "t", "priority": 1}),
    (MappingModel(a=Alias("a", "t", 1)), {"a": {"id": "a", "tag": "t", "priority": 1}}),
    (ListModel([Decimal("1")]), [1.0]),
    (Slotted(), "slotted"),
    (Address("https://a.test/"), "https://a.test/"),
    (SimpleNamespace(_b=1), {}),
    (Exception("no attributes, but a text"), {}),
    (timedelta(seconds=1), "0:00:01"),
    (PurePosixPath("/a/b"), "/a/b"),
    (deque([1]), "deque([1])"),
    (b"raw", "b'raw'"),
    (1 + 2j, "(1+2j)"),
    (int, "<class 'int'>"),
    (Alias, str(Alias)),
]


@for_each(("value", "expected"), VALUES)
def test_table(value: Any, expected: Any) -> None:
    """Each kind of value has its JSON form, alone and inside a dictionary."""
    found = JSONSerializable.serialize_value(value)
    assert found == expected
    assert type(found) is type(expected)
    assert encoded({"v": value}) == {"v": expected}
    json.dumps(found, allow_nan=False)


FOREIGN = [
    (numpy.bool_(True), True),
    (numpy.int8(3), 3),
    (numpy.int64(3), 3),
    (numpy.uint64(2**63), 2**63),
    (numpy.float32(1.5), 1.5),
    (numpy.float64(1.5), 1.5),
    (numpy.longdouble("1.5"), 1.5),
    (numpy.str_("a"), "a"),
    (numpy.array(3), 3),
    (numpy.array([1, 2]), [1, 2]),
    (numpy.array([[1.5], [2.5]]), [[1.5], [2.5]]),
    (pandas.Timestamp("2025-07-01T12:00", tz="UTC"), "2025-07-01T12:00:00+00:00"),
    (pandas.Series([1, 2]), [1, 2]),
    (pandas.Index(["a"]), ["a"]),
    (pandas.Timedelta("1s"), "0 days 00:00:01"),
    (pandas.Period("2025-07"), "2025-07"),
    (pandas.array([1, 2], dtype="Int64")[0], 1),
    (polars.Series(["a"]), ["a"]),
    (pyarrow.array([1, 2]), [1, 2]),
    (pyarrow.chunked_array([["a"], ["b"]]), ["a", "b"]),
    (pyarrow.scalar(3), 3),
]


@for_each(("value", "expected"), FOREIGN)
def test_values_of_tables(value: Any, expected: Any) -> None:
    """Scalars of NumPy, pandas and pyarrow become Python's own, arrays and columns become lists."""
    found = encoded(value)
    assert found == expected
    assert type(found) is type(expected)
    assert encoded({"a": [value]}) == {"a": [expected]}


REFUSED = [
    float("nan"),
    float("inf"),
    float("-inf"),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("1e999"),
    numpy.float64("nan"),
    numpy.float32("inf"),
    numpy.longdouble("nan"),
    numpy.datetime64("NaT", "s"),
    pandas.NaT,
    pandas.NA,
]


@for_each("value", REFUSED)
@for_each(
    ("build", "place"),
    [
        (lambda value: {"a": [1, {"b": value}]}, "a[1].b"),
        (lambda value: [0, value], "[1]"),
        (lambda value: {"a": (value,)}, "a[0]"),
        (lambda value: {1: value}, "1"),
        (lambda value: Source("s", {"deep": value}, "t"), "state.deep"),
        (lambda value: CohortList([Cohort("c", query={"x": value})]), "[0].query.x"),
        (
            lambda value: Segmentation([Event("e", "now", {"p": value})], "u"),
            "events[0].properties.p",
        ),
        (lambda value: SimpleNamespace(a=SimpleNamespace(b=value)), "a.b"),
        (lambda value: numpy.array([1, value], dtype=object), "[1]"),
    ],
)
def test_what_json_cannot_hold(value: Any, build: Any, place: str) -> None:
    """NaN, infinities and NaT are a ValueError that names their place."""
    with pytest.raises(ValueError) as caught:
        encoded(build(value))
    assert str(caught.value).startswith(f"{place}: ")


@for_each("value", REFUSED)
def test_what_json_cannot_hold_alone(value: Any) -> None:
    """NaN, infinities and NaT alone are a ValueError, too, also for json.dumps with json_default."""
    with pytest.raises(ValueError):
        encoded(value)
    with pytest.raises(ValueError):
        json.dumps({"a": value}, default=json_default, allow_nan=False)


@for_each(
    ("value", "place"),
    [
        ({Colour.RED: float("nan")}, "red"),
        ({"a": {2: [None, OrderedDict(b=float("nan"))]}}, "a.2[1].b"),
        (MappingProxyType({"a": MappingModel(b=[float("nan")])}), "a.b[0]"),
        ({"a": {float("nan"): 1}}, "a.nan"),
    ],
)
def test_places_below_other_keys_and_mappings(value: Any, place: str) -> None:
    """The error writes the place as in code, for any kind of key and mapping."""
    with pytest.raises(ValueError) as caught:
        encoded(value)
    assert str(caught.value).startswith(f"{place}")


def test_subclasses_of_classes_that_stand_in_the_table_by_name() -> None:
    """A subclass of Decimal or UUID is written like these."""

    class Price(Decimal):
        pass

    class Key(UUID):
        pass

    assert encoded([Price("1.25"), Key(int=1)]) == [1.25, str(UUID(int=1))]
    with pytest.raises(ValueError):
        encoded(Price("NaN"))


def test_importing_the_package_imports_nothing_that_only_some_values_need() -> None:
    """Neither decimal nor uuid is imported before a value of theirs is written."""
    script = (
        "import sys, requests\n"
        "before = set(sys.modules)\n"
        "import PermutiveAPI\n"
        "assert not {'decimal', 'uuid'} & (set(sys.modules) - before)\n"
        "from decimal import Decimal\n"
        "assert PermutiveAPI.Alias(Decimal('1.5'), 't', 1).to_json()['id'] == 1.5\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_sets_are_written_in_one_order() -> None:
    """The same set gives the same JSON; a set that cannot be sorted is written, too."""
    assert encoded({3, 1, 2}) == [1, 2, 3]
    assert sorted(encoded({"a", 1}), key=str) == [1, "a"]
    assert encoded({None, "a"}) == ["a"]


@for_each(
    ("key", "text"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (Colour.RED, "red"),
        (Level.LOW, "1"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ((1, 2), "(1, 2)"),
        (date(2025, 7, 1), "2025-07-01"),
    ],
)
def test_keys(key: Any, text: str) -> None:
    """Keys that are not texts become keys that json can write."""
    assert json.loads(json.dumps(encoded({key: 0}))) == {text: 0}


def test_lists_drop_none() -> None:
    """Lists drop None items; inside dictionaries, users' None items are kept."""
    assert encoded([1, None, (None, 2)]) == [1, [2]]
    assert encoded({"a": [None, {"b": None}]}) == {"a": [None, {"b": None}]}
    tags: List[Any] = ["a", None]
    cohort = Cohort("c", query={"in": [None, 1], "x": None}, tags=tags)
    written = cohort.to_json()
    assert written["query"] == {"in": [None, 1], "x": None}
    assert written["tags"] == ["a"]


def test_writing_shares_nothing() -> None:
    """Changing the JSON data does not change the object."""
    query = {"in": [1]}
    cohort = Cohort("c", query=query, tags=["a"])
    written = cohort.to_json()
    written["query"]["in"].append(2)
    written["tags"].append("b")
    assert (cohort.query, cohort.tags) == ({"in": [1]}, ["a"])


# --- Fields that are left out ----------------------------------------------------------------------


@dataclass
class Defaults(JSONSerializable[Dict[str, Any]]):
    """A model with fields of every kind of default."""

    required: Any
    none: Any = None
    number: Any = 0
    empty_list: Any = field(default_factory=list)
    empty_dict: Any = field(default_factory=dict)
    full_list: Any = field(default_factory=lambda: [1])
    _private: Any = 5


@for_each("name", ["required", "none", "number", "empty_list", "empty_dict", "full_list"])
@for_each("value", [None, [], {}, 0, False, "", 0.0])
def test_left_out_only_when_reading_gives_the_same(name: str, value: Any) -> None:
    """A field is left out only when it is None, [] or {} and its default is the same."""
    model = Defaults(**{"required": "r", name: value})
    written = model.to_json()
    defaults = {"none": None, "empty_list": [], "empty_dict": {}}
    same_as_default = (
        value in (None, [], {})
        and type(value) is not int
        and name in defaults
        and type(defaults[name]) is type(value)
    )
    assert (name in written) is not same_as_default
    again = Defaults.from_json(written)
    assert again == model
    assert type(getattr(again, name)) is type(value)
    assert "_private" not in written


@for_each(
    "model",
    [
        Source("s", {}, "t"),
        Source("s", {"a": None}, "t", cohorts=[], permissions={"a": [None]}, errors=[]),
        Cohort("c", tags=[], query={}),
        Cohort("c", live_audience_size=None),
        Cohort("c", live_audience_size=0),
        Event("e", "now"),
        Event("e", "now", {}),
        Event("e", "now", {"a": None, "b": [None]}),
    ],
)
def test_models_with_empty_fields_round_trip(model: Any) -> None:
    """A model with empty fields is read back as it was."""
    assert type(model).from_json(model.to_json()) == model
    assert type(model).from_json(json.dumps(model.to_json())) == model


def test_absent_ids_of_events_are_left_out() -> None:
    """An event's absent session_id and view_id are left out; present ones are written. Flags never are."""
    seg = Segmentation([Event("e", "now"), Event("e", "now", {}, "s", "v")], "u", True, True)
    assert seg.to_json() == {
        "events": [
            {"name": "e", "time": "now", "properties": {}},
            {"name": "e", "time": "now", "properties": {}, "session_id": "s", "view_id": "v"},
        ],
        "user_id": "u",
    }


# --- encoded_object, to_payload ---------------------------------------------------------------------


@for_each("value", [3, None, "text", 1.5, True, (1,), object(), Slotted()])
def test_to_json_of_what_has_no_attributes(value: Any) -> None:
    """JSONSerializable.to_json of an object without __dict__ is a TypeError."""
    with pytest.raises(TypeError, match=type(value).__name__):
        JSONSerializable.to_json(value)


@for_each(
    ("value", "expected"),
    [
        (Thing(), {"shown": 1, "nested": {"id": "a", "tag": "t", "priority": 1}}),
        (PlainDataclass("n", "x"), {"name": "n", "nothing": "x"}),
        ({"a": {1}}, {"a": [1]}),
        ([1, None], [1]),
    ],
)
def test_to_json_of_any_object(value: Any, expected: Any) -> None:
    """JSONSerializable.to_json may be called on any object that has attributes."""
    assert JSONSerializable.to_json(value) == expected
    assert encoded_object(value) == expected


def test_to_payload() -> None:
    """A payload holds the given fields as JSON data, without those that are None."""
    cohort = Cohort("c", tags=[], query={"a": None}, description=None, id="1")
    assert to_payload(cohort, ["id", "name", "query", "description", "tags"]) == {
        "name": "c",
        "id": "1",
        "query": {"a": None},
        "tags": [],
    }
    assert to_payload(cohort, ("name", "unknown")) == {"name": "c"}
    assert to_payload(cohort, []) == {}
    assert to_payload(Alias("a", "t", 1)) == {"id": "a", "tag": "t", "priority": 1}
    assert to_payload(PlainDataclass("n")) == {"name": "n"}
    assert to_payload(Defaults("r")) == {
        "required": "r",
        "number": 0,
        "empty_list": [],
        "empty_dict": {},
        "full_list": [1],
    }


def test_to_payload_of_what_is_no_dataclass() -> None:
    """An object with attributes has a payload, too, as in 5.4.4."""
    thing = SimpleNamespace(name="n", tags=None, code=Decimal("1.5"))
    assert to_payload(thing) == {"name": "n", "code": 1.5}
    assert to_payload(thing, ["name", "tags"]) == {"name": "n"}
    with pytest.raises(TypeError):
        to_payload("text")


def test_to_payload_of_a_one_shot_iterable() -> None:
    """The names may come from an iterable that can be read only once."""
    assert to_payload(Alias("a", "t", 1), iter(["tag", "id"])) == {"id": "a", "tag": "t"}


def test_kept_names() -> None:
    """json and http have the function under its kept name."""
    assert http.to_payload is to_payload_of_json is to_payload


def test_type_that_encodes_itself() -> None:
    """A type that encodes itself is written so in any place."""

    class Own(SelfEncoding):
        def __init__(self) -> None:
            self.shown = 1

    class Other(SelfEncoding):
        def to_json(self) -> Any:
            return "other"

    assert encoded([Own(), Other()]) == [{"shown": 1}, "other"]


def test_object_that_holds_itself() -> None:
    """An object that contains itself is a ValueError that names the place, not a crash."""
    loop: Dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(ValueError, match="query"):
        Cohort("c", query=loop).to_json()
