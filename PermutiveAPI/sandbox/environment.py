"""Environment variables that point clients in this process to a sandbox."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager

BASE_URL = "PERMUTIVE_API_BASE_URL"
_NO_PROXY = ("no_proxy", "NO_PROXY")


@contextmanager
def variables(values: Mapping[str, str]) -> Generator[None, None, None]:
    """Set environment variables, and restore their old values afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def pointing_to(base_url: str, host: str) -> AbstractContextManager[None]:
    """Point clients to ``base_url`` without a proxy, and restore the old values afterwards."""
    values = {BASE_URL: base_url}
    exempt = next(filter(None, map(os.environ.get, _NO_PROXY)), None)
    if exempt != "*":
        # Both spellings, since a client reads only one of them.
        without_proxy = f"{exempt},{host}" if exempt else host
        values.update(dict.fromkeys(_NO_PROXY, without_proxy))
    return variables(values)
