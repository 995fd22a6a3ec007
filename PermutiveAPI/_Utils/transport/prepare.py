"""Prepare requests as requests does, but prepare what repeats only once.

A batch sends to few addresses with the same headers. requests parses every URL and checks every header
each time. Here, a URL that needs no quoting is not parsed, and headers are checked once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import unquote, urlencode

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.util import parse_url

from ..redaction import HiddenText

Pairs = tuple[tuple[str, Any], ...]
Headers = CaseInsensitiveDict[Any]
Body = bytes | str | None

# Other texts, such as members of an enum, may look different in a URL than in str().
_PLAIN_TEXTS = (str, HiddenText)


def prepare(
    verb: str, url: str, headers: Mapping[str, Any], params: Mapping[str, Any] | None, body: Body
) -> requests.PreparedRequest:
    """Prepare a request as ``requests.Request(...).prepare()`` does; headers that are None are left out.

    Raises
    ------
    requests.RequestException, UnicodeError, urllib3.exceptions.LocationParseError
        If the URL or a header cannot be put on the wire.
    """
    pairs = tuple(headers.items())
    try:
        prepared_headers = _copied(_prepared_headers(pairs))
    except TypeError:  # A value that cannot be hashed: requests raises the error for it.
        prepared_headers = _prepared_headers.__wrapped__(pairs)
    if body is not None:
        prepared_headers["Content-Length"] = str(len(body))
    elif verb != "GET":
        prepared_headers["Content-Length"] = "0"
    request = assemble(verb, _prepared_url(url, params or {}), prepared_headers, body)
    if "@" in url:  # A user and a password before the host.
        request.prepare_auth(None, request.url or "")
    return request


def assemble(
    verb: str | None, url: str | None, headers: Headers, body: Any
) -> requests.PreparedRequest:
    """Put a request together from prepared parts."""
    request = requests.PreparedRequest()
    request.method = verb
    request.url = url
    request.headers = headers
    request.body = body
    return request


@cache
def _unchanged_url() -> re.Pattern[str]:
    """Return the pattern of a URL that requests would not change. It is compiled when it is needed.

    It has nothing to quote, no "." or ".." in its path, and no invalid port.
    """
    return re.compile(
        r"(?a)https?://[a-z0-9][a-z0-9.-]*(?::[1-9][0-9]{0,3}|:[1-5][0-9]{4})?"
        r"(?:/(?!\.)[A-Za-z0-9._~-]*)+"
    )


@lru_cache(maxsize=64)
def _plain_url(url: str, params: Pairs) -> str | None:
    """Return a URL with its query. If it needs more work than that, return None."""
    if not _unchanged_url().fullmatch(url):
        return None
    return f"{url}?{urlencode(params)}" if params else url


@lru_cache(maxsize=64)
def _prepared_headers(pairs: Pairs) -> Headers:
    request = requests.PreparedRequest()
    request.prepare_headers({name: value for name, value in pairs if value is not None})
    return request.headers


def pairs_of(headers: Mapping[str, Any]) -> Pairs:
    """Return names and values of headers as they are sent, faster than their items()."""
    if isinstance(headers, CaseInsensitiveDict):
        return tuple(_stored(headers).values())
    return tuple(headers.items())  # A tool has replaced them.


def _copied(headers: Headers) -> Headers:
    """Return a copy, faster than their copy()."""
    copy = Headers()
    _stored(copy).update(_stored(headers))
    return copy


def _stored(headers: Headers) -> dict[str, tuple[str, Any]]:
    # It has no public name.
    return headers._store  # pyright: ignore[reportPrivateUsage]


def _prepared_url(url: str, params: Mapping[str, Any]) -> str:
    if all(type(value) in _PLAIN_TEXTS for value in params.values()):
        plain = _plain_url(url, tuple(params.items()))
        if plain is not None:
            return plain
    request = requests.PreparedRequest()
    request.prepare_url(url, dict(params))
    prepared = request.url or ""
    # urllib3 quotes invalid characters of a host, and only its newer releases refuse some of them.
    host = parse_url(prepared).host or ""
    if "%" in host and not host.startswith("["):
        raise requests.exceptions.InvalidURL(f"{unquote(host)!r} is not a valid host")
    return prepared
