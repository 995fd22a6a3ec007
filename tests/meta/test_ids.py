"""The names of parametrised tests."""

from __future__ import annotations

from typing import Any

import pytest


def is_of_the_package(value: Any) -> bool:
    """Tell whether a value is an object of the package, or a tuple or list with one."""
    if isinstance(value, (list, tuple)):
        return any(map(is_of_the_package, value))
    return type(value).__module__.partition(".")[0] == "PermutiveAPI"


def test_ids_are_fixed_words(request: pytest.FixtureRequest) -> None:
    """The package computes no id: a fault in it would rename the test instead of failing it."""
    computed = {
        item.nodeid.partition("[")[0]
        for item in request.session.items
        for marker in item.iter_markers("parametrize")
        if marker.kwargs.get("ids") in (str, repr, ascii)
        and any(map(is_of_the_package, marker.args[1]))
    }
    assert computed == set()
