"""Ask for a process of ``scripts.py``. As a program, run a module in such a process, and end as it ends.

It imports little, so that the program starts at once.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any, Mapping, Sequence


def ask(
    address: str,
    streams: Sequence[int | None],
    code: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    new_session: bool = False,
) -> Any:
    """Ask for a process, with stdin, stdout and stderr. Return a socket that tells its id, and how it ends."""
    asking = socket.socket(socket.AF_UNIX)
    asking.connect(address)
    what = {
        "code": code,
        "arguments": [*arguments],
        "folder": os.getcwd(),
        "environment": dict(environment),
        "new_session": new_session,
        "streams": [number for number, each in enumerate(streams) if each is not None],
    }
    socket.send_fds(asking, [b"."], [each for each in streams if each is not None])
    asking.sendall(json.dumps(what).encode() + b"\n")
    return asking


if __name__ == "__main__":
    _, address, code, *arguments = sys.argv
    lines = ask(address, (0, 1, 2), code, arguments, os.environ).makefile()
    process = int(lines.readline())
    for passed_on in (signal.SIGINT, signal.SIGTERM):
        signal.signal(passed_on, lambda number, _: os.kill(process, number))
    sys.exit(os.waitstatus_to_exitcode(int(lines.readline())))
