"""The start of a document's test: a sandbox, and the settings of a reader."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from PermutiveAPI.sandbox import Sandbox


@pytest.fixture
def settings_of_a_reader(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Name a workspace JSON in the environment, and restore the logger's level after the test."""
    credentials = tmp_path / "workspace.json"
    credentials.write_text(json.dumps(sandbox.credentials()))
    credentials.chmod(0o600)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(credentials))
    caplog.set_level(logging.NOTSET, logger="PermutiveAPI")
