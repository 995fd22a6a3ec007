"""The exit status and the text of each error."""

from __future__ import annotations

import pytest

from PermutiveAPI import (
    PermutiveAuthenticationError,
    PermutiveConnectionError,
    PermutiveCredentialsError,
    PermutiveInvalidResponseError,
    PermutiveServerError,
)
from PermutiveAPI.cli.exits import Terminated, status_of, text_of
from PermutiveAPI.Tables import PlanOutdatedError, PlanRefusedError


@pytest.mark.parametrize(
    "error, status",
    [
        (PermutiveServerError("x"), 1),
        (PermutiveConnectionError("x"), 1),
        (
            PermutiveInvalidResponseError("x"),
            1,
        ),  # Though it is a ValueError, the caller is not to blame.
        (OSError("x"), 1),
        (ValueError("x"), 2),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), 2),
        (ModuleNotFoundError("x", name="openpyxl"), 2),
        (PlanRefusedError("x"), 3),
        (PlanOutdatedError([]), 3),
        (PermutiveCredentialsError("x"), 4),
        (PermutiveAuthenticationError("x"), 4),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
        (ModuleNotFoundError("x", name="PermutiveAPI.cli.nothing"), None),
        (TypeError("x"), None),
        (KeyError("x"), None),
    ],
)
def test_statuses(error: BaseException, status: "int | None") -> None:
    """Each error has a status of its own, and a mistake in this program has none."""
    assert status_of(error) == status


@pytest.mark.parametrize(
    "error, text",
    [
        (ValueError("no such cohort"), "Error: no such cohort"),
        (OSError(28, "No space left on device"), "Error: No space left on device"),
        (PermissionError(13, "Permission denied", "a.csv"), "Error: a.csv: Permission denied"),
        (OSError("stdout is closed."), "Error: stdout is closed."),
        (KeyboardInterrupt(), "Interrupted."),
        (Terminated(), "Terminated."),
    ],
)
def test_texts(error: BaseException, text: str) -> None:
    """An error is one line for people."""
    assert text_of(error) == text
