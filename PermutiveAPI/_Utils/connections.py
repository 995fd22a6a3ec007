"""Connections of urllib3 and an adapter of requests, made for many calls to the same origin.

A connection can be shut down by the batch that it works for. The adapter answers what requests asks
of it from what it found out before: which pool serves an origin, and what a URL's path is. It takes
requests' own way, ``HTTPAdapter.send``, so that whoever replaces that still intercepts every call.
"""

from __future__ import annotations

import http.client
import re
import socket
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

import requests
import urllib3.connection
import urllib3.connectionpool
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.util.connection import allowed_gai_family

from . import cancellation
from .response import CompactResponse, WholeAnswer

# --- Connections that a stopped batch can shut down ----------------------------------------------
# The classes are named like urllib3's own, since its messages show the names.


class _Answer(http.client.HTTPResponse):
    """An answer; http.client takes every status but 100 for the final one."""

    def begin(self) -> None:
        """Read up to the headers, and pass over what only announces the answer, like Early Hints.

        The answer itself would else be left for the next request of this connection.
        """
        super().begin()
        while self.status < 200:
            self.headers = self.msg = cast("Any", None)
            super().begin()


class HTTPConnection(urllib3.connection.HTTPConnection):
    """A connection that the batch it works for can shut down."""

    response_class = _Answer
    _held_back: list[bytes] | None = None

    def connect(self) -> None:
        """Connect, and tell the batch."""
        super().connect()
        cancellation.track(self)

    def _new_conn(self) -> socket.socket:
        """Connect; for a batch, on a socket that is known before it waits, as urllib3's is not."""
        if cancellation.current() is None:
            return super()._new_conn()
        try:
            return self._connected_socket()
        except TimeoutError as error:
            message = (
                f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
            )
            raise ConnectTimeoutError(self, message) from error
        except OSError as error:
            message = f"Failed to establish a new connection: {error}"
            raise NewConnectionError(self, message) from error

    def _connected_socket(self) -> socket.socket:
        """Try the host's addresses one after the other, as urllib3's create_connection does."""
        failure = OSError("the host has no address")
        addresses = socket.getaddrinfo(
            self.host.strip("[]"), self.port, allowed_gai_family(), socket.SOCK_STREAM
        )
        for family, kind, protocol, _, address in addresses:
            self.sock = sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self.timeout)
                cancellation.track(self)
                sock.connect(address)
                return sock
            except OSError as error:
                failure = error
                sock.close()  # Not self.close(), which would forget a proxy's tunnel.
                self.sock = None
        raise failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request in one piece, headers and body, and tell the batch."""
        cancellation.track(self)
        held_back: list[bytes] = []
        self._held_back = held_back
        try:
            super().request(*args, **kwargs)
        finally:
            self._held_back = None
        self.send(b"".join(held_back))

    def send(self, data: Any) -> None:
        """Send data, or hold it back until the request is complete."""
        if self._held_back is None:
            super().send(data)
        else:
            self._held_back.append(data)


class HTTPSConnection(HTTPConnection, urllib3.connection.HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        """Connect and shake hands; the batch can interrupt both."""
        with ExitStack() as self._handshake:
            super().connect()

    def _new_conn(self) -> socket.socket:
        """Connect; a batch gets a handle of its own, since the handshake takes the socket's away."""
        sock = super()._new_conn()
        if cancellation.current() is not None:
            handle = self._handshake.enter_context(sock.dup())
            cancellation.track(SimpleNamespace(sock=handle))
        return sock


class HTTPConnectionPool(urllib3.connectionpool.HTTPConnectionPool):
    """Connections to one origin; one that comes back is no longer the batch's."""

    ConnectionCls: Any = HTTPConnection

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request, and read its answer to the end."""
        kwargs.update(preload_content=True, decode_content=True)
        try:
            answer = super().urlopen(*args, **kwargs)
        except DecodeError as error:
            raise ProtocolError(str(error), error) from error
        except ReadTimeoutError as error:
            if cast("Any", error.pool) is not None:
                raise
            message = "Read timed out within its answer."
            raise ReadTimeoutError(self, error.url or "", message) from error
        pairs = tuple(answer.headers.items())
        return WholeAnswer(answer.status, answer.reason, pairs, answer.data)

    def _put_conn(self, conn: Any) -> None:
        cancellation.untrack()
        super()._put_conn(conn)


class HTTPSConnectionPool(
    HTTPConnectionPool, urllib3.connectionpool.HTTPSConnectionPool
):
    """The same over TLS."""

    ConnectionCls: Any = HTTPSConnection


_POOL_CLASSES: dict[str, Any] = {
    "http": HTTPConnectionPool,
    "https": HTTPSConnectionPool,
}


# --- The adapter ---------------------------------------------------------------------------------

_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class Adapter(HTTPAdapter):
    """requests' own adapter, which looks a pool up once an origin and answers compactly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pools: dict[Any, Any] = {}
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of the classes above."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOL_CLASSES

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Make a proxy's pools of the classes above."""
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOL_CLASSES
        return manager

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: Any,
        proxies: Any = None,
        cert: Any = None,
    ) -> Any:
        """Return the pool that serves a request's origin."""
        # The same proxies are the same object: transport keeps one for each environment.
        key = (_origin_of(request), verify, cert, id(proxies))
        pool, _ = self._pools.get(key, (None, None))
        if pool is None or pool.pool is None:  # urllib3 closes the pool least used.
            pool = super().get_connection_with_tls_context(
                request, verify, proxies, cert
            )
            self._pools[key] = (pool, proxies)
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Set a pool's certificates, unless they are set."""
        if getattr(conn, "certificates", None) != (verify, cert):
            super().cert_verify(conn, url, verify, cert)
            conn.certificates = (verify, cert)

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Return what stands in a request's first line."""
        if proxies:
            return super().request_url(request, proxies)
        return (request.url or "")[len(_origin_of(request)) :] or "/"

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> Any:
        """Return the answer; one that is not of these pools, as of a stand-in, as requests does."""
        if not isinstance(resp, WholeAnswer):
            return super().build_response(req, resp)
        response = CompactResponse(resp, req)
        response.connection = self
        return response


def _origin_of(request: requests.PreparedRequest) -> str:
    found = _ORIGIN.match(request.url or "")
    return found[0] if found else ""
