"""Differences between an object and what the service has stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..encoding import canonical


def differing(given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of `given` whose values differ from the last known ones of the service."""
    return {
        name: value
        for name, value in given.items()
        if canonical(value) != canonical(known.get(name))
    }
