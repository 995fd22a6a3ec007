"""The texts of errors that callers match. Nothing is sent before such an error."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest

from PermutiveAPI import Cohort, Import, Segment, Workspace
from tests.support.calls import KEY
from tests.support.fake_service import FakeService
from tests.support.rows import for_each


def _cohort(**fields: Any) -> Cohort:
    return Cohort("c", **fields)


def _segment(**fields: Any) -> Segment:
    return Segment("c", "n", "i", **fields)


UPDATE_COHORT = "Cohort ID must be specified for update."
DELETE_COHORT = "Cohort ID must be specified for deletion."
UPDATE_SEGMENT = "Segment ID must be specified for update."
DELETE_SEGMENT = "Segment ID must be specified for deletion."
REFUSALS: List[Any] = [
    (lambda: _cohort().create(KEY), "query must be specified"),
    (lambda: _cohort(query={}).create(KEY), "query must be specified"),
    (lambda: _cohort().update(KEY), UPDATE_COHORT),
    (lambda: _cohort(id="").update(KEY), UPDATE_COHORT),
    (lambda: _cohort().delete(KEY), DELETE_COHORT),
    (lambda: _cohort(id="").delete(KEY), DELETE_COHORT),
    (lambda: _segment().update(KEY), UPDATE_SEGMENT),
    (lambda: _segment(id="").update(KEY), UPDATE_SEGMENT),
    (lambda: _segment().delete(KEY), DELETE_SEGMENT),
    (lambda: _segment(id="").delete(KEY), DELETE_SEGMENT),
    # The first item is complete: a batch checks every item before it sends one.
    (lambda: Cohort.batch_update([_cohort(id="1"), _cohort()], api_key=KEY), UPDATE_COHORT),
    (lambda: Cohort.batch_update([_cohort(id="1"), _cohort(id="")], api_key=KEY), UPDATE_COHORT),
    (lambda: Cohort.batch_delete([_cohort(id="1"), _cohort()], api_key=KEY), DELETE_COHORT),
    (lambda: Cohort.batch_delete([_cohort(id="1"), _cohort(id="")], api_key=KEY), DELETE_COHORT),
    (lambda: Segment.batch_update([_segment(id="1"), _segment()], api_key=KEY), UPDATE_SEGMENT),
    (lambda: Segment.batch_delete([_segment(id="1"), _segment()], api_key=KEY), DELETE_SEGMENT),
    (
        lambda: Segment.batch_delete([_segment(id="1"), _segment(id="")], api_key=KEY),
        DELETE_SEGMENT,
    ),
]


@for_each(("call", "text"), REFUSALS)
def test_refusals(server: FakeService, call: Callable[[], Any], text: str) -> None:
    """A missing query or id is a ValueError with the documented text, before anything is sent."""
    with pytest.raises(ValueError) as caught:
        call()
    assert (str(caught.value), server.received) == (text, [])


IDENTIFIERS: List[Any] = [
    (lambda bad: Cohort.get_by_id(bad, KEY), "id"),
    (lambda bad: Segment.get_by_id(bad, "s", KEY), "import_id"),
    (lambda bad: Segment.get_by_id("i", bad, KEY), "segment_id"),
    (lambda bad: Segment.get_by_code(bad, "c", KEY), "import_id"),
    (lambda bad: Segment.get_by_code("i", bad, KEY), "segment_code"),
    (lambda bad: Segment.list(bad, KEY), "import_id"),
    (lambda bad: Segment("c", "n", bad).create(KEY), "import_id"),
    (lambda bad: Segment("c", "n", bad, "1").update(KEY), "import_id"),
    (lambda bad: Segment("c", "n", bad, "1").delete(KEY), "import_id"),
    (lambda bad: Segment.batch_create([Segment("c", "n", bad)], api_key=KEY), "import_id"),
    (lambda bad: Import.get_by_id(bad, KEY), "id"),
    (lambda bad: Import.batch_get_by_id(["1", bad], api_key=KEY), "id"),
    (lambda bad: Workspace("n", "o", "w", KEY).segments(bad), "import_id"),
]
EMPTY = "must not be empty"
DOTS = "must be an identifier, got"


@for_each(("call", "name"), IDENTIFIERS)
def test_invalid_identifiers(server: FakeService, call: Callable[[Any], Any], name: str) -> None:
    """None, an empty identifier, and dots, which URLs drop, are a ValueError that names the argument."""
    for bad, says in ((None, EMPTY), ("", EMPTY), (" ", EMPTY), (".", DOTS), ("..", DOTS)):
        with pytest.raises(ValueError, match=rf"^{name} {says}"):
            call(bad)
    assert server.received == []
