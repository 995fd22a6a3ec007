"""The waits between attempts: the end of a batch ends them, and tests can skip them."""

from __future__ import annotations

import time
from types import BuiltinFunctionType
from typing import Any

from .. import cancellation


def pause(seconds: float, attempts: int | None) -> None:
    """Wait between two attempts. If the batch is stopped, the wait ends.

    A replaced ``time.sleep`` is called for every wait, so that tests take no real time. With `attempts`,
    the number of those used up, a request whose next attempt comes too late is postponed.
    """
    batch = cancellation.current()
    if batch is None or not takes_time(time.sleep):
        time.sleep(seconds)
        return
    if attempts is not None:
        batch.check_deadline(time.monotonic() + seconds, attempts)
    batch.wait(seconds)
    if attempts is not None:
        batch.check_deadline(time.monotonic(), attempts)


def takes_time(function: Any) -> bool:
    """Tell whether a function is the real time.sleep, not a test's replacement."""
    return isinstance(function, BuiltinFunctionType) and function.__module__ == "time"
