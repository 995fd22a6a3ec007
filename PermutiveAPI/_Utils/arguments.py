"""Checks of arguments: each error names the argument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any, cast


def require_kind(name: str, value: Any, kind: type) -> None:
    """Raise TypeError, naming the argument, unless `value` is of a kind."""
    if not isinstance(value, kind):
        raise TypeError(
            f"{name} must be of type {kind.__name__}, got {type(value).__name__}."
        )


def require_filled(name: str, value: object) -> None:
    """Raise ValueError, naming the argument, if `value` is None or blank."""
    if value is None or not str(value).strip():
        raise ValueError(f"{name} must not be empty, got {value!r}.")


def iterated(name: str, items: Any) -> Iterator[Any]:
    """Return an iterator over the items of an argument.

    Raises
    ------
    TypeError
        If it is a text, or nothing that can be iterated over; the message names the argument.
    """
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise TypeError(
            f"{name} must be a list or another iterable, got {type(items).__name__}."
        )
    return iter(cast("Iterable[Any]", items))


def listed(name: str, items: Any) -> list[Any]:
    """Return the items of an argument as a list; see :func:`iterated`."""
    return list(iterated(name, items))


def length_of(items: Any) -> int | None:
    """Return how many items an argument holds; None where it cannot tell without being read."""
    return len(items) if isinstance(items, Sized) else None
