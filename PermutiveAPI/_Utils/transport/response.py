"""A response of requests that takes little memory.

A batch keeps every response. Headers, cookies and the request, which most callers never read, stay as
they arrived, and become requests' own objects when they are first read.
"""

from __future__ import annotations

from email.message import Message
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import requests
from requests.cookies import MockRequest, MockResponse, RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from ..redaction import redact_headers, redact_url
from .prepare import Pairs, assemble, pairs_of


class WholeResponse(NamedTuple):
    """A response of the service, read to its end. The body is incomplete only if it is too large."""

    status: int
    reason: str | None
    headers: Pairs
    body: bytes
    is_whole: bool = True


class CompactResponse(requests.Response):
    """A response whose body was read, and whose connection went back to its pool.

    Its attribute `request` is not the request that was sent, but an equal one, made when it is first read.
    """

    def __init__(self, response: WholeResponse, request: requests.PreparedRequest) -> None:
        # Without super().__init__(), which would make headers and cookies at once.
        self._content = response.body
        self._content_consumed = True
        self._next = None
        self.status_code = response.status
        self.reason = response.reason or ""
        self.raw = None
        self.history = []
        self._received = _shared(response.headers)
        self._sent_url = request.url or ""
        self._sent = (request.method, _shared(pairs_of(request.headers)), request.body)

    # These attributes of the base class are made when they are first read, unless they are set.
    url: Any = cached_property(lambda self: self._take_url())
    headers: Any = cached_property(lambda self: _headers(self._received))
    encoding: Any = cached_property(lambda self: get_encoding_from_headers(self.headers))
    cookies: Any = cached_property(lambda self: _cookies(self._received, self.request))
    request: Any = cached_property(lambda self: self._take_request())

    def _take_url(self) -> str:
        """Return the URL, without the key after a success, since callers may log it.

        After a failure, the error removes the key when it has searched the response for it.
        """
        url = self.__dict__.pop("_sent_url")
        return redact_url(url) if self.status_code < 300 else url

    def _take_request(self) -> requests.PreparedRequest:
        """Return the request, and drop the original: an error replaces the request by one without the key."""
        verb, pairs, body = self.__dict__.pop("_sent")
        headers = CaseInsensitiveDict(pairs)
        if self.status_code < 300:
            redact_headers(headers)
        return assemble(verb, self.url, headers, body)


def reduce_unread(response: CompactResponse) -> tuple[Any, ...]:
    """Pickle a response as it is, for the caller's process, which has the key, too.

    The pickling of requests would make headers, cookies and the request now.
    """
    held = {name: value for name, value in vars(response).items() if name != "connection"}
    return _holding, (held,)


def _holding(held: dict[str, Any]) -> CompactResponse:
    response = CompactResponse.__new__(CompactResponse)
    vars(response).update(held)
    return response


@lru_cache(maxsize=256)
def _shared(pairs: Pairs) -> Pairs:
    """Return the same object for equal headers, since most responses have the same headers."""
    return pairs


def _headers(received: Pairs) -> CaseInsensitiveDict[str]:
    headers = CaseInsensitiveDict[str]()
    for name, value in received:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _cookies(received: Pairs, request: requests.PreparedRequest) -> RequestsCookieJar:
    message = Message()
    for name, value in received:
        message[name] = value
    jar: Any = RequestsCookieJar()
    jar.extract_cookies(MockResponse(message), MockRequest(request))
    return jar
