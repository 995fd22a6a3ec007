"""Plans that are interrupted at any point, and applied again."""

from __future__ import annotations

import random
from typing import Any, List

import pytest

from PermutiveAPI import Progress
from PermutiveAPI.Tables import Plan
from PermutiveAPI.Tables import segment_changes as service
from tests.support.fake_service import FakeService, Step
from tests.support.relay import faults, for_writes, passed_on
from tests.tables.market import Market

EACH = 7  # Changes in a request, so that there are several requests.


@pytest.fixture(autouse=True)
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send few changes in each request."""
    monkeypatch.setattr(service, "_MOST_CHANGES", EACH)


def interrupt_after(count: int) -> Any:
    """Return a progress callback that acts like Ctrl-C after this many changes."""

    def callback(progress: Progress) -> None:
        if progress.completed >= count:
            raise KeyboardInterrupt

    return callback


def applied_until_done(market: Market, plan: Plan, script: List[Step], server: FakeService) -> None:
    """Apply a plan again and again, until no change is left."""
    server.script = script
    for _ in range(20):
        if not market.apply(plan).failures:
            return
    raise AssertionError("the plan did not come to an end")


@pytest.mark.parametrize("seed", range(12))
def test_interrupted_and_applied_again(market: Market, server: FakeService, seed: int) -> None:
    """After any loss, applying the plan again ends in the same state. Then nothing is left to do."""
    chance = random.Random(seed)
    server.default = passed_on(market.sandbox)
    market.put(*(market.segment(f"m_{n}", f"Name {n}", cpm=1.0) for n in range(20)))
    foreign = {code: each for code, each in market.there().items() if not code.startswith("m_")}
    wanted = [{"code": f"m_{n}", "name": f"New {n}", "cpm": 2.0} for n in range(10, 40)]
    plan = market.mirror(wanted)
    changes = len(plan)
    if chance.random() < 0.5:
        with pytest.raises(KeyboardInterrupt):
            stop = chance.randrange(1, changes)
            market.apply(plan, progress_callback=interrupt_after(stop))
    steps = [passed_on(market.sandbox), *(step for _, step in faults(market.sandbox))]
    happening = [for_writes(market.sandbox, step) for step in steps]
    script = [chance.choice(happening) for _ in range(12)]
    applied_until_done(market, Plan.from_json(plan.to_json()), script, server)
    there = market.there()
    assert {code: there.pop(code) for code in foreign} == foreign
    assert {code: (each["name"], each["cpm"]) for code, each in there.items()} == {
        row["code"]: (row["name"], row["cpm"]) for row in wanted
    }
    before = len(market.writes())
    assert market.apply(plan).counts == {"unchanged": changes}
    assert not market.mirror(wanted)
    assert len(market.writes()) == before


def test_no_request_more_than_needed(market: Market) -> None:
    """Creations and updates share requests, so that only the last one is not full. Deletions come later."""
    market.put(*(market.segment(f"m_{n}") for n in range(20)))
    rows = [{"code": f"m_{n}", "name": "New"} for n in range(10, 25)]
    market.apply(market.mirror(rows))
    kinds = [
        [operation["operation"][0] for operation in each.json["operations"]]
        for each in market.writes()
    ]
    assert ["".join(each) for each in kinds] == ["CCCCCUU", "UUUUUUU", "U", "DDDDDDD", "DDD"]


def test_what_is_interrupted_is_told(market: Market) -> None:
    """The progress counts the changes of each request, and the failures among them."""
    heard: List[Any] = []
    plan = market.plan([{"code": f"m_{n}", "name": "A"} for n in range(16)])
    market.sandbox.fail_next(method="PATCH", status=500)
    market.apply(plan, progress_callback=lambda each: heard.append(each))
    assert [(each.completed, each.errors, each.total) for each in heard] == [
        (7, 7, 16),
        (14, 14, 16),
        (16, 16, 16),
    ]
