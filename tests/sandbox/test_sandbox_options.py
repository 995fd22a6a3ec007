"""The options of the command that are about data and control, in processes of their own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import run, start
from tests.support.platforms import needs_posix
from tests.support.scripts import Script

COHORTS = "/cohorts-api/v2/cohorts/"
NEW = {"name": "Chess", "query": {"type": "users"}}


@contextmanager
def served(*options: str | Path) -> Iterator[tuple[subprocess.Popen[str] | Script, str]]:
    """Run the command; give the process and the address that it prints."""
    with start("sandbox", "--port", "0", *map(str, options)) as process:
        try:
            assert process.stdout
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found, process.communicate()
            yield process, found[0]
        finally:
            process.kill()


def cohorts(url: str) -> list[str]:
    """Return the names of the cohorts."""
    listed = requests.get(url + COHORTS, params={"k": Sandbox().api_key}, timeout=5).json()
    return [each["name"] for each in listed]


def create(url: str, body: Any) -> int:
    """Create a cohort, and return its code."""
    key = {"k": Sandbox().api_key}
    return requests.post(url + COHORTS, params=key, json=body, timeout=5).json()["code"]


def test_a_suite_in_any_language(tmp_path: Path) -> None:
    """The served sandbox starts with the file's data, and is controlled by plain requests."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"cohorts": [NEW], "empty": True}))
    with served("--seed", seed) as (_, url):
        assert cohorts(url) == ["Chess"]
        create(url, {**NEW, "name": "Draughts"})
        fault = {"status": 500, "path": COHORTS}
        assert requests.post(f"{url}/_sandbox/faults", json=fault, timeout=5).status_code == 204
        assert requests.get(url + COHORTS, timeout=5).status_code == 500
        recorded = requests.get(f"{url}/_sandbox/requests", timeout=5).json()
        assert [each["status"] for each in recorded] == [200, 201, 500]
        assert requests.post(f"{url}/_sandbox/reset", timeout=5).status_code == 204
        assert cohorts(url) == ["Chess"]


@pytest.mark.parametrize(
    "options, status",
    [
        (("--no-control",), 403),
        (("--host", "0.0.0.0"), 403),
        (("--host", "0.0.0.0", "--control"), 200),
    ],
)
def test_control(options: tuple[str, ...], status: int) -> None:
    """Control, which is on for loopback, is off beyond it, and an option decides otherwise."""
    with served(*options) as (_, url):
        assert requests.get(f"{url}/_sandbox/requests", timeout=5).status_code == status


def test_killed(tmp_path: Path) -> None:
    """What was there a moment before it is killed is there after the next start, and codes go on."""
    path = tmp_path / "state.json"
    with served("--state", path) as (process, url):
        assert create(url, NEW) == 12387
        limit = time.monotonic() + 5
        while "Chess" not in path.read_text():
            assert time.monotonic() < limit
            time.sleep(0.01)
        process.kill()
        process.wait(5)
    with served("--state", path) as (_, url):
        assert cohorts(url)[-1] == "Chess"
        assert create(url, NEW) == 12388


@needs_posix
def test_stopped(tmp_path: Path) -> None:
    """After SIGTERM, the last change is in the file."""
    path = tmp_path / "state.json"
    with served("--state", path) as (process, url):
        create(url, NEW)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=5)[1] == ""
    assert "Chess" in path.read_text()


@pytest.mark.parametrize(
    "option, content, words",
    [
        ("--state", '{"my": "data"}', "does not hold the state of a sandbox"),
        ("--seed", '{"cohorts": [{}]}', "cohorts[0]: name: the field is required"),
        ("--seed", '{"cohort": []}', "cohort: the field is unknown"),
        ("--seed", "{", "Expecting property name"),
    ],
)
def test_a_wrong_file(
    sandbox: Sandbox, tmp_path: Path, option: str, content: str, words: str
) -> None:
    """A file with something else is a line on stderr and status 2, and stays as it is."""
    path = tmp_path / "file.json"
    path.write_text(content)
    taken = sandbox.base_url.rpartition(":")[2]  # So that the command ends in any case.
    done = run("sandbox", "--port", taken, option, str(path))
    assert (done.status, done.out) == (2, "")
    assert words in done.err and done.err.count("\n") == 1
    assert path.read_text() == content


def test_no_folder_for_the_state(tmp_path: Path) -> None:
    """If the state cannot be written, a line on stderr says so, and the status is 1."""
    path = tmp_path / "none" / "state.json"
    done = run("sandbox", "--port", "0", "--state", str(path))
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"The sandbox cannot keep its state in {path}: ")
    assert done.err.count("\n") == 1
