"""A pytest fixture: ``pytest_plugins = ["PermutiveAPI.sandbox.pytest_plugin"]``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import Sandbox


@pytest.fixture
def permutive_sandbox() -> Iterator[Sandbox]:
    """Give a test its own running sandbox with fresh data."""
    with Sandbox() as sandbox:
        yield sandbox
