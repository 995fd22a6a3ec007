"""Threads that tests start, and threads that a batch must not leave behind."""

from __future__ import annotations

import threading
from typing import Any, Callable, List


def in_thread(function: Callable[[], Any]) -> threading.Thread:
    """Run a function in another thread."""
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def workers_left() -> List[str]:
    """Return the names of threads that an executor, or a progress bar, has started and not ended."""
    return [
        thread.name
        for thread in threading.enumerate()
        if "Executor" in thread.name or type(thread).__name__ == "TMonitor"
    ]
