"""The caller's side of shards: when they are sent, how large they are, and each request's result."""

from __future__ import annotations

import pickle
import sys
import time
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, Callable, Iterable, List, Optional, Tuple

import pytest

from PermutiveAPI import BatchRequest, PermutiveConnectionError
from PermutiveAPI._Utils.batch.calls import Postponed
from PermutiveAPI._Utils.batch.executors import travels
from PermutiveAPI._Utils.batch.function import CancellableFunction
from PermutiveAPI._Utils.batch.protocols import Call
from PermutiveAPI._Utils.batch.remote import Reported, WorkItem
from PermutiveAPI._Utils.batch.sharding import Sharding
from PermutiveAPI._Utils.batch.shards import FirstCall, Report, Shard, ShardResult
from PermutiveAPI._Utils.cancellation import Cancelled

THREADS = 4
URL = "https://api.permutive.app/v9/things"


class Elsewhere:
    """An executor whose calls end when a test reports their results."""

    def __init__(self, processes: int = 2) -> None:
        self._max_workers = processes
        self.shards: "List[Tuple[Shard, Future[Any]]]" = []
        self.refusal: Optional[Exception] = None

    def submit(self, fn: Any, /, shard: Shard) -> "Future[Any]":
        """Keep a call."""
        if self.refusal is not None:
            raise self.refusal
        future: "Future[Any]" = Future()
        self.shards.append((pickle.loads(pickle.dumps(shard)), future))
        return future

    def counts(self) -> List[int]:
        """Return how many requests each shard had so far."""
        return [shard.count for shard, _ in self.shards]

    def report(
        self, number: int, seconds: float = 0.01, unsent: Iterable[Any] = (), **more: Any
    ) -> None:
        """End a shard: each request's result is its place, except for the unsent ones."""
        shard, future = self.shards[number]
        back = {each[0] for each in unsent}
        answered: List[Any] = [
            (place, place, ()) for place in range(shard.count) if place not in back
        ]
        report = Report(answered, list(unsent), seconds, **more)
        future.set_result(ShardResult(pickle.dumps(report)))


class Batch:
    """Drives Sharding as the calls of a batch do."""

    def __init__(self, executor: Any, finite: bool = True, unrepeatable: str = "") -> None:
        self.records: List[Any] = []
        self.woken = 0
        # How many requests have said that they are done.
        self.announced = 0
        self.arrived = False
        self.handed_back = 10**6
        self.sharding = Sharding(
            executor,
            THREADS,
            CancellableFunction(print),
            self._wake,
            finite=finite,
            is_unrepeatable=lambda item: item.request.method == unrepeatable,
            tell_records=self.records.extend,
        )
        self._index = 0

    def _wake(self) -> None:
        self.woken += 1

    def _announce(self) -> None:
        self.announced += 1

    def add(self, count: int, method: str = "GET", json: Any = None) -> "List[Call[Any]]":
        """Submit requests."""
        futures: "List[Call[Any]]" = []
        for _ in range(count):
            request = BatchRequest(method, f"{URL}/{self._index}", json=json)
            futures.append(self.sharding.submit(WorkItem(self._index, request), self._announce))
            self._index += 1
        return futures

    def flush(self) -> None:
        """Send what can be sent."""
        self.sharding.flush(lambda: self.arrived, self.handed_back)


def started(processes: int = 2, **more: Any) -> Tuple[Elsewhere, Batch]:
    """Return an executor of other processes, and a batch on it that has begun."""
    executor = Elsewhere(processes)
    batch = Batch(executor, **more)
    assert batch.sharding.most_in_flight == 1
    batch.add(1)
    batch.flush()
    executor.report(0, seconds=4.0)  # One a second in each thread.
    batch.flush()
    assert batch.sharding.most_in_flight == 2 * processes * THREADS
    executor.shards.clear()
    return executor, batch


# --- When shards are sent, and how large they are --------------------------------------------------


def test_one_shard_for_each_process() -> None:
    """The next one waits until a process is free: nothing could stop it in the executor's queue."""
    executor, batch = started()
    batch.add(20)
    batch.flush()
    assert executor.counts() == [THREADS, THREADS]
    executor.report(1, seconds=1.0)
    batch.flush()
    assert executor.counts() == [THREADS] * 3


def test_a_shard_that_is_not_full_waits_for_what_comes() -> None:
    """While results are handed back, more requests come."""
    executor, batch = started()
    batch.arrived = True
    batch.add(THREADS - 1)
    batch.flush()
    assert executor.counts() == []
    batch.add(1)
    batch.flush()
    assert executor.counts() == [THREADS]
    batch.add(1)
    batch.arrived = False
    batch.flush()
    assert executor.counts() == [THREADS, 1]


def test_the_last_requests_are_shared_out() -> None:
    """No process is idle while another one has them all."""
    executor, batch = started(processes=3)
    batch.add(5)
    batch.flush()
    assert executor.counts() == [2, 2, 1]


@pytest.mark.parametrize(
    ("seconds", "size"),
    [(THREADS / 100, 100), (THREADS / 98, 100), (THREADS / 1e6, 1000), (60.0, THREADS)],
    ids=["100 a second", "multiple of the threads", "at most a thousand", "at least the threads"],
)
def test_a_shard_holds_a_second_of_work(seconds: float, size: int) -> None:
    """The time of the last one tells how many, in multiples of the threads."""
    executor, batch = started(processes=1)
    batch.add(THREADS)
    batch.flush()
    executor.report(0, seconds=seconds)
    batch.flush()
    batch.add(2000)
    batch.flush()
    assert executor.counts()[1:] == [size]
    assert batch.sharding.most_in_flight == 2 * size


def test_a_shard_that_sent_nothing_is_followed_by_smaller_ones() -> None:
    """During a long block, few requests go and come back in vain."""
    executor, batch = started(processes=1)
    batch.add(THREADS)
    batch.flush()
    executor.report(0, seconds=THREADS / 100)
    batch.flush()
    batch.add(500)
    for number, size in enumerate((100, 25, 6, THREADS), start=1):
        batch.flush()
        assert executor.counts()[number] == size
        unsent = [(place, 60.0, 0, ()) for place in range(size)]
        executor.report(number, unsent=unsent)


def test_unrepeatable_requests_go_by_twenties_and_last() -> None:
    """They wait until all results are recorded; requests before them go without them."""
    executor, batch = started(processes=1, unrepeatable="POST")
    batch.add(THREADS)
    batch.flush()
    executor.report(0, seconds=THREADS / 100)
    batch.flush()
    batch.arrived = True
    batch.add(150, "POST")
    batch.flush()
    assert executor.counts()[1:] == []
    batch.arrived = False
    batch.flush()
    assert executor.counts()[1:] == [20]
    executor, batch = started(processes=1, unrepeatable="POST")
    batch.add(THREADS)
    batch.flush()
    executor.report(0, seconds=THREADS / 100)
    batch.add(30)
    batch.add(30, "POST")
    batch.flush()
    executor.report(1)
    batch.flush()
    assert executor.counts()[1:] == [30, 20]


# --- The result of each request --------------------------------------------------------------------


def test_each_request_gets_its_own_result() -> None:
    """Results come by place, with their records; unsent requests are postponed, with their attempts."""
    executor, batch = started(processes=1)
    first, second, third, fourth = batch.add(THREADS)
    batch.flush()
    assert not first.cancel()
    shard, future = executor.shards[0]
    assert pickle.loads(shard.content)[2].request.url == f"{URL}/3"
    report = Report(
        [(2, "third", ()), (0, "first", ["record"])], [(3, 5.0, 2, ["early"]), (1, 0.0, 0, ())], 0.1
    )
    woken = batch.woken
    future.set_result(ShardResult(pickle.dumps(report)))
    assert batch.woken == woken + 1
    announced = batch.announced
    batch.flush()
    assert batch.announced == announced + THREADS
    assert (third.result(), first.result()) == ("third", Reported("first", ["record"]))
    later: Postponed = fourth.result()
    assert (later.item.position, later.item.attempts) == (4, 2)
    assert 4 < later.due - time.monotonic() <= 5
    again: Postponed = second.result()
    assert (again.item.position, again.item.attempts) == (2, 0)
    assert again.due <= time.monotonic()
    assert batch.records == ["early"]


@pytest.mark.parametrize("error", [OSError("k=secret-key-1"), CancelledError()])
def test_a_shard_that_is_lost(error: Exception) -> None:
    """Each of its requests fails with its own error and an unknown outcome; no secret is shown."""
    executor, batch = started()
    futures = batch.add(2)
    batch.flush()
    for _, future in executor.shards:
        future.set_exception(error)
    batch.flush()
    assert batch.announced == 1 + 2  # The first one was answered.
    found = [future.exception() for future in futures]
    assert [type(each) for each in found] == [PermutiveConnectionError] * 2
    assert found[0] is not found[1]
    assert isinstance(found[0], PermutiveConnectionError) and found[0].url == f"{URL}/1"
    reason = "OSError: k=[REDACTED]" if isinstance(error, OSError) else "CancelledError: "
    assert str(found[0]) == (
        f"No result came from the process that had the request ({reason}). The outcome is unknown: "
        "the service may have processed the request. Look before sending it again."
    )


def test_an_interruption_is_raised() -> None:
    """Ctrl-C in another process is raised here, also for unsent requests."""
    executor, batch = started(processes=1)
    futures = batch.add(3)
    batch.flush()
    executor.report(0, unsent=[(1, 0.0, 0, ())], interrupted=True)
    batch.flush()
    assert futures[0].result() == 0
    assert isinstance(futures[1].exception(), KeyboardInterrupt)
    [future] = batch.add(1)
    batch.flush()
    executor.shards[1][1].set_exception(KeyboardInterrupt())
    batch.flush()
    assert isinstance(future.exception(), KeyboardInterrupt)


def test_an_executor_that_takes_no_more() -> None:
    """In a finite batch that has begun, the rest fails; otherwise it is raised."""
    executor, batch = started()
    executor.refusal = RuntimeError("broken")
    [future] = batch.add(1)
    batch.flush()
    assert future.exception() is executor.refusal
    endless, batch = started(finite=False)
    [earlier] = batch.add(1)
    batch.flush()
    endless.refusal = RuntimeError("broken")
    batch.add(1)
    batch.flush()
    endless.report(0)
    batch.arrived = True
    batch.flush()
    assert earlier.result() == 0  # It is handed back first.
    batch.arrived = False
    with pytest.raises(RuntimeError, match="broken"):
        batch.flush()
    shut = Elsewhere()
    shut.refusal = RuntimeError("shut down")
    batch = Batch(shut)
    batch.add(1)
    with pytest.raises(RuntimeError, match="shut down"):
        batch.flush()


def test_requests_that_cannot_be_pickled() -> None:
    """They fail; the others of their shard are sent."""
    executor, batch = started(processes=1)
    good, bad = batch.add(1), batch.add(1, json=sys._getframe())
    batch.flush()
    assert executor.counts() == [1]
    assert isinstance(bad[0].exception(), TypeError)
    executor.report(0)
    worse = batch.add(1, json=sys._getframe())
    batch.flush()
    assert good[0].result() == 0 and isinstance(worse[0].exception(), TypeError)
    assert executor.counts() == [1]


def test_a_first_request_that_its_executor_cannot_pickle() -> None:
    """It has failed unsent, also if the executor pickles it later, in a thread of its own."""

    class Later(Elsewhere):
        def submit(self, fn: Any, /, shard: Any) -> "Future[Any]":
            future: "Future[Any]" = Future()
            try:
                pickle.dumps(shard)
            except Exception as error:
                future.set_exception(error)
            return future

    for executor in (Elsewhere(), Later()):
        batch = Batch(executor)
        [future] = batch.add(1, json=sys._getframe())
        batch.flush()
        batch.flush()
        assert isinstance(future.exception(), TypeError)


def test_requests_that_cannot_be_read_there() -> None:
    """The requests of their shard go once more, each alone, in any company."""
    executor, batch = started(processes=1)
    futures = batch.add(3)
    batch.flush()
    executor.shards[0][1].set_result(
        ShardResult(pickle.dumps(Report([], [], 0.0, unreadable=True)))
    )
    batch.flush()
    again = [future.result().item for future in futures]
    assert [item.alone for item in again] == [True] * 3
    for item in again:
        batch.sharding.submit(item, print)
    batch.add(2)
    for number in range(1, 5):
        batch.flush()
        executor.report(number)
    assert executor.counts() == [3, 1, 1, 1, 2]


def test_no_more_is_sent_ahead_than_was_handed_back() -> None:
    """A shard holds at most as many requests as the reader has taken; at first, two for each thread."""
    executor, batch = started(processes=1)
    for number, (handed_back, size) in enumerate([(3, 2 * THREADS), (37, 37), (10**6, 1000)]):
        batch.handed_back = handed_back
        batch.add(1)
        batch.flush()
        executor.report(number, seconds=0.001)
        batch.flush()
        assert batch.sharding.most_in_flight == 2 * size


def test_a_full_shard_waits_for_a_slow_reader() -> None:
    """While results wait, it goes only if the reader has taken as many."""
    executor, batch = started(processes=1)
    batch.arrived, batch.handed_back = True, THREADS - 1
    batch.add(4 * THREADS)
    batch.flush()
    assert executor.counts() == []
    batch.handed_back = THREADS
    batch.flush()
    assert executor.counts() == [THREADS]


def test_requests_that_a_stop_has_ended() -> None:
    """They are neither answered nor unsent: nobody hears of them."""
    executor, batch = started(processes=1)
    answered, ended = batch.add(2)
    batch.flush()
    executor.shards[0][1].set_result(ShardResult(pickle.dumps(Report([(0, 5, ())], [], 1.0))))
    batch.sharding.__exit__(None, None, None)
    assert answered.result() == 5
    assert isinstance(ended.exception(), Cancelled)


def test_leaving() -> None:
    """A stop waits for shards that have begun, and reports only their results."""
    executor, batch = started(processes=2)
    first, second, *_ = batch.add(3 * THREADS)
    batch.flush()
    # One has just ended. The other one never begins.
    executor.report(0, unsent=[(1, 0.0, 0, ())])
    began = time.monotonic()
    batch.sharding.__exit__(None, None, None)
    assert 2.0 < time.monotonic() - began < 3.0
    assert first.result() == 0
    assert isinstance(second.result(), Postponed)
    assert executor.shards[1][1].cancelled()
    assert len(executor.shards) == 2


# --- Kinds of executors --------------------------------------------------------------------------------


def test_the_first_call_tells_where_calls_run() -> None:
    """In this process it sends one request, as all later ones do; pickled, it sends a shard."""

    class Here:
        def __init__(self) -> None:
            self.arguments: List[Any] = []

        def submit(self, fn: Callable[..., Any], /, argument: Any) -> "Future[Any]":
            self.arguments.append(argument)
            future: "Future[Any]" = Future()
            future.set_result(fn(argument))
            return future

    executor: Any = Here()
    sharding = Sharding(
        executor,
        None,
        CancellableFunction(lambda argument: argument),
        print,
        finite=True,
        is_unrepeatable=lambda item: False,
        tell_records=print,
    )
    item = WorkItem(0, BatchRequest("GET", URL))
    first = sharding.submit(item, print)
    sharding.flush(lambda: False, 0)
    assert first.result() is item
    assert sharding.submit(item, print).result() is item
    assert executor.arguments[1:] == [item]
    assert sharding.most_in_flight == 64
    assert pickle.loads(pickle.dumps(FirstCall(len))) is len
    assert repr(FirstCall(len)) == "FirstCall(<built-in function len>)"


def test_kinds() -> None:
    """Pools of threads are known by class, clusters of Dask by module; for others, a call must tell."""

    class Derived(ThreadPoolExecutor):
        pass

    class Other(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            return super().submit(fn, *args, **kwargs)

    assert travels(ThreadPoolExecutor(1)) is False
    assert travels(Derived(1)) is False
    assert travels(Other(1)) is None
    cluster: Any = type("ClientExecutor", (), {"__module__": "distributed.cfexecutor"})()
    assert travels(cluster) is True
    other: Any = Elsewhere()
    assert travels(other) is None


@pytest.mark.parametrize(
    ("attributes", "processes"),
    [
        ({"_max_workers": 3}, 3),
        ({"_client": SimpleNamespace(nthreads=lambda: {"a": 8, "b": 8})}, 2),
        ({"_client": SimpleNamespace(nthreads=lambda: {})}, 5),
        ({}, 5),
    ],
    ids=["pool", "Dask", "Dask without workers", "unknown"],
)
def test_how_many_processes(
    monkeypatch: pytest.MonkeyPatch, attributes: Any, processes: int
) -> None:
    """So many shards are in flight; if nothing is known, as many as there are processors."""
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    executor = Elsewhere()
    del executor._max_workers
    vars(executor).update(attributes)
    batch = Batch(executor)
    batch.add(1)
    batch.flush()
    executor.report(0)
    batch.flush()
    batch.add(5000)
    batch.flush()
    assert len(executor.shards) == 1 + processes


def test_what_was_not_handed_back_is_not_told_after_a_stop() -> None:
    """If an executor cancels a shard at a stop, its requests have not failed."""
    executor, batch = started(processes=1)
    [future] = batch.add(1)
    batch.flush()
    executor.shards[0][1].cancel()
    batch.sharding.__exit__(None, None, None)
    assert isinstance(future.exception(), Cancelled)
