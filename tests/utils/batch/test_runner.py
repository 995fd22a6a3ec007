"""The batch runner, on a fake executor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, List

import numpy
import pytest

from PermutiveAPI import BatchRequest
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch.types import BatchOptions, ReadingRequest
from tests.support.fakes import DoneExecutor


def batch(count: int) -> List[BatchRequest]:
    """Make different requests."""
    return [BatchRequest("GET", f"https://h/{number}") for number in range(count)]


def run(
    requests: Any, send: Callable[..., Any], new_executor: Any = DoneExecutor, **options: Any
) -> Any:
    """Run a batch on the fake executor."""
    settings = BatchOptions("test", **{"api_key": "key", **options})
    return runner(send, new_executor).collect(requests, settings)


def runner(send: Callable[..., Any], executor_class: Callable[..., Any]) -> Any:
    """Make a runner with another sender and executor."""
    return replace(http.batch_runner(), send=send, executor_class=executor_class)


def run_concurrently(
    function: Callable[[Any], Any], items: List[Any], *, new_executor: Callable[..., Any]
) -> Any:
    """Call a function on the workers of a fake executor."""
    return runner(function, new_executor).map(function, items)


def test_run_concurrently_keeps_the_order() -> None:
    """Results come in the order of the items, on at most as many workers as there are items."""
    executors: List[DoneExecutor] = []

    def new_executor(max_workers: int) -> DoneExecutor:
        executors.append(DoneExecutor(max_workers))
        return executors[-1]

    assert run_concurrently(str, [3, 1, 2], new_executor=new_executor) == ["3", "1", "2"]
    assert executors[0].max_workers == 3
    assert run_concurrently(str, list(range(99)), new_executor=new_executor)[98] == "98"
    assert executors[1].max_workers == 16


def test_run_concurrently_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """PERMUTIVE_BATCH_MAX_WORKERS says how many at a time."""
    seen: List[Any] = []

    def new_executor(max_workers: int) -> DoneExecutor:
        seen.append(max_workers)
        return DoneExecutor(max_workers)

    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", "2")
    run_concurrently(str, [1, 2, 3], new_executor=new_executor)
    assert seen == [2]


def test_run_concurrently_with_nothing_to_do() -> None:
    """No items need no executor."""

    def none(max_workers: int) -> Any:
        raise RuntimeError("an executor was made")

    assert run_concurrently(str, [], new_executor=none) == []


def test_run_concurrently_raises_the_first_failure() -> None:
    """The first failure is raised; nothing is silently dropped."""

    def call(item: int) -> int:
        if item == 1:
            raise LookupError("no such thing")
        return item

    with pytest.raises(LookupError, match="no such thing"):
        run_concurrently(call, [0, 1, 2], new_executor=DoneExecutor)


def test_workers_as_a_number_of_numpy() -> None:
    """max_workers may be a whole number of NumPy, such as the minimum of an array."""
    seen: List[int] = []

    def new_executor(max_workers: int) -> Any:
        seen.append(max_workers)
        return DoneExecutor(max_workers)

    run(batch(1), print, max_workers=numpy.int64(2), new_executor=new_executor)
    assert [(type(each), each) for each in seen] == [(int, 2)]


@pytest.mark.parametrize("workers", ["4", 1.5, True])
def test_workers_of_a_wrong_kind(workers: Any) -> None:
    """max_workers that is not a whole number is a TypeError that names it."""
    with pytest.raises(TypeError) as refused:
        run(batch(1), print, max_workers=workers)
    assert str(refused.value) == f"max_workers must be a whole number, got {workers!r}."


def test_requests_of_a_wrong_kind() -> None:
    """An item that is not a BatchRequest is a TypeError that names its place."""
    with pytest.raises(TypeError, match=r"requests\[1\] must be of type BatchRequest, got dict"):
        run([*batch(1), {}], print)


def test_empty_batch() -> None:
    """An empty batch returns two empty lists and needs neither key nor thread."""

    def none(max_workers: int) -> Any:
        raise RuntimeError("an executor was made")

    assert run([], print, api_key=None, new_executor=none) == ([], [])


def test_other_base_exceptions_end_the_batch() -> None:
    """SystemExit is not a failure of a request: it ends the batch."""

    def send(*_: Any, **__: Any) -> Any:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run(batch(2), send)


def test_answer_that_cannot_be_read_is_a_failure() -> None:
    """A request whose response cannot be read has failed; the others have not."""

    def read(response: Any) -> None:
        if response == "bad":
            raise ValueError("unreadable")

    requests = [ReadingRequest("GET", url, item=url, read=read) for url in ("good", "bad", "fine")]
    responses, errors = run(requests, lambda method, api_key, url, **options: url)
    assert responses == ["good", "fine"]
    assert [(request, str(error)) for request, error in errors] == [(requests[1], "unreadable")]
