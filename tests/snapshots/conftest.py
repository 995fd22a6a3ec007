"""The start of the tests of snapshots: the sandbox's top-level workspace, and a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.snapshots.archive import Archive


@pytest.fixture
def sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    """A sandbox, which the library talks to inside the test."""
    return fresh_sandbox


@pytest.fixture(scope="session")
def first_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a snapshot of a new sandbox, for tests to copy, since saving takes long."""
    with Sandbox() as sandbox:
        archive = Archive(sandbox, tmp_path_factory.mktemp("snapshot") / "first")
        archive.save()
    return archive.folder


@pytest.fixture
def archive(sandbox: Sandbox, tmp_path: Path, first_snapshot: Path) -> Archive:
    """The workspace, and a folder that does not exist yet."""
    return Archive(sandbox, tmp_path / "saved", first_snapshot)
