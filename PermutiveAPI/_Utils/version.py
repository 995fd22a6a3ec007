"""The installed version, read when it is first needed."""

from __future__ import annotations

from functools import cache


@cache
def package_version() -> str:
    """Return the version in the package's metadata."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("PermutiveAPI")
    except PackageNotFoundError:  # Run from a source tree that is not installed.
        return "0+unknown"
