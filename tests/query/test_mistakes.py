"""What mistakes in queries are told, in full."""

# Type checkers find most of them.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

from typing import Any

import pytest

from PermutiveAPI.Query import (
    Query,
    QueryError,
    at_least,
    engaged_time,
    engaged_views,
    event,
    in_connections_import_segment,
    in_segment,
    prop,
)

MISTAKES: dict[str, tuple[Any, type[Exception], str]] = {
    "query text": (
        lambda: Query.from_json("{"),
        QueryError,
        "query: it is not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "query nothing": (
        lambda: Query.from_json({}),
        QueryError,
        "query: an object with one clause is expected, got {}",
    ),
    "query list": (
        lambda: Query.from_json([]),
        QueryError,
        "query: an object with one clause is expected, got []",
    ),
    "query unknown": (
        lambda: Query.from_json({"evnt": "a"}),
        QueryError,
        "query: the grammar has no clause 'evnt' here; did you mean \"event\"?",
    ),
    "query far": (
        lambda: Query.from_json({"zzz": 1}),
        QueryError,
        "query: the grammar has no clause 'zzz' here; it has and, or, engaged_time, engaged_completion, engaged_views, event, has_entered, has_not_entered, has_exited, has_not_exited, in_segment, in_second_party_segment, in_third_party_segment, in_connections_import_segment, not_in_second_party_segment, not_in_third_party_segment, not_in_connections_import_segment",
    ),
    "query two": (
        lambda: Query.from_json({"event": "a", "in_segment": 1}),
        QueryError,
        "query: an object with one clause is expected, got {'event': 'a', 'in_segment': 1}",
    ),
    "query empty and": (
        lambda: Query.from_json({"and": []}),
        QueryError,
        "query.and: a list that is not empty is expected, got []",
    ),
    "query event number": (
        lambda: Query.from_json({"event": 5, "frequency": {"equal_to": 1}}),
        QueryError,
        "query.event: a text that is not blank is expected, got 5",
    ),
    "query event blank": (
        lambda: Query.from_json({"event": " ", "frequency": {"equal_to": 1}}),
        QueryError,
        "query.event: a text that is not blank is expected, got ' '",
    ),
    "query frequency missing": (
        lambda: Query.from_json({"event": "E"}),
        QueryError,
        "query: the member \"frequency\" is missing, got {'event': 'E'}",
    ),
    "query member unknown": (
        lambda: Query.from_json({"event": "E", "frequency": {"equal_to": 1}, "x": 1}),
        QueryError,
        "query: the grammar has no member 'x' here; it has event, frequency, where, during",
    ),
    "query frequency list": (
        lambda: Query.from_json({"event": "E", "frequency": []}),
        QueryError,
        "query.frequency: an object is expected, got []",
    ),
    "query frequency two": (
        lambda: Query.from_json({"event": "E", "frequency": {"equal_to": 1, "less_than": 2}}),
        QueryError,
        "query.frequency: an object with one member is expected, got {'equal_to': 1, 'less_than': 2}",
    ),
    "query frequency word": (
        lambda: Query.from_json({"event": "E", "frequency": {"equal": 1}}),
        QueryError,
        "query.frequency: the grammar has no member 'equal' here; did you mean \"equal_to\"?",
    ),
    "query frequency text": (
        lambda: Query.from_json({"event": "E", "frequency": {"equal_to": "1"}}),
        QueryError,
        "query.frequency.equal_to: a number is expected, got '1'",
    ),
    "query frequency nan": (
        lambda: Query.from_json({"event": "E", "frequency": {"equal_to": float("inf")}}),
        QueryError,
        "query.frequency.equal_to: a finite number is expected, got inf",
    ),
    "query during unit": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "during": {"the_last": {"unit": "dayz", "value": 1}},
            }
        ),
        QueryError,
        "query.during.the_last.unit: the grammar has no word 'dayz' here; did you mean \"day\"?",
    ),
    "query during zero": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "during": {"the_last": {"unit": "days", "value": 0}},
            }
        ),
        QueryError,
        "query.during.the_last.value: a whole number of 1 or more is expected, got 0",
    ),
    "query during fraction": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "during": {"the_last": {"unit": "days", "value": 1.5}},
            }
        ),
        QueryError,
        "query.during.the_last.value: a whole number is expected, got 1.5",
    ),
    "query during word": (
        lambda: Query.from_json(
            {"event": "E", "frequency": {"equal_to": 1}, "during": "that_session"}
        ),
        QueryError,
        "query.during: the grammar has no word 'that_session' here; did you mean \"this_session\"?",
    ),
    "query views none": (
        lambda: Query.from_json({"engaged_views": {"times": {"equal_to": 1}}}),
        QueryError,
        "query.engaged_views: one of engaged_time and completion is expected, got {'times': {'equal_to': 1}}",
    ),
    "query segment flag": (
        lambda: Query.from_json({"in_segment": True}),
        QueryError,
        "query.in_segment: a text or a whole number is expected, got True",
    ),
    "query condition value": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "where": {"property": "p", "condition": {"equal_to": None}},
            }
        ),
        QueryError,
        "query.where.condition.equal_to: a text, a number, true or false is expected, got None",
    ),
    "query condition list": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "where": {"property": "p", "condition": {"contains": []}},
            }
        ),
        QueryError,
        "query.where.condition.contains: a value or a list of values is expected, got []",
    ),
    "query condition flag": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "where": {"property": "p", "condition": {"boolean_equal_to": 1}},
            }
        ),
        QueryError,
        "query.where.condition.boolean_equal_to: true or false is expected, got 1",
    ),
    "query condition time": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "where": {"property": "p", "condition": {"date_equal_to": 5}},
            }
        ),
        QueryError,
        "query.where.condition.date_equal_to: a text that is not blank is expected, got 5",
    ),
    "query condition order": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "where": {"property": "p", "condition": {"greater_than": True}},
            }
        ),
        QueryError,
        "query.where.condition.greater_than: a number is expected, got True",
    ),
    "query condition range": (
        lambda: Query.from_json(
            {
                "event": "E",
                "frequency": {"equal_to": 1},
                "where": {"property": "p", "condition": {"between": 5}},
            }
        ),
        QueryError,
        "query.where.condition.between: an object is expected, got 5",
    ),
    "two windows": (
        lambda: event("E").in_the_last(days=1).in_this_session(),
        QueryError,
        "A clause takes one time window; it has: in the last day",
    ),
    "two numbers": (
        lambda: event("E").at_least(1).at_most(2),
        QueryError,
        "A clause has one number; it has: at least 1. Join two clauses by &.",
    ),
    "where of another kind": (
        lambda: event("E").where(5),
        QueryError,
        'where() takes a condition, such as prop("name").contains("text"), got 5.',
    ),
    "views neither": (
        lambda: engaged_views(),
        QueryError,
        "engaged_views() takes seconds or completion, exactly one of the two, got neither.",
    ),
    "views both": (
        lambda: engaged_views(at_least(1), completion=at_least(1)),
        QueryError,
        "engaged_views() takes seconds or completion, exactly one of the two, got both.",
    ),
    "comparison": (
        lambda: engaged_time(5),
        QueryError,
        "seconds must be a comparison such as at_least(30), got 5.",
    ),
    "no negative": (
        lambda: ~event("E").in_this_session().at_least(2).where(prop("p").equal_to(1)),
        QueryError,
        'The grammar has no negative form of this part: had at least 2 "E" events in this session where p is 1',
    ),
    "and": (
        lambda: event("E") and event("F"),
        TypeError,
        "Write & for and, | for or, ~ for not, and put parentheses around each part.",
    ),
    "connections": (
        lambda: in_connections_import_segment("p", value="v"),
        QueryError,
        "in_connections_import_segment() takes a provider, or a field_name and its value.",
    ),
    "number negative": (
        lambda: at_least(-1),
        QueryError,
        "number: a number of 0 or more is expected, got -1",
    ),
    "number text": (
        lambda: event("E").at_least("1"),
        QueryError,
        "number: a number is expected, got '1'",
    ),
    "window none": (
        lambda: event("E").in_the_last(),
        QueryError,
        "in_the_last() takes one of minutes, hours, days, weeks, months, got none.",
    ),
    "window two": (
        lambda: event("E").in_the_last(days=1, hours=2),
        QueryError,
        "in_the_last() takes one of minutes, hours, days, weeks, months, got hours and days.",
    ),
    "window zero": (
        lambda: event("E").in_the_last(days=0),
        QueryError,
        "days: a whole number of 1 or more is expected, got 0",
    ),
    "span": (
        lambda: prop("p").between(2, 1),
        QueryError,
        "A range takes two numbers, the smaller one first, or two times, got 2 to 1.",
    ),
    "span mixed": (
        lambda: prop("p").between(2, "x"),
        QueryError,
        "A range takes two numbers, the smaller one first, or two times, got 2 to 'x'.",
    ),
    "value none": (
        lambda: prop("p").equal_to(None),
        QueryError,
        "equal_to: a text, a number, true or false is expected, got None",
    ),
    "property blank": (
        lambda: prop(" ").equal_to(1),
        QueryError,
        "property: a text that is not blank is expected, got ' '",
    ),
    "window text": (
        lambda: event("E").in_the_last(days="x"),
        QueryError,
        "days: a whole number is expected, got 'x'",
    ),
    "in segment blank": (
        lambda: in_segment(" "),
        QueryError,
        "segment: a text that is not blank is expected, got ' '",
    ),
    "query on both": (
        lambda: Query.from_json({"engaged_time": {"seconds": {"equal_to": 1}, "x": 1}}),
        QueryError,
        "query.engaged_time: the grammar has no member 'x' here; it has seconds, where, during",
    ),
}


@pytest.mark.parametrize(("mistake", "kind", "text"), MISTAKES.values(), ids=list(MISTAKES))
def test_mistakes(mistake: Any, kind: type[Exception], text: str) -> None:
    """The error says what is wrong, where, and what may stand there, to the letter."""
    with pytest.raises(kind) as caught:
        mistake()
    assert type(caught.value) is kind
    assert str(caught.value) == text


def test_text_that_is_nested_too_deeply() -> None:
    """JSON text that Python cannot read for its depth is an error like the others."""
    with pytest.raises(QueryError, match="^query: it is n"):
        Query.from_json("[" * 200_000)
