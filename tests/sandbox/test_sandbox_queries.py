"""A sandbox that checks queries evaluates them: a user's events decide which cohorts the user belongs to."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, List, Set, Tuple

import pytest

from PermutiveAPI import Alias, Cohort, Event, PermutiveBadRequestError, Segmentation, TrackedEvent
from PermutiveAPI.Query import (
    Condition,
    Query,
    at_least,
    engaged_views,
    event,
    fewer_than,
    has_entered,
    in_segment,
    prop,
)
from PermutiveAPI.sandbox import Sandbox

URL = "properties.client.url"
FOOTBALL = event("Pageview").where(prop(URL).contains("football")).at_least(2).in_the_last(days=30)


@pytest.fixture
def checking(sandbox: Sandbox) -> Sandbox:
    """A sandbox that checks queries."""
    sandbox.check_queries = True
    return sandbox


def cohort_of(sandbox: Sandbox, query: Query) -> str:
    """Create a cohort, and return its code as a text."""
    made = Cohort(name="Mine", query=query)
    made.create(sandbox.api_key)
    return str(made.code)


def pageview(url: str, age: timedelta = timedelta(), session: str = "s-1") -> Event:
    """Return a pageview of this age."""
    time = datetime.now(timezone.utc) - age
    return Event("Pageview", time.isoformat(), {"client": {"url": url}}, session)


def cohorts(sandbox: Sandbox, user: str, events: List[Event]) -> Set[str]:
    """Return the cohorts that a user belongs to after some events."""
    answer = Segmentation(events=events, user_id=user).send(sandbox.api_key)
    return set(answer["cohorts"])


def test_two_football_pageviews(checking: Sandbox) -> None:
    """A user with two football pageviews belongs to the cohort; with one, or with others, a user does not."""
    code = cohort_of(checking, FOOTBALL)
    football, politics = pageview("/sport/football/1"), pageview("/politics/1")
    assert code in cohorts(checking, "fan", [football, football])
    assert code not in cohorts(checking, "guest", [football, politics])
    assert code in cohorts(checking, "guest", [football])
    old = pageview("/sport/football/1", timedelta(days=31))
    assert code not in cohorts(checking, "past", [old, old])


def test_tracked_events_count(checking: Sandbox) -> None:
    """Tracked events count, by user id and by alias."""
    key = checking.api_key
    code = cohort_of(checking, event("Signup"))
    TrackedEvent("Signup", "tracked").track(key)
    alias = Alias("crm-1", "crm", 0)
    TrackedEvent("Signup", aliases=[alias]).track(key)
    assert code in cohorts(checking, "tracked", [])
    answer = Segmentation(events=[], alias=alias).send(key)
    assert code in answer["cohorts"]


def test_stateless_evaluation(checking: Sandbox) -> None:
    """In a stateless call, only the events of the call and of its state count."""
    key = checking.api_key
    code = cohort_of(checking, FOOTBALL)
    football = pageview("/sport/football/1")
    question = Segmentation(events=[football], user_id="fan")
    first = question.send_stateless(key)["state"]
    assert code not in first["cohorts"]
    second = question.send_stateless(key, state=first)["state"]
    assert code in second["cohorts"]
    assert code not in question.send_stateless(key)["state"]["cohorts"]
    assert code not in question.send(key)["cohorts"]
    nothing_new = Segmentation(events=[], user_id="fan")
    assert nothing_new.send_stateless(key, state=second)["state"] == second


def test_cohorts_of_cohorts(checking: Sandbox) -> None:
    """A query may refer to another cohort; nobody belongs to a cohort that refers to itself."""
    fans = cohort_of(checking, FOOTBALL)
    both = cohort_of(checking, in_segment(fans) & event("Click"))
    circle = Cohort(name="Circle", query=in_segment(1))
    circle.create(checking.api_key)
    circle.query = in_segment(str(circle.code))
    circle.update(checking.api_key)
    now = datetime.now(timezone.utc).isoformat()
    football = pageview("/football")
    found = cohorts(checking, "u", [football, football, Event("Click", now)])
    assert {fans, both} <= found
    assert str(circle.code) not in found


def test_long_chains_of_cohorts(checking: Sandbox) -> None:
    """In a long chain of cohorts, each one is evaluated once, although there are many ways to it."""
    clicked = last = left = right = cohort_of(checking, event("Click"))
    for _ in range(25):
        left, right = (cohort_of(checking, in_segment(last) & event(name)) for name in "LR")
        last = cohort_of(checking, in_segment(left) | in_segment(right))
    now = datetime.now(timezone.utc).isoformat()
    assert last not in cohorts(checking, "u", [Event("Click", now), Event("X", now)])
    found = cohorts(checking, "u", [Event("R", now)])
    assert {clicked, last, right} <= found and left not in found


def test_sessions(checking: Sandbox) -> None:
    """The current session is that of the latest event."""
    code = cohort_of(checking, event("Pageview").at_least(2).in_this_session())
    first, second = pageview("/a", session="s-1"), pageview("/a", session="s-2")
    assert code not in cohorts(checking, "u", [first, second])
    assert code in cohorts(checking, "u", [second])


def test_what_the_sandbox_does_not_know(checking: Sandbox) -> None:
    """Nobody has entered a segment, so "has not entered" is true for everybody."""
    entered = cohort_of(checking, has_entered(1))
    not_entered = cohort_of(checking, ~has_entered(1))
    found = cohorts(checking, "u", [])
    assert entered not in found and not_entered in found


def test_views_by_completion(checking: Sandbox) -> None:
    """Views by completion are evaluated like views by engaged time: nobody had one."""
    views = cohort_of(checking, engaged_views(completion=at_least(0.5)))
    few = engaged_views(completion=at_least(0.5), times=fewer_than(1))
    no_views = cohort_of(checking, few)
    found = cohorts(checking, "u", [])
    assert views not in found and no_views in found


def test_seeded_cohorts_are_evaluated(checking: Sandbox) -> None:
    """The first cohorts of a sandbox follow the grammar; nobody belongs to lookalikes."""
    football = [pageview("/sport/football/1")] * 9
    names = {str(each.code): each.name for each in Cohort.list(checking.api_key)}
    found = {names[code] for code in cohorts(checking, "u", football)}
    assert "Football Fans" in found
    assert not any("Lookalike" in name for name in found)


@pytest.mark.parametrize(
    "query", [{"type": "users"}, {"event": "A", "frequency": {"greater_then": 1}}]
)
def test_a_query_outside_of_the_grammar(checking: Sandbox, query: Any) -> None:
    """A query that does not follow the grammar is refused with the place of the mistake."""
    with pytest.raises(PermutiveBadRequestError, match="400 Bad Request: query"):
        Cohort(name="Mine", query=query).create(checking.api_key)


def test_an_event_without_a_time_is_outside_every_window(checking: Sandbox) -> None:
    """An event whose time cannot be read is outside every window."""
    code = cohort_of(checking, event("Pageview").in_the_last(days=1))
    assert code not in cohorts(checking, "u", [Event("Pageview", "yesterday")])


PROPERTIES = {
    "title": "Cup final",
    "empty": "",
    "price": 2.5,
    "paid": True,
    "day": "2025-07-01",
    "tags": ["sport", 3],
    "huge": [{"n": 10**400}, {"n": 1.5}],
    "items": [
        {"sku": "a", "price": 1},
        {"sku": "b", "price": 4},
        {"sku": "c", "price": "free"},
        {"sku": "d"},
        "no object",
    ],
}
TITLE, PRICE, DAY = (prop(f"properties.{name}") for name in ("title", "price", "day"))
TAGS, ITEMS, PAID = (prop(f"properties.{name}") for name in ("tags", "items", "paid"))
MISSING, EMPTY = prop("properties.no.such"), prop("properties.empty")
CHEAP = prop("price").less_than(3)

CONDITIONS: List[Tuple[Condition, bool]] = [
    (TITLE.contains(["cup", "Cup"]), True),
    (TITLE.contains("cup"), False),
    (TITLE.does_not_contain(["x", "Cup"]), False),
    (TITLE.does_not_contain(["x", "y"]), True),
    (TITLE.equal_to("Cup final"), True),
    (TITLE.not_equal_to("Cup final"), False),
    (PRICE.greater_than(2) & PRICE.less_than(3), True),
    (PRICE.greater_than_or_equal_to(2.5) & PRICE.less_than_or_equal_to(2.5), True),
    (PRICE.between(3, 4) | PRICE.float_between(2, 3), True),
    (PRICE.float_equal_to(2.5), True),
    (TITLE.greater_than(1), False),
    (PAID.boolean_equal_to(True), True),
    (PAID.equal_to(1), False),
    (DAY.date_equal_to("2025-07-01T00:00:00Z"), True),
    (DAY.date_between("2025-06-30", "2025-07-02"), True),
    (DAY.date_equal_to("2025-07-01T15:00:00Z"), True),
    (DAY.date_between("2025-06-30", "2025-07-01"), True),
    (DAY.date_between("2025-06-30", "nonsense"), False),
    (PRICE.date_equal_to("2025-07-01"), False),
    (DAY.greater_than("2025-07-01T12:00:00Z"), False),
    (DAY.less_than("nonsense"), False),
    (DAY.greater_than(5), False),
    (PRICE.less_than("2025-07-01T12:00:00Z"), False),
    (TAGS.list_contains("sport") & TAGS.list_contains_integer(3), True),
    (TAGS.list_does_not_contain("sport"), False),
    (TITLE.list_contains("Cup final"), False),
    (EMPTY.is_empty() & MISSING.is_empty() & TITLE.is_not_empty(), True),
    (MISSING.contains("x"), False),
    (MISSING.does_not_contain("x"), True),
    (ITEMS.any("price").equal_to(1), True),
    (ITEMS.any("price").equal_to(4), True),
    (ITEMS.any("price").equal_to(5), False),
    (ITEMS.all("price").greater_than(0), False),
    (ITEMS.sum("price").equal_to(5), True),
    (ITEMS.product("price").equal_to(4), True),
    (ITEMS.count("price").equal_to(3), True),
    (ITEMS.mean("price").equal_to(2.5), True),
    (ITEMS.mean("weight").greater_than(0), False),
    (ITEMS.count("sku").where(CHEAP).equal_to(1), True),
    (MISSING.sum("price").equal_to(0), True),
    (prop("properties.huge").mean("n").greater_than(0), False),
]


def test_conditions(checking: Sandbox) -> None:
    """Every operator and function is evaluated as its name says."""
    codes = [cohort_of(checking, event("Order").where(condition)) for condition, _ in CONDITIONS]
    now = datetime.now(timezone.utc).isoformat()
    found = cohorts(checking, "u", [Event("Order", now, PROPERTIES)])
    evaluated = [
        (condition, code in found) for (condition, _), code in zip(CONDITIONS, codes, strict=True)
    ]
    assert [str(each) for each in evaluated] == [str(each) for each in CONDITIONS]


def test_emptiness_as_an_operator(checking: Sandbox) -> None:
    """The operator is_empty with false means that the property is not empty."""
    now = datetime.now(timezone.utc).isoformat()
    codes: List[str] = []
    for condition in ({"is_empty": False}, {"is_not_empty": False}, {"is_empty": True}):
        where = {"property": "properties.title", "condition": condition}
        query = {"event": "Order", "frequency": {"equal_to": 1}, "where": where}
        codes.append(cohort_of(checking, Query.from_json(query)))
    found = cohorts(checking, "u", [Event("Order", now, PROPERTIES)])
    assert [code in found for code in codes] == [True, False, False]


@pytest.mark.parametrize(
    ("unit", "age"),
    [
        ("minutes", timedelta(minutes=2)),
        ("hours", timedelta(hours=2)),
        ("days", timedelta(days=2)),
        ("weeks", timedelta(weeks=2)),
        ("months", timedelta(days=60)),
    ],
)
def test_units_of_windows(checking: Sandbox, unit: str, age: timedelta) -> None:
    """A window of two units reaches back two units, and no further."""
    code = cohort_of(checking, event("Pageview").in_the_last(**{unit: 2}))
    within = cohorts(checking, "u", [pageview("/a", age - timedelta(seconds=30))])
    before = cohorts(checking, "v", [pageview("/a", age + timedelta(seconds=30))])
    assert code in within and code not in before


def test_the_longest_window(checking: Sandbox) -> None:
    """A window may begin before the first possible date."""
    code = cohort_of(checking, event("Pageview").in_the_last(months=10**9))
    assert code in cohorts(checking, "u", [pageview("/a")])
