"""Shell completion of commands, options and workspaces."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import List

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import COMMAND, SECONDS, run


def completed(monkeypatch: pytest.MonkeyPatch, line: str) -> List[str]:
    """Return what the command offers for the last word of a line, as it tells bash."""
    words = line.split(" ")
    monkeypatch.setenv("_PERMUTIVE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    done = run()
    assert (done.status, done.err) == (0, "")
    return [each.partition(",")[2] for each in done.out.splitlines() if each]


@pytest.mark.parametrize(
    "line, offered",
    [
        ("permutive co", ["cohorts"]),
        ("permutive s", ["segments", "segment", "snapshot", "sandbox"]),
        ("permutive cohorts sh", ["show"]),
        ("permutive cohorts list --chi", ["--children"]),
        ("permutive cohorts list --format ", ["table", "json", "ndjson", "csv"]),
    ],
)
def test_commands_and_options(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, line: str, offered: List[str]
) -> None:
    """Names that begin with the word are offered, and nothing is sent."""
    assert completed(monkeypatch, line) == offered
    assert service.requests == []


@pytest.mark.parametrize("command", ["cohorts list", "doctor", "references"])
def test_workspaces(service: Sandbox, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The names of the credentials file are offered."""
    names = ["'Meridian Media Group'", "'Meridian Regional News'"]
    assert completed(monkeypatch, f"permutive {command} --workspace Mer") == names
    assert completed(monkeypatch, f"permutive {command} --workspace X") == []


def words_offered(monkeypatch: pytest.MonkeyPatch, shell: str, word: str) -> str:
    """Return what a shell is told for a workspace that begins with a word, which may have spaces."""
    before = "permutive cohorts copy --to"
    monkeypatch.setenv("_PERMUTIVE_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", f"{before}\n{word}" if shell == "bash" else f"{before} {word}")
    monkeypatch.setenv("COMP_CWORD", word if shell == "fish" else "4")
    return run().out


@pytest.mark.parametrize("word", ["Meridian\\ R", "'Meridian R", '"Meridian R'])
def test_spaces_in_bash(service: Sandbox, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """Bash inserts the text as it is. So it is quoted, unless the word begins with a quotation mark."""
    name = "Meridian Regional News"
    offered = name if word[0] in "'\"" else f"'{name}'"
    assert words_offered(monkeypatch, "bash", word) == f"plain,{offered}\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_spaces_in_other_shells(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    """Other shells quote the text themselves."""
    out = words_offered(monkeypatch, shell, "Mer")
    assert "Meridian Regional News" in out and "'" not in out


@pytest.mark.parametrize("command", ["rehearse", "snapshot", "drift"])
def test_every_workspace_option(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The commands with an option of their own complete it, too."""
    assert len(completed(monkeypatch, f"permutive {command} --workspace Mer")) == 2


def test_without_a_credentials_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to offer, and that is no error."""
    assert completed(monkeypatch, "permutive cohorts list --workspace M") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_in_bash(service: Sandbox, tmp_path: Path) -> None:
    """The line of the guide makes bash complete the command."""
    permutive = tmp_path / "permutive"
    permutive.write_text(f'#!/bin/sh\nexec "{COMMAND[0]}" -m PermutiveAPI "$@"\n')
    permutive.chmod(0o700)
    script = (
        f'PATH="{tmp_path}:$PATH"\n'
        'eval "$(_PERMUTIVE_COMPLETE=bash_source permutive)" || exit\n'
        "COMP_WORDS=(permutive cohorts li) COMP_CWORD=2\n"
        "_permutive_completion permutive\n"
        "COMP_WORDS=(permutive doctor --workspace Mer) COMP_CWORD=3\n"
        "_permutive_completion permutive\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "list\n'Meridian Media Group'\n'Meridian Regional News'\n",
        "",
    )
