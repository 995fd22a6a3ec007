"""Failures that a test asks for."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from .envelope import status_answer
from .gate import retry_header


@dataclass(frozen=True)
class Fault:
    """An answer to give instead of the real one, and the requests it meets.

    Attributes
    ----------
    status : int
        Status of the answer, 200 to 599.
    retry_after : str | None
        Text of its ``Retry-After`` header; None: no header.
    method : str | None
        Verb it meets; None: any.
    path : str | None
        Start of the paths it meets; None: any.
    body : str | None
        Text of the answer; None: Permutive's error envelope for the status, nothing
        for a status below 400.
    content_type : str
        Type of ``body``.
    """

    status: int
    retry_after: str | None
    method: str | None
    path: str | None
    body: str | None
    content_type: str

    def __post_init__(self) -> None:
        """Refuse a status that is no final answer."""
        if not 200 <= self.status <= 599:
            raise ValueError(f"status must be from 200 to 599, not {self.status}.")

    def meets(self, method: str, path: str) -> bool:
        """Tell whether this fault answers such a request."""
        return self.method in (None, method) and path.startswith(self.path or "")

    def answer(self, path: str) -> Response:
        """Return the answer to a request for ``path``."""
        headers = retry_header(self.retry_after)
        if self.body is None and self.status >= 400:
            return status_answer(self.status, path, headers)
        return Response(self.body, self.status, headers=headers, media_type=self.content_type)


class FaultQueue:
    """Faults in waiting; the first that meets a request answers it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Fault, int]] = []

    def add(self, fault: Fault, times: int) -> None:
        """Put a fault last, for this many requests."""
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}.")
        with self._lock:
            self._waiting.append((fault, times))

    async def check(self, request: Request) -> Response | None:
        """Answer a request with the first fault that meets it."""
        path = request.scope["path"]
        fault = self._taken(request.method, path)
        return fault.answer(path) if fault else None

    def _taken(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for place, (fault, times) in enumerate(self._waiting):
                if fault.meets(method, path):
                    self._waiting[place : place + 1] = [(fault, times - 1)] * (times > 1)
                    return fault
        return None
