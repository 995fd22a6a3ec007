"""No call of this folder may leave the machine by accident."""

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
    """What the fake for the executor was made with, each time."""
    made: List[Any] = []
    fake = type("Fake", (DoneExecutor,), {"made": made})
    monkeypatch.setattr(http, "ThreadPoolExecutor", fake)
    return made


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test whose call goes past its fake to the real service."""
    lookup = socket.getaddrinfo

    def checked(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            raise AssertionError(f"a call went past the fake, to {host}")
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", checked)
