"""What every test starts from: no setting of the machine's, no .env, quick retries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest

from PermutiveAPI._Utils import pacing
from PermutiveAPI.sandbox import Sandbox
from tests.support.scripted import ScriptedServer


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the machine's settings and proxies, forget limits, and make waits between attempts a blink."""
    pacing.forget_all()
    for name in list(os.environ):
        if name.startswith("PERMUTIVE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.001")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A local Permutive service, which the library talks to inside the test."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server that follows a script, which the library talks to inside the test."""
    with ScriptedServer() as running:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", running.url)
        yield running
