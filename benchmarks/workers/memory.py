"""How much memory this process holds, and held at most."""

from __future__ import annotations

import gc
import re
from pathlib import Path

from figures import NotPossible

_STATUS = Path("/proc/self/status")


def held() -> int:
    """Return the resident bytes, after a garbage collection."""
    gc.collect()
    return _read("VmRSS")


def most_held() -> int:
    """Return the most that was resident so far, in bytes."""
    return _read("VmHWM")


def _read(name: str) -> int:
    if not _STATUS.exists():
        raise NotPossible("memory is read from /proc, which this machine does not have")
    status = _STATUS.read_text(encoding="utf-8")
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise NotPossible(f"/proc/self/status has no {name}")
    return int(found[1]) * 1024
