"""Segments: a code that may be left out, and what is sent of them."""

from __future__ import annotations

import pickle
from typing import Any, Dict

import pytest

from PermutiveAPI import Segment
from PermutiveAPI.Audience.Segment import _API_PAYLOAD


def test_positions_keep_their_meaning() -> None:
    """Segment("c", "n", "i") means code, name, import_id."""
    segment = Segment("c", "n", "i")
    assert (segment.code, segment.name, segment.import_id) == ("c", "n", "i")


def test_code_may_be_left_out() -> None:
    """A segment can be made from import_id, name and query alone."""
    query = {"type": "users", "filter": {"country": "US"}}
    segment = Segment(import_id="i", name="n", query=query)
    assert (segment.code, segment.name, segment.import_id) == (None, "n", "i")
    assert segment.query == query


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "Segment() missing required argument: 'name' and 'import_id'"),
        ({"code": "c"}, "Segment() missing required argument: 'name' and 'import_id'"),
        ({"name": "n"}, "Segment() missing required argument: 'import_id'"),
        ({"import_id": "i"}, "Segment() missing required argument: 'name'"),
        (
            {"code": "c", "import_id": "i"},
            "Segment() missing required argument: 'name'",
        ),
    ],
    ids=repr,
)
def test_required_fields(arguments: Dict[str, Any], text: str) -> None:
    """name and import_id stay required: TypeError naming what is missing."""
    with pytest.raises(TypeError) as caught:
        Segment(**arguments)
    assert str(caught.value) == text
    with pytest.raises(TypeError) as caught:
        Segment.from_json(arguments)
    assert str(caught.value) == text


def test_positions_that_end_too_early() -> None:
    """A code alone by position misses the other two."""
    with pytest.raises(TypeError, match="'import_id'"):
        Segment("c", "n")


def test_payload() -> None:
    """The payload names what create sends."""
    assert sorted(_API_PAYLOAD) == sorted(
        ["name", "code", "description", "cpm", "categories", "query"]
    )


def test_placeholder_of_required_fields() -> None:
    """The signature shows that name and import_id are required."""
    import inspect

    parameters = inspect.signature(Segment).parameters
    assert repr(parameters["name"].default) == "<required>"
    assert repr(parameters["import_id"].default) == "<required>"


@pytest.mark.parametrize(
    ("answered", "after", "sent"),
    [
        ({}, 0.0, False),
        ({"cpm": None}, 0.0, False),
        ({"cpm": 1.5}, 0.0, True),
        ({"cpm": 0.0}, 0.0, True),
        ({}, 2.0, True),
        ({"cpm": 1.5}, 2.0, True),
    ],
)
def test_price_of_zero(answered: Any, after: float, sent: bool) -> None:
    """A price of 0.0 is sent by update only where the service has told one."""
    facts = {"id": "id", "code": "c", "name": "n", "import_id": "i"}
    segment = Segment._from_answer({**facts, **answered})
    segment.cpm = after
    assert ("cpm" in segment._change().data) is sent  # type: ignore[operator]


def test_pickling_keeps_everything() -> None:
    """A segment survives pickling, with what it knows of its price."""
    segment = Segment._from_answer(
        {"id": "id", "code": "c", "name": "n", "import_id": "i", "cpm": 2.0}
    )
    again = pickle.loads(pickle.dumps(segment))
    assert again == segment
    again.cpm = 0.0
    assert again._change().data["cpm"] == 0.0
