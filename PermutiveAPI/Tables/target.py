"""Target: what a plan is made for, and the service that calls go to now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._Utils import settings
from .._Utils.base_url import actual_url, base_url, origin_of

_ANY_URL = "https://api.permutive.app"


@dataclass(frozen=True, slots=True)
class Target:
    """What a plan is made for. The plan cannot be applied elsewhere.

    Parameters
    ----------
    kind : {"segments", "cohorts"}
        What the plan changes.
    origin : str
        Scheme and host of the service.
    workspace_ids : tuple of str
        The workspaces whose cohorts the key could read, sorted; empty for segments.
    import_id : str or None
        The import of the segments; None for cohorts.
    workspace_id : str or None
        The workspace in which cohorts are created, if it is known.
    """

    kind: Literal["segments", "cohorts"]
    origin: str
    workspace_ids: tuple[str, ...] = ()
    import_id: str | None = None
    workspace_id: str | None = None

    def __str__(self) -> str:
        """Name the target for people."""
        return self.kind if self.import_id is None else f"segments of import {self.import_id}"


def present_origin() -> str:
    """Return the scheme and host that calls go to: Permutive's, or those that replace it."""
    return origin_of(actual_url(_ANY_URL, base_url(settings.text(settings.API_BASE_URL))))
