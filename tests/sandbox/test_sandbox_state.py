"""The file that keeps a sandbox's data over restarts."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from PermutiveAPI import Cohort
from PermutiveAPI.sandbox import Sandbox
from tests.sandbox.conftest import COHORTS, IMPORTS, Client
from tests.support.platforms import needs_posix

ALIAS = {"tag": "t", "id": "i", "priority": 0}
EVENT = {"name": "Pageview", "properties": {"a": [1]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def client(sandbox: Sandbox) -> Client:
    """Return a client with the key of the top-level workspace."""
    return Client(sandbox, sandbox.api_key)


def everything(sandbox: Sandbox) -> Any:
    """Return all data, as the service shows it."""
    call = client(sandbox)
    sandbox.page_size = 100
    listed = call("GET", COHORTS, params={"include-child-workspaces": "true"}).json()
    imports = call.imports()
    return (
        listed,
        [call("GET", COHORTS + each["id"]).json() for each in listed],
        imports,
        [call("GET", f"{IMPORTS}/{each['id']}/segments").json() for each in imports],
        sandbox.aliases,
        sandbox._state.events,
    )


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, at most five seconds."""
    limit = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.005)


def has(path: Path, text: str) -> bool:
    """Tell whether a file exists and has a text in it."""
    return path.exists() and text in path.read_text()


# --- What is kept --------------------------------------------------------------------------------


def test_all_data_is_kept(path: Path) -> None:
    """A new sandbox has every cohort, import, segment, alias and event of the one before it."""
    with Sandbox(state_file=path) as sandbox:
        call = client(sandbox)
        cohorts = call("GET", COHORTS).json()
        call.created(name="Ünïcode", query={"deep": {"type": "users"}})
        call("PATCH", COHORTS + cohorts[0]["id"], json={"name": "Renamed", "description": None})
        call("DELETE", COHORTS + cohorts[1]["id"])
        segments = call.segments_path()
        call("POST", segments, json={"name": "New", "cpm": 0.5})
        call("PATCH", f"{segments}/code/DigitalNorth", json={"name": "Renamed"})
        call("DELETE", f"{segments}/code/DigitalSouth")
        call("POST", "/v2.0/identify", json={"user_id": "u", "aliases": [ALIAS]})
        call("POST", "/v2.0/events", json={**EVENT, "user_id": "u"})
        child = sandbox.credentials()[1]["workspace_id"]
        sandbox.seed(imports=[{"name": "Of the child", "workspace_id": child}])
        before = everything(sandbox)
    with Sandbox(state_file=str(path)) as sandbox:
        assert everything(sandbox) == before
        assert sandbox._state.events["u"][0]["properties"] == {"a": [1]}


def test_codes_are_given_once(path: Path) -> None:
    """The code of a cohort that was deleted before the restart is not given again."""
    with Sandbox(state_file=path) as sandbox:
        call = client(sandbox)
        call("DELETE", COHORTS + call.created()["id"])
    with Sandbox(state_file=path) as sandbox:
        assert client(sandbox).created()["code"] == 12388


def test_a_query_that_is_not_checked_is_kept(path: Path) -> None:
    """Data that was taken is taken again, whatever the switches are now."""
    with Sandbox(state_file=path, check_queries=False) as sandbox:
        client(sandbox).created(query={"evnt": "Pageview"})
    with Sandbox(state_file=path, check_queries=True) as sandbox:
        assert len(Cohort.list(sandbox.api_key)) == 29


def test_written_while_it_runs(path: Path) -> None:
    """The file is there when the sandbox runs, and has each change a moment later."""
    with Sandbox(state_file=path) as sandbox:
        assert has(path, "Football Fans")
        for name in ("Chess", "Draughts"):
            client(sandbox).created(name=name)
            wait_until(lambda name=name: has(path, name))
        sandbox.seed(cohorts=[{"name": "Seeded"}])
        wait_until(lambda: has(path, "Seeded"))
        sandbox.reset()
        wait_until(lambda: not has(path, "Chess"))


def test_a_partly_refused_batch_is_kept(path: Path) -> None:
    """A call that is refused and yet changes something is kept, too."""
    operations = [
        {"operation": "Create", "data": {"name": "Half"}},
        {"operation": "Delete", "code": "none"},
    ]
    with Sandbox(state_file=path, refused_bulk_is_partial=True) as sandbox:
        call = client(sandbox)
        sent = call("PATCH", call.segments_path(), json={"operations": operations})
        assert sent.status_code == 404
        wait_until(lambda: has(path, "Half"))


def test_only_the_owner_reads_it(path: Path) -> None:
    """The file's mode is 0600, even if it was another before; it holds no key; nothing is beside it."""
    with Sandbox(state_file=path):
        pass
    path.chmod(0o644)
    with Sandbox(state_file=path) as sandbox:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        keys = (sandbox.api_key, sandbox.child_api_key, sandbox.read_only_api_key)
        assert not any(key in path.read_text() for key in keys)
    assert os.listdir(path.parent) == [path.name]


def test_what_a_crash_has_left(path: Path) -> None:
    """A half-written new file of an earlier run is removed, and nothing else."""
    keep = [path.name, f".{path.name}.mine", ".other.json.x.permutive-sandbox"]
    for name in (*keep[1:], f".{path.name}.abc.permutive-sandbox"):
        (path.parent / name).write_text("half")
    with Sandbox(state_file=path):
        assert {*os.listdir(path.parent)} - {f".{path.name}.lock"} == {*keep}


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    """If the path is a symbolic link, its target is written."""
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with Sandbox(state_file=link):
        pass
    assert link.is_symlink() and has(path, "Football Fans")


def test_the_same_object_again(path: Path) -> None:
    """An object that is started again keeps its data again."""
    sandbox = Sandbox(state_file=path)
    for name in ("Chess", "Draughts"):
        with sandbox:
            client(sandbox).created(name=name)
            wait_until(lambda name=name: has(path, name))


def test_beside_first_data(path: Path, tmp_path: Path) -> None:
    """The state wins over a seed file; a reset goes back to the seed file's data."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"cohorts": [{"name": "Seeded", "query": {}}], "empty": True}))
    with Sandbox(state_file=path, seed_file=seed) as sandbox:
        client(sandbox).created(name="Created")
    with Sandbox(state_file=path, seed_file=seed) as sandbox:
        names = [each.name for each in Cohort.list(sandbox.api_key)]
        assert names == ["Seeded", "Created"]
        sandbox.reset()
        assert [each.name for each in Cohort.list(sandbox.api_key)] == ["Seeded"]


# --- What is refused -----------------------------------------------------------------------------


def state_with(**changes: Any) -> bytes:
    """Return a small state with other members."""
    empty = {"cohorts": [], "imports": [], "segments": [], "aliases": [], "events": {}}
    return json.dumps(
        {"format": "PermutiveAPI sandbox 1", "next_code": 1, **empty, **changes}
    ).encode()


def test_a_small_state_is_read(path: Path) -> None:
    """What the cases below change is a state, so that each is refused for its change."""
    path.write_bytes(state_with())
    with Sandbox(state_file=path) as sandbox:
        assert Cohort.list(sandbox.api_key) == []
        assert client(sandbox).created()["code"] == 12387


@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (b"\x80", "'utf-8' codec can't decode byte 0x80 in position 0: invalid start byte"),
        (b"[]", "an object is expected"),
        (b"{}", "format: PermutiveAPI sandbox 1 is expected"),
        (state_with(format="PermutiveAPI sandbox 2"), "format: PermutiveAPI sandbox 1 is expected"),
        (state_with(cohorts=None), "cohorts: null is not allowed"),
        (state_with(cohorts=[{"code": 1}]), "cohorts[0]: name: the field is required"),
        (state_with(next_code="1"), "next_code: a whole number is expected"),
        (state_with(aliases=[{"tag": "t", "id": "i"}]), "aliases: user_id: the field is required"),
        (state_with(events={"u": [1]}), "events: an object is expected"),
    ],
)
def test_another_file_is_left_as_it_is(path: Path, content: bytes, why: str) -> None:
    """A file that is broken, or is something else, is refused and never written."""
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        Sandbox(state_file=path)
    assert str(caught.value) == (
        f"{path} does not hold the state of a sandbox, and was left as it is. Name another file. ({why})"
    )
    assert path.read_bytes() == content


def test_a_half_written_state(path: Path) -> None:
    """A state that was cut off is refused."""
    with Sandbox(state_file=path):
        pass
    half = path.read_bytes()[:5000]
    path.write_bytes(half)
    with pytest.raises(ValueError, match="does not hold the state"):
        Sandbox(state_file=path)
    assert path.read_bytes() == half


def test_a_file_that_another_program_has_changed(path: Path) -> None:
    """What another program writes meanwhile is not overwritten; a warning and an error say so."""
    text = f"The sandbox cannot keep its state in {path}: another program has changed it."

    def run() -> None:
        with Sandbox(state_file=path) as sandbox:
            path.write_text("mine")
            client(sandbox).created()
            wait_until(lambda: bool(warned.list))

    with pytest.warns(RuntimeWarning) as warned, pytest.raises(FileExistsError) as caught:
        run()
    assert {str(each.message) for each in warned} == {text}
    assert (caught.value.errno, caught.value.strerror) == (errno.EEXIST, text)
    assert path.read_text() == "mine"


@needs_posix
def test_a_second_sandbox(path: Path) -> None:
    """A second sandbox with the same file is refused, and the first one keeps its data."""
    with Sandbox(state_file=path) as sandbox:
        second = Sandbox(state_file=path)
        with pytest.raises(OSError) as caught:
            second.__enter__()
        client(sandbox).created(name="Chess")
    assert (caught.value.errno, caught.value.strerror) == (
        errno.EBUSY,
        f"The sandbox cannot keep its state in {path}: another sandbox uses it. Stop that one, or name another file.",
    )
    assert has(path, "Chess")
    assert os.listdir(path.parent) == [path.name]
    with Sandbox(state_file=path), Sandbox(state_file=path.with_name("other.json")):
        pass


def test_a_file_that_appears_meanwhile(path: Path) -> None:
    """A file that was made after the sandbox is not overwritten."""
    sandbox = Sandbox(state_file=path)
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        sandbox.__enter__()
    assert path.read_text() == "mine"


def test_a_file_that_is_deleted_meanwhile(path: Path) -> None:
    """A file that is gone is written again."""
    with Sandbox(state_file=path):
        path.unlink()
    assert has(path, "Football Fans")


def test_no_folder(tmp_path: Path) -> None:
    """If the file cannot be written, the block is not entered, and the port is free again."""
    sandbox = Sandbox(state_file=tmp_path / "none" / "state.json")
    with pytest.raises(FileNotFoundError) as caught:
        sandbox.__enter__()
    assert str(caught.value.strerror) == (
        f"The sandbox cannot keep its state in {tmp_path / 'none' / 'state.json'}: "
        f"{os.strerror(errno.ENOENT)}."
    )
    assert repr(sandbox) == "<Sandbox not running>"
