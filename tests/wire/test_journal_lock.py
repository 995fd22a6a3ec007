"""The lock of a journal ends with its job."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator

import pytest

from PermutiveAPI import BatchRequest, stream_batch
from tests.support.calls import KEY
from tests.support.fake_service import FakeService

URL = "https://api.permutive.app/v9/things"


def descriptors_of(path: Path) -> Iterator[int]:
    """Find the open files of this process that are the one at a path."""
    for name in os.listdir("/dev/fd"):
        try:
            if os.path.samestat(os.fstat(int(name)), path.stat()):
                yield int(name)
        except OSError:  # The one that listed the folder.
            continue


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="open files are not listed")
def test_a_copy_of_the_file_keeps_nobody_out(server: FakeService, tmp_path: Path) -> None:
    """A process forked during a job has the journal open, too; the next job may use it all the same."""
    journal = tmp_path / "job.journal"
    things = [BatchRequest("GET", f"{URL}/{number}") for number in range(9)]
    stream = stream_batch(things, api_key=KEY, journal=journal, max_workers=1)
    next(stream)
    (original,) = descriptors_of(journal)
    copy = os.dup(original)  # As a forked process has it.
    stream.close()
    try:
        rest = list(stream_batch(things, api_key=KEY, journal=journal))
    finally:
        os.close(copy)
    assert len(rest) < 9 and all(each.error is None for each in rest)
