"""Objects that are written are read back equal."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI import Segmentation
from PermutiveAPI._Utils.json import customJSONEncoder, json_default
from tests.properties.strategies import MODELS, segmentations


def exactly(value: Any) -> str:
    """Show a value so that True differs from 1, and 1 from 1.0."""
    return repr(value)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15)
@given(data=st.data())
def test_round_trip(name: str, data: st.DataObject) -> None:
    """from_json(x.to_json()) == x for every model with values of the annotated types, also through JSON text."""
    model = data.draw(MODELS[name])
    cls = type(model)
    written = model.to_json()
    before = copy.deepcopy(written)
    again = cls.from_json(written)
    assert again == model
    assert exactly(again) == exactly(model)
    assert type(again) is cls
    assert written == before
    text = json.dumps(written, allow_nan=False)
    assert exactly(cls.from_json(text)) == exactly(model)
    assert json.dumps(written, cls=customJSONEncoder) == text
    assert json.dumps(written, default=json_default) == text


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=5)
@given(data=st.data())
def test_copies(name: str, data: st.DataObject) -> None:
    """A deep copy and a pickle equal the object."""
    model = data.draw(MODELS[name])
    assert copy.deepcopy(model) == model
    assert pickle.loads(pickle.dumps(model)) == model


@given(segmentations)
def test_segmentations(segmentation: Segmentation) -> None:
    """A segmentation is read back with its events and its user."""
    for data in (segmentation.to_json(), json.dumps(segmentation.to_json())):
        again = Segmentation.from_json(data)
        assert exactly(again.events) == exactly(segmentation.events)
        assert again.user_id == segmentation.user_id
        assert again.alias == segmentation.alias
        assert again.aliases == segmentation.aliases
