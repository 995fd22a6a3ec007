"""Look up a host's addresses, and other calls whose wait can be interrupted and ends in time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

from .. import cancellation
from ..cancellation import monotonic
from ..lazy_names import late_import
from .bounds import OutOfBounds

Result = TypeVar("Result")

# How long it may take to notice Ctrl-C or a cancelled batch.
_POLL_SECONDS = 0.1


def addresses_of(host: str, port: int, family: int, seconds: float | None) -> list[tuple[Any, ...]]:
    """Return the result of ``socket.getaddrinfo`` for a host. None for `seconds` means no limit.

    Raises
    ------
    OSError, UnicodeError
        Whatever ``socket.getaddrinfo`` raises.
    OutOfBounds
        If it takes too long; it is a TimeoutError.
    """
    getaddrinfo: Any = socket.getaddrinfo
    if _is_address(host):  # It needs no look-up.
        return getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return in_a_thread(
        lambda: getaddrinfo(host, port, family, socket.SOCK_STREAM),
        f"The look-up of {host}",
        seconds,
    )


def in_a_thread(function: Callable[[], Result], name: str, seconds: float | None) -> Result:
    """Call a function that cannot be interrupted, in a thread that is abandoned if the wait for it ends early.

    `name` says in the error what the function does. None for `seconds` means no limit.

    Raises
    ------
    Exception
        Whatever the function raises.
    OutOfBounds
        If it takes too long.
    """
    with late_import():
        from concurrent.futures import Future

    found: Future[Result] = Future()

    def call() -> None:
        try:
            found.set_result(function())
        except BaseException as error:
            found.set_exception(error)

    thread = threading.Thread(
        target=copy_context().run, args=(call,), name="PermutiveAPI look-up", daemon=True
    )
    began = monotonic()
    try:
        thread.start()
    except RuntimeError:  # The interpreter is exiting, or there are too many threads.
        call()
    while thread.is_alive():
        waited = monotonic() - began
        if seconds is not None and waited >= seconds:
            raise OutOfBounds(f"{name} took longer than {seconds:g} s.")
        left = _POLL_SECONDS if seconds is None else seconds - waited
        thread.join(min(left, _POLL_SECONDS))
        cancellation.check()
    return found.result()


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False
