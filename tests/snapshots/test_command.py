"""``permutive snapshot`` and ``permutive drift``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI import Cohort
from PermutiveAPI.Tables import Plans
from tests.cli.commands import run
from tests.snapshots.archive import FANS, Archive
from tests.tables.club import QUERY


@pytest.fixture(autouse=True)
def credentials(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a credentials file in the environment."""
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", archive.credentials())


def lines(text: str) -> List[str]:
    """Return the lines of a text."""
    return text.splitlines()


def test_snapshot(archive: Archive) -> None:
    """It writes the folder, and the counts on stdout."""
    done = run("snapshot", str(archive.folder))
    assert (done.status, done.out) == (0, "written,unchanged,removed\n8,0,0\n")
    assert archive.path(FANS).exists()
    done = run("snapshot", str(archive.folder), "--format", "json")
    assert json.loads(done.out) == [{"written": 0, "unchanged": 8, "removed": 0}]


def test_snapshot_in_an_empty_path(archive: Archive) -> None:
    """It is refused before anything is read, since it would mean the working directory."""
    done = run("snapshot", "")
    assert (done.status, archive.sandbox.requests) == (2, [])
    assert "Invalid value for 'FOLDER': the path must not be empty." in done.err


def test_snapshot_of_another_workspace(archive: Archive) -> None:
    """`--workspace` names it. It cannot replace the snapshot of the first one."""
    assert run("snapshot", str(archive.folder)).status == 0
    name = archive.club.brand.name
    done = run("snapshot", str(archive.folder), "--workspace", name)
    assert (done.status, done.out) == (2, "")
    assert "this is a snapshot of another workspace" in done.err
    done = run("snapshot", str(archive.folder) + "2", "--workspace", name)
    assert (done.status, done.out) == (0, "written,unchanged,removed\n11,0,0\n")


def test_drift(archive: Archive) -> None:
    """It prints what has changed. With `--expect-no-changes`, changes are status 5."""
    archive.begin()
    done = run("drift", str(archive.folder), "--expect-no-changes")
    assert (done.status, done.out) == (0, "0 to create, 0 to update, 0 to delete, 91 unchanged\n")
    archive.club.edit(12345, tags=["other"])
    done = run("drift", str(archive.folder), "--expect-no-changes")
    assert done.status == 5
    assert lines(done.out) == [
        "cohorts: 0 to create, 1 to update, 0 to delete, 5 unchanged",
        "~ Football Fans (68d8bf84-f570-44a9-abbb-d9f78d4361c0)",
        '    tags: ["editorial", "sport"] -> ["other"]',
    ]
    assert run("drift", str(archive.folder)).status == 0
    assert archive.writes() == []


def test_drift_that_no_plan_can_change(archive: Archive) -> None:
    """It is drift as well."""
    archive.begin()
    archive.sandbox._state.imports[archive.market.id].facts["name"] = "New name"
    done = run("drift", str(archive.folder), "--expect-no-changes")
    assert (done.status, lines(done.out)[0]) == (
        5,
        "! The import 'Subscriber CRM' has changed: name.",
    )
    done = run("drift", str(archive.folder), "--format", "csv")
    assert lines(done.out) == ["target,action,key,name,field,old,new"]
    assert "The import 'Subscriber CRM' has changed: name." in done.err


@pytest.mark.parametrize("format", ["json", "ndjson", "csv", "markdown"])
def test_formats(archive: Archive, format: str) -> None:
    """Data alone is on stdout."""
    archive.begin()
    archive.club.edit(12345, tags=["other"])
    text = run("drift", str(archive.folder), "--format", format).out
    if format == "json":
        assert len(Plans.from_json(text)) == 1
    elif format == "ndjson":
        [row] = map(json.loads, lines(text))
        assert (row["target"], row["field"], row["new"]) == ("cohorts", "tags", ["other"])
    elif format == "csv":
        assert lines(text)[0] == "target,action,key,name,field,old,new"
        assert len(lines(text)) == 2
    else:
        assert lines(text)[0] == "**cohorts: 0 to create, 1 to update, 0 to delete, 5 unchanged**"


def test_the_plans_that_restore(archive: Archive, tmp_path: Path) -> None:
    """`--output` saves them. They work in Python."""
    archive.begin()
    archive.club.edit(12345, tags=["other"])
    path = tmp_path / "plans.json"
    done = run("drift", str(archive.folder), "--output", str(path))
    assert done.status == 0
    assert f"The plans that restore the snapshot are in {path}." in done.err
    assert path.read_text().endswith("\n}\n")
    plans = Plans.from_json(path)
    assert plans.apply(api_key=archive.club.key).counts == {"updated": 1, "unchanged": 5}
    assert not archive.drift()


def test_restore(archive: Archive) -> None:
    """`--restore` shows the changes and needs `--yes` without a terminal."""
    archive.begin()
    archive.club.edit(12345, tags=["other"])
    archive.club.get(12346).delete(archive.club.key)
    done = run("drift", str(archive.folder), "--restore", "--dry-run")
    assert done.status == 0
    assert lines(done.out)[0].startswith("! The cohort 'Premier League Followers' comes back")
    archive.sandbox.clear_requests()
    done = run("drift", str(archive.folder), "--restore")
    assert done.status == 2
    assert "--yes" in done.err
    assert archive.sandbox.requests == []
    done = run("drift", str(archive.folder), "--restore", "--yes")
    assert done.status == 0, done.err
    assert lines(done.out)[0] == "action,key,name,status,id,error"
    assert [each.split(",")[0] for each in lines(done.out)[1:]] == ["create", "update"]
    assert len(archive.drift()) == 0
    done = run("drift", str(archive.folder), "--restore", "--yes")
    assert (done.status, done.out) == (0, "")


def test_restore_in_a_format(archive: Archive) -> None:
    """`--format` is the form of the outcomes; a dry run shows the changes in it."""
    archive.begin()
    archive.club.edit(12345, tags=["other"])
    command = ("drift", str(archive.folder), "--restore", "--format", "json")
    planned = json.loads(run(*command, "--dry-run").out)
    assert [each["action"] for each in planned["plans"][0]["changes"]] == ["update"]
    done = run(*command, "--yes")
    assert [each["status"] for each in json.loads(done.out)] == ["updated"]


@pytest.mark.parametrize("option", ["--expect-no-changes", "--format markdown"])
def test_restore_only_shows_nothing(archive: Archive, option: str) -> None:
    """An option that only shows changes is refused with `--restore`, before anything is read."""
    archive.begin()
    archive.sandbox.clear_requests()
    done = run("drift", str(archive.folder), "--restore", "--yes", *option.split())
    assert done.status == 2
    assert f"{option} does not go with --restore" in done.err
    assert archive.sandbox.requests == []


def test_restore_without_an_answer(archive: Archive) -> None:
    """Without a terminal, `--restore` needs `--yes` even if there is nothing to restore."""
    archive.begin()
    done = run("drift", str(archive.folder), "--restore")
    assert done.status == 2
    assert "--yes" in done.err


def test_restore_in_part(archive: Archive) -> None:
    """A failure is status 1, and the same command does what is left."""
    archive.begin()
    archive.club.edit(12345, tags=["other"])
    archive.sandbox.fail_next(status=400, method="PATCH")
    done = run("drift", str(archive.folder), "--restore", "--yes")
    assert done.status == 1
    assert "Run the same command again: it does what is left." in done.err
    assert run("drift", str(archive.folder), "--restore", "--yes").status == 0
    assert not archive.drift()


def test_restore_too_much(archive: Archive) -> None:
    """Too many deletions are status 3, and the text names the option that allows them."""
    archive.begin()
    for path in archive.path("cohorts").iterdir():
        path.unlink()
    Cohort.batch_create(
        [Cohort(f"New {number}", query=QUERY) for number in range(6)], api_key=archive.club.key
    )
    done = run("drift", str(archive.folder), "--restore", "--yes")
    assert done.status == 3
    assert "too many deletes: 11 of 12" in done.err
    assert done.err.endswith("pass --max-delete-share\n")


WRONG: Dict[str, Any] = {
    "no snapshot": ({}, 2, "there is no snapshot here"),
    "the key is not in the file": (
        {"PERMUTIVE_API_KEY": "other"},
        2,
        "The credentials file has no workspace with the key of PERMUTIVE_API_KEY. Pass --workspace.",
    ),
    "no credentials": ({"PERMUTIVE_APPLICATION_CREDENTIALS": ""}, 4, "PERMUTIVE_APPLICATION"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes(archive: Archive, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what is wrong."""
    environment, status, text = WRONG[case]
    if case == "no snapshot":
        archive.folder.mkdir()
    else:
        archive.save()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = run("drift", str(archive.folder))
    assert (done.status, done.out) == (status, "")
    assert text in done.err
    assert archive.sandbox.api_key not in done.err


def test_the_key_of_the_environment(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key tells the workspace, if the credentials file has it."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", archive.club.brand.api_key)
    done = run("snapshot", str(archive.folder))
    assert (done.status, done.out) == (0, "written,unchanged,removed\n11,0,0\n")
