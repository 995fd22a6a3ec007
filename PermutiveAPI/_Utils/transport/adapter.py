"""The adapter of requests over the pools of connections.py, made for many calls to the same origin.

It remembers the pool of each origin, and the path of a URL. It sends through ``HTTPAdapter.send``, so
that tests that replace that method see every call.
"""

from __future__ import annotations

import re
import weakref
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import ProxyManager

from ..errors import PermutiveInvalidResponseError
from ..lazy_names import late_import
from ..settings import MAX_RESPONSE_MB
from .bounds import most_megabytes
from .connections import POOL_CLASSES, HTTPConnection, without_key
from .response import CompactResponse, WholeResponse

_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class Adapter(HTTPAdapter):
    """requests' own adapter, but it looks up a pool once per origin, and returns compact responses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pools: dict[Any, Any] = {}
        super().__init__(*args, **kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use the pool classes of connections.py."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOL_CLASSES

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Use these pool classes for a proxy, too."""
        manager: Any = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = (
            POOL_CLASSES if isinstance(manager, ProxyManager) else _socks_pool_classes()
        )
        return manager

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        """Return the pool that serves a request's origin."""
        # Equal proxies are the same object: session.py keeps one for each environment.
        key = (_origin_of(request), verify, cert, id(proxies))
        reference, _ = self._pools.get(key, (None, None))
        pool = reference and reference()
        if pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            # urllib3 drops the least recently used pool, whose connections close when nobody refers to it.
            self._pools[key] = (weakref.ref(pool), proxies)
        return pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Set a pool's certificates, unless it has them already."""
        if getattr(conn, "certificates", None) != (verify, cert):
            super().cert_verify(conn, url, verify, cert)
            conn.certificates = (verify, cert)

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Return the request target: what the first line of the request contains."""
        if proxies:
            return without_key(super().request_url(request, proxies))
        return without_key((request.url or "")[len(_origin_of(request)) :] or "/")

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> Any:
        """Return the response. If it comes from other pools, for instance of a stand-in, build it as requests does.

        Only the beginning of a too large error response is kept: its status counts.
        """
        if not isinstance(resp, WholeResponse):
            return super().build_response(req, resp)
        response = CompactResponse(resp, req)
        response.connection = self
        if not resp.is_whole and response.status_code < 300:
            raise PermutiveInvalidResponseError(
                "The service reported success, but its response is larger than "
                f"{most_megabytes():g} MB. Raise {MAX_RESPONSE_MB} to allow more.",
                response=response,
            )
        return response


class PlainAdapter(HTTPAdapter):
    """requests' own adapter with compact responses, for a package that has taken the place of urllib3.

    Its connections need not be those of http.client, which the pools of connections.py are made for: those
    of urllib3-future, which niquests installs, are not. Then nothing bounds an attempt as a whole, and
    the end of a batch does not end its requests.
    """

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> Any:
        """Return the response, read to its end."""
        plain = super().build_response(req, resp)
        pairs = tuple(plain.headers.items())
        whole = WholeResponse(plain.status_code, plain.reason, pairs, plain.content)
        response = CompactResponse(whole, req)
        response.connection = self
        return response


def new_adapter(**options: Any) -> HTTPAdapter:
    """Make the adapter that fits urllib3, or what is in its place."""
    # By name, since a recorder may have replaced the class.
    fits = any(each.__module__ == "http.client" for each in HTTPConnection.__mro__)
    return (Adapter if fits else PlainAdapter)(**options)


def _socks_pool_classes() -> dict[str, Any]:
    with late_import():
        from .socks import SOCKS_POOL_CLASSES

    return SOCKS_POOL_CLASSES


def _origin_of(request: requests.PreparedRequest) -> str:
    found = _ORIGIN.match(request.url or "")
    return found[0] if found else ""
