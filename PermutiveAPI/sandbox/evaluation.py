"""Whether a user falls into a cohort: its query held against what the sandbox knows of the user.

Event and membership clauses are evaluated for real. The sandbox measures no engagement and keeps no
record of who entered or left a segment: for these clauses a user was engaged for no time, in no view, and
has neither entered nor left anything. Segments of imports have no members. How Permutive treats a property
that is missing is not published; here it fulfils the negative operators and ``is_empty`` alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from .._Utils.decoding import parse_timestamp
from ..Query.conditions import Condition
from ..Query.engagement import EngagedCompletion, EngagedTime, EngagedViews
from ..Query.events import EventClause
from ..Query.logic import Joint
from ..Query.membership import InSegment, Membership, Transition
from ..Query.numbers import THIS_SESSION, Comparison, Window
from ..Query.operators import Operation
from ..Query.properties import AggregateTest, Emptiness, PropertyTest
from ..Query.query import Query
from ..Query.reading import QueryError
from .shapes import JSONObject

_JOIN: Mapping[str, Callable[[Iterable[bool]], bool]] = {"and": all, "or": any}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "greater_than": operator.gt,
    "greater_than_or_equal_to": operator.ge,
    "equal_to": operator.eq,
    "less_than_or_equal_to": operator.le,
    "less_than": operator.lt,
}
# A month is taken as 30 days.
_SECONDS = {
    "minutes": 60,
    "hours": 3600,
    "days": 86_400,
    "weeks": 7 * 86_400,
    "months": 30 * 86_400,
}
_MISSING = object()


@dataclass(frozen=True)
class User:
    """What is known of a user when a query is evaluated.

    Attributes
    ----------
    events : sequence of dict
        The user's events as the service keeps them, with "name", "time" and "properties".
    now : datetime
        The aware time from which windows reach back.
    session_id : str, optional
        The current session; None where no event told one.
    is_in : callable
        Tells whether the user is in the segment or cohort with a code.
    """

    events: Sequence[JSONObject]
    now: datetime
    session_id: str | None
    is_in: Callable[[str], bool]


def query_fault(query: JSONObject) -> str | None:
    """Return where a query departs from the grammar, or None."""
    try:
        Query.from_json(query)
    except QueryError as error:
        return str(error)
    return None


def cohorts_of(
    cohorts: Sequence[JSONObject], events: Sequence[JSONObject], now: str
) -> list[JSONObject]:
    """Return the cohorts into which a user falls.

    Those without a query, and those whose query is none of the grammar, have nobody in them; so has
    a cohort whose query asks, by way of others, for the cohort itself.

    Parameters
    ----------
    cohorts : sequence of dict
        The cohorts that may be answered; a query may name their codes.
    events : sequence of dict
        The user's events, the latest last.
    now : str
        The service's time.
    """
    queries = {str(cohort["code"]): _query_of(cohort) for cohort in cohorts}
    asked: set[str] = set()

    def is_in(code: str) -> bool:
        query = queries.get(code)
        if query is None or code in asked:
            return False
        asked.add(code)
        try:
            return matches(query, user)
        finally:
            asked.discard(code)

    session = events[-1].get("session_id") if events else None
    user = User(events, moment(now), session, is_in)
    return [cohort for cohort in cohorts if is_in(str(cohort["code"]))]


def _query_of(cohort: JSONObject) -> Query | None:
    try:
        return Query.from_json(cohort["query"])
    except (KeyError, QueryError):
        return None


def matches(query: Query, user: User) -> bool:
    """Tell whether a query is true of a user."""
    if isinstance(query, Joint):
        return _JOIN[query.joiner](matches(part, user) for part in query.parts)
    return _CLAUSES[type(query)](query, user)


def _event(clause: EventClause, user: User) -> bool:
    frequency = clause.frequency
    count = sum(
        event["name"] == clause.name
        and (clause.during is None or _within(clause.during, event, user))
        and (clause.condition is None or fulfils(clause.condition, event))
        for event in user.events
    )
    return count >= 1 if frequency is None else _compared(frequency, count)


_CLAUSES: Mapping[type, Callable[[Any, User], bool]] = {
    EventClause: _event,
    EngagedTime: lambda clause, user: _compared(clause.seconds, 0),
    EngagedCompletion: lambda clause, user: _compared(clause.completion, 0),
    EngagedViews: lambda clause, user: _compared(clause.times, 0),
    Transition: lambda clause, user: clause.negative,
    Membership: lambda clause, user: clause.negative,
    InSegment: lambda clause, user: user.is_in(str(clause.segment)),
}


def _compared(comparison: Comparison, number: float) -> bool:
    return _COMPARE[comparison.operator](number, comparison.number)


def _within(window: Window, event: JSONObject, user: User) -> bool:
    if window.unit == THIS_SESSION:
        session = event.get("session_id")
        return session is not None and session == user.session_id
    reach = timedelta(seconds=window.length * _SECONDS[window.unit])
    time = parse_timestamp(event["time"])
    return time is not None and user.now - reach <= time <= user.now


# --- Conditions ----------------------------------------------------------------------------------


def fulfils(condition: Condition, thing: JSONObject) -> bool:
    """Tell whether an event, or an object in a list of its, fulfils a condition."""
    if isinstance(condition, Joint):
        return _JOIN[condition.joiner](fulfils(part, thing) for part in condition.parts)
    if isinstance(condition, PropertyTest):
        return _passes(condition.operation, _value(thing, condition.name))
    if isinstance(condition, Emptiness):
        empty = _value(thing, condition.name) in (_MISSING, None, "", [], {})
        return empty is (condition.operator == "is_empty")
    if isinstance(condition, AggregateTest):
        return _aggregated(condition, thing)
    raise TypeError(f"no condition: {condition!r}")


def _value(thing: JSONObject, path: str) -> Any:
    value: Any = thing
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = cast("dict[str, Any]", value)[name]
    return value


def _aggregated(test: AggregateTest, thing: JSONObject) -> bool:
    aggregate = test.aggregate
    found = _value(thing, aggregate.name)
    things = cast("list[Any]", found) if isinstance(found, list) else []
    objects = [cast(JSONObject, each) for each in things if isinstance(each, dict)]
    values = [
        _value(each, aggregate.of)
        for each in objects
        if aggregate.filter is None or fulfils(aggregate.filter, each)
    ]
    values = [value for value in values if value is not _MISSING]
    if aggregate.function in ("any", "all"):
        decide = any if aggregate.function == "any" else all
        return decide(_passes(test.operation, value) for value in values)
    if aggregate.function == "count":
        return _passes(test.operation, len(values))
    numbers = [value for value in values if _is_number(value)]
    if aggregate.function == "mean":
        mean = sum(numbers) / len(numbers) if numbers else _MISSING
        return _passes(test.operation, mean)
    combine = sum if aggregate.function == "sum" else math.prod
    return _passes(test.operation, combine(numbers))


def _passes(operation: Operation, value: Any) -> bool:
    name = operation.operator
    if name in _NEGATIVE:
        return not _passes(Operation(_NEGATIVE[name], operation.value), value)
    if name in _BETWEEN:
        start, end = operation.value
        return _ordered("less_than_or_equal_to", start, value) and _ordered(
            "less_than_or_equal_to", value, end
        )
    several = operation.value
    wanted = (
        cast("tuple[Any, ...]", several) if isinstance(several, tuple) else (several,)
    )
    return any(_TESTS[name](value, each) for each in wanted)


def _contains(value: Any, wanted: Any) -> bool:
    return isinstance(value, str) and wanted in value


def _lists(value: Any, wanted: Any) -> bool:
    return isinstance(value, list) and any(
        _equal(each, wanted) for each in cast("list[Any]", value)
    )


def _equal(value: Any, wanted: Any) -> bool:
    return isinstance(value, bool) is isinstance(wanted, bool) and value == wanted


def _equal_times(value: Any, wanted: Any) -> bool:
    return _ordered("equal_to", value, wanted)


def _ordered(comparison: str, one: Any, other: Any) -> bool:
    """Compare two numbers, or two times."""
    if isinstance(one, str) and isinstance(other, str):
        try:
            one, other = moment(one), moment(other)
        except ValueError:
            return False
    elif not (_is_number(one) and _is_number(other)):
        return False
    return _COMPARE[comparison](one, other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_NEGATIVE = {
    "not_equal_to": "equal_to",
    "does_not_contain": "contains",
    "list_does_not_contain": "list_contains",
}
_BETWEEN = ("between", "float_between", "date_between")
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equal_to": _equal,
    "boolean_equal_to": _equal,
    "float_equal_to": _equal,
    "contains": _contains,
    "list_contains": _lists,
    "list_contains_integer": _lists,
    "date_equal_to": _equal_times,
    **{
        name: lambda value, wanted, name=name: _ordered(name, value, wanted)
        for name in _COMPARE
        if name != "equal_to"
    },
}


def moment(text: str) -> datetime:
    """Read a time as events have it; without an offset it is UTC.

    Raises
    ------
    ValueError
        If it is none.
    """
    read = parse_timestamp(text)
    if read is None:
        raise ValueError(f"not a time: {text!r}")
    return read
