"""Parts of error texts that a program around the library can replace with words of its own."""

from __future__ import annotations

import pytest

from PermutiveAPI._Utils.resources.phrases import Phrase, replaced_phrases

KEY = Phrase("api_key={key!r}")
LIMIT = Phrase("limit={{}}")


def test_a_phrase_alone() -> None:
    """Users of Python get the phrase itself, with its values."""
    assert (KEY(key="a"), LIMIT()) == ("api_key='a'", "limit={}")


def test_a_replacement_may_leave_out_values() -> None:
    """Other phrases stay. After the block, this one is as before."""
    with replaced_phrases({KEY: "--workspace"}):
        assert (KEY(key="a"), LIMIT()) == ("--workspace", "limit={}")
    assert KEY(key="a") == "api_key='a'"


def test_a_block_in_a_block() -> None:
    """The inner block adds to the outer one, which holds again afterwards, even after an error."""
    with replaced_phrases({KEY: "outer", LIMIT: "outer"}):
        with pytest.raises(ValueError):
            with replaced_phrases({KEY: "inner"}):
                assert (KEY(key="a"), LIMIT()) == ("inner", "outer")
                raise ValueError
        assert KEY(key="a") == "outer"


def test_equal_phrases_are_two() -> None:
    """A phrase is replaced, but not another one with the same text."""
    with replaced_phrases({Phrase(LIMIT.text): "other"}):
        assert LIMIT() == "limit={}"
