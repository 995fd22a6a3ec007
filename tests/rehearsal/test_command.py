"""``permutive rehearse`` runs a program against a copy, and shows what it changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from PermutiveAPI.cli import main
from PermutiveAPI.Tables import Plans
from tests.cli.commands import Ended, start
from tests.rehearsal.live import Live
from tests.support.platforms import needs_posix
from tests.support.scripts import Script

# The start of every program.
BEGIN = """
import os, signal, sys, time
from PermutiveAPI import Alias, Cohort, Identity, WorkspaceList

def create(name, **options):
    Cohort(name, query={"in_segment": 12345}).create(**options)
"""

Rehearse = Callable[..., Ended]
Started = Callable[..., "subprocess.Popen[str] | Script"]


@pytest.fixture
def credentials(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The credentials file of the live service."""
    path = tmp_path / "live.json"
    path.write_text(json.dumps(live.sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    return path


def begin(*arguments: str, **options: Any) -> "subprocess.Popen[str] | Script":
    """Begin to rehearse Python with these arguments."""
    return start("rehearse", "--", sys.executable, *arguments, **options)


@pytest.fixture
def rehearse(credentials: Path, capfd: Any) -> Rehearse:
    """Rehearse a program. The program is a process of its own, and the command runs in this one."""

    def run(program: str, *options: str) -> Ended:
        status = main(["rehearse", *options, "--", sys.executable, "-c", BEGIN + program])
        return Ended(status, *capfd.readouterr())

    return run


# --- What it shows -------------------------------------------------------------------------------


def test_the_changes_are_shown(live: Live, rehearse: Rehearse) -> None:
    """stdout has just the changes, stderr what the program says, and the status is the program's."""
    found = rehearse('create("New"); print("said"); sys.exit(7)')
    assert found.out.splitlines() == [
        "Workspace 'Meridian Media Group'",
        "cohorts: 1 to create, 0 to update, 0 to delete, 6 unchanged",
        "+ New",
        '    name: "New"',
        '    query: {"in_segment": 12345}',
        '    state: "Enabled"',
        '    segment_type: "real_time"',
    ]
    assert (found.err, found.status) == ("said\n", 7)
    assert live.methods == {"GET"}


def test_the_program_gets_its_arguments_and_its_input(credentials: Path) -> None:
    """Options after the program's name are the program's own, and so is stdin."""
    program = "import sys; print(sys.argv[1:], sys.stdin.read())"
    with begin("-c", program, "--yes", "-h", stdin=subprocess.PIPE) as process:
        said = process.communicate("text", timeout=60)
    assert said == ("no changes\n", "['--yes', '-h'] text\n")
    assert process.returncode == 0


def test_what_the_program_finds(live: Live, rehearse: Rehearse) -> None:
    """A credentials file with the names and ids of the live workspaces, and with other keys."""
    found = rehearse(
        "import json\n"
        'path = os.environ["PERMUTIVE_APPLICATION_CREDENTIALS"]\n'
        "print(oct(os.stat(path).st_mode)[-3:])\n"
        "print(json.dumps(WorkspaceList.from_env().to_json()))\n"
        "print(path)"
    )
    mode, text, path = found.err.splitlines()
    assert mode == "600" or os.name != "posix"
    workspaces = json.loads(text)
    for copied, original in zip(workspaces, (live.group, live.brand), strict=True):
        assert copied["api_key"] != original.api_key
        assert {**copied, "api_key": original.api_key} == original.to_json()
    assert not Path(path).exists()


def test_formats_and_a_file(rehearse: Rehearse, tmp_path: Path) -> None:
    """The changes are also JSON, for programs, and a file keeps them."""
    program = 'create("New"); Identity("u", []).identify()'
    found = rehearse(program, "--format", "json", "--output", "plan.json")
    assert "The changes are in plan.json.\n" in found.err
    data = json.loads(found.out)
    assert data["other_writes"] == {"identify": 1}
    assert [each.name for each in Plans.from_json(data).changes] == ["New"]
    assert json.loads((tmp_path / "plan.json").read_text()) == data
    found = rehearse(program, "--format", "csv")
    rows = found.out.splitlines()
    assert found.err == "other writes: 1 identify\n"
    assert rows[0] == "target,action,key,name,field,old,new"
    assert rows[1] == "cohorts,create,,New,name,,New"


@pytest.mark.parametrize(
    "program, status",
    [("Cohort.list()", 0), ('create("New")', 5), ('Identity("u", []).identify()', 5)],
    ids=["reads", "changes", "identifies"],
)
def test_where_no_changes_are_expected(rehearse: Rehearse, program: str, status: int) -> None:
    """With --expect-no-changes, the status is 5 if the program changed something."""
    assert rehearse(program, "--expect-no-changes").status == status


def test_a_program_that_crashes(rehearse: Rehearse, tmp_path: Path) -> None:
    """What it did before is shown and saved. The status is the program's, whatever was expected."""
    found = rehearse('create("New"); 1 / 0', "--output", "plan.json", "--expect-no-changes")
    assert found.status == 1 and "+ New" in found.out
    assert "ZeroDivisionError" in found.err
    assert (tmp_path / "plan.json").exists()


def test_one_workspace(live: Live, rehearse: Rehearse) -> None:
    """--workspace copies only this one, which is then the default."""
    found = rehearse('create("New")', "--workspace", live.brand.name)
    assert found.out.startswith("cohorts: 1 to create, 0 to update, 0 to delete, 3 unchanged\n")


@pytest.mark.parametrize("option, status", [("", 1), ("--no-check-queries", 0)])
def test_queries_that_the_sandbox_does_not_know(
    rehearse: Rehearse, option: str, status: int
) -> None:
    """The copy refuses a query that looks misspelt, unless --no-check-queries says that it is right."""
    program = 'Cohort("New", query={"in_segmnt": 1}).create()'
    assert rehearse(program, *filter(None, [option])).status == status


# --- Keys and journals ---------------------------------------------------------------------------


def test_a_key_that_the_program_brings_along(live: Live, rehearse: Rehearse) -> None:
    """It gets a 401 that says what this is, and the changes say that something is not known."""
    found = rehearse(f'create("New", api_key="{live.group.api_key}")')
    assert found.status == 1
    assert "401" in found.err and "This is a rehearsal on a copy" in found.err
    said = "refused because of their keys: 1 (it is not known what they would have changed)\n"
    assert found.out == f"no changes\n{said}"
    assert live.methods == {"GET"}


def test_a_default_key_that_is_not_in_the_file(
    live: Live, credentials: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """Nothing is run, since the workspace of the key is not known, and the status is 4."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", "another-key-0123456789")
    assert main(["rehearse", "--", sys.executable, "-c", "print('ran')"]) == 4
    assert capfd.readouterr() == (
        "",
        "Error: The key of PERMUTIVE_API_KEY belongs to none of the workspaces that are copied. Add its "
        "workspace to the file that PERMUTIVE_APPLICATION_CREDENTIALS names.\n",
    )
    assert live.sandbox.requests == []


def test_without_a_credentials_file(live: Live, capfd: Any) -> None:
    """There is nothing to copy, and the status is 4."""
    assert main(["rehearse", "--", sys.executable, "-c", "print('ran')"]) == 4
    assert "PERMUTIVE_APPLICATION_CREDENTIALS" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "Missing argument"),
        (["--", "no-such-program"], "There is no program 'no-such-program'."),
        (["--", "no-such-script.py"], "There is no program 'no-such-script.py'.\n"),
        (
            ["--", __file__, "--all"],
            f"'{__file__}' cannot be run as a program. For a script: permutive rehearse -- python {__file__}\n",
        ),
        (
            ["--", "./a job.sh"],
            "'./a job.sh' cannot be run as a program. For a script: permutive rehearse -- sh './a job.sh'\n",
        ),
        (["--workspace", "Nobody", "--", sys.executable], "No workspace is called 'Nobody'"),
        (["--output", "nowhere/plan.json", "--", sys.executable], "no folder 'nowhere'"),
    ],
    ids=[
        *("nothing", "unknown program", "unknown script", "script", "script of a shell"),
        *("unknown workspace", "unknown folder"),
    ],
)
def test_wrong_usage(
    live: Live, credentials: Path, capfd: Any, arguments: "list[str]", said: str
) -> None:
    """The status is 2, and nothing is read."""
    Path("a job.sh").touch(0o600)
    assert main(["rehearse", *arguments]) == 2
    assert said in capfd.readouterr().err
    assert live.sandbox.requests == []


def test_a_journal_of_the_live_job(live: Live, rehearse: Rehearse, tmp_path: Path) -> None:
    """The program sends everything, and the journal of the live job is as before."""
    journal = tmp_path / "job.journal"
    journal.write_text("held by the live job")
    found = rehearse(
        'people = [Identity(f"u{n}", []) for n in range(3)]\n'
        f"print(len(Identity.batch_identify(people, journal={str(journal)!r})[0]))"
    )
    assert (found.err, found.out) == ("3\n", "other writes: 3 identify\n")
    assert journal.read_text() == "held by the live job"


# --- Signals -------------------------------------------------------------------------------------

WAITING = """
create("New")
print("ready", flush=True)
time.sleep(60)
"""
ENDING_WELL = """
def end(number, frame):
    create("Last")
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
"""


@pytest.fixture
def started(credentials: Path) -> "Iterator[Started]":
    """Start the rehearsal of a program, and return when the program says that it is ready."""
    processes: "list[subprocess.Popen[str] | Script]" = []

    def begin_program(program: str, **options: Any) -> "subprocess.Popen[str] | Script":
        process = begin("-c", BEGIN + program, **options)
        processes.append(process)
        assert process.stderr and process.stderr.readline() == "ready\n"
        return process

    yield begin_program
    for process in processes:
        process.kill()
        process.wait()


@needs_posix
def test_signals_reach_the_program(started: Started) -> None:
    """The program ends, its changes are shown, and the status is that of the signal."""
    process = started(WAITING)
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=60)
    assert "+ New" in shown and process.returncode == 128 + signal.SIGINT
    assert "PermutiveAPI/cli" not in said


@needs_posix
def test_a_program_that_ends_well_on_a_signal(started: Started) -> None:
    """What it does before it ends is shown, too, and the status is its own."""
    process = started(ENDING_WELL + WAITING)
    process.send_signal(signal.SIGTERM)
    shown, _ = process.communicate(timeout=60)
    assert "+ New" in shown and "+ Last" in shown and process.returncode == 0


@needs_posix
def test_ctrl_c_on_a_terminal_reaches_the_program_once(started: Started) -> None:
    """The terminal sends it to the program, too, so it is not passed on: twice would stop a clean-up."""
    program = """
received = []
signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
print("ready", flush=True)
while not received:
    time.sleep(0.01)
time.sleep(0.3)
print(f"received {len(received)}", flush=True)
"""
    controller, terminal = os.openpty()
    try:
        process = started(program, stdin=terminal, start_new_session=True)
        os.write(controller, b"\x03")
        shown, said = process.communicate(timeout=60)
        assert (said, shown, process.returncode) == ("received 1\n", "no changes\n", 0)
    finally:
        os.close(controller)
        os.close(terminal)
