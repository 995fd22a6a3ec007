"""Batches on executors of the caller's: threads, processes, and a Dask cluster."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import contextmanager
from typing import Any, Callable, ContextManager, Dict, Generator, Iterator, List

import dask.config
import distributed
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
from tests.support.fake_service import (
    Connection,
    FakeService,
    ReceivedRequest,
    answer,
    answer_from,
    stall,
)

URL = "https://api.permutive.app/v9/things"
PROCESSES = 2


def things(count: int, **more: Any) -> List[BatchRequest]:
    """Make numbered requests."""
    return [BatchRequest("GET", f"{URL}/{number}", **more) for number in range(count)]


def path_of(request: ReceivedRequest) -> Any:
    """Answer what was asked for."""
    return {"path": request.path}


@contextmanager
def dask_cluster(workers: int) -> Generator[Executor, None, None]:
    """Run a Dask cluster of a separate process, which runs so many calls at once, and none a second time."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=workers, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


def process_pool(workers: int) -> ContextManager[Executor]:
    """Run a pool of processes."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=spawn)


KINDS: Dict[str, Callable[[int], ContextManager[Executor]]] = {
    "threads": ThreadPoolExecutor,
    "processes": process_pool,
    "Dask": dask_cluster,
}


@pytest.fixture(scope="module", params=KINDS)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """An executor as callers have them; it outlives every batch of this module."""
    with KINDS[request.param](PROCESSES) as running:
        yield running


def in_this_process(executor: Executor) -> bool:
    """Tell whether calls run in threads of this process."""
    return executor.submit(os.getpid).result() == os.getpid()


# --- On each of them -----------------------------------------------------------------------------


def test_responses_in_order(server: FakeService, executor: Executor) -> None:
    """A collected batch has its responses in the order of the requests, wherever they were sent."""
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
    """Nothing of them travels: they are called here, in the caller's thread."""
    server.default = answer_from(path_of)
    where: List[int] = []
    heard: List[Progress] = []
    lock = threading.Lock()  # Nothing that holds this can be pickled.

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
    """Models are filled from the answers, and streams yield them, as without an executor."""
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
    """An error travels with its class, its status and its answer, and without the key."""
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


def test_a_body_that_cannot_travel_fails_alone(server: FakeService, executor: Executor) -> None:
    """What can neither be sent nor pickled is a failure of its request; the others go on."""
    batch = things(3)
    batch[1] = BatchRequest("POST", f"{URL}/1", json={"lock": threading.Lock()})
    responses, [(request, error)] = http.process_batch(batch, api_key=KEY, executor=executor)
    assert len(responses) == 2
    assert request is batch[1]
    assert isinstance(error, Exception)
    assert KEY not in repr(error) + str(error)


def test_equal_requests_are_each_sent(server: FakeService, executor: Executor) -> None:
    """Clusters that remember results of equal calls do not swallow any."""
    requests = things(1) * 5
    assert len(list(stream_batch(requests, api_key=KEY, executor=executor))) == 5
    assert len(server.received) == 5


def test_policies_travel(
    server: FakeService, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request's own policy, and else the caller's settings, hold where it is sent."""
    server.default = answer(503)
    twice = RetryConfig(max_retries=2, initial_delay=0.0)
    [own] = stream_batch(things(1, retry=twice), api_key=KEY, executor=executor)
    assert own.error is not None and len(server.received) == 2
    # Set now, which is after the processes have started.
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "4")
    [general] = stream_batch(things(1), api_key=KEY, executor=executor)
    assert general.error is not None and len(server.received) == 2 + 4


def test_a_journal_stays_with_the_caller(
    server: FakeService, executor: Executor, tmp_path: Any
) -> None:
    """What other processes have sent is recorded here."""
    journal = tmp_path / "job.journal"
    options: Dict[str, Any] = {"journal": journal, "executor": executor}
    assert len(list(stream_batch(things(5), api_key=KEY, **options))) == 5
    assert list(stream_batch(things(5), api_key=KEY, **options)) == []
    assert len(server.received) == 5


def test_a_few_at_a_time(server: FakeService, executor: Executor) -> None:
    """max_workers bounds what is handed to an executor, however many it can run; the executor stays usable."""
    server.default = answer_from(path_of)
    taken: List[int] = []

    def endless() -> Iterator[BatchRequest]:
        while True:
            taken.append(len(taken))
            yield BatchRequest("GET", f"{URL}/{len(taken)}")

    stream = stream_batch(endless(), api_key=KEY, max_workers=2, executor=executor)
    for _ in range(10):
        next(stream)
    assert len(taken) <= 10 + 2 * 2
    stream.close()
    assert executor.submit(len, "abc").result() == 3


def test_leaving_early(server: FakeService, executor: Executor) -> None:
    """What has not begun is not sent; the caller waits no longer than a second."""
    server.script = [answer(200, {})]
    server.default = stall()
    stream = stream_batch(things(50), api_key=KEY, max_workers=4, executor=executor)
    next(stream)
    # The threads all stall now, with a request each.
    assert server.wait_for(lambda: len(server.received) >= 1 + PROCESSES)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 1.0
    arrived = len(server.received)
    server.stopping.set()  # Those that stall are let go.
    assert executor.submit(len, "abc").result() == 3
    if in_this_process(executor):
        assert len(server.received) == arrived
    else:  # What a process had taken may still arrive; nothing else does.
        assert len(server.received) <= 1 + 2 * 4


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_what_completes_while_a_stream_is_left(
    server: FakeService, tmp_path: Any, kind: str
) -> None:
    """It is recorded and told: the same job, started again, does not send it once more."""
    answered: List[str] = []
    both = threading.Barrier(PROCESSES)

    def together(connection: Connection) -> bool:
        # Threads have their answers before the stop, which cuts off what waits for one.
        both.wait(10)
        if kind == "processes":
            server.stopping.wait(0.1)
        assert connection.request is not None
        answered.append(connection.request.path)
        return answer(200, {})(connection)

    server.script = [answer(200, {}), together, together]
    server.default = stall()
    heard: List[int] = []
    journal = tmp_path / "job.journal"
    with KINDS[kind](PROCESSES) as pool:
        stream = stream_batch(
            things(50),
            api_key=KEY,
            max_workers=2,
            executor=pool,
            journal=journal,
            progress_callback=lambda progress: heard.append(progress.completed),
        )
        next(stream)
        enough = 3 if kind == "processes" else 4
        assert server.wait_for(lambda: len(server.received) == enough)
        stream.close()
        server.stopping.set()
    assert len(answered) == 2
    assert heard == [1, 2, 3]
    assert len(journal.read_text().splitlines()) == 1 + 3


# --- What goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "words"), [("processes", "terminated"), ("Dask", "died")])
def test_a_process_that_dies(server: FakeService, kind: str, words: str) -> None:
    """When a process dies, what it was sending fails; the batch ends and tells it."""
    server.script = [stall(), stall()]
    with KINDS[kind](1) as pool:
        victim = pool.submit(os.getpid).result()
        killer = threading.Thread(
            target=lambda: (
                server.wait_for(lambda: server.received),
                os.kill(victim, signal.SIGKILL),
            )
        )
        killer.start()
        results = list(stream_batch(things(2), api_key=KEY, max_workers=1, executor=pool))
        killer.join()
    failed = [result for result in results if result.error is not None]
    assert len(results) == 2 and failed
    assert all(words in str(result.error) for result in failed)
    assert KEY not in "".join(str(result.error) for result in failed)


def test_a_pool_that_breaks_in_the_midst(server: FakeService) -> None:
    """Nothing is lost: what had succeeded is returned, and all the rest are failures."""
    server.script = [answer(200, {}) for _ in range(10)]
    server.default = stall()
    with process_pool(1) as pool:
        victim = pool.submit(os.getpid).result()

        def kill(progress: Progress) -> None:
            if progress.completed == 10:
                assert server.wait_for(lambda: len(server.received) == 11)
                os.kill(victim, signal.SIGKILL)

        responses, errors = http.process_batch(
            things(50), api_key=KEY, max_workers=1, executor=pool, progress_callback=kill
        )
    assert (len(responses), len(errors)) == (10, 40)
    assert {type(error).__name__ for _, error in errors} == {"BrokenProcessPool"}


def test_a_pool_that_breaks_under_an_endless_stream(server: FakeService) -> None:
    """A stream without an end does not fail forever: it raises."""
    server.default = stall()
    with process_pool(1) as pool:
        victim = pool.submit(os.getpid).result()
        killer = threading.Thread(
            target=lambda: (
                server.wait_for(lambda: server.received),
                os.kill(victim, signal.SIGKILL),
            )
        )
        killer.start()
        endless = (things(1)[0] for _ in itertools.count())
        stream = stream_batch(endless, api_key=KEY, max_workers=1, executor=pool)
        with pytest.raises(BrokenExecutor):
            list(stream)
        killer.join()


class Recording(Executor):
    """Keeps what it is given, as another process would get it."""

    def __init__(self) -> None:
        self.pickled: List[bytes] = []
        self.shown: List[str] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a call at once, on copies."""
        self.shown.append(repr((fn, args)))
        self.pickled.append(pickle.dumps((fn, args)))
        call, arguments = pickle.loads(self.pickled[-1])
        future: "Future[Any]" = Future()
        future.set_result(call(*arguments))
        return future


def test_what_travels(server: FakeService) -> None:
    """What an executor is given pickles small, and its text, which a cluster may log, shows no key."""
    recording = Recording()
    batch = things(2, callback=lambda response: None)
    for _ in range(2):
        responses, errors = http.process_batch(batch, api_key=KEY, executor=recording)
        assert (len(responses), errors) == (2, [])
    # A cluster takes equal calls for one call.
    assert len(set(recording.pickled)) == 4
    assert KEY not in "".join(recording.shown)
    assert max(map(len, recording.pickled)) < 2_000


def test_an_executor_that_was_shut_down(server: FakeService) -> None:
    """It says so itself, and nothing is sent."""
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        http.process_batch(things(2), api_key=KEY, executor=pool)
    assert server.received == []


def test_replaced_executor_class_is_not_used_beside_a_given_one(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module's ThreadPoolExecutor, which users replace, is for batches without an executor."""

    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("no executor was to be made")

    monkeypatch.setattr(http, "ThreadPoolExecutor", forbidden)
    with ThreadPoolExecutor(1) as pool:
        responses, _ = http.process_batch(things(2), api_key=KEY, executor=pool)
    assert len(responses) == 2
