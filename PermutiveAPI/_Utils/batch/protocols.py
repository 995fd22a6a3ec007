"""What a batch needs of the workers that make its calls, and of an executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result", covariant=True)


class Call(Protocol[Result]):
    """A call that an executor has taken: the part of a Future that a batch uses."""

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
        """Return the error. For a call that is not done, a Future waits; a PendingCall returns None."""
        ...


class FutureCall(Call[Result], Protocol[Result]):
    """What an executor returns for a call."""

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        """Have a function called when the call is done."""
        ...


class AnyExecutor(Protocol):
    """The part of an executor that a batch uses."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> FutureCall[Any]:
        """Start one call."""
        ...


class Workers(Protocol):
    """Makes the calls of one batch. Only the batch's own thread uses it."""

    @property
    def most_in_flight(self) -> int:
        """How many calls it takes at a time, until they are handed back."""
        ...

    def submit(self, argument: Any, announce: Callable[[], object], /) -> Call[Any]:
        """Take one call. Any thread may call `announce`, once, when the call is done."""
        ...

    def flush(self, has_arrived: Callable[[], bool], handed_back: int, /) -> None:
        """Start calls that were taken, and collect those that are done, before the batch waits for results.

        Parameters
        ----------
        has_arrived : callable
            Tells whether results wait to be handed back. If so, more calls come soon.
        handed_back : int
            How many results were handed back so far.
        """
        ...
