"""A sign for the processes of this machine that a batch goes on: a file that exists as long.

A pool of processes puts calls into a queue of its own, from where they cannot be cancelled.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


class Lease:
    """The file of one batch. Its name goes to the other processes."""

    def __init__(self) -> None:
        self.path: str | None = None
        try:
            file, self.path = tempfile.mkstemp(prefix="permutiveapi-")
        except OSError:
            return  # No folder can be written to. Deadlines alone stop the processes then.
        os.close(file)

    def renew(self) -> str | None:
        """Return the file's path; None if there is no file. A cleaner of old files takes it for a new one."""
        if self.path is not None:
            Path(self.path).touch(mode=0o600)
        return self.path

    def end(self) -> None:
        """Remove the file. A forked child must not call it, since the batch belongs to the parent."""
        if self.path is not None:
            Path(self.path).unlink(missing_ok=True)


def has_ended(path: str | None) -> bool:
    """Tell, in any process of this machine, whether a batch has ended."""
    return path is not None and not os.path.exists(path)
