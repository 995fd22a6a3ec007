"""The README is a program: every block in it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.documents.markdown import DOCS, ROOT, blocks, dead_links, run_python_blocks

README = ROOT / "README.md"
KEYS = DOCS / "guides" / "keys.md"
MOST_LINES = 350

# How the blocks of 5.4.4's page begin. They must stay.
PROMISED = (
    "from PermutiveAPI import (\n    Alias,",
    "# Create a workspace instance",
    "# List all cohorts",
    "# List all segments for a given import",
    "# List all imports",
    "# Create an alias for a user",
    "from PermutiveAPI import Event, Segmentation\n\nevent = Event(",
    "# Opt in for activations",
    "from PermutiveAPI import Cohort, CohortList",
    "from PermutiveAPI import Cohort\nfrom PermutiveAPI._Utils.http import Progress",
    "from PermutiveAPI import Segment\n\nsegments = [",
    "from PermutiveAPI import Event, Segmentation\n\nevents = [",
    "from PermutiveAPI import (\n    PermutiveAPIError,",
)


@pytest.mark.usefixtures("settings_of_a_reader")
def test_every_python_block_runs_in_order(
    sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """The README's blocks run one after the other, with the sandbox's key and ids, and none fails."""
    namespace = run_python_blocks(README, sandbox)
    assert namespace["failures"] == []
    assert namespace["segment_failures"] == []
    assert namespace["segmentation_failures"] == []
    assert namespace["new_cohort"].id
    printed = capsys.readouterr().out
    assert "Successfully identified user." in printed
    assert "Unhandled API error" not in printed
    assert sandbox.api_key not in printed


def test_it_is_short_and_leads_to_every_guide() -> None:
    """The README has at most 350 lines, and links to every guide."""
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    guides = {f"docs/guides/{page.name}" for page in (DOCS / "guides").glob("*.md")}
    assert [guide for guide in sorted(guides) if f"]({guide})" not in text] == []


@pytest.mark.parametrize("beginning", PROMISED)
def test_every_promised_block_is_there(beginning: str) -> None:
    """A block that users of 5.4.4 know from the page is still in the README."""
    assert any(block.startswith(beginning) for block in blocks(README, "python"))


@pytest.mark.parametrize("document", [README, KEYS], ids=["README", "guide"])
def test_the_credentials_block_is_what_the_library_reads(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The JSON shown as workspace file is accepted."""
    from PermutiveAPI import Workspace

    path = tmp_path / "workspace.json"
    (shown,) = blocks(document, "json")
    path.write_text(shown)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    assert Workspace.from_env() == Workspace(
        "Main", "your-org-id", "your-workspace-id", "your-api-key"
    )


def test_every_link_leads_somewhere() -> None:
    """The target of every link in the README exists."""
    assert dead_links(README) == []
