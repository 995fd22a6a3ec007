"""Prints what CHANGELOG.md says about the version that a tag names, in Markdown.

It fails if pyproject.toml has another version, or if the changelog says nothing about it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
if len(sys.argv) != 2:
    sys.exit("Give one tag, for instance v5.9.0.")
project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
version = re.findall(r'^version = "(.*)"$', project, re.MULTILINE)[0]
if sys.argv[1] != f"v{version}":
    sys.exit(f"The tag is {sys.argv[1]}, the version in pyproject.toml is {version}.")
entries = re.split(
    r"^## \[", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE
)
for entry in entries[1:]:
    heading, _, text = entry.partition("\n")
    if heading.startswith(f"{version}]") and text.strip():
        print(text.strip())
        break
else:
    sys.exit(f"CHANGELOG.md says nothing about {version}.")
