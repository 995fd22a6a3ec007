"""Every command: its data at the end of a pipe, and a process of its own on a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import click
import pytest

from PermutiveAPI.cli.tree import permutive
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import Terminal, run, run_process
from tests.support.platforms import needs_terminal

# The arguments of each command, and what it writes on stdout at the end of a pipe.
COMMANDS: Dict[str, Tuple[List[str], str]] = {
    "workspaces": ([], "Meridian Regional News"),
    "cohorts list": (["--tag", "travel"], "name,id,code,query,"),
    "cohorts show": (["12345"], "Football Fans"),
    "cohorts export": (["--tag", "travel"], "City Break Travellers"),
    "cohorts enable": (["12345", "--yes", "--format", "csv"], "action,key,name,status,id,error"),
    "cohorts disable": (["12345", "--dry-run"], 'state: "Enabled" -> "Disabled"'),
    "cohorts tag": (["12345", "--add", "new", "--dry-run"], '"new"]'),
    "cohorts plan": (["cohorts.csv"], "1 to update"),
    "cohorts apply": (["plan.json", "--dry-run"], "1 to update"),
    "cohorts copy": (["12347", "--to", "Meridian Regional News", "--dry-run"], "1 to create"),
    "imports list": ([], "inmarket,"),
    "segments list": (["inmarket"], "700100,"),
    "segments export": (["subscribercrm"], "DigitalNorth,"),
    "segments plan": (["subscribercrm", "segments.csv"], "1 to create"),
    "segments apply": (["segments.json", "--dry-run"], "1 to create"),
    "references": ([], "Lapsed Readers Lookalike"),
    "identify": (["users.csv", "--alias", "email=0", "--yes"], '"user_id": "u-1"'),
    "segment": (["users.ndjson", "--yes"], '"user_id": "u-1"'),
    "snapshot": (["saved"], "written,unchanged,removed"),
    "drift": (["kept"], "0 to create, 0 to update, 0 to delete"),
    "rehearse": (["--", sys.executable, "-c", "pass"], "no changes"),
    "sandbox": (["--help"], "--port"),
    "demo": (["--help"], "Do a day's work"),  # tests/documents/test_demo.py runs it.
    "doctor": ([], "PermutiveAPI,info,"),
}


def names_of(group: click.Group, before: str = "") -> Iterator[str]:
    """Yield the names of the commands below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from names_of(command, f"{name} ")
        else:
            yield f"{before}{name}"


@pytest.fixture
def files(fresh_service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that the commands read, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("cohorts.csv").write_text("code,state\n12345,Disabled\n", "utf-8")
    Path("segments.csv").write_text("code,name\nrunners,Runners\n", "utf-8")
    Path("users.csv").write_text("user_id,email\nu-1,ada@example.com\n", "utf-8")
    Path("users.ndjson").write_text('{"user_id": "u-1", "events": []}\n', "utf-8")


# What a command reads is made by another one before.
MADE_BY = {
    "cohorts apply": ["cohorts", "plan", "cohorts.csv", "--output", "plan.json"],
    "segments apply": [
        "segments",
        "plan",
        "subscribercrm",
        "segments.csv",
        "--output",
        "segments.json",
    ],
    "drift": ["snapshot", "kept"],
}


def arguments_of(name: str) -> List[str]:
    """Return the arguments of a command, and make what it reads."""
    if name in MADE_BY:
        assert run(*MADE_BY[name]).status == 0
    return [*name.split(), *COMMANDS[name][0]]


def test_no_command_is_missing() -> None:
    """The table above has every command."""
    assert {*COMMANDS} == {*names_of(permutive)}


@pytest.mark.parametrize("name", COMMANDS)
def test_at_the_end_of_a_pipe(files: None, name: str) -> None:
    """Data is on stdout, and nothing on stderr looks like a crash."""
    # `rehearse` gives its stdout to a program, so it needs a real one.
    done = (run_process if name == "rehearse" else run)(*arguments_of(name))
    assert done.status == 0, done.err
    assert COMMANDS[name][1] in done.out
    assert "Traceback" not in done.err


# Runs each command in a process that has imported no other one, and prints those that did not end well.
FORKING = """
import gc, json, os, sys
from PermutiveAPI.cli import main

gc.freeze()  # So that a fork copies less.
failed = []
for arguments in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        os._exit(main(arguments))
    if os.waitpid(child, 0)[1]:
        failed.append(arguments)
print("failed:", failed)
"""


@needs_terminal
def test_on_a_terminal(files: None) -> None:
    """Each command ends well on a narrow terminal, in a process that has imported no other one."""
    commands = json.dumps([arguments_of(name) for name in COMMANDS])
    with Terminal(
        commands, columns=40, program=(sys.executable, "-W", "error", "-c", FORKING)
    ) as terminal:
        screen = terminal.wait()
    assert screen.text.endswith("failed: []\n"), screen.text
    assert "Traceback" not in screen.text
