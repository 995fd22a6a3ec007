"""The variables by which clients in this process find a sandbox."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

BASE_URL = "PERMUTIVE_API_BASE_URL"
_NO_PROXY = ("no_proxy", "NO_PROXY")


@contextmanager
def pointing_to(base_url: str, host: str) -> Generator[None, None, None]:
    """Point clients to ``base_url``, past any proxy, and restore what was set before."""
    before = {name: os.environ.get(name) for name in (BASE_URL, *_NO_PROXY)}
    exempt = next(filter(None, (before[name] for name in _NO_PROXY)), None)
    os.environ[BASE_URL] = base_url
    if exempt != "*":
        # Both spellings alike, since a client reads only the first that it finds.
        for name in _NO_PROXY:
            os.environ[name] = f"{exempt},{host}" if exempt else host
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
