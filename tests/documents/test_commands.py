"""The commands in the documents are those that the gate runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from coverage import Coverage

ROOT = Path(__file__).parents[2]
GATE = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
STEPS = re.findall(r'^step "(.*)"$', GATE, re.MULTILINE)
CHECKS = [step for step in STEPS if re.match("pydocstyle|black|ruff|pyright|mypy", step)]
MEASURED = "pytest -n 2 --cov"


def test_the_gate_runs_every_check() -> None:
    """The search for the gate's checks finds them, so that the tests below can fail."""
    assert {
        "pydocstyle PermutiveAPI",
        "black --check .",
        "ruff check",
        "pyright PermutiveAPI tests",
    } <= {*CHECKS}
    assert {"$demo", "$tests", "python .ci/published_suite"} <= {*STEPS}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
@pytest.mark.parametrize("command", CHECKS)
def test_a_document_names_every_check(document: str, command: str) -> None:
    """A document names every command that the gate runs."""
    text = (ROOT / document).read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(command)}$", text, re.MULTILINE)


def test_the_readme_starts_with_the_two_commands() -> None:
    """The first two commands of the README are the demo and the tests."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```sh\n(.*?)\n```", readme, re.DOTALL)[:2]
    assert first.startswith("python3 -m venv .venv") and first.endswith("demo")
    assert second.startswith("python3 -m venv .venv")
    assert second.endswith(".venv/bin/pytest -n 4")
    assert second in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_coverage_is_in_the_commands(document: str) -> None:
    """The commands measure coverage; plain pytest, for instance of one test, does not."""
    assert MEASURED in (ROOT / document).read_text(encoding="utf-8")


def test_coverage_has_its_bounds(pytestconfig: pytest.Config) -> None:
    """`--cov` measures lines and branches of the package, and fails below 95 %; plain pytest measures nothing."""
    coverage = Coverage(config_file=str(ROOT / "pyproject.toml"))
    assert coverage.get_option("run:source") == ["PermutiveAPI"]
    assert coverage.get_option("run:branch") is True
    assert coverage.get_option("report:fail_under") == 95
    assert not {"--cov", "-n", "--numprocesses"} & {
        option.partition("=")[0] for option in pytestconfig.getini("addopts")
    }


def test_the_gate_builds_the_pages_as_the_document_says() -> None:
    """The gate builds the pages with the command of CONTRIBUTING.md, with warnings as errors."""
    (build,) = [step for step in STEPS if step.startswith("sphinx-build ")]
    assert "-W" in build.split()
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.search(rf"^{re.escape(build)}$", contributing, re.MULTILINE)


def test_the_environment_template_names_every_variable() -> None:
    """_env and the guide to settings name every variable that the library reads."""
    settings = (ROOT / "PermutiveAPI" / "_Utils" / "settings.py").read_text()
    variables = set(re.findall(r'"(PERMUTIVE_\w+)"', settings))
    assert len(variables) == 13
    for document in ("_env", "docs/guides/settings.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        assert variables <= set(re.findall(r"PERMUTIVE_\w+", text))


def test_the_version_has_an_entry_in_the_changelog() -> None:
    """The changelog's newest entry is the version of pyproject.toml."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.*)"$', project, re.MULTILINE)
    entry = re.search(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert version and entry and version[1] == entry[1]
