"""One measurement of one subject, in a process and an environment of its own.

It is run as a folder, ``python benchmarks/workers '{"measurement": ...}'``. So the project's root is
not on the path, and the installed package is imported.
"""

from __future__ import annotations

import json
import sys

import measurements
from figures import NotPossible, decline, hand_back
from loopback import redirect


def main(argument: str) -> None:
    """Measure what the JSON text asks for, and print the figures."""
    task = json.loads(argument)
    redirect(task["port"])
    measure = getattr(measurements, task["measurement"])
    try:
        hand_back(measure(task["subject"], **task["settings"]))
    except NotPossible as reason:
        decline(reason)


if __name__ == "__main__":
    main(sys.argv[1])
