"""The README is a program: every block in it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.documents.markdown import ROOT, blocks, dead_links, run_python_blocks

README = ROOT / "README.md"

# What the user's own page shows; a block that starts like this must stay.
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


def test_every_python_block_runs_in_order(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The README's blocks run one after the other, with a key and ids put in, and nothing fails."""
    credentials = tmp_path / "workspace.json"
    credentials.write_text(json.dumps(sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(credentials))
    namespace = run_python_blocks(README, sandbox)
    assert namespace["failures"] == []
    assert namespace["segment_failures"] == []
    assert namespace["segmentation_failures"] == []
    assert [copy.description for copy in namespace["copies"]] == [None, "second cohort"]
    assert namespace["again"] == []
    assert namespace["new_cohort"].description == "Spent more than 100 this month"
    printed = capsys.readouterr().out
    assert "Successfully identified user." in printed
    assert "Unhandled API error" not in printed
    assert sandbox.api_key not in printed


def test_the_pytest_block_passes_in_a_suite_of_its_own(pytester: pytest.Pytester) -> None:
    """The block about the plugin is a working conftest and test."""
    python = blocks(README, "python")
    (plugins,) = [each for each in python if "pytest_plugins" in each]
    (test,) = [each for each in python if "def test_" in each]
    pytester.makeconftest(plugins)
    pytester.makepyfile(test)
    result = pytester.runpytest("-p", "no:cacheprovider", "--no-cov")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("beginning", PROMISED)
def test_every_promised_block_is_there(beginning: str) -> None:
    """A block that users of 5.4.4 know from the page is still in the README."""
    assert any(block.startswith(beginning) for block in blocks(README, "python"))


def test_the_credentials_block_is_what_the_library_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The JSON shown as workspace file is accepted."""
    from PermutiveAPI import Workspace

    path = tmp_path / "workspace.json"
    (shown,) = blocks(README, "json")
    path.write_text(shown)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    assert Workspace.from_env() == Workspace(
        "Main", "your-org-id", "your-workspace-id", "your-api-key"
    )


def test_every_link_leads_somewhere() -> None:
    """No link in the README leads nowhere."""
    assert dead_links(README) == []
