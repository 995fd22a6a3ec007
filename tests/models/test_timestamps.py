"""Timestamps that are missing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Tuple

import pytest

from PermutiveAPI import Cohort, Import, Segment, Source

EARLIER = datetime(2020, 1, 1, tzinfo=timezone.utc)
LATER = datetime(2021, 1, 1, tzinfo=timezone.utc)


def _cohort(**times: Any) -> Cohort:
    return Cohort("c", **times)


def _segment(**times: Any) -> Segment:
    return Segment("c", "n", "i", **times)


def _import(**times: Any) -> Import:
    return Import("i", "n", "c", "r", [], Source("s", {}, "t"), **times)


MODELS = [
    pytest.param(_cohort, ("created_at", "last_updated_at"), id="Cohort"),
    pytest.param(_segment, ("created_at", "updated_at"), id="Segment"),
    pytest.param(_import, ("created_at", "updated_at"), id="Import"),
]


@pytest.mark.parametrize(("make", "names"), MODELS)
def test_one_missing_is_copied(
    make: Callable[..., Any], names: Tuple[str, str]
) -> None:
    """One that is missing, or None, is copied from the other."""
    for present, missing in (names, names[::-1]):
        for times in ({present: EARLIER}, {present: EARLIER, missing: None}):
            made = make(**times)
            assert getattr(made, present) is getattr(made, missing) is EARLIER


@pytest.mark.parametrize(("make", "names"), MODELS)
def test_both_missing_are_now(make: Callable[..., Any], names: Tuple[str, str]) -> None:
    """Both missing become the same current UTC time."""
    before = datetime.now(timezone.utc)
    made = make()
    first, second = (getattr(made, name) for name in names)
    assert first is second
    assert before <= first <= datetime.now(timezone.utc)
    assert first.utcoffset() == timedelta(0)


@pytest.mark.parametrize(("make", "names"), MODELS)
def test_both_present_stay(make: Callable[..., Any], names: Tuple[str, str]) -> None:
    """Both present stay as they are."""
    made = make(**dict(zip(names, (EARLIER, LATER))))
    assert [getattr(made, name) for name in names] == [EARLIER, LATER]


@pytest.mark.parametrize(("make", "names"), MODELS)
def test_from_json(make: Callable[..., Any], names: Tuple[str, str]) -> None:
    """The same holds for what is read, null and unreadable timestamps included."""
    data: Dict[str, Any] = make().to_json()
    for name in names:
        data.pop(name)
    read = type(make()).from_json
    assert (
        getattr(read({**data, names[0]: "2020-01-01T00:00:00Z"}), names[1]) == EARLIER
    )
    assert (
        getattr(read({**data, names[1]: "2020-01-01", names[0]: None}), names[0])
        == EARLIER
    )
    assert getattr(read({**data, names[0]: "junk"}), names[1]) == "junk"
    now = read(data)
    assert getattr(now, names[0]) is getattr(now, names[1])
