"""Sources: where an import's data comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._Utils.json import JSONSerializable


@dataclass
class Source(JSONSerializable[dict[str, Any]]):
    """The source of an import; every value is the service's.

    Parameters
    ----------
    id : str
        Its id.
    state : dict
        For instance ``{"type": "active"}``.
    type : str
        The kind of source, for instance "live_ramp_3p".
    schema_id : str, optional
        The schema of its events.
    cohorts : list, optional
        The cohorts that it feeds.
    bucket : dict, optional
        Where its files are put.
    permissions : dict, optional
        Who may read and write there.
    phase : str, optional
        How far its set-up has come.
    errors : list, optional
        What went wrong there.
    advertiser_name, organization_id : str, optional
        Whose it is.
    version : str or int, optional
        Its version.
    """

    id: str
    state: dict[str, Any]
    type: str
    schema_id: str | None = None
    cohorts: list[Any] | None = None
    bucket: Any = None
    permissions: Any = None
    phase: str | None = None
    errors: list[Any] | None = None
    advertiser_name: str | None = None
    organization_id: str | None = None
    version: Any = None
