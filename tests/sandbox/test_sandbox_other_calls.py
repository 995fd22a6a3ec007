"""Users, events, pages and stateless segmentation in the sandbox, called through the library."""

from __future__ import annotations

import re
import socket
from collections import deque
from types import MappingProxyType
from typing import Any, Mapping, cast

import pytest
import requests

from PermutiveAPI import (
    Alias,
    ContextSegment,
    Event,
    Identity,
    KnownAlias,
    PermutiveBadRequestError,
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveInvalidResponseError,
    Segmentation,
    TrackedEvent,
)
from PermutiveAPI.sandbox import Sandbox
from tests.support.fake_service import FakeService, answer

EMAIL = Alias("a@b.c", "email", 0)
CRM = Alias("crm-1", "crm", 1)
EVENT = Event("Pageview", "2025-07-01T15:39:11.594Z")


def test_users_and_aliases(sandbox: Sandbox) -> None:
    """A new user has no aliases, and then those of identify."""
    key = sandbox.api_key
    user = Identity.create_user(key)
    assert user != Identity.create_user(key)
    assert Identity.list_aliases(user, key) == []
    assert Identity(user, [EMAIL, CRM]).resolve(key) == user
    assert Identity.list_aliases(user, key) == [
        KnownAlias("a@b.c", "email", user),
        KnownAlias("crm-1", "crm", user),
    ]


def test_resolving_finds_the_user_who_was_known(sandbox: Sandbox) -> None:
    """A call, a batch and a stream return the known user instead of the one that was sent."""
    key = sandbox.api_key
    Identity("first", [EMAIL]).identify(key)
    second = Identity("second", [EMAIL, CRM])
    assert second.resolve(key) == "first"
    assert second.user_id == "second"
    resolved, failures = Identity.batch_resolve([second], api_key=key)
    assert (resolved, failures) == ([(second, "first")], [])
    [result] = Identity.stream_resolve(iter([second]), api_key=key)
    assert result.value == (second, "first")


def test_tracking(sandbox: Sandbox) -> None:
    """An enriched event comes back whole, with the service's time; otherwise only user and time come back."""
    key = sandbox.api_key
    seen = TrackedEvent("Pageview", "u-1", {"a": None}, segments=[1], cohorts=["2"])
    answer = cast(Mapping[str, Any], seen.track(key))
    assert answer["properties"] == {"a": None} and answer["time"]
    assert (answer["segments"], answer["cohorts"]) == ([1], ["2"])
    assert set(seen.track(key, enrich=False)) == {"user_id", "time"}
    bodies, failures = TrackedEvent.batch_track([seen, seen], api_key=key)
    assert (len(bodies), failures) == (2, [])
    [result] = TrackedEvent.stream_track(iter([seen]), api_key=key, enrich=False)
    assert set(result.value or {}) == {"user_id", "time"}
    assert sandbox.requests[0].query["sdkp"] == "false"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (TrackedEvent("Page view", "u"), "letters, digits and underscores"),
        (TrackedEvent("", "u"), "letters, digits and underscores"),
        (TrackedEvent(cast(Any, 5), "u"), "name must be of type str, got int"),
        (TrackedEvent("A"), "Give user_id, aliases or both; got neither"),
        (TrackedEvent("A", aliases=[]), r"aliases must not be empty, got \[\]"),
        (TrackedEvent("A", ""), "user_id must not be empty"),
        (TrackedEvent("A", "", aliases=[EMAIL]), "user_id must not be empty"),
        (
            TrackedEvent("A", "u", aliases=cast(Any, ["a@b.c"])),
            r"aliases\[0\] must be of type Alias, got str",
        ),
        (TrackedEvent("A", "u", aliases=cast(Any, "")), "aliases must not be empty"),
        (TrackedEvent("A", "u", {"x": float("nan")}), "properties.x"),
    ],
)
def test_invalid_events(sandbox: Sandbox, event: TrackedEvent, words: str) -> None:
    """An invalid event is refused before anything is sent, alone and in batches."""
    with pytest.raises((TypeError, ValueError), match=words):
        event.track(sandbox.api_key)
    with pytest.raises((TypeError, ValueError), match=words):
        TrackedEvent.batch_track([event], api_key=sandbox.api_key)
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        (TrackedEvent("A", "u"), {"user_id": "u"}),
        (TrackedEvent("A", aliases=[EMAIL]), {"aliases": [EMAIL.to_json()]}),
        (
            TrackedEvent("A", "u", aliases=[EMAIL, CRM]),
            {"user_id": "u", "aliases": [EMAIL.to_json(), CRM.to_json()]},
        ),
        (TrackedEvent("A", "u", aliases=[]), {"user_id": "u"}),
    ],
)
def test_users_of_events(sandbox: Sandbox, event: TrackedEvent, sent: dict[str, Any]) -> None:
    """A user id, aliases or both are sent as given; an empty list of aliases beside a user id is left out."""
    assert event.track(sandbox.api_key)["user_id"]
    bodies, failures = TrackedEvent.batch_track([event], api_key=sandbox.api_key)
    assert (len(bodies), failures) == (1, [])
    for request in sandbox.requests:
        assert request.json == {"name": "A", "properties": {}, **sent}


def test_aliases_beside_a_user_id(sandbox: Sandbox) -> None:
    """Aliases beside a user id are ignored; aliases alone get a new user that is stored."""
    key = sandbox.api_key
    known = TrackedEvent("A", aliases=[EMAIL]).track(key)["user_id"]
    assert sandbox.aliases == {("email", "a@b.c"): known}
    both = TrackedEvent("A", "u", aliases=[EMAIL, CRM]).track(key)
    assert both["user_id"] == "u" and "aliases" not in both
    assert sandbox.aliases == {("email", "a@b.c"): known}
    assert TrackedEvent("A", aliases=[CRM, EMAIL]).track(key)["user_id"] == known


ALIAS = {"tag": "t", "id": "i", "priority": 0}


def test_events_without_a_user(sandbox: Sandbox) -> None:
    """An event without a user id and without an alias, or with an empty list of aliases, is 400."""
    url = f"{sandbox.base_url}/v2.0/events?k={sandbox.api_key}"
    users: list[dict[str, Any]] = [
        {},
        {"aliases": []},
        {"user_id": "u", "aliases": []},
        {"user_id": None, "aliases": None},
        {"user_id": "u", "aliases": [{"tag": "t", "id": "i"}]},
        {"user_id": ""},
    ]
    for user in users:
        answer = requests.post(url, json={"name": "A", **user}, timeout=5)
        error = answer.json()["error"]
        assert (answer.status_code, error["status"]) == (400, "BadRequest"), user
        assert "alias" in error["cause"] or "user_id" in error["cause"], user
    both = {"name": "A", "user_id": "u", "aliases": [ALIAS]}
    assert requests.post(url, json=both, timeout=5).status_code == 201


def test_an_event_comes_back_as_it_was_sent(sandbox: Sandbox) -> None:
    """The response has the event's members, the user and the time, and nothing else."""
    url = f"{sandbox.base_url}/v2.0/events?k={sandbox.api_key}"
    event = {"name": "A", "user_id": "u", "view_id": "v", "colour": "red"}
    answer = requests.post(url, json=event, timeout=5).json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.pop("time"))
    assert answer == {"name": "A", "user_id": "u", "view_id": "v"}


def test_properties_that_are_too_large(sandbox: Sandbox) -> None:
    """Properties of more than 950 KB are refused."""
    url = f"{sandbox.base_url}/v2.0/events?k={sandbox.api_key}"
    for letter, most in (("x", 949_992), ("é", 474_996)):
        event = {"name": "A", "user_id": "u", "properties": {"x": letter * most}}
        assert requests.post(url, json=event, timeout=5).status_code == 201
        event["properties"] = {"x": letter * (most + 1)}
        assert requests.post(url, json=event, timeout=5).status_code == 400
    large = TrackedEvent("A", "u", {"x": "x" * 960_000})
    with pytest.raises(PermutiveBadRequestError, match="950 KB"):
        large.track(sandbox.api_key)


def test_pages(sandbox: Sandbox) -> None:
    """The response to a page has cohorts, and the words of its URL as keywords."""
    page = ContextSegment("https://h.example/sport/football", {"client": {"title": "x"}})
    answer = page.send(sandbox.api_key)
    assert answer["cohorts"] and answer["activations"]["target_dfp"]
    keywords = answer["contextual_data"]["classifications"]["keywords"]
    assert [each["value"] for each in keywords] == ["sport", "football"]
    bodies, failures = ContextSegment.batch_send([page] * 3, api_key=sandbox.api_key)
    assert (bodies, failures) == ([answer] * 3, [])
    with pytest.raises(ValueError, match="url must not be empty"):
        ContextSegment("").send(sandbox.api_key)
    with pytest.raises(PermutiveBadRequestError, match="url: a URL is expected"):
        ContextSegment("http://[x/").send(sandbox.api_key)


def test_shapes_of_pages(sandbox: Sandbox) -> None:
    """The properties of a page may have members of their own beside the documented ones of `client`."""
    url = f"{sandbox.base_url}/ctx/v1/segment?k={sandbox.api_key}"
    for properties in (
        {},
        {"own": 1, "client": {"type": "ios"}},
        {"client": {"title": "T", "own": 1}},
    ):
        page = {"url": "https://h.example/sport", "page_properties": properties}
        assert requests.post(url, json=page, timeout=5).status_code == 200, properties


def test_stateless(sandbox: Sandbox) -> None:
    """The state is sent back unchanged, and the service stores nothing."""
    key = sandbox.api_key
    question = Segmentation(events=[EVENT], user_id="u-1")
    first = question.send_stateless(key)
    assert set(first) == {"user_id", "state"}
    assert set(first["state"]) == {"internal_state", "external_state", "cohorts"}
    assert first["state"]["cohorts"] == question.send(key)["cohorts"]
    second = question.send_stateless(key, state=MappingProxyType(first["state"]))
    assert sandbox.requests[-1].json["state"] == first["state"]
    assert second["state"] != first["state"]
    assert question.send_stateless(key) == first
    with pytest.raises(PermutiveBadRequestError, match="state: internal_state"):
        question.send_stateless(key, state={"something": "else"})


@pytest.mark.parametrize("state", ["text", 5, True, [{}], b"{}", iter({})])
def test_states_that_are_no_objects(sandbox: Sandbox, state: Any) -> None:
    """A state that is not an object is a TypeError that names it, before anything is sent."""
    question = Segmentation(events=[EVENT], user_id="u-1")
    with pytest.raises(TypeError, match="state must be of type Mapping, got"):
        question.send_stateless(sandbox.api_key, state=state)
    assert sandbox.requests == []


USERS: Any = [
    ({"alias": EMAIL}, {"alias": {"id": "a@b.c", "tag": "email"}}),
    ({"aliases": [EMAIL, CRM]}, {"aliases": [EMAIL.to_json(), CRM.to_json()]}),
    ({"user_id": "u-1"}, {"user_id": "u-1"}),
]


@pytest.mark.parametrize(("named", "sent"), USERS)
def test_users_by_alias(sandbox: Sandbox, named: Any, sent: Any) -> None:
    """A user is named by an id, an alias or several aliases; the priority of a single alias is not sent."""
    question = Segmentation(events=[EVENT], **named)
    assert question.send(sandbox.api_key)["user_id"]
    assert sandbox.requests[-1].json == {"events": [EVENT.to_json()], **sent}
    bodies, _ = Segmentation.batch_send([question], api_key=sandbox.api_key)
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({}, "exactly one of user_id, alias, aliases; got none"),
        ({"user_id": "u", "alias": EMAIL}, "got user_id and alias"),
        ({"alias": EMAIL, "aliases": [EMAIL]}, "got alias and aliases"),
        ({"aliases": []}, r"aliases must not be empty, got \[\]"),
        ({"user_id": ""}, "user_id must not be empty"),
        ({"alias": "a@b.c"}, "alias must be of type Alias, got str"),
        ({"aliases": [EMAIL, "crm"]}, r"aliases\[1\] must be of type Alias, got str"),
        ({"aliases": "crm"}, "aliases must be a list"),
    ],
)
def test_users_named_wrongly(sandbox: Sandbox, named: Any, words: str) -> None:
    """A user that is named not at all, twice or wrongly is refused before anything is sent."""
    question = Segmentation(events=[EVENT], **named)
    for call in (question.send, question.send_stateless):
        with pytest.raises((TypeError, ValueError), match=words):
            call(sandbox.api_key)
    with pytest.raises((TypeError, ValueError), match=words):
        Segmentation.batch_send([question], api_key=sandbox.api_key)
    assert sandbox.requests == []


@pytest.mark.parametrize(
    "events", [EVENT, "events", iter([EVENT]), 5, deque([EVENT]), {1: EVENT}.values()]
)
def test_events_that_are_no_list(sandbox: Sandbox, events: Any) -> None:
    """Events that are not a list are a TypeError that names them, before anything is sent."""
    question = Segmentation(events=events, user_id="u")
    for call in (question.send, question.send_stateless, lambda key: question.split()):
        with pytest.raises(TypeError, match="events must be a list, got"):
            call(sandbox.api_key)
    assert sandbox.requests == []


def test_more_than_ten_events(sandbox: Sandbox) -> None:
    """More than ten events are refused; split() makes parts in order, for the same user.

    The error is the library's, since code that caught the service's 400 must still catch it.
    """
    events = [Event(f"E{number}", EVENT.time) for number in range(23)]
    question = Segmentation(events=events, user_id="u-1", activations=True)
    with pytest.raises(
        PermutiveInvalidRequestError, match="at most 10 in one call, got 23; .*split"
    ):
        question.send(sandbox.api_key)
    with pytest.raises(PermutiveInvalidRequestError, match="at most 10"):
        Segmentation.batch_send([question], api_key=sandbox.api_key)
    assert sandbox.requests == []
    parts = question.split()
    assert [len(part.events) for part in parts] == [10, 10, 3]
    assert [event for part in parts for event in part.events] == events
    assert all(part.user_id == "u-1" and part.activations for part in parts)
    for part in parts:
        part.send(sandbox.api_key)
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize("count", [0, 1, 10])
def test_short_histories_are_one_call(count: int) -> None:
    """Events that fit into one call are not split."""
    question = Segmentation(events=[EVENT] * count, user_id="u-1")
    assert question.split() == [question]


def test_an_answer_that_names_no_user(server: FakeService) -> None:
    """resolve() raises an error if the response names no user."""
    server.default = answer(200, {"user_id": ""})
    with pytest.raises(PermutiveInvalidResponseError, match="user_id must not be"):
        Identity("u", [EMAIL]).resolve("key")


def test_user_ids_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """A user's id in a URL is hidden in log records."""
    caplog.set_level("DEBUG")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERMUTIVE_API_BASE_URL", f"http://127.0.0.1:{port}")
        patch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "0.01")
        with pytest.raises(PermutiveConnectionError):
            Identity.list_aliases("user-4711", "key")
    assert "/v2.0/users/[REDACTED]/aliases" in caplog.text
    assert "4711" not in caplog.text
