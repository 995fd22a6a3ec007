"""Write files that are whole or not there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Give the path of a new file, which takes the place of `path` if the block succeeds.

    If the block fails or is interrupted, the new file is deleted, and `path` stays as it was.
    """
    target = path.resolve()  # A link stays, and leads to the new file.
    new = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield new
        if target.exists():
            shutil.copymode(target, new)
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
