"""Environment variables and files that point clients to a sandbox."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

BASE_URL = "PERMUTIVE_API_BASE_URL"
API_KEY = "PERMUTIVE_API_KEY"
CREDENTIALS = "PERMUTIVE_APPLICATION_CREDENTIALS"
_NO_PROXY = ("no_proxy", "NO_PROXY")


@contextmanager
def variables(values: Mapping[str, str | None]) -> Generator[None, None, None]:
    """Set environment variables, or remove those with None, and restore their old values afterwards."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def write_credentials(path: Path, workspaces: Any) -> None:
    """Write a new credentials file that only its owner may read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(workspaces, file, indent=2)


def pointing_to(base_url: str, host: str) -> AbstractContextManager[None]:
    """Point clients to ``base_url`` without a proxy, and restore the old values afterwards."""
    values: dict[str, str | None] = {BASE_URL: base_url}
    exempt = next(filter(None, map(os.environ.get, _NO_PROXY)), None)
    if exempt != "*":
        # Both spellings, since a client reads only one of them.
        without_proxy = f"{exempt},{host}" if exempt else host
        values.update(dict.fromkeys(_NO_PROXY, without_proxy))
    return variables(values)
