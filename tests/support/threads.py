"""Threads that a batch must not leave behind."""

from __future__ import annotations

import threading
from typing import List


def workers_left() -> List[str]:
    """Return the names of threads that an executor, or a progress bar, has started and not ended."""
    return [
        thread.name
        for thread in threading.enumerate()
        if "Executor" in thread.name or type(thread).__name__ == "TMonitor"
    ]
