"""What the wire tests start from."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from typing import Iterator

import pytest

from tests.support.scripted import ScriptedServer


@pytest.fixture(scope="session")
def port() -> int:
    """A port that stays the same: the library makes ready anew for every origin that it meets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(autouse=True)
def quick_retries(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make waits between attempts less than a blink: there are thousands of them."""
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.00001")


@pytest.fixture
def server(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server that follows a script, which the library talks to inside the test."""
    with ScriptedServer(port=port) as running:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", running.url)
        yield running


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full: whoever connects waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.socket()))
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])
