"""A service with a rate limit: all requests slow down together, and none is lost."""

from __future__ import annotations

import itertools
import pickle
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, Callable, List, Optional

import freezegun
import pytest

from PermutiveAPI import (
    BatchRequest,
    PermutiveAPIError,
    PermutiveRateLimitError,
    PermutiveServerError,
    RetryConfig,
    Segmentation,
    stream_batch,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch import workers
from PermutiveAPI._Utils.batch.function import CancellableFunction
from PermutiveAPI._Utils.cancellation import Cancellation
from PermutiveAPI._Utils.retry import policy, rate_limit
from PermutiveAPI.sandbox import Sandbox
from tests.support.calls import KEY, identity, segmentation
from tests.support.fake_service import Connection, FakeService, Step, answer
from tests.support.processes import process_pool
from tests.support.things import URL, things
from tests.support.threads import in_thread, workers_left

OTHER_KEY = "another-key-0001"
ONCE = RetryConfig(max_retries=1, initial_delay=0.01)


class Limited:
    """Accepts so many requests a second, after a first burst, and refuses the others."""

    def __init__(
        self, rate: float, burst: int, status: int = 429, retry_after: Optional[str] = None
    ) -> None:
        self.refused = 0
        self._rate = rate
        self._burst = burst
        self._refusal = refusal(status, retry_after)
        self._lock = threading.Lock()
        self._tokens = float(burst)
        self._filled_at = time.monotonic()

    def __call__(self, connection: Connection) -> bool:
        """Accept or refuse a request."""
        admitted = self._admits()
        return (answer(200, {}) if admitted else self._refusal)(connection)

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


def refusal(status: int = 429, retry_after: Optional[str] = None) -> Step:
    """Refuse, with a Retry-After or without."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return answer(status, {"error": {}}, headers=headers)


def paths(server: FakeService) -> List[str]:
    """Return the last parts of the paths that arrived."""
    return [seen.path.rpartition("/")[2] for seen in server.received]


REFUSALS = [(429, None), (429, "0.1"), (503, "0.1")]
each_refusal = pytest.mark.parametrize(("status", "retry_after"), REFUSALS)


@pytest.mark.parametrize(
    ("workers", "status", "retry_after"),
    [(4, 429, None), (16, 429, "0.1"), (16, 503, "0.1"), (64, 429, None)],
)
def test_nothing_is_lost(
    server: FakeService, workers: int, status: int, retry_after: Optional[str]
) -> None:
    """With any number of workers, each request is accepted in the end."""
    service = server.default = Limited(60, 10, status, retry_after)
    responses, errors = http.process_batch(things(40), api_key=KEY, max_workers=workers)
    assert errors == []
    assert len({one.url for one in responses}) == 40
    assert 0 < service.refused < 70
    assert len(server.received) == 40 + service.refused


def test_the_sandbox_limits_too(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch on a sandbox with a limit loses nothing, although the sandbox refuses requests."""
    sandbox.rate_limit_per_second = 30
    questions = [segmentation() for _ in range(36)]
    bodies, failures = Segmentation.batch_send(questions, api_key=sandbox.api_key, max_workers=16)
    assert (len(bodies), failures) == (36, [])
    assert len(sandbox.requests) > 36


def test_a_frozen_clock(server: FakeService) -> None:
    """In a test that freezes the time, limited requests are sent again after real waits."""
    server.script = [refusal(429, "0.01"), refusal()]
    with freezegun.freeze_time("2026-01-01"):
        sending = in_thread(lambda: http.process_batch(things(2), api_key=KEY, max_workers=2))
        sending.join(5)
    assert (sending.is_alive(), len(server.received)) == (False, 4)


# --- What uses up an attempt ---------------------------------------------------------------------

# test_fault_matrix.py proves that refusals use up the attempts of single calls, but not those of batches.


def wait(seconds: float) -> None:
    """Wait, as the functions do that tools put in the place of ``time.sleep``."""
    threading.Event().wait(seconds)


@pytest.mark.parametrize(
    "module", ["gevent.hub", "eventlet.greenthread", "blockbuster.blockbuster"]
)
def test_a_refusal_under_a_tools_sleep_uses_up_no_attempt(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """If ``time.sleep`` is that of gevent, eventlet or blockbuster, it does not count as a test's replacement."""
    monkeypatch.setattr(wait, "__module__", module)
    monkeypatch.setattr(time, "sleep", wait)
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    server.script = [refusal(429, "0.01")]
    responses, errors = http.process_batch(things(1), api_key=KEY, max_workers=1)
    assert (len(responses), errors, len(server.received)) == (1, [], 2)


@pytest.mark.parametrize(
    ("step", "error_class"),
    [(answer(503), PermutiveServerError), (answer(500), PermutiveServerError)],
    ids=["bare 503", "500"],
)
def test_other_failures_in_a_stream_use_up_attempts(
    server: FakeService, step: Step, error_class: Any
) -> None:
    """Failures other than refusals of a limit use up attempts, and slow nothing down."""
    server.default = step
    [result] = stream_batch(things(1), api_key=KEY)
    assert type(result.error) is error_class
    assert len(server.received) == 3
    assert not rate_limit.any_limiter()


def test_attempts_from_before_a_refusal_count(server: FakeService) -> None:
    """A request that was postponed by a refusal keeps its number of attempts."""
    server.script = [answer(500), answer(500), refusal(429, "0.05"), answer(500)]
    [result] = stream_batch(things(1), api_key=KEY)
    assert type(result.error) is PermutiveServerError
    assert len(server.received) == 4


@each_refusal
def test_a_refusal_of_a_request_with_its_own_policy_uses_up_an_attempt(
    server: FakeService, status: int, retry_after: Optional[str]
) -> None:
    """A request of a stream with its own `retry` gives up after its attempts."""
    server.default = refusal(status, retry_after)
    [result] = stream_batch(things(1, retry=RetryConfig(2, initial_delay=0.01)), api_key=KEY)
    assert getattr(result.error, "status", None) == status
    assert len(server.received) == 2


@each_refusal
def test_without_patience_a_batch_ends(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, status: int, retry_after: Optional[str]
) -> None:
    """If nothing is accepted for too long, a refusal ends a request, and requests no longer queue."""
    monkeypatch.setattr(policy, "UNCOUNTED_REFUSALS_SECONDS", 0.2)
    server.default = refusal(status, retry_after)
    began = time.monotonic()
    _, errors = http.process_batch(things(60), api_key=KEY, max_workers=2)
    assert time.monotonic() - began < 4
    assert [getattr(error, "status", None) for _, error in errors] == [status] * 60
    arrived = Counter(paths(server))
    assert len(arrived) == 60
    assert arrived["59"] == 1
    assert max(arrived.values()) > 1, "some were refused within the patience"


def test_without_patience_a_block_holds_nobody(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a service accepts nothing for too long, and always asks for waits, a batch ends without more requests."""
    monkeypatch.setattr(policy, "UNCOUNTED_REFUSALS_SECONDS", -1.0)
    server.default = refusal(429, "60")
    began = time.monotonic()
    _, errors = http.process_batch(things(40), api_key=KEY, max_workers=2)
    assert time.monotonic() - began < 4
    assert len(errors) == 40 and len(server.received) <= 2
    assert "asked for a wait of 60 s" in str(errors[-1][1])
    assert "it has accepted nothing for" in str(errors[-1][1])


@pytest.mark.parametrize("status", [429, 503])
def test_a_batch_has_the_services_words(server: FakeService, status: int) -> None:
    """In a batch, too, a request that is refused for more than two minutes fails with that response."""
    body = {"error": {"message": "Maintenance"}}
    server.default = answer(status, body, headers={"Retry-After": "600"})
    _, [(_, error)] = http.process_batch(things(1), api_key=KEY, max_workers=1)
    assert isinstance(error, PermutiveAPIError)
    assert (error.status, len(server.received)) == (status, 1)
    assert error.response is not None and "Maintenance" in str(error)


def test_a_pool_of_processes_loses_nothing(server: FakeService) -> None:
    """Refusals of a limit use up no attempt in other processes either."""
    service = server.default = Limited(100, 5)
    with process_pool(2) as pool:
        responses, errors = http.process_batch(
            things(40), api_key=KEY, max_workers=8, executor=pool
        )
    assert (len(responses), errors) == (40, [])
    assert service.refused > 0


class Pickling(ThreadPoolExecutor):
    """Makes unpickled copies of calls, as other processes do, and records how long the service was silent."""

    def __init__(self) -> None:
        super().__init__(1)
        self.silent: List[float] = []

    def submit(self, call: Any, /, *arguments: Any, **options: Any) -> "Future[Any]":
        """Pickle a call, and make the copy."""
        copy, given = pickle.loads(pickle.dumps((call, arguments)))
        self.silent.append(copy.batch.silent_seconds(time.monotonic()))
        return super().submit(copy, *given, **options)


def test_other_processes_hear_of_what_was_accepted(server: FakeService) -> None:
    """The patience of a batch in other processes counts from the last success of any of them."""

    def slowly(connection: Connection) -> bool:
        server.stopping.wait(0.05)
        return answer(200, {})(connection)

    server.default = slowly
    began = time.monotonic()
    with Pickling() as pool:
        _, errors = http.process_batch(things(10), api_key=KEY, max_workers=1, executor=pool)
    assert errors == [] and len(pool.silent) > 1
    assert pool.silent[-1] < (time.monotonic() - began) / 3


def test_a_pool_of_processes_runs_out_of_patience_once() -> None:
    """The time since the last success is passed on to other processes."""
    call = CancellableFunction(str, Cancellation(100.0))
    batch = pickle.loads(pickle.dumps(call)).batch
    assert 100 <= batch.silent_seconds(time.monotonic()) < 101


def test_a_held_request_leaves_its_worker_to_others(server: FakeService) -> None:
    """While one request waits for its short Retry-After, the only worker sends the others."""
    server.script = [refusal(429, "0.3")]
    results = list(stream_batch(things(4), api_key=KEY, max_workers=1))
    assert paths(server) == ["0", "1", "2", "3", "0"]
    assert [result.index for result in results] == [1, 2, 3, 0]
    assert {result.error for result in results} == {None}


def test_only_the_first_call_of_a_request_is_postponed(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a user's function sends twice for a request, the first call is not sent again."""
    once = http.request

    def twice(*arguments: Any, **options: Any) -> Any:
        once(*arguments, **options)
        return once(*arguments, **options)

    monkeypatch.setattr(http, "request", twice)
    server.script = [answer(200), refusal(429, "0.05"), answer(200)]
    [result] = stream_batch(things(1), api_key=KEY)
    assert (result.error, len(server.received)) == (None, 3)


def test_another_process_postpones_nothing(server: FakeService) -> None:
    """In another process, whose clock may differ, refusals use up attempts, and the process waits itself."""
    server.script = [refusal(429, "0.01")] * 2
    with process_pool(1) as executor:
        [result] = stream_batch(things(1), api_key=KEY, executor=executor)
    assert (result.error, len(server.received)) == (None, 3)


# --- A request that is refused always -------------------------------------------------------------


class OneRefused:
    """Refuses the request with the number 0, and accepts all others."""

    def __init__(self, retry_after: Optional[str]) -> None:
        self.refused = 0
        self._refusal = refusal(429, retry_after)

    def __call__(self, connection: Connection) -> bool:
        """Accept or refuse a request."""
        if connection.request is not None and connection.request.path.endswith("/0"):
            self.refused += 1
            return self._refusal(connection)
        connection.server.stopping.wait(0.004)
        return answer(200, {})(connection)


each_short_wait = pytest.mark.parametrize("retry_after", [None, "0", "0.05"])


@each_short_wait
def test_a_request_that_is_always_refused_holds_no_other(
    server: FakeService, retry_after: Optional[str]
) -> None:
    """If a service refuses one request and accepts the others, only that one waits."""
    service = server.default = OneRefused(retry_after)
    began = time.monotonic()
    stream = stream_batch(things(81), api_key=KEY, max_workers=4)
    done = list(itertools.islice(stream, 80))
    assert time.monotonic() - began < 9
    stream.close()
    assert [result.index for result in done if result.error is not None] == []
    assert {result.index for result in done} == set(range(1, 81))
    assert service.refused < 20


def test_a_request_that_is_always_refused_waits_longer_each_time(server: FakeService) -> None:
    """A request that is always refused is sent less and less often, although it asks for a short wait."""
    service = server.default = OneRefused("0.02")
    endless = (BatchRequest("GET", f"{URL}/{number}") for number in itertools.count())
    began = time.monotonic()
    with closing(stream_batch(endless, api_key=KEY, max_workers=4)) as stream:
        for _ in stream:
            if time.monotonic() - began > 0.6:
                break
    assert 3 <= service.refused < 12


@each_short_wait
def test_a_request_that_is_always_refused_fails(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, retry_after: Optional[str]
) -> None:
    """A request that alone is refused for two minutes fails, and the others are accepted."""
    monkeypatch.setattr(policy, "UNCOUNTED_REFUSALS_SECONDS", 0.5)
    service = server.default = OneRefused(retry_after)
    _, errors = http.process_batch(things(60), api_key=KEY, max_workers=4)
    [(request, error)] = errors
    assert (request.url, type(error)) == (f"{URL}/0", PermutiveRateLimitError)
    assert service.refused < 20


# --- Who waits -----------------------------------------------------------------------------------


@pytest.fixture
def short_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a short Retry-After hold all requests, as one above a second does."""
    monkeypatch.setattr(rate_limit, "SHORT_RETRY_AFTER_SECONDS", 0.05)


def refuse_once(server: FakeService, retry_after: str, status: int = 429) -> None:
    """Get a refusal, with a call that does not try again."""
    server.script = [refusal(status, retry_after)]
    with pytest.raises((PermutiveRateLimitError, PermutiveServerError)):
        http.request("GET", KEY, URL, retry=ONCE)
    assert len(server.received) == 1


def single_call() -> Any:
    """Make a single call."""
    return http.get(KEY, URL)


def batch() -> Any:
    """Run a batch."""
    return http.process_batch(things(3), api_key=KEY)


@pytest.mark.usefixtures("short_holds")
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("call", [single_call, batch])
def test_everybody_waits_as_long_as_the_service_asks(
    server: FakeService, call: Callable[[], Any], status: int
) -> None:
    """After a refusal, no other call arrives before its Retry-After is over."""
    refuse_once(server, "0.3", status)
    thread = in_thread(call)
    time.sleep(0.15)
    assert len(server.received) == 1
    thread.join()
    assert len(server.received) in (2, 4)


def test_a_short_retry_after_holds_nobody_else(server: FakeService) -> None:
    """A Retry-After of one second holds only the refused request."""
    refuse_once(server, "1")
    began = time.monotonic()
    single_call()
    assert time.monotonic() - began < 0.9


def test_others_do_not_wait(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit does not hold requests with another key, or to another API or service."""
    refuse_once(server, "100")
    http.get(OTHER_KEY, URL)
    identity().identify(KEY)
    http.get(KEY, f"{URL.replace('v9', 'cohorts-api')}")
    assert len(server.received) == 4
    with FakeService() as other:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", other.url)
        http.get(KEY, URL)
        assert len(other.received) == 1


def test_a_single_call_goes_before_a_batch(server: FakeService) -> None:
    """A single call gets the next slot, however many requests of a batch wait."""
    service = server.default = Limited(20, 1)
    stream = stream_batch(things(24), api_key=KEY, max_workers=20)
    thread = in_thread(lambda: list(stream))
    assert server.wait_for(lambda: len(server.received) - service.refused > 2)
    before = len(server.received)
    http.get(KEY, f"{URL}/single")
    assert paths(server).index("single") - before < 6
    assert len(server.received) - service.refused < 18, "the batch was still waiting"
    thread.join()


def test_waiting_for_a_turn_uses_up_no_attempt(server: FakeService) -> None:
    """A request that waited has all its attempts left: two failures and a success."""
    refuse_once(server, "0.1")
    server.script = [answer(503), answer(503)]
    [result] = stream_batch(
        things(1, retry=RetryConfig(max_retries=3, initial_delay=0.0)), api_key=KEY
    )
    assert result.error is None
    assert len(server.received) == 4


def test_a_stream_that_waits_can_be_left(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream whose workers wait for their slots ends within a second when it is left."""
    # Otherwise a busy machine may hand back the first result before it begins the other requests.
    monkeypatch.setattr(workers, "_LONGEST_READING_SECONDS", 10.0)
    stream = stream_batch(things(100), api_key=KEY, max_workers=3)
    server.script = [answer(200)]
    server.default = refusal(429, "100")
    next(stream)
    assert server.wait_for(rate_limit.any_limiter)
    time.sleep(0.02)
    arrived = len(server.received)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 1.0
    assert len(server.received) == arrived
    assert workers_left() == []


def test_a_caller_who_is_alone_waits_by_its_policy_only(server: FakeService) -> None:
    """A script with one thread waits only as its policy says."""
    server.default = Limited(0.1, 1)
    began = time.monotonic()
    brief = RetryConfig(max_retries=3, initial_delay=0.0)
    outcomes: List[Any] = []
    for _ in range(3):
        try:
            outcomes.append(http.request("GET", KEY, URL, retry=brief))
        except PermutiveRateLimitError as error:
            outcomes.append(error.status)
    assert outcomes[1:] == [429] * 2
    assert len(server.received) == 1 + 2 * 3
    assert time.monotonic() - began < 2.0


# --- Longer than a call waits --------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_a_batch_that_is_sent_away_for_long_fails_at_once(server: FakeService, status: int) -> None:
    """During a Retry-After above 120 s, nothing more is sent; each request fails, and its error has the wait."""
    server.default = refusal(status, "300")
    began = time.monotonic()
    results = list(stream_batch(things(200), api_key=KEY, max_workers=4))
    assert time.monotonic() - began < 5
    assert len(server.received) <= 4
    assert len(results) == 200
    for result in results:
        assert "a wait of 300 s" in str(result.error)
        assert "120 s at the most" in str(result.error)
    unsent = [each.error for each in results if each.response is None]
    assert len(unsent) >= 196
    assert {type(error) for error in unsent} == {PermutiveRateLimitError}
    assert all("was not sent" in str(error) for error in unsent)


def test_every_call_under_a_long_block_fails_at_once(server: FakeService) -> None:
    """During a long block, single calls and requests with their own policy fail, too, but not calls to other APIs."""
    refuse_once(server, "121.5")
    for own in (None, RetryConfig(max_retries=9)):
        with pytest.raises(PermutiveRateLimitError, match="of 121.5 s") as raised:
            http.request("GET", KEY, f"{URL}?key=secret", retry=own)
        error = raised.value
        assert (error.status, error.response) == (429, None)
        assert str(error).startswith("Retry limit exceeded.")
        assert error.url is not None and "secret" not in error.url
    assert len(server.received) == 1
    identity().identify(KEY)


# --- Without a limit -----------------------------------------------------------------------------


def test_without_a_limit_there_is_no_pace(server: FakeService) -> None:
    """No limiter is made, and none is looked up, as long as the service refuses nothing."""
    server.script = [answer(503), answer(200), answer(400)]
    http.process_batch(things(20), api_key=KEY)
    assert not rate_limit.any_limiter()


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The seconds with which a replaced time.sleep was called."""
    heard: List[float] = []
    monkeypatch.setattr(time, "sleep", heard.append)
    return heard


def test_a_replaced_sleep_hears_the_waits_of_the_rules_only(
    server: FakeService, sleeps: List[float]
) -> None:
    """A replaced time.sleep, as in users' tests, gets only the waits of the policy, and no time passes."""
    server.default = answer(429, headers={"Retry-After": "7"})
    for _ in range(2):
        with pytest.raises(PermutiveRateLimitError):
            http.request("GET", KEY, URL, retry=RetryConfig(max_retries=3))
    assert len(sleeps) == 4
    assert all(7 <= seconds <= 7 * 1.25 for seconds in sleeps)
    assert len(server.received) == 6


def test_a_replaced_sleep_is_held_by_nothing(server: FakeService, sleeps: List[float]) -> None:
    """While time.sleep is replaced, a call is not held by the block of another call."""
    server.script = [refusal(429, "300")] * 2
    for _ in range(2):
        with pytest.raises(PermutiveRateLimitError):
            http.get(KEY, URL)
    http.get(KEY, URL)
    assert (sleeps, len(server.received)) == ([], 3)
