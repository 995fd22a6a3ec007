"""The benchmarks' declarations fit their measurements. Nothing is measured here."""

from __future__ import annotations

import ast
import subprocess
import sys

from benchmarks.lines import LINES, Line
from benchmarks.subjects import ROOT
from tests.support.rows import for_each

MEASUREMENTS = {
    node.name: [argument.arg for argument in node.args.args]
    for node in ast.parse(
        (ROOT / "benchmarks" / "workers" / "measurements.py").read_text("utf-8")
    ).body
    if isinstance(node, ast.FunctionDef)
}


@for_each("line", LINES)
def test_a_line_gives_its_measurement_the_settings_that_it_takes(line: Line) -> None:
    """Every line names a measurement and its settings, with small sizes for some of them."""
    subject, *settings = MEASUREMENTS[line.measurement]
    assert subject == "subject"
    assert set(settings) == set(line.settings)
    assert set(line.quick) <= set(line.settings)
    assert line.repetitions % 2 == 1


def test_names_are_unique() -> None:
    """Every line has a different name."""
    assert len({line.name for line in LINES}) == len(LINES)


def test_the_command_needs_the_standard_library_alone() -> None:
    """The lines can be listed without any installed package."""
    command = [sys.executable, "-S", "-m", "benchmarks", "--list"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == [line.name for line in LINES]
