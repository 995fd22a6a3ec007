"""The waits between attempts: the end of a batch ends them, and tests can skip them."""

from __future__ import annotations

import time
from types import BuiltinFunctionType, FunctionType
from typing import Any

from .. import cancellation
from ..cancellation import monotonic

# The modules of functions that wait, too, and that tools put in the place of ``time.sleep``. blockbuster
# watches asyncio, and its function calls the real one.
_MODULES_THAT_WAIT = ("gevent.hub", "eventlet.greenthread", "blockbuster.blockbuster")


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
        batch.check_deadline(monotonic() + seconds, attempts)
    batch.wait(seconds)
    if attempts is not None:
        batch.check_deadline(monotonic(), attempts)


def takes_time(function: Any) -> bool:
    """Tell whether a function waits. The real time.sleep and that of such a tool do; a test's replacement does not."""
    if isinstance(function, BuiltinFunctionType):
        return function.__module__ == "time"
    return isinstance(function, FunctionType) and function.__module__ in _MODULES_THAT_WAIT
