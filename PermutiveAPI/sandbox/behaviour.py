"""Switches for what Permutive does not publish."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any


@dataclass(kw_only=True)
class Behaviour:
    """How the sandbox behaves where Permutive does not document its own behaviour.

    Every default is an assumption of the sandbox, not a fact about Permutive. The values are read
    at each request, so they may be changed while the sandbox runs.

    Attributes
    ----------
    latency_seconds : float
        The delay before each response, in seconds.
    rate_limit_per_second : int | None
        How many requests are accepted within any second; the response to more is 429. None: no
        limit.
    retry_after : str | None
        The ``Retry-After`` header of such a 429, in seconds. None: no header.
    page_size : int
        How many segments are on a page.
    check_queries : bool | None
        Which queries of cohorts are checked. None: those that use the grammar. These are objects
        that have, at any depth, a member of the grammar or one with nearly the same name. So a
        misspelt query is refused, and ``{"type": "users"}`` is accepted. True: all queries; each
        must follow the grammar, and decides which users belong to the cohort. False: none; any JSON
        object is accepted.
    require_uuid_user_ids : bool
        Whether a user id that is not a UUID is refused with 400.
    create_missing_segment_codes : bool
        Whether a segment without a code gets one that is made from its name. If false, it is refused
        with 400, since the code is documented as required.
    refused_bulk_is_partial : bool
        Whether a refused batch of segments is carried out up to the refused operation. If false,
        nothing of it is carried out.
    segments_key_in_segmentation : bool
        Whether the response to a segmentation has the key ``segments``, with the id and name of each
        cohort, beside the documented keys.
    alias_tags : Collection[str] | None
        The alias tags that are allowed. Aliases with other tags are ignored without an error, as
        documented. None: every tag.

    Examples
    --------
    >>> sandbox = Sandbox(page_size=5)
    >>> sandbox.rate_limit_per_second = 100
    >>> isinstance(sandbox, Behaviour), sandbox.page_size
    (True, 5)
    """

    latency_seconds: float = 0.0
    rate_limit_per_second: int | None = None
    retry_after: str | None = "1"
    page_size: int = 20
    check_queries: bool | None = None
    require_uuid_user_ids: bool = False
    create_missing_segment_codes: bool = True
    refused_bulk_is_partial: bool = False
    segments_key_in_segmentation: bool = True
    alias_tags: Collection[str] | None = None

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("latency_seconds", "rate_limit_per_second", "page_size"):
            value = getattr(self, name)
            numbers = (int, float, type(None))
            if isinstance(value, bool) or not isinstance(value, numbers):
                raise TypeError(f"{name} must be a number, got {value!r}.")
        if self.latency_seconds < 0:
            raise ValueError("latency_seconds must not be negative.")
        if not math.isfinite(self.latency_seconds):
            raise ValueError("latency_seconds must be finite.")
        if self.rate_limit_per_second is not None and self.rate_limit_per_second < 1:
            raise ValueError("rate_limit_per_second must be at least 1, or None.")
        if self.page_size < 1:
            raise ValueError("page_size must be at least 1.")


def switches_of(behaviour: Behaviour) -> dict[str, Any]:
    """Return the values of a behaviour by their names."""
    return {each.name: getattr(behaviour, each.name) for each in fields(Behaviour)}
