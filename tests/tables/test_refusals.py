"""Requests that the service refuses, or whose outcome is unknown: which rows are named, and what is sent again."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from PermutiveAPI import PermutiveConnectionError, Segment
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import segment_changes as service
from PermutiveAPI.Tables.changes import Change
from PermutiveAPI.Tables.splitting import Batches
from tests.support.fake_service import FakeService, answer, reset
from tests.support.platforms import needs_posix
from tests.support.relay import carried_out_then, passed_on
from tests.support.time_limits import TimeIsUp, time_limit
from tests.tables.market import Market


def rows(count: int, bad: Any = ()) -> List[Dict[str, Any]]:
    """Return rows of a table; the service refuses the codes of the bad ones."""
    return [{"code": f"m-{n}" if n in bad else f"m_{n}", "name": f"Name {n}"} for n in range(count)]


@pytest.fixture(params=[False, True], ids=["all or nothing", "partial"])
def either_way(request: pytest.FixtureRequest, market: Market) -> Market:
    """A service whose refused batches carry out nothing, or the operations before the refused one."""
    market.sandbox.refused_bulk_is_partial = request.param
    return market


@pytest.mark.parametrize(
    ("either_way", "count", "bad", "most"),
    [(False, 500, 499, 22), (True, 500, 123, 23)],
    ids=["all or nothing", "partial"],
    indirect=["either_way"],
)
def test_one_bad_row(either_way: Market, count: int, bad: int, most: int) -> None:
    """One bad row in 500 is named in some twenty requests, and all others are carried out."""
    market = either_way
    report = market.apply(market.plan(rows(count, [bad])))
    print("WRITES", len(market.writes()))
    assert len(market.writes()) <= most
    assert report.counts == {"created": count - 1, "failed": 1}
    [failure] = report.failures
    assert failure.change.row == bad + 1
    text = f"400 Bad Request: Invalid value for: body [URL: {market.sandbox.base_url}"
    assert (failure.error or "").startswith(text)
    assert report.rows[bad]["error"] == failure.error
    assert (
        str(report).splitlines()[1]
        == f"row {bad + 1}, Name {bad} (m-{bad}): failed: {failure.error}"
    )
    assert market.mine().keys() == {f"m_{n}" for n in range(count) if n != bad}
    there = market.list().code_dictionary
    for n, row in enumerate(report.rows):
        assert row["id"] == (None if n == bad else there[row["code"]].id)


def test_a_corrected_report_is_a_table(either_way: Market) -> None:
    """The report's table, with the bad row corrected, carries out what is left."""
    market = either_way
    report = market.apply(market.plan(rows(9, [4])))
    frame = report.to_pd_dataframe()
    frame.loc[frame["status"] == "failed", "code"] = "m_4"
    assert market.apply(market.plan(frame)).counts == {"created": 1, "unchanged": 8}
    assert market.mine().keys() == {f"m_{n}" for n in range(9)}


def test_changes_of_every_kind_around_a_bad_row(either_way: Market) -> None:
    """Updates of a refused batch are carried out, too, each once. Nothing is deleted after a failure."""
    market = either_way
    market.put(*(market.segment(f"m_{n}", cpm=1.0) for n in range(20)))
    table = [
        *({"code": f"m_{n}", "cpm": 2.0} for n in range(10)),
        {"code": "m_-", "name": "Bad"},
        {"code": "m_new", "name": "New"},
    ]
    report = market.apply(market.mirror(table))
    assert report.counts == {"created": 1, "updated": 10, "failed": 1, "not tried": 10}
    assert {each.status for each in report.deleted} == {"not tried"}
    prices = {code: each["cpm"] for code, each in market.mine().items()}
    kept = {f"m_{n}": 2.0 if n < 10 else 1.0 for n in range(20)}
    assert prices == {**kept, "m_new": 0.0}
    assert {each["id"] is not None for each in report.rows if each["status"] == "updated"} == {True}


def test_too_many_bad_rows(either_way: Market) -> None:
    """After twenty named rows, the rest is not tried."""
    market = either_way
    report = market.apply(market.plan(rows(50, range(0, 50, 2))))
    counts = report.counts
    assert counts["failed"] == 20
    assert counts["not tried"] >= 5
    assert len(market.mine()) == counts["created"]
    assert str(report).splitlines()[-1] == f"and {counts['not tried']:,} more"


def test_a_conflict(either_way: Market) -> None:
    """A segment that somebody else made while the plan was applied is named with the difference."""
    market = either_way
    market.put(market.segment("m_1", "A"), market.segment("m_2", "B"))
    plan = market.mirror([{"code": "m_0", "name": "Zero"}, {"code": "m_1", "name": "One"}])
    objects = service.Segments(plan, market.key)
    market.put(market.segment("m_0", "Nil"))
    Segment.bulk(market.id, deletes=["m_1"], api_key=market.key)
    outcomes: List[Any] = []
    objects.carry_out(plan.changes, lambda found, _: outcomes.extend(found))
    errors = {each.change.key: (each.status, each.error) for each in outcomes}
    assert errors == {
        "m_0": ("failed", 'the service already has it; name: (empty) when planned, "Nil" now'),
        "m_1": ("failed", "the service no longer has it"),
        "m_2": ("deleted", None),
    }
    assert list(market.mine()) == ["m_0"]


FATAL: Dict[str, Any] = {
    "401": ({"status": 401}, "failed"),
    "403": ({"status": 403}, "failed"),
    "429": ({"status": 429, "times": 3, "retry_after": "0"}, "failed"),
    "503": ({"status": 503, "times": 3, "retry_after": "0"}, "failed"),
    "500": ({"status": 500}, "unknown"),
    "502": ({"status": 502}, "unknown"),
    "408": ({"status": 408}, "unknown"),
    "405": ({"status": 405}, "unknown"),
    "a success without JSON": ({"status": 200, "body": "<html>"}, "unknown"),
}


@pytest.mark.parametrize(("fault", "status"), FATAL.values(), ids=list(FATAL))
def test_any_other_error_ends_it(
    market: Market, monkeypatch: pytest.MonkeyPatch, fault: Dict[str, Any], status: str
) -> None:
    """After an error that names no row, nothing is repeated and nothing more is sent."""
    monkeypatch.setattr(service, "_MOST_CHANGES", 4)
    plan = market.plan(rows(10))
    market.sandbox.fail_next(method="PATCH", **fault)
    report = market.apply(plan)
    assert report.counts == {status: 4, "not tried": 6}
    assert len(market.writes()) == fault.get("times", 1)
    assert {each.error is None for each in report.failures[4:]} == {True}
    assert market.apply(plan).counts == {"created": 10}


def test_a_read_only_key(market: Market) -> None:
    """With a key that may not write, the rows say so."""
    report = market.plan(rows(2)).apply(api_key=market.sandbox.read_only_api_key)
    assert report.counts == {"failed": 2}
    assert (report.rows[0]["error"] or "").startswith("403: Invalid API key")
    assert report.inverse().changes == ()


# --- Responses that do not arrive --------------------------------------------------------------------


def test_a_response_that_is_lost(market: Market, server: FakeService) -> None:
    """If the response to a creation is lost, nothing is sent again. The plan, applied again, finds the segments that are there."""
    server.default = passed_on(market.sandbox)
    plan = market.plan(rows(3))
    server.script = [passed_on(market.sandbox), carried_out_then(market.sandbox, reset())]
    report = market.apply(plan)
    assert report.counts == {"unknown": 3}
    assert "The outcome is unknown" in (report.rows[0]["error"] or "")
    assert len(market.writes()) == 1
    assert market.apply(plan).counts == {"unchanged": 3}
    assert market.apply(report.inverse()).counts == {"deleted": 3}
    assert market.mine() == {}


def test_a_request_that_is_lost(market: Market, server: FakeService) -> None:
    """The inverse also has changes that may have been made. If they were not made, it does nothing."""
    server.default = passed_on(market.sandbox)
    plan = market.plan(rows(3))
    server.script = [passed_on(market.sandbox), reset()]
    report = market.apply(plan)
    assert report.counts == {"unknown": 3}
    assert market.apply(report.inverse()).counts == {"unchanged": 3}
    assert market.apply(plan).counts == {"created": 3}


@needs_posix
def test_a_time_limit_ends_it(market: Market, server: FakeService) -> None:
    """An exception that a signal handler raises is raised, and not taken for the failure of a change."""
    server.default = passed_on(market.sandbox)
    plan = market.plan(rows(3))
    with time_limit() as interrupt:
        server.script = [passed_on(market.sandbox), interrupt]
        with pytest.raises(TimeIsUp):
            market.apply(plan)
    assert market.writes() == []
    assert market.apply(plan).counts == {"created": 3}


def test_a_request_that_was_surely_not_sent() -> None:
    """If a request certainly did not reach the service, its changes have failed."""
    told: List[Any] = []

    def send(batch: Any) -> Any:
        raise PermutiveConnectionError("Request failed after 3 attempts: connection refused")

    change = Change("delete", "a", "A", ())
    Batches(send, lambda batch: {}, told.extend, 1).carry_out([change, change])
    assert [each.status for each in told] == ["failed", "not tried"]


def test_the_comparison_after_a_refusal_fails(market: Market, server: FakeService) -> None:
    """If the service refuses a batch and then cannot be read, the outcome is unknown."""
    server.default = passed_on(market.sandbox)
    plan = market.plan(rows(30))
    server.script = [passed_on(market.sandbox), answer(400, b"Invalid value"), answer(401, {})]
    assert market.apply(plan).counts == {"unknown": 30}


def test_a_long_import_is_read_as_a_whole(market: Market, sandbox: Sandbox) -> None:
    """After a refusal, many segments are read by a list, few by their codes."""
    plan = market.plan(rows(80, [7]))
    sandbox.clear_requests()
    market.apply(plan)
    reads = [each.path for each in sandbox.requests if each.method == "GET"]
    by_code = [path for path in reads if "/code/" in path]
    assert (len(reads) - len(by_code), len(by_code)) == (1 + 2, 20 + 10 + 5 + 3 + 1)
