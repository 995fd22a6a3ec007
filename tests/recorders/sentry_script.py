"""Do the work under Sentry, and print the events that Sentry would send, one per line."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from pathlib import Path
from typing import Any, Callable, List

import sentry_sdk
from sentry_sdk.transport import Transport

from PermutiveAPI import Cohort
from PermutiveAPI._Utils import http
from tests.recorders.work import WORK
from tests.support.calls import KEY


class Printing(Transport):
    """Keeps envelopes instead of sending them."""

    def __init__(self) -> None:
        super().__init__()
        self.events: List[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        """Keep an envelope's events."""
        self.events += [item.payload.json for item in envelope.items]


class TimeIsUp(Exception):
    """The exception that a task queue raises in a task that takes too long."""


def time_is_up(*_: Any) -> None:
    """End the task."""
    raise TimeIsUp


def report_broken_credentials(path: Path) -> None:
    """Report the errors of a file without a default workspace, of a file without a name, and of JSON instead of a path."""
    child = {"name": "Child", "organisation_id": "o", "workspace_id": "w", "api_key": KEY}
    contents: List[Any] = [[child, child], [{**child, "name": ""}]]
    for content in contents:
        path.write_text(json.dumps(content))
        os.environ["PERMUTIVE_APPLICATION_CREDENTIALS"] = str(path)
        report(Cohort.list)
    os.environ["PERMUTIVE_APPLICATION_CREDENTIALS"] = json.dumps(child)
    report(Cohort.list)
    # The mistake of a caller without a type checker.
    report(lambda: Cohort.list(KEY.encode()))  # type: ignore[arg-type]
    headers: Any = {"a": ["x"]}
    report(lambda: http.request("GET", KEY, "https://h/", headers=headers))


def report(call: Callable[[], Any]) -> None:
    """Report the error of a call."""
    try:
        call()
    except Exception as error:
        sentry_sdk.capture_exception(error)


def main() -> None:
    """Do the work, report its errors, and print everything."""
    kept = Printing()
    sentry_sdk.init(
        dsn="http://public@127.0.0.1/1", transport=kept, traces_sample_rate=1.0, enable_logs=True
    )
    signal.signal(signal.SIGALRM, time_is_up)
    with sentry_sdk.start_transaction(name="nightly job"):
        for work in WORK.values():
            result = work()
            if isinstance(result, Exception):
                sentry_sdk.capture_exception(result)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        try:
            Cohort.get_by_id("stalled", KEY)
        except TimeIsUp as error:
            sentry_sdk.capture_exception(error)
    with tempfile.TemporaryDirectory() as folder:
        report_broken_credentials(Path(folder) / "workspaces.json")
    sentry_sdk.get_client().close()
    for event in kept.events:
        print(json.dumps(event, default=str))


if __name__ == "__main__":
    main()
