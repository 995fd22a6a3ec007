"""The batch runner: order, callbacks, progress, workers, connections."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from typing import Any, Callable, Dict, List, Optional

import pytest

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    Identity,
    Import,
    PermutiveAPIError,
    PermutiveBadRequestError,
    Progress,
    RetryConfig,
    Segment,
    Segmentation,
)
from PermutiveAPI._Utils import http
from tests.support.calls import (
    COHORT,
    COHORTS,
    IMPORT,
    KEY,
    SEGMENT,
    SEGMENTED,
    cohort,
    identity,
    segment,
    segmentation,
)
from tests.support.fake_service import Connection, FakeService, ReceivedRequest, answer, answer_from
from tests.support.secrets import assert_no_secret
from tests.support.threads import allow_threads

URL = "https://api.permutive.app/v9/things"


def echo(request: ReceivedRequest) -> Any:
    """Return what was sent."""
    return {"path": request.path, "body": request.body.decode(), "query": request.query}


def things(count: int, **more: Any) -> List[BatchRequest]:
    """Return requests for numbered things."""
    return [
        BatchRequest("POST", f"{URL}/{number}", json={"number": number}, **more)
        for number in range(count)
    ]


def number_of(connection: Connection) -> int:
    """Return the number of the thing that is asked for."""
    assert connection.request is not None
    return int(connection.request.path.rpartition("/")[2])


class InReverse:
    """Responds to requests that arrive together in reverse order: to each when the next one is done."""

    def __init__(self, count: int) -> None:
        self.done = [threading.Event() for _ in range(count + 1)]
        self.done[count].set()

    def __call__(self, connection: Connection) -> bool:
        """Wait until the next request is done, and respond to this one."""
        self.done[number_of(connection) + 1].wait(5)
        return answer_from(echo)(connection)


def batch_helpers() -> Dict[str, Any]:
    """Return every batch helper with one item, and the response that it needs."""
    return {
        "Cohort.batch_create": (Cohort.batch_create, cohort, COHORT),
        "Cohort.batch_update": (Cohort.batch_update, lambda: cohort(id="c"), COHORT),
        "Cohort.batch_delete": (Cohort.batch_delete, lambda: cohort(id="c"), b""),
        "Segment.batch_create": (Segment.batch_create, segment, SEGMENT),
        "Segment.batch_update": (Segment.batch_update, lambda: segment(id="s"), SEGMENT),
        "Segment.batch_delete": (Segment.batch_delete, lambda: segment(id="s"), SEGMENT),
        "Import.batch_get_by_id": (Import.batch_get_by_id, None, IMPORT),
        "Identity.batch_identify": (Identity.batch_identify, identity, {}),
        "Segmentation.batch_send": (Segmentation.batch_send, segmentation, SEGMENTED),
        "http.process_batch": (
            lambda items, **options: http.process_batch(items, **{"max_workers": None, **options}),
            lambda: BatchRequest("GET", URL),
            {},
        ),
    }


every_helper = pytest.mark.parametrize("name", batch_helpers())


def items_of(name: str, count: int) -> List[Any]:
    """Return so many items for a batch helper."""
    make = batch_helpers()[name][1]
    return [make() if make else f"i-{number}" for number in range(count)]


# --- Order, callbacks, progress ----------------------------------------------------------------


def test_responses_come_in_the_order_of_the_requests(server: FakeService) -> None:
    """Responses are in the order of the requests, although the last one comes first; progress comes as they complete."""
    server.default = in_reverse = InReverse(6)
    batch = things(6)
    heard: List[BatchRequest] = []

    def hear(progress: Progress) -> None:
        heard.append(progress.batch_request)
        in_reverse.done[batch.index(heard[-1])].set()

    responses, errors = http.process_batch(
        batch, api_key=KEY, max_workers=6, progress_callback=hear
    )
    assert [one.json()["path"] for one in responses] == [
        f"/v9/things/{number}" for number in range(6)
    ]
    assert errors == []
    assert heard == batch[::-1]


def test_failures_are_left_out_of_the_responses(server: FakeService) -> None:
    """The other responses stay in order, and each failure has the same request object that was given."""
    server.default = lambda connection: (
        answer(400) if number_of(connection) % 3 == 0 else answer_from(echo)
    )(connection)
    batch = things(10)
    responses, errors = http.process_batch(batch, api_key=KEY, max_workers=4)
    assert [one.json()["path"][-1] for one in responses] == list("124578")
    failed = {id(request) for request, _ in errors}
    assert failed == {id(batch[number]) for number in (0, 3, 6, 9)}
    assert all(type(error) is PermutiveBadRequestError for _, error in errors)
    assert [request.json for request in batch] == [{"number": n} for n in range(10)]


def test_callbacks_run_once_each_in_the_thread_of_the_caller(server: FakeService) -> None:
    """For each request, its own callback is called once, then the progress callback, in the caller's thread."""
    server.default = lambda connection: (
        answer(404) if number_of(connection) == 2 else answer_from(echo)
    )(connection)
    heard: List[Any] = []
    threads = set()

    def note(kind: str) -> Callable[[Any], None]:
        def noted(value: Any) -> None:
            threads.add(threading.get_ident())
            heard.append((kind, value))

        return noted

    batch = things(5, callback=note("success"), error_callback=note("error"))
    http.process_batch(batch, api_key=KEY, max_workers=3, progress_callback=note("progress"))
    assert threads == {threading.get_ident()}
    assert len(heard) == 10
    for (kind, value), (then, progress) in zip(heard[::2], heard[1::2], strict=True):
        assert then == "progress"
        number = progress.batch_request.json["number"]
        if number == 2:
            assert (kind, type(value).__name__) == ("error", "PermutiveResourceNotFoundError")
        else:
            assert (kind, value.json()["path"][-1]) == ("success", str(number))
    numbers = [progress.batch_request.json["number"] for _, progress in heard[1::2]]
    assert sorted(numbers) == list(range(5))


@every_helper
def test_progress(server: FakeService, name: str) -> None:
    """Every batch helper reports its progress after each request: completed from 1 to total, errors, time."""
    helper, _, content = batch_helpers()[name]
    server.script = [answer(400)]
    server.default = answer(200, content)
    heard: List[Progress] = []
    began = time.monotonic()
    results, failures = helper(
        items_of(name, 4), api_key=KEY, max_workers=1, progress_callback=heard.append
    )
    took = time.monotonic() - began
    assert (len(results), len(failures), len(server.received)) == (3, 1, 4)
    assert [one.completed for one in heard] == [1, 2, 3, 4]
    assert [one.total for one in heard] == [4] * 4
    assert [one.errors for one in heard] == [1] * 4
    assert heard[0].batch_request is failures[0][0]
    assert all(isinstance(one.batch_request, BatchRequest) for one in heard)
    times = [one.elapsed_seconds for one in heard]
    assert times == sorted(times)
    assert 0 < times[0] and times[-1] <= took
    for one in heard:
        assert one.average_per_thousand_seconds == pytest.approx(
            one.elapsed_seconds / one.completed * 1000
        )
    with pytest.raises(FrozenInstanceError):
        setattr(heard[0], "completed", 7)


def test_models_are_updated_before_progress_is_told(server: FakeService) -> None:
    """A cohort has its id before progress is reported."""
    server.default = answer(201, COHORT)
    cohorts = [cohort() for _ in range(3)]
    with_id: List[int] = []
    Cohort.batch_create(
        cohorts,
        api_key=KEY,
        max_workers=1,
        progress_callback=lambda progress: with_id.append(sum(one.id == "c-1" for one in cohorts)),
    )
    assert with_id == sorted(with_id)
    assert all(count >= number for number, count in enumerate(with_id, start=1))


def raising(value: Any) -> None:
    """Stand in for a callback that raises an error."""
    raise RuntimeError(f"mistake, with k={KEY}")


def test_a_raising_callback_does_not_sink_the_batch(
    server: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """If a callback raises an error, the error is logged without the key, and the batch continues."""
    server.default = lambda connection: (
        answer(404) if number_of(connection) == 1 else answer_from(echo)
    )(connection)
    batch = things(3, callback=raising, error_callback=raising)
    responses, errors = http.process_batch(
        batch, api_key=KEY, max_workers=2, progress_callback=raising
    )
    assert (len(responses), len(errors)) == (2, 1)
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(logged) == 6
    assert {record.name for record in logged} == {"PermutiveAPI"}
    told = [record.getMessage() for record in logged]
    assert all("callback of the batch raised" in each and "mistake" in each for each in told)
    assert_no_secret(errors[0][1], caplog.records, KEY)


@every_helper
def test_an_answer_that_cannot_be_read_is_a_failure(server: FakeService, name: str) -> None:
    """A 2xx response without the documented JSON is a failure among successes, and its request is not sent again."""
    helper, _, documented = batch_helpers()[name]
    reads = documented and not name.endswith("_delete")
    server.script = [answer(200, b"<html>")]
    server.default = answer(200, documented)
    heard: List[Progress] = []
    results, failures = helper(
        items_of(name, 3), api_key=KEY, max_workers=1, progress_callback=heard.append
    )
    assert len(server.received) == 3
    assert [one.completed for one in heard] == [1, 2, 3]
    assert heard[-1].errors == len(failures) == (1 if reads else 0)
    assert len(results) == (2 if reads else 3)
    for _, error in failures:
        assert isinstance(error, PermutiveAPIError)


def test_an_unreadable_answer_leaves_the_model_as_it_was(server: FakeService) -> None:
    """A cohort whose response cannot be read keeps its fields; the others are updated."""
    server.script = [answer(201, b"{")]
    server.default = answer(201, COHORT)
    cohorts = [cohort(), cohort()]
    _, failures = Cohort.batch_create(cohorts, api_key=KEY, max_workers=1)
    assert [one.id for one in cohorts] == [None, "c-1"]
    [(request, error)] = failures
    assert request.json["name"] == "Readers"
    assert isinstance(error, ValueError)


def test_each_request_has_its_own_policy(server: FakeService) -> None:
    """A BatchRequest's retry, params and headers are its own."""
    server.default = answer(500)
    batch = [
        BatchRequest(
            "get",
            f"{URL}/{attempts}",
            {"n": str(attempts)},
            headers={"X-N": str(attempts)},
            retry=RetryConfig(max_retries=attempts, initial_delay=0),
        )
        for attempts in (1, 2, 4)
    ]
    _, errors = http.process_batch(batch, api_key=KEY, max_workers=3)
    assert len(errors) == 3
    for attempts in (1, 2, 4):
        mine = [seen for seen in server.received if seen.path.endswith(f"/{attempts}")]
        assert len(mine) == attempts
        assert {seen.headers["x-n"] for seen in mine} == {str(attempts)}
        assert {tuple(seen.query["n"]) for seen in mine} == {(str(attempts),)}


# --- Workers -----------------------------------------------------------------------------------


class NoThreads(ThreadPoolExecutor):
    """Fails if an executor is made."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        raise AssertionError("an executor was made")


@every_helper
def test_an_empty_batch_starts_no_thread(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An empty batch returns two empty lists, makes no executor and reports no progress."""
    monkeypatch.setattr(http, "ThreadPoolExecutor", NoThreads)
    heard: List[Progress] = []
    results, failures = batch_helpers()[name][0]([], api_key=KEY, progress_callback=heard.append)
    assert (len(results), failures, heard) == (0, [], [])
    assert server.connections == 0


@every_helper
def test_a_wrong_number_of_workers_is_refused(server: FakeService, name: str) -> None:
    """max_workers below 1, or not a whole number, is an error that names it, even for an empty batch; nothing is sent."""
    wrong: Any
    for wrong, kind in (
        (0, ValueError),
        (-1, ValueError),
        (1.5, Exception),
        ("2", TypeError),
        (True, TypeError),
    ):
        for count in (0, 1):
            with pytest.raises(kind, match="max_workers"):
                batch_helpers()[name][0](items_of(name, count), api_key=KEY, max_workers=wrong)
    assert server.connections == 0


@every_helper
def test_a_wrong_item_is_refused(server: FakeService, name: str) -> None:
    """An item of a wrong kind is an error that names its position, before anything is sent."""
    wrong = None if name == "Import.batch_get_by_id" else "wrong"
    with pytest.raises((TypeError, ValueError)):
        batch_helpers()[name][0]([*items_of(name, 1), wrong], api_key=KEY)
    assert server.connections == 0


class Crowd:
    """Responds when so many requests are there at the same time, and records the highest number."""

    def __init__(self, together: int) -> None:
        self.barrier = threading.Barrier(together)
        self.lock = threading.Lock()
        self.present = self.most = 0

    def __call__(self, connection: Connection) -> bool:
        """Wait for the others, and respond."""
        with self.lock:
            self.present += 1
            self.most = max(self.most, self.present)
        self.barrier.wait(5)
        with self.lock:
            self.present -= 1
        return answer_from(echo)(connection)


@pytest.mark.parametrize("given", [None, "argument"])
def test_number_of_workers(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, given: Optional[str]
) -> None:
    """max_workers, or else PERMUTIVE_BATCH_MAX_WORKERS, is the number of requests that are under way at once."""
    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", "9" if given else " 3 ")
    server.default = crowd = Crowd(3)
    responses, _ = http.process_batch(things(9), api_key=KEY, max_workers=3 if given else None)
    assert (len(responses), crowd.most, server.connections) == (9, 3, 3)


@pytest.mark.parametrize("threads", [0, 2])
def test_fewer_threads_than_workers(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """If the system refuses a thread, the others send each request once; without any, nothing is sent."""
    allow_threads(monkeypatch, "ThreadPoolExecutor", threads)
    server.default = answer_from(echo)
    if not threads:
        with pytest.raises(RuntimeError, match="new thread"):
            http.process_batch(things(9), api_key=KEY, max_workers=8)
        assert server.received == []
        return
    responses, failures = http.process_batch(things(9), api_key=KEY, max_workers=8)
    assert (len(responses), failures) == (9, [])
    assert len({each.path for each in server.received}) == len(server.received) == 9


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many"])
def test_a_wrong_number_of_workers_in_the_environment(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A wrong PERMUTIVE_BATCH_MAX_WORKERS is a ValueError that names it; nothing is sent."""
    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", value)
    with pytest.raises(ValueError, match="PERMUTIVE_BATCH_MAX_WORKERS"):
        http.process_batch(things(2), api_key=KEY, max_workers=None)
    assert server.connections == 0


def test_many_requests_share_sixteen_connections(server: FakeService) -> None:
    """Requests from 16 workers open at most 16 connections, and each gets its own response."""
    server.default = answer_from(echo)
    before = threading.active_count()
    responses, errors = http.process_batch(things(300), api_key=KEY, max_workers=16)
    assert errors == []
    assert [one.json()["path"] for one in responses] == [
        f"/v9/things/{number}" for number in range(300)
    ]
    assert len(server.received) == 300
    assert server.connections <= 16
    # The server has one thread for each connection.
    assert threading.active_count() <= before + server.connections


def test_details_are_fetched_several_at_a_time(server: FakeService) -> None:
    """The details of a list are fetched at the same time, over several connections."""
    ids = [{"id": f"c-{number}", "name": "n"} for number in range(4)]
    crowd = Crowd(4)

    def step(connection: Connection) -> bool:
        assert connection.request is not None
        if connection.request.path == COHORTS:
            return answer(200, ids)(connection)
        crowd.barrier.wait(5)
        return answer(200, {**ids[int(connection.request.path[-1])], "tags": ["t"]})(connection)

    server.default = step
    listed = Cohort.list(KEY, include_details=True)
    assert [one.id for one in listed] == ["c-0", "c-1", "c-2", "c-3"]
