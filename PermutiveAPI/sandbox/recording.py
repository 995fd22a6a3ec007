"""What arrived, kept for tests to read, without the keys."""

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
# A shorter text given as a key would be found, and masked, in innocent words.
_SHORTEST_SECRET = 16
_MOST_KEPT = 100_000


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it arrived; keys are masked as ``[REDACTED]`` wherever they stand.

    Attributes
    ----------
    method : str
        The verb.
    path : str
        The path as sent, percent-encoding included.
    query : dict[str, str]
        Decoded query parameters; of several with one name the last.
    headers : dict[str, str]
        Headers by lower-case name.
    json : Any
        The decoded JSON body; None when there is none or it is no JSON.
    body : str
        The body as text; empty where it exceeds 10 MB.
    connection : int
        The client's port. Requests of one connection share it.
    status : int | None
        Status of the answer; None while it is not given.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    json: Any
    body: str
    connection: int
    status: int | None = None


class Journal:
    """The newest 100,000 requests, in the order of arrival; safe for any thread."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = frozenset(secrets)
        self._lock = threading.Lock()
        self._numbers = count()
        self._requests: dict[int, RecordedRequest] = {}

    def requests(self) -> list[RecordedRequest]:
        """Return what arrived so far."""
        with self._lock:
            return list(self._requests.values())

    def clear(self) -> None:
        """Forget what arrived so far."""
        with self._lock:
            self._requests.clear()

    def arrived(self, scope: Scope, content: bytes) -> int:
        """Keep a request and return its number."""
        request = _recorded(scope, content, self._secrets)
        with self._lock:
            number = next(self._numbers)
            self._requests[number] = request
            if len(self._requests) > _MOST_KEPT:
                del self._requests[next(iter(self._requests))]
        return number

    def answered(self, number: int, status: int) -> None:
        """Note the status of a request's answer."""
        with self._lock:
            if number in self._requests:
                request = replace(self._requests[number], status=status)
                self._requests[number] = request


class Recorder:
    """ASGI wrapper that notes requests before, and statuses as, they are answered."""

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app = app
        self._journal = journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the whole body, note the request and pass it on.

        A body above 10 MB is read to its end, since a client hears no answer while it
        is still sending, but not kept.
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
        number = self._journal.arrived(scope, body)

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def note(message: Message) -> None:
            # Noted before it is sent: a client that has its answer finds the status.
            if message["type"] == "http.response.start":
                self._journal.answered(number, message["status"])
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
