"""The function that a batch calls for each item, on its workers."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

from ..cancellation import Cancellation, monotonic

Item = TypeVar("Item")
Result = TypeVar("Result")


class CancellableFunction(Generic[Item, Result]):
    """A function whose calls end when their batch is cancelled.

    In another process, only the function is called: nothing can cancel it there.

    Parameters
    ----------
    function : callable
        What is called.
    batch : Cancellation, optional
        What ends the calls.
    context : contextvars.Context, optional
        Each call runs in a copy of it, or of the caller's.
    silent_seconds : float
        How long the service has accepted nothing. It is used in another process, which has no `batch`.
    """

    def __init__(
        self,
        function: Callable[[Item], Result],
        batch: Cancellation | None = None,
        context: Context | None = None,
        silent_seconds: float = 0.0,
    ) -> None:
        self._function = function
        self.batch = batch or Cancellation(silent_seconds)
        # Not `context or`, since an empty context is false.
        self._context = copy_context() if context is None else context

    def __call__(self, item: Item) -> Result:
        """Call the function in a thread that may do other work, too."""
        try:
            with self.batch.joined():
                return self._context.copy().run(self._function, item)
        finally:
            self.batch.leave_this_thread()

    def call_in_joined_thread(self, item: Item) -> Result:
        """Call the function, in a context of its own. The thread has joined the batch before."""
        self.batch.check()
        return self._context.copy().run(self._function, item)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the function, and how long the service has accepted nothing."""
        silent_seconds = self.batch.silent_seconds(monotonic())
        return type(self), (self._function, None, None, silent_seconds)

    def __repr__(self) -> str:
        """Show the function, for the logs of a cluster."""
        return f"CancellableFunction({self._function!r})"
