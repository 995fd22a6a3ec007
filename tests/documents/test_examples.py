"""The jobs of examples/ run against the sandbox, as far as they need no GitHub."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import List

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.documents.markdown import ROOT, dead_links, permutive_on_path
from tests.support.platforms import needs_posix

EXAMPLES = ROOT / "examples"
WORKFLOW = EXAMPLES / "plan-comment.yml"
NIGHT = "2027-01-31"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for a job."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def bash(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run bash in a folder, with ``permutive`` on its path."""
    return subprocess.run(
        ["bash", *arguments],
        cwd=folder,
        env={**permutive_on_path(folder), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def test_every_example_is_listed() -> None:
    """The page of the examples names each file, and its links lead somewhere."""
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md"}
    assert files == set(re.findall(r"^\| \[([^]]+)\]", text, re.MULTILINE))
    assert dead_links(EXAMPLES / "README.md") == []


# --- nightly.sh ----------------------------------------------------------------------------------


def nightly(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the nightly job on a file of ten users."""
    (folder / "users.csv").write_text(
        "user_id,email\n" + "".join(f"u-{n},{n}@example.com\n" for n in range(10))
    )
    job = str(EXAMPLES / "nightly.sh")
    return bash(folder, job, "users.csv", NIGHT=NIGHT, PAUSE_SECONDS="0")


def files_of(folder: Path) -> List[str]:
    """Return the names of the files of a night."""
    return sorted(path.name for path in folder.glob(f"{NIGHT}*"))


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
def test_a_good_night(sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All users are sent once, nothing is said, and only the log is left, in a folder that the job makes."""
    monkeypatch.setenv("JOB_FOLDER", "jobs/permutive")
    done = nightly(folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(each.json["user_id"] for each in sandbox.requests) == [
        f"u-{n}" for n in range(10)
    ]
    jobs = folder / "jobs" / "permutive"
    assert files_of(jobs) == [f"{NIGHT}.log"]
    log = (jobs / f"{NIGHT}.log").read_text()
    assert "10 lines: 10 sent, 0 failed." in log and "Exit status 0." in log


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
def test_a_night_with_a_fault_that_passes(sandbox: Sandbox, folder: Path) -> None:
    """What failed is sent once more, and nothing else."""
    sandbox.fail_next(path="/v2.0/identify", status=400, times=3)
    done = nightly(folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(sandbox.requests) == 13
    assert files_of(folder) == [f"{NIGHT}.log"]


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
def test_a_night_with_a_fault_that_stays(sandbox: Sandbox, folder: Path) -> None:
    """Lines that fail twice stay in a file, with the journal. Run again for the same night, the job sends them."""
    sandbox.fail_next(path="/v2.0/identify", status=400, times=12)
    done = nightly(folder)
    assert done.returncode == 1
    assert done.stderr == (
        f"Some users of {NIGHT} were not sent. They are in ./{NIGHT}-failed.csv; the reasons are in "
        f"./{NIGHT}.log.\n"
    )
    failed = (folder / f"{NIGHT}-failed.csv").read_text().splitlines()
    assert failed[0] == "user_id,email" and len(failed) == 3
    assert nightly(folder).returncode == 0
    assert files_of(folder) == [f"{NIGHT}.log"]
    assert len(sandbox.requests) == 22


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
def test_a_rehearsed_night(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a rehearsal, the job does not delete the journal of the live job."""
    (folder / "rehearsal").mkdir()
    monkeypatch.setenv("PERMUTIVE_JOURNAL_FOLDER", str(folder / "rehearsal"))
    journal = folder / f"{NIGHT}.journal"
    journal.write_text("of the live job")
    assert nightly(folder).returncode == 0
    assert journal.read_text() == "of the live job"


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
@pytest.mark.parametrize(
    "status, words",
    [(4, "permutive doctor"), (2, "A line of users.csv, an option or the journal is wrong.")],
)
def test_a_night_that_cannot_be_repeated(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch, status: int, words: str
) -> None:
    """With a wrong key or a broken journal, nothing is tried again. No key is in the log."""
    if status == 4:
        monkeypatch.setenv("PERMUTIVE_API_KEY", "wrong-key-0123456789")
    else:
        (folder / f"{NIGHT}.journal").write_text("no journal\n")
    done = nightly(folder)
    assert done.returncode == status
    assert words in done.stderr
    log = (folder / f"{NIGHT}.log").read_text()
    assert log.count("Sending users.csv.") == 1 and "wrong-key" not in log


@needs_posix
def test_the_nightly_job_can_be_executed(folder: Path) -> None:
    """It is executable, and says how it is called."""
    assert (EXAMPLES / "nightly.sh").stat().st_mode & stat.S_IXUSR
    done = bash(folder, str(EXAMPLES / "nightly.sh"))
    assert done.returncode == 1 and "usage: nightly.sh USERS.csv" in done.stderr


# --- plan-comment.yml ----------------------------------------------------------------------------

# Steps that use an action, install a package, or call GitHub are not run here. zizmor reads them below.


def step(name: str) -> str:
    """Return the script of a step of the workflow."""
    text = WORKFLOW.read_text(encoding="utf-8")
    (script,) = re.findall(rf"- name: {name}\n +run: \|\n((?: {{10}}.*\n|\n)+)", text)
    return dedent(script)


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
def test_the_workflow_makes_a_plan(sandbox: Sandbox, folder: Path) -> None:
    """A key that may only read is enough for the plan, which is a table in Markdown."""
    (folder / "cohorts.csv").write_text("code,name\n12345,Football readers\n12346,\n")
    done = bash(
        folder,
        "-eo",
        "pipefail",
        "-c",
        step("Make the plan"),
        PERMUTIVE_API_KEY=sandbox.read_only_api_key,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    plan = (folder / "plan.md").read_text("utf-8")
    assert plan.startswith("**cohorts: 0 to create, 1 to update, 0 to delete, 1 unchanged**\n")
    assert '"Football Fans" → "Football readers"' in plan
    assert {each.method for each in sandbox.requests} == {"GET"}


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
def test_the_workflow_cuts_a_long_plan(sandbox: Sandbox, folder: Path) -> None:
    """A plan that is too long for a comment is cut, and says so."""
    rows = "".join(f'{"x" * 70} {n},"{{""in_segment"": 12345}}"\n' for n in range(500))
    (folder / "cohorts.csv").write_text("name,query\n" + rows)
    done = bash(folder, "-eo", "pipefail", "-c", step("Make the plan"))
    assert (done.returncode, done.stderr) == (0, "")
    plan = (folder / "plan.md").read_text("utf-8", errors="replace")
    assert 60_000 < len(plan) < 65_536
    assert plan.endswith("The plan is longer. Run: permutive cohorts plan cohorts.csv\n")


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
def test_the_workflow_fails_for_a_wrong_row(folder: Path) -> None:
    """If a row is wrong, the step fails, and its log says which one."""
    (folder / "cohorts.csv").write_text("code,name\n1,Nobody\n")
    done = bash(folder, "-eo", "pipefail", "-c", step("Make the plan"))
    assert done.returncode == 2
    assert "row 1: no cohort has the code 1" in done.stderr


def test_the_workflow_is_safe() -> None:
    """zizmor finds nothing in the workflow, and its actions are pinned by their hashes."""
    zizmor = Path(sys.executable).with_name("zizmor")
    done = subprocess.run(
        [str(zizmor), "--offline", "--quiet", "--persona", "regular", str(WORKFLOW)],
        capture_output=True,
        encoding="utf-8",
        env={name: value for name, value in os.environ.items() if name != "GH_TOKEN"},
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    actions = re.findall(r"uses: (.*)", WORKFLOW.read_text(encoding="utf-8"))
    assert actions and all(re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", each) for each in actions)
