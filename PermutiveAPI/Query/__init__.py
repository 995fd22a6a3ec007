"""Typed queries for cohorts: a misspelt one fails before it is sent.

>>> from PermutiveAPI.Query import event, in_segment, prop
>>> football = event("Pageview").where(prop("properties.client.url").contains("football"))
>>> query = football.at_least(2).in_the_last(days=30) & in_segment(12345)
>>> print(query.describe())
Users who had at least 2 "Pageview" events in the last 30 days where properties.client.url contains "football" and are in segment 12345

The functions below make clauses, and the methods of a clause refine it. ``&`` and ``|`` join queries, and ``~``
negates one. As always in Python, ``&`` binds before ``|``. Use a query as ``Cohort(query=...)``, or send
``query.to_json()``. ``describe()`` says what a query means, and ``repr()`` shows the code that makes it.
"""

from .conditions import Condition
from .engagement import engaged_completion, engaged_time, engaged_views
from .events import event
from .membership import (
    has_entered,
    has_exited,
    in_connections_import_segment,
    in_second_party_segment,
    in_segment,
    in_third_party_segment,
)
from .numbers import at_least, at_most, exactly, fewer_than, more_than
from .properties import prop
from .query import Query
from .reading import QueryError

from_json = Query.from_json

__all__ = [
    "Condition",
    "Query",
    "QueryError",
    "at_least",
    "at_most",
    "engaged_completion",
    "engaged_time",
    "engaged_views",
    "event",
    "exactly",
    "fewer_than",
    "from_json",
    "has_entered",
    "has_exited",
    "in_connections_import_segment",
    "in_second_party_segment",
    "in_segment",
    "in_third_party_segment",
    "more_than",
    "prop",
]
