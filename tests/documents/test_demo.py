"""The demo does a day's work."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from PermutiveAPI.__main__ import main
from PermutiveAPI.sandbox import Sandbox

PRINTED = r"""A local Permutive service runs at http://127\.0\.0\.1:\d+\.
Workspace 'Meridian Media Group', read from a credentials file\.
42 cohorts in 2 workspaces, for instance as a table:
 +code +name +state +live_audience_size
0 +12345 +Football Fans +Enabled +11055
1 +12346 +Premier League Followers +Enabled +18974
2 +12347 +Formula 1 Enthusiasts +Enabled +26893
3 +12348 +Running and Fitness +Enabled +34812
4 +12349 +Business Decision Makers +Enabled +42731
Creating 200 cohorts, while the service takes 150 requests a second and fails 3 times:
  40/200 completed; errors: 0, avg/1k: \d+\.\d\ds
  80/200 completed; errors: 0, avg/1k: \d+\.\d\ds
  120/200 completed; errors: 0, avg/1k: \d+\.\d\ds
  160/200 completed; errors: 0, avg/1k: \d+\.\d\ds
  200/200 completed; errors: 0, avg/1k: \d+\.\d\ds
200 cohorts created and 0 lost; \d+ requests were repeated\.
2 imports; 'In-Market Shoppers' holds 60 segments, read in 3 pages\.
User 'internal-user-id-123' identified by 2 aliases\.
The segmentation of their pageview names 76 cohorts, and the activations for gam\.
Done in \d+\.\d s\.
"""


def test_the_demo_says_what_it_does_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step is reported, no cohort is lost, no key is printed, the environment is restored."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    before = dict(os.environ)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert re.fullmatch(PRINTED, printed), printed
    for key in (Sandbox().api_key, Sandbox().child_api_key):
        assert key not in printed
    assert dict(os.environ) == before


def test_the_demo_fails_as_often_as_it_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service responds with 503 three times, as printed, and the library repeats those requests."""
    from PermutiveAPI import _demo

    monkeypatch.setattr(_demo, "_COHORTS", 1)
    statuses: list[int | None] = []
    clear = Sandbox.clear_requests

    def counting(sandbox: Sandbox) -> None:
        statuses.extend(request.status for request in sandbox.requests)
        clear(sandbox)

    monkeypatch.setattr(Sandbox, "clear_requests", counting)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "fails 3 times" in printed and "3 requests were repeated" in printed
    assert statuses.count(503) == 3


def test_a_demo_that_loses_something_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit status is 1 if cohorts were lost."""
    from PermutiveAPI import _demo

    # More faults than the demo's attempts can overcome.
    monkeypatch.setattr(_demo, "_COHORTS", 1)
    start = Sandbox.__enter__

    def failing(sandbox: Sandbox) -> Sandbox:
        started = start(sandbox)
        started.fail_next(status=400, times=1, method="POST", path="/cohorts-api/")
        return started

    monkeypatch.setattr(Sandbox, "__enter__", failing)
    assert main(["demo"]) == 1
    assert "0 cohorts created and 1 lost" in capsys.readouterr().out


def test_what_the_demo_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends what a user would: a cohort of readers, a user with two aliases, a pageview."""
    from PermutiveAPI import _demo

    monkeypatch.setattr(_demo, "_COHORTS", 1)
    sent: list[tuple[str, str, Any]] = []
    clear, leave = Sandbox.clear_requests, Sandbox.__exit__

    def note(sandbox: Sandbox) -> None:
        sent.extend(
            (each.method, each.path, each.json)
            for each in sandbox.requests
            if each.json is not None and each.status in (200, 201)
        )

    def cleared(sandbox: Sandbox) -> None:
        note(sandbox)
        clear(sandbox)

    def left(sandbox: Sandbox, *failure: Any) -> None:
        note(sandbox)
        leave(sandbox, *failure)

    monkeypatch.setattr(Sandbox, "clear_requests", cleared)
    monkeypatch.setattr(Sandbox, "__exit__", left)
    assert main(["demo"]) == 0
    user = "internal-user-id-123"
    condition = {"contains": "/section-0/"}
    pageview = {
        "name": "Pageview",
        "time": "2025-07-01T15:39:11.594Z",
        "properties": {"client": {"url": "https://example.com/section-7/"}},
    }
    assert sent == [
        (
            "POST",
            "/cohorts-api/v2/cohorts/",
            {
                "name": "Readers of section 0",
                "query": {
                    "event": "Pageview",
                    "frequency": {"greater_than_or_equal_to": 1},
                    "where": {"property": "properties.client.url", "condition": condition},
                },
                "tags": ["demo"],
            },
        ),
        (
            "POST",
            "/v2.0/identify",
            {
                "user_id": user,
                "aliases": [
                    {"id": "user@example.com", "tag": "email", "priority": 0},
                    {"id": "crm-4711", "tag": "crm", "priority": 1},
                ],
            },
        ),
        ("POST", "/ccs/v1/segmentation", {"user_id": user, "events": [pageview]}),
    ]
