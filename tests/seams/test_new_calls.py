"""Calls that 5.4.4 did not have, through the same replaceable helpers as the others."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple

import pytest

from PermutiveAPI import (
    Alias,
    Cohort,
    ContextSegment,
    Event,
    Identity,
    KnownAlias,
    Segment,
    Segmentation,
    TrackedEvent,
)
from tests.seams.test_stub_helpers import IdentityHelper, OneHelper, RequestHelper, StubHelper
from tests.support.calls import COHORT, SEGMENT
from tests.support.fakes import COHORTS, IDENTIFY, IMPORTS, KEY

SEGMENTS = f"{IMPORTS}/i-1/segments"
BY_CODE = f"{SEGMENTS}/code/abc"
USERS = "https://api.permutive.com/v2.0/users"


def known_cohort() -> Cohort:
    """A cohort with an id."""
    return Cohort("Mine", id="c-1", query={"type": "users"})


def segment() -> Segment:
    """A segment without an id."""
    return Segment("abc", "Mine", "i-1")


CHANGES: Dict[str, Tuple[Any, Callable[[], Any], Any, List[Any]]] = {
    "enable": (
        COHORT,
        lambda: known_cohort().enable(KEY),
        Cohort,
        [("patch", KEY, f"{COHORTS}c-1", {"state": "Enabled"})],
    ),
    "disable": (
        COHORT,
        lambda: known_cohort().disable(KEY),
        Cohort,
        [("patch", KEY, f"{COHORTS}c-1", {"state": "Disabled"})],
    ),
    "update by code": (
        SEGMENT,
        lambda: segment().update_by_code(KEY),
        Segment,
        [("patch", KEY, BY_CODE, {"name": "Mine"})],
    ),
    "delete by code": (
        SEGMENT,
        lambda: segment().delete_by_code(KEY),
        Segment,
        [("delete", KEY, BY_CODE)],
    ),
    "bulk": (
        {"items": []},
        lambda: Segment.bulk("i-1", deletes=["abc"], api_key=KEY),
        Segment,
        [("patch", KEY, SEGMENTS, {"operations": [{"operation": "Delete", "code": "abc"}]})],
    ),
    "create a user": (
        {"id": "u-1"},
        lambda: Identity.create_user(KEY),
        Identity,
        [("post", KEY, USERS, None)],
    ),
}


@pytest.mark.parametrize(("body", "call", "model", "calls"), CHANGES.values(), ids=list(CHANGES))
def test_changes_with_a_stub(
    monkeypatch: pytest.MonkeyPatch,
    body: Any,
    call: Callable[[], Any],
    model: Any,
    calls: List[Any],
) -> None:
    """The new calls use post, patch or delete, with the same arguments as the other calls."""
    helper = StubHelper(body)
    monkeypatch.setattr(model, "_request_helper", helper)
    call()
    assert helper.calls == calls


def test_resolve_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """``resolve`` posts the result of the helper's ``to_payload``, as ``identify`` does."""

    class Resolving(IdentityHelper):
        def post(self, api_key: str, url: str, data: Dict[str, Any]) -> Any:
            """Record a POST, and answer a user."""
            super().post(api_key, url, data)
            return StubHelper({"user_id": "u-2"}).post(api_key, url, data)

    helper = Resolving()
    monkeypatch.setattr(Identity, "_request_helper", helper)
    identity = Identity("u-1", [Alias("a", "email", 0)])
    assert identity.resolve(KEY) == "u-2"
    assert helper.calls == [
        ("to_payload", identity, ["user_id", "aliases"]),
        ("post", KEY, IDENTIFY, {"mine": True}),
    ]


def test_list_aliases_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """``list_aliases`` calls ``get`` with keywords, without params."""
    helper = OneHelper([{"id": "a", "tag": "email", "permutive_id": "u-1"}])
    monkeypatch.setattr(Identity, "_request_helper", helper)
    assert Identity.list_aliases("u-1", KEY) == [KnownAlias("a", "email", "u-1")]
    assert helper.calls == [("get", KEY, f"{USERS}/u-1/aliases")]


REQUESTS: Dict[str, Tuple[Any, Callable[[], Any], Any]] = {
    "stateless": (
        Segmentation,
        lambda: Segmentation([Event("A", "t")], "u-1").send_stateless(KEY, timeout=3),
        (
            "POST",
            KEY,
            "https://api.permutive.app/ccs/v1/segmentation/stateless",
            {"activations": "false", "synchronous-validation": "false"},
            {"events": [{"name": "A", "time": "t", "properties": {}}], "user_id": "u-1"},
            3,
        ),
    ),
    "track": (
        TrackedEvent,
        lambda: TrackedEvent("A", "u-1").track(KEY, timeout=3),
        (
            "POST",
            KEY,
            "https://api.permutive.app/v2.0/events",
            {"enrich": "true", "sdkp": "false"},
            {"name": "A", "user_id": "u-1", "properties": {}},
            3,
        ),
    ),
    "page": (
        ContextSegment,
        lambda: ContextSegment("https://h/", {"a": None}).send(KEY, 3),
        (
            "POST",
            KEY,
            "https://api.permutive.com/ctx/v1/segment",
            None,
            {"url": "https://h/", "page_properties": {"a": None}},
            3,
        ),
    ),
}


@pytest.mark.parametrize(("model", "call", "seen"), REQUESTS.values(), ids=list(REQUESTS))
def test_requests_with_a_stub(
    monkeypatch: pytest.MonkeyPatch, model: Any, call: Callable[[], Any], seen: Any
) -> None:
    """The new calls use ``request`` with the six keywords, and return the body unchanged."""
    helper = RequestHelper({"any": ["thing"]})
    monkeypatch.setattr(model, "_request_helper", helper)
    assert call() == {"any": ["thing"]}
    assert helper.calls == [seen]
