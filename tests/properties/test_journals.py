"""A job that is started again and again, whatever fails and however often requests repeat."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from PermutiveAPI import BatchRequest, stream_batch
from PermutiveAPI._Utils.batch import journal as module
from PermutiveAPI._Utils.batch.journal import Journal
from tests.support.calls import KEY
from tests.support.fake_service import FakeService, answer

URL = "https://api.permutive.app/v9/things"

# So few that they repeat.
NAMES = "abc"
RUNS = st.lists(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=9), max_size=4)

# So alike that the end of one and the beginning of the next often look like a third.
ENDS = [b"", b"\x01", b"\x01\x01", b"\x01" + bytes(13)]
DIGESTS = st.sampled_from([end.rjust(16, b"\x00") for end in ENDS])


@given(runs=RUNS, piece=st.integers(1, 3))
def test_each_run_sends_what_is_not_done(
    server: FakeService, tmp_path: Path, runs: List[List[Tuple[str, bool]]], piece: int
) -> None:
    """Each success in the runs before skips one equal request."""
    journal = tmp_path / "job.journal"
    journal.unlink(missing_ok=True)
    done: Counter[str] = Counter()
    for run in runs:
        left = done.copy()
        expected: List[str] = []
        server.received.clear()
        server.script = []
        for name, succeeds in run:
            if left[name]:
                left[name] -= 1
                continue
            expected.append(name)
            server.script.append(answer(200 if succeeds else 400, {}))
            done[name] += succeeds
        requests = [BatchRequest("POST", f"{URL}/{name}") for name, _ in run]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_LINES_AT_A_TIME", piece)
            for _ in stream_batch(requests, api_key=KEY, journal=journal, max_workers=1):
                pass
        assert [seen.path.rpartition("/")[2] for seen in server.received] == expected


@given(recorded=st.lists(DIGESTS, max_size=30), asked=st.lists(DIGESTS, max_size=60))
def test_digests_that_look_alike(tmp_path: Path, recorded: List[bytes], asked: List[bytes]) -> None:
    """A digest is done as often as it was recorded, even if its bytes occur across two others."""
    path = tmp_path / "job.journal"
    path.unlink(missing_ok=True)
    journal = Journal(path, "stream_batch", "https://h", KEY)
    for position, digest in enumerate(recorded):
        journal.note(position, digest)
    journal.record()
    journal.close()
    journal = Journal(path, "stream_batch", "https://h", KEY)
    left = Counter(recorded)
    for digest in [*asked, *recorded, *asked]:
        assert journal.skip_if_done(digest) is (left[digest] > 0)
        left[digest] -= left[digest] > 0
    journal.close()
