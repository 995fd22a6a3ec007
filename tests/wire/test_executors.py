"""Batches on the caller's executors: threads, processes, and a Dask cluster."""

from __future__ import annotations

import itertools
import logging
import os
import pickle
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, ContextManager, Dict, Generator, Iterator, List

import pytest

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    Identity,
    PermutiveBadRequestError,
    Progress,
    RetryConfig,
    Segmentation,
    stream_batch,
)
from PermutiveAPI._Utils import http
from tests.support.calls import COHORT, COHORTS, KEY, SEGMENTED, cohort, identity, segmentation
from tests.support.fake_service import Connection, FakeService, answer, answer_from, stall
from tests.support.platforms import SIGKILL
from tests.support.processes import dask_client, process_pool
from tests.support.things import URL, path_of, things
from tests.support.threads import in_thread

PROCESSES = 2


@contextmanager
def dask_executor(processes: int) -> Generator[Executor, None, None]:
    """Run a Dask cluster, and yield its executor."""
    with dask_client(processes, threads=1) as client:
        yield client.get_executor()


def late_answer(connection: Connection) -> bool:
    """Answer after a while."""
    connection.server.stopping.wait(0.05)
    return answer(200, {})(connection)


KINDS: Dict[str, Callable[[int], ContextManager[Executor]]] = {
    "threads": ThreadPoolExecutor,
    "processes": process_pool,
    "Dask": dask_executor,
}


@pytest.fixture(scope="module", params=KINDS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """A caller's executor; it outlives every batch of this module."""
    with KINDS[request.param](PROCESSES) as running:
        yield running


def in_this_process(executor: Executor) -> bool:
    """Tell whether calls run in threads of this process."""
    return executor.submit(os.getpid).result() == os.getpid()


# --- On each of them -----------------------------------------------------------------------------


def test_responses_in_order(server: FakeService, executor: Executor) -> None:
    """A collected batch has its responses in the order of the requests, on any executor."""
    server.default = answer_from(path_of)
    responses, errors = http.process_batch(
        things(20), api_key=KEY, max_workers=2, executor=executor
    )
    assert errors == []
    assert [one.json()["path"] for one in responses] == [
        f"/v9/things/{number}" for number in range(20)
    ]
    assert [seen.query["k"] for seen in server.received] == [[KEY]] * 20
    assert all(one.url.startswith(server.url) for one in responses)


def test_callbacks_and_progress_stay_with_the_caller(
    server: FakeService, executor: Executor
) -> None:
    """Callbacks and progress are not pickled: they are called in the caller's thread."""
    server.default = answer_from(path_of)
    where: List[int] = []
    heard: List[Progress] = []
    lock = threading.Lock()  # It cannot be pickled.

    def told(value: Any) -> None:
        with lock:
            where.append(threading.get_ident())

    def tell(progress: Progress) -> None:
        told(progress)
        heard.append(progress)

    http.process_batch(
        things(6, callback=told, error_callback=told),
        api_key=KEY,
        executor=executor,
        progress_callback=tell,
    )
    assert where == [threading.get_ident()] * 12
    assert [each.completed for each in heard] == [1, 2, 3, 4, 5, 6]
    assert heard[-1].total == 6


def test_models(server: FakeService, executor: Executor) -> None:
    """Models get their fields from the responses, and streams yield them, as without an executor."""
    server.default = answer(201, COHORT)
    cohorts = [cohort() for _ in range(4)]
    responses, failures = Cohort.batch_create(cohorts, api_key=KEY, executor=executor)
    assert (len(responses), failures) == (4, [])
    assert [one.id for one in cohorts] == ["c-1"] * 4
    assert {seen.path for seen in server.received} == {COHORTS}
    users = [identity() for _ in range(3)]
    results = list(Identity.stream_identify(users, api_key=KEY, executor=executor))
    assert all(result.value is users[result.index] for result in results)
    server.default = answer(200, SEGMENTED)
    [result] = Segmentation.stream_send([segmentation()], api_key=KEY, executor=executor)
    assert result.value == SEGMENTED


def test_failures_arrive_whole(
    server: FakeService, executor: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    """An error comes back with its class, status and response, but without the key."""
    caplog.set_level(logging.DEBUG)
    server.default = answer(400, {"error": {"cause": "odd"}})
    [result] = stream_batch(things(1), api_key=KEY, executor=executor)
    error = result.error
    assert isinstance(error, PermutiveBadRequestError)
    assert error.status == 400
    assert error.response is not None
    assert error.response.json() == {"error": {"cause": "odd"}}
    assert KEY not in repr(error) + repr(vars(error)) + str(error.response.url)
    assert KEY not in caplog.text


def test_a_body_that_cannot_be_pickled_fails_alone(server: FakeService, executor: Executor) -> None:
    """If a body can be neither sent nor pickled, only its request fails."""
    batch = things(3)
    batch[1] = BatchRequest("POST", f"{URL}/1", json={"lock": threading.Lock()})
    responses, [(request, error)] = http.process_batch(batch, api_key=KEY, executor=executor)
    assert len(responses) == 2
    assert request is batch[1]
    assert isinstance(error, Exception)
    assert KEY not in repr(error) + str(error)


def test_equal_requests_are_each_sent(server: FakeService, executor: Executor) -> None:
    """Clusters that cache the results of equal calls send each request."""
    requests = things(1) * 5
    assert len(list(stream_batch(requests, api_key=KEY, executor=executor))) == 5
    assert len(server.received) == 5


def test_policies_hold_in_other_processes(
    server: FakeService, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request's own policy, or else the caller's settings, hold in the process that sends it."""
    server.default = answer(503)
    twice = RetryConfig(max_retries=2, initial_delay=0.0)
    [own] = stream_batch(things(1, retry=twice), api_key=KEY, executor=executor)
    assert own.error is not None and len(server.received) == 2
    # Set after the processes have started.
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "4")
    [general] = stream_batch(things(1), api_key=KEY, executor=executor)
    assert general.error is not None and len(server.received) == 2 + 4


def test_a_journal_stays_with_the_caller(
    server: FakeService, executor: Executor, tmp_path: Any
) -> None:
    """The caller's process records the successes of other processes."""
    journal = tmp_path / "job.journal"
    options: Dict[str, Any] = {"journal": journal, "executor": executor}
    assert len(list(stream_batch(things(5), api_key=KEY, **options))) == 5
    assert list(stream_batch(things(5), api_key=KEY, **options)) == []
    assert len(server.received) == 5


def test_a_few_at_a_time(server: FakeService, executor: Executor) -> None:
    """max_workers bounds what is taken, however many an executor can run; the executor stays usable."""
    server.default = late_answer
    taken: List[int] = []

    def endless() -> Iterator[BatchRequest]:
        while True:
            taken.append(len(taken))
            yield BatchRequest("GET", f"{URL}/{len(taken)}")

    stream = stream_batch(endless(), api_key=KEY, max_workers=2, executor=executor)
    for _ in range(10):
        next(stream)
    # Other processes get what two threads send in a second, and as much again waits for them.
    most = 2 * 2 if in_this_process(executor) else PROCESSES * 2 * 40
    assert len(taken) <= 10 + most
    stream.close()
    assert executor.submit(len, "abc").result() == 3


def test_leaving_early(server: FakeService, executor: Executor) -> None:
    """What has not begun is not sent; the caller waits at most a second, for other processes three."""
    here = in_this_process(executor)
    # Other processes bring nothing back before their first shards are done.
    answered = 1 if here else 8 * PROCESSES
    server.script = [answer(200, {})] * answered
    server.default = stall()
    stream = stream_batch(things(500), api_key=KEY, max_workers=4, executor=executor)
    next(stream)
    # Here, the threads all stall now, with a request each. Other processes have no second shard yet.
    sent = answered + PROCESSES if here else answered
    assert server.wait_for(lambda: len(server.received) >= sent)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < (1.0 if here else 3.0)
    arrived = len(server.received)
    server.stopping.set()  # Ends the stalls.
    assert executor.submit(len, "abc").result() == 3
    assert len(server.received) == arrived


def test_what_completes_while_a_stream_is_left(server: FakeService, tmp_path: Any) -> None:
    """It is recorded and reported: the same job, started again, does not send it again."""
    answered: List[str] = []
    both = threading.Barrier(2)

    def together(connection: Connection) -> bool:
        # Threads get their responses before the stop, which cuts off requests that wait.
        both.wait(10)
        assert connection.request is not None
        answered.append(connection.request.path)
        return answer(200, {})(connection)

    server.script = [answer(200, {}), together, together]
    server.default = stall()
    heard: List[int] = []
    journal = tmp_path / "job.journal"
    with ThreadPoolExecutor(2) as pool:
        stream = stream_batch(
            things(50),
            api_key=KEY,
            max_workers=4,
            executor=pool,
            journal=journal,
            progress_callback=lambda progress: heard.append(progress.completed),
        )
        next(stream)
        # Each thread has its response, and waits for the next one.
        assert server.wait_for(lambda: len(server.received) == 5)
        stream.close()
        server.stopping.set()
    assert len(answered) == 2
    assert heard == [1, 2, 3]
    assert len(journal.read_text().splitlines()) == 1 + 3


# --- What goes wrong -----------------------------------------------------------------------------


def killing_when_busy(server: FakeService, pool: Executor) -> threading.Thread:
    """Kill a pool's only process when its first request has arrived."""
    victim = pool.submit(os.getpid).result()

    def kill() -> None:
        server.wait_for(lambda: server.received)
        os.kill(victim, SIGKILL)

    return in_thread(kill)


def test_a_pool_that_breaks_during_a_batch(server: FakeService) -> None:
    """If a pool breaks, successes are returned, and all the rest are failures."""
    server.script = [answer(200, {}) for _ in range(10)]
    server.default = stall()
    with process_pool(1) as pool:
        victim = pool.submit(os.getpid).result()
        killer = threading.Thread(
            target=lambda: (
                server.wait_for(lambda: len(server.received) > 10),
                os.kill(victim, SIGKILL),
            )
        )
        killer.start()
        responses, errors = http.process_batch(
            things(1000), api_key=KEY, max_workers=1, executor=pool
        )
        killer.join()
    assert responses and len(responses) + len(errors) == 1000
    kinds = [type(error) for _, error in errors]
    # The shard that it had, and the rest, which the pool no longer accepts.
    assert {each.__name__ for each in kinds} == {"PermutiveConnectionError", "BrokenProcessPool"}


def test_a_pool_that_breaks_under_an_endless_stream(server: FakeService) -> None:
    """If a pool breaks under an endless stream, the stream raises the error."""
    server.default = stall()
    with process_pool(1) as pool:
        killer = killing_when_busy(server, pool)
        endless = (things(1)[0] for _ in itertools.count())
        stream = stream_batch(endless, api_key=KEY, max_workers=1, executor=pool)
        with pytest.raises(BrokenExecutor):
            list(stream)
        killer.join()


class Recording(Executor):
    """Records the calls as pickles, as another process gets them."""

    def __init__(self) -> None:
        self.pickled: List[bytes] = []
        self.shown: List[str] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Make the call at once, with unpickled copies."""
        self.shown.append(repr((fn, args)))
        self.pickled.append(pickle.dumps((fn, args)))
        call, arguments = pickle.loads(self.pickled[-1])
        future: "Future[Any]" = Future()
        future.set_result(call(*arguments))
        return future


def test_pickles_and_texts_of_calls(server: FakeService) -> None:
    """The pickle of a call is small, and its repr(), which a cluster may log, shows no key."""
    recording = Recording()
    batch = things(2, callback=lambda response: None)
    for _ in range(2):
        responses, errors = http.process_batch(batch, api_key=KEY, executor=recording)
        assert (len(responses), errors) == (2, [])
    # A cluster would make equal calls only once.
    assert len(set(recording.pickled)) == 4
    assert KEY not in "".join(recording.shown)
    assert max(map(len, recording.pickled)) < 2_000


def test_an_executor_that_was_shut_down(server: FakeService) -> None:
    """The executor's own error is raised, and nothing is sent."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        http.process_batch(things(2), api_key=KEY, executor=pool)
    assert server.received == []


def test_replaced_executor_class_is_not_used_beside_a_given_one(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """http.ThreadPoolExecutor, which users may replace, is used only for batches without an executor."""

    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("no executor was to be made")

    monkeypatch.setattr(http, "ThreadPoolExecutor", forbidden)
    with ThreadPoolExecutor(1) as pool:
        responses, _ = http.process_batch(things(2), api_key=KEY, executor=pool)
    assert len(responses) == 2


def test_what_the_executor_cancels_fails(server: FakeService) -> None:
    """If another part of the program shuts the executor down, what it has not begun fails, each by itself."""
    pool = ThreadPoolExecutor(1)

    def shut_down(connection: Connection) -> bool:
        pool.shutdown(wait=False, cancel_futures=True)
        return answer(200, {})(connection)

    server.default = shut_down
    responses, failures = http.process_batch(things(6), api_key=KEY, max_workers=2, executor=pool)
    assert (len(responses), len(server.received)) == (1, 1)
    kinds = [type(error) for _, error in failures]
    assert kinds == [CancelledError] * 3 + [RuntimeError] * 2
    assert str(failures[0][1]) == "The executor cancelled this request before it was sent."


def test_closing_in_a_thread_that_has_worked_for_the_stream(server: FakeService) -> None:
    """In a thread of the caller's executor, too, the stream has ended when close() returns."""
    heard: List[str] = []
    requests = things(20, callback=lambda response: heard.append(response.url))
    with ThreadPoolExecutor(1) as pool:
        stream = stream_batch(requests, api_key=KEY, max_workers=1, executor=pool)
        next(stream)
        pool.submit(stream.close).result(10)
        assert 1 < len(heard) == len(server.received) < 20
        with pytest.raises(StopIteration):
            next(stream)
