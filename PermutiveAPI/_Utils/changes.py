"""What differs between an object and what the service has. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def differing(given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of `given` that differ from those that the service is known to have."""
    return {
        name: value
        for name, value in given.items()
        if _canonical(value) != _canonical(known.get(name))
    }


def _canonical(data: Any) -> str:
    """Return the same text for the same JSON data; 1 and true, equal in Python, differ there."""
    return json.dumps(data, sort_keys=True)
