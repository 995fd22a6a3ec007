"""Cohorts as the service writes them, the same ones in every run."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

_WORDS = ("sport", "news", "travel", "finance", "football", "cooking", "cars", "music")


def cohorts(count: int) -> list[dict[str, Any]]:
    """Return cohorts of 12 fields: two timestamps with nanoseconds, tags, a query of 4 levels."""
    random = Random(0)
    return [_cohort(number, random) for number in range(count)]


def columns(count: int) -> dict[str, list[Any]]:
    """Return the same cohorts as the columns of a table, with timestamps as datetimes."""
    rows = cohorts(count)
    made = {name: [row[name] for row in rows] for name in rows[0]}
    for name in ("created_at", "last_updated_at"):
        made[name] = [datetime.fromisoformat(f"{text[:26]}+00:00") for text in made[name]]
    return made


def _cohort(number: int, random: Random) -> dict[str, Any]:
    tag, other = random.sample(_WORDS, 2)
    return {
        "id": str(UUID(int=random.getrandbits(128))),
        "name": f"Cohort {number} of {tag} and {other}",
        "code": str(number),
        "description": f"Readers of {tag} who came back for {other}",
        "query": {
            "and": [
                {
                    "event": "Pageview",
                    "frequency": {"greater_than_or_equal_to": random.randint(1, 9)},
                    "where": {"property": "properties.client.url", "condition": {"contains": tag}},
                    "during": {"the_last": {"value": 30, "unit": "days"}},
                },
                {"not": {"in_segment": {"id": number}}},
            ]
        },
        "tags": [tag, other],
        "state": "Enabled",
        "segment_type": random.choice(("UserBuilt", "Lookalike", "Standard")),
        "live_audience_size": random.randint(0, 1_000_000),
        "workspace_id": str(UUID(int=number % 20)),
        "created_at": _timestamp(random),
        "last_updated_at": _timestamp(random),
    }


def _timestamp(random: Random) -> str:
    day, hour, minute, second = (random.randint(1, most) for most in (28, 23, 59, 59))
    nanoseconds = random.randint(0, 999_999_999)
    return f"2025-07-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z"
