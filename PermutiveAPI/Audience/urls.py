"""The URLs of segments."""

from __future__ import annotations

from typing import Any

from .._Utils.resources.urls import resource_url
from . import _API_ENDPOINT as _IMPORTS  # pyright: ignore[reportPrivateUsage] -- the name of 5.4.4


def segments_url(import_id: Any) -> str:
    """Return the URL of an import's segments."""
    return resource_url(_IMPORTS, "{import_id}/segments", import_id=import_id)


def url_of(import_id: Any, segment_id: Any) -> str:
    """Return the URL of the segment with an id."""
    return resource_url(
        _IMPORTS, "{import_id}/segments/{segment_id}", import_id=import_id, segment_id=segment_id
    )


def url_of_code(import_id: Any, code: Any, name: str = "code") -> str:
    """Return the URL of the segment with a code. `name` is what the caller's argument is called."""
    return resource_url(
        _IMPORTS, f"{{import_id}}/segments/code/{{{name}}}", **{"import_id": import_id, name: code}
    )
