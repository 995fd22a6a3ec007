"""The guides are programs: every block in them runs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from PermutiveAPI.sandbox import Sandbox
from tests.documents.markdown import ROOT, blocks, dead_links, run_python_blocks

GUIDES = sorted((ROOT / "docs").glob("**/*.md"))


def test_there_is_a_guide_for_upgrading() -> None:
    """README and CHANGELOG link to it, and it has blocks that the next test runs."""
    upgrading = ROOT / "docs" / "upgrading.md"
    for document in (ROOT / "README.md", ROOT / "CHANGELOG.md"):
        assert "](docs/upgrading.md)" in document.read_text(encoding="utf-8")
    assert upgrading in GUIDES and blocks(upgrading, "python")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_python_block_runs_in_order(
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    guide: Path,
) -> None:
    """A guide's blocks run one after the other, and show no key."""
    # A block may set the level of the logger; this puts it back at the end.
    caplog.set_level(logging.NOTSET, logger="PermutiveAPI")
    run_python_blocks(guide, sandbox)
    assert sandbox.api_key not in capsys.readouterr().out


@pytest.mark.parametrize(
    "document", [ROOT / "CHANGELOG.md", *GUIDES], ids=lambda document: document.name
)
def test_every_link_leads_somewhere(document: Path) -> None:
    """No link leads nowhere."""
    assert dead_links(document) == []
