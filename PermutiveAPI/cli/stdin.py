"""The standard input as bytes."""

from __future__ import annotations

import sys
from typing import BinaryIO


def open_stdin() -> BinaryIO:
    """Open the standard input in binary mode. Closing the file leaves the standard input open.

    A thread may be waiting in it when the process ends. If that were ``sys.stdin``, the interpreter would
    abort, because it closes ``sys.stdin`` at exit.
    """
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError):  # A test's replacement, which is no file.
        return sys.stdin.buffer
