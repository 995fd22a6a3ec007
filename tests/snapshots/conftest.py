"""The start of the tests of snapshots: the sandbox's top-level workspace, and a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.snapshots.archive import Archive


@pytest.fixture
def archive(sandbox: Sandbox, tmp_path: Path) -> Archive:
    """The workspace, and a folder that does not exist yet."""
    return Archive(sandbox, tmp_path / "saved")
