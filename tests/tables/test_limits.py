"""Limits: how many objects a plan may update and delete."""

from __future__ import annotations

from typing import Any, Dict

import pytest

from PermutiveAPI.Tables.limits import check_limits

ALLOWED: Dict[str, Dict[str, Any]] = {
    "nothing": {"owned": 0},
    "80 % of 100": {"owned": 100, "deletes": 80},
    "50 % of 101": {"owned": 101, "deletes": 50},
    "50 % of 1,000": {"owned": 1_000, "deletes": 500},
    "20 % of 1,001": {"owned": 1_001, "deletes": 200},
    "ten of ten": {"owned": 10, "deletes": 10},
    "ten of many": {"owned": 5_000, "deletes": 10, "max_delete_share": 0.0001},
    "all updates": {"owned": 5_000, "updates": 5_000},
    "updates within the share": {"owned": 100, "updates": 50, "max_update_share": 0.5},
    "29 % of 100": {"owned": 100, "deletes": 29, "max_delete_share": 0.29},
    "all deletes": {"owned": 5_000, "deletes": 5_000, "max_delete_share": 1},
    "no change with a share of 0": {"owned": 5, "max_update_share": 0, "max_delete_share": 0},
}


@pytest.mark.parametrize("plan", ALLOWED.values(), ids=list(ALLOWED))
def test_allowed(plan: Dict[str, Any]) -> None:
    """A plan within its limits is allowed, and so are ten changes."""
    check_limits(**{"updates": 0, "deletes": 0, **plan})


REFUSED: Dict[str, Any] = {
    "81 % of 100": (
        {"owned": 100, "deletes": 81},
        "too many deletes: 81 of 100, 81 % is over 80 %; pass max_delete_share=",
    ),
    "51 of 101": (
        {"owned": 101, "deletes": 51},
        "too many deletes: 51 of 101, 50.5 % is over 50 %; pass max_delete_share=",
    ),
    "501 of 1,000": (
        {"owned": 1_000, "deletes": 501},
        "too many deletes: 501 of 1,000, 50.1 % is over 50 %; pass max_delete_share=",
    ),
    "201 of 1,001": (
        {"owned": 1_001, "deletes": 201},
        "too many deletes: 201 of 1,001, 20.1 % is over 20 %; pass max_delete_share=",
    ),
    "604 of 1,514": (
        {"owned": 1_514, "deletes": 604},
        "too many deletes: 604 of 1,514, 39.9 % is over 20 %; pass max_delete_share=",
    ),
    "11 of 11": (
        {"owned": 11, "deletes": 11},
        "too many deletes: 11 of 11, 100 % is over 80 %; pass max_delete_share=",
    ),
    "a little too much": (
        {"owned": 100_000, "deletes": 33_334, "max_delete_share": 0.33333},
        "too many deletes: 33,334 of 100,000, 33.4 % is over 33.3 %; pass max_delete_share=",
    ),
    "updates": (
        {"owned": 100, "updates": 51, "max_update_share": 0.5},
        "too many updates: 51 of 100, 51 % is over 50 %; pass max_update_share=",
    ),
    "one delete with a share of 0": (
        {"owned": 100, "deletes": 1, "max_delete_share": 0},
        "too many deletes: 1 of 100, 1 % is over 0 %; pass max_delete_share=",
    ),
    "more than there are": (
        {"owned": 0, "deletes": 20},
        "too many deletes: 20 of 20, 100 % is over 80 %; pass max_delete_share=",
    ),
    "per cent instead of a share": (
        {"owned": 100, "max_delete_share": 40},
        "max_delete_share must be from 0 to 1, got 40.",
    ),
    "a negative share": (
        {"owned": 100, "max_update_share": -0.1},
        "max_update_share must be from 0 to 1, got -0.1.",
    ),
}


@pytest.mark.parametrize(("plan", "text"), REFUSED.values(), ids=list(REFUSED))
def test_refused(plan: Dict[str, Any], text: str) -> None:
    """A plan beyond its limits is refused, and the text shows the numbers and the argument."""
    with pytest.raises(ValueError) as caught:
        check_limits(**{"updates": 0, "deletes": 0, **plan})
    assert str(caught.value) == text


@pytest.mark.parametrize("share", ["0.5", True])
def test_shares_are_numbers(share: Any) -> None:
    """A share of another type is refused, and the error names the argument."""
    with pytest.raises(TypeError, match="max_delete_share must be a number, got"):
        check_limits(owned=1, updates=0, deletes=0, max_delete_share=share)
