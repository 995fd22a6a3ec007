"""A small soak. Its command runs 200,000 requests."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict

import pytest

from tests.soak.__main__ import Soak, soak

GOOD = Soak(
    count=4,
    kills=1,
    told=[("c-0", "success"), ("u-1", "failure"), ("c-2", "unknown")],
    carried_out={"c-0": 2, "c-2": 1, "u-3": 3},
    journal_lines=2,
    megabytes_at_first=50.0,
    megabytes_at_last=51.0,
)
BAD: Dict[str, Dict[str, Any]] = {
    "twice": {"told": [*GOOD.told, ("c-0", "success")]},
    "nobody sent": {"told": [*GOOD.told, ("c-4", "success")]},
    "lost": {"carried_out": {"c-0": 1, "c-2": 1}},
    "never carried out": {"carried_out": {"c-2": 1, "u-3": 1}},
    "journal": {"journal_lines": 3},
    "made twice": {"carried_out": {"c-0": 3, "c-2": 1, "u-3": 1}},
    "memory": {"megabytes_at_last": 70.0},
    "nothing failed": {"told": [("c-0", "success"), ("u-1", "success")]},
}


def test_a_good_end_is_no_complaint() -> None:
    """A request whose job was killed between its journal line and its result is not lost."""
    assert GOOD.complaints() == []


@pytest.mark.parametrize("complaint", BAD)
def test_every_difference_is_a_complaint(complaint: str) -> None:
    """Each check of the soak reports its own difference."""
    complaints = replace(GOOD, **BAD[complaint]).complaints()
    assert any(complaint in each for each in complaints)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="The job reads its memory from /proc."
)
@pytest.mark.parametrize(("processes", "kills"), [(0, 2), (2, 1)], ids=["threads", "processes"])
def test_a_small_soak(tmp_path: Path, processes: int, kills: int) -> None:
    """A job that is killed reports each request once, and makes only cohorts in flight twice."""
    seen = soak(400, kills=kills, seed=7, folder=tmp_path, processes=processes)
    assert seen.complaints() == [], str(seen)
