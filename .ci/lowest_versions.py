"""Prints the lowest versions that the installed PermutiveAPI declares, as constraints for pip.

They are those of the package and of the extras for users, for the Python that runs this. Of the tests'
own packages it prints only pyarrow, whose newer versions do not load with the NumPy of the lowest pandas.
"""

from __future__ import annotations

import sys
from importlib.metadata import metadata, requires

from packaging.requirements import Requirement
from packaging.version import Version

extras = set(metadata("PermutiveAPI").get_all("Provides-Extra") or ()) - {"dev", "docs"}
lowest: dict[str, Version] = {}
for requirement in map(Requirement, requires("PermutiveAPI") or ()):
    if requirement.name == "PermutiveAPI":
        continue  # An extra that contains others, which have lines of their own.
    marker = requirement.marker
    tried = {*extras, "dev"} if requirement.name == "pyarrow" else extras
    if marker and not any(marker.evaluate({"extra": each}) for each in ("", *tried)):
        continue
    declared = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
    if not declared:
        sys.exit(f"pyproject.toml declares no lowest version: {requirement}")
    # A package may have several lines; its version must fulfil all that apply to this Python.
    lowest[requirement.name] = max(*declared, lowest.get(requirement.name, Version("0")))
for name, version in sorted(lowest.items()):
    print(f"{name}=={version}")
