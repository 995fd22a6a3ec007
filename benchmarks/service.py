"""An HTTP/1.1 service over TLS on loopback that does almost nothing.

``python -m benchmarks.service`` prints its port and serves until it is terminated. It understands
only what the clients here send: requests with Content-Length, one at a time on each connection.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
import sys
import time
from array import array
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

HOSTS = ("api.permutive.app", "api.permutive.com")

# The segments of a page, and the most segments of a bulk operation.
PAGE, _MOST_OPERATIONS = 1000, 5000

# The path of the counters. A request for it is not counted.
COUNTERS_PATH = "/__counters"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_COHORT = {
    "id": "6d5c1a52-3a5c-4f0e-8e2e-6f2f1f0c7d11",
    "code": "1042",
    "name": "Football fans",
    "state": "Enabled",
    "segment_type": "UserBuilt",
    "created_at": "2025-07-01T15:39:11.594123456Z",
    "last_updated_at": "2025-07-02T08:10:42.118765432Z",
    "workspace_id": "0f1f7a8e-7bd6-4f56-9a67-c1fd7ad2a7a4",
}
_QUERY = {"event": "Pageview", "frequency": {"greater_than_or_equal_to": 2}}
_SEGMENT = {
    "import_id": "import-1",
    "description": "Readers who came back",
    "cpm": 1.5,
    "categories": ["sport", "news"],
    "updated_at": "2025-07-02T08:10:42.118765Z",
}


@dataclass(frozen=True)
class FarEnd:
    """How the service behaves.

    Parameters
    ----------
    latency_seconds : float
        The time from a request to its response. If it is longer than a client's timeout, a request
        is processed, but its response never arrives.
    rate_per_second : float, optional
        The rate at which a bucket of `burst` requests fills again. Requests to an empty bucket are
        refused.
    window_seconds : float, optional
        The length of a window, in which `burst` requests are accepted.
    at_once : int, optional
        How many requests are processed at the same time.
    refused_share : float
        The share of requests that is refused at random.
    refusal : str
        The status of a refusal.
    retry_after_seconds : int, optional
        The Retry-After header of a refusal; None: no header.
    cohorts, segments : int
        How many of them the service has.
    """

    latency_seconds: float = 0.0
    rate_per_second: float | None = None
    burst: int = 20
    retry_after_seconds: int | None = None
    window_seconds: float | None = None
    at_once: int | None = None
    refused_share: float = 0.0
    refusal: str = "429 Too Many Requests"
    cohorts: int = 200
    segments: int = 0


class Service:
    """Responds to requests, and counts them."""

    def __init__(self, far_end: FarEnd) -> None:
        self.latency_seconds = far_end.latency_seconds
        self.connections = 0
        self._far_end = far_end
        self._arrivals = array("d")
        self._tokens = float(far_end.burst)
        self._filled_at = time.monotonic()
        self._window = -1
        self._being_answered: deque[float] = deque()
        self._chance = random.Random(1)
        retry_after = far_end.retry_after_seconds
        self._refusal = _answer(
            far_end.refusal,
            {"error": {"message": "Rate limit exceeded"}},
            "" if retry_after is None else f"Retry-After: {retry_after}\r\n",
        )
        one = {**_COHORT, "query": _QUERY}
        several = [{**_COHORT, "id": f"cohort-{n}", "code": str(n)} for n in range(far_end.cohorts)]
        self._cohort = _answer("200 OK", one)
        self._cohorts = _answer("200 OK", several)
        self._pages = _pages(far_end.segments)
        self._parts = iter(_parts(far_end.segments))
        self._identified = _answer("200 OK", {"user_id": "user-1", "status": "ok"})

    def answer(self, method: str, path: str, query: str) -> bytes:
        """Count a request, and return its response."""
        self._arrivals.append(time.time())
        if not self._admits():
            return self._refusal
        if path.endswith("/segments"):
            if method == "PATCH":
                return next(self._parts)
            return self._pages[int(parse_qs(query).get("pagination_token", ["0"])[0])]
        if "/cohorts/" not in path:
            return self._identified
        is_list = method == "GET" and path.endswith("/cohorts/")
        return self._cohorts if is_list else self._cohort

    def counters(self, query: str) -> bytes:
        """Return the response with the counters: requests in total and since a time, connections."""
        since = float(parse_qs(query).get("since", ["inf"])[0])
        seen = len(self._arrivals)
        later = seen - bisect_left(self._arrivals, since)
        counters = {"requests": seen, "later": later, "connections": self.connections}
        return _answer("200 OK", counters)

    def _admits(self) -> bool:
        far_end, now = self._far_end, time.monotonic()
        if far_end.refused_share:
            return self._chance.random() >= far_end.refused_share
        if far_end.at_once is not None:
            return self._has_room(now, far_end.at_once)
        if far_end.rate_per_second is not None:
            gained = (now - self._filled_at) * far_end.rate_per_second
            self._tokens = min(self._tokens + gained, float(far_end.burst))
            self._filled_at = now
        elif far_end.window_seconds is not None:
            if self._window < 0:
                self._filled_at = now  # Windows begin with the first request.
            window = int((now - self._filled_at) / far_end.window_seconds)
            if window != self._window:
                self._window, self._tokens = window, float(far_end.burst)
        else:
            return True
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _has_room(self, now: float, most: int) -> bool:
        while self._being_answered and self._being_answered[0] <= now:
            self._being_answered.popleft()
        if len(self._being_answered) >= most:
            return False
        self._being_answered.append(now + self.latency_seconds)
        return True


class Connection(asyncio.Protocol):
    """Reads requests, and writes responses after the service's latency."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Handle each complete request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            self._take(method, target)

    def _take(self, method: str, target: str) -> None:
        url = urlsplit(target)
        if url.path == COUNTERS_PATH:
            self._transport.write(self._service.counters(url.query))
            return
        self._service.connections += not self._counted
        self._counted = True
        answer = self._service.answer(method, url.path, url.query)
        if self._service.latency_seconds:
            loop = asyncio.get_running_loop()
            loop.call_later(self._service.latency_seconds, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _pages(count: int) -> list[bytes]:
    """Return the responses that list segments, page by page; the token of a page is its number."""
    pages: list[bytes] = []
    for number, start in enumerate(range(0, count, PAGE), start=1):
        token = str(number) if start + PAGE < count else None
        page = {"elements": _segments(start, PAGE, count), "pagination": {"next_token": token}}
        pages.append(_answer("200 OK", page))
    return pages


def _parts(count: int) -> list[bytes]:
    """Return the responses to bulk operations that create segments, in order."""
    return [
        _answer("200 OK", {"items": _segments(start, _MOST_OPERATIONS, count)})
        for start in range(0, count, _MOST_OPERATIONS)
    ]


def _segments(start: int, most: int, count: int) -> list[dict[str, object]]:
    return [
        {**_SEGMENT, "id": f"segment-{n}", "code": f"code_{n}", "name": f"Segment {n}"}
        for n in range(start, min(start + most, count))
    ]


def _answer(status: str, body: object, more_headers: str = "") -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{more_headers}"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode("ascii") + content


async def _serve(far_end: FarEnd, certificate: str, key: str) -> None:
    service = Service(far_end)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(service), "127.0.0.1", 0, ssl=context, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    _, _behaviour, _certificate, _key = sys.argv
    asyncio.run(_serve(FarEnd(**json.loads(_behaviour)), _certificate, _key))
