"""Pooled connections over requests: one pool for all threads of the process.

Only :func:`send` reaches the network. It goes through ``requests.Session.send`` and
``requests.adapters.HTTPAdapter.send``, looked up at every call, so that replacing either of them (as
the packages ``responses`` and ``requests-mock`` do) takes effect. Everything here may be called from
many threads, and in a child process after a fork, which gets a pool of its own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator, Mapping
from http.cookiejar import DefaultCookiePolicy
from json import JSONEncoder
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import requests
import requests.utils
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from ..errors import PermutiveInvalidRequestError
from ..settings import DEFAULT_TIMEOUT_SECONDS, Settings, Timeout
from ..version import package_version
from . import bounds, log_redaction
from .adapter import new_adapter
from .connections import choose_classes
from .prepare import prepare

# A connection is closed after use if the pool has no place for it. So there is a place for every worker
# that a process could sensibly run. A place costs a pointer.
_CONNECTIONS_PER_ORIGIN = 1024
_ORIGINS = 32

_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_VARIABLES = (*_PROXY_VARIABLES, *(name.upper() for name in _PROXY_VARIABLES), *_CA_VARIABLES)

if TYPE_CHECKING:
    from requests import Session as _RequestsSession
else:
    # A tool such as requests-cache may have replaced the class.
    _classes = getattr(requests.Session, "__mro__", ())
    _RequestsSession = next(
        (each for each in _classes if each.__module__ == "requests.sessions"), requests.Session
    )

# Functions of requests that this module does not call, but that tests replace.
_REPLACEABLE: tuple[tuple[Any, Any], ...] = (
    (requests.api, requests.api.request),
    (_RequestsSession, _RequestsSession.request),
)


def requests_is_replaced() -> bool:
    """Tell whether one of these functions is replaced. A wrapper that only watches does not count."""
    return any(
        owner.request is not own and getattr(owner.request, "__wrapped__", None) is not own
        for owner, own in _REPLACEABLE
    )


def send(
    verb: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Mapping[str, Any],
    json: Any = None,
    timeout: Timeout = DEFAULT_TIMEOUT_SECONDS,
    settings: Settings,
) -> requests.Response:
    """Send one request over a pooled connection and read the whole response, with any status.

    `verb` is in capitals, `url` is one of ``base_url.actual_url``, and `headers`, `params` and `json` are as
    in ``requests.request``. `timeout` is how many seconds to wait for the connection and between two
    bytes; None waits without limit. The whole attempt is bounded, too; see bounds.py. Redirects are not
    followed.

    Raises
    ------
    requests.RequestException
        If no whole response came.
    UnicodeError, urllib3.exceptions.LocationParseError
        If a header or the host name cannot be sent.
    PermutiveInvalidRequestError
        If `json` cannot be written as JSON.
    PermutiveInvalidResponseError
        If a success has a body that is too large.
    """
    pool = _current_pool()
    body = None if json is None else _encoded(json)
    request = prepare(verb, url, {**pool.headers, **headers}, params, body)
    variables = settings.network or network_variables()
    environment = _environment_of(pool, request.url or url, variables)
    # They hold the key, and error trackers show the variables of a frame. Some fail if an argument is deleted.
    params = headers = {}
    choose_classes()
    timeout = bounds.begin(timeout, settings)
    _hide_key_from_spans()
    with log_redaction.active():
        return pool.session.send(
            request, timeout=timeout, allow_redirects=False, stream=False, cert=None, **environment
        )


def _hide_key_from_spans() -> None:
    """Make OpenTelemetry, if it is loaded, leave the key out of the URLs that it records."""
    tracing = sys.modules.get("opentelemetry.util.http")
    hidden: Any = getattr(tracing, "PARAMS_TO_REDACT", None)
    if isinstance(hidden, list) and "k" not in hidden:
        cast("list[str]", hidden).append("k")


def _encoded(payload: Any) -> bytes:
    try:
        return _ENCODER.encode(payload).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        reason = str(error)
    raise PermutiveInvalidRequestError(f"json cannot be written as JSON: {reason}")


_ENCODER = JSONEncoder(allow_nan=False)


# --- The pool ----------------------------------------------------------------------------------


class _Session(_RequestsSession):
    def resolve_redirects(self, *_: Any, **__: Any) -> Generator[Any, None, None]:
        """Follow no redirect, and set no ``response.next``: it would carry the key elsewhere."""
        yield from ()


class _Pool:
    """The session, the headers of each request, and the settings of each origin."""

    def __init__(self) -> None:
        log_redaction.install()
        self.session = _Session()
        # Proxies and certificates come from _environment_of. Credentials from ~/.netrc must not be sent.
        self.session.trust_env = False
        # A cookie set for one key's call must not travel with another key's.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = new_adapter(
            pool_connections=_ORIGINS, pool_maxsize=_CONNECTIONS_PER_ORIGIN, max_retries=0
        )
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        self.headers = dict(requests.utils.default_headers())
        self.headers["User-Agent"] = (
            f"PermutiveAPI/{package_version()} {self.headers['User-Agent']}"
        )
        self.environments: dict[tuple[Any, ...], dict[str, Any]] = {}


_pool: _Pool | None = None
_pool_lock = threading.Lock()


def _current_pool() -> _Pool:
    global _pool
    pool = _pool
    if pool is None:
        with _pool_lock:
            pool = _pool = _pool or _Pool()
    return pool


def _forget_pool() -> None:
    """Forget the parent's pool: two processes must not read from one connection."""
    global _pool, _pool_lock
    _pool = None
    _pool_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # Not on Windows, which has no fork.
    os.register_at_fork(after_in_child=_forget_pool)


# --- Proxies and certificates of the environment -------------------------------------------------


def network_variables() -> tuple[str | None, ...]:
    """Return the variables of the environment that name proxies and certificates."""
    return tuple(map(os.environ.get, _VARIABLES))


def _environment_of(pool: _Pool, url: str, variables: tuple[str | None, ...]) -> dict[str, Any]:
    """Return proxies and CA settings for a URL's origin. They are found out again only if a variable changes.

    Finding them out takes longer than all the rest of preparing a request: requests reads the system's
    proxy settings and compares the host with no_proxy.
    """
    parts = urlsplit(url)
    key = (parts.scheme, parts.netloc, variables)
    known = pool.environments.get(key)
    if known is None:
        known = pool.environments[key] = {
            "proxies": _proxies_for(url),
            "verify": parts.scheme != "https" or _authorities(),
        }
    return known


def _proxies_for(url: str) -> Any:
    """Return the proxies of the environment. The one for the URL must have a host."""
    proxies = requests.utils.get_environ_proxies(url)
    proxy = requests.utils.select_proxy(url, proxies)
    if proxy and not _has_host(proxy):
        # The value is not shown: it may hold a password.
        name = next((each for each in _VARIABLES if os.environ.get(each) == proxy), "The proxy")
        raise ValueError(f"{name} must be the URL of a proxy, such as http://proxy.example:8080.")
    return proxies


def _has_host(proxy: str) -> bool:
    try:
        host = parse_url(requests.utils.prepend_scheme_if_needed(proxy, "http")).host or ""
    except (LocationParseError, TypeError):  # TypeError: a user and a password, but no host.
        return False
    # Older releases of urllib3 take a host with any characters, and quote some of them.
    return host.startswith("[") or not (host == "" or " " in host or "%" in host)


def _authorities() -> str | bool:
    """Return where the certificates of the known authorities are; True for those of requests."""
    for name in _CA_VARIABLES:
        path = os.environ.get(name)
        if path and not os.path.exists(path):
            raise ValueError(f"{name} must name a file or folder of certificates, got {path!r}.")
        if path:
            return path
    return True
