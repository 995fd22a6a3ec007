"""Queries in users' code, as type checkers see them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, List, Set

import pytest

USERS_CODE = """\
# pyright: strict, reportUnusedExpression=false
from typing import List

from PermutiveAPI.Query import (
    Condition,
    Query,
    at_least,
    engaged_time,
    engaged_views,
    event,
    has_entered,
    has_exited,
    in_segment,
    in_third_party_segment,
    prop,
)

football = event("Pageview").where(prop("url").contains("football"))
clauses: List[Query] = [football, in_segment(1), has_entered(2)]
anywhere = clauses[0]
for clause in clauses[1:]:
    anywhere = anywhere | clause
both: Query = football.at_least(2).in_the_last(days=30) & in_segment(12345)
either: Query = football | in_third_party_segment(5) & engaged_time(at_least(3))
nested: Query = (both | either) & (either | has_exited(1))
views: Query = engaged_views(at_least(30), at_least(2)) | engaged_views(at_least(30))
complete: Query = engaged_views(completion=at_least(0.5), times=at_least(2)).in_this_session()
opposite: Query = ~(has_entered(1) & in_third_party_segment(5))
refined: Query = (~has_entered(3)).in_the_last(days=3)
condition: Condition = prop("a").is_empty() & ~prop("b").contains("x") | prop("c").equal_to(1)
items: Condition = prop("items").sum("price").where(condition).greater_than(10) & condition
filtered: Query = event("A").where(condition & items).at_least(1)

(event("a") & event("b")).at_least(3)  # mistake
(event("a") | event("b")).where(condition)  # mistake
(football & in_segment(1)).in_the_last(days=2)  # mistake
football & condition  # mistake
condition | football  # mistake
football & prop("a")  # mistake
prop("a") & prop("b")  # mistake
football & {"in_segment": 1}  # mistake
football.where(football)  # mistake
in_segment(1).at_least(2)  # mistake
in_third_party_segment("brand", "s1")  # mistake
event("a").at_last(2)  # mistake
event("a").in_the_last(day=2)  # mistake
prop("a").contain("x")  # mistake
engaged_time(30)  # mistake
engaged_views(at_least(30), completion=at_least(0.5))  # mistake
engaged_views(times=at_least(2))  # mistake
wrong: Condition = football & in_segment(1)  # mistake
"""


def reported_by_pyright(file: Path) -> Set[int]:
    """Return the lines that pyright reports."""
    command = ["--pythonpath", sys.executable, "--outputjson", str(file)]
    report = json.loads(output_of("pyright", command, file.parent))
    return {each["range"]["start"]["line"] + 1 for each in report["generalDiagnostics"]}


def reported_by_mypy(file: Path) -> Set[int]:
    """Return the lines that mypy reports."""
    report = output_of("mypy", ["--strict", "--no-incremental", file.name], file.parent)
    return {
        int(line) for line in re.findall(rf"^{file.name}:(\d+): error", report, re.M)
    }


def output_of(module: str, arguments: List[str], folder: Path) -> str:
    """Run a checker on users' code, which stands outside of the project."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stderr or done.stdout  # It reported mistakes.
    return done.stdout


CHECKERS: Dict[str, Callable[[Path], Set[int]]] = {
    "pyright": reported_by_pyright,
    "mypy": reported_by_mypy,
}


@pytest.mark.parametrize("checker", CHECKERS.values(), ids=list(CHECKERS))
def test_checkers_report_the_mistakes(
    checker: Callable[[Path], Set[int]], tmp_path: Path
) -> None:
    """A checker reports every line that is a mistake, and no other line."""
    file = tmp_path / "users_code.py"
    file.write_text(USERS_CODE, encoding="utf-8")
    lines = enumerate(USERS_CODE.splitlines(), start=1)
    assert checker(file) == {n for n, line in lines if line.endswith("# mistake")}
