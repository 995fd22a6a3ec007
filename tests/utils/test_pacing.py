"""Slowing down together, in simulated time."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from typing import Callable, Iterator, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI._Utils import pacing
from PermutiveAPI._Utils.pacing import Pace, Ticket
from tests.support.pacing_simulation import (
    Allows,
    Simulation,
    fixed_window,
    sliding_window,
    token_bucket,
)

ORIGIN, KEY = "https://service", "key"
searching = settings(max_examples=100, deadline=None, database=None, derandomize=True)


@pytest.fixture(autouse=True)
def no_limits() -> Iterator[None]:
    """Begin and end without a limit."""
    pacing.forget_all()
    yield
    pacing.forget_all()


def refused_pace(now: float = 0.0, retry_after: Optional[float] = None) -> Pace:
    """Return a pace whose first 429 came just now."""
    pacing.refused(ORIGIN, KEY, now - 0.1, now, retry_after)
    pace = pacing.pace_of(ORIGIN, KEY)
    assert pace is not None
    return pace


def turn_of(pace: Pace, ticket: Ticket, now: float) -> float:
    """Wait for a ticket's turn, and return when it came."""
    while (wait := pace.wait_seconds(ticket, now)) > 0:
        now += min(wait, 0.5)
    return now


def bucket(rate: float, burst: int) -> Callable[[], Allows]:
    """Return what makes a token bucket of one rate."""
    return lambda: token_bucket(lambda now: rate, burst)


# --- A service with a limit ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("workers", [4, 16, 64])
@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 10.78), (1.0, 12.78)])
def test_nothing_is_lost_and_little_time(
    workers: int, retry_after: Optional[float], seconds: float, seed: int
) -> None:
    """At 100 a second, 1000 requests all pass: in 1.1 times the floor, and two Retry-Afters with it."""
    outcome = Simulation(bucket(100, 20)(), 1000, workers, retry_after, seed=seed).run()
    assert outcome.lost == 0
    assert len(outcome.accepted_at) == 1000
    assert outcome.seconds <= seconds


@pytest.mark.parametrize(
    ("service", "requests", "workers", "retry_after", "latency", "seconds"),
    [
        (bucket(100, 1), 1000, 16, None, 0.001, 1.35 * 9.99),
        (bucket(100, 100), 1000, 16, None, 0.001, 1.1 * 9),
        (bucket(100, 100), 1000, 64, 1.0, 0.001, 1.1 * 9),
        (bucket(100, 20), 1000, 64, None, 0.02, 1.1 * 9.8),
        (bucket(10, 20), 100, 16, 1.0, 0.001, 1.25 * 8),
        (bucket(10, 1), 100, 4, None, 0.001, 1.5 * 9.9),
        (lambda: sliding_window(100), 1000, 16, None, 0.001, 1.5 * 9),
        (lambda: fixed_window(100), 1000, 16, None, 0.001, 1.5 * 9),
        (lambda: fixed_window(100, 0.5), 1000, 64, 1.0, 0.001, 1.75 * 8.5),
    ],
)
def test_other_limits(
    service: Callable[[], Allows],
    requests: int,
    workers: int,
    retry_after: Optional[float],
    latency: float,
    seconds: float,
) -> None:
    """Nothing is lost under other rates, bursts, windows and latencies either."""
    outcome = Simulation(
        service(), requests, workers, retry_after, latency=latency
    ).run()
    assert outcome.lost == 0
    assert outcome.seconds <= seconds


def test_changing_limit() -> None:
    """The rate follows a limit that sinks, and feels its way up again when it rises."""

    def rate(now: float) -> float:
        return 100.0 if now < 10 else 50.0 if now < 20 else 200.0

    outcome = Simulation(token_bucket(rate, 20), 4000, 16, None).run()

    def accepted_within(begin: float, end: float) -> int:
        return sum(begin <= each < end for each in outcome.accepted_at)

    assert outcome.lost == 0
    assert accepted_within(5, 10) > 0.9 * 5 * 100
    assert accepted_within(13, 18) > 0.85 * 5 * 50
    assert accepted_within(37, 40) > 0.85 * 3 * 200


def test_no_limit() -> None:
    """Without a 429 there is no pace, and nobody waits."""
    outcome = Simulation(lambda now: True, 1000, 16).run()
    assert (outcome.looks, pacing.pace_of(ORIGIN, KEY)) == (0, None)


# --- Turns -----------------------------------------------------------------------------------


def test_turns_are_spread_in_order() -> None:
    """Those that wait come back one by one in the order they queued up, not all at once."""
    pace = refused_pace(retry_after=2.0)
    tickets = [pace.enter(2.0) for _ in range(10)]
    turns = [turn_of(pace, ticket, 2.0) for ticket in tickets]
    gaps = [later - sooner for sooner, later in zip(turns, turns[1:])]
    assert turns[0] >= 2.0
    assert min(gaps) >= 0.9 / pace.rate


@pytest.mark.parametrize(
    ("retry_after", "until"), [(None, 0.1), (1.0, 1.0), (60.0, 60.0), (9e99, 120.0)]
)
def test_retry_after_is_for_all(retry_after: Optional[float], until: float) -> None:
    """Nobody sends before Retry-After is over, whoever was told; two minutes count at the most."""
    pace = refused_pace(retry_after=retry_after)
    early, late = pace.enter(0.0), pace.enter(until - 0.05)
    assert turn_of(pace, early, 0.0) == pytest.approx(until)
    assert turn_of(pace, late, until - 0.05) == pytest.approx(until + 1 / pace.rate)


def test_longest_retry_after_counts() -> None:
    """Of several answers to requests under way together, the longest Retry-After counts."""
    pace = refused_pace(0.0, 1.0)
    for sent_at, now, retry_after in [(-0.2, 0.1, 3.0), (-0.1, 0.2, 1.0)]:
        pace.refused(sent_at, now, retry_after)
    assert turn_of(pace, pace.enter(0.3), 0.3) == pytest.approx(3.1)


def test_requests_under_way_count_once() -> None:
    """However many requests were under way when the limit was hit, the rate sinks once."""
    pace = refused_pace()
    for number in range(64):
        pace.refused(-0.1, 0.001 * number, None)
    once = pace.rate
    pace.refused(1.0, 1.1, None)
    assert (once, pace.rate) == (20.0, 10.0)


def test_answers_from_before_count_for_nothing() -> None:
    """What was accepted before the limit was hit does not raise the rate."""
    pace = refused_pace()
    for _ in range(3):
        pace.enter(0.0)
        pace.accepted(-0.1, 0.1)
    assert pace.rate == 20.0


def test_new_rate_holds_for_those_who_wait() -> None:
    """A lower rate lengthens the wait of a ticket that was drawn before."""
    pace = refused_pace()
    tickets = [pace.enter(0.1) for _ in range(21)]
    before = 20 / pace.rate
    pace.refused(0.1, 0.2, None)
    assert turn_of(pace, tickets[-1], 0.2) > 0.2 + 1.5 * before


def test_abandoned_tickets_block_nobody() -> None:
    """Tickets that are never asked for again delay the next one by one turn each."""
    pace = refused_pace()
    for last_chance in (False, True, False):
        pace.enter(0.1, last_chance=last_chance)
    assert turn_of(pace, pace.enter(0.1), 0.1) == pytest.approx(0.1 + 3 / pace.rate)


def test_idle_time_saves_up_no_burst() -> None:
    """After a pause the first request goes at once, and the next ones at the rate."""
    pace = refused_pace()
    turns = [turn_of(pace, pace.enter(30.0), 30.0) for _ in range(5)]
    assert turns[0] == 30.0
    assert turns[-1] >= 30.0 + 3 / pace.rate


def test_single_calls_are_not_held_up() -> None:
    """Calls that come one a second go at once, though one was refused before."""
    pace = refused_pace()
    for second in range(1, 50):
        assert pace.wait_seconds(pace.enter(float(second)), float(second)) == 0.0
        pace.accepted(second, second + 0.01)
    assert pace.rate == 20.0, "an untried rate is not raised"


def test_last_chance_goes_with_a_gap() -> None:
    """A request that may not be refused again goes after an empty stretch, others behind it."""
    pace = refused_pace()
    first = pace.enter(2.0)
    last_chance = pace.enter(2.0, last_chance=True)
    behind = pace.enter(2.0)
    sent_at = turn_of(pace, first, 2.0)
    turn = turn_of(pace, last_chance, sent_at)
    assert turn >= sent_at + 3 / pace.rate
    assert turn_of(pace, behind, turn) >= turn + 0.9 / pace.rate


# --- The registry --------------------------------------------------------------------------


def test_limits_are_separate() -> None:
    """One origin and key does not slow another down."""
    refused_pace()
    assert pacing.pace_of(ORIGIN, "another") is None
    assert pacing.pace_of("https://another", KEY) is None
    pacing.accepted("https://another", KEY, 0.0, 0.1)
    assert pacing.pace_of(ORIGIN, KEY) is not None


@pytest.mark.parametrize(
    ("retry_after", "now", "kept"),
    [
        (None, 59.0, True),
        (None, 61.0, False),
        (90.0, 149.0, True),
        (90.0, 151.0, False),
    ],
)
def test_quiet_limit_is_forgotten(
    retry_after: Optional[float], now: float, kept: bool
) -> None:
    """A minute without a 429 after the last one, or after its Retry-After, frees the way."""
    refused_pace(retry_after=retry_after)
    pacing.accepted(ORIGIN, KEY, now - 0.1, now)
    assert (pacing.pace_of(ORIGIN, KEY) is not None) == kept


def test_limit_that_binds_nobody_is_forgotten() -> None:
    """A rate that has grown beyond what a client can send frees the way."""
    pace, now = refused_pace(), 1.0
    while pacing.pace_of(ORIGIN, KEY) is pace and now < 30:
        ticket, _ = pace.enter(now), pace.enter(now)
        now = turn_of(pace, ticket, now)
        pacing.accepted(ORIGIN, KEY, now, now)
    assert pacing.pace_of(ORIGIN, KEY) is None
    assert now < 30


def test_old_limit_begins_anew() -> None:
    """A 429 long after the last one is a first one."""
    old = refused_pace()
    assert refused_pace(10.0) is old
    assert refused_pace(1000.0) is not old


def test_registry_is_bounded() -> None:
    """Many keys do not fill the memory; the newest are kept."""
    for number in range(1000):
        pacing.refused(ORIGIN, str(number), 0.0, 0.1, None)
    kept = [each for each in range(1000) if pacing.pace_of(ORIGIN, str(each))]
    assert kept == list(range(1000 - len(kept), 1000))
    assert 0 < len(kept) <= 256
    pacing.refused(ORIGIN, KEY, 999.0, 1000.0, None)
    assert pacing.pace_of(ORIGIN, "999") is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_child_process_begins_without_limits() -> None:
    """After a fork, the child knows no limit and no held lock of its parent."""
    script = """
import os
from PermutiveAPI._Utils import pacing
pacing.refused("https://service", "key", 0.0, 0.1, None)
with pacing._lock:
    child = os.fork()
    if not child:
        known = pacing.pace_of("https://service", "key")
        pacing.refused("https://service", "key", 0.0, 0.1, None)
        os._exit(known is not None)
assert os.waitpid(child, 0)[1] == 0
assert pacing.pace_of("https://service", "key") is not None
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


# --- Threads, and any order of events --------------------------------------------------------


def test_threads_get_turns_of_their_own() -> None:
    """Tickets drawn by many threads at once are all different, and only one pace is made."""
    tickets: List[Tuple[Pace, float]] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for number in range(200):
            now = number * 1e-6
            pacing.refused(ORIGIN, KEY, -1.0, now, None)
            pace = pacing.pace_of(ORIGIN, KEY)
            assert pace is not None
            tickets.append((pace, pace.enter(now).turn))
            pacing.accepted(ORIGIN, KEY, now, now)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(pace) for pace, _ in tickets}) == 1
    assert len({turn for _, turn in tickets}) == len(tickets) == 8 * 200


passing = st.floats(0, 100) | st.floats(0, 0.1)
events = st.tuples(
    st.sampled_from(["enter", "last chance", "look", "accepted", "refused"]),
    passing,
    st.floats(0, 10),
    st.none() | st.floats(0, 1e308),
)


@searching
@given(st.lists(events, max_size=200))
def test_any_order_of_events(
    sequence: List[Tuple[str, float, float, Optional[float]]],
) -> None:
    """Whatever happens in whatever order, waits are finite, turns in order, rates within bounds."""
    pace, now = Pace(0.0), 0.0
    tickets: List[Ticket] = []
    turns: List[float] = []
    for kind, passed, ago, retry_after in sequence:
        now += passed
        if kind in ("enter", "last chance"):
            tickets.append(pace.enter(now, last_chance=kind == "last chance"))
            turns.append(tickets[-1].turn)
        elif kind == "accepted":
            pace.accepted(now - ago, now)
        elif kind == "refused":
            pace.refused(now - ago, now, retry_after)
        for ticket in tickets[-3:]:
            wait = pace.wait_seconds(ticket, now)
            assert 0 <= wait < math.inf
        assert 0.2 <= pace.rate <= 10_000
    assert all(later >= sooner + 1 for sooner, later in zip(turns, turns[1:]))


@searching
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 2)), max_size=60), st.booleans())
def test_every_turn_comes(history: List[Tuple[bool, float]], last_chance: bool) -> None:
    """After any history a ticket's turn comes, within what the rate and the block allow."""
    pace, now = Pace(0.0), 0.0
    for refuse, passed in history:
        now += passed
        pace.enter(now)
        if refuse:
            pace.refused(now, now, 1.0)
        else:
            pace.accepted(now, now)
    ahead = len(history) + 6
    turn = turn_of(pace, pace.enter(now, last_chance=last_chance), now)
    assert turn <= now + 3.0 + ahead / pace.rate


def test_alone_until_another_thread_comes() -> None:
    """A caller is alone under a pace unless another thread was seen there in the last five seconds."""
    pace = refused_pace(now=0.0)
    assert pace.is_mine_alone(0.1)
    other = threading.Thread(target=lambda: pace.enter(1.0))
    other.start()
    other.join()
    assert not pace.is_mine_alone(2.0)
    assert not pace.is_mine_alone(6.9)
    assert pace.is_mine_alone(7.1)
