"""The source of a batch's items, and the thread in which they are taken."""

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
    """Takes from a source as a batch does."""

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
        """Wait until the thread has done its last step."""
        while not self.source._ended:
            self.woken.get(timeout=5)


def readers() -> List[threading.Thread]:
    """Return the threads that read."""
    return [each for each in threading.enumerate() if "reader" in each.name]


def made_from(items: Any) -> MadeRequests:
    """Make a request from each item, as the models' helpers do."""
    return MadeRequests((BatchRequest("GET", "https://h") for _ in items), items)


@pytest.mark.parametrize("items", [[1], (1,), [], made_from([1]), made_from((1,))])
def test_a_list_needs_no_thread(items: Any) -> None:
    """A list, a tuple, and requests made from one are read in the caller's thread."""
    assert isinstance(source_of(items), AtHand)


@pytest.mark.parametrize("items", [iter([1]), range(1), {1}, made_from(iter([1])), made_from({1})])
def test_other_iterables_have_a_thread(items: Any) -> None:
    """Any other iterable may block, so a separate thread reads it, and requests made from it."""
    assert isinstance(source_of(items), Reader)


@pytest.mark.parametrize("items", [[1, 2], iter([1, 2])], ids=["list", "iterator"])
def test_items_come_in_order_and_end(items: Any) -> None:
    """Each item comes once; after the last one, every further take() returns LEFT."""
    assert Taking(iter([])).take() is Nothing.LEFT
    taking = Taking(items)
    assert [taking.take(3), taking.take(2)] == [1, 2]
    assert taking.take() is Nothing.LEFT
    assert taking.take() is Nothing.LEFT


def test_no_more_is_taken_than_there_is_room_for() -> None:
    """Only as many items are read as there is room for, and more when some are taken."""
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


def test_the_two_threads_seldom_wait_for_each_other() -> None:
    """Whoever asks is woken once, and asks for more only when half of what there is room for is missing."""
    waiting, release, read = (threading.Event() for _ in range(3))
    asked: List[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            if number == 3:
                waiting.set()
                release.wait(5)
            asked.append(number)
            if number == 7:
                read.set()
            yield number

    taking = Taking(items())
    assert taking.source.take(8) is Nothing.YET
    assert waiting.wait(5)
    assert taking.woken.qsize() == 1
    assert [taking.source.take(8) for _ in range(4)] == [0, 1, 2, Nothing.YET]
    release.set()
    assert read.wait(5)
    time.sleep(0.02)
    assert len(asked) == 8
    assert [taking.take(8) for _ in range(6)] == [3, 4, 5, 6, 7, 8]
    taking.source.close()


def test_one_other_thread_does_everything() -> None:
    """One daemon thread makes the iterator, reads each item and closes it, in the caller's context."""
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
    """close() closes the generator in the thread that reads it, as soon as it has yielded."""
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


def test_a_generator_behind_a_map_ends_in_the_readers_thread() -> None:
    """A generator behind a map() becomes garbage when the reader ends, and so ends in its thread."""
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


def test_other_iterables_are_not_closed() -> None:
    """A file or a cursor stays open."""

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
    """The error is raised in place of the next item, in the caller's thread."""

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
    """An error of iter() is raised like an error of next()."""

    class Broken:
        def __iter__(self) -> Iterator[int]:
            raise LookupError("no table")

    with pytest.raises(LookupError, match="no table"):
        Taking(Broken()).take()


def test_no_thread_is_left() -> None:
    """The thread ends with the iterable, and close() waits for it if it need not wait for the iterable."""
    taking = Taking(iter([1]))
    taking.take(2)
    assert taking.take() is Nothing.LEFT
    taking.source.close()
    assert readers() == []
    taking = Taking(iter(range(9)))
    taking.take(2)
    taking.source.close()
    assert readers() == []


def test_a_source_that_never_began_can_be_closed() -> None:
    """A stream that fails before its first item closes its source."""
    Reader(iter([1])).close()
