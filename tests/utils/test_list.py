"""The helpers for lists that 5.4.4 has."""

from __future__ import annotations

from typing import Any, List

import pytest

from PermutiveAPI._Utils.list import chunk_list, compare_list, convert_list, merge_list
from tests.support.rows import for_each


@for_each(
    ("items", "n", "expected"),
    [
        ([1, 2, 3, 4, 5], 2, [[1, 2], [3, 4], [5]]),
        ([1, 2], 2, [[1, 2]]),
        ([1], 9, [[1]]),
        ([], 3, []),
        (["a", "b"], 1, [["a"], ["b"]]),
    ],
)
def test_chunk_list(items: List[Any], n: int, expected: List[Any]) -> None:
    """A list is cut into pieces of n items; the last one may be shorter."""
    assert chunk_list(items, n) == expected


@for_each(
    ("value", "expected"),
    [
        ([1, "a"], [1, "a"]),
        ("[1, 'a']", [1, "a"]),
        (" [1] ", [1]),
        ("[]", []),
        ("[[1], None]", [[1], None]),
    ],
)
def test_convert_list(value: Any, expected: List[Any]) -> None:
    """A list, or a text that evaluates to one, gives that list."""
    assert convert_list(value) == expected


def test_convert_list_keeps_the_list() -> None:
    """A list is returned itself."""
    items = [1]
    assert convert_list(items) is items


@for_each(
    "value",
    ["1", "(1, 2)", "{'a': 1}", "not a list", "", "[1", "__import__('os')", None, 5, (1, 2)],
)
def test_convert_list_refuses(value: Any) -> None:
    """Anything else is a ValueError."""
    with pytest.raises(ValueError, match="val must be a list"):
        convert_list(value)


@for_each(
    ("one", "other", "same"),
    [
        ([1, 2], [2, 1], True),
        ([1, 1, 2], [2, 1], True),
        ([], [], True),
        ([1], [1, 2], False),
        ([1], [], False),
        (["a"], ["b"], False),
    ],
)
def test_compare_list(one: List[Any], other: List[Any], same: bool) -> None:
    """Lists are compared as sets of elements."""
    assert compare_list(one, other) is same


@for_each(
    ("arguments", "expected"),
    [
        (([3, 1], [2, 1]), [1, 2, 3]),
        ((["b", None], "a"), ["a", "b"]),
        (("abc",), ["abc"]),
        ((5,), [5]),
        ((5, 4), [4, 5]),
        ((0, [1]), [0, 1]),
        (([2, 1, 2],), [1, 2]),
        (([1], None), [1]),
        (([], []), []),
        (([None], [None]), []),
        (((2, 1), {3}), [1, 2, 3]),
    ],
)
def test_merge_list(arguments: Any, expected: List[Any]) -> None:
    """The union is sorted and without None; a lone int or str counts as one element."""
    assert merge_list(*arguments) == expected


def test_merge_list_leaves_its_arguments_alone() -> None:
    """Neither argument is changed."""
    one, other = [2, 1], [3]
    merge_list(one, other)
    assert (one, other) == ([2, 1], [3])
