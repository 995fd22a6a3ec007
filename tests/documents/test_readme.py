"""The README is a program: every block in it runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI import Cohort, Import, Segment
from PermutiveAPI.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

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


def blocks(language: str) -> List[str]:
    """Return the README's fenced blocks of a language."""
    fence = re.compile(rf"^( *)```{language}\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
    return [match[2] for match in fence.finditer(README)]


def with_real_values(text: str, sandbox: Sandbox) -> str:
    """Put the sandbox's key and ids in the place of the README's."""
    imports = Import.list(api_key=sandbox.api_key)
    segments = Segment.list(import_id=imports[0].id, api_key=sandbox.api_key)
    workspace = sandbox.credentials()[0]
    values = {
        "your-api-key": sandbox.api_key,
        "your_api_key": sandbox.api_key,
        "your-org-id": workspace["organisation_id"],
        "your-workspace-id": workspace["workspace_id"],
        "your-import-id": imports[0].id,
        "import-123": imports[0].id,
        "your-segment-id": segments[0].id,
        "your-cohort-id": Cohort.list(api_key=sandbox.api_key)[0].id,
    }
    for placeholder, value in values.items():
        text = text.replace(placeholder, str(value))
    return text


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
    namespace: Dict[str, Any] = {"__name__": "__main__"}
    for number, block in enumerate(blocks("python"), start=1):
        code = with_real_values(block, sandbox)
        exec(compile(code, f"README.md, python block {number}", "exec"), namespace)
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


def test_the_pytest_block_passes_in_a_suite_of_its_own(
    pytester: pytest.Pytester,
) -> None:
    """The block about the plugin is a working conftest and test."""
    (plugins,) = [each for each in blocks("python") if "pytest_plugins" in each]
    (test,) = [each for each in blocks("python") if "def test_" in each]
    pytester.makeconftest(plugins)
    pytester.makepyfile(test)
    result = pytester.runpytest("-p", "no:cacheprovider", "--no-cov")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("beginning", PROMISED)
def test_every_promised_block_is_there(beginning: str) -> None:
    """A block that users of 5.4.4 know from the page is still in the README."""
    assert any(block.startswith(beginning) for block in blocks("python"))


def test_the_credentials_block_is_what_the_library_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The JSON shown as workspace file is accepted."""
    from PermutiveAPI import Workspace

    path = tmp_path / "workspace.json"
    (shown,) = blocks("json")
    path.write_text(shown)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    assert Workspace.from_env() == Workspace(
        "Main", "your-org-id", "your-workspace-id", "your-api-key"
    )


def test_every_link_to_a_section_has_its_section() -> None:
    """No link in the README leads nowhere."""
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]*)\)", README))
    assert links <= anchors
    files = set(re.findall(r"\]\(([^)#:]*)\)", README))
    assert all((ROOT / file).exists() for file in files)
