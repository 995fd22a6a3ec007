"""Sources: where the data of an import comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._Utils.json import JSONSerializable


@dataclass
class Source(JSONSerializable[dict[str, Any]]):
    """The source of an import. The service sets every field.

    Source of the facts: responses of Permutive's Taxonomy API v1, which it does not document in full.

    Parameters
    ----------
    id : str
        Its id.
    state : dict
        For instance ``{"type": "active"}``.
    type : str
        The type of source, for instance "live_ramp_3p".
    schema_id : str, optional
        The schema of its events.
    cohorts : list, optional
        The cohorts that use its data.
    bucket : dict, optional
        The place of its files.
    permissions : dict, optional
        Who may read and write its files.
    phase : str, optional
        The phase of its set-up.
    errors : list, optional
        Its errors.
    advertiser_name, organization_id : str, optional
        Its owner.
    version : str or int, optional
        Its version.

    Examples
    --------
    >>> source = Import.list()[1].source
    >>> source.type, source.state
    ('live_ramp_3p', {'type': 'active'})
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
