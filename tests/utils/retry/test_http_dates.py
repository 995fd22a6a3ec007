"""Impossible dates in a Retry-After header."""

from __future__ import annotations

from datetime import datetime, timezone

from PermutiveAPI._Utils.retry.policy import parse_retry_after
from tests.support.rows import for_each

NOW = datetime(2024, 1, 1, tzinfo=timezone.utc)


@for_each(
    "value",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 99999999999999999999 Jan 2024 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +9999999999999999",
    ],
)
def test_numbers_beyond_every_calendar(value: str) -> None:
    """A date with numbers that are too large is ignored, and is no crash."""
    assert parse_retry_after(value, NOW) is None
