"""The version, from the package's metadata."""

from __future__ import annotations

import importlib.metadata
from typing import Any, Iterator

import pytest

import PermutiveAPI
from PermutiveAPI._Utils.version import package_version


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Forget the version before and after the test."""
    package_version.cache_clear()
    yield
    package_version.cache_clear()


def test_source_tree_that_was_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without metadata, the version says that it is unknown."""

    def missing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert PermutiveAPI.__version__ == "0+unknown"
