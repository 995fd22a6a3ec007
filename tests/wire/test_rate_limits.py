"""A service with a limit: all that goes there slows down together, and nothing is lost."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any, Callable, Iterator, List, Optional

import pytest

from PermutiveAPI import (
    BatchRequest,
    PermutiveRateLimitError,
    RetryConfig,
    Segmentation,
    stream_batch,
)
from PermutiveAPI._Utils import http, pacing
from PermutiveAPI.sandbox import Sandbox
from tests.support.calls import KEY, identity, segmentation
from tests.support.scripted import Connection, ScriptedServer, answer
from tests.support.threads import workers_left

URL = "https://api.permutive.app/v9/things"
OTHER_KEY = "another-key-0001"
ONCE = RetryConfig(max_retries=1, initial_delay=0.01)
# Waits that a test can afford. Two attempts more than the default: a machine that is busy with other
# tests holds back requests whose turn had come. The default suffices in test_pacing's simulated time.
BRIEF = RetryConfig(max_retries=5, initial_delay=0.05)


class Limited:
    """Answers so many requests a second, after a first burst, and 429 to the others."""

    def __init__(
        self, rate: float, burst: int, retry_after: Optional[str] = None
    ) -> None:
        self.refused = 0
        self._rate = rate
        self._burst = burst
        self._headers = {} if retry_after is None else {"Retry-After": retry_after}
        self._lock = threading.Lock()
        self._tokens = float(burst)
        self._filled_at = time.monotonic()

    def __call__(self, connection: Connection) -> bool:
        """Answer a request."""
        if self._admits():
            return answer(200, {})(connection)
        return answer(429, {"error": {}}, headers=self._headers)(connection)

    def _admits(self) -> bool:
        with self._lock:
            now = time.monotonic()
            gained = (now - self._filled_at) * self._rate
            self._tokens = min(self._tokens + gained, self._burst)
            self._filled_at = now
            if self._tokens < 1:
                self.refused += 1
                return False
            self._tokens -= 1
            return True


def things(count: int, retry: Optional[RetryConfig] = None) -> List[BatchRequest]:
    """Make numbered requests."""
    return [
        BatchRequest("GET", f"{URL}/{number}", retry=retry) for number in range(count)
    ]


@pytest.mark.parametrize("retry_after", [None, "0.1"])
@pytest.mark.parametrize("workers", [4, 16, 64])
def test_nothing_is_lost(
    server: ScriptedServer, workers: int, retry_after: Optional[str]
) -> None:
    """However many workers run into a limit, each request is answered in the end, in few attempts."""
    service = server.default = Limited(60, 10, retry_after)
    responses, errors = http.process_batch(
        things(40, BRIEF), api_key=KEY, max_workers=workers
    )
    assert errors == []
    assert len({one.url for one in responses}) == 40
    assert 0 < service.refused < 64
    assert len(server.seen) == 40 + service.refused


def test_the_sandbox_limits_too(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch on a sandbox with a limit ends whole; the sandbox saw the refusals."""
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.05")
    sandbox.rate_limit_per_second = 100
    questions = [segmentation() for _ in range(120)]
    bodies, failures = Segmentation.batch_send(
        questions, api_key=sandbox.api_key, max_workers=16
    )
    assert (len(bodies), failures) == (120, [])
    assert len(sandbox.requests) > 120


# --- Who waits -----------------------------------------------------------------------------------


def refuse_once(server: ScriptedServer, retry_after: str) -> None:
    """Run into the limit, with a call that does not try again."""
    server.script = [answer(429, headers={"Retry-After": retry_after})]
    with pytest.raises(PermutiveRateLimitError):
        http.request("GET", KEY, URL, retry=ONCE)
    assert len(server.seen) == 1


def in_background(call: Callable[[], Any]) -> threading.Thread:
    """Make a call in another thread."""
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def single_call() -> Any:
    """Make a call of a model."""
    return identity().identify(KEY)


def batch() -> Any:
    """Run a batch."""
    return http.process_batch(things(3), api_key=KEY)


@pytest.mark.parametrize("call", [single_call, batch])
def test_everybody_waits_as_long_as_the_service_asks(
    server: ScriptedServer, call: Callable[[], Any]
) -> None:
    """After one call's 429 the others do not even arrive before the time is over."""
    refuse_once(server, "0.3")
    thread = in_background(call)
    time.sleep(0.15)
    assert len(server.seen) == 1
    thread.join()
    assert len(server.seen) in (2, 4)


def test_others_do_not_wait(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another key, and another service, have nothing to do with it."""
    refuse_once(server, "100")
    http.get(OTHER_KEY, URL)
    assert len(server.seen) == 2
    with ScriptedServer() as other:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", other.url)
        http.get(KEY, URL)
        assert len(other.seen) == 1


def test_waiting_for_a_turn_uses_up_no_attempt(server: ScriptedServer) -> None:
    """A request that waited has all its attempts left: two failures and a success."""
    refuse_once(server, "0.1")
    server.script = [answer(503), answer(503)]
    began = time.monotonic()
    [result] = stream_batch(
        things(1, RetryConfig(max_retries=3, initial_delay=0.0)), api_key=KEY
    )
    assert time.monotonic() - began >= 0.09
    assert result.error is None
    assert len(server.seen) == 4


def test_a_stream_that_waits_can_be_left(server: ScriptedServer) -> None:
    """Leaving a stream whose workers wait for their turn ends it within a second."""
    endless = (things(1)[0] for _ in itertools.count())
    stream = stream_batch(endless, api_key=KEY, max_workers=3)
    server.script = [answer(200)]
    server.default = answer(429, headers={"Retry-After": "100"})
    next(stream)
    assert server.wait_for(pacing.is_on)
    time.sleep(0.02)
    arrived = len(server.seen)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 1.0
    assert len(server.seen) == arrived
    assert workers_left() == []


def test_a_caller_who_is_alone_waits_by_its_policy_only(server: ScriptedServer) -> None:
    """One script in one thread keeps to its own delays, as it always did."""
    server.default = Limited(0.1, 1)
    began = time.monotonic()
    brief = RetryConfig(max_retries=3, initial_delay=0.0)
    outcomes: List[Any] = []
    for _ in range(5):
        try:
            outcomes.append(http.request("GET", KEY, URL, retry=brief))
        except PermutiveRateLimitError as error:
            outcomes.append(error.status)
    assert outcomes[1:] == [429] * 4
    assert len(server.seen) == 1 + 4 * 3
    assert time.monotonic() - began < 2.0


# --- When nobody limits --------------------------------------------------------------------------


def test_without_a_limit_there_is_no_pace(server: ScriptedServer) -> None:
    """Nothing is kept, and nothing looked up, as long as nobody answers 429."""
    server.script = [answer(503), answer(200), answer(400)]
    http.process_batch(things(20), api_key=KEY)
    assert not pacing.is_on()


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[float]]:
    """The seconds that a replaced time.sleep was called with."""
    heard: List[float] = []
    monkeypatch.setattr(time, "sleep", heard.append)
    yield heard


def test_a_replaced_sleep_hears_the_waits_of_the_rules_only(
    server: ScriptedServer, sleeps: List[float]
) -> None:
    """Users' tests replace time.sleep, count the waits, and let no time pass."""
    server.default = answer(429, headers={"Retry-After": "7"})
    for _ in range(2):
        with pytest.raises(PermutiveRateLimitError):
            http.request("GET", KEY, URL, retry=RetryConfig(max_retries=3))
    assert len(sleeps) == 4
    assert all(7 <= seconds <= 7 * 1.25 for seconds in sleeps)
    assert len(server.seen) == 6
