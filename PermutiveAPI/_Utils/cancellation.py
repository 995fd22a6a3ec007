"""Stop all requests of a batch, from another thread.

A worker thread runs inside a :class:`Cancellation` with :meth:`Cancellation.joined`. Whoever calls
:meth:`Cancellation.cancel` ends its waits at once and shuts its connections down, so that a worker
that waits for a response wakes up. Outside any batch nothing is tracked.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import partial
from math import inf
from typing import Any

# The clock of all waits. freezegun replaces functions in all modules, but not this object. While it freezes
# the time, it keeps the real function.
_real = getattr(sys.modules.get("freezegun.api"), "real_monotonic", time.monotonic)
monotonic: Callable[[], float] = partial(_real)


class Cancelled(BaseException):
    """Ends a worker whose batch was cancelled. It is not an Exception, so that no handler catches it."""


class Cancellation:
    """What the workers of a batch share: whether it is cancelled, and what the service accepted. Any thread may use it.

    Parameters
    ----------
    silent_seconds : float
        How long ago the service last accepted something of the same batch, in another process.
    """

    def __init__(self, silent_seconds: float = 0.0) -> None:
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._connections: dict[int, Any] = {}
        self._began = monotonic()
        self._accepted = 0
        # When the service last accepted something, or else when the batch began.
        self.accepted_at = self._began - silent_seconds
        self._process = os.getpid()
        self._threads: dict[int, object] = {}
        # No attempt begins after it; see shards.py.
        self.deadline = inf

    def joined(self) -> AbstractContextManager[None]:
        """Make the calling thread part of this batch inside the block."""
        return _Joined(self, self._threads)

    def belongs_here(self) -> bool:
        """Tell whether the batch began in this process. After a fork, it belongs to the parent only."""
        return os.getpid() == self._process

    def leave_this_thread(self) -> None:
        """Stop counting the calling thread as a worker: it does other work now."""
        self._threads.pop(threading.get_ident(), None)
        if _here.cancellation is self:  # Ctrl-C has come just before the end of the block.
            _here.cancellation = None

    def works_in_this_thread(self) -> bool:
        """Tell whether the calling thread is, or was, a worker of this batch."""
        # A new thread may have the number of a thread that has ended.
        return self._threads.get(threading.get_ident()) is threading.current_thread()

    def cancel(self) -> None:
        """End all waits, and shut down the connections in use."""
        self._cancelled.set()
        # Under the lock, since a connection that has gone back to the pool may serve another call.
        with self._lock:
            for connection in self._connections.values():
                _shut_down(connection)

    def check(self) -> None:
        """Raise Cancelled if the batch was cancelled."""
        if self._cancelled.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Wait; raise Cancelled as soon as the batch is cancelled."""
        self._cancelled.wait(seconds)
        self.check()

    def check_deadline(self, due: float, attempts: int) -> None:
        """Raise RequestPostponed if an attempt is due after the deadline; `attempts` are those used up."""
        if due > self.deadline:
            raise RequestPostponed(due, attempts)

    def note_accepted(self, now: float) -> None:
        """Record that the service accepted a request. There is no lock, since a lost count does no harm."""
        self.accepted_at = now
        self._accepted += 1

    def silent_seconds(self, now: float) -> float:
        """Return the seconds since the service last accepted something, or else since the batch began."""
        return now - self.accepted_at

    def accepted_in(self, now: float) -> tuple[int, float]:
        """Return how many requests were accepted, and in how many seconds."""
        return self._accepted, now - self._began

    def track(self, connection: Any) -> None:
        """Have the connection that the calling thread uses shut down when the batch is cancelled."""
        with self._lock:
            self._connections[threading.get_ident()] = connection
        # A cancel() just before has not shut this connection down.
        self.check()

    def untrack(self) -> None:
        """Do not shut the calling thread's connection down: it is no longer in use."""
        with self._lock:
            self._connections.pop(threading.get_ident(), None)


class _Joined(AbstractContextManager[None]):
    """A block in which a thread works for a batch. As a generator, it would take three times as long."""

    def __init__(self, batch: Cancellation, threads: dict[int, object]) -> None:
        self._batch = batch
        self._threads = threads

    def __enter__(self) -> None:
        self._batch.check()
        self._before = current()
        self._threads[threading.get_ident()] = threading.current_thread()
        _here.cancellation = self._batch

    def __exit__(self, *exception: object) -> None:
        _here.cancellation = self._before


class _Here(threading.local):
    """What the calling thread works for. The default saves an AttributeError for each look."""

    cancellation: Cancellation | None = None


_here = _Here()


def current() -> Cancellation | None:
    """Return the batch that the calling thread works for, or None."""
    return _here.cancellation


def check() -> None:
    """Raise Cancelled if the calling thread works for a batch that was cancelled."""
    batch = current()
    if batch is not None:
        batch.check()


def track(connection: Any) -> None:
    """Register the connection in use with the calling thread's batch, if it has one."""
    batch = current()
    if batch is not None:
        batch.track(connection)


def untrack() -> None:
    """Unregister the connection of the calling thread's batch, if it has one."""
    batch = current()
    if batch is not None:
        batch.untrack()


def _shut_down(connection: Any) -> None:
    sock = getattr(connection, "sock", None)
    # For TLS inside a proxy's TLS, urllib3 wraps the proxy's socket.
    sock = getattr(sock, "socket", sock)
    if isinstance(sock, socket.socket):
        try:
            # Not sock.shutdown(): on a TLS socket, it breaks the state that another thread reads from.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
        except OSError:
            pass  # It is closed already.


# --- The request that a worker sends -------------------------------------------------------------

# In the context of a batch's worker: the position of the request that is being sent.
batch_position: ContextVar[int | None] = ContextVar("batch_position", default=None)
# How many attempts it has used up; None if it cannot be postponed.
attempts_spent: ContextVar[int | None] = ContextVar("attempts_spent", default=None)
# Its refusals by a limit before it was postponed.
earlier_refusals: ContextVar[Any] = ContextVar("earlier_refusals", default=None)


class RequestPostponed(BaseException):
    """Ends a worker's call, which is made again later.

    It is a BaseException, so that no ``except Exception`` catches it. It says when the call is `due`, by
    ``time.monotonic()``, how many `attempts` are used up, and what its refusals by a limit are so far.
    """

    def __init__(self, due: float, attempts: int, refusals: Any = None) -> None:
        super().__init__(due, attempts)
        self.due = due
        self.attempts = attempts
        self.refusals = refusals
