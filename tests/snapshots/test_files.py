"""The files of a snapshot: what they say, their names, and which of them are written and removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI import PermutiveServerError, Progress, Workspace
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.snapshots import Saved, Snapshot
from PermutiveAPI.snapshots.names import file_name, key_in, safe_key
from tests.snapshots.archive import FANS, SUBSCRIBERS, Archive
from tests.support.fake_service import FakeService, answer
from tests.support.mistakes import assert_raises
from tests.support.platforms import needs_posix


def test_a_cohort(archive: Archive) -> None:
    """The file of a cohort has its definition, sorted, and the query in words. It has no sizes and times."""
    archive.save()
    query = {
        "during": {"the_last": {"unit": "days", "value": 30}},
        "event": "Pageview",
        "frequency": {"greater_than_or_equal_to": 3},
        "where": {
            "condition": {"contains": "/sport/football"},
            "property": "properties.client.url",
        },
    }
    data = {
        "code": 12345,
        "description": "Football Fans, kept by the audience team.",
        "id": "68d8bf84-f570-44a9-abbb-d9f78d4361c0",
        "name": "Football Fans",
        "query": query,
        "segment_type": "real_time",
        "sentence": 'Users who had at least 3 "Pageview" events in the last 30 days where '
        'properties.client.url contains "/sport/football"',
        "snapshot": 1,
        "state": "Enabled",
        "subject_entity_level": "user",
        "tags": ["editorial", "sport"],
        "workspace_id": archive.workspace.workspace_id,
    }
    text = archive.path(FANS).read_bytes()
    assert text == (json.dumps(data, indent=2) + "\n").encode()


def test_an_import(archive: Archive) -> None:
    """The file of an import has its segments by code. Nothing says who may read its source."""
    archive.save()
    data = archive.read(SUBSCRIBERS)
    segments = data.pop("segments")
    assert data == {
        "code": "subscribercrm",
        "id": archive.market.id,
        "identifiers": ["email_sha256", "internal"],
        "name": "Subscriber CRM",
        "relation": "2nd",
        "snapshot": 1,
        "source": {"id": archive.workspace.imports()[0].source.id, "type": "gcs"},
    }
    codes = [each["code"] for each in segments]
    assert (len(codes), codes) == (25, sorted(codes))
    assert segments[0] == {
        "categories": ["east", "subscriptions"],
        "code": "DigitalEast",
        "description": "Readers with a digital subscription (East).",
        "id": archive.market.list().code_dictionary["DigitalEast"].id,
        "name": "Digital subscribers, East",
    }


def test_prices(archive: Archive) -> None:
    """A price is written as the same number, however the service writes it. No price is not written."""
    archive.market.put(*(archive.market.segment(f"p_{n}", cpm=n) for n in (0, 2, 2.5)[:2]))
    archive.save()
    found = {each["code"]: each for each in archive.read(SUBSCRIBERS)["segments"]}
    assert "cpm" not in found["p_0"]
    assert repr(found["p_2"]["cpm"]) == "2.0"


def test_what_is_read(archive: Archive) -> None:
    """Each own cohort is fetched once. Nothing is written to the service."""
    archive.save()
    paths = [each.path for each in archive.sandbox.requests]
    assert len(paths) == len({*paths}) == 1 + 6 + 1 + 2
    assert archive.writes() == []


def test_inherited_cohorts(archive: Archive) -> None:
    """Cohorts of a workspace above are saved by name only, without a request for each."""
    archive.workspace = archive.club.brand
    archive.save()
    assert archive.read("inherited/12345 football-fans.json") == {
        "code": 12345,
        "id": "68d8bf84-f570-44a9-abbb-d9f78d4361c0",
        "name": "Football Fans",
        "snapshot": 1,
        "workspace_id": archive.club.group.workspace_id,
    }
    names = [each.split("/")[0] for each in archive.files()]
    assert (names.count("cohorts"), names.count("inherited"), names.count("imports")) == (3, 6, 2)
    assert len(archive.sandbox.requests) == 1 + 3 + 1 + 2
    assert archive.read(SUBSCRIBERS)["inheritance"]["relation"] == "ancestor"


def test_fetched_cohorts_without_their_workspace(server: FakeService) -> None:
    """A cohort that was fetched may lack its workspace. The list has it."""
    listed = {"id": "c-1", "code": 1, "name": "A", "workspace_id": "w-1"}
    fetched = {"id": "c-1", "code": 1, "name": "A", "query": {"in_segment": 2}}
    server.script = [answer(200, each) for each in ([listed], fetched, {"items": []})]
    snapshot = Snapshot.of(Workspace("W", "o-1", "w-1", "key"))
    assert [(each.query, each.workspace_id) for each in snapshot.cohorts] == [
        ({"in_segment": 2}, "w-1")
    ]


def test_progress(archive: Archive) -> None:
    """The progress counts the cohorts."""
    seen: List[Progress] = []
    archive.workspace.snapshot(archive.folder, max_workers=1, progress_callback=seen.append)
    assert [(each.completed, each.total) for each in seen] == [(n, 6) for n in range(1, 7)]


def test_a_read_only_key_is_enough(archive: Archive) -> None:
    """A snapshot needs no key that may write."""
    archive.workspace.api_key = archive.sandbox.read_only_api_key
    assert archive.save() == (8, 0, 0)


def test_no_key_in_the_files(archive: Archive) -> None:
    """No file holds a key."""
    archive.save()
    text = b"".join(archive.files().values()).decode()
    for key in (archive.sandbox.api_key, archive.sandbox.read_only_api_key):
        assert key not in text


# --- Twice ---------------------------------------------------------------------------------------


def stamps(archive: Archive) -> Dict[str, int]:
    """Return the inode of each file, which is another one once it was replaced."""
    return {name: archive.path(name).stat().st_ino for name in archive.files()}


def test_twice_gives_no_difference(archive: Archive) -> None:
    """A second snapshot touches no file."""
    assert archive.save() == Saved(written=8, unchanged=0, removed=0)
    before, files = stamps(archive), archive.files()
    for cohort in archive.club.list()[:3]:  # Sizes and times change.
        archive.club.edit(int(cohort.code or 0), description="other")
        archive.club.edit(int(cohort.code or 0), description=cohort.description)
    assert archive.save() == Saved(written=0, unchanged=8, removed=0)
    assert (stamps(archive), archive.files()) == (before, files)


def test_tags_in_another_order_are_no_difference(archive: Archive) -> None:
    """The service may return tags and categories in any order."""
    archive.save()
    archive.club.edit(12345, tags=["editorial", "sport"])
    assert archive.save().written == 0


def test_only_what_differs_is_written(archive: Archive) -> None:
    """The file of a changed cohort is replaced, that of a deleted one is removed, a new one is added."""
    archive.save()
    before = stamps(archive)
    archive.club.edit(12345, tags=["other"])
    archive.club.get(12346).delete(archive.club.key)
    archive.club.put("New One")
    assert archive.save() == Saved(written=2, unchanged=6, removed=1)
    after = stamps(archive)
    assert before.keys() - after.keys() == {"cohorts/12346 premier-league-followers.json"}
    assert after.keys() - before.keys() == {"cohorts/12387 new-one.json"}
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert changed == {FANS}


def test_line_ends_of_git_are_no_difference(archive: Archive) -> None:
    """Git on Windows may have changed the line ends. Such a file is not written again."""
    archive.save()
    path = archive.path(FANS)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert archive.save().written == 0


def test_a_renamed_cohort_has_one_file(archive: Archive) -> None:
    """The file gets the new name. The old one is gone, and does not count as removed."""
    archive.save()
    archive.club.edit(12345, name="Soccer Fans")
    assert archive.save() == Saved(written=1, unchanged=7, removed=0)
    assert not archive.path(FANS).exists()
    assert archive.read("cohorts/12345 soccer-fans.json")["name"] == "Soccer Fans"


def test_two_files_of_one_cohort(archive: Archive) -> None:
    """After a merge, a cohort may have a file under its old name, too. That one is removed."""
    archive.save()
    archive.path("cohorts/12345 soccer-fans.json").write_bytes(archive.path(FANS).read_bytes())
    assert archive.save() == Saved(written=0, unchanged=8, removed=1)
    assert len(archive.saved().cohorts) == 6


# --- Foreign files -------------------------------------------------------------------------------


FOREIGN = {
    "README.md": "Our cohorts.",
    "cohorts/notes.json": "{}",
    "cohorts/12345 football-fans (copy).json": '{"snapshot": 1, "code": 12345}',
    "cohorts/my notes.json": '{"notes": []}',
    "cohorts/99999 without-mark.json": '{"code": 99999}',
    "cohorts/99998 another-code.json": '{"snapshot": 1, "code": 1, "id": "1"}',
    "cohorts/99997 list.json": "[]",
    "cohorts/.gitkeep": "",
    "other/12345 football-fans.json": '{"snapshot": 1, "code": 12345}',
}


def test_foreign_files_stay(archive: Archive) -> None:
    """A file without the mark, or with a name that its content does not give, is never removed."""
    archive.save()
    for name, text in FOREIGN.items():
        archive.path(name).parent.mkdir(exist_ok=True)
        archive.path(name).write_text(text)
    archive.club.get(12346).delete(archive.club.key)
    assert archive.save() == Saved(written=0, unchanged=7, removed=1)
    found = archive.files()
    assert {name: found[name].decode() for name in FOREIGN} == FOREIGN


@pytest.mark.parametrize("text", ["{}", "<<<<<<< HEAD", "[1]"], ids=["no mark", "broken", "list"])
def test_a_foreign_file_in_the_way(archive: Archive, text: str) -> None:
    """A file that no snapshot wrote is not overwritten. Then nothing at all is written."""
    archive.save()
    archive.path(FANS).write_text(text)
    archive.club.edit(12346, tags=["other"])
    before = archive.files()
    assert_raises(
        archive.save,
        ValueError,
        f"{archive.path(FANS)}: nothing was written, because no snapshot wrote this file. Move it away.",
    )
    assert archive.files() == before


def test_a_folder_in_the_way(archive: Archive) -> None:
    """A folder with the name of a file is refused, too."""
    archive.path(FANS).mkdir(parents=True)
    with pytest.raises(ValueError, match="nothing was written"):
        archive.save()


def test_the_folder_of_another_workspace(archive: Archive) -> None:
    """A workspace does not replace the snapshot of another one."""
    archive.save()
    before = archive.files()
    archive.workspace = archive.club.brand
    assert_raises(
        archive.save,
        ValueError,
        f"{archive.path('snapshot.json')}: nothing was written, because this is a snapshot of another "
        f"workspace, {archive.club.group.workspace_id}. Each workspace needs a folder of its own.",
    )
    assert archive.files() == before


# --- Interruptions -------------------------------------------------------------------------------


def test_nothing_is_written_if_something_cannot_be_read(archive: Archive) -> None:
    """Everything is read before the first file is written."""
    archive.sandbox.fail_next(status=500, times=9, path="/audience-api/")
    with pytest.raises(PermutiveServerError):
        archive.save()
    assert archive.files() == {}


def test_a_cohort_that_is_deleted_meanwhile(archive: Archive) -> None:
    """A cohort that is listed, but gone when it is fetched, is left out."""
    archive.sandbox.fail_next(status=404, path="/cohorts-api/v2/cohorts/68d8bf84")
    assert archive.save() == (7, 0, 0)
    assert not archive.path(FANS).exists()


def test_a_cohort_that_cannot_be_fetched(archive: Archive) -> None:
    """A snapshot is whole or not made."""
    archive.sandbox.fail_next(status=403, path="/cohorts-api/v2/cohorts/68d8bf84")
    with pytest.raises(Exception, match="403|permission|Forbidden|denied"):
        archive.save()
    assert archive.files() == {}


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """Let the disk be full after some files: a test puts their number into the list.

    After them, one more file is written in part. If the number is -1, not even an empty file is made.
    """
    room: List[int] = []
    write = Path.write_bytes

    def write_bytes(path: Path, data: Any) -> int:
        if room and room[0] <= 0:
            if room[0] == 0:
                write(path, data[:10])
            raise OSError(28, "No space left on device")
        if room:
            room[0] -= 1
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    return room


def test_an_interrupted_first_snapshot(archive: Archive, full_disk: List[int]) -> None:
    """It is not taken for a whole one, and leaves no half file. The next snapshot completes it."""
    full_disk.append(5)
    with pytest.raises(OSError, match="No space") as caught:
        archive.save()
    assert len(archive.files()) == 5
    named = Path(caught.value.filename).relative_to(archive.folder)
    assert named.parts[0] == "cohorts" and named.suffix == ".json"
    assert key_in(named.name) and str(named) not in archive.files()
    assert_raises(
        archive.saved,
        ValueError,
        f"{archive.folder}: there is no snapshot here, because snapshot.json is missing. It is written "
        "last, so perhaps the first snapshot was interrupted.",
    )
    full_disk.clear()
    assert archive.save() == Saved(written=3, unchanged=5, removed=0)


@pytest.mark.parametrize("room", [0, -1])
def test_an_interrupted_later_snapshot(archive: Archive, full_disk: List[int], room: int) -> None:
    """Each file is the old or the new one, also that of a renamed cohort."""
    archive.save()
    before = archive.saved()
    archive.club.edit(12345, name="Soccer Fans", tags=["other"])
    archive.club.get(12346).delete(archive.club.key)
    full_disk.append(room)
    with pytest.raises(OSError, match="No space"):
        archive.save()
    assert len(archive.files()) == 9
    assert not before.plans_to(archive.saved())
    full_disk.clear()
    assert archive.save() == Saved(written=1, unchanged=6, removed=1)


LARGE_FILE = """
import resource, sys
from PermutiveAPI import Cohort, CohortList, ImportList
from PermutiveAPI.snapshots import Snapshot

cohorts = [Cohort(str(code), id=f"id-{code}", code=code, description="x" * code) for code in (1, 2000)]
snapshot = Snapshot("w-1", CohortList(cohorts), CohortList(), ImportList())
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # As if the disk were full then.
snapshot.write(sys.argv[1])
"""


@needs_posix
def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    """The error says which file could not be written."""
    command = [sys.executable, "-c", LARGE_FILE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    cohorts = tmp_path / "cohorts"
    assert done.stderr.splitlines()[-1] == (
        f"OSError: [Errno 27] File too large: '{cohorts / '2000 2000.json'}'"
    )
    assert [each.name for each in cohorts.iterdir()] == ["1 1.json"]


def test_what_a_killed_snapshot_left(archive: Archive) -> None:
    """The next snapshot removes it."""
    archive.save()
    left = archive.path("cohorts/.snapshot-4711.tmp")
    left.write_text("{")
    assert archive.save() == Saved(written=0, unchanged=8, removed=0)
    assert not left.exists()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_the_modes_of_the_files(archive: Archive) -> None:
    """The files have the modes of any new file, so that git and others can read them."""
    archive.save()
    other = archive.path("other")
    other.write_text("")
    assert archive.path(FANS).stat().st_mode == other.stat().st_mode


# --- Names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name", "expected"),
    [
        ("1", "Football / Rugby", "1 football-rugby.json"),
        ("1", "../../etc/passwd", "1 etc-passwd.json"),
        ("1", "..", "1 unnamed.json"),
        ("1", "", "1 unnamed.json"),
        ("1", "CON", "1 con.json"),
        ("1", "a\0b\n\x1b[31m", "1 a-b-31m.json"),
        ("1", "Fußball Über Ångström", "1 fuball-uber-angstrom.json"),
        ("1", "日本", "1 unnamed.json"),
        ("1", "\ud800x", "1 x.json"),
        ("1", "x" * 300, f"1 {'x' * 60}.json"),
        ("1", f"{'x' * 59} y", f"1 {'x' * 59}.json"),
        ("con", "a", "con a.json"),
    ],
)
def test_names(key: str, name: str, expected: str) -> None:
    """The name of a file has no sign that a system does not allow, and is not too long."""
    assert file_name(key, name) == expected
    assert key_in(expected) == key


@pytest.mark.parametrize("key", ["News", "news/1", "..", "a b", "~", "x" * 61, "\ud800", "é"])
def test_keys_that_are_not_safe(key: str) -> None:
    """Such a key has a hash, so two keys never have one file, also where "A" is "a"."""
    safe = safe_key(key)
    assert safe == safe_key(key)
    assert key_in(file_name(key, "a")) == safe
    others = {
        safe_key(other) for other in (key.swapcase(), f"{key}x", key[:-1], safe) if other != key
    }
    assert safe not in others
    assert len(safe) < 80


def test_names_that_differ_only_in_case(archive: Archive) -> None:
    """Cohorts with the same or nearly the same name have a file each."""
    names = ["Same", "same", "SAME", "Same", "Sa/me", "con", "..", "x" * 400]
    for name in names:
        archive.club.put(name)
    assert archive.save().written == 8 + len(names)
    lower = [name.lower() for name in archive.files()]
    assert len(lower) == len({*lower})
    assert [each.name for each in archive.saved().cohorts][-len(names) :] == names
    assert not archive.drift()


def test_imports_with_one_code(sandbox: Sandbox, archive: Archive) -> None:
    """Two imports that share a code have files with their ids."""
    for stored in sandbox._state.imports.values():
        stored.facts["code"] = "same"
    archive.save()
    ids = {each.id for each in archive.workspace.imports(force_refresh=True)}
    assert {key_in(each.name) for each in archive.path("imports").iterdir()} == ids
    assert not archive.drift()


def test_half_a_character(archive: Archive) -> None:
    """A text that UTF-8 cannot hold is written with an escape, and read again."""
    archive.save()
    archive.edit(FANS, description="half: \ud83d")
    archive.saved().write(archive.folder)
    assert b'"half: \\ud83d"' in archive.path(FANS).read_bytes()
    assert archive.saved().cohorts.code_dictionary["12345"].description == "half: \ud83d"
    assert archive.saved().write(archive.folder).written == 0
