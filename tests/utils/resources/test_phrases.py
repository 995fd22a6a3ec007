"""Parts of errors' texts that a program around the library says in words of its own."""

from __future__ import annotations

import pytest

from PermutiveAPI._Utils.resources.phrases import Phrase, in_other_words

KEY = Phrase("api_key={key!r}")
LIMIT = Phrase("limit={{}}")


def test_without_other_words() -> None:
    """Users of Python get the phrase itself, with its values."""
    assert (KEY(key="a"), LIMIT()) == ("api_key='a'", "limit={}")


def test_other_words_may_leave_out_values() -> None:
    """A phrase without other words stays, and so does each after the block."""
    with in_other_words({KEY: "--workspace"}):
        assert (KEY(key="a"), LIMIT()) == ("--workspace", "limit={}")
    assert KEY(key="a") == "api_key='a'"


def test_words_in_words() -> None:
    """An inner block adds its words to those of the outer one, also if it fails."""
    with in_other_words({KEY: "outer", LIMIT: "outer"}):
        with pytest.raises(ValueError):
            with in_other_words({KEY: "inner"}):
                assert (KEY(key="a"), LIMIT()) == ("inner", "outer")
                raise ValueError
        assert KEY(key="a") == "outer"


def test_equal_phrases_are_two() -> None:
    """Only the very phrase is replaced, and not one that happens to have the same words."""
    with in_other_words({Phrase(LIMIT.text): "other"}):
        assert LIMIT() == "limit={}"
