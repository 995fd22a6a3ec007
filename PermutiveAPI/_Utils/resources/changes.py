"""What differs between an object and what the service has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..encoding import canonical


def differing(given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of `given` that differ from those that the service is known to have."""
    return {
        name: value
        for name, value in given.items()
        if canonical(value) != canonical(known.get(name))
    }
