"""Tests of many small rows. One test checks all rows, since pytest takes longer for a test than for a row."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

import pytest

Test = Callable[..., None]


def for_each(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """Call a test with each row, and report every row that fails, by its key if the rows are a mapping.

    The arguments are those of ``pytest.mark.parametrize``. All rows share what fixtures give: a test that needs a new
    one for each row stays parametrized.
    """
    arguments = (names,) if isinstance(names, str) else names
    named = list(rows.items() if isinstance(rows, Mapping) else ((None, row) for row in rows))
    assert named, "a test without rows proves nothing"

    def decorate(test: Test) -> Test:
        @wraps(test)
        def test_every_row(**fixtures: Any) -> None:
            __tracebackhide__ = True
            failures: list[tuple[str, BaseException]] = []
            for name, row in named:
                values = (row,) if isinstance(names, str) else row
                try:
                    test(**dict(zip(arguments, values, strict=True)), **fixtures)
                except (Exception, pytest.fail.Exception) as failure:
                    failures.append((repr(row)[:200] if name is None else str(name), failure))
            if failures:
                told = [f"{name}: {failure}" for name, failure in failures]
                raise AssertionError("\n".join(["of these rows:", *told])) from failures[0][1]

        signature = inspect.signature(test)
        fixtures = [each for each in signature.parameters.values() if each.name not in arguments]
        vars(test_every_row)["__signature__"] = signature.replace(parameters=fixtures)
        return test_every_row

    return decorate
