"""The service of the soak: it creates cohorts and identifies users, and fails at random.

``python -m tests.soak.service SEED`` prints its port and serves until it is terminated. It counts how often
it has carried out each request; ``GET /__carried_out`` returns the counts.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from collections import Counter
from typing import Dict, Optional

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MARK = re.compile(rb'"(?:name|user_id)": ?"([cu]-\d+)"')

# The faults of a hundred thousand requests. Those in the second group come after the request was carried out.
REFUSALS: Dict[str, int] = {
    "429": 1000,
    "429 with Retry-After": 500,
    "503 with Retry-After": 500,
    "400": 500,
    "reset": 500,
}
CARRIED_OUT: Dict[str, int] = {
    "500": 300,
    "502": 300,
    "reset after the work": 500,
    "cut in the headers": 300,
    "truncated": 300,
    "late": 500,
}
_SHARES = {**REFUSALS, **CARRIED_OUT}
_LATE_SECONDS = 0.05


def _message(status: str, body: bytes = b"{}", header: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{header}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


_SUCCESS = _message("200 OK", b'{"id": "c", "user_id": "u"}')
_ANSWERS: Dict[str, Optional[bytes]] = {
    "429": _message("429 Too Many Requests"),
    "429 with Retry-After": _message("429 Too Many Requests", header="Retry-After: 0.02\r\n"),
    "503 with Retry-After": _message("503 Unavailable", header="Retry-After: 0.02\r\n"),
    "400": _message("400 Bad Request"),
    "500": _message("500 Internal Server Error"),
    "502": _message("502 Bad Gateway"),
    "cut in the headers": _SUCCESS[:40],
    "truncated": _SUCCESS[:-5],
    "reset": None,
    "reset after the work": None,
}
_CLOSES = ("reset", "reset after the work", "cut in the headers", "truncated")


class Service:
    """Carries requests out, unless they get a fault, and counts them."""

    def __init__(self, seed: int) -> None:
        self.carried_out: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._faults = list(_SHARES)
        self._weights = list(_SHARES.values())

    def fault(self) -> Optional[str]:
        """Draw the fault of a request; None for success."""
        if self._random.random() * 100_000 >= sum(self._weights):
            return None
        return self._random.choices(self._faults, self._weights)[0]


class Connection(asyncio.Protocol):
    """Reads requests one after the other, and answers them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        if len(rest) >= length:
            self._received = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /__carried_out"):
            counts = json.dumps(self._service.carried_out).encode()
            self._transport.write(_message("200 OK", counts))
            return
        mark = _MARK.search(body)
        assert mark is not None, body
        fault = self._service.fault()
        if fault not in REFUSALS:
            self._service.carried_out[mark[1].decode()] += 1
        if fault == "late":
            loop = asyncio.get_running_loop()
            loop.call_later(_LATE_SECONDS, self._finish, _SUCCESS, False)
            return
        answer = _SUCCESS if fault is None else _ANSWERS[fault]
        self._finish(answer, fault in _CLOSES)

    def _finish(self, answer: Optional[bytes], closes: bool) -> None:
        if answer is None:
            self._transport.abort()
            return
        self._transport.write(answer)
        if closes:
            self._transport.close()


async def _serve(seed: int) -> None:
    service = Service(seed)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
