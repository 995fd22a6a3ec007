"""Do the work under Sentry, and print the events that Sentry would send, one per line."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, List

import sentry_sdk
from sentry_sdk.transport import Transport

from PermutiveAPI import Cohort, options
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


def upload_to_nobody() -> None:
    """Send a large body where nobody reads it."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        with options(base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}"):
            http.post(KEY, "https://api.permutive.app/large", {"text": "x" * 10_000_000})


def call_where_nobody_accepts() -> None:
    """Make a call to a port whose queue of connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as others:
        for _ in range(4):
            other = others.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        with options(base_url=f"http://127.0.0.1:{full.getsockname()[1]}"):
            Cohort.get_by_id("unreachable", KEY)


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
        for call in (
            lambda: Cohort.get_by_id("stalled", KEY),
            upload_to_nobody,
            call_where_nobody_accepts,
        ):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            report(call)
    with tempfile.TemporaryDirectory() as folder:
        report_broken_credentials(Path(folder) / "workspaces.json")
    sentry_sdk.get_client().close()
    for event in kept.events:
        print(json.dumps(event, default=str))


if __name__ == "__main__":
    main()
