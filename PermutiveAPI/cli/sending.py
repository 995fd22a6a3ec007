"""Send the lines of a file as a stream: check them, ask, send, and keep the lines that failed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TextIO, TypeAlias, TypeVar, cast, get_args

import click
from click.exceptions import Exit

from PermutiveAPI import BatchResult, PermutiveAuthenticationError, progress_bar

from .asking import confirmed, require_answer
from .exits import ExitStatus
from .failures import new_failures_path, open_failures, remove_failures
from .files import refuse_to_overwrite, written_file_option
from .lines import BadLineError, Counted, Line, LineFile, Members
from .options import checking, combined, yes_option
from .output import Row, say, write_rows

Item = TypeVar("Item")
ResultFormat: TypeAlias = Literal["json", "ndjson", "csv"]
# A stream helper, for instance Identity.stream_identify.
Stream: TypeAlias = Callable[..., Generator[BatchResult[Any], None, None]]

_MOST_ERRORS_SHOWN = 20

file_argument = click.argument(
    "file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)


def _check_answer(*, yes: bool, dry_run: bool, **others: Any) -> None:
    require_answer(yes=yes or dry_run)


# The options of a command that sends lines. It passes them on to send().
sending_options = combined(
    click.option(
        "--journal",
        type=click.Path(dir_okay=False),
        help="A file that records what is done, so that the same command, given again, sends the rest.",
    ),
    yes_option,
    click.option(
        "--dry-run", is_flag=True, help="Only read, check and count the lines. Nothing is sent."
    ),
    click.option(
        "--format",
        type=click.Choice(get_args(ResultFormat)),
        help="How to write the results. Default: NDJSON.",
    ),
    written_file_option(
        "--failures",
        help="Where to write the lines that failed; the file is replaced. Default: a new file in the "
        "working directory.",
    ),
    checking(_check_answer),
)


@dataclass(frozen=True)
class Sending(Generic[Item]):
    """How the lines of a file are sent.

    Attributes
    ----------
    file : LineFile
        The file.
    read : callable
        Makes what is sent from the members of a line. It raises ValueError or TypeError for a bad line.
    stream : callable
        Sends it.
    columns : sequence of str
        The columns of the results in CSV.
    row_of : callable
        Returns the row for a success.
    is_shown : bool
        Whether results are also written on a terminal.
    advice : str
        What people do with the file of the lines that failed.
    """

    file: LineFile
    read: Callable[[Members], Item]
    stream: Stream
    columns: Sequence[str]
    row_of: Callable[[BatchResult[Any]], Row]
    is_shown: bool
    advice: str

    def items(self) -> Iterator[Item]:
        """Yield what is sent. Its attribute ``line`` is the line, which is written if it fails."""
        for line in self.file.lines():
            try:
                item = self.read(line.members)
            except (ValueError, TypeError) as error:
                raise self.file.bad(line.number, error) from None
            cast("Any", item).line = line
            yield item

    def count(self) -> int:
        """Read and check all lines, and return how many there are."""
        return sum(1 for _ in self.items())


def send(
    sending: Sending[Any],
    *,
    yes: bool,
    dry_run: bool,
    journal: str | None,
    format: ResultFormat | None,
    failures: Path | None,
) -> ExitStatus:
    """Check the lines of a file, ask, send them, and write the results.

    A file on a disk is read twice, to check all lines first. A pipe can be read only once, so there a bad
    line ends the run.
    """
    if dry_run:
        say(f"{_lines(sending.count())} can be sent. Nothing was sent.")
        return ExitStatus.DONE
    refuse_to_overwrite(sending.file.path, failures, "--failures")
    total = sending.count() if sending.file.can_be_read_twice else None
    if total == 0:
        say(f"{sending.file} has no lines.")
        return ExitStatus.DONE
    what = "the lines" if total is None else _lines(total)
    if not confirmed(f"Send {what} of {sending.file}?", yes=yes):
        return ExitStatus.SOME_FAILED
    return _Run(sending, total, journal, failures).carry_out(format)


@dataclass
class _Run:
    """One run. It counts what happens to the lines."""

    sending: Sending[Any]
    total: int | None
    journal: str | None
    failures: Path | None
    taken: int = 0
    sent: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list[str])
    failures_file: TextIO | None = None
    failures_are_kept: bool = True

    def carry_out(self, format: ResultFormat | None) -> ExitStatus:
        """Send the lines, write the results, and say what was done."""
        if self.failures is not None:
            # What an earlier run has left there did not fail in this one.
            remove_failures(self.failures)
        try:
            self._write_results(format)
        except BaseException as error:  # For instance Ctrl-C, or a key that is refused.
            self._tell_stopped()
            if isinstance(error, BrokenPipeError):  # The reader of the results is gone.
                raise Exit(ExitStatus.SOME_FAILED) from None
            if isinstance(error, BadLineError) and self.taken:
                raise BadLineError(
                    f"{error} The lines before it were sent. This line and those after it were not."
                ) from None
            raise
        self._tell_done()
        return ExitStatus.SOME_FAILED if self.failed else ExitStatus.DONE

    def _write_results(self, format: ResultFormat | None) -> None:
        on_terminal = sys.stdout.isatty()
        is_written = format is not None or self.sending.is_shown or not on_terminal
        bar = None if is_written and on_terminal else progress_bar("Sending")
        items = self._items() if self.total is None else Counted(self._items(), self.total)
        with ExitStack() as stack:
            stream = self.sending.stream(items, journal=self.journal, progress_callback=bar)
            stack.callback(self._close_failures)
            successes = self._successes(stack.enter_context(closing(stream)))
            if is_written:
                rows = _flushing(map(self.sending.row_of, successes))
                write_rows(rows, self.sending.columns, format or "ndjson")
            else:
                for _ in successes:
                    pass

    def _items(self) -> Generator[Any, None, None]:
        for item in self.sending.items():
            self.taken += 1
            yield item

    def _successes(self, stream: Iterable[BatchResult[Any]]) -> Iterator[BatchResult[Any]]:
        for result in stream:
            if result.error is None:
                self.sent += 1
                yield result
            elif isinstance(result.error, PermutiveAuthenticationError):
                raise result.error  # All others would fail, too.
            else:
                self._keep(result.item.line, result.error)

    def _keep(self, line: Line, error: Exception) -> None:
        """Count a failure, and write its line into the file of failures."""
        with self._writing_failures():
            if self.failures_file is None:
                self.failures = self.failures or new_failures_path(self.sending.file.ending)
                self.failures_file = open_failures(self.failures)
                self.failures_file.write(self.sending.file.header)
            self.failures_file.write(line.text)
        self.failed += 1
        if len(self.errors) < _MOST_ERRORS_SHOWN:
            self.errors.append(f"line {line.number}: {error}")

    def _close_failures(self) -> None:
        if self.failures_file is not None:
            with self._writing_failures():
                self.failures_file.close()

    @contextmanager
    def _writing_failures(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            error.filename = error.filename or str(self.failures)
            self.failures_are_kept = False
            raise

    # --- Words -----------------------------------------------------------------------------------

    def _tell_done(self) -> None:
        skipped = self.taken - self.sent - self.failed
        if skipped and skipped == self.taken:
            say(
                f"Nothing was sent: the journal {self.journal!r} says that all {_lines(skipped)} are done. "
                "To send them again, delete it or name another file."
            )
            return
        before = f", {skipped:,} done before" if skipped else ""
        say(f"{_lines(self.taken)}: {self.sent:,} sent, {self.failed:,} failed{before}.")
        self._tell_failures()

    def _tell_stopped(self) -> None:
        if not (self.sent or self.failed):
            return
        if self.journal is None:
            rest = "Without a journal, the same command would send all lines again."
        else:
            rest = "The same command, given again, sends the rest."
        say(f"Stopped after {_lines(self.sent + self.failed)}, {self.failed:,} failed. {rest}")
        self._tell_failures()

    def _tell_failures(self) -> None:
        for text in self.errors:
            say(text)
        if self.failed > len(self.errors):
            say(f"and {self.failed - len(self.errors):,} more")
        if self.failed and self.failures_are_kept:
            say(f"The lines that failed are in {self.failures}. {self.sending.advice}")


def _flushing(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows, and write each at once: the journal says that it is done, and a crash would lose it."""
    for row in rows:
        yield row
        sys.stdout.flush()


def _lines(number: int) -> str:
    return f"{number:,} line{'' if number == 1 else 's'}"
