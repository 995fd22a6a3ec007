"""Calls on workers: how far ahead items are taken, what is handed back, and how the run ends."""

from __future__ import annotations

import pickle
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import pairwise
from types import FrameType
from typing import Any, List, Tuple, cast

import pytest

from PermutiveAPI._Utils import cancellation
from PermutiveAPI._Utils.batch import calls
from PermutiveAPI._Utils.batch.function import CancellableFunction
from PermutiveAPI._Utils.batch.reader import AtHand
from PermutiveAPI._Utils.batch.threads import Threads
from PermutiveAPI._Utils.batch.workers import (
    Listener,
    Postponed,
    borrowed_workers,
    own_workers,
    run_on_workers,
)
from tests.support.fakes import DoneExecutor


def listening(**functions: Any) -> "Listener[Any]":
    """Make a listener with these functions as methods."""
    listener: "Listener[Any]" = Listener()
    vars(listener).update(functions)
    return listener


def double(item: int) -> int:
    """Stand in for a request."""
    return item * 2


def test_items_are_taken_only_as_fast_as_workers_process_them() -> None:
    """Only a few items for each worker are handed to the executor ahead of time."""
    taken: List[int] = []

    def items() -> Any:
        for number in range(100):
            taken.append(number)
            yield number

    loop = run_on_workers(double, AtHand(items()), own_workers(DoneExecutor, 2))
    position, item, future = next(loop)
    assert (position, item, future.result()) == (0, 0, 0)
    assert len(taken) <= 8
    assert sorted(done.result() for _, _, done in loop) == [n * 2 for n in range(1, 100)]


def test_what_completed_does_not_wait_for_a_slow_iterable() -> None:
    """Results are handed back while the iterable is slow to yield the next items."""
    taken: List[int] = []

    def items() -> Any:
        for number in range(12):
            time.sleep(0.02)
            taken.append(number)
            yield number

    loop = run_on_workers(double, AtHand(items()), own_workers(DoneExecutor, 50))
    next(loop)
    assert len(taken) < 12
    loop.close()


def test_leaving_early_cancels_what_has_not_begun() -> None:
    """After the loop is left early, nothing more is called, and no thread is left."""
    release, ran = threading.Event(), []

    def call(item: int) -> int:
        ran.append(item)
        batch = cancellation.current()
        assert batch is not None
        if item:
            batch.wait(10)
        return item

    executor = ThreadPoolExecutor(max_workers=1)
    loop: Any = run_on_workers(
        call, AtHand(range(50)), lambda function, wake: Threads(executor, 1, function)
    )
    next(loop)
    loop.close()
    assert len(ran) <= 2
    assert not any(thread.is_alive() for thread in executor._threads)
    release.set()


class Keeping:
    """An executor that begins no call by itself, like one that is busy with other calls."""

    def __init__(self) -> None:
        self.calls: List[Tuple[Any, "Future[Any]"]] = []

    def submit(self, fn: Any, /, *args: Any) -> "Future[Any]":
        """Keep the call."""
        self.calls.append((args[0], Future()))
        return self.calls[-1][1]

    def begin(self, number: int) -> "Future[Any]":
        """Begin a call, so that it can no longer be cancelled."""
        future = self.calls[number][1]
        assert future.set_running_or_notify_cancel()
        return future

    def answer_the_first(self, of: int) -> None:
        """Let the first call return 0 as soon as there are this many calls."""

        def wait_and_answer() -> None:
            while len(self.calls) < of:
                time.sleep(0.001)
            self.begin(0).set_result(0)

        threading.Thread(target=wait_and_answer).start()


def test_what_arrived_together_does_not_wait_for_a_slow_iterable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Items are taken for a moment only while there is something to hand back, also when nothing more arrives."""
    monkeypatch.setattr(calls, "_LONGEST_WAIT_SECONDS", 10.0)
    keeping = Keeping()
    taken: List[int] = []

    def items() -> Any:
        for number in range(30):
            taken.append(number)
            if number == 2:
                assert keeping.calls[1][1].cancel()
                keeping.begin(0).set_result(0)
            time.sleep(0.02 if number > 1 else 0)
            yield number

    loop = run_on_workers(double, AtHand(items()), borrowed_workers(keeping, 50))
    began = time.monotonic()
    done = [next(loop), next(loop)]
    assert {item: future.cancelled() for _, item, future in done} == {0: False, 1: True}
    assert len(taken) < 30
    assert time.monotonic() - began < 5
    loop.close()


@pytest.mark.parametrize("how", ["close", "abandon", "interrupt"])
def test_leaving_cancels_what_the_callers_executor_has_not_begun(how: str) -> None:
    """Each call that waits on the caller's executor is cancelled; otherwise it would be made later."""
    keeping = Keeping()
    loop: Any = run_on_workers(double, AtHand(range(50)), borrowed_workers(keeping, 3))
    keeping.answer_the_first(of=6)
    assert next(loop)[0] == 0
    begun = keeping.begin(1)
    if how == "close":
        loop.close()
    elif how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            loop.throw(KeyboardInterrupt())
    else:
        del loop
    assert [item for item, _ in keeping.calls] == [0, 1, 2, 3, 4, 5]
    waiting = [future for item, future in keeping.calls if item > 1]
    assert [future.cancelled() for future in waiting] == [True] * 4
    assert not begun.cancelled()


def test_a_listener_hears_what_has_returned_before_it_is_handed_back() -> None:
    """All results of a time, None too, but no failures and no postponed calls."""
    heard: List[Any] = []
    again = {4}

    def call(item: int) -> Any:
        if item in again:
            again.remove(item)
            return Postponed(0.0, item)
        if item == 2:
            raise ZeroDivisionError
        return None if item == 1 else item

    listener = listening(returned=heard.append)
    loop = run_on_workers(call, AtHand(range(5)), own_workers(DoneExecutor, 3), listener=listener)
    assert next(loop)[0] == 0
    assert heard == [[(0, 0), (1, None), (3, 3)]]
    assert [item for _, item, _ in loop] == [1, 2, 3, 4]
    assert heard[1:] == [[(4, 4)]]


def test_what_completes_while_a_stop_waits_is_told() -> None:
    """Calls of other processes that complete soon after a stop count as completed."""
    keeping = Keeping()
    late: List[Any] = []
    loop: Any = run_on_workers(
        double,
        AtHand(range(50)),
        borrowed_workers(keeping, 2),
        listener=listening(late=lambda item, future: late.append((item, future.result()))),
    )
    keeping.answer_the_first(of=4)
    next(loop)
    begun = [keeping.begin(number) for number in (1, 2)]
    threading.Timer(0.05, lambda: begun[1].set_result(4)).start()
    threading.Timer(0.1, lambda: begun[0].set_result(2)).start()
    loop.close()
    assert late == [(1, 2), (2, 4)]


class InterruptedCondition(AbstractContextManager[None]):
    """The condition of a future. Whoever waits for the future is interrupted."""

    def __exit__(self, *exception: object) -> None:
        """Do nothing: whoever asks for the state is not interrupted."""

    def wait(self, seconds: float) -> None:
        """Raise what Ctrl-C raises."""
        raise KeyboardInterrupt

    def acquire(self) -> None:
        """Do the same."""
        raise KeyboardInterrupt


def test_ctrl_c_while_a_stop_waits_leaves_no_lock() -> None:
    """A call that is under way still gives back its result. With a lock left behind, its thread would hang."""
    keeping = Keeping()
    loop: Any = run_on_workers(double, AtHand(range(50)), borrowed_workers(keeping, 2))
    keeping.answer_the_first(of=4)
    next(loop)
    first, second = sorted((keeping.begin(number) for number in (1, 2)), key=id)
    second._condition = cast(Any, InterruptedCondition())
    waiting = threading.Timer(0.01, first.set_result, (0,))
    waiting.daemon = True
    waiting.start()
    with pytest.raises(KeyboardInterrupt):
        loop.close()
    waiting.join(2)
    assert not waiting.is_alive()


def test_what_completed_too_late_is_reported() -> None:
    """Calls that had completed when the loop was left, and those that were cancelled, are handed to `late`."""
    late: List[Tuple[int, Any]] = []
    begun, gate = threading.Barrier(3), threading.Barrier(3)

    def call(item: int) -> int:
        begun.wait(
            10
        )  # On a busy machine, the loop may hand back the first call before it begins the last.
        if item in (1, 2):
            gate.wait(10)
        if item == 2:
            batch = cancellation.current()
            assert batch is not None
            batch.wait(10)
        return item

    def note(item: int, future: "Future[int]") -> None:
        late.append((item, future.exception()))

    loop: Any = run_on_workers(
        call, AtHand(range(3)), own_workers(ThreadPoolExecutor, 3), listener=listening(late=note)
    )
    assert next(loop)[0] == 0
    gate.wait(10)
    time.sleep(0.02)  # The first of the two calls returns, the other one waits.
    loop.close()
    assert [item for item, _ in late] == [1, 2]
    assert late[0][1] is None
    assert isinstance(late[1][1], cancellation.Cancelled)


@pytest.mark.parametrize("taken", [1, 5], ids=["left early", "to the end"])
def test_an_executor_that_calls_at_once_needs_no_thread(taken: int) -> None:
    """If a fake executor makes the calls in the caller's thread, no other thread is started."""
    ended: List[int] = []
    late: List[int] = []
    loop: Any = run_on_workers(
        double,
        AtHand(range(5)),
        own_workers(DoneExecutor, 2),
        listener=listening(
            late=lambda item, future: late.append(threading.get_ident()),
            ended=lambda: ended.append(threading.get_ident()),
        ),
    )
    for _ in range(taken):
        next(loop)
    loop.close()
    here = threading.get_ident()
    assert (ended, set(late)) == ([here], {here} if taken == 1 else set())


def test_nothing_is_begun_after_a_stop() -> None:
    """If the batch is cancelled while items are taken, the executor gets no more of them."""
    batch = cancellation.Cancellation()
    keeping = Keeping()

    def items() -> Any:
        yield 0
        yield 1
        batch.cancel()
        yield 2

    loop = run_on_workers(double, AtHand(items()), borrowed_workers(keeping, 3), batch=batch)
    with pytest.raises(cancellation.Cancelled):
        next(loop)
    assert [item for item, _ in keeping.calls] == [0, 1]


def test_the_callers_executor_outlives_the_loop() -> None:
    """The caller's executor is not shut down, neither at the end nor when the loop is left."""
    with ThreadPoolExecutor(2) as executor:
        for _ in range(2):
            loop = run_on_workers(double, AtHand(range(9)), borrowed_workers(executor, 2))
            next(loop)
            loop.close()
        assert executor.submit(double, 4).result() == 8


def test_ctrl_c_at_the_end_of_a_call_leaves_its_batch_in_no_thread() -> None:
    """If a stand-in makes calls in the caller's thread, later calls of that thread are not cancelled."""

    class AtOnce(AbstractContextManager[Any]):
        def submit(self, call: Any, /, argument: Any) -> Any:
            call(argument)

        def __exit__(self, *exception: object) -> None:
            pass

    def press(frame: FrameType, event: str, _: Any) -> None:
        if frame.f_code is cancellation._Joined.__exit__.__code__:
            raise KeyboardInterrupt

    loop = run_on_workers(double, AtHand([1]), own_workers(lambda max_workers: AtOnce(), 1))
    before = sys.gettrace()
    sys.settrace(press)  # An error of the function ends the tracing.
    try:
        with pytest.raises(KeyboardInterrupt):
            next(loop)
    finally:
        sys.settrace(before)
    assert cancellation.current() is None


def test_a_call_is_pickled_without_its_batch() -> None:
    """In another process, a call consists only of its function."""
    call: Any = pickle.loads(pickle.dumps(CancellableFunction(double)))
    assert call(4) == 8


def test_an_iterable_that_raises_ends_the_loop() -> None:
    """An error of the iterable reaches the caller, and no thread is left."""

    def items() -> Any:
        yield 1
        raise LookupError("the database is gone")

    before = threading.active_count()
    with pytest.raises(LookupError, match="the database is gone"):
        list(run_on_workers(double, AtHand(items()), own_workers(ThreadPoolExecutor, 2)))
    assert threading.active_count() == before


# --- Postponed calls -----------------------------------------------------------------------------


class Refusing:
    """A function that postpones each item so often before it returns it."""

    def __init__(self, times: int, seconds: float) -> None:
        self.times = times
        self.seconds = seconds
        self.calls: List[Tuple[Any, float]] = []

    def __call__(self, item: Any) -> Any:
        """Return the item, or postpone it with another argument."""
        self.calls.append((item, time.monotonic()))
        number, tries = item if isinstance(item, tuple) else (item, 0)
        if tries < self.times:
            return Postponed(time.monotonic() + self.seconds, (number, tries + 1))
        return number


def test_a_postponed_call_is_made_again_when_it_is_due() -> None:
    """A postponed call is made with its new argument, not before its time, and handed back once, with its first item."""
    function = Refusing(times=2, seconds=0.03)
    loop = run_on_workers(function, AtHand([7]), own_workers(DoneExecutor, 1))
    [(position, item, future)] = loop
    assert (position, item, future.result()) == (0, 7, 7)
    assert [argument for argument, _ in function.calls] == [7, (7, 1), (7, 2)]
    moments = [moment for _, moment in function.calls]
    for before, after in pairwise(moments):
        assert 0.03 <= after - before < 0.3


def test_workers_take_other_items_while_one_is_postponed() -> None:
    """A postponed call occupies no worker and delays no other item."""
    called: List[Any] = []

    def call(item: int) -> Any:
        called.append(item)
        return Postponed(time.monotonic() + 0.2, -1) if item == 0 else item

    loop = run_on_workers(call, AtHand(range(40)), own_workers(ThreadPoolExecutor, 1))
    results = sorted((position, future.result()) for position, _, future in loop)
    assert results == [(0, -1), *((number, number) for number in range(1, 40))]
    assert sorted(called) == list(range(-1, 40))
    assert called.index(-1) > 1


def test_postponed_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While too many calls are postponed, no new items are taken, and all calls are made in the end."""
    monkeypatch.setattr(calls, "_MOST_POSTPONED", 5)
    due = time.monotonic() + 0.05
    taken: List[int] = []
    ahead: List[int] = []

    def items() -> Any:
        for number in range(20):
            taken.append(number)
            yield number

    def call(item: Any) -> Any:
        if isinstance(item, int) and time.monotonic() < due:
            return Postponed(due, (item,))
        ahead.append(len(taken))
        return item

    loop = run_on_workers(call, AtHand(items()), own_workers(DoneExecutor, 1))
    assert len(list(loop)) == 20
    assert 5 <= ahead[0] <= 5 + 2


def test_the_earliest_comes_first() -> None:
    """Postponed calls are made in the order of their times, not of their items."""
    began = time.monotonic()

    def call(item: Any) -> Any:
        if isinstance(item, int):
            return Postponed(began + 0.06 - 0.02 * item, str(item))
        return item

    loop = run_on_workers(call, AtHand(range(3)), own_workers(DoneExecutor, 1))
    assert [future.result() for _, _, future in loop] == ["2", "1", "0"]


def test_leaving_early_forgets_postponed_calls() -> None:
    """After the loop is left, postponed calls are neither made nor reported."""
    called: List[Any] = []
    late: List[Any] = []

    def call(item: Any) -> Any:
        called.append(item)
        return item if item == 0 else Postponed(time.monotonic() + 0.02, "again")

    loop: Any = run_on_workers(
        call,
        AtHand(range(2)),
        own_workers(ThreadPoolExecutor, 1),
        listener=listening(late=lambda *told: late.append(told)),
    )
    assert next(loop)[0] == 0
    loop.close()
    time.sleep(0.04)
    assert called in ([0], [0, 1])
    assert late == []


def test_a_call_that_is_postponed_while_leaving_is_not_reported() -> None:
    """A call that is postponed at the moment when the loop is left has not completed."""
    late: List[Any] = []

    def call(item: Any) -> Any:
        return item if item == 0 else Postponed(0.0, "again")

    loop: Any = run_on_workers(
        call,
        AtHand(range(3)),
        own_workers(DoneExecutor, 3),
        listener=listening(late=lambda *told: late.append(told)),
    )
    next(loop)
    loop.close()
    assert late == []


def test_a_failure_of_the_iterable_waits_for_postponed_calls() -> None:
    """Postponed calls are handed back before the iterable's error is raised."""

    def items() -> Any:
        yield 1
        raise LookupError("the database is gone")

    loop = run_on_workers(Refusing(1, 0.01), AtHand(items()), own_workers(DoneExecutor, 1))
    assert next(loop)[2].result() == 1
    with pytest.raises(LookupError):
        next(loop)
