"""Streams: any iterable, results as they come, bounded, stopped at once."""

from __future__ import annotations

import itertools
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, List

import pytest

from PermutiveAPI import (
    BatchRequest,
    BatchResult,
    Identity,
    PermutiveBadRequestError,
    Progress,
    Segmentation,
    progress_bar,
    stream_batch,
)
from tests.support.calls import KEY, SEGMENTED, identity, segmentation
from tests.support.scripted import (
    Connection,
    ScriptedServer,
    Seen,
    answer,
    respond,
    stall,
)
from tests.support.threads import workers_left

URL = "https://api.permutive.app/v9/things"


def things(count: int) -> Iterator[BatchRequest]:
    """Make numbered requests, one by one."""
    return (BatchRequest("GET", f"{URL}/{number}") for number in range(count))


def path_of(seen: Seen) -> Any:
    """Answer what was asked for."""
    return {"path": seen.path}


def test_each_result_belongs_to_its_request(server: ScriptedServer) -> None:
    """Each result holds its position, the very request that was given, and its own answer."""
    server.default = respond(path_of)
    requests = list(things(50))
    results = list(stream_batch(requests, api_key=KEY, max_workers=4))
    assert sorted(result.index for result in results) == list(range(50))
    for result in results:
        assert isinstance(result, BatchResult)
        assert result.batch_request is requests[result.index]
        assert result.error is None
        assert result.response is not None and result.value is result.response
        assert result.response.json() == {"path": f"/v9/things/{result.index}"}
    assert len(server.seen) == 50


def test_failures_are_results(server: ScriptedServer) -> None:
    """A request that fails is a result with its error, and the others go on."""
    server.script = [answer(400, {"error": {"cause": "odd"}})]
    first, second = stream_batch(things(2), api_key=KEY, max_workers=1)
    assert isinstance(first.error, PermutiveBadRequestError)
    assert first.value is None
    assert first.response is first.error.response and first.response is not None
    assert KEY not in first.response.url
    assert second.error is None


def test_results_come_as_they_complete(server: ScriptedServer) -> None:
    """The slow first one comes last."""
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


def test_endless_generator_is_read_only_a_little_ahead(server: ScriptedServer) -> None:
    """Of an endless iterable only a few requests a worker are taken; leaving the loop ends it all."""
    taken: List[int] = []

    def endless() -> Iterator[BatchRequest]:
        for number in itertools.count():
            taken.append(number)
            yield BatchRequest("GET", f"{URL}/{number}")

    seen = 0
    for _ in stream_batch(endless(), api_key=KEY, max_workers=2):
        seen += 1
        if seen == 100:
            break
    assert workers_left() == []
    assert len(taken) <= 100 + 2 * 2
    server.stopping.wait(0.03)  # What was on its way arrives.
    arrived = len(server.seen)
    server.stopping.wait(0.03)
    assert len(server.seen) == arrived <= len(taken)


@pytest.mark.parametrize("how", ["break", "exception", "close"])
def test_leaving_early_stops_within_a_second(server: ScriptedServer, how: str) -> None:
    """Requests that wait for an answer are cut off, nothing more is sent and no thread is left."""
    server.script = [answer(200, {})]
    server.default = stall()
    began = time.monotonic()
    stream = stream_batch(things(100), api_key=KEY, max_workers=3)
    next(stream)
    assert server.wait_for(lambda: len(server.seen) == 4)
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
    assert len(server.seen) == 4


def test_what_completed_is_told_before_the_stream_ends(server: ScriptedServer) -> None:
    """What had completed when the stream was left has its callbacks called."""
    server.script = [stall(), answer(200, {}), answer(200, {})]
    server.default = stall()
    told: List[str] = []
    requests = [
        BatchRequest(
            "GET",
            f"{URL}/{number}",
            callback=lambda response: told.append(response.url),
        )
        for number in range(9)
    ]
    stream = stream_batch(requests, api_key=KEY, max_workers=2)
    next(stream)
    # One worker stalls, the other has completed two requests and stalls with its third.
    assert server.wait_for(lambda: len(server.seen) == 4)
    assert len(told) == 1
    stream.close()
    assert len(told) == 2


def test_progress_of_a_stream(server: ScriptedServer) -> None:
    """The total is the number of requests where there is one, and None for a generator."""
    for requests, total in ((list(things(3)), 3), (things(3), None)):
        heard: List[Progress] = []
        results = list(
            stream_batch(requests, api_key=KEY, progress_callback=heard.append)
        )
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
def test_bad_arguments(
    server: ScriptedServer, arguments: Any, error: Any, names: str
) -> None:
    """A wrong argument raises at the call, and names itself; nothing is taken or sent."""
    with pytest.raises(error, match=names):
        stream_batch(**{"requests": things(1), "api_key": KEY, **arguments})
    assert server.seen == []


@pytest.mark.parametrize(
    "variable", ["PERMUTIVE_API_BASE_URL", "PERMUTIVE_RETRY_MAX_RETRIES"]
)
def test_a_wrong_setting(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """A wrong value in the environment is told once, not by every request."""
    monkeypatch.setenv(variable, "x")
    with pytest.raises(ValueError, match=variable):
        next(stream_batch(things(2), api_key=KEY))
    with pytest.raises(ValueError, match=variable):
        Identity.batch_identify([identity()], api_key=KEY)
    assert server.seen == []


def test_item_of_a_wrong_kind(server: ScriptedServer) -> None:
    """Something else than a request raises when it is reached, and says where it stands."""
    stream = stream_batch(itertools.chain(things(2), [{}]), api_key=KEY)  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"requests\[2\] must be of type BatchRequest"):
        list(stream)
    assert workers_left() == []


def test_constant_memory(server: ScriptedServer) -> None:
    """Results that were handed over are not kept: thousands of them take no more room than a few."""
    server.default = respond(lambda seen: {"filling": "x" * 2000})
    stream = stream_batch(things(600), api_key=KEY, max_workers=2)
    for _ in range(100):
        next(stream)
    server.seen.clear()
    tracemalloc.start()
    try:
        for number, _ in enumerate(stream):
            if number % 50 == 0:
                server.seen.clear()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 300_000  # 500 bodies alone would be 1 MB.


def test_identities(server: ScriptedServer) -> None:
    """A stream of identities yields the very objects that were sent, whatever the answer says."""
    server.default = answer(200, b"not JSON")
    users = [identity() for _ in range(5)]
    results = list(Identity.stream_identify(iter(users), api_key=KEY, max_workers=2))
    assert {id(result.value) for result in results} == {id(user) for user in users}
    assert all(result.value is users[result.index] for result in results)
    assert [seen.path for seen in server.seen] == ["/v2.0/identify"] * 5


def test_segmentations(server: ScriptedServer) -> None:
    """A stream of segmentations yields decoded bodies; a body that cannot be read is a failure."""
    server.script = [answer(200, b"[1]")]
    server.default = answer(200, SEGMENTED)
    first, second = Segmentation.stream_send(
        iter([segmentation(), segmentation(activations=True)]),
        api_key=KEY,
        max_workers=1,
    )
    assert isinstance(first.error, ValueError) and first.value is None
    assert first.response is not None  # The service's answer, for a look at it.
    assert (second.error, second.value) == (None, SEGMENTED)
    assert server.seen[1].query["activations"] == ["true"]


def test_model_of_a_wrong_kind(server: ScriptedServer) -> None:
    """An item that is no model raises when it is reached, and says where it stands."""
    users: Any = iter([identity(), "user"])
    with pytest.raises(TypeError, match=r"identities\[1\] must be of type Identity"):
        list(Identity.stream_identify(users, api_key=KEY))
