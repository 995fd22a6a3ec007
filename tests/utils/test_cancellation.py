"""Cancelling all requests of a batch."""

from __future__ import annotations

import socket
import ssl
import threading
from importlib.util import module_from_spec, spec_from_file_location
from types import SimpleNamespace
from typing import Any, Callable

import freezegun
import pytest
from urllib3.util.ssltransport import SSLTransport

from PermutiveAPI._Utils import cancellation
from PermutiveAPI._Utils.cancellation import Cancellation, Cancelled, RequestPostponed
from tests.support.threads import in_thread


def test_threads_belong_to_a_batch_inside_the_block_only() -> None:
    """A thread works for a batch only inside the block, also if blocks are nested."""
    outer, inner = Cancellation(), Cancellation()
    assert cancellation.current() is None
    with outer.joined():
        assert cancellation.current() is outer
        with inner.joined():
            assert cancellation.current() is inner
        assert cancellation.current() is outer
    assert cancellation.current() is None


def test_cancelled_batch_takes_no_more_work() -> None:
    """A worker that joins or waits after cancel() ends with an error that is not an Exception."""
    batch = Cancellation()
    batch.check()
    batch.wait(0)
    batch.cancel()
    for act in (batch.check, lambda: batch.wait(60), lambda: batch.track(None)):
        with pytest.raises(Cancelled):
            act()
    with pytest.raises(Cancelled):
        with batch.joined():
            raise RuntimeError("the block ran")
    assert cancellation.current() is None
    assert not issubclass(Cancelled, Exception)


class TLSInTLS(SSLTransport):
    """What urllib3 makes of a socket for a tunnel through an HTTPS proxy; here without a handshake."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "service.example")

    def _ssl_io_loop(self, func: Any, arg1: Any = None, arg2: Any = None) -> Any: ...


@pytest.mark.parametrize("wrapped", [lambda sock: sock, TLSInTLS], ids=["socket", "TLS in TLS"])
def test_connections_in_use_are_shut_down(wrapped: Callable[[socket.socket], Any]) -> None:
    """cancel() wakes a thread that reads from a connection in use."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(1)
    with ours, theirs:
        batch = Cancellation()
        batch.track(SimpleNamespace(sock=wrapped(ours)))
        batch.cancel()
        assert theirs.recv(1) == b""
        batch.cancel()


def test_other_connections_are_left_alone() -> None:
    """cancel() ignores a connection that is no longer in use, has no socket or is closed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        batch = Cancellation()
        batch.track(SimpleNamespace(sock=ours))
        batch.untrack()
        batch.untrack()
        batch.cancel()
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
    for connection in (SimpleNamespace(sock=None), SimpleNamespace(), SimpleNamespace(sock=ours)):
        batch = Cancellation()
        batch.track(connection)
        batch.cancel()


def test_a_new_thread_with_an_old_number_is_no_worker() -> None:
    """A thread with the number of a worker that has ended does not count as a worker."""
    batch, numbers, taken = Cancellation(), set[int](), list[bool]()

    def work() -> None:
        with batch.joined():
            numbers.add(threading.get_ident())

    def look() -> None:
        if threading.get_ident() in numbers:
            taken.append(batch.works_in_this_thread())

    in_thread(work).join()
    for _ in range(100):
        in_thread(look).join()
    assert not any(taken)


def test_cancelling_cuts_no_connection_that_went_back() -> None:
    """While a batch is being cancelled, no worker can return its connection for others to use."""
    batch = Cancellation()
    waited: list[bool] = []

    class Connection:
        @property
        def sock(self) -> None:
            worker = threading.Thread(target=batch.untrack)
            worker.start()
            worker.join(0.05)
            waited.append(worker.is_alive())

    batch.track(Connection())
    batch.cancel()
    assert waited == [True]


def test_a_deadline_puts_off_what_comes_later() -> None:
    """Without one, nothing is postponed."""
    batch = Cancellation()
    batch.check_deadline(1e12, 1)
    batch.deadline = 100.0
    batch.check_deadline(100.0, 1)
    with pytest.raises(RequestPostponed) as caught:
        batch.check_deadline(100.5, 2)
    assert (caught.value.due, caught.value.attempts) == (100.5, 2)


def test_a_clock_that_is_frozen_while_it_is_imported() -> None:
    """Waits also end if a test freezes the time before it imports the library."""
    spec = spec_from_file_location("imported_late", cancellation.__file__)
    assert spec and spec.loader
    module = module_from_spec(spec)
    with freezegun.freeze_time("2026-01-01"):
        spec.loader.exec_module(module)
        before = module.monotonic()
        threading.Event().wait(0.02)
        assert module.monotonic() > before
