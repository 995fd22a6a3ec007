"""Defaults of a segment's fields that differ from every value that people give."""

from __future__ import annotations

from typing import Any


class _Required:
    """The default of a required field that comes after an optional one."""

    def __repr__(self) -> str:
        return "<required>"


REQUIRED: Any = _Required()


class _NoPrice(float):
    """The default price: 0.0, but not the same object as a 0.0 that somebody gave."""

    def __reduce__(self) -> str:
        return "NO_PRICE"  # Pickled by name, so that a copy is the same object.


NO_PRICE: float = _NoPrice()
