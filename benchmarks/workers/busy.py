"""A stand-in for ``http.request`` that takes processor time, as reading large responses does, and sends nothing."""

from __future__ import annotations

import time
from typing import Any

_CPU_SECONDS = 150e-6


class Answer:
    """Its response; a batch reads nothing from it."""

    status_code = 200


def request(method: str, api_key: str, url: str, **options: Any) -> Answer:
    """Keep a processor busy. Other processes find this function by its name."""
    end = time.thread_time() + _CPU_SECONDS
    while time.thread_time() < end:
        pass
    return Answer()
