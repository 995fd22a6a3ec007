"""Streams: any iterable, results as they come, bounded, stopped at once."""

from __future__ import annotations

import gc
import itertools
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, Dict, Iterator, List, cast

import pytest

from PermutiveAPI import (
    BatchRequest,
    BatchResult,
    Identity,
    PermutiveBadRequestError,
    Progress,
    Segmentation,
    TrackedEvent,
    options,
    progress_bar,
    stream_batch,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch import workers
from tests.support.calls import KEY, SEGMENTED, TRACKED, identity, segmentation, tracked
from tests.support.fake_service import Connection, FakeService, answer, answer_from, stall
from tests.support.things import URL, path_of
from tests.support.threads import workers_left

variable: "ContextVar[str]" = ContextVar("variable", default="unset")


def things(count: int) -> Iterator[BatchRequest]:
    """Make numbered requests, one by one."""
    return (BatchRequest("GET", f"{URL}/{number}") for number in range(count))


def test_each_result_belongs_to_its_request(server: FakeService) -> None:
    """Each result has its position, the same request object that was given, and its own response."""
    server.default = answer_from(path_of)
    requests = list(things(50))
    results = list(stream_batch(requests, api_key=KEY, max_workers=4))
    assert sorted(result.index for result in results) == list(range(50))
    for result in results:
        assert isinstance(result, BatchResult)
        assert result.batch_request is requests[result.index]
        assert result.error is None
        assert result.response is not None and result.value is result.response
        assert result.response.json() == {"path": f"/v9/things/{result.index}"}
    assert len(server.received) == 50


def test_failures_are_results(server: FakeService) -> None:
    """A request that fails is a result with an error, and the others continue."""
    server.script = [answer(400, {"error": {"cause": "odd"}})]
    first, second = stream_batch(things(2), api_key=KEY, max_workers=1)
    assert isinstance(first.error, PermutiveBadRequestError)
    assert first.value is None
    assert first.response is first.error.response and first.response is not None
    assert KEY not in first.response.url
    assert second.error is None


def test_results_come_as_they_complete(server: FakeService) -> None:
    """Results come as they complete: the slow first one comes last."""
    others_are_done = threading.Event()

    def slow_first(connection: Connection) -> bool:
        assert connection.request is not None
        if connection.request.path.endswith("/0"):
            others_are_done.wait(10)
        return answer(200, {})(connection)

    server.default = slow_first
    order: List[int] = []
    for result in stream_batch(things(6), api_key=KEY, max_workers=2):
        order.append(result.index)
        if len(order) == 5:
            others_are_done.set()
    assert order[-1] == 0


def test_endless_generator_is_read_only_a_little_ahead(server: FakeService) -> None:
    """Only a few requests for each worker are taken from an endless iterable; leaving the loop ends the stream."""
    taken: List[int] = []

    def endless() -> Iterator[BatchRequest]:
        for number in itertools.count():
            taken.append(number)
            yield BatchRequest("GET", f"{URL}/{number}")

    for seen, _ in enumerate(stream_batch(endless(), api_key=KEY, max_workers=2), 1):
        if seen == 100:
            break
    assert workers_left() == []
    assert len(taken) <= 100 + 2 * 2
    server.stopping.wait(0.03)  # Requests that were under way arrive.
    arrived = len(server.received)
    server.stopping.wait(0.03)
    assert len(server.received) == arrived <= len(taken)


@pytest.mark.parametrize("how", ["break", "exception", "close"])
def test_leaving_early_stops_within_a_second(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Requests that wait for a response are cut off, nothing more is sent, and no thread is left."""
    # Otherwise a busy machine may hand back the first result before it begins the other requests.
    monkeypatch.setattr(workers, "_LONGEST_READING_SECONDS", 10.0)
    server.script = [answer(200, {})]
    server.default = stall()
    began = time.monotonic()
    stream = stream_batch(things(100), api_key=KEY, max_workers=3)
    next(stream)
    assert server.wait_for(lambda: len(server.received) == 4)
    if how == "close":
        stream.close()
    elif how == "exception":
        with pytest.raises(ZeroDivisionError):
            for _ in (stream,):
                stream.throw(ZeroDivisionError())
    else:
        del stream
    assert time.monotonic() - began < 1.0
    assert workers_left() == []
    server.stopping.wait(0.03)
    assert len(server.received) == 4


def test_completed_requests_are_reported_before_the_stream_ends(server: FakeService) -> None:
    """Callbacks of requests that had completed when the stream was left are called."""
    server.script = [stall(), answer(200, {}), answer(200, {})]
    server.default = stall()
    told: List[str] = []
    requests = [
        BatchRequest("GET", f"{URL}/{number}", callback=lambda response: told.append(response.url))
        for number in range(9)
    ]
    stream = stream_batch(requests, api_key=KEY, max_workers=2)
    next(stream)
    # One worker stalls, the other has completed two requests and stalls with its third.
    assert server.wait_for(lambda: len(server.received) == 4)
    assert len(told) == 1
    stream.close()
    assert len(told) == 2


def test_progress_of_a_stream(server: FakeService) -> None:
    """The total is the number of requests, or None for a generator."""
    for requests, total in ((list(things(3)), 3), (things(3), None)):
        heard: List[Progress] = []
        results = list(stream_batch(requests, api_key=KEY, progress_callback=heard.append))
        assert len(results) == 3
        assert [each.total for each in heard] == [total] * 3
        assert [each.completed for each in heard] == [1, 2, 3]


@pytest.mark.parametrize(
    "arguments, error, names",
    [
        ({"max_workers": 0}, ValueError, "max_workers"),
        ({"max_workers": 1.5}, TypeError, "max_workers"),
        ({"progress_callback": 5}, TypeError, "progress_callback"),
        ({"executor": 5}, TypeError, "executor"),
        ({"executor": ThreadPoolExecutor}, TypeError, "executor must be an object"),
        ({"progress_callback": progress_bar}, TypeError, "parentheses"),
        ({"journal": 5}, TypeError, "journal"),
        ({"api_key": None}, ValueError, "PERMUTIVE_APPLICATION_CREDENTIALS"),
        ({"requests": "text"}, TypeError, "requests"),
        ({"requests": 5}, TypeError, "requests"),
    ],
)
def test_bad_arguments(server: FakeService, arguments: Any, error: Any, names: str) -> None:
    """A wrong argument is an error of the call that names it; nothing is read or sent."""
    with pytest.raises(error, match=names):
        stream_batch(**{"requests": things(1), "api_key": KEY, **arguments})
    assert server.received == []


def test_item_of_a_wrong_kind(server: FakeService) -> None:
    """An item that is not a request raises an error when it is reached, and the error names its position."""
    stream = stream_batch(itertools.chain(things(2), cast(Any, [{}])), api_key=KEY)
    with pytest.raises(TypeError, match=r"requests\[2\] must be of type BatchRequest"):
        list(stream)
    assert workers_left() == []


def test_constant_memory(server: FakeService) -> None:
    """Results that were handed over are not kept, so thousands of them take no more memory than a few."""
    server.default = answer_from(lambda seen: {"filling": "x" * 4000})
    stream = stream_batch(things(300), api_key=KEY, max_workers=2)
    for _ in range(100):
        next(stream)
    server.received.clear()
    tracemalloc.start()
    try:
        for number, _ in enumerate(stream):
            if number % 50 == 0:
                server.received.clear()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 300_000  # 200 bodies alone would be 800 kB.


def test_identities(server: FakeService) -> None:
    """A stream of identities yields the same objects that were sent, whatever the response says."""
    server.default = answer(200, b"not JSON")
    users = [identity() for _ in range(5)]
    results = list(Identity.stream_identify(iter(users), api_key=KEY, max_workers=2))
    assert {id(result.value) for result in results} == {id(user) for user in users}
    assert all(result.value is users[result.index] for result in results)
    assert [seen.path for seen in server.received] == ["/v2.0/identify"] * 5


def test_segmentations(server: FakeService) -> None:
    """A stream of segmentations yields decoded bodies; a body that cannot be read is a failure."""
    server.script = [answer(200, b"[1]")]
    server.default = answer(200, SEGMENTED)
    first, second = Segmentation.stream_send(
        iter([segmentation(), segmentation(activations=True)]), api_key=KEY, max_workers=1
    )
    assert isinstance(first.error, ValueError) and first.value is None
    assert first.response is not None  # The response is kept for the user.
    assert (second.error, second.value) == (None, SEGMENTED)
    assert server.received[1].query["activations"] == ["true"]


def test_model_of_a_wrong_kind(server: FakeService) -> None:
    """An item of a wrong class raises an error when it is reached, and the error names its position."""
    users: Any = iter([identity(), "user"])
    with pytest.raises(TypeError, match=r"identities\[1\] must be of type Identity"):
        list(Identity.stream_identify(users, api_key=KEY))


# --- Slow iterables --------------------------------------------------------------------------------

STREAMS: Dict[str, Any] = {
    "requests": (stream_batch, lambda number: BatchRequest("GET", f"{URL}/{number}")),
    "identities": (Identity.stream_identify, lambda number: identity()),
    "resolved": (Identity.stream_resolve, lambda number: identity()),
    "segmentations": (Segmentation.stream_send, lambda number: segmentation()),
    "events": (TrackedEvent.stream_track, lambda number: tracked()),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_results_come_while_the_iterable_blocks(server: FakeService, kind: str) -> None:
    """Results and progress come although next() of the iterable does not return."""
    server.default = answer(200, {**SEGMENTED, "user_id": "u-1", **TRACKED})
    stream, item = STREAMS[kind]
    came = threading.Event()
    heard: List[int] = []

    def items() -> Iterator[Any]:
        yield from map(item, range(3))
        assert came.wait(5), "nothing came while the iterable waited"
        yield item(3)

    options: Dict[str, Any] = {
        "api_key": KEY,
        "progress_callback": lambda progress: heard.append(progress.completed),
    }
    results: List[Any] = []
    for result in stream(items(), **options):
        assert result.error is None
        results.append(result.index)
        if len(results) == 3:
            assert heard == [1, 2, 3]
            came.set()
    assert sorted(results) == [0, 1, 2, 3] and results[-1] == 3


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("at_hand", [True, False], ids=["list", "generator"])
def test_in_which_thread_an_iterable_is_read(server: FakeService, kind: str, at_hand: bool) -> None:
    """A list is read in the caller's thread, anything else in one other thread, in the context of the call."""
    server.default = answer(200, {**SEGMENTED, "user_id": "u-1", **TRACKED})
    stream, item = STREAMS[kind]
    seen: List[Any] = []

    def items() -> Iterator[Any]:
        try:
            for number in range(20):
                seen.append((threading.get_ident(), variable.get()))
                yield item(number)
        finally:
            seen.append((threading.get_ident(), variable.get()))

    class Rows(List[Any]):
        def __iter__(self) -> Iterator[Any]:
            return items()

    token = variable.set("set")
    given = Rows(range(20)) if at_hand else items()
    results = stream(given, api_key=KEY, max_workers=2)
    variable.reset(token)
    next(results)
    readers = [each for each in threading.enumerate() if "reader" in each.name]
    assert len(readers) == (0 if at_hand else 1)
    assert len(list(results)) == 19
    assert len(seen) == 21
    [(thread, value)] = set(seen)
    assert (thread == threading.get_ident()) is at_hand
    assert value == ("unset" if at_hand else "set")


def test_a_collected_batch_reads_in_the_callers_thread(server: FakeService) -> None:
    """process_batch reads all requests in the caller's thread before it begins."""
    threads: List[int] = []

    def requests() -> Iterator[BatchRequest]:
        for each in things(3):
            threads.append(threading.get_ident())
            yield each

    http.process_batch(requests(), api_key=KEY)
    assert threads == [threading.get_ident()] * 3


@pytest.mark.parametrize("end", ["close", "abandon"])
def test_leaving_while_the_iterable_blocks(server: FakeService, end: str) -> None:
    """A stream can be left while its iterable blocks; later items are not sent, and the iterable is closed."""
    waiting, release, closed = (threading.Event() for _ in range(3))

    def items() -> Iterator[BatchRequest]:
        try:
            yield from things(1)
            waiting.set()
            release.wait(5)
            yield from things(5)
        finally:
            closed.set()

    held = items()
    stream = stream_batch(held, api_key=KEY)
    next(stream)
    assert waiting.wait(5)
    began = time.monotonic()
    if end == "close":
        stream.close()
    else:
        del stream
    assert time.monotonic() - began < 1.0
    assert workers_left() == [] and not closed.is_set()
    release.set()
    assert closed.wait(5)
    server.stopping.wait(0.03)
    assert len(server.received) == 1


def test_abandoning_a_stream_that_its_hook_refers_to(server: FakeService) -> None:
    """A stream and its hook may refer to each other: garbage is collected, although idle threads wait."""

    def begin() -> None:
        streams: List[Any] = []
        with options(on_response=lambda record: streams.append(record)):
            streams.append(stream_batch([*things(100)], api_key=KEY, max_workers=2))
        next(streams[0])

    begin()
    give_up = time.monotonic() + 5
    while workers_left() and time.monotonic() < give_up:  # Calls under way refer to it, too.
        gc.collect()
    assert workers_left() == []


def test_no_more_threads_than_are_needed(server: FakeService) -> None:
    """While requests come one after the other, one thread sends them all."""
    threads = set()
    answered = threading.Semaphore(1)

    def items() -> Iterator[BatchRequest]:
        for each in things(10):
            assert answered.acquire(timeout=5)
            yield each

    with options(on_response=lambda record: threads.add(threading.get_ident())):
        for result in stream_batch(items(), api_key=KEY, max_workers=8):
            assert result.error is None
            answered.release()
    assert len(threads) == 1


@pytest.mark.parametrize("at_hand", [True, False], ids=["list", "generator"])
def test_an_error_of_the_iterable_comes_last(server: FakeService, at_hand: bool) -> None:
    """Requests that are under way are handed back before an error of the iterable is raised, in the caller's thread."""

    def items() -> Iterator[BatchRequest]:
        yield from things(5)
        raise LookupError("the database is gone")

    class Rows(List[Any]):
        def __iter__(self) -> Iterator[Any]:
            return items()

    results: List[int] = []
    with pytest.raises(LookupError, match="the database is gone"):
        for result in stream_batch(Rows([1]) if at_hand else items(), api_key=KEY):
            results.append(result.index)
    assert sorted(results) == [0, 1, 2, 3, 4]


def test_an_iterable_without_items_starts_no_executor(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An iterable without items starts no executor, even if it has no length."""

    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("no executor was to be made")

    monkeypatch.setattr(http, "ThreadPoolExecutor", forbidden)
    assert list(stream_batch(things(0), api_key=KEY)) == []


def test_a_stream_feeds_another(server: FakeService) -> None:
    """The iterable of a stream may be another stream, and both end together."""
    server.default = answer_from(path_of)
    first = stream_batch(things(20), api_key=KEY, max_workers=2)
    second = stream_batch(
        (BatchRequest("GET", f"{URL}/again/{each.index}") for each in first),
        api_key=KEY,
        max_workers=2,
    )
    assert len(list(second)) == 20
    assert len(server.received) == 40
    assert workers_left() == []
