"""The pages of docs/ are programs: every block in them runs, and prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import PermutiveAPI
import PermutiveAPI.Query
import PermutiveAPI.rehearsal
import PermutiveAPI.snapshots
import PermutiveAPI.Tables
from PermutiveAPI.sandbox import Sandbox
from tests.documents.markdown import (
    DOCS,
    ROOT,
    blocks,
    dead_links,
    name_of,
    pages,
    run_python_blocks,
    run_shell_blocks,
)
from tests.support.platforms import needs_posix

PAGES = pages()
RUNNING = [page for page in PAGES if blocks(page, "python")]
# Pages whose blocks of `sh` run. A block of `bash` in them does not run.
SHELL_PAGES = [
    DOCS / "guides" / f"{name}.md"
    for name in ("command", "operators-day", "rehearsal", "snapshots")
]


def test_the_pages_are_found() -> None:
    """The search for pages finds them, so that the tests below can fail."""
    assert {DOCS / "tutorial.md", DOCS / "upgrading.md", DOCS / "guides" / "batches.md"} <= {
        *RUNNING
    }
    for document in (ROOT / "README.md", ROOT / "CHANGELOG.md"):
        assert "](docs/upgrading.md)" in document.read_text(encoding="utf-8")


@pytest.mark.usefixtures("settings_of_a_reader")
@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_every_python_block_runs_in_order(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str], page: Path
) -> None:
    """A page's blocks run one after the other, print what the page says, and show no key."""
    run_python_blocks(page, sandbox)
    assert sandbox.api_key not in capsys.readouterr().out


@needs_posix
@pytest.mark.usefixtures("settings_of_a_reader")
@pytest.mark.parametrize("page", SHELL_PAGES, ids=name_of)
def test_every_shell_block_runs_in_order(sandbox: Sandbox, tmp_path: Path, page: Path) -> None:
    """A page's lines for a shell run one after the other, print what the page says, and show no key."""
    folder = tmp_path / "work"
    folder.mkdir()
    printed = run_shell_blocks(page, folder)
    assert printed
    assert sandbox.api_key not in printed


@pytest.mark.parametrize(
    "document",
    [ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *PAGES],
    ids=name_of,
)
def test_every_link_leads_somewhere(document: Path) -> None:
    """The target of every link exists."""
    assert dead_links(document) == []


@pytest.mark.parametrize(
    "module",
    [
        PermutiveAPI,
        PermutiveAPI.Query,
        PermutiveAPI.Tables,
        PermutiveAPI.rehearsal,
        PermutiveAPI.snapshots,
    ],
    ids=["top level", "Query", "Tables", "rehearsal", "snapshots"],
)
def test_every_public_name_is_in_the_reference(module: object) -> None:
    """Every public name is in docs/reference."""
    reference = "\n".join(
        page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")
    )
    documented = set(re.findall(r"^\.\. auto\w+:: PermutiveAPI\.(?:\w+\.)*(\w+)$", reference, re.M))
    names = set(vars(module)["__all__"]) - {"__version__", "from_json"}
    assert names - documented == set()


def test_the_pytest_blocks_pass_in_a_suite_of_their_own(pytester: pytest.Pytester) -> None:
    """The blocks about the plugin are a working conftest and test."""
    python = blocks(DOCS / "guides" / "testing.md", "python")
    (plugins,) = [each for each in python if "pytest_plugins" in each]
    (test,) = [each for each in python if "def test_" in each]
    pytester.makeconftest(plugins)
    pytester.makepyfile(test)
    result = pytester.runpytest("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--no-cov")
    result.assert_outcomes(passed=1)
