"""The pause of the garbage collector; resources/test_lists.py tests which lists use it, and forks."""

from __future__ import annotations

import gc
import json
from typing import Iterator

import pytest

from PermutiveAPI import Cohort, CohortList
from PermutiveAPI._Utils.gc_pause import gc_paused, items_in


@pytest.fixture(autouse=True)
def collector_on() -> Iterator[None]:
    """Begin and end with the collector on."""
    gc.enable()
    yield
    assert gc.isenabled()


def test_off_inside_on_after() -> None:
    """The collector is off inside the block, also in a nested block, and on afterwards."""
    with gc_paused(10_001):
        assert not gc.isenabled()
        with gc_paused(10_001):
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_on_for_a_short_list() -> None:
    """The collector stays on for up to 10,000 items."""
    with gc_paused(10_000):
        assert gc.isenabled()


def test_text_is_judged_by_its_length() -> None:
    """The JSON text of 10,001 segments is long enough for a pause; that of 5,000 cohorts is not."""
    cohorts = CohortList([Cohort(f"Cohort number {number}") for number in range(3)])
    assert 0 < items_in(json.dumps(cohorts.to_json())) <= 3
    assert items_in("x" * 300 * 10_001) == items_in(b"x" * 300 * 10_001) == 10_001
