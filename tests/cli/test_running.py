"""How a command ends: its exit status, its last words, signals, and closed or full outputs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from PermutiveAPI import __version__
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import COMMAND, SECONDS, Terminal, run, start, start_fresh
from tests.support.fake_service import FakeService, after, answer, stall
from tests.support.platforms import needs_posix, needs_terminal
from tests.support.scripts import CLOSED

SECRET = "key-0123456789-secret"

# A shell may have started the tests in the background, where processes ignore Ctrl-C.
INTERRUPTIBLE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from PermutiveAPI.cli import main; sys.exit(main())"
)


def test_a_process_does_what_main_does(service: Sandbox) -> None:
    """``python -m PermutiveAPI`` runs a command without a warning, and ends with its status."""
    arguments = ("cohorts", "list", "--tag", "motoring")
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, encoding="utf-8", timeout=SECONDS
    )
    assert (done.returncode, done.stdout, done.stderr) == run(*arguments)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 4


def test_the_version() -> None:
    """``--version`` shows the version of the library."""
    assert run("--version") == (0, f"permutive {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "Usage: permutive [OPTIONS] COMMAND"),
        (["nonsense"], "No such command 'nonsense'"),
        (["cohorts", "nonsense"], "No such command 'nonsense'"),
        (["cohorts", "list", "--nonsense"], "No such option"),
        (["cohorts", "show"], "Missing argument 'COHORT'"),
        (
            ["cohorts", "list", "--format", "xml"],
            "'xml' is not one of 'table', 'json', 'ndjson', 'csv'",
        ),
        (["cohorts", "show", "\x1b[31m"], r"'\x1b[31m'"),
        (["\x1b[31m"], r"'\x1b[31m'"),
    ],
)
def test_wrong_usage(service: Sandbox, arguments: List[str], words: str) -> None:
    """Wrong usage is a text on stderr and status 2."""
    done = run(*arguments)
    assert (done.status, done.out) == (2, "")
    assert words in done.err and "\x1b" not in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("format", ["csv", "table", "json", "ndjson"])
def test_no_credentials(format: str) -> None:
    """Without a key, the error says what to set, and the status is 4."""
    done = run("cohorts", "list", "--format", format)
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith("Error: No key is configured: ") and done.err.count("\n") == 1


def test_a_key_that_the_service_refuses(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is 4, and no text shows the key."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", SECRET)
    done = run("cohorts", "list")
    assert (done.status, done.out) == (4, "")
    assert done.err.startswith("Error: 401: ") and SECRET not in done.err


def test_a_service_that_fails(fresh_service: Sandbox) -> None:
    """The status is 1, and the error is one line."""
    fresh_service.fail_next(status=500, times=10)
    done = run("cohorts", "list")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("Error: 500: ") and done.err.count("\n") == 1


def test_a_mistake_in_the_program_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no table knows is not hidden."""

    def broken() -> None:
        raise KeyError("mistake")

    monkeypatch.setattr("PermutiveAPI.WorkspaceList.from_env", broken)
    with pytest.raises(KeyError):
        run("workspaces")


# --- Missing packages, and the start -----------------------------------------------------------------


def python(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True
    )


def test_without_click(tmp_path: Path) -> None:
    """Without click, one line says what to install, and the status is 2."""
    code = (
        "import runpy, sys; sys.modules['click'] = None; sys.argv = ['permutive', 'demo']; "
        "runpy.run_module('PermutiveAPI', run_name='__main__')"
    )
    done = python(code, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "The command needs the package 'click', which is not installed. "
        'Install the extra: pip install "PermutiveAPI[cli]"\n'
    )


def test_without_the_sandbox(tmp_path: Path) -> None:
    """Without the sandbox's packages, `demo` and `sandbox` say what to install, and the status is 2."""
    code = (
        "import sys; sys.modules['uvicorn'] = None; from PermutiveAPI.cli import main; "
        "print(int(main(['demo'])), int(main(['sandbox'])))"
    )
    done = python(code, tmp_path)
    assert (done.returncode, done.stdout) == (0, "2 2\n")
    assert done.stderr == 2 * (
        "Error: The sandbox needs the package 'uvicorn', which is not installed. "
        'Install the extra: pip install "PermutiveAPI[sandbox]"\n'
    )


@pytest.fixture
def no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if rich were not installed."""
    monkeypatch.setitem(sys.modules, "rich", None)


@pytest.mark.parametrize(
    "arguments",
    [["cohorts", "list"], ["cohorts", "disable", "12345", "--yes"], ["snapshot", "folder"]],
)
def test_a_table_without_rich(service: Sandbox, no_rich: None, arguments: List[str]) -> None:
    """Without rich, a table is refused before anything is sent, and other formats work."""
    done = run(*arguments, "--format", "table")
    assert (done.status, done.out, service.requests) == (2, "", [])
    assert done.err.endswith(
        "Error: A table needs the package 'rich', which is not installed. Install the extra: pip install "
        '"PermutiveAPI[cli]". Or pass another --format.\n'
    )
    assert run("cohorts", "list", "--format", "csv").status == 0


def test_records_need_no_rich(service: Sandbox, no_rich: None) -> None:
    """What the extra `sandbox` installs is enough for the doctor, and for one cohort."""
    assert run("doctor", "--format", "table").out.startswith("check   PermutiveAPI\nstatus  info\n")
    assert run("cohorts", "show", "12345", "--format", "table").out.startswith("name   ")


def test_help_imports_no_command(tmp_path: Path) -> None:
    """The help of a group needs the library, click and the table of commands, and nothing else."""
    code = (
        "import sys; import PermutiveAPI, click; before = {*sys.modules}; "
        "from PermutiveAPI.cli import main; "
        "ended = [*map(main, (['--help'], ['--version'], ['cohorts', '--help']))]; "
        "assert ended == [0, 0, 0], ended; "
        "print([*{*sys.modules} - before], file=sys.stderr)"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    found = set(eval(done.stderr))
    ours = {name for name in found if name.startswith("PermutiveAPI")}
    shared = ("", ".running", ".exits", ".output", ".layout", ".tree", ".group")
    expected = {f"PermutiveAPI.cli{name}" for name in shared}
    assert ours == {*expected, "PermutiveAPI._Utils.resources.frames"}
    foreign = {name.split(".")[0] for name in found - ours}
    assert foreign <= {*sys.stdlib_module_names, "click"}


def test_commands_that_only_read_import_no_plans(tmp_path: Path) -> None:
    """Lists, exports, the doctor and the senders start without plans and queries, which take long to import."""
    code = (
        "import sys; from PermutiveAPI.cli.commands import cohorts, doctor, imports, segments, users, workspaces; "
        "print([name for name in sys.modules if name.startswith('PermutiveAPI.Tables')], "
        "'PermutiveAPI.Query' in sys.modules)"
    )
    parts = [f"PermutiveAPI.Tables{each}" for each in ("", ".target", ".identities", ".texts")]
    assert python(code, tmp_path).stdout == f"{parts} False\n"


def test_every_group_and_command_has_its_help() -> None:
    """The first screen names every command with what it does."""
    done = run("--help")
    assert done.status == 0
    for name in ("workspaces", "cohorts", "imports", "segments", "references", "doctor"):
        assert f"\n  {name} " in done.out
    assert "Exit status: 0 done" in done.out


# --- Outputs that are closed or full ------------------------------------------------------------------


@needs_posix
def test_a_closed_pipe_ends_it_quietly(fresh_service: Sandbox) -> None:
    """If the reader of stdout goes away, the command ends without a word, and with status 0."""
    # More than a pipe holds.
    fresh_service.seed(cohorts=[{"name": f"{'Long' * 100} {number}"} for number in range(150)])
    for begin, format in ((start_fresh, "csv"), (start, "json"), (start, "table")):
        with begin("cohorts", "list", "--format", format) as process:
            assert process.stdout and process.stderr
            process.stdout.read(1)
            process.stdout.close()
            assert (process.stderr.read(), process.wait(SECONDS)) == ("", 0), format


@needs_posix
@pytest.mark.parametrize("arguments", [["--help"], ["cohorts", "list"]])
def test_a_reader_that_is_gone_from_the_start(service: Sandbox, arguments: List[str]) -> None:
    """Nothing can be written, and that is no error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        with start(*arguments, stdout=writer) as process:
            assert process.communicate(timeout=SECONDS)[1] == ""
    finally:
        os.close(writer)
    assert process.returncode == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
@pytest.mark.parametrize("arguments", [["--help"], ["workspaces"]])
def test_a_full_disk(service: Sandbox, arguments: List[str]) -> None:
    """If stdout cannot be written, one line says so, and the status is 1."""
    with open("/dev/full", "w") as full:
        with start(*arguments, stdout=full) as process:
            said = process.communicate(timeout=SECONDS)[1]
    assert (process.returncode, said) == (1, "Error: No space left on device\n")


@needs_posix
@pytest.mark.parametrize(
    "closed, status, out, err",
    [
        (["stdout"], 1, "", "Error: stdout is closed, so the output would be lost.\n"),
        (["stderr"], 0, "name,", ""),
        (["stdin", "stderr"], 0, "name,", ""),
    ],
)
def test_closed_streams(
    service: Sandbox, closed: List[str], status: int, out: str, err: str
) -> None:
    """A closed stdout is an error; the other streams are not needed."""
    with start("workspaces", **dict.fromkeys(closed, CLOSED)) as process:
        shown, said = process.communicate(timeout=SECONDS)
    assert (process.returncode, shown[:5], said) == (status, out, err)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device here")
def test_an_error_that_nobody_can_read(service: Sandbox) -> None:
    """If stderr cannot be written, the exit status still tells what has happened."""
    # A fresh interpreter: with a buffer, it must not try to write again when it ends.
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "cohorts", "show", "nobody"],
            stdout=subprocess.PIPE,
            stderr=full,
            env=environment,
            timeout=SECONDS,
        )
    assert (done.returncode, done.stdout) == (2, b"")


# --- Signals -------------------------------------------------------------------------------------------


@pytest.fixture
def stalling(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """A service that never responds."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", SECRET)
    server.default = stall()
    return server


@needs_posix
@pytest.mark.parametrize(
    "number, status, words",
    [(signal.SIGINT, 130, "Interrupted.\n"), (signal.SIGTERM, 143, "Terminated.\n")],
)
def test_a_signal_ends_it(
    stalling: FakeService, number: signal.Signals, status: int, words: str
) -> None:
    """Ctrl-C and SIGTERM end a waiting command with one word and their status."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", INTERRUPTIBLE, "cohorts", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert stalling.wait_for(lambda: stalling.received, SECONDS)
        process.send_signal(number)
        assert process.communicate(timeout=SECONDS) == ("", words)
    assert process.returncode == status


@needs_terminal
def test_ctrl_c_closes_the_progress_bar(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, the last word stands in a line of its own below the bar."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", SECRET)
    listed = [{"id": f"c-{number}", "name": "n", "code": number} for number in range(300)]
    server.script = [answer(200, listed)]
    server.default = after(0.02, answer(200, listed[0]))
    with Terminal("cohorts", "list", "--details") as terminal:
        terminal.read_until("<00:")  # The bar has an estimate.
        terminal.send_signal(signal.SIGTERM)
        screen = terminal.wait()
    assert screen.status == 143
    assert screen.text.endswith("\nTerminated.\n") and "Traceback" not in screen.text


def test_sigterm_is_as_before_after_a_command(service: Sandbox) -> None:
    """A program that calls main() keeps its handler."""
    before = signal.getsignal(signal.SIGTERM)
    assert run("workspaces").status == 0
    assert signal.getsignal(signal.SIGTERM) is before
