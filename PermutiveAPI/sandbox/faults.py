"""Faults: error responses that a test asks for."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from .envelope import status_response
from .gate import retry_header


@dataclass(frozen=True)
class Fault:
    """A response that is sent instead of the real one, and the requests that get it; see ``Sandbox.fail_next``."""

    status: int
    retry_after: str | None
    method: str | None
    path: str | None
    body: str | None
    content_type: str

    def __post_init__(self) -> None:
        """Refuse a status that no final response has."""
        if not 200 <= self.status <= 599:
            raise ValueError(f"status must be from 200 to 599, not {self.status}.")

    def fits(self, method: str, path: str) -> bool:
        """Tell whether a request with this method and path gets this fault."""
        return self.method in (None, method) and path.startswith(self.path or "")

    def response(self, path: str) -> Response:
        """Return the response to a request for ``path``."""
        headers = retry_header(self.retry_after)
        if self.body is None and self.status >= 400:
            return status_response(self.status, path, headers)
        return Response(self.body, self.status, headers=headers, media_type=self.content_type)


class FaultQueue:
    """Faults that have been asked for. A request gets the first one that fits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int]] = []

    def add(self, fault: Fault, times: int) -> None:
        """Add a fault at the end of the queue, for this many requests."""
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}.")
        with self._lock:
            self._waiting.append((fault, times))

    def clear(self) -> None:
        """Forget the faults that wait."""
        with self._lock:
            self._waiting.clear()

    async def check(self, request: Request) -> Response | None:
        """Return the response of the first fault that fits a request; None if no fault fits."""
        path = request.scope["path"]
        fault = self._taken(request.method, path)
        return fault.response(path) if fault else None

    def _taken(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for place, (fault, times) in enumerate(self._waiting):
                if fault.fits(method, path):
                    self._waiting[place : place + 1] = [(fault, times - 1)] * (times > 1)
                    return fault
        return None
