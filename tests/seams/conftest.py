"""Fixtures for replaced names. No call of this folder may leave the machine."""

from __future__ import annotations

import socket
from typing import Any, List

import pytest

from PermutiveAPI._Utils import http
from tests.support.fakes import DoneExecutor


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The waits between attempts, which take no time."""
    recorded: List[float] = []

    def record(seconds: float, /) -> None:
        recorded.append(seconds)

    monkeypatch.setattr(http.time, "sleep", record)
    return recorded


@pytest.fixture
def executors(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """The `max_workers` of each executor that was made."""
    made: List[Any] = []

    class Fake(DoneExecutor):
        def __init__(self, max_workers: Any) -> None:
            super().__init__(max_workers)
            made.append(max_workers)

    monkeypatch.setattr(http, "ThreadPoolExecutor", Fake)
    return made


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test if a call bypasses its fake and goes to the real service."""
    lookup = socket.getaddrinfo

    def checked(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            raise AssertionError(f"a call went past the fake, to {host}")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", checked)
