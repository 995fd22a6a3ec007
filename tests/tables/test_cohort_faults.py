"""Plans of cohorts whose requests fail or are cut off: what the report says, and what a second run does."""

from __future__ import annotations

from typing import Any, List

import pytest

from PermutiveAPI import Progress
from PermutiveAPI.sandbox import Sandbox
from tests.support.fake_service import Connection, FakeService, Step
from tests.support.relay import faults, passed_on
from tests.tables.club import QUERY, Club

NEW = {"name": "Runners", "query": {"in_segment": 12348}, "tags": ["sport"], "state": "Disabled"}
FAULTS = ["lost before", "lost after", "failed before", "failed after"]


@pytest.fixture
def club(sandbox: Sandbox, server: FakeService) -> Club:
    """The cohorts of the sandbox, behind a service that passes requests on."""
    server.default = passed_on(sandbox)
    return Club(sandbox)


def once(method: str, fault: Step, otherwise: Step) -> Step:
    """Do a fault for the first request of a method."""
    left = [fault]

    def step(connection: Connection) -> bool:
        assert connection.request is not None
        is_meant = connection.request.method == method and bool(left)
        return (left.pop() if is_meant else otherwise)(connection)

    return step


@pytest.mark.parametrize("name", FAULTS)
def test_a_lost_creation(club: Club, server: FakeService, name: str) -> None:
    """The outcome of a creation without an answer is unknown. Applied again, the plan creates no second one."""
    plan = club.plan([NEW])
    server.default = once("POST", dict(faults(club.sandbox))[name], server.default)
    [outcome] = club.apply(plan).outcomes
    assert (outcome.status, outcome.id) == ("unknown", None)
    assert "The outcome is unknown" in (outcome.error or "")
    exists = name.endswith("after")
    assert len(club.list(details=False).filter(name="Runners")) == int(exists)
    server.received.clear()
    assert club.apply(plan).counts == {"created": 1}
    written = [each.method for each in server.received if each.method != "GET"]
    assert written == (["PATCH"] if exists else ["POST", "PATCH"])
    [made] = club.list(details=False).filter(name="Runners")
    assert made.state == "Disabled"
    assert club.apply(plan).counts == {"unchanged": 1}


def test_a_lost_creation_is_undone(club: Club, server: FakeService) -> None:
    """The inverse also undoes changes that may have been made."""
    plan = club.plan([{**NEW, "state": None}])
    server.default = once("POST", dict(faults(club.sandbox))["lost after"], server.default)
    undo = club.apply(plan).inverse()
    club.apply(undo)
    assert len(club.list(details=False).filter(name="Runners")) == 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_lost_update(club: Club, server: FakeService, name: str) -> None:
    """An update without an answer is sent again, which is harmless."""
    plan = club.plan([{"code": 12345, "tags": "x"}])
    server.default = once("PATCH", dict(faults(club.sandbox))[name], server.default)
    assert club.apply(plan).counts == {"updated": 1}
    assert club.get(12345).tags == ["x"]


@pytest.mark.parametrize("name", FAULTS)
def test_a_lost_deletion(club: Club, server: FakeService, name: str) -> None:
    """A deletion without an answer is sent again. If the cohort is gone then, this is not a failure."""
    old = club.list()
    plan = old.plan_to(old[1:])
    server.default = once("DELETE", dict(faults(club.sandbox))[name], server.default)
    assert club.apply(plan).counts == {"deleted": 1, "unchanged": 27}
    assert len(club.list(details=False)) == 27


@pytest.mark.parametrize("name", FAULTS)
def test_a_cohort_in_the_wrong_workspace(club: Club, server: FakeService, name: str) -> None:
    """A cohort that was created in the wrong workspace is deleted there, also if an answer to that is lost."""
    club.empty_brand()
    plan = club.plan([{**NEW, "state": None}])
    server.default = once("DELETE", dict(faults(club.sandbox))[name], server.default)
    report = club.apply(plan, api_key=club.brand.api_key)
    assert report.counts == {"failed": 1}
    assert len(club.list(club.brand.api_key, details=False).filter(name="Runners")) == 0
    assert club.apply(plan).counts == {"created": 1}


def test_a_plan_is_cut_off_again_and_again(club: Club) -> None:
    """A plan is cut off after each change, and applied again until it is done. It creates nothing twice."""
    table: List[Any] = [{**NEW, "name": f"New {number}"} for number in range(6)]
    table += [{"code": 12345 + number, "tags": "x", "query": QUERY} for number in range(6)]
    plan = club.plan(table)
    club.sandbox.clear_requests()

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    runs = 0
    while True:
        try:
            report = club.apply(plan, progress_callback=stop)
        except KeyboardInterrupt:
            runs += 1
            assert runs <= 12
        else:
            break
    assert report.counts == {"unchanged": 12}
    assert len([each for each in club.writes() if each.method == "POST"]) == 6
    assert len(club.plan(table)) == 0
