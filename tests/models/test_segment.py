"""Segments: a code that may be left out, and the fields that are sent."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from typing import Any, Callable, Dict

import pytest

from PermutiveAPI import Segment, SegmentList
from tests.support.fake_service import FakeService, answer
from tests.support.rows import for_each


def test_code_may_be_left_out() -> None:
    """A segment can be made without a code."""
    query = {"type": "users", "filter": {"country": "US"}}
    segment = Segment(import_id="i", name="n", query=query)
    assert (segment.code, segment.name, segment.import_id) == (None, "n", "i")
    assert segment.query == query


@for_each(
    ("arguments", "text"),
    [
        ({}, "Segment() missing required argument: 'name' and 'import_id'"),
        ({"code": "c"}, "Segment() missing required argument: 'name' and 'import_id'"),
        ({"name": "n"}, "Segment() missing required argument: 'import_id'"),
        ({"import_id": "i"}, "Segment() missing required argument: 'name'"),
        ({"code": "c", "import_id": "i"}, "Segment() missing required argument: 'name'"),
    ],
)
def test_required_fields(arguments: Dict[str, Any], text: str) -> None:
    """name and import_id are required: a TypeError names what is missing."""
    with pytest.raises(TypeError) as caught:
        Segment(**arguments)
    assert str(caught.value) == text
    with pytest.raises(TypeError) as caught:
        Segment.from_json(arguments)
    assert str(caught.value) == text


def test_missing_import_id_by_position() -> None:
    """Arguments by position may not leave import_id out."""
    unchecked: Any = Segment
    with pytest.raises(TypeError, match="'import_id'"):
        unchecked("c", "n")


def test_placeholder_of_required_fields() -> None:
    """The signature shows that name and import_id are required."""
    import inspect

    parameters = inspect.signature(Segment).parameters
    assert repr(parameters["name"].default) == "<required>"
    assert repr(parameters["import_id"].default) == "<required>"


FACTS: Dict[str, Any] = {"id": "s", "code": "c", "name": "n", "import_id": "i"}


def _with_price(price: Any) -> Segment:
    segment = Segment(**FACTS)
    segment.cpm = price
    return segment


# Where a segment's price comes from, and what is sent.
PRICES: Dict[str, Any] = {
    "left out": (lambda: Segment(**FACTS), {}),
    "absent in JSON": (lambda: Segment.from_json(FACTS), {}),
    "0.0 in JSON": (lambda: Segment.from_json({**FACTS, "cpm": 0.0}), {}),
    "replaced": (lambda: replace(Segment(**FACTS), name="n"), {}),
    "copied": (lambda: copy.deepcopy(Segment(**FACTS)), {}),
    "pickled": (lambda: pickle.loads(pickle.dumps(Segment(**FACTS))), {}),
    "None given": (lambda: Segment(**FACTS, cpm=None), {}),
    "0.0 given": (lambda: Segment(**FACTS, cpm=0.0), {"cpm": 0.0}),
    "0 given": (lambda: Segment(**FACTS, cpm=0), {"cpm": 0}),
    "0.0 set": (lambda: _with_price(0.0), {"cpm": 0.0}),
    "2.0 given": (lambda: Segment(**FACTS, cpm=2.0), {"cpm": 2.0}),
    "2.0 in JSON": (lambda: Segment.from_json({**FACTS, "cpm": 2.0}), {"cpm": 2.0}),
}


@for_each(("make", "price"), PRICES)
def test_a_given_price_is_sent(
    server: FakeService, make: Callable[[], Segment], price: Dict[str, Any]
) -> None:
    """update and bulk send a price that was given or set, even 0.0, but never the default."""
    server.default = answer(200, {**FACTS, "items": []})
    make().update("key")
    make().update_by_code("key")
    Segment.bulk("i", creates=[make()], api_key="key")
    Segment.bulk("i", updates=[make()], api_key="key")
    single, by_code, created, updated = [seen.json for seen in server.received[-4:]]
    assert single == by_code == {"name": "n", **price}
    assert updated["operations"][0]["data"] == {"name": "n", **price}
    assert created["operations"][0]["data"] == {"name": "n", "code": "c", **price}


@for_each("told", [{}, {"cpm": None}, {"cpm": 0.0}, {"cpm": 2.5}])
def test_a_price_of_the_service_is_sent(server: FakeService, told: Dict[str, Any]) -> None:
    """For a fetched segment, update sends the service's price, even 0.0, but no default."""
    server.default = answer(200, {**FACTS, **told})
    Segment.get_by_id("i", "s", "key").update("key")
    price = {name: value for name, value in told.items() if value is not None}
    assert server.received[-1].json == {"name": "n", **price}


def test_the_default_price_is_a_plain_zero_to_everybody_else() -> None:
    """The default price is shown, compared and written as 0.0, and a column of it has floats."""
    segment = Segment(**FACTS)
    assert (segment.cpm, repr(segment.cpm), str(segment.cpm)) == (0.0, "0.0", "0.0")
    assert type(segment.to_json()["cpm"]) is float
    assert segment == Segment(
        **FACTS, created_at=segment.created_at, updated_at=segment.updated_at, cpm=0.0
    )
    assert SegmentList([segment]).to_pd_dataframe()["cpm"].dtype == "float64"


def test_an_update_by_code_tells_the_id(server: FakeService) -> None:
    """A segment without an id gets its id by update_by_code."""
    server.default = answer(200, FACTS)
    segment = Segment("c", "n", "i")
    segment.update_by_code("key")
    assert segment.id == "s"
