"""The service that calls go to at this moment."""

from __future__ import annotations

from .._Utils import settings
from .._Utils.base_url import actual_url, base_url, origin_of

_ANY_URL = "https://api.permutive.app"


def present_origin() -> str:
    """Return the scheme and host that calls go to: Permutive's, or those that replace it."""
    return origin_of(actual_url(_ANY_URL, base_url(settings.text(settings.API_BASE_URL))))
