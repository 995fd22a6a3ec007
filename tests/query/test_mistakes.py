"""The errors of wrong queries, with their whole texts."""

# Type checkers find most of these mistakes.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportOperatorIssue=false

from __future__ import annotations

from typing import Any, Callable

import pandas as pd
import pytest

from PermutiveAPI import Cohort
from PermutiveAPI.Query import (
    QueryError,
    at_least,
    at_most,
    engaged_time,
    engaged_views,
    event,
    from_json,
    has_entered,
    has_exited,
    in_connections_import_segment,
    in_second_party_segment,
    in_segment,
    in_third_party_segment,
    prop,
)
from tests.support.mistakes import Mistake, assert_raises, each
from tests.support.rows import for_each


def clause(**members: Any) -> dict[str, Any]:
    """Return an event clause with further members."""
    return {"event": "E", "frequency": {"equal_to": 1}, **members}


def during(value: Any, unit: str) -> dict[str, Any]:
    """Return an event clause with a time window."""
    return clause(during={"the_last": {"unit": unit, "value": value}})


def where(condition: Any) -> dict[str, Any]:
    """Return an event clause with a condition."""
    return clause(where={"property": "p", "condition": condition})


CLAUSES = "and, or, engaged_time, engaged_completion, engaged_views, event, has_entered, has_not_entered, has_exited, has_not_exited, in_segment, in_second_party_segment, in_third_party_segment, in_connections_import_segment, not_in_second_party_segment, not_in_third_party_segment, not_in_connections_import_segment"
READ: dict[str, tuple[Any, str]] = {
    "text": (
        "{",
        "query: it is not valid JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "empty object": ({}, "query: an object with one clause is expected, got {}"),
    "list": ([], "query: an object with one clause is expected, got []"),
    "misspelt clause": (
        {"evnt": "a", "frequency": {"equal_to": 1}},
        "query: the grammar has no clause 'evnt' here; did you mean \"event\"?",
    ),
    "misspelt clause in a list": (
        {"or": [{"in_segment": 1}, {"in_segmnt": 1}]},
        "query.or[1]: the grammar has no clause 'in_segmnt' here; did you mean \"in_segment\"?",
    ),
    "clause in capitals": (
        {"AND": [clause()]},
        "query: the grammar has no clause 'AND' here; did you mean \"and\"?",
    ),
    "unknown clause": (
        {"type": "users"},
        f"query: the grammar has no clause 'type' here; it has {CLAUSES}",
    ),
    "two unknown clauses": (
        {"colour": 1, "size": 2},
        "query: an object with one clause is expected, got {'colour': 1, 'size': 2}",
    ),
    "two clauses": (
        {"event": "a", "in_segment": 1},
        "query: an object with one clause is expected, got {'event': 'a', 'in_segment': 1}",
    ),
    "empty and": ({"and": []}, "query.and: a list that is not empty is expected, got []"),
    "and beside a clause": (
        {"and": [{"in_segment": 1}], "in_segment": 1},
        "query: an object with one member is expected, got {'and': [{'in_segment': 1}], 'in_segment': 1}",
    ),
    "event number": (clause(event=5), "query.event: a text that is not blank is expected, got 5"),
    "event blank": (
        clause(event=" "),
        "query.event: a text that is not blank is expected, got ' '",
    ),
    "frequency missing": (
        {"event": "E"},
        "query: the member \"frequency\" is missing, got {'event': 'E'}",
    ),
    "misspelt member": (
        clause(when=1),
        "query: the grammar has no member 'when' here; did you mean \"where\"?",
    ),
    "unknown member": (
        clause(x=1),
        "query: the grammar has no member 'x' here; it has event, frequency, where, during",
    ),
    "unknown member of engaged_time": (
        {"engaged_time": {"seconds": {"equal_to": 1}, "x": 1}},
        "query.engaged_time: the grammar has no member 'x' here; it has seconds, where, during",
    ),
    "frequency list": (clause(frequency=[]), "query.frequency: an object is expected, got []"),
    "frequency number": (clause(frequency=2), "query.frequency: an object is expected, got 2"),
    "two comparisons": (
        clause(frequency={"equal_to": 1, "less_than": 2}),
        "query.frequency: an object with one member is expected, got {'equal_to': 1, 'less_than': 2}",
    ),
    "misspelt comparison": (
        clause(frequency={"equal": 1}),
        "query.frequency: the grammar has no member 'equal' here; did you mean \"equal_to\"?",
    ),
    "comparison with a text": (
        clause(frequency={"equal_to": "1"}),
        "query.frequency.equal_to: a number is expected, got '1'",
    ),
    "comparison with infinity": (
        clause(frequency={"equal_to": float("inf")}),
        "query.frequency.equal_to: a finite number is expected, got inf",
    ),
    "misspelt unit": (
        during(1, "dayz"),
        "query.during.the_last.unit: the grammar has no word 'dayz' here; did you mean \"day\"?",
    ),
    "no days": (
        during(0, "days"),
        "query.during.the_last.value: a whole number of 1 or more is expected, got 0",
    ),
    "half a day": (
        during(1.5, "days"),
        "query.during.the_last.value: a whole number is expected, got 1.5",
    ),
    "misspelt session": (
        clause(during="that_session"),
        "query.during: the grammar has no word 'that_session' here; did you mean \"this_session\"?",
    ),
    "unknown window": (
        clause(during="today"),
        "query.during: the grammar has no word 'today' here; it has this_session",
    ),
    "views without a measure": (
        {"engaged_views": {"times": {"equal_to": 1}}},
        "query.engaged_views: one of engaged_time and completion is expected, got {'times': {'equal_to': 1}}",
    ),
    "views with two measures": (
        {"engaged_views": {"engaged_time": {}, "completion": {}, "times": {}}},
        "query.engaged_views: one of engaged_time and completion is expected, got {'engaged_time': {}, 'completion': {}, 'times': {}}",
    ),
    "misspelt measure": (
        {"engaged_views": {"complete": {"equal_to": 1}, "times": {"equal_to": 1}}},
        "query.engaged_views: the grammar has no member 'complete' here; did you mean \"completion\"?",
    ),
    "segment missing": (
        {"has_entered": {}},
        'query.has_entered: the member "segment" is missing, got {}',
    ),
    "segment of another party missing": (
        {"in_second_party_segment": {"provider": "p"}},
        "query.in_second_party_segment: the member \"segment\" is missing, got {'provider': 'p'}",
    ),
    "segment true": (
        {"in_segment": True},
        "query.in_segment: a text or a whole number is expected, got True",
    ),
    "segment object": (
        {"in_segment": {}},
        "query.in_segment: a text or a whole number is expected, got {}",
    ),
    "misspelt operator": (
        where({"contain": "x"}),
        "query.where.condition: the grammar has no member 'contain' here; did you mean \"contains\"?",
    ),
    "misspelt word": (
        where("is_emtpy"),
        "query.where.condition: the grammar has no word 'is_emtpy' here; did you mean \"is_empty\"?",
    ),
    "misspelt function": (
        where({"function": "summ", "property": "b", "condition": {"equal_to": 1}}),
        "query.where.condition.function: the grammar has no word 'summ' here; did you mean \"sum\"?",
    ),
    "number for a text": (
        clause(where={"and": [{"property": "a", "condition": {"contains": 5}}]}),
        "query.where.and[0].condition.contains: a text is expected, got 5",
    ),
    "null for a value": (
        where({"equal_to": None}),
        "query.where.condition.equal_to: a text, a number, true or false is expected, got None",
    ),
    "object for a value": (
        where({"equal_to": {}}),
        "query.where.condition.equal_to: a value or a list of values is expected, got {}",
    ),
    "no values": (
        where({"contains": []}),
        "query.where.condition.contains: a value or a list of values is expected, got []",
    ),
    "number for true": (
        where({"boolean_equal_to": 1}),
        "query.where.condition.boolean_equal_to: true or false is expected, got 1",
    ),
    "number for a date": (
        where({"date_equal_to": 5}),
        "query.where.condition.date_equal_to: a text that is not blank is expected, got 5",
    ),
    "true for a number": (
        where({"greater_than": True}),
        "query.where.condition.greater_than: a number is expected, got True",
    ),
    "number for a range": (
        where({"between": 5}),
        "query.where.condition.between: an object is expected, got 5",
    ),
    "range without an end": (
        where({"between": {"start": 1}}),
        "query.where.condition.between: the member \"end\" is missing, got {'start': 1}",
    ),
}


@for_each(("data", "text"), READ)
def test_reading(data: Any, text: str) -> None:
    """JSON that does not follow the grammar is an error that says where, and what is expected there."""
    assert_raises(lambda: from_json(data), QueryError, text)


JOINING = "Write & for and, | for or, ~ for not, and put parentheses around each part."
NO_NEGATIVE = "The grammar has no negative form of this part: "
MEASURES = "engaged_views() takes seconds or completion, exactly one of the two, got "
CONNECTIONS = "in_connections_import_segment() takes a provider, or a field_name and its value."
UNITS = "in_the_last() takes one of minutes, hours, days, weeks, months, got "
RANGE = "A range takes two numbers, the smaller one first, or two times, got "
WRITTEN: dict[str, Mistake] = {
    "and": (lambda: event("E") and event("F"), TypeError, JOINING),
    "or": (lambda: event("E") or event("F"), TypeError, JOINING),
    "not": (lambda: not event("E"), TypeError, JOINING),
    "no negative form": (
        lambda: ~event("E").in_this_session().at_least(2).where(prop("p").equal_to(1)),
        QueryError,
        f'{NO_NEGATIVE}had at least 2 "E" events in this session where p is 1',
    ),
    "no negative form of a part": (
        lambda: ~(has_entered(1) & in_segment(5)),
        QueryError,
        f"{NO_NEGATIVE}are in segment 5",
    ),
    "no negative form of a condition": (
        lambda: ~prop("a").greater_than(1),
        QueryError,
        f"{NO_NEGATIVE}a is more than 1",
    ),
    "two windows": (
        lambda: event("E").in_the_last(days=2).in_this_session(),
        QueryError,
        "A clause takes one time window; it has: in the last 2 days",
    ),
    "two numbers": (
        lambda: event("E").at_least(1).at_most(2),
        QueryError,
        "A clause has one number; it has: at least 1. Join two clauses by &.",
    ),
    "no unit": (lambda: event("E").in_the_last(), QueryError, f"{UNITS}none."),
    "two units": (
        lambda: event("E").in_the_last(days=1, hours=2),
        QueryError,
        f"{UNITS}hours and days.",
    ),
    "no days": (
        lambda: event("E").in_the_last(days=0),
        QueryError,
        "days: a whole number of 1 or more is expected, got 0",
    ),
    "half a day": (
        lambda: event("E").in_the_last(days=0.5),
        QueryError,
        "days: a whole number is expected, got 0.5",
    ),
    "text for days": (
        lambda: event("E").in_the_last(days="x"),
        QueryError,
        "days: a whole number is expected, got 'x'",
    ),
    "negative number": (
        lambda: at_least(-1),
        QueryError,
        "number: a number of 0 or more is expected, got -1",
    ),
    "NaN": (
        lambda: at_least(float("nan")),
        QueryError,
        "number: a finite number is expected, got nan",
    ),
    "true for a number": (
        lambda: at_most(True),
        QueryError,
        "number: a number is expected, got True",
    ),
    "text for a number": (
        lambda: event("E").at_least("1"),
        QueryError,
        "number: a number is expected, got '1'",
    ),
    "number for a comparison": (
        lambda: engaged_time(30),
        QueryError,
        "seconds must be a comparison such as at_least(30), got 30.",
    ),
    "number for a completion": (
        lambda: engaged_views(completion=0.5),
        QueryError,
        "completion must be a comparison such as at_least(30), got 0.5.",
    ),
    "views without a measure": (
        lambda: engaged_views(times=at_least(1)),
        QueryError,
        f"{MEASURES}neither.",
    ),
    "views with two measures": (
        lambda: engaged_views(at_least(1), completion=at_least(1)),
        QueryError,
        f"{MEASURES}both.",
    ),
    "number for a condition": (
        lambda: event("E").where(5),
        QueryError,
        'where() takes a condition, such as prop("name").contains("text"), got 5.',
    ),
    "number for a text": (
        lambda: prop("a").contains(5),
        QueryError,
        "contains: a text is expected, got 5",
    ),
    "number for true": (
        lambda: prop("a").boolean_equal_to(1),
        QueryError,
        "boolean_equal_to: true or false is expected, got 1",
    ),
    "None for a value": (
        lambda: prop("p").equal_to(None),
        QueryError,
        "equal_to: a text, a number, true or false is expected, got None",
    ),
    "no values": (
        lambda: prop("a").equal_to([]),
        QueryError,
        "equal_to: a value or a list of values is expected, got []",
    ),
    "NaT for a time": (
        lambda: prop("a").less_than(pd.NaT),
        QueryError,
        "less_than: a time is expected, got NaT",
    ),
    "None for a number or a time": (
        lambda: prop("a").less_than(None),
        QueryError,
        "less_than: a number or a time is expected, got None",
    ),
    "end before the start": (lambda: prop("p").between(2, 1), QueryError, f"{RANGE}2 to 1."),
    "range from a number to a time": (
        lambda: prop("p").between(2, "2025-01-01"),
        QueryError,
        f"{RANGE}2 to '2025-01-01'.",
    ),
    "range from a time to a number": (
        lambda: prop("p").between("2025-01-01", 1),
        QueryError,
        f"{RANGE}'2025-01-01' to 1.",
    ),
    "blank event": (
        lambda: event(" "),
        QueryError,
        "event: a text that is not blank is expected, got ' '",
    ),
    "blank property": (
        lambda: prop(" "),
        QueryError,
        "property: a text that is not blank is expected, got ' '",
    ),
    "empty segment": (
        lambda: in_segment(""),
        QueryError,
        "segment: a text that is not blank is expected, got ''",
    ),
    "true for a segment": (
        lambda: in_segment(True),
        QueryError,
        "segment: a text or a whole number is expected, got True",
    ),
    "neither provider nor field": (in_connections_import_segment, QueryError, CONNECTIONS),
    "provider and field": (
        lambda: in_connections_import_segment("p", field_name="f", value="v"),
        QueryError,
        CONNECTIONS,
    ),
    "provider and value": (
        lambda: in_connections_import_segment("p", value="v"),
        QueryError,
        CONNECTIONS,
    ),
}


@each(WRITTEN)
def test_writing(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    """A mistake is an error in the line that makes it, and says what may stand there."""
    assert_raises(call, kind, text)


REFUSED_BY_PYTHON: dict[str, Mistake] = {
    "condition for a query": (
        lambda: event("E") & prop("a").is_empty(),
        TypeError,
        "unsupported operand",
    ),
    "query for a condition": (
        lambda: prop("a").is_empty() | event("E"),
        TypeError,
        "unsupported operand",
    ),
    "dictionary for a query": (
        lambda: event("E") & {"in_segment": 1},
        TypeError,
        "unsupported operand",
    ),
    "misspelt unit": (lambda: event("E").in_the_last(day=2), TypeError, "day"),
    "misspelt operator": (lambda: prop("a").contain("x"), AttributeError, "contain"),
    "misspelt comparison": (lambda: event("E").at_last(2), AttributeError, "at_last"),
    "provider in the place of a segment": (
        lambda: in_third_party_segment("brand", "s1"),
        TypeError,
        "takes 1 positional argument",
    ),
}


@for_each(("call", "kind", "words"), REFUSED_BY_PYTHON)
def test_what_python_refuses(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    """A misspelt name, and an operand of another kind, raise Python's own errors."""
    with pytest.raises(kind, match=words):
        call()


ARGUMENTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "entered": (has_entered, "segment"),
    "exited": (has_exited, "segment"),
    "in segment": (in_segment, "segment"),
    "second party's provider": (lambda bad: in_second_party_segment(bad, "s"), "provider"),
    "second party's segment": (lambda bad: in_second_party_segment("p", bad), "segment"),
    "third party's segment": (in_third_party_segment, "segment"),
    "third party's provider": (lambda bad: in_third_party_segment(1, provider=bad), "provider"),
    "connection's provider": (in_connections_import_segment, "provider"),
    "connection's field": (
        lambda bad: in_connections_import_segment(field_name=bad, value="v"),
        "field_name",
    ),
    "connection's value": (
        lambda bad: in_connections_import_segment(field_name="f", value=bad),
        "value",
    ),
    "event": (event, "event"),
    "property": (prop, "property"),
    "any": (prop("a").any, "property"),
    "at least": (at_least, "number"),
}


@for_each(("make", "name"), ARGUMENTS)
def test_the_argument_is_named(make: Callable[[Any], Any], name: str) -> None:
    """The error of a value of a wrong kind begins with the argument's name."""
    with pytest.raises(QueryError, match=f"^{name}: a .*, got \\[1\\]$"):
        make([1])


def test_a_long_value_is_shortened() -> None:
    """An error shows only the beginning of a long value."""
    with pytest.raises(QueryError, match=r"^segment: .*, got Cohort\(name='c', code=5, .*\.\.\.$"):
        has_entered(Cohort("c", code=5))


def test_nested_too_deeply() -> None:
    """A query that is nested too deeply, as data or as text, is an error like the others."""
    text = "query: it is nested too deeply, or holds itself"
    query: dict[str, Any] = {"in_segment": 1}
    for _ in range(20_000):
        query = {"and": [query]}
    assert_raises(lambda: from_json(query), QueryError, text)
    with pytest.raises(QueryError, match="^query: it is n"):  # Some releases of Python read it.
        from_json("[" * 200_000)
