"""Docstrings are programs: every example in them runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import PermutiveAPI

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(PermutiveAPI.__path__, "PermutiveAPI.")
    if not module.name.endswith("__main__")
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    """Every docstring example prints what it says."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples() -> None:
    """The search for examples finds some, so that the test above can fail."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [
        test
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
        if test.examples
    ]
    assert len(found) >= 5
