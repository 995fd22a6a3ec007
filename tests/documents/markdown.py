"""Documents in Markdown: their blocks, run against the sandbox, and where their links lead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List

from PermutiveAPI import Cohort, Import, Segment
from PermutiveAPI.sandbox import Sandbox

ROOT = Path(__file__).parents[2]


def blocks(document: Path, language: str) -> List[str]:
    """Return a document's fenced blocks of a language."""
    fence = re.compile(rf"^( *)```{language}\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
    text = document.read_text(encoding="utf-8")
    return [match[2] for match in fence.finditer(text)]


def run_python_blocks(document: Path, sandbox: Sandbox) -> Dict[str, Any]:
    """Run a document's blocks one after the other, with a key and ids put in.

    Returns
    -------
    dict
        The names that the blocks left behind.
    """
    namespace: Dict[str, Any] = {"__name__": "__main__"}
    for number, block in enumerate(blocks(document, "python"), start=1):
        place = f"{document.name}, python block {number}"
        exec(compile(_with_real_values(block, sandbox), place, "exec"), namespace)
    return namespace


def _with_real_values(text: str, sandbox: Sandbox) -> str:
    """Put the sandbox's key and ids in the place of the document's."""
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


def dead_links(document: Path) -> List[str]:
    """Return the links of a document to sections and files that do not exist."""
    text = document.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {_anchor_of(heading) for heading in headings}
    targets = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text)
    return [
        f"{file}#{section}"
        for file, section in targets
        if not (document.parent / file).exists() or (not file and section not in anchors)
    ]


def _anchor_of(heading: str) -> str:
    """Return the name that a heading gets as the target of links."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
