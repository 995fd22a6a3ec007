"""Show the progress of a batch: a bar in a terminal or notebook, otherwise a line every few seconds."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from ..arguments import require_kind
from .types import Progress

_SECONDS_BETWEEN_LINES = 5.0


def progress_bar(description: str = "") -> ProgressBar:
    """Return a progress callback that shows the progress on ``sys.stderr``.

    In a terminal or notebook it is a tqdm bar, if the extra ``progress`` is installed
    (``pip install "PermutiveAPI[progress]"``). Without the extra, or if the output goes to a file, it is
    a line every five seconds and one at the end.

    Parameters
    ----------
    description : str
        A text before the numbers, for instance "Creating cohorts".

    Returns
    -------
    ProgressBar
        The value for `progress_callback`. One object can serve several batches, one after the other.

    Raises
    ------
    TypeError
        If the description is not a text.

    Examples
    --------
    >>> cohorts = Cohort.list().tag_dictionary["travel"]
    >>> bar = progress_bar("Deleting")
    >>> responses, failures = Cohort.batch_delete(cohorts, progress_callback=bar)
    """
    require_kind("description", description, str)
    return ProgressBar(description)


class ProgressBar:
    """A progress callback that shows the progress; see :func:`progress_bar`."""

    def __init__(self, description: str = "") -> None:
        self._description = description
        self._display: _Bar | _Lines | None = None

    def __call__(self, progress: Progress) -> None:
        """Show how far the batch has come."""
        if self._display is None:
            self._display = _new_display(self._description, progress.total)
        self._display.show(progress)

    def close(self) -> None:
        """Stop, and leave the last state on the screen. The runner calls this at the end of a batch."""
        if self._display is not None:
            self._display.close()
            self._display = None


class _Bar:
    """A tqdm bar."""

    def __init__(self, tqdm: Any, description: str, total: int | None) -> None:
        # Without tqdm's monitor thread, since a batch leaves no thread behind.
        bar = type(tqdm.__name__, (tqdm,), {"monitor_interval": 0})
        self._bar = bar(
            desc=description or None, total=total, unit=" requests", miniters=1, file=sys.stderr
        )

    def show(self, progress: Progress) -> None:
        # Skipped requests say nothing about the rate.
        skipped = progress.skipped - self._bar.initial
        self._bar.initial += skipped
        self._bar.n += skipped
        self._bar.last_print_n += skipped
        if progress.errors:
            self._bar.set_postfix(errors=progress.errors, refresh=False)
        self._bar.update(progress.completed - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    """A plain line every few seconds."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._next_at = _SECONDS_BETWEEN_LINES
        self._unshown: Progress | None = None

    def show(self, progress: Progress) -> None:
        self._unshown = progress
        if progress.elapsed_seconds >= self._next_at:
            self._next_at = progress.elapsed_seconds + _SECONDS_BETWEEN_LINES
            self._print()

    def close(self) -> None:
        self._print()

    def _print(self) -> None:
        if self._unshown is not None:
            line = _line(self._description, self._unshown)
            print(line, file=sys.stderr, flush=True)
        self._unshown = None


def _new_display(description: str, total: int | None) -> _Bar | _Lines:
    if _is_wide_terminal() or "ipykernel" in sys.modules:
        try:
            with warnings.catch_warnings():
                # Without ipywidgets, tqdm warns, and shows a bar of text. That is enough.
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm
        except ImportError:
            pass
        else:
            return _Bar(tqdm, description, total)
    return _Lines(description)


def _is_wide_terminal() -> bool:
    """Tell whether the output is a terminal; some have no columns, and a bar would be blank there."""
    if not sys.stderr.isatty():
        return False
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):  # For instance an editor's imitation of a terminal.
        return True


def _line(description: str, progress: Progress) -> str:
    """Return the progress of a batch in words.

    Examples
    --------
    >>> from PermutiveAPI import BatchRequest
    >>> _line("Creating", Progress(50, 200, 1, BatchRequest("GET", "https://h"), 10.0, 200.0))
    'Creating: 50 of 200 requests, 1 error, 5.0 a second, 30 s left'
    """
    of_total = "" if progress.total is None else f" of {progress.total}"
    parts = [f"{progress.completed}{of_total} requests"]
    parts.append(f"{progress.errors} error{'' if progress.errors == 1 else 's'}")
    if progress.skipped:
        parts.append(f"{progress.skipped} skipped")
    if progress.requests_per_second is not None:
        parts.append(f"{progress.requests_per_second:.1f} a second")
    if progress.remaining_seconds is not None:
        parts.append(f"{progress.remaining_seconds:.0f} s left")
    return (f"{description}: " if description else "") + ", ".join(parts)
