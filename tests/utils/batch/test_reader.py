"""Where the items of a batch come from, and in which thread they are taken."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Iterator, List

import pytest

from PermutiveAPI import BatchRequest
from PermutiveAPI._Utils.batch.reader import AtHand, Nothing, Reader, source_of
from PermutiveAPI._Utils.batch.types import MadeRequests

variable: "ContextVar[str]" = ContextVar("variable", default="unset")


class Taking:
    """Takes from a source as the engine does."""

    def __init__(self, items: Any) -> None:
        self.source: Any = source_of(items)
        self.woken: "SimpleQueue[None]" = SimpleQueue()
        self.source.begin(lambda: self.woken.put(None))

    def take(self, room: int = 1) -> Any:
        """Wait for the next item."""
        while (item := self.source.take(room)) is Nothing.YET:
            self.woken.get(timeout=5)
        return item

    def ended(self) -> None:
        """Wait for the last thing that the thread does."""
        while not self.source._ended:
            self.woken.get(timeout=5)


def readers() -> List[threading.Thread]:
    """Return the threads that read."""
    return [each for each in threading.enumerate() if "reader" in each.name]


def made_from(items: Any) -> MadeRequests:
    """Make a request of each item, as the models' helpers do."""
    return MadeRequests((BatchRequest("GET", "https://h") for _ in items), items)


@pytest.mark.parametrize("items", [[1], (1,), [], made_from([1]), made_from((1,))])
def test_what_is_at_hand_needs_no_thread(items: Any) -> None:
    """A list, a tuple, and what is made from one are read by whoever asks."""
    assert isinstance(source_of(items), AtHand)


@pytest.mark.parametrize("items", [iter([1]), range(1), {1}, made_from(iter([1])), made_from({1})])
def test_what_may_take_long_has_a_thread(items: Any) -> None:
    """Any other iterable, and what is made from one, may block: a thread of its own reads it."""
    assert isinstance(source_of(items), Reader)


@pytest.mark.parametrize("items", [[1, 2], iter([1, 2])], ids=["list", "iterator"])
def test_items_come_in_order_and_end(items: Any) -> None:
    """Each item comes once; after the last one there is nothing left, however often one asks."""
    assert Taking(iter([])).take() is Nothing.LEFT
    taking = Taking(items)
    assert [taking.take(3), taking.take(2)] == [1, 2]
    assert taking.take() is Nothing.LEFT
    assert taking.take() is Nothing.LEFT


def test_no_more_is_taken_than_there_is_room_for() -> None:
    """The iterable is asked for so many items only, and for more when some were taken away."""
    asked: List[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    taking = Taking(items())
    assert taking.take(3) == 0
    assert taking.take(2) == 1
    assert taking.take(1) == 2
    assert taking.source.take(0) is Nothing.YET
    assert len(asked) == 3
    assert taking.take(1) == 3
    assert len(asked) == 4
    taking.source.close()


def test_one_other_thread_does_all() -> None:
    """Making the iterator, each item and the closing happen in one daemon thread, in the caller's context."""
    seen: List[Any] = []

    class Rows:
        def __iter__(self) -> Iterator[int]:
            seen.append(threading.current_thread())
            return self.rows()

        def rows(self) -> Iterator[int]:
            try:
                while True:
                    seen.append(threading.current_thread())
                    yield len(seen)
            finally:
                seen.append(threading.current_thread())
                seen.append(variable.get())

    token = variable.set("set")
    taking = Taking(Rows())
    variable.reset(token)
    assert [taking.take(), taking.take()] == [2, 3]
    taking.source.close()
    taking.ended()
    *threads, value = seen
    assert len(threads) == 4 and len(set(threads)) == 1
    assert threads[0].daemon and threads[0] is not threading.current_thread()
    assert value == "set"


@pytest.mark.parametrize("wrap", [lambda items: items, made_from], ids=["own", "made"])
def test_a_generator_is_closed_although_its_owner_holds_it(wrap: Any) -> None:
    """A stop closes the generator in the thread that reads it, as soon as it has come back."""
    waiting, release, closed = (threading.Event() for _ in range(3))
    where: List[threading.Thread] = []
    resumed: List[int] = []

    def items() -> Iterator[int]:
        try:
            yield 1
            waiting.set()
            release.wait(5)
            yield 2
            resumed.append(2)
        finally:
            where.append(threading.current_thread())
            closed.set()

    held = items()
    taking = Taking(wrap(held))
    taking.take()
    assert taking.source.take(3) is Nothing.YET
    assert waiting.wait(5)
    [reader] = readers()
    began = time.monotonic()
    taking.source.close()
    assert time.monotonic() - began < 1
    assert reader.is_alive()
    release.set()
    assert closed.wait(5)
    assert (where, resumed) == ([reader], [])
    reader.join(5)
    assert not reader.is_alive()


def test_what_nobody_else_holds_ends_in_its_thread() -> None:
    """A generator behind a map() is garbage when the reader ends, and so ends there."""
    where: List[threading.Thread] = []

    def rows() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            where.append(threading.current_thread())

    taking = Taking(map(str, rows()))
    assert taking.take() == "1"
    [reader] = readers()
    taking.source.close()
    assert where == [reader]


def test_what_has_an_owner_is_not_closed() -> None:
    """A file or a cursor is left open."""

    class Cursor:
        closed = False

        def __iter__(self) -> Iterator[int]:
            return self

        def __next__(self) -> int:
            return 1

        def close(self) -> None:
            self.closed = True

    cursor = Cursor()
    taking = Taking(cursor)
    taking.take()
    taking.source.close()
    taking.ended()
    assert not cursor.closed


@pytest.mark.parametrize("error", [LookupError("gone"), KeyboardInterrupt()])
def test_what_the_iterable_raises_comes_after_its_items(error: BaseException) -> None:
    """It is raised where the next item would have been, in the caller's thread."""

    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise error

    taking = Taking(items())
    assert [taking.take(5), taking.take(4)] == [1, 2]
    with pytest.raises(type(error)) as caught:
        taking.take(3)
    assert caught.value is error


def test_an_iterable_that_cannot_begin() -> None:
    """What iter() raises is raised like what next() raises."""

    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise LookupError("no table")

    with pytest.raises(LookupError, match="no table"):
        Taking(Broken()).take()


def test_no_thread_is_left() -> None:
    """The thread ends with the iterable, and a stop waits for one that has only to end."""
    taking = Taking(iter([1]))
    taking.take(2)
    assert taking.take() is Nothing.LEFT
    taking.source.close()
    assert readers() == []
    taking = Taking(iter(range(9)))
    taking.take(2)
    taking.source.close()
    assert readers() == []


def test_what_was_never_begun_can_be_closed() -> None:
    """A stream that fails before its first item closes its source all the same."""
    Reader(iter([1])).close()
