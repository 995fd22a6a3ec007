"""The fields that plans can change, and the values that they can have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from ..Cohort import STATES
from .json_kinds import is_filled_text, is_list_of_texts, is_number, is_text


class Values(NamedTuple):
    """The values of a field, besides None.

    Attributes
    ----------
    expected : str
        What a value is, for errors.
    has : callable
        Tells whether something is such a value.
    can_be_cleared : bool
        Whether the field can lose its value.
    """

    expected: str
    has: Callable[[Any], bool]
    can_be_cleared: bool = True


def _is_filled_object(value: Any) -> bool:
    return isinstance(value, dict) and bool(cast("dict[str, Any]", value))


def _is_state(value: Any) -> bool:
    return value in STATES


_TEXT = Values("a text", is_text)
_TEXTS = Values("a list of texts", is_list_of_texts)
_NAME = Values("a text that is not blank", is_filled_text, can_be_cleared=False)

# By the kind of the target.
FIELDS: Mapping[str, Mapping[str, Values]] = {
    "segments": {
        "name": _NAME,
        "description": _TEXT,
        "cpm": Values("a number", is_number),
        "categories": _TEXTS,
    },
    "cohorts": {
        "name": _NAME,
        "description": _TEXT,
        "query": Values("an object", _is_filled_object, can_be_cleared=False),
        "tags": _TEXTS,
        "state": Values(" or ".join(STATES), _is_state, can_be_cleared=False),
        "segment_type": Values("a text", is_text, can_be_cleared=False),
    },
}
NEEDED: Mapping[str, tuple[str, ...]] = {"segments": ("name",), "cohorts": ("name", "query")}

# The values that a new object has if its creation does not give others. The service chooses the type of a cohort.
WHEN_NEW: Mapping[str, Mapping[str, Any]] = {
    "segments": {"description": None, "cpm": 0.0, "categories": None},
    "cohorts": {"description": None, "tags": [], "state": "Enabled"},
}
