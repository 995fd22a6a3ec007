"""Mistakes of the caller: each is a call, its error, and the whole text of the error."""

from __future__ import annotations

from typing import Any, Callable

import pytest

Mistake = tuple[Callable[[], Any], type[Exception], str]


def each(mistakes: dict[str, Mistake]) -> pytest.MarkDecorator:
    """Run a test once for each mistake, under its name."""
    return pytest.mark.parametrize(("call", "kind", "text"), mistakes.values(), ids=list(mistakes))


def assert_raises(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    """Assert that a call raises exactly this class, with exactly this text."""
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == text
