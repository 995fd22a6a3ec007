"""Find the same objects in two snapshots. Nothing here sends a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from .._Utils.codec.encoding import canonical
from ..Audience.Import import Import
from ..Cohort import Cohort
from ..Tables.cohort_reading import has_query
from ..Tables.cohort_rows import fields_of
from ..Tables.queries import rewritten

T = TypeVar("T", Cohort, Import)
Key = Callable[[T], Hashable]


class Matching(Generic[T]):
    """The objects of two snapshots.

    Attributes
    ----------
    pairs : list of (object, object)
        Those that both have: the old and the new one.
    old, new : list
        Those that only one of them has.
    """

    def __init__(self, old: Sequence[T], new: Sequence[T]) -> None:
        self.pairs: list[tuple[T, T]] = []
        self.old = [*old]
        self.new = [*new]

    def match(self, key: Key[T], key_of_new: Key[T] | None = None) -> bool:
        """Make pairs of those that are left and have the same key, and tell whether there are any.

        An object whose key is None stays. Several with the same key are paired in their order.
        """
        count = len(self.pairs)
        waiting: dict[Hashable, list[T]] = {}
        for each in self.old:
            waiting.setdefault(key(each), []).append(each)
        waiting.pop(None, None)
        left: list[T] = []
        for each in self.new:
            found = waiting.get((key_of_new or key)(each))
            if found:
                self.pairs.append((found.pop(0), each))
            else:
                left.append(each)
        self.new = left
        matched = {id(old) for old, _ in self.pairs}
        self.old = [each for each in self.old if id(each) not in matched]
        return len(self.pairs) > count


def matched_imports(old: Sequence[Import], new: Sequence[Import]) -> Matching[Import]:
    """Find imports by id, then by code."""
    matching = Matching(old, new)
    matching.match(lambda each: each.id)
    matching.match(lambda each: each.code)
    return matching


def matched_cohorts(old: Sequence[Cohort], new: Sequence[Cohort]) -> Matching[Cohort]:
    """Find cohorts by id, then by code, then by name.

    A cohort that was deleted and created again, by hand or by a plan, has another id and another code.
    Of several cohorts with one name, those with the same definition belong together.
    """
    matching = Matching(old, new)
    matching.match(lambda each: each.id)
    matching.match(lambda each: str(each.code))
    # Each pair may show that the queries of others are the same.
    while _match_definitions(matching) or _match_unique_names(matching):
        pass
    matching.match(_named)
    return matching


def codes_of(pairs: Sequence[tuple[Cohort, Cohort]]) -> dict[str, int | str]:
    """Return the old codes of cohorts that have another code now, by the new ones as texts."""
    return {
        str(new.code): old.code
        for old, new in pairs
        if old.code is not None and str(old.code) != str(new.code)
    }


def _match_definitions(matching: Matching[Cohort]) -> bool:
    codes = codes_of(matching.pairs)
    return matching.match(lambda each: _definition(each, {}), lambda each: _definition(each, codes))


def _definition(cohort: Cohort, codes: Mapping[str, int | str]) -> str:
    fields = fields_of(cohort)
    query = rewritten(cohort.query, codes)
    return canonical({**fields, "query": query, "tags": sorted(fields["tags"])})


def _match_unique_names(matching: Matching[Cohort]) -> bool:
    counts = [Counter(map(_named, cohorts)) for cohorts in (matching.old, matching.new)]
    return matching.match(
        lambda each: _named(each) if all(count[_named(each)] == 1 for count in counts) else None
    )


def _named(cohort: Cohort) -> tuple[str, bool]:
    """Return the name of a cohort, and whether it has a query. Lookalike cohorts have none."""
    return cohort.name, has_query(cohort)
