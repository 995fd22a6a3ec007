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
    """Yield the descriptors of this process that have a file open."""
    for name in os.listdir("/dev/fd"):
        try:
            if os.path.samestat(os.fstat(int(name)), path.stat()):
                yield int(name)
        except OSError:  # The descriptor that listed the folder.
            continue


@pytest.mark.skipif(not os.path.isdir("/dev/fd"), reason="open files are not listed")
def test_a_copy_of_the_file_keeps_nobody_out(server: FakeService, tmp_path: Path) -> None:
    """The next job may use the journal, even if a process that was forked during the last one has it open."""
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
