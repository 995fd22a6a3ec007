"""The request log: every request that arrived, for tests to read, without the keys."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# In the scope of a request: whether its body was too large to be kept.
OVERSIZED = "permutive.oversized"
_MOST_BYTES = 10_000_000
_MASK = "[REDACTED]"
_SECRET_NAMES = frozenset({"k", "x-api-key", "authorization"})
# A shorter key is not masked in other texts, where it might be part of a word.
_SHORTEST_SECRET = 16
_MOST_KEPT = 100_000


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it arrived. Every key in it is replaced by ``[REDACTED]``.

    Attributes
    ----------
    method : str
        The HTTP method.
    path : str
        The path as sent, percent-encoding included.
    query : dict[str, str]
        The decoded query parameters; the last duplicate wins.
    headers : dict[str, str]
        The headers by lower-case name.
    json : Any
        The decoded JSON body; None without a body, or if the body is not JSON.
    body : str
        The body as text; empty if it exceeds 10 MB.
    connection : int
        The client's port. All requests of one connection have the same.
    status : int | None
        The status of the response; None until it is sent.

    Examples
    --------
    >>> Cohort("Runners", query={"in_segment": 12345}).create()
    >>> request = sandbox.requests[-1]
    >>> request.method, request.path, request.query, request.status
    ('POST', '/cohorts-api/v2/cohorts/', {'k': '[REDACTED]'}, 201)
    >>> request.json["name"]
    'Runners'
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    json: Any
    body: str
    connection: int
    status: int | None = None


class RequestLog:
    """The newest 100,000 requests in order of arrival. Any thread may use it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = frozenset(secrets)
        self._lock = threading.Lock()
        self._numbers = count()
        self._requests: dict[int, RecordedRequest] = {}

    def requests(self) -> list[RecordedRequest]:
        """Return the requests that have arrived so far."""
        with self._lock:
            return list(self._requests.values())

    def clear(self) -> None:
        """Forget the requests that have arrived so far."""
        with self._lock:
            self._requests.clear()

    def arrived(self, scope: Scope, content: bytes) -> int:
        """Add a request, and return its number."""
        request = _recorded(scope, content, self._secrets)
        with self._lock:
            number = next(self._numbers)
            self._requests[number] = request
            if len(self._requests) > _MOST_KEPT:
                del self._requests[next(iter(self._requests))]
        return number

    def answered(self, number: int, status: int) -> None:
        """Set the status of a request, when its response is sent."""
        with self._lock:
            if number in self._requests:
                request = replace(self._requests[number], status=status)
                self._requests[number] = request


class Recorder:
    """ASGI wrapper that adds each request to the log, and later the status of the response."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._request_log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole body, log the request, and pass it on.

        A body above 10 MB is not kept. It is still read to its end, since a client reads no
        response before it has sent its whole request.
        """
        content = bytearray()
        size = 0
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            piece = message.get("body", b"")
            size += len(piece)
            if size <= _MOST_BYTES:
                content += piece
            more = message.get("more_body", False)
        scope[OVERSIZED] = size > _MOST_BYTES
        body = b"" if scope[OVERSIZED] else bytes(content)
        number = self._request_log.arrived(scope, body)

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def note(message: Message) -> None:
            # Set before the response is sent, so that a client with its response finds it in the log.
            if message["type"] == "http.response.start":
                self._request_log.answered(number, message["status"])
            await send(message)

        await self._app(scope, replay, note)


def _recorded(scope: Scope, content: bytes, secrets: frozenset[str]) -> RecordedRequest:
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    given = {
        value
        for name, value in (*query.items(), *headers.items())
        if name in _SECRET_NAMES and len(value) >= _SHORTEST_SECRET
    }
    pattern = re.compile("|".join(map(re.escape, secrets | given)), re.IGNORECASE)

    def masked(text: str) -> str:
        return pattern.sub(_MASK, text)

    def masked_values(pairs: dict[str, str]) -> dict[str, str]:
        return {
            masked(name): _MASK if name in _SECRET_NAMES else masked(value)
            for name, value in pairs.items()
        }

    body = masked(content.decode("utf-8", "replace"))
    return RecordedRequest(
        method=scope["method"],
        path=masked(scope["raw_path"].decode("latin-1")),
        query=masked_values(query),
        headers=masked_values(headers),
        json=_json(body),
        body=body,
        connection=scope["client"][1],
    )


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
