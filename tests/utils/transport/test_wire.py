"""Reading a response from sockets, from wrapped sockets, and from users' stand-ins for sockets."""

from __future__ import annotations

import io
import socket
from contextlib import closing
from typing import Any, List, Optional

import pytest

from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.transport.wire import Wire

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'


class Wrapped:
    """A socket without gettimeout(), like those of pyOpenSSL; the socket that it wraps has it."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.makefile = sock.makefile
        self.settimeout = sock.settimeout


@pytest.mark.parametrize("timeout", [None, 5.0])
def test_wrapped_socket(timeout: Optional[float]) -> None:
    """A wrapped socket is read like the socket inside it."""
    near, far = socket.socketpair()
    with closing(near), closing(far):
        near.settimeout(timeout)
        far.sendall(b"hello\n")
        with Wire(Wrapped(near)).makefile("rb") as stream:
            assert stream.readline() == b"hello\n"


class Fake:
    """A package's stand-in for sockets, with other names of arguments."""

    sent: List[bytes] = []

    def __init__(self, *arguments: Any) -> None:
        pass

    def makefile(self, mode: str = "r", bufsize: int = -1) -> io.BytesIO:
        """Return a response."""
        return io.BytesIO(ANSWER)

    def sendall(self, data: bytes) -> None:
        """Take a request."""
        self.sent.append(data)

    def gettimeout(self) -> float:
        """Return the timeout."""
        return 10.0

    def __getattr__(self, name: str) -> Any:
        if name in ("connect", "settimeout", "setsockopt", "close"):
            return lambda *arguments: None
        raise AttributeError(name)


def test_fake_of_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's replacements of ``socket.socket`` and ``socket.getaddrinfo`` take effect."""
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))
    monkeypatch.setattr(socket, "socket", Fake)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: [address])
    monkeypatch.setattr(Fake, "sent", [])
    response = http.get("key-0001", "http://fake.example/x")
    assert response.json() == {"a": 1}
    [request] = Fake.sent
    assert request.startswith(b"GET /x?k=key-0001 HTTP/1.1\r\n")
