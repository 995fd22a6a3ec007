"""The start of a command's test: a service, and a credentials file that the environment names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest

from PermutiveAPI.sandbox import Sandbox


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    """A sandbox for all tests of a module that write nothing."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def service(shared_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The shared sandbox, which commands talk to inside the test. Use it where nothing is written."""
    shared_sandbox.clear_requests()
    _configure(shared_sandbox, tmp_path, monkeypatch)
    return shared_sandbox


@pytest.fixture
def sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox, which the library talks to inside the test."""
    return fresh_sandbox


@pytest.fixture
def fresh_service(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox that is as new. Use it where something is written."""
    _configure(sandbox, tmp_path, monkeypatch)
    return sandbox


def _configure(sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = folder / "workspace.json"
    credentials.write_text(json.dumps(sandbox.credentials()), encoding="utf-8")
    credentials.chmod(0o600)
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(credentials))
