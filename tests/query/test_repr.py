"""``repr()`` of a query and of its parts: the code that makes them."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any, Dict, Tuple

import numpy

import PermutiveAPI.Query
from PermutiveAPI.Query import (
    at_least,
    at_most,
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
from tests.support.rows import for_each

np: Any = numpy  # Its scalars are no numbers to a type checker.

A, B, C = (in_segment(n) for n in (1, 2, 3))
EMPTY, FULL = prop("a").is_empty(), prop("a").is_not_empty()

SHOWN: Dict[str, Tuple[Any, str]] = {
    "a query": (
        event("Pageview")
        .at_least(2)
        .in_the_last(days=30)
        .where(prop("properties.client.url").contains("football"))
        & in_segment(12345),
        'event("Pageview").where(prop("properties.client.url").contains("football"))'
        ".at_least(2).in_the_last(days=30) & in_segment(12345)",
    ),
    "an event": (event("A"), 'event("A")'),
    "an event in this session": (
        event("A").exactly(1).in_this_session(),
        'event("A").exactly(1).in_this_session()',
    ),
    "engaged time": (
        engaged_time(more_than(30)).where(EMPTY).in_the_last(weeks=2),
        'engaged_time(more_than(30)).where(prop("a").is_empty()).in_the_last(weeks=2)',
    ),
    "engaged completion": (engaged_completion(at_most(0.5)), "engaged_completion(at_most(0.5))"),
    "views by seconds": (
        engaged_views(at_least(30), exactly(2)).in_the_last(hours=1),
        "engaged_views(at_least(30), times=exactly(2)).in_the_last(hours=1)",
    ),
    "views by completion": (
        engaged_views(completion=fewer_than(0.5)),
        "engaged_views(completion=fewer_than(0.5), times=at_least(1))",
    ),
    "no event": (event("A").at_most(0), 'event("A").at_most(0)'),
    "entered": (has_entered("12"), 'has_entered("12")'),
    "not entered": (~has_entered(5).in_the_last(days=7), "~has_entered(5).in_the_last(days=7)"),
    "not exited": (~has_exited(5), "~has_exited(5)"),
    "second party": (
        in_second_party_segment("brand", "s1"),
        'in_second_party_segment(provider="brand", segment="s1")',
    ),
    "not third party": (
        ~in_third_party_segment(5, provider="p"),
        '~in_third_party_segment(segment=5, provider="p")',
    ),
    "connection": (
        in_connections_import_segment(field_name="plan", value=""),
        'in_connections_import_segment(field_name="plan", value="")',
    ),
    "or in and": (
        A & (B | C) & ~has_entered(4),
        "in_segment(1) & (in_segment(2) | in_segment(3)) & ~has_entered(4)",
    ),
    "and in or": (
        (A & B) | C | (B & A),
        "in_segment(1) & in_segment(2) | in_segment(3) | in_segment(2) & in_segment(1)",
    ),
    "joined again": ((A & B) & (C & A), " & ".join(map(repr, (A, B, C, A)))),
    "joined conditions": (
        (EMPTY | FULL) & EMPTY,
        '(prop("a").is_empty() | prop("a").is_not_empty()) & prop("a").is_empty()',
    ),
    "two conditions of an event": (
        event("A").where(EMPTY).where(FULL),
        'event("A").where(prop("a").is_empty() & prop("a").is_not_empty())',
    ),
    "a negative condition": (~prop("a").contains(["x"]), 'prop("a").does_not_contain(["x"])'),
    "values": (prop("a").equal_to(("x", 1, 1.0, True)), 'prop("a").equal_to(["x", 1, 1.0, True])'),
    "values of NumPy": (
        prop("a").equal_to([np.str_("x"), np.int64(1), np.float32(0.5)]),
        'prop("a").equal_to(["x", 1, 0.5])',
    ),
    "dates": (
        prop("a").date_between(date(2025, 1, 1), datetime(2025, 2, 1, tzinfo=timezone.utc)),
        'prop("a").date_between("2025-01-01", "2025-02-01T00:00:00+00:00")',
    ),
    "an aggregate and its test": (
        prop("items").sum("price").where(EMPTY | FULL).greater_than(10),
        'prop("items").sum("price").where(prop("a").is_empty() | prop("a").is_not_empty())'
        ".greater_than(10)",
    ),
    "a property": (prop("a.b"), 'prop("a.b")'),
    "an aggregate": (prop("a").mean("b"), 'prop("a").mean("b")'),
    "a comparison": (fewer_than(2.5), "fewer_than(2.5)"),
    "a double quote": (event('a "b"'), "event('a \"b\"')"),
    "an apostrophe": (event("a's"), 'event("a\'s")'),
    "both": (event("a's \"b"), 'event("a\'s \\"b")'),
    "a backslash and an apostrophe": (event("\\'"), 'event("\\\\\'")'),
    "a backslash and both": (event("\\' \""), 'event("\\\\\' \\"")'),
    "more double quotes": (event('a\'s "b"'), "event('a\\'s \"b\"')"),
    "a line": (event("a\nü"), 'event("a\\nü")'),
}


@for_each(("made", "code"), SHOWN)
def test_the_code_that_makes_it(made: Any, code: str) -> None:
    """repr() is the code, in a fixed order, with parentheses only if they are needed."""
    assert repr(made) == code
    again = evaluated(code)
    assert again == made and repr(again) == code


def evaluated(code: str) -> Any:
    """Return the value of a line of users' code."""
    return eval(code, dict(vars(PermutiveAPI.Query)))


def test_windows() -> None:
    """repr() of a window is the method call that makes it."""
    assert repr(event("A").in_the_last(months=1).during) == "in_the_last(months=1)"
    session = has_entered(1).in_this_session().during
    assert session is not None and session.length == 0
    assert repr(session) == "in_this_session()"


ONE = {"equal_to": 1}
BELOW_0 = {"greater_than": -1}
NO_RANGE = {"between": {"start": 5, "end": 1}}


def event_where(where: Any) -> Dict[str, Any]:
    """Return an event clause with this condition."""
    return {"event": "A", "frequency": ONE, "where": where}


def aggregate(test: Any, filter: Any) -> Dict[str, Any]:
    """Return a condition on a sum."""
    condition = {"function": "sum", "property": "b", "condition": test, "where": filter}
    return {"property": "l", "condition": condition}


IS_ONE = {"property": "a", "condition": ONE}
IS_IN_NO_RANGE = {"property": "a", "condition": NO_RANGE}
ONLY_READ: Dict[str, Dict[str, Any]] = {
    "a frequency": {"event": "A", "frequency": BELOW_0},
    "seconds": {"engaged_time": {"seconds": BELOW_0}},
    "a completion": {"engaged_completion": {"completion": BELOW_0}},
    "an amount": {"engaged_views": {"engaged_time": BELOW_0, "times": ONE}},
    "times": {"engaged_views": {"completion": ONE, "times": BELOW_0}},
    "a range": event_where(IS_IN_NO_RANGE),
    "a range of two kinds": event_where(
        {"property": "a", "condition": {"between": {"start": 1, "end": "2025-01-01"}}}
    ),
    "an emptiness": event_where({"property": "a", "condition": {"is_empty": True}}),
    "a fullness": event_where({"property": "a", "condition": {"is_not_empty": None}}),
    "a test of an aggregate": event_where(aggregate(NO_RANGE, IS_ONE)),
    "a filter": event_where(aggregate(ONE, IS_IN_NO_RANGE)),
    "a part": event_where({"and": [IS_ONE, {"or": [IS_ONE, IS_IN_NO_RANGE]}]}),
}


@for_each("data", ONLY_READ)
def test_what_is_only_read(data: Dict[str, Any]) -> None:
    """A clause with numbers that the methods refuse is shown as the JSON that was read."""
    clause = from_json(data)
    code = str(data).replace("'", '"')
    assert repr(clause) == f"from_json({code})"
    assert repr(A & clause) == f"in_segment(1) & {clause!r}"
    assert evaluated(repr(clause)).to_json() == data


def test_a_part_that_is_only_read() -> None:
    """A condition or a number that the methods refuse is shown like any other."""
    clause = from_json(ONLY_READ["a range"])
    assert repr(getattr(clause, "condition")) == 'prop("a").between(5, 1)'
    negative = from_json(ONLY_READ["a frequency"])
    assert repr(getattr(negative, "frequency")) == "more_than(-1)"
