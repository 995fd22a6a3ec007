"""Which cohort of one snapshot is which of another one."""

from __future__ import annotations

from typing import Any, List, Optional

from PermutiveAPI import Cohort, Import, Source
from PermutiveAPI.snapshots.matching import codes_of, matched_cohorts, matched_imports

SOURCE = Source("s-1", {}, "gcs")
CODES = [("i-1", "a"), ("i-2", "b")], [("i-2", "a"), ("i-1", "b")]


def cohort(code: int, name: str = "Same", query: Any = 1, id: Optional[str] = None) -> Cohort:
    """Return a cohort whose query names a code."""
    return Cohort(name, id=id or f"id-{code}", code=code, query=query and {"in_segment": query})


def pairs(old: List[Cohort], new: List[Cohort]) -> List[Any]:
    """Return the codes of the pairs."""
    return sorted((one.code, other.code) for one, other in matched_cohorts(old, new).pairs)


def test_ids_come_first() -> None:
    """A cohort with the same id is the same, whatever its name and code."""
    old = [cohort(1, "A", id="x"), cohort(2, "B", id="y")]
    new = [cohort(2, "A", id="x"), cohort(1, "B", id="y")]
    assert pairs(old, new) == [(1, 2), (2, 1)]


def test_ids_of_imports_come_first() -> None:
    """An import with the same id is the same, whatever its code."""
    old, new = ([Import(id, "N", code, "2nd", [], SOURCE) for id, code in each] for each in CODES)
    found = matched_imports(old, new).pairs
    assert [(one.code, other.code) for one, other in found] == [("b", "a"), ("a", "b")]


def test_codes_come_before_names() -> None:
    """A cohort with the same code is the same, whatever its name."""
    assert pairs([cohort(1, "A", id="x")], [cohort(3, "A"), cohort(1, "B")]) == [(1, 1)]


def test_definitions_tell_cohorts_of_one_name_apart() -> None:
    """They are found in any order."""
    old = [cohort(1, query=11), cohort(2, query=12), cohort(3, query=13)]
    new = [cohort(6, query=13), cohort(7, query=11), cohort(8, query=12)]
    assert pairs(old, new) == [(1, 7), (2, 8), (3, 6)]


def test_definitions_name_cohorts_that_were_made_again() -> None:
    """A query is the same if it names the same cohorts under their new codes."""
    old = [cohort(1, query=3), cohort(2, query=4), cohort(3, "X"), cohort(4, "Y", query=3)]
    new = [cohort(9, query=7), cohort(8, query=6), cohort(7, "Y", query=6), cohort(6, "X")]
    assert pairs(old, new) == [(1, 8), (2, 9), (3, 6), (4, 7)]


def test_a_unique_name_is_enough() -> None:
    """A cohort that is the only one of its name is found though it has changed. Its users are found by that."""
    old = [cohort(1, query=3), cohort(2, query=4), cohort(3, "X", 5), cohort(4, "Y", 5)]
    new = [cohort(9, query=7), cohort(8, query=6), cohort(7, "Y", 50), cohort(6, "X", 50)]
    assert pairs(old, new) == [(1, 8), (2, 9), (3, 6), (4, 7)]


def test_what_is_left_of_one_name() -> None:
    """The rest is paired in order. What is over is only in one of them."""
    old = [cohort(1, query=11), cohort(2, query=12), cohort(3, query=13)]
    new = [cohort(6, query=21), cohort(7, query=12)]
    matching = matched_cohorts(old, new)
    assert [(one.code, other.code) for one, other in matching.pairs] == [(2, 7), (1, 6)]
    assert ([each.code for each in matching.old], matching.new) == ([3], [])
    assert codes_of(matching.pairs) == {"7": 2, "6": 1}


def test_a_lookalike_of_the_same_name() -> None:
    """A cohort without a query is never the same as one with a query."""
    matching = matched_cohorts([cohort(1)], [cohort(2, query=None)])
    assert matching.pairs == []


def test_codes_are_compared_as_texts() -> None:
    """A code may be a text in one of them."""
    other = Cohort("Other", id="x", code="1", query={"in_segment": 2})
    matching = matched_cohorts([cohort(1)], [other])
    assert len(matching.pairs) == 1
    assert codes_of(matching.pairs) == {}
