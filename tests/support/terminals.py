"""Pseudo-terminals."""

from __future__ import annotations

import os
from typing import Tuple


def open_terminal(columns: int) -> Tuple[int, int]:
    """Open a terminal of this width. Return the descriptors of its two ends: the reader's and the program's."""
    # Windows does not have these modules.
    import fcntl
    import struct
    import termios

    reader, writer = os.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return reader, writer
