"""Limits of a plan: how many of the owned objects it may update and delete. Nothing here sends a request."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .phrases import MAX_DELETE_SHARE, MAX_UPDATE_SHARE
from .refusal import PlanRefusedError

# With up to this many owned objects, this share of them may be deleted.
_DELETE_SHARES = ((100, 0.8), (1_000, 0.5))
_LOWEST_DELETE_SHARE = 0.2
_ALWAYS_ALLOWED = 10
_PHRASES = {"update": MAX_UPDATE_SHARE, "delete": MAX_DELETE_SHARE}


def check_limits(
    *,
    owned: int,
    updates: int,
    deletes: int,
    max_update_share: float | None = None,
    max_delete_share: float | None = None,
) -> None:
    """Raise PlanRefusedError if a plan changes too many objects.

    Parameters
    ----------
    owned : int
        How many objects the plan might change.
    updates, deletes : int
        How many it updates and deletes.
    max_update_share, max_delete_share : float, optional
        The largest shares, from 0 to 1. By default, updates have no limit, and the limit of deletes
        depends on `owned`. Ten changes are always allowed, unless the share is 0.

    Examples
    --------
    >>> check_limits(owned=1514, updates=0, deletes=604)
    Traceback (most recent call last):
    ...
    PermutiveAPI.Tables.refusal.PlanRefusedError: too many deletes: 604 of 1,514, 39.9 % is over 20 %; pass max_delete_share=
    """
    allowed = _default_delete_share(owned) if max_delete_share is None else max_delete_share
    _check("update", updates, owned, 1.0 if max_update_share is None else max_update_share)
    _check("delete", deletes, owned, allowed)


def _default_delete_share(owned: int) -> float:
    """Return the share of the owned objects that may be deleted. The more objects, the smaller it is."""
    return next((share for most, share in _DELETE_SHARES if owned <= most), _LOWEST_DELETE_SHARE)


def _check(kind: str, count: int, owned: int, allowed: float) -> None:
    name = f"max_{kind}_share"
    given: Any = allowed  # Callers without a type checker may give anything.
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise TypeError(f"{name} must be a number, got {type(given).__name__}.")
    if not 0 <= allowed <= 1:
        raise ValueError(f"{name} must be from 0 to 1, got {allowed!r}.")
    base = max(owned, count)  # A plan from a file may say anything.
    if count <= (_ALWAYS_ALLOWED if allowed else 0) or count <= round(allowed * base, 6):
        return
    share, limit = _percent(count / base, math.ceil), _percent(allowed, math.floor)
    raise PlanRefusedError(
        f"too many {kind}s: {count:,} of {base:,}, {share} is over {limit}; pass {_PHRASES[kind]()}"
    )


def _percent(share: float, rounded: Callable[[float], int]) -> str:
    return f"{rounded(round(share * 1000, 6)) / 10:g} %"
