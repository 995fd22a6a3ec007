"""What differs between platforms, and what a platform must have for a test to run."""

from __future__ import annotations

import os
import signal

import pytest

# Windows has no SIGKILL. There, SIGTERM ends a process just as suddenly.
SIGKILL = getattr(signal, "SIGKILL", signal.SIGTERM)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
needs_terminal = pytest.mark.skipif(
    not hasattr(os, "openpty"), reason="there are no pseudo-terminals here"
)
needs_posix = pytest.mark.skipif(
    os.name != "posix", reason="there are no POSIX signals and devices here"
)
needs_full_disk = pytest.mark.skipif(
    not os.path.exists("/dev/full"), reason="there is no device here that is always full"
)
