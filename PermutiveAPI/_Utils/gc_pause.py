"""Pause the garbage collector while a large list is made."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager

# Making a list of this length takes 0.1 s. The collector adds a few hundredths of a second.
_LARGE_LIST = 10_000

# JSON text is measured before it is decoded. The service writes 300 characters for a segment, 440 for a cohort.
_CHARACTERS_PER_ITEM = 300

# One entry for each call that keeps the collector off at the moment.
_pauses: set[object] = set()


@contextmanager
def gc_paused(items: int) -> Generator[None, None, None]:
    """Pause the garbage collector while a list of more than 10,000 items is made.

    The collector starts whenever enough containers were made. It goes through the new list again and
    again and finds nothing to free: that takes longer than making the list. When it is on again, it
    goes through the list about three times, once for each generation. ``gc.freeze`` and
    ``gc.unfreeze`` would spare that, but then the list does not count: if its items refer to each other,
    Python would not notice that it has become garbage.

    The whole process has one collector. So only a call that finds it on turns it off. That call turns
    it on again when it ends, even by an error. Calls of other threads that are not done by then get
    slower. But the collector never stays off, unless the user has turned it off.
    """
    if items <= _LARGE_LIST or not gc.isenabled():
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


def items_in(json_text: str | bytes) -> int:
    """Estimate from its length how many items a JSON text holds."""
    return len(json_text) // _CHARACTERS_PER_ITEM


def _end_pauses_in_child() -> None:
    """Turn the collector on in a forked process: the thread that would do it is not there."""
    if _pauses:
        _pauses.clear()
        gc.enable()


if hasattr(os, "register_at_fork"):  # Not on Windows.
    os.register_at_fork(after_in_child=_end_pauses_in_child)
