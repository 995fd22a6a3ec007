"""Any value that users put into an object becomes JSON, or is refused."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass, field
from datetime import timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Dict, List

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from PermutiveAPI import Alias, Event
from PermutiveAPI._Utils.codec.encoding import encoded
from PermutiveAPI._Utils.json import JSONSerializable, customJSONEncoder, json_default
from tests.properties.strategies import aliases, json_values, moments, numbers, texts


class Colour(enum.Enum):
    """An enumeration."""

    RED = "red"
    TWO = 2


@dataclass
class Anything(JSONSerializable[Dict[str, Any]]):
    """A user's own model."""

    value: Any
    items: List[Any] = field(default_factory=list)


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | numbers
    | texts
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9)
    | st.uuids()
    | moments
    | st.dates()
    | st.timedeltas()
    | st.binary(max_size=4)
    | st.sampled_from(Colour)
    | st.integers(-(2**31), 2**31).map(numpy.int64)
    | numbers.map(numpy.float64)
    | st.booleans().map(numpy.bool_)
    | aliases
)
hashable = st.integers() | texts | st.uuids() | st.sampled_from(Colour) | st.none() | st.booleans()
nested: "st.SearchStrategy[Any]" = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple)
    | st.sets(hashable, max_size=3)
    | st.dictionaries(hashable, inner, max_size=3)
    | st.builds(SimpleNamespace, a=inner, _b=inner)
    | st.builds(Anything, inner, st.lists(inner, max_size=2)),
    max_leaves=10,
)


def is_json(value: Any) -> bool:
    """Tell whether a value consists only of JSON's types."""
    if type(value) is dict:
        keys = all(type(key) in (str, int, float, bool, type(None)) for key in value)
        return keys and all(map(is_json, value.values()))
    if type(value) is list:
        return all(map(is_json, value))
    return type(value) in (str, int, float, bool, type(None))


@given(nested)
def test_any_value_becomes_json(value: Any) -> None:
    """Any nested value is encoded to data that json can write."""
    written = encoded(value)
    assert is_json(written)
    json.dumps(written, allow_nan=False)
    json.dumps(value, cls=customJSONEncoder)


@given(json_values)
def test_json_inside_dictionaries_stays(value: Any) -> None:
    """JSON data inside a dictionary is written unchanged, including None and True."""
    written = encoded({"v": value})["v"]
    assert repr(written) == repr(value)
    event = Event("e", "now", {"v": value})
    assert repr(event.to_json()["properties"]["v"]) == repr(value)
    assert json.dumps({"v": value}, cls=customJSONEncoder) == json.dumps({"v": value})
    assert json.dumps(json_default({"v": value})) == json.dumps({"v": value})


@given(
    nested, st.sampled_from([math.nan, math.inf, -math.inf, Decimal("NaN"), numpy.float64("nan")])
)
def test_one_bad_number_anywhere(value: Any, bad: Any) -> None:
    """A number that JSON cannot hold is refused anywhere, and the error names its place."""
    for holder, place in (
        ({"a": [value, bad]}, "a["),
        ([{"b": bad}, value], "[0].b"),
        (Anything(value if value is not None else 0, [bad]), "items[0]"),
    ):
        with pytest.raises(ValueError) as caught:
            encoded(holder)
        assert str(caught.value).startswith(place)


@given(st.dictionaries(texts, nested, max_size=4))
def test_writing_shares_no_container(value: Dict[str, Any]) -> None:
    """The encoded data share no dictionary and no list with the value."""
    mine = set(containers(value))
    assert not mine & set(containers(encoded(value)))


def containers(value: Any) -> List[int]:
    """Return the identities of all dictionaries and lists in a value."""
    if isinstance(value, dict):
        return [id(value)] + [each for item in value.values() for each in containers(item)]
    if isinstance(value, (list, tuple)):
        own = [id(value)] if isinstance(value, list) else []
        return own + [each for item in value for each in containers(item)]
    if isinstance(value, (SimpleNamespace, Anything, Alias)):
        return containers(vars(value))[1:]
    return []


@given(moments)
def test_moments(moment: Any) -> None:
    """A time is written in ISO 8601 with its own offset."""
    assert encoded(moment) == moment.isoformat()
    assert encoded(moment.astimezone(timezone.utc)).endswith("+00:00")
