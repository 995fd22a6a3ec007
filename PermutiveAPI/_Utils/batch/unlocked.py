"""A future without locks. A batch has one for each request, and the locks would be most of its cost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any


class UnlockedFuture:
    """The part of a Future that a batch uses. One thread sets it; only the batch's own thread asks it.

    Nobody can wait for it. A batch adds a function, which is called when the call is done.

    Parameters
    ----------
    begun : bool
        Whether it is too late to cancel the call.
    """

    __slots__ = ("_begun", "_callbacks", "_cancelled", "_done", "_error", "_result")

    def __init__(self, begun: bool = False) -> None:
        self._begun = begun
        self._cancelled = False
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None
        # At most one.
        self._callbacks: list[Callable[[UnlockedFuture], object]] = []

    def set_begun(self) -> None:
        """Say that the call has begun, so that it can no longer be cancelled."""
        self._begun = True

    def set_result(self, result: Any) -> None:
        """Say what the call has returned."""
        self._result = result
        self._end()

    def set_exception(self, error: BaseException) -> None:
        """Say what the call has raised."""
        self._error = error
        self._end()

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        """Have a function called when the call is done, in this thread if it is done already."""
        self._callbacks.append(fn)
        if self._done:
            self._call_back()

    def cancel(self) -> bool:
        """Cancel the call if it has not begun."""
        if self._begun or self._done:
            return False
        self._cancelled = True
        self.set_exception(CancelledError())
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

    def _end(self) -> None:
        self._done = True
        self._call_back()

    def _call_back(self) -> None:
        # Two threads may come here, one that sets the future and one that adds the function.
        try:
            callback = self._callbacks.pop()
        except IndexError:
            return
        callback(self)
