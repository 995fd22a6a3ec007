"""Batches that reach rate limits of every kind, in simulated time; see tests/support/limiter_zoo.py."""

from __future__ import annotations

from statistics import median
from typing import Dict, List, Tuple

import pytest

from tests.support.limiter_zoo import TARGETS, Figures, by_group, cells, measured

# Only every 23rd cell of a large group is simulated, and every seventh one of a small group. Both numbers are
# prime, so that different settings occur.
STRIDE = 23
# Groups with cells that miss their target, and the worst figures that are allowed: if a limit accepts only
# a few dozen requests, finding it takes a large part of them.
MISSES: Dict[str, Tuple[float, float]] = {
    "bucket, burst 10 or more": (1.35, 0.35),
    "sliding window": (1.3, 0.5),
    "random 5 %": (1.45, 1.0),
    "8 at once": (1.5, 1.0),
}


def sample(group: str) -> List[Figures]:
    """Simulate some cells of a group."""
    members = [cell for cell in cells() if cell.group == group]
    return [measured(cell, seed=101) for cell in members[:: STRIDE if len(members) > 20 else 7]]


@pytest.mark.parametrize("group", TARGETS)
def test_group(group: str) -> None:
    """No request is lost; a batch takes little longer than the limit allows, and is rarely refused."""
    figures = sample(group)
    target = TARGETS[group]
    assert sum(each.lost for each in figures) == 0
    if target is None:
        return
    assert median(each.ratio for each in figures) <= target.median_ratio
    missing = [each for each in figures if each.misses()]
    if group not in MISSES:
        assert [f"{each}: {each.misses()}" for each in missing] == []
        return
    ratio, refused = MISSES[group]
    assert len(missing) <= len(figures) / 3
    for each in missing:
        assert each.ratio <= ratio, str(each)
        assert each.refused <= refused, str(each)


def test_groups() -> None:
    """Each group of the zoo has a target, and each target has a group."""
    assert set(by_group(measured(cell, 0) for cell in ())) == set()
    assert {cell.group for cell in cells()} == set(TARGETS)
