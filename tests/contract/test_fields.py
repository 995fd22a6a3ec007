"""Fields, their order and their defaults: positions are part of the contract."""

from __future__ import annotations

import dataclasses
import inspect
from datetime import datetime
from typing import Any, Dict, List

import pytest

from PermutiveAPI import (
    Alias,
    Cohort,
    ContextSegment,
    Event,
    Identity,
    Import,
    KnownAlias,
    Segment,
    Segmentation,
    SegmentList,
    Source,
    TrackedEvent,
    Workspace,
)
from PermutiveAPI._Utils.json import JSONSerializable
from tests.support.rows import for_each

REQUIRED = object()

FIELDS: Dict[Any, Dict[str, Any]] = {
    Alias: {"id": REQUIRED, "tag": REQUIRED, "priority": REQUIRED},
    Identity: {"user_id": REQUIRED, "aliases": REQUIRED},
    Event: {
        "name": REQUIRED,
        "time": REQUIRED,
        "properties": {},
        "session_id": None,
        "view_id": None,
    },
    Segmentation: {
        "events": REQUIRED,
        "user_id": None,
        "activations": False,
        "synchronous_validation": False,
        "alias": None,
        "aliases": None,
    },
    KnownAlias: {"id": REQUIRED, "tag": REQUIRED, "permutive_id": REQUIRED},
    TrackedEvent: {
        "name": REQUIRED,
        "user_id": None,
        "properties": {},
        "aliases": None,
        "session_id": None,
        "view_id": None,
        "segments": None,
        "cohorts": None,
    },
    ContextSegment: {"url": REQUIRED, "page_properties": {}},
    Cohort: {
        "name": REQUIRED,
        "id": None,
        "code": None,
        "query": None,
        "tags": None,
        "description": None,
        "subject_entity_level": None,
        "state": None,
        "segment_type": None,
        "live_audience_size": 0,
        "created_at": datetime,
        "last_updated_at": datetime,
        "workspace_id": None,
        "request_id": None,
        "error": None,
    },
    Segment: {
        "code": REQUIRED,
        "name": REQUIRED,
        "import_id": REQUIRED,
        "id": None,
        "description": None,
        "cpm": 0.0,
        "categories": None,
        "created_at": datetime,
        "updated_at": datetime,
        "query": None,
    },
    Source: {
        "id": REQUIRED,
        "state": REQUIRED,
        "type": REQUIRED,
        "schema_id": None,
        "cohorts": None,
        "bucket": None,
        "permissions": None,
        "phase": None,
        "errors": None,
        "advertiser_name": None,
        "organization_id": None,
        "version": None,
    },
    Import: {
        "id": REQUIRED,
        "name": REQUIRED,
        "code": REQUIRED,
        "relation": REQUIRED,
        "identifiers": REQUIRED,
        "source": REQUIRED,
        "description": None,
        "inheritance": None,
        "segments": None,
        "created_at": datetime,
        "updated_at": datetime,
    },
    Workspace: {
        "name": REQUIRED,
        "organisation_id": REQUIRED,
        "workspace_id": REQUIRED,
        "api_key": REQUIRED,
    },
}


@for_each("model", list(FIELDS))
def test_order(model: Any) -> None:
    """The fields have the documented order, which is the order of the arguments."""
    assert issubclass(model, JSONSerializable)
    assert dataclasses.is_dataclass(model)
    names = [each.name for each in dataclasses.fields(model)]
    assert names == list(FIELDS[model])
    parameters = inspect.signature(model).parameters.values()
    assert [each.name for each in parameters] == names
    assert {each.kind for each in parameters} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}


@for_each("model", list(FIELDS))
def test_positions(model: Any) -> None:
    """All arguments may be given by position or by name."""
    values = [f"value {number}" for number in range(len(FIELDS[model]))]
    by_position = model(*values)
    assert [getattr(by_position, name) for name in FIELDS[model]] == values
    assert model(**dict(zip(FIELDS[model], values, strict=True))) == by_position


@for_each("model", list(FIELDS))
def test_defaults(model: Any) -> None:
    """A field that is left out has the documented default, a new one for each object."""
    required = {name: name for name, default in FIELDS[model].items() if default is REQUIRED}
    one, other = model(**required), model(**required)
    for name, default in FIELDS[model].items():
        value = getattr(one, name)
        if default is datetime:
            assert isinstance(value, datetime) and value.utcoffset() is not None
        elif default is not REQUIRED:
            assert value == default and isinstance(value, type(default))
            assert value is not getattr(other, name) or not isinstance(value, dict)


@for_each("model", [each for each in FIELDS if each is not Segment])
def test_required_fields(model: Any) -> None:
    """A missing required field is a TypeError that names it."""
    required = [name for name, default in FIELDS[model].items() if default is REQUIRED]
    for missing in required:
        given = {name: name for name in required if name != missing}
        with pytest.raises(TypeError, match=f"'{missing}'"):
            model(**given)


@for_each("model", list(FIELDS))
def test_unknown_arguments(model: Any) -> None:
    """An unknown argument is a TypeError that names it."""
    required = {name: name for name, default in FIELDS[model].items() if default is REQUIRED}
    with pytest.raises(TypeError, match="unheard_of"):
        model(**required, unheard_of=1)


def test_equality_is_by_fields() -> None:
    """Two objects with the same fields are equal, even if one has cached something."""
    pairs: List[Any] = [
        (Alias("a", "t", 1), Alias("a", "t", 1)),
        (Workspace("n", "o", "w", "k"), Workspace("n", "o", "w", "k")),
        (Segment("c", "n", "i", created_at=MOMENT), Segment("c", "n", "i", created_at=MOMENT)),
    ]
    for one, other in pairs:
        assert one == other
        assert one != object()
    used = Workspace("n", "o", "w", "k")
    used._segments["i"] = SegmentList()
    assert used == Workspace("n", "o", "w", "k")


MOMENT = datetime.fromisoformat("2025-07-01T12:00:00+00:00")
