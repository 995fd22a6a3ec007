"""Documents in Markdown: run their blocks against the sandbox, and check their links."""

from __future__ import annotations

import doctest
import io
import os
import re
import stat
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from PermutiveAPI import Cohort, Import, Segment
from PermutiveAPI.sandbox import Sandbox
from tests.support.scripts import write_program

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

# A block, and the block of text below it, which says what the block prints.
_BLOCK = r"^```{language}\n(?P<code>.*?)^```\n(?:\n```text\n(?P<printed>.*?)^```\n)?"


@dataclass(frozen=True)
class Example:
    """A block of code, the line where it starts, and the output that the document promises."""

    code: str
    line: int
    printed: Optional[str]


def pages() -> List[Path]:
    """Return the pages of docs/, without what Sphinx has built."""
    return sorted(page for page in DOCS.glob("**/*.md") if "_build" not in page.parts)


def name_of(document: Path) -> str:
    """Return a document's path in the project."""
    return document.relative_to(ROOT).as_posix()


def blocks(document: Path, language: str) -> List[str]:
    """Return a document's fenced blocks of a language."""
    fence = re.compile(rf"^( *)```{language}\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
    text = document.read_text(encoding="utf-8")
    return [match[2] for match in fence.finditer(text)]


def examples(document: Path, language: str = "python") -> Iterator[Example]:
    """Yield a document's blocks of a language, each with what it prints."""
    text = document.read_text(encoding="utf-8")
    block = _BLOCK.format(language=language)
    for match in re.finditer(block, text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, match.start("code")) + 1
        yield Example(match["code"], line, match["printed"])


def run_python_blocks(document: Path, sandbox: Sandbox) -> Dict[str, Any]:
    """Run a document's blocks one after the other, with the sandbox's key and ids.

    If a block of text follows, it must be what the block prints; ``...`` stands for any text.

    Returns
    -------
    dict
        The names that the blocks left behind.
    """
    namespace: Dict[str, Any] = {"__name__": "__main__"}
    for example in examples(document):
        code = "\n" * (example.line - 1) + _with_real_values(example.code, sandbox)
        output = io.StringIO()
        with redirect_stdout(output):
            exec(compile(code, str(document), "exec"), namespace)
        print(output.getvalue())
        if example.printed is not None:
            _compare(document, example, output.getvalue())
    return namespace


def run_shell_blocks(document: Path, folder: Path) -> str:
    """Run a document's blocks of ``sh`` with bash, one after the other, in a folder that they share.

    ``permutive`` is on their path. Each block is a shell of its own, so it keeps no variables of the one
    before. Its exit status must be 0. What it prints is compared as that of a block of Python; stderr is
    part of it.

    Returns
    -------
    str
        What all blocks printed.
    """
    environment = permutive_on_path(folder)
    printed = ""
    for example in examples(document, "sh"):
        done = subprocess.run(
            ["bash", "-c", example.code],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
        )
        place = f"{name_of(document)}, line {example.line}"
        assert done.returncode == 0, f"{place}: exit status {done.returncode}\n{done.stdout}"
        if example.printed is not None:
            _compare(document, example, done.stdout)
        printed += done.stdout
    return printed


def permutive_on_path(folder: Path) -> Dict[str, str]:
    """Return variables with ``permutive`` and ``python`` on the path, and an author for git.

    The programs lie in a hidden folder of `folder`.
    """
    programs = folder / ".programs"
    programs.mkdir(exist_ok=True)
    write_program(programs / "permutive", "PermutiveAPI")
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(stat.S_IRWXU)
    people = {f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")}
    people |= {f"GIT_{role}_EMAIL": "ada@example.com" for role in ("AUTHOR", "COMMITTER")}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **people, "PATH": path}


def _compare(document: Path, example: Example, output: str) -> None:
    """Fail unless a block has printed what the document says."""
    expected = doctest.Example(example.code, example.printed or "")
    checker = doctest.OutputChecker()
    if not checker.check_output(expected.want, output, doctest.ELLIPSIS):
        difference = checker.output_difference(expected, output, doctest.REPORT_NDIFF)
        raise AssertionError(f"{name_of(document)}, line {example.line}:\n{difference}")


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
    targets = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text)
    return [f"{file}#{section}" for file, section in targets if not _leads(document, file, section)]


def _leads(document: Path, file: str, section: str) -> bool:
    """Tell whether the target of a link exists."""
    target = document.parent / file if file else document
    if not target.exists():
        return False
    return not section or target.suffix != ".md" or section in _anchors(target)


def _anchors(document: Path) -> List[str]:
    """Return the names that a document's headings get as the targets of links."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
