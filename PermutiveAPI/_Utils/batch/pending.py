"""A call of a batch without a Future. The locks of a Future would be most of the cost of a request."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any


class PendingCall:
    """The part of a Future that a batch uses. It announces its end, and nobody can wait for it.

    It ends once: a worker ends it, or the batch cancels it before it begins. Only the batch's own thread
    reads it.

    Parameters
    ----------
    argument : object
        What the function of the batch is called with.
    announce : callable
        Called when the call is done, in the thread that ends it.
    begun : bool
        Whether it is too late to cancel the call.
    """

    __slots__ = ("_announce", "_begun", "_cancelled", "_done", "_error", "_result", "argument")

    def __init__(self, argument: Any, announce: Callable[[], object], begun: bool = False) -> None:
        self.argument = argument
        self._announce = announce
        self._begun = begun
        self._cancelled = False
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def set_begun(self) -> None:
        """Say that the call has begun, so that it can no longer be cancelled."""
        self._begun = True

    def end(self, result: Any, error: BaseException | None = None) -> None:
        """Say what the call has returned, or else raised."""
        self._result = result
        self._error = error
        self._done = True
        self._announce()

    def cancel(self) -> bool:
        """Cancel the call if it has not begun."""
        if self._begun or self._done:
            return False
        self._cancelled = True
        self.end(None, CancelledError())
        return True

    def cancelled(self) -> bool:
        """Tell whether the call is cancelled."""
        return self._cancelled

    def done(self) -> bool:
        """Tell whether the call is done, has failed, or is cancelled."""
        return self._done

    def result(self) -> Any:
        """Return the result of a call that is done, or raise its error."""
        if self._error is not None:
            raise self._error
        return self._result

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the error of a call that is done, at once; None if it has none, or is not done."""
        return self._error
