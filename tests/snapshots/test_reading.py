"""Reading the folder of a snapshot: what is read, and errors that name the file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from PermutiveAPI.snapshots import Snapshot
from tests.cli.commands import run
from tests.snapshots.archive import FANS, SUBSCRIBERS, Archive
from tests.support.mistakes import assert_raises


def test_what_is_read(archive: Archive) -> None:
    """The cohorts and segments of the files are those of the service, without sizes and times."""
    archive.begin()
    saved, now = archive.saved(), archive.now()
    assert repr(saved) == "<Snapshot: 6 cohorts, 0 inherited, 2 imports, 85 segments>" == repr(now)
    assert saved.workspace_id == archive.workspace.workspace_id
    fans = saved.cohorts.code_dictionary["12345"]
    there = now.cohorts.code_dictionary["12345"]
    assert (fans.id, fans.query, fans.state) == (there.id, there.query, there.state)
    assert (fans.live_audience_size, fans.created_at, fans.last_updated_at) == (None, None, None)
    segments = saved.imports.code_dictionary["inmarket"].segments
    assert segments is not None
    segment = segments.code_dictionary["700100"]
    expected = now.imports.code_dictionary["inmarket"].segments
    assert expected is not None
    found = expected.code_dictionary["700100"]
    assert (segment.cpm, segment.id, segment.import_id) == (found.cpm, found.id, found.import_id)
    assert (segment.created_at, segment.updated_at) == (None, None)


def test_written_again(archive: Archive) -> None:
    """What was read and written again is the same."""
    archive.begin()
    before = archive.files()
    archive.sandbox.clear_requests()
    saved = archive.saved()
    assert saved.write(archive.folder) == (0, 8, 0)
    shutil.rmtree(archive.folder)
    assert saved.write(archive.folder) == (8, 0, 0)
    assert archive.files() == before
    assert archive.sandbox.requests == []


def test_foreign_files_are_left_out(archive: Archive) -> None:
    """Only files that a snapshot may have written are read."""
    archive.begin()
    archive.path("cohorts/notes.json").write_text("{")
    archive.path("cohorts/my notes.json").write_text('{"a": 1}')
    archive.path("cohorts/12345 football-fans.json.orig").write_text("{")
    archive.path("cohorts/a folder").mkdir()
    assert len(archive.saved().cohorts) == 6


def test_a_file_of_an_editor(archive: Archive) -> None:
    """A byte order mark and other white space do not matter."""
    archive.begin()
    text = archive.path(FANS).read_text().replace("\n", "\r\n")
    archive.path(FANS).write_text(f"\ufeff{text}", encoding="utf-8")
    assert not archive.drift()


WRONG: Any = [
    ("code", None, "it has no 'code'"),
    ("code", True, "'code' must be a number or a text that is not empty, got True"),
    ("code", [1], "'code' must be a number or a text that is not empty, got [1]"),
    ("id", "", "'id' must be a text that is not empty, got ''"),
    ("name", " ", "'name' must be a text that is not empty, got ' '"),
    ("query", "x", "'query' must be an object, got 'x'"),
    ("tags", "sport", "'tags' must be a list of texts, got 'sport'"),
    ("tags", [1], "'tags' must be a list of texts, got [1]"),
    ("state", 1, "'state' must be a text, got 1"),
    ("descripton", "x", "it has an unknown member 'descripton'"),
    ("snapshot", 2, "a file of a snapshot of format 1 is expected, not of 2"),
]


@pytest.mark.parametrize(("member", "value", "text"), WRONG)
def test_a_wrong_member_of_a_cohort(archive: Archive, member: str, value: Any, text: str) -> None:
    """The error names the file and the member."""
    archive.begin()
    archive.edit(FANS, **{member: value})
    assert_raises(archive.saved, ValueError, f"{archive.path(FANS)}: {text}")


def test_a_wrong_segment(archive: Archive) -> None:
    """The error also names the place of the segment."""
    archive.begin()
    segments = archive.read(SUBSCRIBERS)["segments"]
    path = archive.path(SUBSCRIBERS)
    archive.edit(SUBSCRIBERS, segments=[segments[0], {**segments[1], "cpm": "1"}])
    assert_raises(
        archive.saved, ValueError, f"{path}: segments[1]: 'cpm' must be a number, got '1'"
    )
    for cpm in (float("nan"), 10**400):
        archive.edit(SUBSCRIBERS, segments=[{**segments[0], "cpm": cpm}])
        problem = f"{path}: segments[0]: 'cpm' must be a number, got {cpm!r:.80}"
        assert_raises(archive.saved, ValueError, problem)
    archive.edit(SUBSCRIBERS, segments=[segments[0], {"code": "a"}])
    assert_raises(archive.saved, ValueError, f"{path}: segments[1]: it has no 'name'")
    archive.edit(SUBSCRIBERS, segments=[segments[0], segments[0]])
    text = "segments[1]: another segment has the code 'DigitalEast'"
    assert_raises(archive.saved, ValueError, f"{path}: {text}")
    archive.edit(SUBSCRIBERS, segments="x")
    assert_raises(
        archive.saved, ValueError, f"{path}: 'segments' must be a list of objects, got 'x'"
    )
    archive.edit(SUBSCRIBERS, segments=[], source={"id": 1})
    assert_raises(archive.saved, ValueError, f"{path}: 'id' must be a text, got 1")


@pytest.mark.parametrize("name", [FANS, SUBSCRIBERS, "snapshot.json"])
def test_a_broken_file(archive: Archive, name: str) -> None:
    """A file with the marks of a conflict is an error that names it."""
    archive.begin()
    archive.path(name).write_text("<<<<<<< HEAD\n")
    assert_raises(
        archive.saved,
        ValueError,
        f"{archive.path(name)}: it is not valid JSON: Expecting value: line 1 column 1 (char 0)",
    )


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_no_file_under_the_name_of_one(archive: Archive, kind: str) -> None:
    """A folder or a dangling link instead of a file is an error. Its cohort is not taken for missing."""
    archive.begin()
    path = archive.path(FANS)
    path.unlink()
    path.mkdir() if kind == "folder" else path.symlink_to("nowhere")
    text = f"{path}: a file is expected, not a folder or a link that leads nowhere"
    assert_raises(archive.saved, ValueError, text)
    done = run("drift", str(archive.folder), "--restore", "--yes")
    assert (done.status, done.out) == (2, "")
    assert text in done.err


@pytest.mark.parametrize("kind", ["file", "link"])
def test_no_folder_under_the_name_of_one(archive: Archive, kind: str) -> None:
    """So is a file or a dangling link instead of the folder of all cohorts."""
    archive.begin()
    path = archive.path("cohorts")
    shutil.rmtree(path)
    path.write_text("") if kind == "file" else path.symlink_to("nowhere")
    with pytest.raises(OSError) as caught:
        archive.saved()
    assert str(path) in str(caught.value)
    done = run("drift", str(archive.folder), "--restore", "--yes")
    assert (done.status, done.out) == (1, "")
    assert str(path) in done.err


def test_a_file_that_is_not_text(archive: Archive) -> None:
    """So is a file in another encoding, or one that is nested too deeply."""
    archive.begin()
    for content in (b"\xff\xfe", b"[" * 100_000):
        archive.path(FANS).write_bytes(content)
        with pytest.raises(ValueError, match="12345 football-fans.json: it is not valid JSON"):
            archive.saved()


def test_two_files_of_one_cohort(archive: Archive) -> None:
    """It is not clear which of them is meant."""
    archive.begin()
    other = archive.path("cohorts/12345 soccer-fans.json")
    shutil.copy(archive.path(FANS), other)
    assert_raises(
        archive.saved,
        ValueError,
        f"{other}: 12345 football-fans.json has the same id, '68d8bf84-f570-44a9-abbb-d9f78d4361c0'",
    )


def test_a_cohort_of_another_workspace(archive: Archive) -> None:
    """Its codes mean other cohorts here. So a file that was moved from another snapshot is refused."""
    archive.begin()
    archive.edit(FANS, workspace_id="w-2")
    assert_raises(
        archive.saved,
        ValueError,
        f"{archive.folder}: the cohort 'Football Fans' (12345) belongs to another workspace, w-2",
    )


def test_no_snapshot(tmp_path: Path) -> None:
    """A folder that is missing or empty has no snapshot."""
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(ValueError, match=f"{folder}: there is no snapshot here"):
            Snapshot.read(folder)


@pytest.mark.parametrize("text", ['{"snapshot": 1}', '{"snapshot": 1, "workspace_id": 1}'])
def test_a_manifest_without_a_workspace(archive: Archive, text: str) -> None:
    """The workspace must be known."""
    archive.begin()
    archive.path("snapshot.json").write_text(text)
    error = f"{archive.path('snapshot.json')}: it has no 'workspace_id'"
    assert_raises(archive.saved, ValueError, error)


def test_a_snapshot_of_a_later_version(archive: Archive) -> None:
    """Another format is refused, and not overwritten."""
    archive.begin()
    archive.edit("snapshot.json", snapshot=2)
    text = (
        f"{archive.path('snapshot.json')}: a file of a snapshot of format 1 is expected, not of 2"
    )
    assert_raises(archive.saved, ValueError, text)
    assert_raises(archive.save, ValueError, text)
