"""What a batch needs of an executor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result", covariant=True)


class Call(Protocol[Result]):
    """A call that an executor has taken: the part of a Future that a batch uses."""

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        """Have a function called when the call is done."""
        ...

    def done(self) -> bool:
        """Tell whether the call is done, has failed, or is cancelled."""
        ...

    def cancel(self) -> bool:
        """Cancel the call if it has not begun."""
        ...

    def cancelled(self) -> bool:
        """Tell whether the call is cancelled."""
        ...

    def result(self) -> Result:
        """Return the result, or raise the error."""
        ...

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error. For a call that is not done, a Future waits; an UnlockedFuture returns None."""
        ...


class AnyExecutor(Protocol):
    """The part of an executor that a batch uses."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Call[Any]:
        """Start one call."""
        ...


class Gatherer(ABC):
    """An executor that collects calls, and makes several of them together."""

    @abstractmethod
    def begin(self, wake: Callable[[], object]) -> None:
        """Begin. Any thread may call `wake`; then :meth:`flush` is called soon."""

    @abstractmethod
    def most_in_flight(self) -> int:
        """Return how many calls it takes at a time, until they are handed back."""

    @abstractmethod
    def submit(self, fn: Callable[..., Any], /, item: Any) -> Call[Any]:
        """Take one call."""

    @abstractmethod
    def flush(self, has_arrived: Callable[[], bool], handed_back: int) -> None:
        """Start calls, and collect those that are done, in the caller's thread.

        Parameters
        ----------
        has_arrived : callable
            Tells whether results wait to be handed back. If so, more calls come soon.
        handed_back : int
            How many results were handed back so far.
        """
