"""``repr()`` of any query is the code that makes it, also if the query was read."""

from __future__ import annotations

import ast
from typing import Any, Dict

import black
from hypothesis import given, settings
from hypothesis import strategies as st

import PermutiveAPI.Query as Queries
from PermutiveAPI.Query import Condition, Query, at_least, event, from_json, prop

searching = settings(max_examples=30, deadline=None, database=None, derandomize=True)

# Few values, so that parts are often equal.
texts = st.sampled_from(["a", "it's", 'say "hi"', 'it\'s "b"', "\\\n", "\\'", "ü&|~("])
small = st.sampled_from([0, 1, 2, 0.5, 2.0])
numbers = st.sampled_from([-1, -0.5, 0, 1, 1.0, 10**20])
values = st.one_of(texts, numbers, st.booleans())
segments = st.sampled_from([1, 2, "1", "it's"])
days = st.sampled_from(["2025-01-01", "2025-02-01T00:00:00Z"])
UNITS = ("minutes", "hours", "days", "weeks", "months")


def one_or_more(strategy: "st.SearchStrategy[Any]") -> "st.SearchStrategy[Any]":
    """Return a value, or a list of one or two."""
    return strategy | st.lists(strategy, min_size=1, max_size=2)


# --- The grammar, as JSON ------------------------------------------------------------------------


def members(**strategies: Any) -> "st.SearchStrategy[Dict[str, Any]]":
    """Return objects with these members. A member whose name ends with an underscore may be absent."""
    required = {k: v for k, v in strategies.items() if not k.endswith("_")}
    optional = {k[:-1]: v for k, v in strategies.items() if k.endswith("_")}
    return st.fixed_dictionaries(required, optional=optional)


def one_member(**strategies: Any) -> "st.SearchStrategy[Dict[str, Any]]":
    """Return objects with one of these members."""
    return st.one_of(*(members(**{k: v}) for k, v in strategies.items()))


def joined(inner: "st.SearchStrategy[Any]") -> "st.SearchStrategy[Any]":
    """Return several parts, joined by "and" or by "or"."""
    several = st.lists(inner, min_size=1, max_size=3)
    return one_member(**{"and": several, "or": several})


ranges = members(start=numbers, end=numbers) | members(start=days, end=numbers | days)
tests = one_member(
    equal_to=one_or_more(values),
    not_equal_to=one_or_more(values),
    contains=one_or_more(texts),
    does_not_contain=one_or_more(texts),
    list_contains=one_or_more(values),
    list_does_not_contain=one_or_more(values),
    list_contains_integer=one_or_more(st.integers(0, 1)),
    greater_than=one_or_more(numbers | days),
    greater_than_or_equal_to=numbers | days,
    less_than=numbers | days,
    less_than_or_equal_to=numbers | days,
    boolean_equal_to=one_or_more(st.booleans()),
    float_equal_to=one_or_more(numbers),
    float_between=members(start=numbers, end=numbers),
    date_equal_to=one_or_more(days),
    date_between=members(start=days, end=days),
    between=ranges,
    is_empty=st.none() | values,
    is_not_empty=st.none() | values,
)
wheres = st.recursive(
    members(property=texts, condition=st.sampled_from(["is_empty", "is_not_empty"]))
    | members(property=texts, condition=tests),
    lambda inner: joined(inner)
    | members(
        property=texts,
        condition=members(
            function=st.sampled_from(["any", "all", "sum", "product", "count", "mean"]),
            property=texts,
            condition=tests,
            where_=inner,
        ),
    ),
    max_leaves=4,
)
comparisons = one_member(
    greater_than=small,
    greater_than_or_equal_to=small,
    equal_to=small,
    less_than_or_equal_to=small,
    less_than=small | st.just(-1),
)
windows = st.just("this_session") | members(
    the_last=members(unit=st.sampled_from([*UNITS, "day"]), value=st.integers(1, 2))
)
transitions = members(segment=segments, during_=windows)
second_party = members(provider=texts, segment=texts)
third_party = members(segment=segments, provider_=texts)
connections = members(provider=texts) | members(field_name=texts, value=st.just("") | texts)
optional = {"where_": wheres, "during_": windows}
queries = st.recursive(
    members(event=texts, frequency=comparisons, **optional)
    | one_member(
        engaged_time=members(seconds=comparisons, **optional),
        engaged_completion=members(completion=comparisons, where_=wheres),
        engaged_views=members(engaged_time=comparisons, times=comparisons, **optional)
        | members(completion=comparisons, times=comparisons, **optional),
        has_entered=transitions,
        has_not_entered=transitions,
        has_exited=transitions,
        has_not_exited=transitions,
        in_segment=segments,
        in_second_party_segment=second_party,
        not_in_second_party_segment=second_party,
        in_third_party_segment=third_party,
        not_in_third_party_segment=third_party,
        in_connections_import_segment=connections,
        not_in_connections_import_segment=connections,
    ),
    joined,
    max_leaves=6,
)


# --- What users write ----------------------------------------------------------------------------


def joined_by_users(inner: "st.SearchStrategy[Any]") -> "st.SearchStrategy[Any]":
    """Return several parts, joined by & and |."""
    return st.builds(lambda one, other: one & other, inner, inner) | st.builds(
        lambda one, other: one | other, inner, inner
    )


properties = st.builds(prop, texts)
simple_conditions = st.one_of(
    st.builds(lambda each, text: each.contains(text), properties, one_or_more(texts)),
    st.builds(lambda each, n: each.between(n, n), properties, numbers),
    st.builds(lambda each: each.is_empty(), properties),
)
conditions: "st.SearchStrategy[Condition]" = st.recursive(
    simple_conditions,
    lambda inner: joined_by_users(inner)
    | st.builds(
        lambda each, of, condition, value: each.any(of).where(condition).equal_to(value),
        properties,
        texts,
        inner,
        values,
    ),
    max_leaves=5,
)
clauses = st.one_of(
    st.builds(event, texts),
    st.builds(lambda name, condition: event(name).where(condition), texts, conditions),
    st.builds(lambda name, n: event(name).at_least(n), texts, small),
    st.builds(Queries.in_segment, segments),
    st.builds(lambda segment: ~Queries.has_entered(segment), segments),
    st.builds(lambda segment: ~Queries.has_exited(segment).in_this_session(), segments),
)
written: "st.SearchStrategy[Query]" = st.recursive(clauses, joined_by_users, max_leaves=8)


def evaluated(code: str) -> Any:
    """Return the value of a line of users' code, with the names of the module imported."""
    return eval(code, dict(vars(Queries)))


def assert_well_written(code: str) -> None:
    """Assert that code has no needless parentheses, and is formatted as by black."""
    plain = ast.unparse(ast.parse(code))
    assert black.format_str(plain, mode=black.Mode(line_length=10**6)) == f"{code}\n"


@searching
@given(query=written)
def test_code_of_what_was_written(query: Query) -> None:
    """The code of a query makes an equal query with the same code."""
    made = evaluated(repr(query))
    assert made == query and repr(made) == repr(query)
    assert made.describe() == query.describe()
    assert_well_written(repr(query))


@searching
@given(condition=conditions)
def test_code_of_conditions(condition: Condition) -> None:
    """The code of a condition makes an equal one."""
    made = evaluated(repr(condition))
    assert made == condition and repr(made) == repr(condition)
    assert_well_written(repr(condition))


@searching
@given(data=queries)
def test_code_of_what_was_read(data: Dict[str, Any]) -> None:
    """The code of any query that was read makes a query with the same JSON."""
    query = from_json(data)
    made = evaluated(repr(query))
    assert made.to_json() == query.to_json() and made.describe() == query.describe()
    assert_well_written(repr(query))


@searching
@given(number=small, name=texts, of=texts, condition=conditions)
def test_code_of_parts(number: float, name: str, of: str, condition: Condition) -> None:
    """The code of a number, a property and an aggregate makes an equal one."""
    for part in (at_least(number), prop(name), prop(name).mean(of).where(condition)):
        assert evaluated(repr(part)) == part
        assert_well_written(repr(part))
