"""Texts of plans, reports and errors: values and long lists of lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

_LONGEST_VALUE = 80  # Characters.
_MOST_LINES = 20


def shown(value: Any) -> str:
    """Return a value for people to read: JSON text, shortened."""
    if value is None:
        return "(empty)"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def first_lines(lines: Sequence[object]) -> Iterator[str]:
    """Yield the first 20 lines, and how many more there are."""
    yield from map(str, lines[:_MOST_LINES])
    if len(lines) > _MOST_LINES:
        yield f"and {len(lines) - _MOST_LINES:,} more"
