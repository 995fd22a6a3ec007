"""Shards: many requests in one call to another process. The caller sees single requests."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Set

import pytest
import requests

from PermutiveAPI import (
    AttemptRecord,
    BatchRequest,
    PermutiveConnectionError,
    Progress,
    options,
    stream_batch,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch.shards import Shard
from tests.support.calls import KEY
from tests.support.fake_service import Connection, FakeService, Step, after, answer, stall
from tests.support.platforms import SIGKILL, needs_posix
from tests.support.processes import dask_client, process_context, process_pool
from tests.support.things import URL, things
from tests.support.threads import in_thread
from tests.support.travellers import Strange, answer_strangely, fail_once, wait_for_file

if TYPE_CHECKING:
    import distributed

PROCESSES = 2
UNKNOWN = "The outcome is unknown"


def refused(retry_after: str) -> Step:
    """Refuse by a limit."""
    return answer(429, {}, headers={"Retry-After": retry_after})


def paths(server: FakeService) -> "Counter[str]":
    """Count how often the service saw each request."""
    return Counter(seen.path for seen in server.received)


def kill_when(server: FakeService, victim: int, arrived: int) -> threading.Thread:
    """Kill a process as soon as so many requests have arrived."""

    def kill() -> None:
        server.wait_for(lambda: len(server.received) >= arrived, 20)
        os.kill(victim, SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    return killer


def victim_of(client: distributed.Client) -> int:
    """Return the id of a worker's process."""
    client.wait_for_workers(1)
    numbers: Any = client.run(os.getpid)
    return next(iter(numbers.values()))


class Counting(Executor):
    """Counts the calls that an executor is given, and the requests of each shard."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._max_workers = PROCESSES
        self.counts: List[int] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Hand a call on."""
        [argument] = args
        self.counts.append(argument.count if isinstance(argument, Shard) else 1)
        return self._executor.submit(fn, argument)


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """A pool of processes, for tests that kill none."""
    with process_pool(PROCESSES) as running:
        yield running


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    """A cluster that repeats no call; tests that kill a worker get another one."""
    with dask_client(PROCESSES, threads=2) as running:
        yield running


@pytest.fixture(scope="module")
def mortal_client() -> Iterator[distributed.Client]:
    """A cluster of one process, which tests kill: so that process has a shard then. Dask starts another one."""
    with dask_client(1, threads=2) as running:
        yield running


@pytest.fixture(params=["processes", "Dask"])
def executor(request: pytest.FixtureRequest) -> Executor:
    """Both of them, one after the other."""
    if request.param == "processes":
        return request.getfixturevalue("pool")
    return request.getfixturevalue("client").get_executor()


# --- Many requests, few calls --------------------------------------------------------------------


def test_many_requests_travel_in_few_calls(server: FakeService, executor: Executor) -> None:
    """Each arrives once, over few connections, which are kept; each result has its own request."""
    counting = Counting(executor)
    batch = things(300)
    for _ in range(2):
        results = list(stream_batch(batch, api_key=KEY, max_workers=4, executor=counting))
        assert sorted(result.index for result in results) == list(range(300))
        assert all(result.batch_request is batch[result.index] for result in results)
        assert [result.error for result in results] == [None] * 300
    assert set(paths(server).values()) == {2}
    assert server.connections <= 4 * PROCESSES
    # The first ones are small, until it is known how long a request takes.
    assert len(counting.counts) < 60
    assert max(counting.counts) > 30


def test_max_workers_is_for_each_process(server: FakeService, pool: Executor) -> None:
    """By default, a process sends eight requests at a time."""
    busy, most = set[int](), [0]

    def step(connection: Connection) -> bool:
        busy.add(id(connection.sock))
        most[0] = max(most[0], len(busy))
        connection.server.stopping.wait(0.02)
        busy.discard(id(connection.sock))
        return answer(200, {})(connection)

    server.default = step
    for workers, concurrency in ((3, 6), (None, 16)):
        most[0] = 0
        http.process_batch(things(200), api_key=KEY, max_workers=workers, executor=pool)
        assert concurrency / 2 < most[0] <= concurrency


def test_a_slow_service_makes_shards_small(server: FakeService, pool: Executor) -> None:
    """A shard holds about a second of work, and a generator is read only for the next ones."""
    server.default = after(0.05, answer(200, {}))
    taken: List[int] = []

    def endless() -> Iterator[BatchRequest]:
        while True:
            taken.append(len(taken))
            yield things(len(taken))[-1]

    counting = Counting(pool)
    stream = stream_batch(endless(), api_key=KEY, max_workers=2, executor=counting)
    for _ in range(60):
        next(stream)
    stream.close()
    # Two threads send 40 in a second: one shard is in flight, and the next one waits.
    assert max(counting.counts) <= 40
    assert len(taken) <= 60 + 2 * PROCESSES * 40


def test_callbacks_come_one_by_one_in_the_callers_thread(
    server: FakeService, pool: Executor
) -> None:
    """Progress counts requests, not shards, and callbacks get the very requests that were given."""
    heard: List[Progress] = []
    threads: Set[int] = set()

    def tell(progress: Progress) -> None:
        threads.add(threading.get_ident())
        heard.append(progress)

    batch = things(50, callback=lambda response: threads.add(threading.get_ident()))
    http.process_batch(batch, api_key=KEY, executor=pool, progress_callback=tell)
    assert [progress.completed for progress in heard] == list(range(1, 51))
    assert {id(progress.batch_request) for progress in heard} == {id(each) for each in batch}
    assert threads == {threading.get_ident()}


class AtOnce:
    """Runs each call in this thread before submit returns, as users' stand-ins do."""

    def __init__(self) -> None:
        self.arguments: List[Any] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> "Future[Any]":
        """Make the call now."""
        self.arguments += args
        future: "Future[Any]" = Future()
        future.set_result(fn(*args))
        return future


@pytest.mark.parametrize("count", [1, 5])
def test_an_executor_of_this_process_gets_single_calls(server: FakeService, count: int) -> None:
    """It gets one call for each request: the first one tells that nothing is pickled."""
    executor: Any = AtOnce()
    responses, errors = http.process_batch(things(count), api_key=KEY, executor=executor)
    assert (len(responses), errors) == (count, [])
    assert len(executor.arguments) == count == len(server.received)
    assert not any(isinstance(each, Shard) for each in executor.arguments[1:])


def test_threads_get_single_calls(server: FakeService) -> None:
    """So does a class derived from ThreadPoolExecutor with a submit() of its own: its first call tells."""
    arguments: List[Any] = []

    class Pool(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
            arguments.extend(args)
            return super().submit(fn, *args, **kwargs)

    with Pool(2) as pool:
        responses, _ = http.process_batch(things(10), api_key=KEY, executor=pool)
    assert len(responses) == len(arguments) == len(server.received) == 10
    assert not any(isinstance(each, Shard) for each in arguments[1:])


# --- Stops -----------------------------------------------------------------------------------------


def test_a_stop_under_a_long_retry_after(server: FakeService, executor: Executor) -> None:
    """It ends within three seconds, and nothing is sent after it."""
    server.script = [answer(200, {})] * 20
    server.default = refused("60")
    # A key of its own: the processes keep the limit for a minute.
    stream = stream_batch(things(500), api_key="refused", max_workers=4, executor=executor)
    # More than the first shards hold, so that the next ones are sent.
    for _ in range(8 * PROCESSES + 1):
        next(stream)
    assert server.wait_for(lambda: len(server.received) > 20)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 3.0
    arrived = len(server.received)
    assert not server.wait_for(lambda: len(server.received) > arrived, 0.5)


def test_a_stop_while_requests_stall(server: FakeService, executor: Executor) -> None:
    """It waits for their outcome, but at most three seconds."""
    server.script = [answer(200, {})] * 8
    server.default = stall()
    stream = stream_batch(things(100), api_key=KEY, max_workers=2, executor=executor)
    next(stream)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 3.0
    server.stopping.set()


def test_what_completes_while_a_stream_is_left(
    server: FakeService, tmp_path: Any, executor: Executor
) -> None:
    """Shards in flight are recorded and reported, so that the next run does not send them again."""
    server.default = after(0.01, answer(200, {}))
    heard: List[int] = []
    journal = tmp_path / "job.journal"
    stream = stream_batch(
        things(2000),
        api_key=KEY,
        max_workers=2,
        executor=executor,
        journal=journal,
        progress_callback=lambda progress: heard.append(progress.completed),
    )
    for _ in range(30):
        next(stream)
    stream.close()
    arrived = len(server.received)
    assert 30 < arrived < 2000
    assert heard == list(range(1, arrived + 1))
    assert len(journal.read_text().splitlines()) == 1 + arrived


class Watched(ProcessPoolExecutor):
    """A pool of one process that keeps the futures of its calls."""

    def __init__(self) -> None:
        super().__init__(1, mp_context=process_context())
        self.futures: List["Future[Any]"] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Hand a call on."""
        self.futures.append(super().submit(fn, *args, **kwargs))
        return self.futures[-1]


def test_a_stop_while_the_pool_is_busy_with_other_calls(server: FakeService, tmp_path: Any) -> None:
    """A shard that waits in the pool, where it cannot be cancelled, sends nothing after the stop."""
    with Watched() as pool:
        pool.submit(wait_for_file, str(tmp_path / "free"))
        stream = stream_batch(things(50), api_key=KEY, executor=pool)
        reader = in_thread(lambda: list(stream))
        # The pool calls it running, since it has put it into its queue.
        assert server.wait_for(lambda: len(pool.futures) == 2 and pool.futures[1].running())
        stream.close()
        reader.join(5)
        (tmp_path / "free").touch()
        assert pool.submit(len, "abc").result() == 3
    assert server.received == []


def test_a_stop_while_one_request_stalls(
    server: FakeService, pool: Executor, tmp_path: Any
) -> None:
    """What its shard has completed is recorded and reported. The stalled one is ended."""

    def first_stalls(connection: Connection) -> bool:
        assert connection.request is not None
        return (stall() if connection.request.path.endswith("/0") else answer(200, {}))(connection)

    server.default = first_stalls
    journal = tmp_path / "job.journal"
    batch = [BatchRequest("POST", f"{URL}/{number}", json={}) for number in range(8)]
    heard: List[str] = []
    for each in batch:
        each.callback = lambda response: heard.append(response.url)
    stream = stream_batch(batch, api_key=KEY, max_workers=2, executor=pool, journal=journal)
    reader = in_thread(lambda: list(stream))
    assert server.wait_for(lambda: len(server.received) == 8)
    stream.close()
    reader.join(5)
    assert len(heard) == len(set(heard)) == 7
    assert len(journal.read_text().splitlines()) == 1 + 7


def test_a_slow_reader_of_results(server: FakeService, executor: Executor) -> None:
    """However fast the service is, requests go only as far ahead as twice what the reader has taken."""
    taken: List[int] = []

    def endless() -> Iterator[BatchRequest]:
        while True:
            taken.append(len(taken))
            yield BatchRequest("POST", f"{URL}/{len(taken)}", json={})

    stream = stream_batch(endless(), api_key=KEY, max_workers=4, executor=executor)
    for _ in range(20):
        next(stream)
        time.sleep(0.01)  # Time for many shards.
    stream.close()
    assert len(taken) <= 20 + 2 * PROCESSES * (20 + 4)


@needs_posix
def test_ctrl_c_reaches_a_process_of_a_pool(server: FakeService, tmp_path: Any) -> None:
    """As in a terminal: the process sends nothing more, but returns the results so far."""
    server.default = after(0.02, answer(200, {}))
    journal = tmp_path / "job.journal"
    with process_pool(1) as pool:
        victim = pool.submit(os.getpid).result()
        interrupter = threading.Thread(
            target=lambda: (
                server.wait_for(lambda: len(server.received) > 40, 20),
                os.kill(victim, signal.SIGINT),
            )
        )
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            list(
                stream_batch(
                    things(1000), api_key=KEY, max_workers=2, executor=pool, journal=journal
                )
            )
        interrupter.join()
        arrived = len(server.received)
        assert pool.submit(len, "abc").result() == 3
    assert 40 < arrived < 1000
    assert len(journal.read_text().splitlines()) == 1 + arrived


# --- Workers that die --------------------------------------------------------------------------------


def test_a_process_that_dies(server: FakeService) -> None:
    """Each request of its shard fails with its own error: the outcome is unknown."""
    server.default = after(0.01, answer(200, {}))
    batch = things(1000)
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        victim = pool.submit(os.getpid).result()
        killer = kill_when(server, victim, 100)
        results = list(stream_batch(batch, api_key=KEY, max_workers=2, executor=pool))
        killer.join()
    assert sorted(result.index for result in results) == list(range(1000))
    succeeded = {result.batch_request.url for result in results if result.error is None}
    lost = [result for result in results if isinstance(result.error, PermutiveConnectionError)]
    rest = [result for result in results if type(result.error).__name__ == "BrokenProcessPool"]
    assert succeeded and lost and rest
    assert len(succeeded) + len(lost) + len(rest) == 1000
    assert all(UNKNOWN in str(result.error) for result in lost)
    assert all("terminated" in str(result.error) for result in lost)
    # Nothing was sent twice, and requests that are called unsent were not sent.
    seen = paths(server)
    assert set(seen.values()) == {1}
    assert not {f"/v9/things/{result.index}" for result in rest} & set(seen)


def test_a_dask_worker_that_dies(server: FakeService, mortal_client: distributed.Client) -> None:
    """Without repeats, its shard fails and nothing is sent again; the cluster does the rest of the batch."""
    server.default = after(0.01, answer(200, {}))
    killer = kill_when(server, victim_of(mortal_client), 100)
    executor = mortal_client.get_executor()
    results = list(stream_batch(things(500), api_key=KEY, max_workers=2, executor=executor))
    killer.join()
    lost = [result for result in results if result.error is not None]
    assert len(results) == 500
    assert 0 < len(lost) < 400
    assert all(isinstance(result.error, PermutiveConnectionError) for result in lost)
    assert all(UNKNOWN in str(result.error) for result in lost)
    assert all("died" in str(result.error) and KEY not in str(result.error) for result in lost)
    assert set(paths(server).values()) == {1}


def test_a_dask_worker_that_dies_by_default(
    server: FakeService, mortal_client: distributed.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask runs the lost shard again: nothing is lost, and at most that shard is sent twice."""
    server.default = after(0.01, answer(200, {}))
    cluster: Any = mortal_client.cluster
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 3)
    counting = Counting(mortal_client.get_executor())
    killer = kill_when(server, victim_of(mortal_client), 100)
    results = list(stream_batch(things(500), api_key=KEY, max_workers=2, executor=counting))
    killer.join()
    assert [result.error for result in results] == [None] * 500
    seen = paths(server)
    assert len(seen) == 500
    twice = [path for path, times in seen.items() if times > 1]
    assert max(seen.values()) == 2
    assert 0 < len(twice) <= max(counting.counts)


def test_a_process_that_dies_under_a_generator(server: FakeService) -> None:
    """The requests of its shard are reported before the error of the pool."""
    server.default = after(0.01, answer(200, {}))
    results: List[Any] = []
    with process_pool(1) as pool:
        victim = pool.submit(os.getpid).result()
        killer = kill_when(server, victim, 60)
        with pytest.raises(BrokenProcessPool):
            for result in stream_batch(iter(things(1000)), api_key=KEY, executor=pool):
                results.append(result)
        killer.join()
    reported = {f"/v9/things/{result.index}" for result in results}
    assert set(paths(server)) <= reported
    lost = [result for result in results if result.error is not None]
    assert lost and all(UNKNOWN in str(result.error) for result in lost)


# --- Journals ----------------------------------------------------------------------------------------


def shards_of(batch: List[BatchRequest], executor: Executor, **more: Any) -> List[int]:
    """Return the numbers of requests in the shards of a batch."""
    counting = Counting(executor)
    results = list(stream_batch(batch, api_key=KEY, executor=counting, **more))
    assert [result.error for result in results] == [None] * len(batch)
    return counting.counts


def test_what_must_not_be_repeated_goes_in_small_shards(
    server: FakeService, pool: Executor, tmp_path: Any
) -> None:
    """With a journal, so that the run after a kill repeats few creates; mixed ones, too."""
    creates = [BatchRequest("POST", f"{URL}/{number}", json={}) for number in range(300)]
    assert max(shards_of(creates, pool)) > 20
    assert max(shards_of(creates, pool, journal=tmp_path / "creates")) == 20
    assert max(shards_of(things(300), pool, journal=tmp_path / "reads")) > 20
    mixed = [each for pair in zip(creates, things(300), strict=True) for each in pair]
    assert max(shards_of(mixed, pool, journal=tmp_path / "mixed")) == 20


def test_a_journal_is_written_before_more_is_created(
    server: FakeService, pool: Executor, tmp_path: Any
) -> None:
    """At most one shard of creates for each process is not recorded yet."""
    journal = tmp_path / "job.journal"
    creates = [BatchRequest("POST", f"{URL}/{number}", json={}) for number in range(200)]
    for _ in stream_batch(creates, api_key=KEY, executor=pool, journal=journal):
        recorded = len(journal.read_text().splitlines()) - 1
        assert len(server.received) - recorded <= 20 * PROCESSES


# --- Limits ------------------------------------------------------------------------------------------


def test_two_processes_under_a_limit(server: FakeService, pool: Executor) -> None:
    """Each finds its rate under 10 a second: nothing is lost, and few requests are refused."""
    lock, tokens, filled_at, refusals = threading.Lock(), [10.0], [time.monotonic()], [0]

    def limited(connection: Connection) -> bool:
        with lock:
            now = time.monotonic()
            tokens[0] = min(tokens[0] + (now - filled_at[0]) * 10, 10.0)
            filled_at[0] = now
            admitted = tokens[0] >= 1
            tokens[0] -= admitted
            refusals[0] += not admitted
        return answer(200 if admitted else 429, {})(connection)

    server.default = limited
    # A key of its own: the processes remember the limits of earlier tests.
    responses, errors = http.process_batch(things(60), api_key="limited", executor=pool)
    assert (len(responses), errors) == (60, [])
    # Requests in flight at the first refusal do not count.
    assert refusals[0] - 8 * PROCESSES <= 0.25 * len(server.received)


def test_what_comes_back_unsent_goes_again_with_its_attempts(
    server: FakeService, executor: Executor
) -> None:
    """If a wait is longer than a shard, the caller's process waits; only attempts that were made count."""
    server.script = [answer(503)]
    server.default = answer(200, {})
    records: List[AttemptRecord] = []
    policy = http.RetryConfig(max_retries=2, initial_delay=2.1)
    with options(on_response=records.append):
        [result] = stream_batch(things(1, retry=policy), api_key=KEY, executor=executor)
    assert result.error is None
    assert [(each.status, each.attempt) for each in records] == [(503, 1), (200, 2)]
    assert len(server.received) == 2


def test_an_interruption_while_results_are_read(server: FakeService, pool: Executor) -> None:
    """If the hook is interrupted, each result that has come back is told, and only its own record again."""
    server.default = answer(200, {})
    heard: List[str] = []

    def hook(record: AttemptRecord) -> None:
        heard.append(record.path)
        if len(heard) == 3:
            raise KeyboardInterrupt

    with options(on_response=hook), pytest.raises(KeyboardInterrupt):
        http.process_batch(things(40), api_key=KEY, executor=pool)
    assert heard.count(heard[2]) == 2
    assert len(set(heard)) == len(heard) - 1 == len(server.received)


# --- What cannot be pickled ----------------------------------------------------------------------------


def test_a_replaced_request_that_cannot_be_pickled(
    server: FakeService, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error at once, and nothing is sent."""

    def request(*args: Any, **kwargs: Any) -> requests.Response:
        raise AssertionError("nothing may be sent")

    monkeypatch.setattr(http, "request", request)
    with pytest.raises(TypeError, match=r"http\.request is replaced by .*request, which cannot be"):
        stream_batch(things(2), api_key=KEY, executor=pool)
    assert server.received == []


def test_a_response_that_cannot_be_pickled_fails_alone(
    pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are not lost with it; its error says that the request was sent."""
    monkeypatch.setattr(http, "request", answer_strangely)
    batch = things(3)
    responses, [(request, error)] = http.process_batch(batch, api_key=KEY, executor=pool)
    assert responses == [batch[0].url, batch[2].url]
    assert request is batch[1]
    assert str(error).startswith("The request was sent, but its result cannot return")


def test_a_request_that_cannot_be_read_there_fails_alone(
    server: FakeService, executor: Executor
) -> None:
    """Its neighbours are sent, once each."""
    batch = things(40)
    batch[17] = BatchRequest("GET", Strange(URL, "/17"))
    responses, [(request, error)] = http.process_batch(batch, api_key=KEY, executor=executor)
    assert len(responses) == 39 and request is batch[17]
    assert isinstance(error, TypeError)
    assert set(paths(server).values()) == {1} and len(server.received) == 39


def test_an_error_that_cannot_be_read_here_fails_alone(
    pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others keep their results."""
    monkeypatch.setattr(http, "request", fail_once)
    batch = things(40)
    responses, [(request, error)] = http.process_batch(batch, api_key=KEY, executor=pool)
    assert len(responses) == 39 and request is batch[17]
    assert "a StrangeError cannot be pickled" in str(error)


class Unpicklable(Dict[str, str]):
    """Parameters that no tool can pickle."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse."""
        raise TypeError("not this one")


def test_requests_for_an_executor_of_this_process_need_not_be_pickled(server: FakeService) -> None:
    """Also before the first call has told that it runs here."""
    batch = [BatchRequest("GET", URL, params=Unpicklable(a="1")) for _ in range(5)]
    executor: Any = AtOnce()
    responses, errors = http.process_batch(batch, api_key=KEY, executor=executor)
    assert (len(responses), errors) == (5, [])
    assert len(server.received) == 5
