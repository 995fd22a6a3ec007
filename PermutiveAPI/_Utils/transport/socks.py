"""Connections through a SOCKS proxy: opened by urllib3 and PySocks, and then used like any others."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any

from . import bounds
from .connections import HTTPConnection, HTTPConnectionPool, HTTPSConnection, HTTPSConnectionPool
from .lookup import in_a_thread


class SOCKSConnection(HTTPConnection):
    """A connection that a SOCKS proxy passes on."""

    # urllib3 gives the options this name.
    def __init__(self, _socks_options: Any, *args: Any, **kwargs: Any) -> None:
        self._socks_options = _socks_options
        super().__init__(*args, **kwargs)

    def _new_conn(self) -> socket.socket:
        """Connect to the proxy, and through it. A batch can end the wait."""
        from urllib3.contrib import socks  # It needs PySocks, which only its users have.

        opened: Any = socks.SOCKSConnection
        seconds = bounds.timeout_within(self.timeout)
        return in_a_thread(partial(opened._new_conn, self), "The SOCKS proxy", seconds)


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
