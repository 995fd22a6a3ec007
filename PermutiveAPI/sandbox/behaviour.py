"""What Permutive does not publish, each point as a switch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(kw_only=True)
class Behaviour:
    """How the sandbox acts where no documentation says how Permutive acts.

    Every default is an assumption of the sandbox, never a fact about Permutive.
    The values are read at each request, so they may be changed while it runs.

    Attributes
    ----------
    latency_seconds : float
        Wait before each answer, in seconds.
    rate_limit_per_second : int | None
        Calls answered within any one second; those above get 429. None: no limit.
    retry_after : str | None
        Text of the ``Retry-After`` header of such a 429. None: no header.
    page_size : int
        Segments on one page.
    check_queries : bool | None
        Which queries of cohorts are checked. None: those that use the grammar, which
        are the objects with a member of it, at any depth, or with one spelt nearly like
        it. So a misspelt query is refused, and ``{"type": "users"}`` passes. True: all;
        each must be one of the grammar, and is evaluated when a user is segmented.
        False: none; any JSON object passes.
    require_uuid_user_ids : bool
        Whether a user id that is no UUID is refused with 400.
    create_missing_segment_codes : bool
        Whether a segment sent without a code gets one made from its name. False
        answers 400, since the code is documented as required.
    segments_key_in_segmentation : bool
        Whether a segmentation answers ``segments`` (id and name of each cohort)
        beside the documented keys.
    alias_tags : Collection[str] | None
        The allow-list of alias tags; other tags are ignored silently, as
        documented. None allows every tag.
    """

    latency_seconds: float = 0.0
    rate_limit_per_second: int | None = None
    retry_after: str | None = "1"
    page_size: int = 20
    check_queries: bool | None = None
    require_uuid_user_ids: bool = False
    create_missing_segment_codes: bool = True
    segments_key_in_segmentation: bool = True
    alias_tags: Collection[str] | None = None

    def __post_init__(self) -> None:
        """Refuse values that no service could follow."""
        for name in ("latency_seconds", "rate_limit_per_second", "page_size"):
            value = getattr(self, name)
            numbers = (int, float, type(None))
            if isinstance(value, bool) or not isinstance(value, numbers):
                raise TypeError(f"{name} must be a number, got {value!r}.")
        if self.latency_seconds < 0:
            raise ValueError("latency_seconds must not be negative.")
        if self.rate_limit_per_second is not None and self.rate_limit_per_second < 1:
            raise ValueError("rate_limit_per_second must be at least 1, or None.")
        if self.page_size < 1:
            raise ValueError("page_size must be at least 1.")
