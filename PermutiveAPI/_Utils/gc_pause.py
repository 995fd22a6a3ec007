"""A rest for Python's cyclic garbage collector while a large list is made."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager

# One entry for each call that keeps the collector off at the moment.
_pauses: set[object] = set()


@contextmanager
def collector_paused() -> Generator[None, None, None]:
    """Keep Python's cyclic garbage collector from running while a large list is read or written.

    The collector starts whenever enough containers were made, and would go through the new list again
    and again, though nothing in it can be freed: that takes longer than making it. It sees the list,
    once, as soon as it is on again.

    It belongs to the whole process. So only a call that finds it on turns it off, and turns it on again
    when it ends, come what may; calls of other threads that are not done by then get slower, but in no
    order of events is it left off. One that the user has turned off stays off.
    """
    if not gc.isenabled():
        yield
        return
    pause = object()
    try:
        _pauses.add(pause)
        gc.disable()
        yield
    finally:
        gc.enable()
        _pauses.discard(pause)


def _end_pauses_in_child() -> None:
    """Turn the collector on in a forked process, which has no thread that would."""
    if _pauses:
        _pauses.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):  # Not on Windows.
    os.register_at_fork(after_in_child=_end_pauses_in_child)
