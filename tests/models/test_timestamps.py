"""Missing timestamps, and time zones."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Iterator, Tuple, cast

import pytest

from PermutiveAPI import Cohort, CohortList, Import, Segment, SegmentList, Source
from PermutiveAPI._Utils.retry.policy import parse_retry_after
from tests.support.calls import COHORT, IMPORT, KEY, SEGMENT
from tests.support.fake_service import FakeService, answer
from tests.support.rows import for_each

EARLIER = datetime(2020, 1, 1, tzinfo=timezone.utc)
LATER = datetime(2021, 1, 1, tzinfo=timezone.utc)


def _cohort(**times: Any) -> Cohort:
    return Cohort("c", **times)


def _segment(**times: Any) -> Segment:
    return Segment("c", "n", "i", **times)


def _import(**times: Any) -> Import:
    return Import("i", "n", "c", "r", [], Source("s", {}, "t"), **times)


MODELS: Dict[str, Any] = {
    "Cohort": (_cohort, ("created_at", "last_updated_at")),
    "Segment": (_segment, ("created_at", "updated_at")),
    "Import": (_import, ("created_at", "updated_at")),
}


@for_each(("make", "names"), MODELS)
def test_one_missing_is_copied(make: Callable[..., Any], names: Tuple[str, str]) -> None:
    """A timestamp that is missing or None is copied from the other."""
    for present, missing in (names, names[::-1]):
        for times in ({present: EARLIER}, {present: EARLIER, missing: None}):
            made = make(**times)
            assert getattr(made, present) is getattr(made, missing) is EARLIER


@for_each("empty", ["", 0])
@for_each(("make", "names"), MODELS)
def test_an_empty_one_is_not_missing(
    make: Callable[..., Any], names: Tuple[str, str], empty: Any
) -> None:
    """Only None is missing: an empty text, which cannot be read as a time, is copied, too."""
    for present, missing in (names, names[::-1]):
        made = make(**{present: empty})
        assert getattr(made, present) == getattr(made, missing) == empty


@for_each(("make", "names"), MODELS)
def test_both_missing_are_now(make: Callable[..., Any], names: Tuple[str, str]) -> None:
    """If both are missing, both become the same current UTC time."""
    before = datetime.now(timezone.utc)
    made = make()
    first, second = (getattr(made, name) for name in names)
    assert first is second
    assert before <= first <= datetime.now(timezone.utc)
    assert first.utcoffset() == timedelta(0)


@for_each(("make", "names"), MODELS)
def test_both_present_stay(make: Callable[..., Any], names: Tuple[str, str]) -> None:
    """If both are present, both stay as they are."""
    made = make(**dict(zip(names, (EARLIER, LATER), strict=True)))
    assert [getattr(made, name) for name in names] == [EARLIER, LATER]


@for_each(("make", "names"), MODELS)
def test_from_json(make: Callable[..., Any], names: Tuple[str, str]) -> None:
    """from_json fills in absent timestamps in the same way; null stays None, and an unreadable text stays."""
    data: Dict[str, Any] = make().to_json()
    for name in names:
        data.pop(name)
    read = type(make()).from_json
    assert getattr(read({**data, names[0]: "2020-01-01T00:00:00Z"}), names[1]) == EARLIER
    with_null = read({**data, names[1]: "2020-01-01", names[0]: None})
    assert [getattr(with_null, name) for name in names] == [None, EARLIER]
    with_nulls = read(dict.fromkeys(names) | data)
    assert [getattr(with_nulls, name) for name in names] == [None, None]
    assert read(with_nulls.to_json()) == with_nulls
    assert with_nulls.to_json()[names[0]] is None
    assert getattr(read({**data, names[0]: "junk"}), names[1]) == "junk"
    now = read(data)
    assert getattr(now, names[0]) is getattr(now, names[1])


def _without_times(data: Dict[str, Any]) -> Dict[str, Any]:
    return {name: data[name] for name in data if not name.endswith("_at")}


# How an object is fetched, alone and in a list, and the response around it.
FETCHED: Dict[str, Any] = {
    "cohort": (lambda: Cohort.get_by_id("1", KEY), COHORT, dict),
    "cohorts": (lambda: Cohort.list(KEY)[0], COHORT, lambda each: [each]),
    "segment": (lambda: Segment.get_by_id("i", "s", KEY), SEGMENT, dict),
    "segments": (lambda: Segment.list("i", KEY)[0], SEGMENT, lambda each: {"elements": [each]}),
    "bulk": (
        lambda: Segment.bulk("i", deletes=["c"], api_key=KEY)[0][0],
        SEGMENT,
        lambda each: {"items": [each]},
    ),
    "import": (lambda: Import.get_by_id("i", KEY), IMPORT, dict),
    "imports": (lambda: Import.list(KEY)[0], IMPORT, lambda each: {"items": [each]}),
    "segments in an import": (
        lambda: cast(SegmentList, Import.get_by_id("i", KEY).segments)[0],
        SEGMENT,
        lambda each: {**IMPORT, "segments": [each]},
    ),
    "cohorts in a batch": (
        lambda: Cohort.batch_get_by_id(["1"], api_key=KEY)[0]["1"],
        COHORT,
        dict,
    ),
    "imports in a batch": (
        lambda: Import.batch_get_by_id(["i"], api_key=KEY)[0]["i"],
        IMPORT,
        dict,
    ),
}


@for_each(("fetch", "data", "held"), FETCHED)
def test_fetched_objects_have_only_the_services_timestamps(
    server: FakeService, fetch: Callable[[], Any], data: Any, held: Callable[..., Any]
) -> None:
    """A fetched object has the service's timestamps and no others, so that two fetches are equal."""
    facts = _without_times(data)
    told = "last_updated_at" if data is COHORT else "updated_at"
    server.default = answer(200, held(facts))
    one, other = fetch(), fetch()
    assert one == other
    assert (one.created_at, getattr(one, told)) == (None, None)
    server.default = answer(200, held({**facts, told: "2020-01-01T00:00:00Z"}))
    partly = fetch()
    assert (partly.created_at, getattr(partly, told)) == (None, EARLIER)
    assert type(partly).from_json(partly.to_json()) == partly


# --- Machines elsewhere ----------------------------------------------------------------------


@pytest.fixture(params=["EST5", "JST-9"], ids=["new-york", "tokyo"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set another time zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process cannot be changed there")
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("text", ["2020-01-01T00:00:00", "2020-01-01"])
def test_a_text_without_a_zone_is_utc_everywhere(text: str) -> None:
    """A timestamp without a zone is read as UTC, whatever the zone of the machine."""
    read = Cohort.from_json({"name": "c", "created_at": text}).created_at
    assert read == EARLIER
    assert read is not None and read.utcoffset() == timedelta(0)


@pytest.mark.usefixtures("elsewhere")
def test_a_time_without_a_zone_is_utc_everywhere() -> None:
    """A naive time that a user sets counts as UTC in JSON and in a table."""
    cohort = Cohort("c", created_at=EARLIER.replace(tzinfo=None))
    assert Cohort.from_json(cohort.to_json()).created_at == EARLIER
    frame = CohortList([cohort]).to_pd_dataframe()
    assert frame["created_at"][0].to_pydatetime() == EARLIER


@pytest.mark.usefixtures("elsewhere")
def test_now_is_the_same_everywhere() -> None:
    """A new object gets the current time in UTC."""
    before = datetime.now(timezone.utc)
    made = Cohort("c").created_at
    assert made is not None
    assert before <= made <= datetime.now(timezone.utc)
    assert made.utcoffset() == timedelta(0)


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("zone", ["GMT", "-0000", ""])
def test_a_wait_is_the_same_everywhere(zone: str) -> None:
    """A date in Retry-After means the same wait in every time zone."""
    date = f"Wed, 01 Jan 2020 00:00:07 {zone}"
    assert parse_retry_after(date, EARLIER) == 7.0
