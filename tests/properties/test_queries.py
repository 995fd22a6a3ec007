"""Queries keep their meaning when they are rewritten, written as JSON and read back, for any user."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import permutations, product
from typing import Any, Dict, List

from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI.Query import (
    Condition,
    Query,
    QueryError,
    at_least,
    engaged_time,
    event,
    from_json,
    has_entered,
    has_exited,
    in_segment,
    in_third_party_segment,
    prop,
)
from PermutiveAPI.sandbox.evaluation import User, matches

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
NAMES = ("Pageview", "Click")
WORDS = ("football", "news", "foot")
PROPERTIES = ("properties.url", "properties.n", "properties.list", "properties.gone")
COMPARISONS = ("at_least", "more_than", "exactly", "at_most", "fewer_than")

searching = settings(max_examples=30, deadline=None, database=None, derandomize=True)

names = st.sampled_from(PROPERTIES)
words = st.sampled_from(WORDS)
small = st.integers(0, 3)
simple_conditions = st.one_of(
    st.builds(lambda name, word: prop(name).contains(word), names, words),
    st.builds(lambda name, word: prop(name).does_not_contain([word]), names, words),
    st.builds(lambda name, n: prop(name).equal_to([n, "x"]), names, small),
    st.builds(lambda name, n: prop(name).greater_than(n), names, small),
    st.builds(lambda name, n: prop(name).between(n, n + 1), names, small),
    st.builds(lambda name, n: prop(name).between(n, n), names, small),
    st.builds(lambda name, word: prop(name).list_contains(word), names, words),
    st.builds(lambda name: prop(name).is_empty(), names),
    st.builds(
        lambda n, word: prop("properties.items")
        .sum("price")
        .where(prop("brand").equal_to(word))
        .less_than(n),
        small,
        words,
    ),
)
conditions = st.recursive(
    simple_conditions,
    lambda inner: st.one_of(
        st.builds(lambda one, other: one & other, inner, inner),
        st.builds(lambda one, other: one | other, inner, inner),
    ),
    max_leaves=4,
)


@st.composite
def event_clauses(draw: Any) -> Query:
    """Any number of any event, at any time, with any condition."""
    clause = getattr(event(draw(st.sampled_from(NAMES))), draw(st.sampled_from(COMPARISONS)))(
        draw(small)
    )
    if draw(st.booleans()):
        clause = clause.where(draw(conditions))
    window = draw(st.sampled_from(["", "days", "hours", "session"]))
    if window == "session":
        return clause.in_this_session()
    return clause.in_the_last(**{window: draw(st.integers(1, 3))}) if window else clause


transitions = st.builds(
    lambda make, segment, days: (make(segment).in_the_last(days=days) if days else make(segment)),
    st.sampled_from([has_entered, has_exited]),
    st.integers(1, 3),
    st.integers(0, 2),
)
negatable = transitions | st.builds(in_third_party_segment, st.integers(1, 3))
clauses = st.one_of(
    event_clauses(),
    negatable,
    st.builds(lambda clause: ~clause, negatable),
    st.builds(in_segment, st.integers(1, 3)),
    st.builds(lambda n: engaged_time(at_least(n)), small),
)


def joined(inner: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    """Join queries by & and |."""
    return st.one_of(
        st.builds(lambda one, other: one & other, inner, inner),
        st.builds(lambda one, other: one | other, inner, inner),
    )


queries = st.recursive(clauses, joined, max_leaves=8)
negatable_queries = st.recursive(negatable, joined, max_leaves=6)

# Only four clauses, so that queries often have equal parts.
MEMBERS = [in_segment(n) for n in range(4)]
memberships = st.recursive(st.sampled_from(MEMBERS), joined, max_leaves=12)

objects = st.fixed_dictionaries({}, optional={"price": small, "brand": words})
events = st.builds(
    lambda name, age, session, properties: {
        "name": name,
        "time": (NOW - timedelta(hours=age)).isoformat(),
        "session_id": session,
        "properties": properties,
    },
    st.sampled_from(NAMES),
    st.integers(0, 80),
    st.sampled_from(["a", "b"]),
    st.fixed_dictionaries(
        {},
        optional={
            "url": st.sampled_from(["/football/a", "/news", ""]),
            "n": small,
            "list": st.lists(words, max_size=2),
            "items": st.lists(objects, max_size=3),
        },
    ),
)
users = st.builds(
    lambda history, segments: User(history, NOW, "a", lambda code: int(code) in segments),
    st.lists(events, max_size=8),
    st.sets(st.integers(1, 3)),
)


@searching
@given(query=queries, user=users)
def test_rewriting_keeps_the_meaning(query: Query, user: User) -> None:
    """The query that is sent, an AND of ORs, is true for the same users as the original."""
    sent = query.to_json()
    assert_and_of_ors(sent)
    assert matches(from_json(sent), user) is matches(query, user)


@searching
@given(query=memberships)
def test_rewriting_keeps_every_answer(query: Query) -> None:
    """The query that is sent has the same value as the original, for every possible user."""
    sent = from_json(query.to_json())
    for segments in product([False, True], repeat=len(MEMBERS)):
        user = User([], NOW, None, lambda code, held=segments: held[int(code)])
        assert matches(sent, user) is matches(query, user)


@searching
@given(query=memberships)
def test_nothing_needless_is_sent(query: Query) -> None:
    """In the query that is sent, no part follows from another part, and none occurs twice."""
    data = query.to_json()
    eithers = [
        frozenset(clause["in_segment"] for clause in either.get("or", [either]))
        for either in data.get("and", [data])
    ]
    assert not any(one <= other for one, other in permutations(eithers, 2))
    assert sum(map(len, eithers)) == str(data).count("in_segment")


def assert_and_of_ors(data: Dict[str, Any]) -> None:
    """Assert that a query is a clause, an OR of clauses, or an AND of these."""
    for either in data.get("and", [data]):
        for clause in either.get("or", [either]):
            assert not {"and", "or"} & set(clause)
    assert len(data.get("and", [0, 0])) > 1


@searching
@given(query=queries)
def test_json_and_back(query: Query) -> None:
    """A query that is read back is equal, sends the same, and has a description."""
    read = from_json(query.to_json())
    assert read == query and hash(read) == hash(query)
    assert read.to_json() == query.to_json()
    assert from_json(read.to_json()) == read
    assert read.describe().startswith("Users who ")


@searching
@given(query=negatable_queries, user=users)
def test_negation(query: Query, user: User) -> None:
    """The opposite is true for exactly the other users, and its opposite is the query itself."""
    assert matches(~query, user) is not matches(query, user)
    assert matches(~~query, user) is matches(query, user)


@searching
@given(one=queries, other=queries, user=users)
def test_joining(one: Query, other: Query, user: User) -> None:
    """& means "and", and | means "or"."""
    both = matches(one, user) and matches(other, user)
    either = matches(one, user) or matches(other, user)
    assert matches(one & other, user) is both
    assert matches(one | other, user) is either


@searching
@given(condition=conditions)
def test_conditions_and_back(condition: Condition) -> None:
    """A condition inside a query is equal after it was read back."""
    query = event("A").where(condition)
    read = from_json(query.to_json())
    assert read == query


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["and", "or", "event", "frequency", "where", "in_segment", "property", "x"]
        ),
        inner,
        max_size=3,
    ),
    max_leaves=10,
)


@searching
@given(data=json_values)
def test_anything_else_is_refused(data: Any) -> None:
    """Any JSON is a query of the grammar, or raises QueryError."""
    try:
        query = from_json(data)
    except QueryError as error:
        assert str(error).startswith("query")
    else:
        assert from_json(query.to_json()) == query


def test_strategies_reach_both_answers() -> None:
    """The strategies are useful: random queries are often true and often false for random users."""
    seen: List[bool] = []

    @searching
    @given(query=queries, user=users)
    def look(query: Query, user: User) -> None:
        seen.append(matches(query, user))

    look()
    assert 0.1 < sum(seen) / len(seen) < 0.9
