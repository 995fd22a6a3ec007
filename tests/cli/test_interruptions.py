"""Commands that write are interrupted: they end well, and the same command does what is left."""

from __future__ import annotations

import os
import select
import signal
import time
from collections import Counter
from pathlib import Path
from subprocess import PIPE
from typing import Callable, Iterator

import pytest

from PermutiveAPI import Cohort
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import Ended, Terminal, run, start
from tests.cli.writing import objects, writes
from tests.support.platforms import needs_posix

pytestmark = [pytest.mark.usefixtures("fresh_service"), needs_posix]

SECONDS = 20
WORKERS = 2
USERS = 80
IDENTIFY = ("identify", "users.csv", "--alias", "email=0", "--journal", "night.journal", "--yes")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of the test's own, since requests of a killed command arrive late."""
    with Sandbox() as running:
        yield running


@pytest.fixture(autouse=True)
def slow_service(fresh_service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few workers and a slow service, so that there is time for a signal."""
    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", str(WORKERS))
    fresh_service.latency_seconds = 0.01
    rows = "".join(f"u-{number},{number}@example.com\n" for number in range(USERS))
    Path("users.csv").write_text("user_id,email\n" + rows)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)


def interrupted(
    sandbox: Sandbox, number: signal.Signals, *arguments: str, after: int = 20
) -> Ended:
    """Run a command, and send it a signal when the service has seen so many writes."""
    with start(*arguments) as process:
        try:
            wait_until(lambda: len(writes(sandbox)) >= after)
            process.send_signal(number)
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    return Ended(process.wait(), out, err)


@pytest.mark.parametrize(
    "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_identities(sandbox: Sandbox, number: signal.Signals, status: int) -> None:
    """After a signal, the second run sends the rest. Only what was under way is sent twice."""
    first = interrupted(sandbox, number, *IDENTIFY)
    assert first.status == status, first.err
    assert "Traceback" not in first.err
    assert "The same command, given again, sends the rest.\n" in first.err
    done = len(objects(first.out))
    assert 0 < done < USERS
    second = run(*IDENTIFY)
    assert second.status == 0, second.err
    assert USERS - WORKERS <= done + len(objects(second.out)) <= USERS
    seen = Counter(body["user_id"] for _, body in writes(sandbox))
    assert len(seen) == USERS
    assert seen.total() <= USERS + WORKERS


def test_identities_after_a_crash(sandbox: Sandbox) -> None:
    """The same is true if the process is killed at once."""
    assert interrupted(sandbox, signal.SIGKILL, *IDENTIFY).status == -signal.SIGKILL
    assert run(*IDENTIFY).status == 0
    seen = Counter(body["user_id"] for _, body in writes(sandbox))
    # What had arrived but was not read yet, too.
    assert len(seen) == USERS and seen.total() <= USERS + 2 * WORKERS


def test_without_a_journal(sandbox: Sandbox) -> None:
    """Without a journal, the text says that everything would be sent again."""
    first = interrupted(sandbox, signal.SIGTERM, "identify", "users.csv", *IDENTIFY[2:4], "--yes")
    assert first.status == 143
    assert "Without a journal, the same command would send all lines again.\n" in first.err


def test_a_plan(sandbox: Sandbox) -> None:
    """A plan that is interrupted is applied again: each cohort is changed, none that was done before."""
    codes = [str(each.code) for each in Cohort.list() if each.segment_type != "Lookalike"][:26]
    assert run("cohorts", "plan", "-", "--output", "p.json", stdin=_disabling(codes)).status == 0
    first = interrupted(sandbox, signal.SIGTERM, "cohorts", "apply", "p.json", "--yes", after=5)
    assert first.status == 143, first.err
    assert "Traceback" not in first.err
    assert "The same command, given again, makes the changes that are left.\n" in first.err
    before = len(writes(sandbox))
    assert before < len(codes)
    second = run("cohorts", "apply", "p.json", "--yes")
    assert second.status == 0, second.err
    assert "unchanged" in second.err
    assert {each.state for each in Cohort.list() if str(each.code) in codes} == {"Disabled"}
    assert len(writes(sandbox)) <= len(codes) + WORKERS


def _disabling(codes: "list[str]") -> str:
    return "code,state\n" + "".join(f"{code},Disabled\n" for code in codes)


def test_a_bar_is_closed(sandbox: Sandbox) -> None:
    """On a terminal, the bar ends before the words begin."""
    with Terminal(*IDENTIFY) as terminal:
        wait_until(lambda: len(writes(sandbox)) >= 20)
        terminal.send_signal(signal.SIGINT)
        screen = terminal.wait()
    assert screen.status == 130
    (line,) = [line for line in screen.text.splitlines() if "Stopped after" in line]
    assert line.startswith("Stopped after")


def test_a_second_ctrl_c(sandbox: Sandbox) -> None:
    """A second Ctrl-C ends the command at once, without a traceback."""
    sandbox.latency_seconds = 5.0
    with start(*IDENTIFY) as process:
        try:
            wait_until(lambda: len(writes(sandbox)) >= 1)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode in (130, -signal.SIGINT)  # A shell says 130 in both cases.
    assert "Traceback" not in err and "Exception ignored" not in err


@pytest.mark.parametrize("delay", [0.02, 0.1])
def test_ctrl_c_twice_at_any_time(sandbox: Sandbox, delay: float) -> None:
    """Two signals that come close to each other never leave a traceback."""
    with start(*IDENTIFY) as process:
        try:
            wait_until(lambda: len(writes(sandbox)) >= 5)
            process.send_signal(signal.SIGINT)
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode in (130, -signal.SIGINT)  # A shell says 130 in both cases.
    assert "Traceback" not in err and "Exception ignored" not in err


def test_while_a_pipe_is_silent(sandbox: Sandbox) -> None:
    """A command that waits for the next line of a pipe ends as well."""
    with start("identify", "-", "--alias", "email=0", "--yes", stdin=PIPE) as process:
        try:
            assert process.stdin is not None
            process.stdin.write("user_id,email\nu-1,a\nu-2,b\n")
            process.stdin.flush()
            wait_until(lambda: len(writes(sandbox)) >= 2)
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 130
        finally:
            process.kill()
        assert process.stderr is not None
        err = process.stderr.read()
    assert "Fatal" not in err and "Traceback" not in err


def test_a_reader_that_leaves(sandbox: Sandbox) -> None:
    """If nobody reads the results any more, sending ends: a line says so, and the status is 1."""
    with start("segment", "-", "--yes", stdin=PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        line = '{"user_id": "u-%d", "events": []}\n'
        process.stdin.write(line % 1)
        process.stdin.flush()
        assert select.select([process.stdout], [], [], SECONDS)[0], "results wait in a buffer"
        assert "u-1" in process.stdout.readline()
        process.stdout.close()
        _write_quietly(process.stdin.fileno(), "".join(line % n for n in range(2, 200)))
        process.stdin.close()
        assert process.wait(SECONDS) == 1
        assert process.stderr is not None
        err = process.stderr.read()
    assert "Stopped after" in err and "Traceback" not in err
    assert len(writes(sandbox)) < 200


@pytest.mark.parametrize("failing, status", [(0, 0), (1, 1)])
def test_a_reader_of_outcomes_that_leaves(sandbox: Sandbox, failing: int, status: int) -> None:
    """If nobody reads the outcomes, the status still says whether all changes were made."""
    for _ in range(failing):
        sandbox.fail_next(method="PATCH", status=400)
    with start("cohorts", "disable", "12345", "Gamers", "--yes") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.wait(SECONDS) == status
        err = process.stderr.read()
    assert "Traceback" not in err
    assert ("The failed rows are in " in err) == bool(failing)


def _write_quietly(descriptor: int, text: str) -> None:
    try:
        os.write(descriptor, text.encode())
    except BrokenPipeError:
        pass
