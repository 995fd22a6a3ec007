"""Whether a user belongs to a cohort: evaluates its query with what the sandbox knows of the user.

Event clauses and ``in_segment`` are evaluated. The sandbox measures no engagement, and does not record
who entered or left a segment. So for these clauses a user was never engaged, had no view, and neither
entered nor left anything. Segments of imports have no members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .._Utils.codec.decoding import parse_timestamp
from ..Query.engagement import EngagedCompletion, EngagedTime, EngagedViews
from ..Query.events import EventClause
from ..Query.membership import InSegment, Membership, Transition
from ..Query.numbers import THIS_SESSION, Comparison, Window
from ..Query.query import JointQuery, Query
from ..Query.reading import QueryError
from .conditions import COMPARE, JOIN, fulfils, moment
from .shapes import JSONObject

# A month is taken as 30 days.
_SECONDS = {
    "minutes": 60,
    "hours": 3600,
    "days": 86_400,
    "weeks": 7 * 86_400,
    "months": 30 * 86_400,
}


@dataclass(frozen=True)
class User:
    """What is known about a user when a query is evaluated.

    Attributes
    ----------
    events : sequence of dict
        The user's stored events, with "name", "time" and "properties".
    now : datetime
        The end of time windows, with a time zone.
    session_id : str, optional
        The current session; None if the last event has none.
    is_in : callable
        Tells whether the user is in the segment or cohort with a code.
    """

    events: Sequence[JSONObject]
    now: datetime
    session_id: str | None
    is_in: Callable[[str], bool]


def cohorts_of(
    cohorts: Sequence[JSONObject], events: Sequence[JSONObject], now: str
) -> list[JSONObject]:
    """Return the cohorts that a user belongs to.

    Nobody belongs to a cohort that has no query, or whose query does not follow the grammar, or to
    cohorts that only refer to each other in a circle.

    Parameters
    ----------
    cohorts : sequence of dict
        The cohorts that may be returned; a query may refer to their codes.
    events : sequence of dict
        The user's events, the latest last.
    now : str
        The service's time.
    """
    session = events[-1].get("session_id") if events else None
    found: set[str] = set()
    user = User(events, moment(now), session, found.__contains__)
    queries = {str(cohort["code"]): _query_of(cohort) for cohort in cohorts}
    waiting = {code: query for code, query in queries.items() if query is not None}
    # Being in a cohort can only add further cohorts, since in_segment has no negative form. So a round
    # that adds none is the last one.
    while joined := {code for code, query in waiting.items() if matches(query, user)}:
        found |= joined
        waiting = {code: waiting[code] for code in waiting.keys() - joined}
    return [cohort for cohort in cohorts if str(cohort["code"]) in found]


def _query_of(cohort: JSONObject) -> Query | None:
    try:
        return Query.from_json(cohort["query"])
    except (KeyError, QueryError):
        return None


def matches(query: Query, user: User) -> bool:
    """Tell whether a query is true for a user."""
    match query:
        case JointQuery(joiner, parts):
            return JOIN[joiner](matches(part, user) for part in parts)
        case _:
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
    return COMPARE[comparison.operator](number, comparison.number)


def _within(window: Window, event: JSONObject, user: User) -> bool:
    if window.unit == THIS_SESSION:
        session = event.get("session_id")
        return session is not None and session == user.session_id
    time = parse_timestamp(event["time"])
    if time is None:
        return False
    age = (user.now - time).total_seconds()
    return 0 <= age <= window.length * _SECONDS[window.unit]
