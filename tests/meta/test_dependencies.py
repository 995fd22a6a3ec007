"""What pyproject.toml declares is what the package imports."""

from __future__ import annotations

import re
import sys
from importlib.metadata import requires

from packaging.requirements import Requirement

from tests.meta.sources import foreign_imports_of, modules

DISTRIBUTIONS = {"dotenv": "python-dotenv"}  # Where the names differ.


def test_every_import_is_declared_and_every_dependency_is_imported() -> None:
    """The declared dependencies and users' extras are exactly what the modules import."""
    imported = {
        target.partition(".")[0] for name in modules() for target in foreign_imports_of(name)
    }
    foreign = imported - {"", "PermutiveAPI", "pytest", *sys.stdlib_module_names}
    declared = {
        requirement.name
        for requirement in map(Requirement, requires("PermutiveAPI") or ())
        if not {"dev", "docs"} & set(re.findall(r"\w+", str(requirement.marker)))
    } - {
        "PermutiveAPI"
    }  # Extras that contain others.
    assert {DISTRIBUTIONS.get(name, name) for name in foreign} == declared
