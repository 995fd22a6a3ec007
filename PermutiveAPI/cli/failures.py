"""Files with what has failed, to be corrected and given to the command again."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TextIO


def new_failures_path(ending: str) -> Path:
    """Make a new file in the working directory, and return its path. Other commands may do the same at the same moment."""
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    names = (f"permutive-failed-{moment}{number or ''}.{ending}" for number in count(0, -1))
    return next(path for path in map(Path, names) if _make_new(path))


def _make_new(path: Path) -> bool:
    """Make an empty file. Return False if there is one already."""
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        return False
    return True


def remove_failures(path: Path) -> None:
    """Remove a file of an earlier run. What is no file, such as /dev/stderr, stays."""
    if path.is_file():
        path.unlink()


def open_failures(path: Path) -> TextIO:
    """Open a file for writing. If it is new, only its owner may read it, since it may name users."""

    def private(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding="utf-8", newline="", opener=private)
