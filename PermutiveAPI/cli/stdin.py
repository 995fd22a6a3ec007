"""The standard input, as bytes and as text."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import BinaryIO


def open_binary(path: str) -> BinaryIO:
    """Open a file in binary mode. "-" is the standard input, which stays open when the file is closed.

    A thread may be waiting in it when the process ends. If that were ``sys.stdin``, the interpreter would
    abort, because it closes ``sys.stdin`` at exit.
    """
    if path != "-":
        return open(path, "rb")
    try:
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (OSError, ValueError):  # A test's replacement, which is no file.
        return sys.stdin.buffer


def stdin_text() -> str:
    """Return the whole standard input as text; ValueError if it is not in UTF-8.

    A byte order mark, as Windows writes it, is left out.
    """
    with TextIOWrapper(open_binary("-"), encoding="utf-8-sig") as file:
        try:
            return file.read()
        except UnicodeDecodeError:
            raise ValueError("stdin is not in UTF-8. Convert it to UTF-8.") from None
