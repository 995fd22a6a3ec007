"""The start of every test: no settings of the machine, no .env, quick retries."""

from __future__ import annotations

import gc
import os
import socket
from importlib import import_module
from pathlib import Path
from typing import Iterator
from urllib.parse import urlsplit

import pytest

from PermutiveAPI._Utils.retry import rate_limit
from PermutiveAPI.sandbox import Sandbox
from tests.support.fake_service import FakeService


def pytest_configure() -> None:
    """Turn the garbage collector off while tests are collected, since nothing is garbage then.

    Import what the first batch would import, so that no test measures that.
    """
    gc.disable()
    import_module("PermutiveAPI._Utils.batch.runner")


def pytest_collection_finish() -> None:
    """Turn it on again. It never goes through the objects that exist by now."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for all tests that write no file, since making one for each test takes long."""
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(autouse=True)
def clean_environment(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, empty_folder: Path
) -> Iterator[None]:
    """Hide the machine's settings and proxies, forget limits, and shorten the waits between attempts."""
    rate_limit.forget_all()
    for name in list(os.environ):
        if name.startswith("PERMUTIVE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.001")
    writes = "tmp_path" in request.fixturenames
    folder = request.getfixturevalue("tmp_path") if writes else empty_folder
    monkeypatch.chdir(folder)
    yield
    assert not any(empty_folder.iterdir()), "a test that writes files uses tmp_path"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox, which the library talks to inside the test."""
    with Sandbox() as running:
        yield running


@pytest.fixture(scope="session")
def lasting_sandbox() -> Iterator[Sandbox]:
    """A sandbox for many tests, which is reset before each, since starting one takes longer."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def fresh_sandbox(lasting_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The lasting sandbox as if it were new. For tests after which no process goes on sending."""
    _wait_for_earlier_requests(lasting_sandbox)
    lasting_sandbox.reset()
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", lasting_sandbox.base_url)
    return lasting_sandbox


def _wait_for_earlier_requests(sandbox: Sandbox) -> None:
    """Send a request of one's own: the sandbox handles requests in the order in which they have arrived.

    A batch that was stopped has not waited for its last ones.
    """
    address = urlsplit(sandbox.base_url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while connection.recv(4096):
            pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    """A service that follows a script, which the library talks to inside the test."""
    with FakeService() as running:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", running.url)
        yield running
