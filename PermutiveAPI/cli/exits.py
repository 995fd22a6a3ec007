"""The exit statuses, and the status and the text that each error gives."""

from __future__ import annotations

import signal
from enum import IntEnum

from PermutiveAPI import PermutiveAPIError, PermutiveAuthenticationError


class ExitStatus(IntEnum):
    """The exit statuses of the command. Shells add 128 to the number of a signal."""

    DONE = 0
    SOME_FAILED = 1
    WRONG_USAGE = 2
    REFUSED = 3
    NO_CREDENTIALS = 4
    CHANGES_FOUND = 5
    INTERRUPTED = 128 + signal.SIGINT
    TERMINATED = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """The process got SIGTERM. Whatever cleans up after Ctrl-C cleans up after this, too."""


def status_of(error: BaseException) -> ExitStatus | None:
    """Return the exit status for an error; None for a mistake in this program."""
    from PermutiveAPI.Tables.refusal import PlanRefusedError

    # The first one that fits. Some errors are of two kinds.
    table: tuple[tuple[type[BaseException], ExitStatus], ...] = (
        (Terminated, ExitStatus.TERMINATED),
        (KeyboardInterrupt, ExitStatus.INTERRUPTED),
        (PermutiveAuthenticationError, ExitStatus.NO_CREDENTIALS),
        (PermutiveAPIError, ExitStatus.SOME_FAILED),
        (PlanRefusedError, ExitStatus.REFUSED),
        (ValueError, ExitStatus.WRONG_USAGE),
        (OSError, ExitStatus.SOME_FAILED),
    )
    if isinstance(error, ImportError) and not (error.name or "PermutiveAPI").startswith(
        "PermutiveAPI"
    ):
        return ExitStatus.WRONG_USAGE  # An extra is missing.
    return next((status for kind, status in table if isinstance(error, kind)), None)


def text_of(error: BaseException) -> str:
    """Return what an error says to people.

    Examples
    --------
    >>> text_of(FileNotFoundError(2, "No such file or directory", "cohorts.csv"))
    'Error: cohorts.csv: No such file or directory'
    """
    if isinstance(error, Terminated):
        return "Terminated."
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, OSError) and error.strerror:
        place = "" if error.filename is None else f"{error.filename}: "
        return f"Error: {place}{error.strerror}"
    return f"Error: {error}"
