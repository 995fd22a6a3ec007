"""``dir()`` and completion of a query show what users call and read, and no internals."""

from __future__ import annotations

import types
from typing import Any, Dict

import PermutiveAPI.Query
from PermutiveAPI import Query
from PermutiveAPI.Query import (
    at_least,
    engaged_completion,
    engaged_time,
    engaged_views,
    event,
    has_entered,
    in_segment,
    in_third_party_segment,
    prop,
)
from tests.support.rows import for_each

QUERY = "describe from_json to_json"
CONDITION = "describe to_json"
WINDOWS = "during in_the_last in_this_session"
TESTS = """between boolean_equal_to contains date_between date_equal_to does_not_contain equal_to
    float_between float_equal_to greater_than greater_than_or_equal_to less_than less_than_or_equal_to
    list_contains list_contains_integer list_does_not_contain not_equal_to"""

SHOWN: Dict[str, Any] = {
    "event": (
        event("a"),
        f"{QUERY} {WINDOWS} name condition where "
        "frequency at_least at_most exactly fewer_than more_than",
    ),
    "engaged_time": (engaged_time(at_least(1)), f"{QUERY} {WINDOWS} seconds condition where"),
    "engaged_completion": (engaged_completion(at_least(1)), f"{QUERY} completion condition where"),
    "engaged_views": (
        engaged_views(at_least(1)),
        f"{QUERY} {WINDOWS} measure amount times condition where",
    ),
    "has_entered": (has_entered(1), f"{QUERY} {WINDOWS} segment way negative"),
    "in_segment": (in_segment(1), f"{QUERY} segment"),
    "in_third_party_segment": (in_third_party_segment(1), f"{QUERY} party fields negative"),
    "joined queries": (in_segment(1) & in_segment(2), QUERY),
    "test": (prop("a").contains("x"), f"{CONDITION} name operation"),
    "emptiness": (prop("a").is_empty(), f"{CONDITION} name operator"),
    "test of an aggregate": (prop("a").sum("b").equal_to(1), f"{CONDITION} aggregate operation"),
    "joined conditions": (prop("a").is_empty() | prop("b").is_empty(), CONDITION),
    "property": (prop("a"), f"{TESTS} name is_empty is_not_empty any all sum product count mean"),
    "aggregate": (prop("a").sum("b"), f"{TESTS} name function of filter where"),
    "comparison": (at_least(1), f"{CONDITION} operator number"),
    "window": (event("a").in_the_last(days=1).during, f"{CONDITION} length unit"),
    "operation": (getattr(prop("a").contains("x"), "operation"), f"{CONDITION} operator value"),
}


@for_each(("made", "names"), SHOWN)
def test_what_is_shown(made: Any, names: str) -> None:
    """Only methods and fields for users have names without an underscore."""
    shown = [name for name in dir(made) if not name.startswith("_")]
    assert shown == sorted(names.split())


def test_the_module_and_the_class() -> None:
    """`from PermutiveAPI import Query` is the module, and `PermutiveAPI.Query.Query` the class."""
    assert isinstance(Query, types.ModuleType) and Query is PermutiveAPI.Query
    assert isinstance(in_segment(1), PermutiveAPI.Query.Query)
