"""A fake service that follows a script, byte by byte, so that it can do what no HTTP framework does."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import sys
import threading
import time
import zlib
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Callable, Dict, List, Optional
from urllib.parse import parse_qs, urlsplit

Step = Callable[["Connection"], bool]
"""Responds to one request; returns whether the connection stays open."""


@dataclass
class ReceivedRequest:
    """A request as it arrived."""

    method: str
    path: str
    query: Dict[str, List[str]]
    headers: Dict[str, str]
    body: bytes
    connection: int
    target: str = ""

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


@dataclass
class Connection:
    """The connection, request and server that a step of the script gets."""

    sock: socket.socket
    server: "FakeService"
    closing: threading.Event = field(default_factory=threading.Event)
    request: Optional[ReceivedRequest] = None

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)


def answer(
    status: int = 200,
    body: Any = b"",
    *,
    content_type: str = "application/json",
    headers: Optional[Dict[str, str]] = None,
) -> Step:
    """Send a whole response; a body that is not bytes is sent as JSON."""

    def step(connection: Connection) -> bool:
        connection.send(_message(status, body, content_type, headers))
        return True

    return step


def answer_from(content_of: Callable[[ReceivedRequest], Any]) -> Step:
    """Respond with 200 and the JSON that a function makes from the request."""

    def step(connection: Connection) -> bool:
        assert connection.request is not None
        body = content_of(connection.request)
        connection.send(_message(200, body, "application/json", None))
        return True

    return step


def after(seconds: float, step: Step) -> Step:
    """Wait, and do a step."""

    def delayed(connection: Connection) -> bool:
        connection.server.stopping.wait(seconds)
        return step(connection)

    return delayed


def then_hang_up(step: Step) -> Step:
    """Do a step, and close the connection without having announced it."""

    def both(connection: Connection) -> bool:
        step(connection)
        return False

    return both


def reset() -> Step:
    """Reset the connection after reading the request, without a response."""

    def step(connection: Connection) -> bool:
        _reset_when_closed(connection.sock)
        return False

    return step


def hang_up() -> Step:
    """Close the connection after reading the request, without a response."""
    return lambda connection: False


def truncate(body: Any = b'{"id": "1"}', keep: int = 4) -> Step:
    """Announce a whole body, send `keep` bytes of it, and hang up."""

    def step(connection: Connection) -> bool:
        message = _message(200, body, "application/json", None)
        head, _, content = message.partition(b"\r\n\r\n")
        connection.send(head + b"\r\n\r\n" + content[:keep])
        return False

    return step


def stall() -> Step:
    """Send no response until the server stops."""

    def step(connection: Connection) -> bool:
        connection.server.stopping.wait(30)
        return False

    return step


def stall_in_body(body: Any = b'{"id": "1"}', keep: int = 4) -> Step:
    """Send the headers and `keep` bytes of the body, then nothing more."""

    def step(connection: Connection) -> bool:
        message = _message(200, body, "application/json", None)
        head, _, content = message.partition(b"\r\n\r\n")
        connection.send(head + b"\r\n\r\n" + content[:keep])
        connection.server.stopping.wait(30)
        return False

    return step


def stall_in_headers() -> Step:
    """Send the status line and the beginning of a header, then nothing more."""

    def step(connection: Connection) -> bool:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
        connection.server.stopping.wait(30)
        return False

    return step


def cut_in_headers(keep: bytes = b"HTTP/1.1 200 OK\r\nContent-Le") -> Step:
    """Send the beginning of a response, up to a place inside its headers, and hang up."""
    return raw(keep)


def drip_headers(seconds: float) -> Step:
    """Send a status line, and then endless headers, one byte every so many seconds."""
    return _drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", seconds)


def drip_body(seconds: float) -> Step:
    """Send the headers, and then a long body, one byte every so many seconds."""
    return _drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", seconds)


def _drip(beginning: bytes, seconds: float) -> Step:
    def step(connection: Connection) -> bool:
        connection.send(beginning)
        while not connection.server.stopping.wait(seconds):
            connection.send(b"a")
        return False

    return step


def interim(count: int, step: Step, status: str = "103 Early Hints") -> Step:
    """Send so many interim responses, and then do a step."""

    def both(connection: Connection) -> bool:
        connection.send(f"HTTP/1.1 {status}\r\nLink: </a>\r\n\r\n".encode() * count)
        return step(connection)

    return both


def endless_interim(status: str = "103 Early Hints") -> Step:
    """Send interim responses, many at a time, as long as the client reads."""

    def step(connection: Connection) -> bool:
        while not connection.server.stopping.wait(0.005):
            interim(100, lambda _: True, status)(connection)
        return False

    return step


def gzip_bomb(megabytes: float, status: int = 200) -> Step:
    """Respond with a body that is small on the wire, but as large as this when it is decoded."""
    return answer(status, _compressed_spaces(megabytes), headers={"Content-Encoding": "gzip"})


@cache
def _compressed_spaces(megabytes: float) -> bytes:
    compressor = zlib.compressobj(1, wbits=31)
    pieces = [compressor.compress(b" " * 2**16) for _ in range(int(megabytes * 16))]
    return b"".join([*pieces, compressor.flush()])


def chunked(body: bytes, status: int = 200, size: int = 2**16) -> Step:
    """Respond in chunks, so that the length of the body is unknown until its end."""

    def step(connection: Connection) -> bool:
        connection.send(f"HTTP/1.1 {status} Status\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(body), size):
            chunk = body[start : start + size]
            connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        connection.send(b"0\r\n\r\n")
        return True

    return step


def raw(data: bytes) -> Step:
    """Send these bytes and hang up."""

    def step(connection: Connection) -> bool:
        connection.send(data)
        return False

    return step


class FakeService:
    """Serves on loopback: each request gets the next step of `script`, or else `default`.

    ``received`` holds the requests in the order of their arrival; ``connections`` counts the accepted
    connections. With an `ssl_context`, it uses TLS. With ``resets_on_accept``, it resets every new
    connection when a request arrives, before it reads a byte. With ``drips_on_accept``, it sends the
    beginning of a TLS record instead of a handshake, one byte every so many seconds. With
    ``behind_socks``, it also plays the SOCKS proxy before it; the list gets the hosts asked for.
    """

    def __init__(self, ssl_context: Optional[ssl.SSLContext] = None, port: int = 0) -> None:
        self.script: List[Step] = []
        self.default: Step = answer(200, {})
        self.received: List[ReceivedRequest] = []
        self.connections = 0
        self.resets_on_accept = False
        self.drips_on_accept: Optional[float] = None
        self.behind_socks: Optional[List[str]] = None
        self.stopping = threading.Event()
        self._ssl_context = ssl_context
        self._lock = threading.Lock()
        self._open: List[socket.socket] = []
        self._threads: List[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The origin."""
        scheme = "https" if self._ssl_context else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> "FakeService":
        self._start(self._accept)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        # shutdown() wakes the accepting thread, close() alone does not.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            try:
                # Not the method of a TLS socket, which breaks the state that another thread reads from.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in list(self._threads):
            thread.join(5)

    def wait_for(self, condition: Callable[[], Any], seconds: float = 5.0) -> bool:
        """Wait until a condition is true; return False if it is not true after so many seconds."""
        give_up = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up:
                return False
            self.stopping.wait(0.002)
        return True

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            if sys.gettrace() is not None:
                sys.settrace(None)  # Nothing of the library runs here, for coverage to see.
            target(*arguments)

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.append(sock)
            self._start(self._serve, sock, number)

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self.resets_on_accept:
                # Not earlier: for a client that is still connecting, it would be a refused connection.
                sock.recv(1, socket.MSG_PEEK)
                _reset_when_closed(sock)
                return
            if self.drips_on_accept is not None:
                _drip(b"\x16\x03\x03\x40\x00", self.drips_on_accept)(Connection(sock, self))
                return
            if self.behind_socks is not None:
                self.behind_socks.append(_host_asked_of_socks(sock))
            if self._ssl_context:
                sock = self._ssl_context.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open.append(sock)
            with sock, sock.makefile("rb") as stream:
                while not self.stopping.is_set():
                    request = _read_request(stream, number)
                    if request is None:
                        return
                    with self._lock:
                        self.received.append(request)
                        step = self.script.pop(0) if self.script else self.default
                    if not step(Connection(sock, self, request=request)):
                        # The stream shares the socket, and must not keep it open.
                        return
        except (OSError, ValueError):
            pass
        finally:
            sock.close()


def _host_asked_of_socks(sock: socket.socket) -> str:
    """Open a tunnel as a SOCKS5 proxy does, and return the name of the host at its other end."""
    sock.recv(64)
    sock.sendall(b"\x05\x00")  # No password is needed.
    asked = sock.recv(300)
    sock.sendall(b"\x05\x00\x00\x01" + bytes(6))
    return asked[5 : 5 + asked[4]].decode()


def _reset_when_closed(sock: socket.socket) -> None:
    linger = struct.pack("ii", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


_REASONS = {200: "OK", 201: "Created", 302: "Found", 404: "Not Found"}


def _message(status: int, body: Any, content_type: str, headers: Optional[Dict[str, str]]) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def _read_request(stream: Any, connection: int) -> Optional[ReceivedRequest]:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers: Dict[str, str] = {}
    for raw_line in iter(stream.readline, b"\r\n"):
        if not raw_line:
            return None
        name, _, value = raw_line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    parts = urlsplit(line[1])
    query = parse_qs(parts.query, keep_blank_values=True)
    return ReceivedRequest(line[0], parts.path, query, headers, body, connection, line[1])
