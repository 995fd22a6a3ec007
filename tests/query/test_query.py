"""Queries: the code that users write, the JSON that is sent, and the description in words."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any, Dict, List, Tuple

import numpy
import pytest

from PermutiveAPI import Cohort
from PermutiveAPI.Query import (
    Condition,
    Query,
    QueryError,
    at_least,
    engaged_completion,
    engaged_time,
    engaged_views,
    event,
    exactly,
    fewer_than,
    from_json,
    has_entered,
    has_exited,
    in_connections_import_segment,
    in_second_party_segment,
    in_segment,
    in_third_party_segment,
    more_than,
    prop,
)
from PermutiveAPI.Query.logic import joined
from tests.support.fake_service import FakeService
from tests.support.rows import for_each

np: Any = numpy  # Its scalars are no numbers to a type checker.

URL = "properties.client.url"
FOOTBALL = event("Pageview").where(prop(URL).contains("football")).at_least(2).in_the_last(days=30)
FOOTBALL_JSON = {
    "event": "Pageview",
    "frequency": {"greater_than_or_equal_to": 2},
    "where": {"property": URL, "condition": {"contains": "football"}},
    "during": {"the_last": {"value": 30, "unit": "days"}},
}
CLICK = event("LinkClick").at_least(1)
CLICK_JSON = {"event": "LinkClick", "frequency": {"greater_than_or_equal_to": 1}}
MEMBER = in_segment(12345)
MEMBER_JSON = {"in_segment": 12345}

Written = Tuple[Query, Dict[str, Any], str]

CLAUSES: List[Written] = [
    (
        FOOTBALL,
        FOOTBALL_JSON,
        'had at least 2 "Pageview" events in the last 30 days where ' f'{URL} contains "football"',
    ),
    (CLICK, CLICK_JSON, 'had at least 1 "LinkClick" event'),
    (event("LinkClick"), CLICK_JSON, 'had at least 1 "LinkClick" event'),
    (
        event("A").more_than(3).in_this_session(),
        {"event": "A", "frequency": {"greater_than": 3}, "during": "this_session"},
        'had more than 3 "A" events in this session',
    ),
    (
        event("A").exactly(1).in_the_last(hours=1),
        {
            "event": "A",
            "frequency": {"equal_to": 1},
            "during": {"the_last": {"value": 1, "unit": "hours"}},
        },
        'had exactly 1 "A" event in the last hour',
    ),
    (
        event("A").at_most(0),
        {"event": "A", "frequency": {"less_than_or_equal_to": 0}},
        'had at most 0 "A" events',
    ),
    (
        event("A").fewer_than(2).in_the_last(weeks=2),
        {
            "event": "A",
            "frequency": {"less_than": 2},
            "during": {"the_last": {"value": 2, "unit": "weeks"}},
        },
        'had fewer than 2 "A" events in the last 2 weeks',
    ),
    (
        engaged_time(at_least(30)).in_the_last(months=3),
        {
            "engaged_time": {
                "seconds": {"greater_than_or_equal_to": 30},
                "during": {"the_last": {"value": 3, "unit": "months"}},
            }
        },
        "were engaged for at least 30 seconds in the last 3 months",
    ),
    (
        engaged_completion(more_than(0.5)).where(prop("a").is_not_empty()),
        {
            "engaged_completion": {
                "completion": {"greater_than": 0.5},
                "where": {"property": "a", "condition": "is_not_empty"},
            }
        },
        "reached a completion of more than 0.5 where a is not empty",
    ),
    (
        engaged_views(at_least(10), exactly(2)).in_the_last(minutes=5),
        {
            "engaged_views": {
                "engaged_time": {"greater_than_or_equal_to": 10},
                "times": {"equal_to": 2},
                "during": {"the_last": {"value": 5, "unit": "minutes"}},
            }
        },
        "had exactly 2 views of at least 10 engaged seconds in the last 5 minutes",
    ),
    (
        engaged_views(fewer_than(10)),
        {
            "engaged_views": {
                "engaged_time": {"less_than": 10},
                "times": {"greater_than_or_equal_to": 1},
            }
        },
        "had at least 1 view of fewer than 10 engaged seconds",
    ),
    (
        engaged_views(completion=at_least(0.5), times=at_least(2))
        .where(prop("a").is_empty())
        .in_this_session(),
        {
            "engaged_views": {
                "completion": {"greater_than_or_equal_to": 0.5},
                "times": {"greater_than_or_equal_to": 2},
                "where": {"property": "a", "condition": "is_empty"},
                "during": "this_session",
            }
        },
        "had at least 2 views with a completion of at least 0.5 in this session where a is empty",
    ),
    (
        engaged_views(completion=exactly(1)),
        {
            "engaged_views": {
                "completion": {"equal_to": 1},
                "times": {"greater_than_or_equal_to": 1},
            }
        },
        "had at least 1 view with a completion of exactly 1",
    ),
    (
        has_entered("12").in_the_last(days=7),
        {"has_entered": {"segment": "12", "during": {"the_last": {"value": 7, "unit": "days"}}}},
        "have entered segment 12 in the last 7 days",
    ),
    (~has_entered(12), {"has_not_entered": {"segment": 12}}, "have not entered segment 12"),
    (
        ~has_entered(12).in_the_last(days=7),
        {"has_not_entered": {"segment": 12, "during": {"the_last": {"value": 7, "unit": "days"}}}},
        "have not entered segment 12 in the last 7 days",
    ),
    (
        (~has_exited(12)).in_this_session(),
        {"has_not_exited": {"segment": 12, "during": "this_session"}},
        "have not left segment 12 in this session",
    ),
    (has_exited(12), {"has_exited": {"segment": 12}}, "have left segment 12"),
    (~has_exited(12), {"has_not_exited": {"segment": 12}}, "have not left segment 12"),
    (MEMBER, MEMBER_JSON, "are in segment 12345"),
    (
        in_second_party_segment("brand", "s1"),
        {"in_second_party_segment": {"provider": "brand", "segment": "s1"}},
        "are in a second party segment with provider brand and segment s1",
    ),
    (
        ~in_second_party_segment("brand", "s1"),
        {"not_in_second_party_segment": {"provider": "brand", "segment": "s1"}},
        "are not in a second party segment with provider brand and segment s1",
    ),
    (
        in_third_party_segment(5),
        {"in_third_party_segment": {"segment": 5}},
        "are in a third party segment with segment 5",
    ),
    (
        ~in_third_party_segment("5", provider="p"),
        {"not_in_third_party_segment": {"segment": "5", "provider": "p"}},
        "are not in a third party segment with segment 5 and provider p",
    ),
    (
        in_connections_import_segment("crm"),
        {"in_connections_import_segment": {"provider": "crm"}},
        "are in a connections import segment with provider crm",
    ),
    (
        ~in_connections_import_segment(field_name="plan", value="gold"),
        {"not_in_connections_import_segment": {"field_name": "plan", "value": "gold"}},
        "are not in a connections import segment with field_name plan and value gold",
    ),
]

JOINED: List[Written] = [
    (
        FOOTBALL & MEMBER | CLICK,
        {"and": [{"or": [FOOTBALL_JSON, CLICK_JSON]}, {"or": [MEMBER_JSON, CLICK_JSON]}]},
        f"({CLAUSES[0][2]} and are in segment 12345) or {CLAUSES[1][2]}",
    ),
    (
        FOOTBALL & (MEMBER | CLICK),
        {"and": [FOOTBALL_JSON, {"or": [MEMBER_JSON, CLICK_JSON]}]},
        f"{CLAUSES[0][2]} and (are in segment 12345 or {CLAUSES[1][2]})",
    ),
    (
        MEMBER | CLICK | FOOTBALL,
        {"or": [MEMBER_JSON, CLICK_JSON, FOOTBALL_JSON]},
        f"are in segment 12345 or {CLAUSES[1][2]} or {CLAUSES[0][2]}",
    ),
    (MEMBER & MEMBER, MEMBER_JSON, "are in segment 12345 and are in segment 12345"),
    (
        MEMBER & (MEMBER | CLICK),
        MEMBER_JSON,
        f"are in segment 12345 and (are in segment 12345 or {CLAUSES[1][2]})",
    ),
    (
        ~(has_entered(1) & in_third_party_segment(5)),
        {
            "or": [
                {"has_not_entered": {"segment": 1}},
                {"not_in_third_party_segment": {"segment": 5}},
            ]
        },
        "have not entered segment 1 or are not in a third party segment with segment 5",
    ),
]


@for_each(("query", "data", "words"), CLAUSES + JOINED)
def test_what_is_sent_and_said(query: Query, data: Dict[str, Any], words: str) -> None:
    """A query is sent in the form of the grammar, is read back equal, and is described in words."""
    assert query.to_json() == data and query == data
    assert from_json(data) == query
    assert from_json(query.to_json()) == query
    assert Query.from_json(query.to_json()).to_json() == data
    assert query.describe() == f"Users who {words}"


def test_json_text_is_read_too() -> None:
    """from_json reads JSON text, too, as the models do."""
    assert from_json('{"in_segment": 12345}') == MEMBER


CONDITIONS: List[Tuple[Condition, Any, str]] = [
    (prop("a").equal_to("x"), {"equal_to": "x"}, 'is "x"'),
    (prop("a").equal_to(["x", 2]), {"equal_to": ["x", 2]}, 'is "x" or 2'),
    (prop("a").not_equal_to(True), {"not_equal_to": True}, "is not true"),
    (prop("a").contains("x"), {"contains": "x"}, 'contains "x"'),
    (prop("a").contains(("x", "y")), {"contains": ["x", "y"]}, 'contains "x" or "y"'),
    (prop("a").does_not_contain("x"), {"does_not_contain": "x"}, 'does not contain "x"'),
    (prop("a").list_contains("x"), {"list_contains": "x"}, 'lists "x"'),
    (prop("a").list_does_not_contain("x"), {"list_does_not_contain": "x"}, 'does not list "x"'),
    (prop("a").list_contains_integer(5), {"list_contains_integer": 5}, "lists the number 5"),
    (prop("a").greater_than(5), {"greater_than": 5}, "is more than 5"),
    (prop("a").greater_than_or_equal_to(5.5), {"greater_than_or_equal_to": 5.5}, "is at least 5.5"),
    (prop("a").less_than(5), {"less_than": 5}, "is less than 5"),
    (prop("a").less_than_or_equal_to(5), {"less_than_or_equal_to": 5}, "is at most 5"),
    (prop("a").boolean_equal_to(False), {"boolean_equal_to": False}, "is false"),
    (prop("a").float_equal_to(0.5), {"float_equal_to": 0.5}, "is 0.5"),
    (
        prop("a").float_between(0, 1),
        {"float_between": {"start": 0, "end": 1}},
        "is between 0 and 1",
    ),
    (
        prop("a").date_equal_to("2025-01-01"),
        {"date_equal_to": "2025-01-01"},
        'is the date "2025-01-01"',
    ),
    (
        prop("a").date_between("2025-01-01", "2025-02-01"),
        {"date_between": {"start": "2025-01-01", "end": "2025-02-01"}},
        'is between the dates "2025-01-01" and "2025-02-01"',
    ),
    (prop("a").between(1, 9), {"between": {"start": 1, "end": 9}}, "is between 1 and 9"),
    (prop("a").between(3, 3), {"between": {"start": 3, "end": 3}}, "is between 3 and 3"),
    (
        prop("a").float_between(0.5, 0.5),
        {"float_between": {"start": 0.5, "end": 0.5}},
        "is between 0.5 and 0.5",
    ),
    (prop("a").is_empty(), "is_empty", "is empty"),
    (prop("a").is_not_empty(), "is_not_empty", "is not empty"),
]


@for_each(("condition", "data", "words"), CONDITIONS)
def test_conditions(condition: Condition, data: Any, words: str) -> None:
    """Every operator of the grammar can be written, sent, read and described."""
    where = {"property": "a", "condition": data}
    assert condition.to_json() == where
    assert condition.describe() == f"a {words}"
    query = {**CLICK_JSON, "where": where}
    assert from_json(query) == CLICK.where(condition)
    assert from_json(query).to_json() == query


A = prop("a")
OPPOSITES: Dict[str, Tuple[Condition, Condition]] = {
    "equal_to": (A.equal_to(1), A.not_equal_to(1)),
    "contains": (A.contains("x"), A.does_not_contain("x")),
    "list_contains": (A.list_contains("x"), A.list_does_not_contain("x")),
    "is_empty": (A.is_empty(), A.is_not_empty()),
}


@for_each(("one", "other"), OPPOSITES)
def test_negative_conditions(one: Condition, other: Condition) -> None:
    """~ makes the negative form of a condition, and twice the condition itself."""
    assert ~one == other and ~other == one


def test_functions_over_lists() -> None:
    """A function over the objects in a list, or over some of them, is tested like a property."""
    condition = (
        prop("properties.items")
        .sum("price")
        .where(prop("brand").equal_to("x") | prop("brand").is_empty())
        .greater_than(10)
    )
    data = {
        "property": "properties.items",
        "condition": {
            "function": "sum",
            "property": "price",
            "condition": {"greater_than": 10},
            "where": {
                "or": [
                    {"property": "brand", "condition": {"equal_to": "x"}},
                    {"property": "brand", "condition": "is_empty"},
                ]
            },
        },
    }
    assert condition.to_json() == data
    assert condition.describe() == (
        'sum of price in properties.items where (brand is "x" or brand is empty) is more than 10'
    )
    assert from_json({**CLICK_JSON, "where": data}) == CLICK.where(condition)
    for name in ("any", "all", "product", "count", "mean"):
        made = getattr(prop("l"), name)("p").equal_to(1).to_json()
        assert made["condition"]["function"] == name


def test_emptiness_with_a_value() -> None:
    """Emptiness as an operator is kept with its value."""
    data = {**CLICK_JSON, "where": {"property": "a", "condition": {"is_empty": True}}}
    assert from_json(data).to_json() == data


def test_conditions_are_joined() -> None:
    """Conditions joined by & and | are nested as written; a second where() is added to the first."""
    a, b, c = (prop(name).equal_to(1) for name in "abc")
    assert (a & b | c).to_json() == {"or": [{"and": [a.to_json(), b.to_json()]}, c.to_json()]}
    assert CLICK.where(a).where(b) == CLICK.where(a & b)
    assert (~(a & prop("b").contains("x"))).to_json() == {
        "or": [
            {"property": "a", "condition": {"not_equal_to": 1}},
            {"property": "b", "condition": {"does_not_contain": "x"}},
        ]
    }
    assert ~~a == a
    joined = from_json({**CLICK_JSON, "where": (a & b | c).to_json()})
    assert joined == CLICK.where(a & b | c)
    assert joined.describe().endswith("where ((a is 1 and b is 1) or c is 1)")


# --- Values --------------------------------------------------------------------------------------


def test_immutable() -> None:
    """A query never changes: each method returns a new one."""
    start = event("A")
    refined = start.at_least(5)
    assert start == event("A") != refined
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(start, "name", "B")
    with pytest.raises(AttributeError):
        setattr(start & MEMBER, "_parts", ())
    sent = (start & MEMBER).to_json()
    sent["and"].clear()
    assert (start & MEMBER).to_json() != sent


def test_equality_and_hash() -> None:
    """Queries are equal if the same JSON is sent, and equal that JSON; they can be in sets and be keys."""
    same = from_json(FOOTBALL_JSON)
    assert same == FOOTBALL and hash(same) == hash(FOOTBALL)
    assert FOOTBALL == FOOTBALL_JSON and FOOTBALL != CLICK_JSON
    assert FOOTBALL != CLICK and FOOTBALL != "football"
    assert len({FOOTBALL, same, CLICK}) == 2
    assert prop("a").equal_to(1) != prop("a").equal_to(True)  # As JSON they differ.
    assert MEMBER != {"in_segment": {12345}}
    for query in (FOOTBALL, FOOTBALL & MEMBER):
        assert pickle.loads(pickle.dumps(query)) == copy.deepcopy(query) == query


def test_precedence_is_pythons() -> None:
    """& binds before |, ~ before both."""
    a, b, c = has_entered(1), has_entered(2), has_entered(3)
    assert a | b & c == a | (b & c)
    assert a & b | c == (a & b) | c
    assert ~a & b == (~a) & b


# --- Large queries, and special values -------------------------------------------------------------


def test_too_large() -> None:
    """A query that would become thousands of parts is refused, and the error names the part."""
    pairs = [in_segment(2 * n) & in_segment(2 * n + 1) for n in range(12)]
    query = pairs[0]
    for pair in pairs[1:]:
        query = query | pair
    with pytest.raises(QueryError, match="more than 1000 ORs: .*segment 2"):
        query.to_json()


def test_what_is_left_counts() -> None:
    """Only the ORs that remain count: those that follow from others are left out."""
    many = joined("and", [in_segment(n) for n in range(40)])
    assert (many | many) == many


def _with(where: Any) -> Dict[str, Any]:
    return {**CLICK_JSON, "where": where}


def test_units_in_the_singular() -> None:
    """A unit in the singular means the same as in the plural."""
    data = {**CLICK_JSON, "during": {"the_last": {"value": 1, "unit": "day"}}}
    assert from_json(data) == CLICK.in_the_last(days=1)


def test_nested_queries_are_read() -> None:
    """A query that nests "and" in "or" and "or" in "and" is read."""
    nested = {"or": [{"and": [MEMBER_JSON, {"or": [CLICK_JSON]}]}, FOOTBALL_JSON]}
    assert from_json(nested) == MEMBER & CLICK | FOOTBALL


def test_numbers_of_numpy() -> None:
    """NumPy numbers, for instance from a table, are written as Python's numbers."""
    clause = event("A").at_least(np.int64(2)).in_the_last(days=np.int32(3))
    query = clause.where(prop("x").between(np.float32(0.5), np.int64(2)))
    assert json.loads(json.dumps((query & in_segment(np.int64(5))).to_json())) == {
        "and": [query.to_json(), {"in_segment": 5}]
    }
    assert type(query.to_json()["frequency"]["greater_than_or_equal_to"]) is int


@for_each("value", [True, False, None, ["x"]])
def test_empty_and_not_as_operators(value: Any) -> None:
    """The opposite of an emptiness operator keeps its value."""
    opposites = {"is_empty": "is_not_empty", "is_not_empty": "is_empty"}
    for operator, opposite in opposites.items():
        query = from_json(_with({"property": "a", "condition": {operator: value}}))
        condition: Condition = getattr(query, "condition")
        assert (~condition).to_json()["condition"] == {opposite: value}
        assert ~~condition == condition


def test_text_is_the_sentence() -> None:
    """str() describes a query and a condition; several values of a negative operator mean none of them."""
    condition = prop("a").not_equal_to(["x", "y"])
    assert str(condition) == condition.describe() == 'a is not any of "x" or "y"'
    assert str(event("A").where(condition)) == event("A").where(condition).describe()


NO_QUERIES: Dict[str, Any] = {
    "a function": event,
    "a condition": prop("a").contains("b"),
    "two conditions": prop("a").contains("b") & prop("c").is_empty(),
    "a property": prop("a"),
}


@pytest.mark.parametrize("query", NO_QUERIES.values(), ids=list(NO_QUERIES))
def test_what_is_no_query(server: FakeService, query: Any) -> None:
    """An object that is easily mistaken for a query is refused before anything is sent."""
    with pytest.raises(TypeError, match="query must be a query, such as event"):
        Cohort("c", query=query).create("key")
    with pytest.raises(TypeError, match="query must be a query, such as event"):
        Cohort.batch_update([Cohort("c", id="1", query=query)], api_key="key")
    assert server.received == []


def test_numbers_of_numpy_in_conditions() -> None:
    """NumPy numbers can be values of conditions."""
    conditions = [
        prop("a").equal_to(np.int64(3)),
        prop("a").greater_than(np.int64(3)),
        prop("a").equal_to([np.float32(0.5), np.int64(3)]),
    ]
    data = json.loads(json.dumps([each.to_json()["condition"] for each in conditions]))
    assert data == [{"equal_to": 3}, {"greater_than": 3}, {"equal_to": [0.5, 3]}]


def test_numbers_that_no_float_holds() -> None:
    """A number that is too large for a float can be sent and read."""
    clause = event("A").at_least(10**400)
    assert from_json(clause.to_json()) == clause


def test_a_query_that_cannot_be_sent() -> None:
    """A query that is too long is equal to itself, has a hash, and is refused quickly."""
    long = [joined("and", [in_segment(2 * n + side) for n in range(400)]) for side in (0, 1)]
    query = long[0] | long[1]
    assert query == query and len({query, query}) == 1
    assert query != {} and query != (long[1] | long[0])
    with pytest.raises(QueryError, match="more than 1000 ORs"):
        query.to_json()


def test_many_clauses() -> None:
    """An AND of thousands of clauses is in the service's form already, and is sent."""
    parts = [in_segment(n) for n in range(3000)]
    assert joined("and", parts).to_json() == {"and": [p.to_json() for p in parts]}


EMPTY_AS_OPERATOR: List[Tuple[Any, str]] = [
    ({"is_empty": True}, "a is empty: true"),
    ({"is_empty": False}, "a is empty: false"),
    ({"is_not_empty": None}, "a is not empty: None"),
    ({"is_empty": ["x"]}, 'a is empty: "x"'),
]


@for_each(("condition", "words"), EMPTY_AS_OPERATOR)
def test_emptiness_as_an_operator(condition: Any, words: str) -> None:
    """An emptiness operator is kept as it was read, shares nothing with the data, and its description has its value."""
    inner = {"function": "any", "property": "b", "condition": condition}
    nested = _with({"property": "a", "condition": inner})
    assert from_json(nested).to_json() == nested
    data = _with({"property": "a", "condition": condition})
    query = from_json(data)
    before = json.dumps(query.to_json())
    assert query == data and words in query.describe()
    for shared in (data, query.to_json()):
        shared["where"]["condition"].clear()
    assert json.dumps(query.to_json()) == before


def test_a_blank_value_of_a_connection() -> None:
    """The value of a connection may be empty."""
    data = {"in_connections_import_segment": {"field_name": "f", "value": ""}}
    assert from_json(data).to_json() == data
