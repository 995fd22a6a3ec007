"""The standard input, as bytes and as text."""

from __future__ import annotations

import sys
from io import TextIOWrapper
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


def stdin_text() -> str:
    """Return the whole standard input as text. A byte order mark, as Windows writes it, is left out.

    Raises
    ------
    ValueError
        If it is not in UTF-8.
    """
    with TextIOWrapper(open_stdin(), encoding="utf-8-sig") as file:
        try:
            return file.read()
        except UnicodeDecodeError:
            raise ValueError("stdin is not in UTF-8. Convert it to UTF-8.") from None
