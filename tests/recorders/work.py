"""The calls that tools watch or record: every kind of call, successes and failures."""

from __future__ import annotations

from typing import Any, Callable, Dict

from PermutiveAPI import Cohort, Identity, PermutiveAPIError
from tests.support.calls import COHORT, KEY, cohort, identity
from tests.support.fake_service import Connection, answer, reset, stall


def step(connection: Connection) -> bool:
    """Answer by the path: with lists, refusals, failures that are repeated, or resets."""
    assert connection.request is not None
    path = connection.request.path
    if path.endswith("cohorts/") and connection.request.method == "GET":
        return answer(200, [COHORT] * 4)(connection)
    if "refused" in path:
        return answer(400, {"error": {"cause": "odd"}})(connection)
    if "stalled" in path:
        return stall()(connection)
    if "down" in path:
        return answer(503)(connection)
    if "reset" in path:
        return reset()(connection)
    return answer(200, COHORT)(connection)


def failing(call: Callable[[], Any]) -> Callable[[], Exception]:
    """Return a function that makes a call and returns its error."""

    def run() -> Exception:
        try:
            call()
        except PermutiveAPIError as error:
            return error
        raise AssertionError("it raised nothing")

    return run


WORK: Dict[str, Callable[[], Any]] = {
    "single": lambda: Cohort.get_by_id("fine", KEY),
    "create": lambda: cohort().create(KEY),
    "identify": lambda: identity().identify(KEY),
    "refused": failing(lambda: Cohort.get_by_id("refused", KEY)),
    "update refused": failing(lambda: cohort(id="refused").update(KEY)),
    "down": failing(lambda: Cohort.get_by_id("down", KEY)),
    "reset": failing(lambda: Cohort.get_by_id("reset", KEY)),
    "details": lambda: Cohort.list(KEY, include_details=True),
    "batch": lambda: Cohort.batch_get_by_id(["1", "2", "refused", "down", "reset"], api_key=KEY),
    "stream": lambda: list(Identity.stream_identify([identity()] * 3, api_key=KEY)),
}
