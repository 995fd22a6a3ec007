"""Type checkers read users' code in their strictest modes, against the installed package, as for users."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Set, Tuple

import pytest

FOLDER = Path(__file__).parent
FILES = [FOLDER / "users_code.py", FOLDER / "mistakes.py"]

# pandas and the package import these, but no public type comes from them. With them, mypy takes twice as long.
UNREAD = (
    "IPython PIL OpenSSL anyio click cryptography h11 jinja2 matplotlib numpy pyparsing starlette"
    " uvicorn"
).split()

# Files and the numbers of lines.
Lines = Set[Tuple[str, int]]


def reported_by_pyright(folder: Path) -> Lines:
    """Return the lines that pyright reports."""
    (folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    options = ["--pythonpath", sys.executable, "--outputjson"]
    report = output_of("pyright", options, folder)
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1)
        for each in json.loads(report)["generalDiagnostics"]
    }


def reported_by_mypy(folder: Path) -> Lines:
    """Return the lines that mypy reports."""
    modules = ",".join(f"{name}.*" for name in UNREAD)
    (folder / "mypy.ini").write_text(
        f"[mypy]\n[mypy-{modules}]\nfollow_imports = skip\nfollow_imports_for_stubs = True\n"
    )
    report = output_of("mypy", ["--strict", "--no-incremental", "."], folder)
    found = re.findall(r"^(.*\.py):(\d+): error: ", report, re.MULTILINE)
    return {(name, int(line)) for name, line in found}


def output_of(checker: str, arguments: List[str], folder: Path) -> str:
    """Run a checker in a folder of users' code outside of the project."""
    done = subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        cwd=folder,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr or done.stdout  # 1: it has reported mistakes.
    return done.stdout


def mistakes_in(files: Iterable[Path]) -> Lines:
    """Return the lines that are marked as mistakes."""
    return {
        (file.name, number)
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if line.endswith("  # mistake")
    }


CHECKERS: Dict[str, Callable[[Path], Lines]] = {
    "pyright": reported_by_pyright,
    "mypy": reported_by_mypy,
}


@pytest.mark.parametrize("checker", CHECKERS.values(), ids=list(CHECKERS))
def test_checkers_report_the_mistakes_alone(
    checker: Callable[[Path], Lines], tmp_path: Path
) -> None:
    """A checker reports every line that is marked as a mistake, and no other line."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    reported, marked = checker(tmp_path), mistakes_in(FILES)
    assert {"not reported": marked - reported, "without a mark": reported - marked} == {
        "not reported": set(),
        "without a mark": set(),
    }


def test_there_are_mistakes_and_none_in_the_users_code() -> None:
    """Only the file of mistakes has marks, so that the test above can fail."""
    users_code, mistakes = FILES
    assert mistakes_in([users_code]) == set()
    assert len(mistakes_in([mistakes])) > 100
