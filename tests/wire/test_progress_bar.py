"""Visible progress: in a terminal, in a notebook, in a file."""

from __future__ import annotations

import io
import itertools
import os
import re
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, cast

import pytest

from PermutiveAPI import BatchRequest, Cohort, Progress, progress_bar, stream_batch
from PermutiveAPI._Utils import http
from tests.support.calls import COHORT, KEY, cohort
from tests.support.fake_service import FakeService, answer
from tests.support.platforms import needs_terminal
from tests.support.scripts import start_script
from tests.support.terminals import open_terminal
from tests.support.things import URL, things
from tests.support.threads import workers_left


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def run(count: int, bar: Any) -> None:
    """Run a batch with a bar."""
    http.process_batch(things(count), api_key=KEY, progress_callback=bar)


def last_of(terminal: Terminal) -> str:
    """Return what a terminal shows in the end."""
    assert terminal.getvalue().endswith("\n")
    return terminal.getvalue().rstrip("\n").rpartition("\r")[2]


def test_a_description_is_a_text() -> None:
    """A description that is not a text is a TypeError."""
    with pytest.raises(TypeError, match="description must be of type str"):
        progress_bar(cast(Any, 5))


def test_a_bar_in_a_terminal(server: FakeService) -> None:
    """The bar shows the description, how many requests are done, the rate and the errors."""
    with redirect_stderr(Terminal()) as terminal:
        server.script = [answer(400)]
        server.default = answer(201, COHORT)
        Cohort.batch_create(
            [cohort() for _ in range(4)],
            api_key=KEY,
            progress_callback=progress_bar("Creating cohorts"),
        )
        shown = last_of(terminal)
        assert shown.startswith("Creating cohorts: 100%")
        assert "4/4" in shown and "errors=1" in shown
        assert re.search(r"[\d.]+ requests/s", shown)
        assert KEY not in terminal.getvalue()


def test_a_bar_in_a_terminal_of_an_editor(server: FakeService, tmp_path: Path) -> None:
    """A terminal that does not know its width gets a bar, too."""

    class Imitation(Terminal):
        def fileno(self) -> int:
            return file.fileno()

    with (tmp_path / "output").open("w") as file, redirect_stderr(Imitation()) as shown:
        run(3, progress_bar("Creating"))
    assert "Creating: 100%" in shown.getvalue()


def test_a_bar_without_a_length(server: FakeService) -> None:
    """Without a total, the bar counts, and ends with the stream."""
    with redirect_stderr(Terminal()) as terminal:
        stream = stream_batch(
            iter(things(3)), api_key=KEY, progress_callback=progress_bar("Streaming")
        )
        assert len(list(stream)) == 3
        assert last_of(terminal).startswith("Streaming: 3 requests")


def test_one_bar_for_one_batch_after_the_other(server: FakeService) -> None:
    """The same callback begins a new bar for every batch."""
    with redirect_stderr(Terminal()) as terminal:
        bar = progress_bar("Again")
        run(2, bar)
        run(3, bar)
        assert "2/2" in terminal.getvalue()
        assert "3/3" in last_of(terminal)


def test_a_bar_that_is_left(server: FakeService) -> None:
    """If a stream is left, the bar stays as it was, and no thread is left."""
    with redirect_stderr(Terminal()) as terminal:
        endless = (things(1)[0] for _ in itertools.count())
        stream = stream_batch(endless, api_key=KEY, progress_callback=progress_bar(), max_workers=2)
        for _ in range(5):
            next(stream)
        stream.close()
        # Requests that had completed when the stream was left count, too.
        assert re.search("[5-9] requests", terminal.getvalue())
        assert terminal.getvalue().endswith("\n")
        assert workers_left() == []


def test_lines_in_a_file(server: FakeService) -> None:
    """A short batch is one line at its end; a line holds no control characters."""
    with redirect_stderr(io.StringIO()) as file:
        server.script = [answer(400)]
        run(3, progress_bar("Nightly job"))
        [line] = file.getvalue().splitlines()
        assert re.fullmatch(
            r"Nightly job: 3 of 3 requests, 1 error, [\d.]+ a second, 0 s left", line
        )


def test_lines_without_tqdm(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, a terminal gets lines."""
    with redirect_stderr(Terminal()) as terminal:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        run(3, progress_bar())
        [line] = terminal.getvalue().splitlines()
        assert line.startswith("3 of 3 requests, 0 errors, ")


def test_a_line_every_five_seconds() -> None:
    """A long job writes a line every five seconds, not for every request."""
    with redirect_stderr(io.StringIO()) as file:
        bar = progress_bar("Long")
        for completed in range(1, 121):
            bar(snapshot(completed, completed / 10))
        assert [line.split()[1] for line in file.getvalue().splitlines()] == ["50", "100"]
        bar.close()
        assert file.getvalue().splitlines()[2].startswith("Long: 120 requests, 0 errors")
        bar.close()
        assert len(file.getvalue().splitlines()) == 3


def snapshot(completed: int, elapsed: float) -> Progress:
    """Return the progress of a stream."""
    return Progress(
        completed=completed,
        total=None,
        errors=0,
        batch_request=things(1)[0],
        elapsed_seconds=elapsed,
        average_per_thousand_seconds=elapsed / completed * 1000,
    )


def test_skipped_requests_do_not_count_for_the_rate(server: FakeService, tmp_path: Path) -> None:
    """A resumed job counts the skipped requests, but its rate is that of the sent ones."""
    journal = tmp_path / "job.journal"
    things_done = [*stream_batch(things(200), api_key=KEY, journal=journal)]
    assert len(things_done) == 200
    for stream, shown in ((Terminal(), "202/202"), (io.StringIO(), "200 skipped")):
        begun = time.monotonic()
        with redirect_stderr(stream) as output:
            list(
                stream_batch(
                    things(200) + [BatchRequest("GET", f"{URL}/new")] * 2,
                    api_key=KEY,
                    journal=journal,
                    progress_callback=progress_bar(),
                )
            )
        assert shown in output.getvalue()
        rates = re.findall(r"([\d.]+) ?(?:requests/s|a second)", output.getvalue())
        assert rates and float(rates[-1]) < 200 / (time.monotonic() - begun)
        rewind(journal)


def rewind(journal: Path) -> None:
    """Let the last two requests of a job be done again."""
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-2]))


SCRIPT = f"""
from PermutiveAPI import BatchRequest, progress_bar
from PermutiveAPI._Utils import http

requests = [BatchRequest("GET", "{URL}") for _ in range(5)]
http.process_batch(requests, api_key="{KEY}", progress_callback=progress_bar("In a script"))
"""


@needs_terminal
@pytest.mark.parametrize(
    ("columns", "shown"), [(80, "In a script: 100%"), (0, "In a script: 5 of 5")]
)
def test_a_real_terminal(server: FakeService, columns: int, shown: str) -> None:
    """A script in a terminal shows a bar, or lines if the terminal has no width."""
    reader, writer = open_terminal(columns)
    try:
        with start_script(SCRIPT, stderr=writer) as script:
            script.communicate(timeout=20)
        output = os.read(reader, 100_000).decode()
    finally:
        os.close(reader)
        os.close(writer)
    assert shown in output
