"""Validation of arguments: each error names the argument."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any, cast


def require_kind(name: str, value: Any, kind: type) -> None:
    """Raise TypeError that names the argument, unless `value` is an instance of `kind`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be of type {kind.__name__}, got {type(value).__name__}.")


def require_filled(name: str, value: object) -> None:
    """Raise ValueError that names the argument, if `value` is None or blank."""
    if value is None or not str(value).strip():
        raise ValueError(f"{name} must not be empty, got {value!r}.")


def require_several(name: str, value: Any) -> None:
    """Raise TypeError that names the argument, unless `value` is a list, a tuple or an array."""
    is_array = isinstance(value, Sized) and hasattr(value, "tolist")
    if not (is_array or isinstance(value, (list, tuple))):
        raise TypeError(f"{name} must be a list, got {type(value).__name__}.")


def require_iterable(name: str, items: Any) -> None:
    """Raise TypeError that names the argument, if `items` is a text or not iterable."""
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise TypeError(f"{name} must be a list or another iterable, got {type(items).__name__}.")


def listed(name: str, items: Any) -> list[Any]:
    """Return the items of an argument as a list; see :func:`require_iterable`."""
    require_iterable(name, items)
    return list(cast("Iterable[Any]", items))


def is_number(value: Any, *, whole: bool = False) -> bool:
    """Tell whether a value is a number, perhaps one of NumPy. True and False do not count."""
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float)):
        return isinstance(value, int) or not whole
    from numbers import Integral, Real  # Rarely needed, and slow to import.

    return isinstance(value, Integral if whole else Real)


def length_of(items: Any) -> int | None:
    """Return the number of items; None if it is unknown until they have been read."""
    return len(items) if isinstance(items, Sized) else None


def require_one(**values: Any) -> str:
    """Return the name of the one argument that is not None.

    Raises
    ------
    ValueError
        If none or several are given; the message names them.
    """
    given = [name for name, value in values.items() if value is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise ValueError(f"Give exactly one of {', '.join(values)}; got {found}.")
    return given[0]
