"""What JSON data is: checks of data that people may have edited."""

from __future__ import annotations

import math
from typing import Any, cast


def is_text(value: Any) -> bool:
    """Tell whether a value is a text."""
    return isinstance(value, str)


def is_filled_text(value: Any) -> bool:
    """Tell whether a value is a text that is not blank."""
    return isinstance(value, str) and bool(value.strip())


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that JSON can hold."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def is_list_of_texts(value: Any) -> bool:
    """Tell whether a value is a list of texts, or an empty list."""
    return isinstance(value, list) and all(map(is_text, cast("list[Any]", value)))
