"""Cohorts as objects: copies, and repr()."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import numpy
import pandas
import pytest

from PermutiveAPI import Cohort, Segment
from PermutiveAPI.Query import event
from tests.support.calls import COHORT, KEY
from tests.support.fake_service import FakeService, answer


def test_a_copy_is_created_beside_the_original(server: FakeService) -> None:
    """A copy of a fetched cohort has its definition, none of the service's fields, and shares nothing with it."""
    query = {"in_segment": 1}
    server.script = [answer(200, {**COHORT, "query": query, "live_audience_size": 9})]
    server.default = answer(201, {**COHORT, "id": "c-2", "code": 2})
    original = Cohort.get_by_id("c-1", KEY)
    before = original.to_json()
    copy = original.copy(name="Copy")
    assert copy.to_json() == {
        "name": "Copy",
        "query": query,
        "tags": ["a", "b"],
        "description": "Who reads",
        "segment_type": "real_time",
        "live_audience_size": 0,
        "created_at": None,
        "last_updated_at": None,
    }
    assert copy.tags is not None
    copy.tags.append("c")
    copy.query["in_segment"] = 2
    copy.create(KEY)
    sent = server.received[-1]
    assert (sent.method, sent.json["name"], sent.json["tags"]) == ("POST", "Copy", ["a", "b", "c"])
    assert "id" not in sent.json
    assert (copy.id, copy.code, original.to_json()) == ("c-2", 2, before)


def test_a_copy_takes_changes_of_any_field() -> None:
    """A copy takes a change of any field, also of the service's; another name is a TypeError."""
    time = datetime(2020, 1, 1, tzinfo=timezone.utc)
    copy = Cohort("n", id="1").copy(id="2", created_at=time)
    assert (copy.id, copy.created_at, copy.last_updated_at) == ("2", time, None)
    with pytest.raises(TypeError, match="nmae"):
        Cohort("n").copy(nmae="m")


def test_a_copy_keeps_a_typed_query() -> None:
    """The copy has the same typed query."""
    query = event("Pageview")
    assert Cohort("n", query=query).copy().query == query


def test_repr() -> None:
    """repr() leaves out fields that are not set, and shows timestamps in a readable form."""
    cohort = Cohort("n", id="1", tags=["a"])
    cohort.created_at = None
    cohort.last_updated_at = datetime(2020, 1, 1, 8, tzinfo=timezone.utc)
    assert repr(cohort) == (
        "Cohort(name='n', id='1', tags=['a'], last_updated_at=2020-01-01 08:00:00+00:00)"
    )
    cohort = Cohort("n", query=event("Pageview")).copy()
    assert repr(cohort) == f"Cohort(name='n', query={event('Pageview')!r})"
    segment = Segment("c", "n", "i")
    segment.created_at = segment.updated_at = None
    assert repr(segment) == "Segment(code='c', name='n', import_id='i')"


def test_repr_of_what_cannot_be_compared() -> None:
    """repr() shows cells of a table that have no truth value: an array as tags, an empty cell as a price."""
    tags: Any = numpy.array(["a", "b"])
    price: Any = pandas.NA
    assert "tags=array(['a', 'b']" in repr(Cohort("n", tags=tags))
    assert "cpm=<NA>" in repr(Segment("c", "n", "i", cpm=price))
