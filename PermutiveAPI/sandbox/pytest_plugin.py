"""A pytest fixture: ``pytest_plugins = ["PermutiveAPI.sandbox.pytest_plugin"]``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import Sandbox
from .environment import API_KEY, CREDENTIALS, variables, write_credentials


@pytest.fixture
def permutive_sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Give a test its own running sandbox with fresh data, whose key is the default key."""
    with Sandbox() as sandbox:
        path = tmp_path / "permutive-workspaces.json"
        write_credentials(path, sandbox.credentials())
        # With a key in the environment, that of a .env is not used.
        with variables({CREDENTIALS: str(path), API_KEY: sandbox.api_key}):
            yield sandbox
