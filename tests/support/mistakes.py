"""Mistakes of the caller: each is a call, its error, and the whole text of the error."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from tests.support.rows import Test, for_each

Mistake = tuple[Callable[[], Any], type[Exception], str]


def each(mistakes: dict[str, Mistake]) -> Callable[[Test], Test]:
    """Run a test with each mistake, under its name."""
    return for_each(("call", "kind", "text"), mistakes)


def assert_raises(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    """Assert that a call raises exactly this class, with exactly this text."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == text
