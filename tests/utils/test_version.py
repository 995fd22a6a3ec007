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


def test_version() -> None:
    """The version is that of the package's metadata."""
    assert PermutiveAPI.__version__ == importlib.metadata.version("PermutiveAPI")
    assert package_version() == PermutiveAPI.__version__


def test_source_tree_that_was_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without metadata, the version says that it is unknown."""

    def missing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert PermutiveAPI.__version__ == "0+unknown"


def test_other_names_of_the_package() -> None:
    """A name that the package does not have is an AttributeError that names it."""
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(PermutiveAPI, "no_such_name")
