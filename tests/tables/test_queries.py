"""What a query names, and a query with other cohort codes."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from PermutiveAPI.Query import (
    Query,
    at_least,
    engaged_time,
    event,
    has_entered,
    has_exited,
    in_connections_import_segment,
    in_second_party_segment,
    in_segment,
    in_third_party_segment,
    prop,
)
from PermutiveAPI.Tables.queries import Named, names_in, rewritten

DURING = {"the_last": {"unit": "days", "value": 7}}
FOOTBALL = event("Pageview").where(prop("title").contains("in_segment")).at_least(2)


def cohort(code: str) -> Named:
    """Return the name of a cohort."""
    return Named("cohort", code)


CLAUSES: dict[str, tuple[Query, list[Named]]] = {
    "event": (FOOTBALL, []),
    "engagement": (engaged_time(at_least(10)), []),
    "number": (in_segment(12345), [cohort("12345")]),
    "text": (in_segment("12345"), [cohort("12345")]),
    "entered": (has_entered(1).in_the_last(days=7), [cohort("1")]),
    "not entered": (~has_entered(1), [cohort("1")]),
    "exited": (has_exited("1"), [cohort("1")]),
    "not exited": (~has_exited("1"), [cohort("1")]),
    "second party": (in_second_party_segment("crm", "a"), [Named("segment", "a", "crm")]),
    "not second party": (~in_second_party_segment("crm", "a"), [Named("segment", "a", "crm")]),
    "third party": (in_third_party_segment(7, provider="m"), [Named("segment", "7", "m")]),
    "any third party": (~in_third_party_segment(7), [Named("segment", "7", None)]),
    "connection": (in_connections_import_segment("crm"), [Named("import", "crm")]),
    "field of a connection": (
        in_connections_import_segment(field_name="plan", value="premium"),
        [
            Named(
                "unknown",
                "{'in_connections_import_segment': {'field_name': 'plan', 'value': 'premium'}}",
            )
        ],
    ),
}


@pytest.mark.parametrize(("query", "expected"), CLAUSES.values(), ids=list(CLAUSES))
def test_names_of_a_clause(query: Query, expected: list[Named]) -> None:
    """Each clause of the grammar gives what it names, as a query and as JSON data."""
    assert names_in(query) == names_in(query.to_json()) == expected


def test_names_of_joined_clauses() -> None:
    """Names come in the query's order, each once, also from queries inside plain dictionaries."""
    inner = in_segment(2) | has_exited(1)
    assert names_in((in_segment(1) | FOOTBALL) & inner) == [cohort("1"), cohort("2")]
    assert names_in({"and": [{"in_segment": 3}, inner]}) == [cohort("3"), cohort("2"), cohort("1")]


FOREIGN: dict[str, tuple[Any, list[Named]]] = {
    "other grammar": ({"type": "users"}, [Named("unknown", "{'type': 'users'}")]),
    "other joiner": (
        {"all": [{"in_segment": 1}, {"x": {"has_entered": {"segment": "2"}}}]},
        [
            cohort("1"),
            cohort("2"),
            Named(
                "unknown", "{'all': [{'in_segment': 1}, {'x': {'has_entered': {'segment': '2'}}}]}"
            ),
        ],
    ),
    "joiner and another member": (
        {"and": [{"in_segment": 1}], "x": 2},
        [cohort("1"), Named("unknown", "{'and': [{'in_segment': 1}], 'x': 2}")],
    ),
    "one part of several": (
        {"or": [{"in_segmnt": 1}, {"in_segment": 2}]},
        [cohort("2"), Named("unknown", "{'in_segmnt': 1}")],
    ),
    "wrong value": ({"in_segment": [1]}, [Named("unknown", "{'in_segment': [1]}")]),
    "list": ([{"in_segment": 1}], [cohort("1"), Named("unknown", "[{'in_segment': 1}]")]),
    "text": ('{"in_segment": 1}', [Named("unknown", "'{\"in_segment\": 1}'")]),
    "cannot be sent": ({"in_segment": float("nan")}, [Named("unknown", "{'in_segment': nan}")]),
    "none": (None, []),
    "empty": ({}, []),
}


@pytest.mark.parametrize(("query", "expected"), FOREIGN.values(), ids=list(FOREIGN))
def test_names_of_foreign_queries(query: Any, expected: list[Named]) -> None:
    """Clauses of the grammar are found at any depth; what cannot be read is unknown, too."""
    assert names_in(query) == expected


def test_names_of_a_query_without_end() -> None:
    """A query that holds itself, or is nested too deeply, is unknown."""
    endless: dict[str, Any] = {"in_segment": 1}
    endless["again"] = endless
    deep: Any = {"in_segment": 1}
    for _ in range(100_000):
        deep = {"or": [deep]}
    for query in (endless, deep):
        assert [(each.kind, len(each.code) < 300) for each in names_in(query)] == [
            ("unknown", True)
        ]


def test_rewritten_codes_keep_their_kind() -> None:
    """A number stays a number and a text a text; other codes, segments and the input stay."""
    query = {
        "and": [
            {"in_segment": 1},
            {"or": [{"in_segment": "1"}, {"has_not_exited": {"segment": 1, "during": DURING}}]},
            {"in_segment": 2},
            {"in_third_party_segment": {"segment": "1", "provider": "m"}},
            {"new": [{"in_segment": 1, "other": True}]},
        ]
    }
    before = deepcopy(query)
    changed = rewritten(query, {"1": "20"})
    assert json.dumps(changed) == json.dumps(
        {
            "and": [
                {"in_segment": 20},
                {
                    "or": [
                        {"in_segment": "20"},
                        {"has_not_exited": {"segment": 20, "during": DURING}},
                    ]
                },
                {"in_segment": 2},
                {"in_third_party_segment": {"segment": "1", "provider": "m"}},
                {"new": [{"in_segment": 20, "other": True}]},
            ]
        }
    )
    assert query == before


def test_rewritten_codes_of_other_kinds() -> None:
    """A code that is not a number replaces a number as a text. Codes are replaced once."""
    assert rewritten(in_segment(1), {"1": "x-1"}) == {"in_segment": "x-1"}
    assert rewritten(in_segment("1"), {"1": 5}) == {"in_segment": "5"}
    swapped = {"1": 2, "2": 1}
    assert rewritten(in_segment(1) | in_segment(2), swapped) == in_segment(2) | in_segment(1)
    assert rewritten(None, swapped) is None
