"""The file of a journal: its format, which stays, and how a long one is read."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterable, List, Tuple
from uuid import UUID

import pytest

from PermutiveAPI._Utils.batch import journal as module
from PermutiveAPI._Utils.batch.journal import Journal
from tests.support.rows import for_each

ORIGIN = "https://api.permutive.app"
KEY = "a-key-of-release-5-6"
URL = f"{ORIGIN}/v9/things"

# What release 5.6.0 wrote for the requests below.
WRITTEN_BY_5_6 = """\
{"journal": "PermutiveAPI 1", "helper": "stream_batch", "origin": "https://api.permutive.app", \
"key": "d62599da3deaf96760067127827f1758"}
b3ae7172df5e3ae527cbe2ba45fa482f
bd9651db832e660b900192c904bf9b16
22868652193bb3a21a0f01194ea3554c
75aeda21d5681f5bb3379385eae445ea
b3ae7172df5e3ae527cbe2ba45fa482f
"""
# What release 5.6.0 reads as a line.
LINE_OF_5_6 = re.compile(r"[0-9a-f]{32}")

IDENTIFY: Tuple[Any, ...] = ("POST", URL, None, {"user_id": "reader-1", "aliases": []})
REQUESTS: List[Tuple[Any, ...]] = [
    IDENTIFY,
    ("get", f"{URL}/2", {"k": "ü", "n": 1}, None),
    ("PATCH", URL, {}, {"é": [1.5, None, True]}),
    (
        "POST",
        URL,
        None,
        {"at": datetime(2025, 7, 1, 15, 39, tzinfo=timezone.utc), "id": UUID(int=5)},
    ),
    IDENTIFY,
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "job.journal"


def opened(path: Path) -> Journal:
    """Open the journal of a job."""
    return Journal(path, "stream_batch", ORIGIN, KEY)


def record(journal: Journal, digests: Iterable[bytes]) -> None:
    """Record digests."""
    for position, digest in enumerate(digests):
        journal.note(position, digest)
    journal.record()


def number(value: int) -> bytes:
    """Return a digest."""
    return value.to_bytes(16, "big")


def write(path: Path, count: int) -> None:
    """Make a new journal in which so many numbers are done."""
    path.unlink(missing_ok=True)
    journal = opened(path)
    record(journal, map(number, range(count)))
    journal.close()


def test_a_file_of_release_5_6_is_read(path: Path) -> None:
    """What release 5.6 recorded is done, as often as it was recorded."""
    path.write_text(WRITTEN_BY_5_6)
    journal = opened(path)
    digests = [journal.digest(*request) for request in REQUESTS]
    assert [journal.skip_if_done(digest) for digest in [*digests, *digests]] == [True] * 5 + [
        False
    ] * 5
    journal.close()
    assert path.read_text() == WRITTEN_BY_5_6


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
def test_release_5_6_could_read_what_is_written(path: Path, together: bool) -> None:
    """The same requests make the same file, which release 5.6 can read."""
    journal = opened(path)
    digests = [journal.digest(*request) for request in REQUESTS]
    for group in [digests] if together else [[digest] for digest in digests]:
        record(journal, group)
    journal.close()
    assert path.read_text() == WRITTEN_BY_5_6
    assert all(LINE_OF_5_6.fullmatch(line) for line in path.read_text().splitlines()[1:])


# --- Long files ----------------------------------------------------------------------------------


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files read in pieces of four lines."""
    monkeypatch.setattr(module, "_LINES_AT_A_TIME", 4)


@pytest.mark.usefixtures("short_pieces")
@for_each("count", [0, 1, 3, 4, 5, 8, 11])
@for_each("incomplete", ["", "0", "f" * 32, "\0" * 500, "not written here"])
def test_a_file_is_read_to_its_end(path: Path, count: int, incomplete: str) -> None:
    """All lines are read; an incomplete last line, as a crash leaves it, is removed."""
    write(path, count)
    whole = path.read_text()
    path.write_text(whole + incomplete)
    journal = opened(path)
    assert path.read_text() == whole
    assert [journal.skip_if_done(number(value)) for value in range(12)] == [
        value < count for value in range(12)
    ]
    record(journal, [number(count)])
    journal.close()
    assert len(path.read_text()) == len(whole) + 33


@pytest.mark.usefixtures("short_pieces")
@for_each("place", [0, 3, 4, 5, 9])
@for_each("line", ["", "a", "A" * 32, "é" * 16, "a" * 33, "\0" * 200])
@for_each("rest", ["", "half a line"])
def test_a_damaged_line_is_named(path: Path, place: int, line: str, rest: str) -> None:
    """A line of another format makes the file unusable, wherever it is; the file does not change."""
    write(path, 10)
    lines = path.read_text().splitlines()
    lines.insert(1 + place, line)
    path.write_text("\n".join([*lines, rest]), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"its line {place + 2} is damaged"):
        opened(path)
    assert path.read_bytes() == before


@for_each("content", ["{}", '{"journal": "PermutiveAPI 1"}', "x" * 400])
def test_a_first_line_without_an_end(path: Path, content: str) -> None:
    """Only an incomplete first line of this job is written again."""
    path.write_text(content)
    with pytest.raises(ValueError, match="it is not a journal"):
        opened(path)
    assert path.read_text() == content
