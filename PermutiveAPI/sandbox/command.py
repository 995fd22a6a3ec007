"""The command ``permutive sandbox``."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from .environment import BASE_URL, CREDENTIALS, write_credentials
from .server import Sandbox

_LOOK_SECONDS = 0.5


def serve(sandbox: Sandbox) -> int:
    """Serve until Ctrl-C or SIGTERM and return the exit status.

    A credentials file is written to a temporary folder, which is removed when the command ends. So a
    client in another shell needs only the two lines that are printed.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_signal())
        try:
            stack.enter_context(sandbox)
        except OSError as error:
            print(error.strerror, file=sys.stderr)
            return 1
        folder = stack.enter_context(TemporaryDirectory(prefix="permutive-sandbox-"))
        credentials = Path(folder, "workspace.json")
        write_credentials(credentials, sandbox.credentials())
        print(_greeting(sandbox, credentials), flush=True)
        # In short waits, since Windows handles no signal during a long one.
        while not stop.wait(_LOOK_SECONDS):
            pass
    print("Stopped.")
    return 0


@contextmanager
def _stop_signal() -> Generator[threading.Event, None, None]:
    stop = threading.Event()

    def hear(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _greeting(sandbox: Sandbox, credentials: Path) -> str:
    return "\n".join(
        (
            f"Permutive sandbox at {sandbox.base_url} (Ctrl-C stops it)",
            f"API key: {sandbox.api_key}",
            f"Read-only key: {sandbox.read_only_api_key}",
            "To use it from another shell:",
            f"export {BASE_URL}={sandbox.base_url}",
            f"export {CREDENTIALS}={shlex.quote(str(credentials))}",
        )
    )
