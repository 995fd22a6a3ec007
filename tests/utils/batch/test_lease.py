"""The file that tells the processes of a machine that a batch goes on."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from PermutiveAPI._Utils.batch.lease import Lease, has_ended


def test_a_lease_ends_once() -> None:
    """The file is there until the end, for its owner only; a batch without a file never ends for others."""
    lease = Lease()
    path = lease.renew()
    assert path is not None and not has_ended(path)
    if os.name == "posix":
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    lease.end()
    assert has_ended(path)
    lease.end()
    assert not has_ended(None)


def test_a_file_that_a_cleaner_has_removed_comes_back() -> None:
    """Otherwise the processes would send nothing more, for ever."""
    lease = Lease()
    path = Path(str(lease.renew()))
    path.unlink()
    assert lease.renew() == str(path) and path.exists()
    lease.end()


def test_no_folder_for_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a batch runs without a lease."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    lease = Lease()
    assert lease.renew() is None
    lease.end()
