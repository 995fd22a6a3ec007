"""Calls on workers: how far ahead items are taken, what is handed back, and how it ends."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, List, Tuple

import pytest

from PermutiveAPI._Utils import cancellation
from PermutiveAPI._Utils.workers import (
    StoppableCall,
    borrowed_executor,
    own_executor,
    run_on_workers,
)
from tests.utils.test_engine import AtOnce


def double(item: int) -> int:
    """Stand for a request."""
    return item * 2


def test_items_are_taken_only_as_fast_as_workers_get_on() -> None:
    """Of many items only a few a worker are handed to the executor ahead of time."""
    taken: List[int] = []

    def items() -> Any:
        for number in range(100):
            taken.append(number)
            yield number

    loop = run_on_workers(double, items(), 2, own_executor(AtOnce, 2))
    position, item, future = next(loop)
    assert (position, item, future.result()) == (0, 0, 0)
    assert len(taken) <= 8
    assert sorted(done.result() for _, _, done in loop) == [
        n * 2 for n in range(1, 100)
    ]


def test_what_completed_does_not_wait_for_a_slow_iterable() -> None:
    """Results come although the next items take their time: no full set of calls is waited for."""
    taken: List[int] = []

    def items() -> Any:
        for number in range(12):
            time.sleep(0.02)
            taken.append(number)
            yield number

    loop = run_on_workers(double, items(), 50, own_executor(AtOnce, 50))
    next(loop)
    assert len(taken) < 12
    loop.close()


def test_leaving_early_cancels_what_has_not_begun() -> None:
    """Whoever leaves the loop early has nothing more called, and no thread left."""
    release, ran = threading.Event(), []  # type: ignore[var-annotated]

    def call(item: int) -> int:
        ran.append(item)
        batch = cancellation.current()
        assert batch is not None
        if item:
            batch.wait(10)
        return item

    executor = ThreadPoolExecutor(max_workers=1)
    loop: Any = run_on_workers(call, range(50), 1, executor)
    next(loop)
    loop.close()
    assert len(ran) <= 2
    assert not any(thread.is_alive() for thread in executor._threads)
    release.set()


def test_what_completed_too_late_is_told() -> None:
    """What had completed when the loop was left is handed to `late`; what was stopped is, too, and says so."""
    late: List[Tuple[int, Any]] = []
    gate = threading.Barrier(3)

    def call(item: int) -> int:
        if item in (1, 2):
            gate.wait(10)
        if item == 2:
            batch = cancellation.current()
            assert batch is not None
            batch.wait(10)
        return item

    def note(item: int, future: "Future[int]") -> None:
        late.append((item, future.exception()))

    loop: Any = run_on_workers(call, range(3), 3, ThreadPoolExecutor(3), note)
    assert next(loop)[0] == 0
    gate.wait(10)
    time.sleep(0.02)  # The first of the two returns, the other one waits.
    loop.close()
    assert [item for item, _ in late] == [1, 2]
    assert late[0][1] is None
    assert isinstance(late[1][1], cancellation.Stopped)


def test_an_executor_of_the_callers_outlives_the_loop() -> None:
    """An executor that was lent is not shut down, neither at the end nor when the loop is left."""
    with ThreadPoolExecutor(2) as executor:
        for _ in range(2):
            loop = run_on_workers(double, range(9), 2, borrowed_executor(executor))
            next(loop)
            loop.close()
        assert executor.submit(double, 4).result() == 8


def test_a_call_travels_without_what_stops_it() -> None:
    """In another process a call is the function alone."""
    call: Any = pickle.loads(pickle.dumps(StoppableCall(double)))
    assert call(4) == 8


def test_an_iterable_that_raises_ends_the_loop() -> None:
    """What the iterable raises reaches the caller, and no thread is left."""

    def items() -> Any:
        yield 1
        raise LookupError("the database is gone")

    before = threading.active_count()
    with pytest.raises(LookupError, match="the database is gone"):
        list(run_on_workers(double, items(), 2, ThreadPoolExecutor(2)))
    assert threading.active_count() == before
