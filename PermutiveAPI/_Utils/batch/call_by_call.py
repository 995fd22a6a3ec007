"""Calls that go to an executor one by one: to the caller's, or to a stand-in for ``ThreadPoolExecutor``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .function import CancellableFunction
from .protocols import AnyExecutor, FutureCall

# The most threads that a ThreadPoolExecutor has, unless it is told how many.
PYTHONS_MOST_WORKERS = 32
# Calls handed to an executor for each worker: one that it works on and one that waits.
_IN_FLIGHT_PER_WORKER = 2


def most_in_flight(workers: int | None) -> int:
    """Return how many calls so many workers are given at a time. None counts as 32."""
    return _IN_FLIGHT_PER_WORKER * (workers or PYTHONS_MOST_WORKERS)


class CallByCall:
    """Gives each call to an executor.

    Parameters
    ----------
    executor : AnyExecutor
        Whoever made it ends it.
    workers : int or None
        How many workers it has; None counts as 32.
    function : CancellableFunction
        What is called.
    """

    def __init__(
        self, executor: AnyExecutor, workers: int | None, function: CancellableFunction[Any, Any]
    ) -> None:
        self._executor = executor
        self.most_in_flight = most_in_flight(workers)
        self._function = function

    def submit(self, argument: Any, announce: Callable[[], object], /) -> FutureCall[Any]:
        """Start one call."""
        future = self._executor.submit(self._function, argument)
        future.add_done_callback(lambda _: announce())
        return future

    def flush(self, has_arrived: Callable[[], bool], handed_back: int, /) -> None:
        """Do nothing: calls begin at once."""
