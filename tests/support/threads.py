"""Threads that tests start, and threads that a batch must not leave behind."""

from __future__ import annotations

import threading
from typing import Any, Callable, List

import pytest


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


def allow_threads(monkeypatch: pytest.MonkeyPatch, prefix: str, count: int) -> None:
    """Let the system refuse every thread of this name beyond so many, as in a container with a limit."""
    start = threading.Thread.start
    started: List[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        if thread.name.startswith(prefix):
            if len(started) == count:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
