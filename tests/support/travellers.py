"""Functions and classes that tests send to other processes.

This module imports little, so that those processes start fast: they import it, but no test.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any


def wait_for_file(path: str) -> None:
    """Keep a process busy until there is a file."""
    give_up = time.monotonic() + 20
    while not os.path.exists(path) and time.monotonic() < give_up:
        time.sleep(0.005)


def answer_strangely(method: str, api_key: str, url: str, **more: Any) -> Any:
    """Stand in for ``http.request``: one response cannot be pickled."""
    return threading.Lock() if url.endswith("/1") else url


class Strange(str):
    """A text that can be pickled, but not read back."""

    def __new__(cls, base: str, more: str) -> "Strange":
        """Join two texts."""
        return super().__new__(cls, base + more)


class StrangeError(Exception):
    """An error that can be pickled, but not read back."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(one + other)


def fail_once(method: str, api_key: str, url: str, **more: Any) -> Any:
    """Stand in for ``http.request``: one error cannot be read back."""
    if url.endswith("/17"):
        raise StrangeError("o", "dd")
    return url
