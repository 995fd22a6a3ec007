"""The loop of batches, on fakes for executors."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Callable, List, Optional

import pytest

from PermutiveAPI import BatchRequest, Progress
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch.types import BatchOptions, ReadingRequest


class AtOnce:
    """An executor that has done every call when submit returns, and has nothing else."""

    def __init__(self, max_workers: Optional[int]) -> None:
        self.max_workers = max_workers
        self.submitted: List[Any] = []

    def __enter__(self) -> "AtOnce":
        return self

    def __exit__(self, *exception: Any) -> None:
        return None

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> "Future[Any]":
        """Make the call now."""
        self.submitted.append(args)
        future: "Future[Any]" = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def batch(count: int) -> List[BatchRequest]:
    """Make different requests."""
    return [BatchRequest("GET", f"https://h/{number}") for number in range(count)]


def run(requests: Any, send: Callable[..., Any], new_executor: Any = AtOnce, **options: Any) -> Any:
    """Run a batch on the fake."""
    settings = BatchOptions("test", **{"api_key": "key", **options})
    return runner(send, new_executor).collect(requests, settings)


def runner(send: Callable[..., Any], executor_class: Callable[..., Any]) -> Any:
    """Make a runner that sends and works otherwise."""
    return replace(http.batch_runner(), send=send, executor_class=executor_class)


def run_concurrently(
    function: Callable[[Any], Any], items: List[Any], *, new_executor: Callable[..., Any]
) -> Any:
    """Call a function on a fake's workers."""
    return runner(function, new_executor).map(function, items)


def test_run_concurrently_keeps_the_order() -> None:
    """Results come in the order of the items, on at most as many workers as there are items."""
    executors: List[AtOnce] = []

    def new_executor(max_workers: int) -> AtOnce:
        executors.append(AtOnce(max_workers))
        return executors[-1]

    assert run_concurrently(str, [3, 1, 2], new_executor=new_executor) == ["3", "1", "2"]
    assert executors[0].max_workers == 3
    assert run_concurrently(str, list(range(99)), new_executor=new_executor)[98] == "98"
    assert executors[1].max_workers == 16


def test_run_concurrently_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """PERMUTIVE_BATCH_MAX_WORKERS says how many at a time."""
    seen: List[Any] = []

    def new_executor(max_workers: int) -> AtOnce:
        seen.append(max_workers)
        return AtOnce(max_workers)

    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", "2")
    run_concurrently(str, [1, 2, 3], new_executor=new_executor)
    assert seen == [2]


def test_run_concurrently_with_nothing_to_do() -> None:
    """No items need no executor."""

    def none(max_workers: int) -> Any:
        raise RuntimeError("an executor was made")

    assert run_concurrently(str, [], new_executor=none) == []


def test_run_concurrently_raises_the_first_failure() -> None:
    """One failure raises; nothing is silently dropped."""

    def call(item: int) -> int:
        if item == 1:
            raise LookupError("no such thing")
        return item

    with pytest.raises(LookupError, match="no such thing"):
        run_concurrently(call, [0, 1, 2], new_executor=AtOnce)


def test_responses_errors_and_callbacks() -> None:
    """Responses come in input order, errors with their requests, callbacks before progress."""
    heard: List[Any] = []
    requests = batch(3)
    for number, each in enumerate(requests):
        each.callback = lambda response, n=number: heard.append(("done", n, response))
        each.error_callback = lambda error, n=number: heard.append(("failed", n, str(error)))

    def send(method: str, api_key: str, url: str, **options: Any) -> Any:
        assert (method, api_key) == ("GET", "key")
        assert set(options) == {"params", "json", "headers", "timeout", "retry"}
        if url.endswith("1"):
            raise LookupError("lost")
        return url

    progress: List[Progress] = []

    def on_progress(snapshot: Progress) -> None:
        progress.append(snapshot)
        heard.append("progress")

    responses, errors = run(requests, send, progress_callback=on_progress)
    assert responses == ["https://h/0", "https://h/2"]
    assert [(request, str(error)) for request, error in errors] == [(requests[1], "lost")]
    assert heard == [
        ("done", 0, "https://h/0"),
        "progress",
        ("failed", 1, "lost"),
        "progress",
        ("done", 2, "https://h/2"),
        "progress",
    ]
    assert [(each.completed, each.total, each.errors) for each in progress] == [
        (1, 3, 0),
        (2, 3, 1),
        (3, 3, 1),
    ]
    assert [each.batch_request for each in progress] == requests
    for each in progress:
        assert each.average_per_thousand_seconds == pytest.approx(
            each.elapsed_seconds / each.completed * 1000
        )


def test_raising_callbacks_do_not_sink_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    """A raising callback is logged, without the key, and the batch goes on."""

    def bad(value: Any) -> None:
        raise RuntimeError("callback failed with key and k=other-key")

    requests = batch(2)
    for each in requests:
        each.callback = bad
    responses, errors = run(
        requests, lambda *_, **__: "ok", progress_callback=bad, api_key="my-own-key"
    )
    assert (responses, errors) == (["ok", "ok"], [])
    assert caplog.text.count("A callback of the batch raised") == 4
    assert "other-key" not in caplog.text
    assert {record.name for record in caplog.records} == {"PermutiveAPI"}


@pytest.mark.parametrize("workers", [0, -1])
def test_workers_below_one(workers: int) -> None:
    """max_workers below 1 is a ValueError that names it, also for an empty batch."""
    for requests in (batch(1), []):
        with pytest.raises(ValueError, match="max_workers"):
            run(requests, print, max_workers=workers)


@pytest.mark.parametrize("workers", ["4", 1.5, True])
def test_workers_of_a_wrong_kind(workers: Any) -> None:
    """max_workers that is no whole number is a TypeError that names it."""
    with pytest.raises(TypeError) as refused:
        run(batch(1), print, max_workers=workers)
    assert str(refused.value) == f"max_workers must be a whole number, got {workers!r}."


def test_requests_of_a_wrong_kind() -> None:
    """Something else than a BatchRequest is a TypeError that names its place."""
    with pytest.raises(TypeError, match=r"requests\[1\] must be of type BatchRequest, got dict"):
        run([*batch(1), {}], print)


def test_empty_batch() -> None:
    """An empty batch gives two empty lists and needs neither key nor thread."""

    def none(max_workers: int) -> Any:
        raise RuntimeError("an executor was made")

    assert run([], print, api_key=None, new_executor=none) == ([], [])


def test_number_of_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The executor gets the number as given, else the environment's, else None."""
    seen: List[Any] = []

    def new_executor(max_workers: Optional[int]) -> AtOnce:
        seen.append(max_workers)
        return AtOnce(max_workers)

    run(batch(1), lambda *_, **__: 1, max_workers=9, new_executor=new_executor)
    run(batch(1), lambda *_, **__: 1, new_executor=new_executor)
    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", "5")
    run(batch(1), lambda *_, **__: 1, new_executor=new_executor)
    assert seen == [9, None, 5]


def test_what_is_no_exception_ends_the_batch() -> None:
    """An exit of the interpreter is no failure of a request."""

    def send(*_: Any, **__: Any) -> Any:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(batch(2), send)


@pytest.mark.parametrize("callback", ["text", 5, {}])
def test_progress_callback_of_a_wrong_kind(callback: Any) -> None:
    """A progress callback that cannot be called is a TypeError that names it."""
    with pytest.raises(TypeError, match="progress_callback"):
        run(batch(1), print, progress_callback=callback)


def test_answer_that_cannot_be_read_is_a_failure() -> None:
    """A request whose answer cannot be read has failed, and the others have not."""

    def read(response: Any) -> None:
        if response == "bad":
            raise ValueError("unreadable")

    requests = [ReadingRequest("GET", url, item=url, read=read) for url in ("good", "bad", "fine")]
    responses, errors = run(requests, lambda method, api_key, url, **options: url)
    assert responses == ["good", "fine"]
    assert [(request, str(error)) for request, error in errors] == [(requests[1], "unreadable")]


def test_responses_come_in_input_order() -> None:
    """Responses come in the order of the requests, also when the first one is answered last."""
    others_are_done = threading.Event()

    def send(method: str, api_key: str, url: str, **options: Any) -> Any:
        if url.endswith("/0"):
            others_are_done.wait(10)
        return url

    requests, seen = batch(4), []  # type: ignore[var-annotated]

    def on_progress(snapshot: Progress) -> None:
        seen.append(requests.index(snapshot.batch_request))
        if len(seen) == 3:
            others_are_done.set()

    responses, errors = run(
        requests,
        send,
        max_workers=2,
        progress_callback=on_progress,
        new_executor=ThreadPoolExecutor,
    )
    assert seen[-1] == 0
    assert responses == [each.url for each in requests]
    assert errors == []
