"""What documents start from: a sandbox, and the settings that its reader has made."""

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
    """The environment names a workspace JSON; a logger's level that a document sets is put back."""
    credentials = tmp_path / "workspace.json"
    credentials.write_text(json.dumps(sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(credentials))
    caplog.set_level(logging.NOTSET, logger="PermutiveAPI")
