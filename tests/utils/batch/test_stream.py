"""The stream object: a generator that any thread may close, even its own workers."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Callable, Iterator, List

import pytest

from PermutiveAPI import BatchRequest
from PermutiveAPI._Utils import cancellation
from PermutiveAPI._Utils.batch.types import BatchOptions
from tests.support.threads import in_thread, workers_left
from tests.utils.batch.test_runner import batch, runner


def begun(send: Callable[..., Any], requests: Any = None, **options: Any) -> Any:
    """Begin a stream on two threads."""
    return runner(send, ThreadPoolExecutor).stream(
        batch(50) if requests is None else requests,
        BatchOptions("test", api_key="key", max_workers=2, **options),
        50,
    )


def send_first(method: str, api_key: str, url: str, **options: Any) -> str:
    """Respond to the first request, and let the others wait until the batch is cancelled."""
    if not url.endswith("/0"):
        running = cancellation.current()
        assert running is not None
        running.wait(10)
    return url


def wait_until(condition: Callable[[], Any]) -> bool:
    """Wait until a condition is true; return False if it is not true after five seconds."""
    give_up = time.monotonic() + 5
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.002)
    return bool(condition())


def assert_ended(results: Any) -> None:
    """Assert that a stream has ended, and that no worker is left."""
    assert workers_left() == []
    with pytest.raises(StopIteration):
        next(results)


def test_it_is_a_generator() -> None:
    """A stream has the methods of a generator; after its end, it always raises StopIteration."""
    results = begun(lambda *_, **__: 1, batch(2))
    assert isinstance(results, Generator)
    assert iter(results) is results
    assert [results.send(None).response, next(results).response] == [1, 1]
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(results)


@pytest.mark.parametrize("taken", [0, 1], ids=["before the first", "after the first"])
def test_close_twice(taken: int) -> None:
    """close() ends a stream, even before its first result; a second close() does nothing."""
    sent: List[str] = []

    def send(method: str, api_key: str, url: str, **options: Any) -> str:
        sent.append(url)
        return send_first(method, api_key, url)

    with closing(begun(send)) as results:
        for _ in range(taken):
            next(results)
        results.close()
        results.close()
        assert len(sent) <= 2 * taken + 1
        assert_ended(results)
    with pytest.raises(ZeroDivisionError):
        results.throw(ZeroDivisionError())


def test_throw() -> None:
    """An exception that is thrown into a stream ends it and is raised, as in any generator."""
    results = begun(send_first)
    next(results)
    with pytest.raises(ZeroDivisionError, match="why"):
        results.throw(ZeroDivisionError("why"))
    assert_ended(results)


def test_another_thread_closes_a_stream_that_rests() -> None:
    """When close() returns, the stream has ended, although another thread began it."""
    results = begun(send_first)
    next(results)
    in_thread(results.close).join(5)
    assert_ended(results)


def assert_close_ends_the_wait(results: Any) -> None:
    """Assert that close() ends at once, and the wait of another thread in next() with it."""
    left: List[Any] = []
    waiting = in_thread(lambda: left.append(list(results)))
    assert wait_until(lambda: results._is_running())
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 1
    assert workers_left() == []
    waiting.join(5)
    assert left == [[]]


def test_another_thread_closes_a_stream_that_is_waited_for() -> None:
    """A thread that waits in next() gets StopIteration; close() returns when the stream has ended."""
    results = begun(send_first)
    next(results)
    assert_close_ends_the_wait(results)


def test_another_thread_closes_a_stream_whose_iterable_blocks() -> None:
    """close() ends the wait even if no request is in flight and the iterable blocks."""
    release = threading.Event()

    def requests() -> Iterator[BatchRequest]:
        yield batch(1)[0]
        release.wait(10)

    results = begun(send_first, requests())
    next(results)
    assert_close_ends_the_wait(results)
    release.set()


def test_a_callback_closes_its_stream() -> None:
    """close() in a callback returns at once; the stream hands over this result, and then ends."""
    holder: List[Any] = []
    holder.append(begun(send_first, progress_callback=lambda progress: holder[0].close()))
    first = next(holder[0])
    assert first.index == 0
    assert_ended(holder[0])


def test_a_callback_closes_a_stream_that_another_thread_closes() -> None:
    """Callbacks of requests that completed run in the thread that closes; close() returns at once there, too."""
    holder: List[Any] = []
    second = threading.Event()

    def send(method: str, api_key: str, url: str, **options: Any) -> str:
        if url.endswith("/1"):
            second.set()
            return url
        if url.endswith("/0"):
            second.wait(5)
        return send_first(method, api_key, url)

    def close(progress: Any) -> None:
        if progress.completed > 1:
            holder[0].close()

    holder.append(begun(send, progress_callback=close))
    next(holder[0])
    closing_thread = in_thread(holder[0].close)
    closing_thread.join(5)
    assert not closing_thread.is_alive()


def test_two_threads_in_one_stream() -> None:
    """A second thread in next() gets a ValueError, as from any generator."""
    results = begun(send_first)
    next(results)
    waiting = in_thread(lambda: list(results))
    assert wait_until(lambda: results._is_running())
    with pytest.raises(ValueError, match="already executing"):
        next(results)
    results.close()
    waiting.join(5)


# --- Garbage -------------------------------------------------------------------------------------


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """Record the exceptions that Python could not raise."""
    heard: List[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    monkeypatch.setattr(threading, "excepthook", heard.append)
    return heard


def test_an_abandoned_stream_is_stopped(unraisable: List[Any]) -> None:
    """A stream that nobody refers to any more ends."""
    results = begun(send_first)
    next(results)
    del results
    assert workers_left() == []
    assert unraisable == []


@pytest.mark.parametrize("in_a_cycle", [False, True], ids=["last holder", "collector"])
def test_a_stream_that_ends_in_its_own_worker(
    unraisable: List[Any], tmp_path: Any, in_a_cycle: bool
) -> None:
    """A stream that becomes garbage in a worker ends without an error, and its successes are recorded."""
    holder: List[Any] = []
    at_work, resting = threading.Event(), threading.Event()
    done: List[str] = []

    def send(method: str, api_key: str, url: str, **options: Any) -> str:
        if url.endswith("/0"):
            at_work.wait(5)
        elif url.endswith("/1"):
            at_work.set()
            resting.wait(5)
            holder.clear()
            if in_a_cycle:
                gc.collect()
        else:
            send_first(method, api_key, url)
        done.append(url)
        return url

    journal = tmp_path / "job.journal"
    holder.append(begun(send, journal=journal))
    next(holder[0])
    if in_a_cycle:
        holder[0].itself = holder[0]
    resting.set()
    assert wait_until(lambda: len(done) == 2 and not workers_left())
    assert wait_until(lambda: not [one for one in threading.enumerate() if "ending" in one.name])
    assert wait_until(lambda: len(journal.read_text().splitlines()) == 1 + 2)
    assert unraisable == []


def test_a_callback_closes_what_another_thread_has_asked_for_a_result() -> None:
    """If a thread calls next() while a callback runs, it gets an error, and the callback can still close the stream."""
    refused: List[BaseException] = []

    def callback(progress: Any) -> None:
        def ask() -> None:
            try:
                next(running)
            except ValueError as error:
                refused.append(error)

        in_thread(ask).join(5)
        running.close()

    running = begun(send_first, progress_callback=callback)
    reader = in_thread(lambda: list(running))
    reader.join(5)
    assert not reader.is_alive()
    assert len(refused) == 1
    assert wait_until(lambda: not workers_left())


def test_the_first_reason_to_stop_counts() -> None:
    """A thread that waits in next() gets the first reason, not a later one."""
    results = begun(send_first)
    next(results)
    caught: List[Any] = []

    def wait() -> None:
        try:
            next(results)
        except BaseException as error:
            caught.append(error)

    waiting = in_thread(wait)
    assert wait_until(lambda: results._is_running())
    first = RuntimeError("first")
    results.stop(first, seconds=0)
    results.stop(RuntimeError("second"))
    waiting.join(5)
    assert caught == [first]
