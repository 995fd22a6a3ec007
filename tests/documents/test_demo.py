"""The demo does a day's work."""

from __future__ import annotations

import os

import pytest

from PermutiveAPI.__main__ import main
from PermutiveAPI.sandbox import Sandbox


def test_the_demo_says_what_it_does_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step is reported, no cohort is lost, no key is printed, the environment is restored."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    before = dict(os.environ)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "200 cohorts created and 0 lost" in printed
    assert "200/200 completed; errors: 0" in printed
    assert "read in 3 pages" in printed
    assert "identified by 2 aliases" in printed
    for key in (Sandbox().api_key, Sandbox().child_api_key):
        assert key not in printed
    assert dict(os.environ) == before


def test_the_demo_fails_as_often_as_it_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service answers 503 three times, as printed; the library repeats those requests."""
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
    """The exit status tells when cohorts were lost."""
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
