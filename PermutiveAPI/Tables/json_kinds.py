"""Checks of the kinds of JSON values, for data that people may have edited."""

from __future__ import annotations

from typing import Any, cast

from .._Utils.resources.cells import is_finite


def is_text(value: Any) -> bool:
    """Tell whether a value is a text."""
    return isinstance(value, str)


def is_filled_text(value: Any) -> bool:
    """Tell whether a value is a text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that JSON and a float can hold."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and is_finite(value)


def is_list_of_texts(value: Any) -> bool:
    """Tell whether a value is a list of texts, or an empty list."""
    return isinstance(value, list) and all(map(is_text, cast("list[Any]", value)))
