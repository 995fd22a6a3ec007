"""Connections and pools of urllib3 that a batch can shut down.

Recorders of calls, such as vcrpy, replace urllib3's connection classes. Then their classes are used
instead of those here. Tracers and error trackers, which only watch, see no key: it is added only when
the request is written to the connection.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from contextvars import ContextVar
from functools import lru_cache
from http.client import HTTPException
from queue import LifoQueue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import urllib3.connection
import urllib3.connectionpool
from urllib3.exceptions import (
    ConnectTimeoutError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util.connection import allowed_gai_family

from .. import cancellation
from ..credentials import KEY_HEADER
from . import bounds
from .lookup import addresses_of
from .prepare import pairs_of
from .wire import BoundedResponse, read_whole

# --- Connections that a batch can shut down ------------------------------------------------------
# The classes have the names of urllib3's own, since its messages show them.

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection as _HTTPConnection
    from urllib3.connection import HTTPSConnection as _HTTPSConnection
else:

    def _urllib3s_own(found):  # vcrpy may have replaced it while this module is imported.
        return getattr(found, "_baseclass", found)

    _HTTPConnection = _urllib3s_own(urllib3.connection.HTTPConnection)
    _HTTPSConnection = _urllib3s_own(urllib3.connection.HTTPSConnection)


class HTTPConnection(_HTTPConnection):
    """A connection that is shut down when its batch is cancelled."""

    response_class = BoundedResponse
    _parts: list[Any] | None = None  # Of a request that is put together: its head, and its body.
    _most_bytes_at_once = 16_384  # The buffer of a socket has room for so many.

    def connect(self) -> None:
        """Connect, and tell the batch.

        This includes a proxy's tunnel and the TLS handshake. If one of them fails, nothing of the request
        was sent, so the error says that no connection was made.
        """
        try:
            super().connect()
        except TimeoutError as error:
            reached = bounds.bound_behind(error) or (
                f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
            )
            raise ConnectTimeoutError(self, str(reached)) from error
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except (OSError, HTTPException, SSLError) as error:
            if isinstance(error, ssl.CertificateError) or "certificate verify failed" in str(error):
                raise  # Not repeated. pyOpenSSL's has another class, and truststore's another text.
            message = f"Failed to establish a new connection: {error}"
            raise NewConnectionError(self, message) from error
        cancellation.track(self)

    def _new_conn(self) -> socket.socket:
        """Connect, so that a name look-up can be interrupted, and a batch can end all waits."""
        sock = self._connected_socket()
        sys.audit("http.client.connect", self, self.host, self.port)
        return sock

    def _connected_socket(self) -> socket.socket:
        """Try the host's addresses one after the other, as urllib3's create_connection does."""
        failure = OSError("the host has no address")
        host, limit = self.host.strip("[]"), bounds.timeout_within(self.timeout)
        addresses = addresses_of(host, self.port, allowed_gai_family(), limit)
        for family, kind, protocol, _, address in addresses:
            self.sock = sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(bounds.timeout_within(self.timeout))
                cancellation.track(self)
                sock.connect(address)
                # The handshake and the request have the time that is left.
                sock.settimeout(bounds.timeout_within(self.timeout))
                return sock
            except OSError as error:
                failure = error
                sock.close()  # Not self.close(), which would forget a proxy's tunnel.
                self.sock = None
        raise failure

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send a request, and tell the batch. A small body is sent together with the headers."""
        cancellation.track(self)
        self._parts = parts = list[Any]()
        try:
            super().request(*args, **kwargs)
        finally:
            self._parts = None
        if self.sock is None:
            self.connect()  # Within send(), local variables would show the key.
        elif (limit := bounds.timeout_within(self.timeout)) != self.timeout:
            self.sock.settimeout(limit)  # Only if it must: it takes a system call.
        # A large body may take long. Meanwhile, no local variable may show the key, which is in the headers.
        if sum(map(len, parts)) <= self._most_bytes_at_once:
            parts = [b"".join(parts)]
        for each in parts:
            self.send(each)

    def send(self, data: Any) -> None:
        """Keep data while a request is put together. Otherwise send it, with the key in its place."""
        if self._parts is not None:
            self._parts.append(data)
        else:
            super().send(_with_key(data) if _keys.get() else data)


class HTTPSConnection(HTTPConnection, _HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        """Connect and shake hands; the batch can interrupt both."""
        with ExitStack() as self._handshake:
            super().connect()

    def _new_conn(self) -> socket.socket:
        """Connect; the batch gets a copy of the socket's handle, since the handshake takes the original."""
        sock = super()._new_conn()
        if cancellation.current() is not None:
            handle = self._handshake.enter_context(sock.dup())
            cancellation.track(SimpleNamespace(sock=handle))
        return sock


# --- The key, added only when the request is written -----------------------------------------------

_IN_QUERY = re.compile(r"(?<=[?&]k=)[^&]+")
# Random, so that it occurs nowhere else in a request.
_PLACEHOLDER = f"REDACTED-{os.urandom(4).hex()}"
_PLACEHOLDER_SENT = _PLACEHOLDER.encode("ascii")
# The keys that were taken out of the call's request, in the order in which they are put back.
_keys: ContextVar[tuple[bytes, ...]] = ContextVar("keys", default=())


def without_key(target: str) -> str:
    """Return the request target without the key, which the connection adds again."""
    if _classes.get() is not _OWN_CLASSES:
        return target  # A recorder matches calls by the key, too.
    target, keys = _taken_apart(target)
    _keys.set(keys)
    return target


@lru_cache(maxsize=64)
def _taken_apart(target: str) -> tuple[str, tuple[bytes, ...]]:
    target = target.partition("#")[0]  # A fragment is not sent.
    keys = tuple(each.encode("ascii") for each in _IN_QUERY.findall(target))
    return _IN_QUERY.sub(_PLACEHOLDER, target), keys


def _without_key_in(headers: Any) -> dict[str, Any]:
    """Return a request's headers without the key, in a dict, which urllib3 copies faster than other mappings."""
    plain = dict(pairs_of(headers))
    api_key = headers.get(KEY_HEADER)
    if _classes.get() is _OWN_CLASSES and api_key:
        written = api_key if isinstance(api_key, bytes) else api_key.encode("latin-1")
        _keys.set((*_keys.get(), written))
        named = next(name for name in plain if name.lower() == KEY_HEADER.lower())
        plain[named] = _PLACEHOLDER
    return plain


def _with_key(data: bytes) -> bytes:
    """Put the key back into the request line and the headers. The body stays as it is."""
    waiting = _keys.get()
    while waiting and _PLACEHOLDER_SENT in data:
        data = data.replace(_PLACEHOLDER_SENT, waiting[0], 1)
        waiting = waiting[1:]
    _keys.set(waiting)
    return data


# --- The classes of a call -----------------------------------------------------------------------

_OWN_CLASSES: Mapping[str, Any] = {"http": HTTPConnection, "https": HTTPSConnection}
_URLLIB3_CLASSES: Mapping[str, Any] = {"http": _HTTPConnection, "https": _HTTPSConnection}
_URLLIB3_POOLS: Mapping[str, Any] = {
    "http": urllib3.connectionpool.HTTPConnectionPool,
    "https": urllib3.connectionpool.HTTPSConnectionPool,
}
# The classes by scheme, of the present call, and of the batch that it belongs to.
_classes: ContextVar[Mapping[str, Any]] = ContextVar("classes", default=_OWN_CLASSES)
_batch_classes: ContextVar[Mapping[str, Any]] = ContextVar("batch_classes")


def classes_now() -> Mapping[str, Any]:
    """Return the connection classes by scheme: those here, or those that have replaced urllib3's."""
    found = {scheme: pool.ConnectionCls for scheme, pool in _URLLIB3_POOLS.items()}
    if found == _URLLIB3_CLASSES:
        return _OWN_CLASSES
    return {
        scheme: _OWN_CLASSES[scheme] if each is _URLLIB3_CLASSES[scheme] else each
        for scheme, each in found.items()
    }


def keep_classes() -> None:
    """Choose the connection classes for a whole batch. It is called in the batch's context.

    A recorder restores urllib3's classes briefly whenever it connects. A worker that chose at that
    moment would bypass the recorder.
    """
    _batch_classes.set(classes_now())


def choose_classes() -> None:
    """Choose the classes for a call that begins. No key has been taken out of it yet."""
    _keys.set(())
    _classes.set(_batch_classes.get(None) or classes_now())


class _IdleConnections(LifoQueue[Any]):
    """The idle connections of a pool.

    urllib3 fills a new queue with None, once for each connection that the pool may keep. Only a pool that
    lets callers wait for a connection needs that, and it takes as long as a call.
    """

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Keep a connection. None stands for no connection, and is dropped."""
        if item is not None:
            super().put(item, block, timeout)


class HTTPConnectionPool(urllib3.connectionpool.HTTPConnectionPool):
    """Connections to one origin; a batch no longer tracks a connection that has come back."""

    ConnectionCls: Any = property(lambda self: _classes.get()[self.scheme])
    QueueCls = _IdleConnections

    def urlopen(self, *args: Any, **kwargs: Any) -> Any:
        """Send a request, and read its response to the end."""
        kwargs.update(preload_content=False, decode_content=True)
        kwargs["headers"] = _without_key_in(kwargs["headers"])
        try:
            return read_whole(super().urlopen(*args, **kwargs))
        except ReadTimeoutError as error:
            reached = bounds.bound_behind(error)
            if reached is None and error.url is not None:
                raise
            message = str(reached or "Read timed out within its response.")
            raise ReadTimeoutError(self, error.url or "", message) from error
        except ProtocolError as error:
            if not isinstance(error.args[-1], TimeoutError):
                raise
            reached = bounds.bound_behind(error)
            message = str(reached or "The request could not be sent in time.")
            raise ReadTimeoutError(self, "", message) from error

    def _get_conn(self, timeout: float | None = None) -> Any:
        """Return a connection of the call's class. Close one of another class, and make a new one."""
        conn = super()._get_conn(timeout)
        if type(conn) is self.ConnectionCls:
            return conn
        conn.close()
        return self._new_conn()

    def _put_conn(self, conn: Any) -> None:
        cancellation.untrack()
        super()._put_conn(conn)


class HTTPSConnectionPool(HTTPConnectionPool, urllib3.connectionpool.HTTPSConnectionPool):
    """The same over TLS."""


POOL_CLASSES: dict[str, Any] = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
