"""PERMUTIVE_API_BASE_URL in a .env that other users may write."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import List, Optional

import pytest

from PermutiveAPI import Cohort
from PermutiveAPI._Utils import settings
from PermutiveAPI._Utils.base_url import base_url
from PermutiveAPI._Utils.settings import API_BASE_URL
from tests.support.fake_service import FakeService, answer

if sys.platform == "win32":
    pytest.skip("modes do not tell there who may write", allow_module_level=True)

import grp
import pwd

ELSEWHERE = "https://collector.example"


def origin_now() -> Optional[str]:
    """Read the variable as a call does."""
    return base_url(settings.text(API_BASE_URL))


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory two folders below the folder of .env."""
    below = tmp_path / "project" / "scripts"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    return below


def write_dotenv(path: Path, origin: str, mode: int = 0o600) -> Path:
    """Write a .env with a base URL."""
    path.write_text(f"{API_BASE_URL}={origin}\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("file_mode", "folder_mode"),
    [(0o602, 0o700), (0o666, 0o700), (0o644, 0o707), (0o600, 0o777), (0o600, 0o1777)],
    ids=["file", "file-for-all", "folder", "folder-for-all", "sticky-folder"],
)
def test_hostile_dotenv_above(work: Path, tmp_path: Path, file_mode: int, folder_mode: int) -> None:
    """A base URL is refused before any request if others may write to the .env or its folder."""
    hostile = write_dotenv(tmp_path / ".env", ELSEWHERE, file_mode)
    tmp_path.chmod(folder_mode)
    place = hostile if file_mode & 0o002 else tmp_path
    with pytest.raises(ValueError) as caught:
        Cohort.list(api_key="secret")
    assert str(caught.value) == (
        f"PERMUTIVE_API_BASE_URL comes from {hostile}, but other users may write to {place}, and "
        "could redirect your key. Remove that permission (chmod go-w), move the file out of a "
        "shared folder such as /tmp, or set the variable in the environment."
    )
    with pytest.raises(ValueError, match="collector|other users"):
        Cohort.batch_delete([Cohort("Fans", id="1")], api_key="secret")
    tmp_path.chmod(0o700)
    hostile.chmod(0o600)
    assert origin_now() == ELSEWHERE


@pytest.mark.parametrize("folder", ["where-it-is", "where-it-leads"])
def test_link_to_a_dotenv(work: Path, tmp_path: Path, folder: str) -> None:
    """If the .env is a link, others may write neither to its folder nor to that of its target."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / ".env").symlink_to(write_dotenv(kept / "settings", ELSEWHERE))
    assert origin_now() == ELSEWHERE
    place = {"where-it-is": tmp_path, "where-it-leads": kept}[folder]
    place.chmod(0o777)
    with pytest.raises(ValueError, match=f"comes from {tmp_path / '.env'}, .* {place}, "):
        origin_now()


@pytest.mark.parametrize(
    ("group", "allowed"),
    [
        (("me", 7, []), True),
        (("me", 7, ["me"]), True),
        (("me", 7, ["me", "you"]), False),
        (("staff", 7, []), False),
        (("me", 8, []), False),
        (None, False),
    ],
    ids=["own", "own-named", "shared", "common", "not-the-first", "unknown"],
)
@pytest.mark.parametrize("place", ["file", "folder"])
def test_group_may_write(
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    group: "tuple[str, int, List[str]] | None",
    allowed: bool,
    place: str,
) -> None:
    """A group that may write counts as others, unless the owner is its only member."""

    def group_of(number: int) -> SimpleNamespace:
        if group is None:
            raise KeyError(number)
        name, own, members = group
        return SimpleNamespace(gr_name=name, gr_gid=own, gr_mem=members)

    owner = SimpleNamespace(pw_name="me", pw_gid=7)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: owner)
    monkeypatch.setattr(grp, "getgrgid", group_of)
    path = write_dotenv(tmp_path / ".env", ELSEWHERE)
    path.chmod(0o660) if place == "file" else tmp_path.chmod(0o770)
    if allowed:
        assert origin_now() == ELSEWHERE
    else:
        with pytest.raises(ValueError, match=f"comes from {path}"):
            origin_now()


def test_group_that_only_reads(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that may only read is allowed, whoever its members are."""
    staff = SimpleNamespace(gr_name="staff", gr_gid=7, gr_mem=["you"])
    monkeypatch.setattr(grp, "getgrgid", lambda number: staff)
    write_dotenv(tmp_path / ".env", ELSEWHERE, 0o640)
    tmp_path.chmod(0o750)
    assert origin_now() == ELSEWHERE


def test_loopback_from_any_dotenv(
    work: Path, tmp_path: Path, server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loopback address is accepted from any .env, since requests stay on the machine."""
    write_dotenv(tmp_path / ".env", server.url, 0o666)
    tmp_path.chmod(0o777)
    monkeypatch.delenv(API_BASE_URL)
    server.script.append(answer(body=[]))
    assert Cohort.list(api_key="secret") == []
    assert [each.path for each in server.received] == ["/cohorts-api/v2/cohorts/"]


@pytest.mark.parametrize(
    ("origin", "is_loopback"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080", True),
        ("https://LOCALHOST", True),
        ("http://127.0.0.1.collector.example", False),
        ("http://localhost.collector.example", False),
        ("http://0.0.0.0", False),
        ("http://192.168.0.1", False),
    ],
)
def test_what_is_loopback(work: Path, tmp_path: Path, origin: str, is_loopback: bool) -> None:
    """127.*, ::1 and localhost are loopback; names that only look similar are not."""
    write_dotenv(tmp_path / ".env", origin, 0o666)
    if is_loopback:
        assert origin_now() == origin
    else:
        with pytest.raises(ValueError, match="other users"):
            origin_now()


def test_environment_is_trusted(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A base URL of the process environment is accepted, whoever may write to a .env."""
    write_dotenv(tmp_path / ".env", ELSEWHERE, 0o666)
    monkeypatch.setenv(API_BASE_URL, "https://staging.example")
    assert origin_now() == "https://staging.example"
