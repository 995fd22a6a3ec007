"""The rate limiter: slots, lowering and raising the rate, and the registry of limiters."""

from __future__ import annotations

import math
import threading
from itertools import pairwise
from typing import Iterator, List, Optional, Tuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI._Utils.retry import rate_limit
from PermutiveAPI._Utils.retry.rate_limit import (
    LimitKey,
    RateLimiter,
    Refusals,
    Slot,
    api_of,
    limit_key_of,
)
from tests.support.platforms import needs_fork
from tests.support.rows import for_each
from tests.support.scripts import run_script

NAME = LimitKey("https://service", "key", "Cohorts")
OTHERS = [
    LimitKey("https://another", "key", "Cohorts"),
    LimitKey("https://service", "another", "Cohorts"),
    LimitKey("https://service", "key", "Taxonomy"),
]
searching = settings(max_examples=30, deadline=None, database=None, derandomize=True)


@pytest.fixture(autouse=True)
def no_limits() -> Iterator[None]:
    """Begin and end without limiters."""
    rate_limit.forget_all()
    yield
    rate_limit.forget_all()


def lowered(now: float = 0.0, retry_after: Optional[float] = None) -> RateLimiter:
    """Return a limiter whose rate has just been lowered for the first time."""
    for _ in range(2):
        rate_limit.on_throttled(NAME, now - 0.1, now, retry_after)
    limiter = rate_limit.limiter_of(NAME)
    assert limiter is not None
    return limiter


def sent_at(limiter: RateLimiter, slot: Slot, now: float) -> float:
    """Wait for a slot, and return the time when it came."""
    while (wait := limiter.wait_seconds(slot, now)) > 0:
        now += min(wait, 0.5)
    return now


# --- Slots -----------------------------------------------------------------------------------------


def test_slots_are_spread_in_order() -> None:
    """Waiting requests go one by one in the order of their slots."""
    limiter = lowered(retry_after=2.0)
    slots = [limiter.reserve(2.0) for _ in range(10)]
    times = [sent_at(limiter, slot, 2.0) for slot in slots]
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert times[0] >= 2.0
    assert min(gaps) >= 0.9 / limiter.rate


def test_the_first_goes_before_all_that_wait() -> None:
    """A slot that is reserved with `first` goes before all that wait."""
    limiter = lowered()
    waiting = [limiter.reserve(0.0) for _ in range(50)]
    assert sent_at(limiter, waiting[0], 0.0) == pytest.approx(0.0)
    first, second = limiter.reserve(0.0, first=True), limiter.reserve(0.0, first=True)
    assert sent_at(limiter, first, 0.0) == pytest.approx(1 / limiter.rate)
    assert sent_at(limiter, second, 0.0) == pytest.approx(2 / limiter.rate)
    assert sent_at(limiter, waiting[1], 0.0) >= 2.9 / limiter.rate


def test_a_look_ahead_reserves_nothing() -> None:
    """It tells how long the next slot would be waited for, behind those that are reserved."""
    limiter = lowered()
    assert limiter.seconds_ahead(0.0) == 0.0
    slots = [limiter.reserve(0.0) for _ in range(3)]
    ahead = limiter.seconds_ahead(0.0)
    assert ahead == limiter.seconds_ahead(0.0) == pytest.approx(3 / limiter.rate)
    assert limiter.wait_seconds(limiter.reserve(0.0), 0.0) == pytest.approx(ahead)
    assert slots[0].tick == 0.0
    assert lowered(retry_after=60.0).seconds_ahead(0.0) == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("retry_after", "until"), [(None, 0.0), (1.0, 0.0), (1.1, 1.1), (60.0, 60.0)]
)
def test_retry_after_is_for_all(retry_after: Optional[float], until: float) -> None:
    """A Retry-After above a second holds all requests; a shorter one holds only the refused request."""
    limiter = lowered(retry_after=retry_after)
    early, late = limiter.reserve(0.0), limiter.reserve(until)
    assert sent_at(limiter, early, 0.0) == pytest.approx(until)
    assert sent_at(limiter, late, until) == pytest.approx(until + 1 / limiter.rate)


def test_longest_retry_after_counts() -> None:
    """If several responses have a Retry-After, the longest one counts."""
    limiter = lowered(0.0, 2.0)
    for at, now, retry_after in [(-0.2, 0.1, 3.0), (-0.1, 0.2, 2.0)]:
        limiter.on_throttled(at, now, retry_after)
    assert sent_at(limiter, limiter.reserve(0.3), 0.3) == pytest.approx(3.1)
    assert (limiter.asked, limiter.blocked_seconds(0.1)) == (3.0, 3.0)


def test_an_endless_retry_after() -> None:
    """An infinite wait, or one of years, holds all requests for a day. Then the service is tried again."""
    day = 86_400.0
    for asked in (math.inf, 1e9):
        rate_limit.forget_all()
        limiter = lowered(0.0, asked)
        assert limiter.wait_seconds(limiter.reserve(1.0), 1.0) == day - 1
        assert not limiter.is_over(day)
        assert limiter.is_over(day + 61)


def test_new_rate_holds_for_those_who_wait() -> None:
    """A lower rate lengthens the wait of a slot that was reserved before it."""
    limiter = lowered()
    slots = [limiter.reserve(0.1) for _ in range(21)]
    before = 20 / limiter.rate
    for _ in range(2):
        limiter.on_throttled(0.1, 0.2, None)
    assert sent_at(limiter, slots[-1], 0.2) > 0.2 + 1.5 * before


def test_abandoned_slots_block_nobody() -> None:
    """Each slot that is never used delays the next one by one tick."""
    limiter = lowered()
    for _ in range(3):
        limiter.reserve(0.1)
    assert sent_at(limiter, limiter.reserve(0.1), 0.1) == pytest.approx(
        0.1 + 3 / limiter.rate, abs=1 / limiter.rate
    )


def test_idle_time_saves_up_no_burst() -> None:
    """After a pause, the first request goes at once, and the next ones at the rate."""
    limiter = lowered()
    times = [sent_at(limiter, limiter.reserve(30.0), 30.0) for _ in range(5)]
    assert times[0] == 30.0
    assert times[-1] >= 30.0 + 3 / limiter.rate


def test_single_calls_are_not_held_up() -> None:
    """One call a second goes at once, and a rate that holds nobody back is not raised."""
    limiter = lowered()
    for second in range(1, 50):
        now = float(second)
        assert limiter.wait_seconds(limiter.reserve(now), now) == 0.0
        limiter.on_success(now, now + 0.01)
    assert limiter.rate == 20.0


def test_late_requests_make_up_for_one() -> None:
    """If several slots are overdue, two requests go at once and the others at the rate."""
    limiter = RateLimiter(0.0)
    for _ in range(2):
        limiter.on_throttled(-0.1, 0.0, None)
    tick = 1 / limiter.rate
    slots = [limiter.reserve(0.0) for _ in range(5)]
    waits = [limiter.wait_seconds(slot, 10 * tick) for slot in slots[:2]]
    assert waits == [0.0, 0.0]
    for number, slot in enumerate(slots[2:], start=1):
        now = (10 + number) * tick
        early = limiter.wait_seconds(slot, now - tick / 2)
        assert early == pytest.approx(tick / 2)
        assert limiter.wait_seconds(slot, now) == 0.0


def test_it_knows_when_a_request_was_last_accepted() -> None:
    """A success counts as the last one even if its request was sent before the rate was lowered."""
    limiter = RateLimiter(0.0)
    for _ in range(2):
        limiter.on_throttled(-0.1, 0.0, None)
    limiter.on_success(-0.1, 0.5)
    assert limiter.accepted_at == 0.5
    limiter.on_success(0.6, 0.7)
    assert limiter.accepted_at == 0.7


# --- The rate --------------------------------------------------------------------------------------


def under_load(limiter: RateLimiter, now: float) -> None:
    """Make a request wait."""
    limiter.reserve(now)
    limiter.reserve(now)


def test_a_few_refusals_lower_nothing() -> None:
    """A tenth of refusals does not lower the rate; more than a tenth does."""
    limiter = RateLimiter(0.0, accepted=100, seconds=0.5)
    unlimited = limiter.rate
    for _ in range(12):
        limiter.on_throttled(-0.1, 0.0, None)
    assert limiter.rate == unlimited
    limiter.on_throttled(-0.1, 0.0, None)
    assert limiter.rate == 20.0


def test_the_rate_falls_to_what_was_accepted() -> None:
    """The rate falls to the share that was accepted, and a tenth below, but at most to half in one step."""
    limiter = lowered()
    for _ in range(6):
        limiter.on_success(0.1, 0.2)
    for _ in range(2):
        limiter.on_throttled(0.1, 0.2, None)
    assert limiter.rate == pytest.approx(20 * 6 / 8 * 0.9)
    limiter.on_success(0.3, 0.4)
    for _ in range(3):
        limiter.on_throttled(0.3, 0.4, None)
    assert limiter.rate == pytest.approx(20 * 6 / 8 * 0.9 * 0.5 * 0.9)


def test_requests_under_way_count_once() -> None:
    """Refusals of requests that were under way when the rate was lowered do not lower it again."""
    limiter = lowered()
    for number in range(64):
        limiter.on_throttled(-0.1, 0.001 * number, None)
    once = limiter.rate
    limiter.on_throttled(1.0, 1.1, None)
    assert (once, limiter.rate) == (20.0, 10.0)


def test_answers_from_before_count_for_nothing() -> None:
    """Successes of requests from before the rate was lowered do not raise it."""
    limiter = lowered()
    for _ in range(3):
        limiter.reserve(0.0)
        limiter.on_success(-0.1, 0.1)
    assert limiter.rate == 20.0


def test_probes_in_a_drought_grow_apart() -> None:
    """If nothing is accepted, the distance between probes doubles up to a second, and then grows by a quarter up to 30 s."""
    limiter, now = lowered(), 0.0
    distances: List[float] = []
    while not distances or distances[-1] < 29.9:
        now += 1
        limiter.on_throttled(now, now, None)
        distances.append(1 / limiter.rate)
        assert len(distances) < 40
    growth = [later / sooner for sooner, later in pairwise(distances)]
    short = sum(distance < 1 for distance in distances)
    assert growth[:short] == pytest.approx([2.0] * short)
    assert growth[short:-1] == pytest.approx([1.25] * (len(growth) - short - 1))


def test_after_a_drought_it_begins_at_the_mean_rate() -> None:
    """After a drought, a window of 60 requests a minute is filled slowly."""
    limiter, now = RateLimiter(0.0, accepted=60, seconds=0.1), 0.0
    while now < 60:
        now += 1 / limiter.rate
        limiter.on_throttled(now, now, None)
    limiter.on_success(now + 0.1, now + 0.2)
    assert limiter.rate == pytest.approx(61 / (now + 0.3))


def test_the_rate_rises_faster_and_faster() -> None:
    """The rate rises slowly below the limit, and faster and faster past it, but always by small steps."""
    limiter = lowered()
    for _ in range(9):
        limiter.on_success(0.1, 0.2)
    for _ in range(3):
        limiter.on_throttled(0.1, 0.2, None)
    rates: List[float] = []
    for second in range(1, 8):
        for _ in range(int(limiter.rate)):
            under_load(limiter, second)
            limiter.on_success(second, second)
        rates.append(limiter.rate)
    gained = [later - sooner for sooner, later in pairwise(rates)]
    assert gained == sorted(gained)
    assert rates[0] < 1.1 * 15
    assert rates[-1] > 5 * 15


def test_giving_up_holds_nobody() -> None:
    """After give_up(), nobody waits, except as long as the service has asked for."""
    limiter = lowered()
    slots = [limiter.reserve(0.0) for _ in range(100)]
    limiter.give_up()
    assert limiter.wait_seconds(slots[-1], 0.1) == 0.0
    blocked = lowered(10.0, 5.0)
    blocked.give_up()
    assert blocked.wait_seconds(blocked.reserve(11.0), 11.0) == 4.0
    assert not blocked.is_over(14.9)
    assert blocked.is_over(15.1)


# --- What is limited -------------------------------------------------------------------------------


@for_each(
    ("path", "api"),
    [
        ("/cohorts-api/v2/cohorts/", "Cohorts"),
        ("/cohorts-api", "Cohorts"),
        ("/audience-api/v1/imports", "Taxonomy"),
        ("/v2.0/identify", "Identity"),
        ("/v2.0/users", "Identity"),
        ("/v2.0/events", "Events"),
        ("/v2.0/batch/events", "/v2.0"),
        ("/ccs/v1/segmentation", "CCS"),
        ("/ctx/v1/segment", "Contextual"),
        ("/cohorts-api-2/x", "/cohorts-api-2"),
        ("/v9/things/1", "/v9"),
        ("", ""),
        ("/", "/"),
    ],
)
def test_apis(path: str, api: str) -> None:
    """The first parts of the path tell which API's limit applies."""
    assert api_of(path) == api


def test_limited_things_are_told_apart_and_hide_the_key() -> None:
    """The query of a URL makes no difference, and no text of a LimitKey shows the key."""
    name = limit_key_of("HTTPS://Service/cohorts-api/v2/x?k=1", "key-1")
    assert name == LimitKey("https://service", "key-1", "Cohorts")
    assert "key-1" not in repr(name)


def test_limits_are_separate() -> None:
    """A limit applies to one origin, key and API, and does not slow down others."""
    lowered()
    for other in OTHERS:
        assert rate_limit.limiter_of(other) is None
        rate_limit.on_success(other, 0.0, 0.1)
    assert rate_limit.limiter_of(NAME) is not None


@pytest.mark.parametrize(
    ("retry_after", "now", "kept"),
    [(None, 59.0, True), (None, 61.0, False), (90.0, 149.0, True), (90.0, 151.0, False)],
)
def test_quiet_limit_is_forgotten(retry_after: Optional[float], now: float, kept: bool) -> None:
    """A limiter is forgotten a minute after the last refusal, or after its Retry-After."""
    lowered(retry_after=retry_after)
    rate_limit.on_success(NAME, now - 0.1, now)
    assert (rate_limit.limiter_of(NAME) is not None) == kept


def test_limit_that_binds_nobody_is_forgotten() -> None:
    """A limiter is forgotten when its rate is higher than a client can send."""
    limiter, now = lowered(), 1.0
    while rate_limit.limiter_of(NAME) is limiter and now < 60:
        slot, _ = limiter.reserve(now), limiter.reserve(now)
        now = sent_at(limiter, slot, now)
        rate_limit.on_success(NAME, now, now)
    assert rate_limit.limiter_of(NAME) is None
    assert now < 60


def test_old_limit_begins_anew() -> None:
    """A refusal long after the last one makes a new limiter."""
    old = lowered()
    assert lowered(10.0) is old
    assert lowered(1000.0) is not old


def named(number: int) -> LimitKey:
    """Return one of many keys."""
    return LimitKey("https://service", str(number), "Cohorts")


def test_registry_is_bounded() -> None:
    """Only the newest limiters are kept, so that many keys do not fill the memory."""
    for number in range(1000):
        rate_limit.on_throttled(named(number), 0.0, 0.1, None)
    kept = [each for each in range(1000) if rate_limit.limiter_of(named(each))]
    assert kept == list(range(1000 - len(kept), 1000))
    assert 0 < len(kept) <= 256
    rate_limit.on_throttled(NAME, 999.0, 1000.0, None)
    assert rate_limit.limiter_of(named(999)) is None


@needs_fork
def test_child_process_begins_without_limits() -> None:
    """After a fork, the child has no limiters, and no lock that its parent holds."""
    script = """
import os
from PermutiveAPI._Utils.retry import rate_limit
name = rate_limit.LimitKey("https://service", "key", "Cohorts")
rate_limit.on_throttled(name, 0.0, 0.1, None)
with rate_limit._lock:
    child = os.fork()
    if not child:
        known = rate_limit.limiter_of(name)
        rate_limit.on_throttled(name, 0.0, 0.1, None)
        os._exit(known is not None)
assert os.waitpid(child, 0)[1] == 0
assert rate_limit.limiter_of(name) is not None
"""
    done = run_script(script)
    assert done.returncode == 0, done.stderr


# --- Threads, and any order of events --------------------------------------------------------------


def test_threads_get_slots_of_their_own() -> None:
    """Many threads that reserve slots at once get different slots of one limiter."""
    slots: List[Tuple[RateLimiter, float]] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for number in range(200):
            now = number * 1e-6
            limiter = rate_limit.on_throttled(NAME, -1.0, now, None).limiter
            slots.append((limiter, limiter.reserve(now).tick))
            rate_limit.on_success(NAME, now, now)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(limiter) for limiter, _ in slots}) == 1
    assert len({tick for _, tick in slots}) == len(slots) == 8 * 200


def test_alone_until_another_thread_comes() -> None:
    """A caller is alone under a limit until another thread comes."""
    limiter = lowered()
    assert limiter.is_mine_alone()
    other = threading.Thread(target=lambda: limiter.reserve(1.0))
    other.start()
    other.join()
    assert not limiter.is_mine_alone()


passing = st.floats(0, 100) | st.floats(0, 0.1)
events = st.tuples(
    st.sampled_from(["reserve", "first", "look", "accepted", "refused", "give up"]),
    passing,
    st.floats(0, 10),
    st.none() | st.floats(0, 1e308),
)


@searching
@given(st.lists(events, max_size=200))
def test_any_order_of_events(sequence: List[Tuple[str, float, float, Optional[float]]]) -> None:
    """After events in any order, waits are finite, slots are in order, and rates are within bounds."""
    limiter, now = RateLimiter(0.0), 0.0
    slots: List[Slot] = []
    ticks: List[float] = []
    for kind, passed, ago, retry_after in sequence:
        now += passed
        if kind in ("reserve", "first"):
            slots.append(limiter.reserve(now, first=kind == "first"))
            if kind == "reserve":
                ticks.append(slots[-1].tick)
        elif kind == "accepted":
            limiter.on_success(now - ago, now)
        elif kind == "refused":
            limiter.on_throttled(now - ago, now, retry_after)
        elif kind == "give up":
            limiter.give_up()
        for slot in slots[-3:]:
            wait = limiter.wait_seconds(slot, now)
            assert 0 <= wait < math.inf
        assert 1 / 30.01 <= limiter.rate <= 10_000
    assert all(later >= sooner + 1 for sooner, later in pairwise(ticks))


@searching
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 2)), max_size=60), st.booleans())
def test_every_slot_comes(history: List[Tuple[bool, float]], first: bool) -> None:
    """After any history, a slot comes as soon as the rate and the block allow."""
    limiter, now = RateLimiter(0.0), 0.0
    for refuse, passed in history:
        now += passed
        limiter.reserve(now)
        if refuse:
            limiter.on_throttled(now, now, 2.0)
        else:
            limiter.on_success(now, now)
    ahead = 2 if first else len(history) + 2
    came = sent_at(limiter, limiter.reserve(now, first=first), now)
    assert came <= now + 2.1 + ahead / limiter.rate


# --- Requests that are singled out ---------------------------------------------------------------


def refusals_of(pattern: str) -> Refusals:
    """Return a request's refusals: "R" is one of them, "r" one of another request, and "a" an acceptance."""
    refusals = rate_limit.on_throttled(NAME, 0.0, 0.0, None)
    for number, kind in enumerate(pattern, 1):
        now = number / 100
        if kind == "a":
            rate_limit.on_success(NAME, now, now)
        else:
            rate_limit.on_throttled(
                NAME, now, now, None, refusals=refusals if kind == "R" else None
            )
    return refusals


@pytest.mark.parametrize(
    ("pattern", "singled_out"),
    [
        ("", False),
        ("RRRRRRRRRR", False),  # Nothing is accepted.
        ("aR" * 12, True),
        ("aaaR" * 2, False),
        ("aaaR" * 3 + "aaaa", False),  # It is decided when it is refused.
        ("aaaaaR" * 3, True),
        ("a" * 200 + "R", False),  # Twice may be a chance.
        ("a" * 30 + "RR", True),
        ("a" * 30 + "rrrrrrRR", False),  # Others are refused, too.
    ],
)
def test_who_is_singled_out(pattern: str, singled_out: bool) -> None:
    """A request is singled out if it is refused so often in a row that a shared limit cannot be the reason."""
    assert refusals_of(pattern).singled_out is singled_out


def test_who_is_singled_out_lowers_no_rate() -> None:
    """The refusals of a request that is singled out do not lower the shared rate; those of others do."""
    refusals = refusals_of("aaaaaR" * 3)
    limiter = refusals.limiter
    before = limiter.rate
    for number in range(20):
        rate_limit.on_throttled(NAME, 1.0, 1.0 + number, None, refusals=refusals)
    assert refusals.singled_out and limiter.rate == before
    for _ in range(20):
        rate_limit.on_throttled(NAME, 30.0, 30.0, None)
    assert limiter.rate < before


def test_a_newer_limiter_goes_on_counting() -> None:
    """If the limiter was forgotten meanwhile, the refusals of before still count."""
    refusals = refusals_of("aaaaaR" * 3)
    rate_limit.forget_all()
    rate_limit.on_throttled(NAME, 2.0, 2.0, None, 40, 1.0, refusals)
    assert refusals.limiter is rate_limit.limiter_of(NAME)
    assert (refusals.count, refusals.singled_out) == (5, True)
