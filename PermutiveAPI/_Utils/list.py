"""Kept for users of release 5.4.4, who import helpers for plain lists from here.

The lists of resources are in resources/lists.py, their DataFrames in resources/frames.py. The library
itself uses only ``chunk_list``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def chunk_list(lst: list[T], n: int) -> list[list[T]]:
    """Cut a list into pieces of `n` items; the last one may be shorter.

    Raises
    ------
    ValueError
        If `n` is below 1.

    Examples
    --------
    >>> chunk_list([1, 2, 3], 2)
    [[1, 2], [3]]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n!r}.")
    return [lst[start : start + n] for start in range(0, len(lst), n)]


def convert_list(val: str | list[Any]) -> list[Any]:
    """Return a list unchanged; read a text such as "[1, 'a']" as a list.

    Raises
    ------
    ValueError
        If `val` is neither a list nor such a text.

    Examples
    --------
    >>> convert_list("[1, 'a']")
    [1, 'a']
    """
    value: Any = val
    if isinstance(val, str):
        try:
            value = ast.literal_eval(val.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = None
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise ValueError(f"val must be a list, or text that evaluates to one, got {val!r}.")


def compare_list(list1: Iterable[Any], list2: Iterable[Any]) -> bool:
    """Tell whether two lists hold the same set of elements, in any order and with any duplicates.

    Examples
    --------
    >>> compare_list([1, 2], [2, 1, 1])
    True
    """
    return set(list1) == set(list2)


def merge_list(lst1: list[Any] | int | str, lst2: list[Any] | int | str | None = None) -> list[Any]:
    """Return the sorted union of two lists, without None. A single int or str counts as one element.

    Examples
    --------
    >>> merge_list(["b", None], "a")
    ['a', 'b']
    """
    elements = {*_as_list(lst1), *_as_list(lst2)} - {None}
    return sorted(elements)


def _as_list(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return (value,) if isinstance(value, (int, str)) else value
