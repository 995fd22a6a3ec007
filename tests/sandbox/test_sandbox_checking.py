"""Misspellings of every name of the grammar."""

from __future__ import annotations

from typing import Any, Iterator

import pytest

from PermutiveAPI.Query import (
    Query,
    at_least,
    engaged_completion,
    engaged_time,
    engaged_views,
    event,
    has_entered,
    has_exited,
    in_connections_import_segment,
    in_second_party_segment,
    in_segment,
    in_third_party_segment,
    prop,
)
from PermutiveAPI.sandbox.checking import query_fault

CHEAP = prop("price").less_than(3)
CONDITION = prop("a").equal_to(1) & prop("items").any("sku").where(CHEAP).contains("x")
CLAUSES = [
    event("Pageview").where(CONDITION).at_least(2).in_the_last(days=30),
    event("Pageview").more_than(1).in_this_session(),
    event("Pageview").exactly(1) | event("Pageview").at_most(2),
    engaged_time(at_least(30)).where(CONDITION).in_the_last(weeks=1),
    engaged_completion(at_least(0.5)).where(CONDITION),
    engaged_views(at_least(30), at_least(3)),
    has_entered(1).in_the_last(hours=2),
    ~has_entered(1),
    has_exited(1),
    ~has_exited(1),
    in_segment(1),
    in_second_party_segment("crm", "gold"),
    ~in_second_party_segment("crm", "gold"),
    in_third_party_segment(1),
    ~in_third_party_segment(1),
    in_connections_import_segment("crm"),
    ~in_connections_import_segment(field_name="a", value="b"),
]


def misspellings(name: str) -> Iterator[str]:
    """Yield a name with a letter missing, added or wrong, with two letters swapped, and in capitals."""
    for place in range(len(name)):
        yield name[:place] + name[place + 1 :]
        yield name[:place] + "x" + name[place:]
        yield name[:place] + "x" + name[place + 1 :]
        swapped = name[place : place + 2][::-1]
        yield name[:place] + swapped + name[place + 2 :]
    yield name.upper()


def misspelt(data: Any) -> Iterator[Any]:
    """Yield JSON data with one name misspelt, for each name and each misspelling."""
    if isinstance(data, dict):
        for name, value in data.items():
            for wrong in {*misspellings(name)} - {name}:
                yield {wrong if key == name else key: data[key] for key in data}
            for changed in misspelt(value):
                yield {**data, name: changed}
    if isinstance(data, list):
        for place, value in enumerate(data):
            for changed in misspelt(value):
                yield [*data[:place], changed, *data[place + 1 :]]


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_misspelling_is_refused(clause: Query) -> None:
    """One wrong letter in any name is refused."""
    query = clause.to_json()
    assert query_fault(query, None) is None
    wrong = [*misspelt(query)]
    assert wrong and [each for each in wrong if not query_fault(each, None)] == []


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_strange_member_is_refused(clause: Query) -> None:
    """A member that the grammar does not have is refused beside members that it has."""
    for query in ({**clause.to_json(), "colour": "red"}, {"colour": clause.to_json()}):
        assert query_fault(query, None)
        assert query_fault(query, False) is None


# Words of the grammar that other objects may have as well.
PLAIN = {"provider", "field_name", "value", "unit", "seconds", "completion", "times"}
PLAIN |= {"function", "contains"}


def names(data: Any) -> Iterator[str]:
    """Yield every name in JSON data."""
    if isinstance(data, dict):
        yield from data
        data = [*data.values()]
    if isinstance(data, list):
        for each in data:
            yield from names(each)


NAMES = {name for clause in CLAUSES for name in names(clause.to_json())}


def test_one_name_is_enough() -> None:
    """A query uses the grammar if it has one of its names, except common words."""
    refused = {name for name in NAMES if query_fault({"strange": [{name: 1}]}, None)}
    assert refused == NAMES - PLAIN
