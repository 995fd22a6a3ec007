"""The time limit of a task queue: a signal, whose handler raises an ordinary exception."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import Any, Iterator

from tests.support.fake_service import Connection, Step, stall


class TimeIsUp(Exception):
    """The exception that a task queue raises in a task that takes too long."""


@contextmanager
def time_limit() -> Iterator[Step]:
    """Give a step of the fake service that never answers: the time is up while the main thread waits for it."""

    def time_is_up(*_: Any) -> None:
        raise TimeIsUp

    def interrupt(connection: Connection) -> bool:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
        return stall()(connection)

    before = signal.signal(signal.SIGALRM, time_is_up)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGALRM, before)
