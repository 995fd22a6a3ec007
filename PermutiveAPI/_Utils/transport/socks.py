"""Connections through a SOCKS proxy: opened by urllib3 and PySocks, and then used like any others."""

from __future__ import annotations

import socket
from typing import Any

from .connections import HTTPConnection, HTTPConnectionPool, HTTPSConnection, HTTPSConnectionPool


class SOCKSConnection(HTTPConnection):
    """A connection that a SOCKS proxy passes on."""

    # urllib3 gives the options this name.
    def __init__(self, _socks_options: Any, *args: Any, **kwargs: Any) -> None:
        self._socks_options = _socks_options
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        """Connect to the proxy, and through it."""
        from urllib3.contrib import socks  # It needs PySocks, which only its users have.

        opened: Any = socks.SOCKSConnection
        return opened._new_conn(self)


class SOCKSHTTPSConnection(HTTPSConnection, SOCKSConnection):
    """The same over TLS."""


class SOCKSHTTPConnectionPool(HTTPConnectionPool):
    """Connections to one origin through the proxy."""

    ConnectionCls = SOCKSConnection


class SOCKSHTTPSConnectionPool(HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = SOCKSHTTPSConnection


SOCKS_POOL_CLASSES: dict[str, Any] = {
    "http": SOCKSHTTPConnectionPool,
    "https": SOCKSHTTPSConnectionPool,
}
