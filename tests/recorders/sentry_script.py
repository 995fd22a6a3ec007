"""Does all the work under Sentry, and prints what Sentry would send, one event per line."""

from __future__ import annotations

import json
import signal
from typing import Any, List

import sentry_sdk
from sentry_sdk.transport import Transport

from PermutiveAPI import Cohort
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
    """What a task queue raises in the midst of a task that takes too long."""


def time_is_up(*_: Any) -> None:
    """End the task."""
    raise TimeIsUp


def main() -> None:
    """Do the work, report its errors, and print everything."""
    kept = Printing()
    sentry_sdk.init(
        dsn="http://public@127.0.0.1/1",
        transport=kept,
        traces_sample_rate=1.0,
        enable_logs=True,
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
    sentry_sdk.get_client().close()
    for event in kept.events:
        print(json.dumps(event, default=str))


if __name__ == "__main__":
    main()
