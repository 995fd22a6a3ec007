"""The start of the wire tests: a fake service, quick retries, TLS."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest
import trustme

from tests.support.certificates import context_for
from tests.support.fake_service import FakeService


@pytest.fixture(scope="session")
def port() -> int:
    """One port for all tests, since the library prepares a pool for each new origin."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(autouse=True)
def quick_retries(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between attempts, since there are thousands of them."""
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.00001")


@pytest.fixture
def server(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """A service that follows a script, which the library talks to inside the test."""
    with FakeService(port=port) as running:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", running.url)
        yield running


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue of connections is full, so that connecting waits."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.socket()))
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


# --- TLS --------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority for these tests."""
    return trustme.CA()


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of the authority's certificate."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def contexts(authority: trustme.CA) -> Dict[str, ssl.SSLContext]:
    """TLS contexts with a valid certificate, an expired one, and one of another host."""
    past = datetime.now(timezone.utc) - timedelta(days=2)
    return {
        "valid": context_for(authority.issue_cert("127.0.0.1")),
        "expired": context_for(
            authority.issue_cert("127.0.0.1", not_before=past, not_after=past + timedelta(days=1))
        ),
        "another host's": context_for(authority.issue_cert("service.example")),
    }


@pytest.fixture
def secure(
    contexts: Dict[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], FakeService]]:
    """Start a TLS server with one of the contexts, which the library talks to."""
    running: List[FakeService] = []

    def start(name: str) -> FakeService:
        server = FakeService(contexts[name])
        running.append(server)
        server.__enter__()
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", server.url)
        return server

    yield start
    for server in running:
        server.__exit__()
