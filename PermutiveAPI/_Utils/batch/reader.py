"""The source of a batch's items: a list, or an iterable that is read in a separate thread.

``next()`` of a generator may take any time. Meanwhile the caller's thread must hand back what is done,
so it cannot wait for the generator. It reads only a list or a tuple itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import Context, copy_context
from enum import Enum
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

# How long close() waits for the thread. It ends at once, unless it waits for its iterable.
_MOMENT_SECONDS = 0.1

Item = TypeVar("Item")
ItemTaken = TypeVar("ItemTaken", covariant=True)


class Nothing(Enum):
    """Why no item was taken."""

    YET = "The next item is not there yet."
    LEFT = "There are no more items."


class Source(Protocol[ItemTaken]):
    """The source of a batch's items, one by one."""

    def begin(self, wake: Callable[[], object]) -> None:
        """Begin; after ``Nothing.YET``, `wake` is called when :meth:`take` may have an item."""
        ...

    def take(self, room: int) -> ItemTaken | Nothing:
        """Return the next item if it is there. Up to `room` items may be read ahead."""
        ...

    def close(self) -> None:
        """Stop reading the iterable."""
        ...


def source_of(items: Iterable[Item], context: Context | None = None) -> Source[Item]:
    """Return the source of the items of an iterable.

    If it has an attribute `made_from`, its items are made one by one from that other iterable. What is read
    in a separate thread is read in a copy of `context`, or else of the caller's.
    """
    if isinstance(getattr(items, "made_from", items), (list, tuple)):
        return AtHand(items)
    return Reader(items, context)


class AtHand(Generic[Item]):
    """A source of items that are in memory: they are taken in the caller's thread."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)

    def begin(self, wake: Callable[[], object]) -> None:
        """Do nothing: items never come later."""

    def take(self, room: int) -> Item | Nothing:
        """Return the next item."""
        return next(self._items, Nothing.LEFT)

    def close(self) -> None:
        """Do nothing."""


class Reader(Generic[Item]):
    """Reads an iterable in a separate thread, only as many items as it was asked for.

    A thread that waits for the iterable cannot be interrupted. So it is a daemon, which the end of the
    interpreter does not wait for. It ends when the iterable returns. It does not refer to the stream, so
    an abandoned stream can be garbage while its reader waits.
    """

    def __init__(self, items: Iterable[Item], context: Context | None = None) -> None:
        self._items: Iterable[Item] = items
        # Not `context or`, since an empty context is false.
        self._context = copy_context() if context is None else context
        # How many more items are to be taken; 0 ends the thread.
        self._asked: SimpleQueue[int] = SimpleQueue()
        self._taken: deque[Item] = deque()
        self._requested = 0
        # Whether the caller found nothing, and must be woken.
        self._awaited = False
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._ended = self._closed = False

    def begin(self, wake: Callable[[], object]) -> None:
        """Start the thread."""
        thread = threading.Thread(
            target=self._context.copy().run,
            args=(self._read, wake),
            name="PermutiveAPI reader",
            daemon=True,
        )
        thread.start()
        # Only now: close() cannot wait for a thread that was interrupted before it started.
        self._thread = thread

    def take(self, room: int) -> Item | Nothing:
        """Return the next item if it is there; raise what the iterable has raised."""
        ended = False
        if not self._taken:
            self._ask(room)
            # Read before `_taken`: the last item may come between the two.
            ended = self._ended
        if self._taken:
            self._requested -= 1
            return self._taken.popleft()
        if not ended:
            return Nothing.YET
        if self._error is not None:
            raise self._error
        return Nothing.LEFT

    def _ask(self, room: int) -> None:
        """Have as many items read as there is room for.

        It asks for several at a time. Otherwise the two threads would wait for each other at every item
        that a journal skips.
        """
        self._awaited = True
        missing = room - self._requested
        if missing > 0 and missing >= self._requested:
            self._asked.put(missing)
            self._requested = room

    def close(self) -> None:
        """End the thread as soon as the iterable returns, and have a generator closed there."""
        self._closed = True
        self._asked.put(0)
        if self._thread not in (None, threading.current_thread()):
            self._thread.join(_MOMENT_SECONDS)

    def _read(self, wake: Callable[[], object]) -> None:
        items = self._items
        # Then only this thread refers to the iterable, and a generator behind it ends here.
        self._items = ()
        try:
            try:
                iterator = iter(items)
                for _ in self._turns():
                    self._taken.append(next(iterator))
                    if self._awaited:
                        self._awaited = False
                        wake()
            except StopIteration:
                pass
            finally:
                _close(getattr(items, "made_from", items))
        except BaseException as error:
            self._error = error
        self._ended = True
        wake()

    def _turns(self) -> Iterator[None]:
        """Yield each time that another item is to be taken."""
        while count := self._asked.get():
            for _ in range(count):
                if self._closed:
                    return
                yield


def _close(items: Any) -> None:
    """Close a generator. Its owner closes anything else, for instance a file or a cursor."""
    if isinstance(items, Generator):
        items.close()
