"""The types of decoded responses have the keys that the service returns."""

from __future__ import annotations

import typing
from typing import Any, Callable, Dict, List, Set, Tuple

import pytest

from PermutiveAPI import ContextSegment, Event, Segmentation, TrackedEvent, answers
from PermutiveAPI.sandbox import Sandbox

USER = "0b8d4c1c-6a35-4d5a-9c53-1c6c5e6a0f7e"
QUESTION = Segmentation([Event("Pageview", "2025-07-01T15:39:11.594Z")], USER)
EVENT = TrackedEvent("Pageview", USER, {"a": 1}, session_id="s", view_id="v")
IN_COHORTS = TrackedEvent("Pageview", USER, segments=[1], cohorts=["2"])
PAGE = ContextSegment("https://example.com/sport/football")

# The call, the type of its response, and the optional keys that the response has.
CALLS: Dict[str, Tuple[Callable[[str], Any], Any, str]] = {
    "send": (QUESTION.send, answers.SegmentationAnswer, "segments"),
    "send with activations": (
        lambda key: QUESTION.send(key, activations=True),
        answers.SegmentationAnswer,
        "activations segments",
    ),
    "send_stateless": (QUESTION.send_stateless, answers.StatelessAnswer, ""),
    "track": (EVENT.track, answers.TrackedEventAnswer, "name properties view_id session_id"),
    "track with codes": (
        IN_COHORTS.track,
        answers.TrackedEventAnswer,
        "name properties segments cohorts",
    ),
    "track without enriching": (
        lambda key: EVENT.track(key, enrich=False),
        answers.TrackedEventAnswer,
        "",
    ),
    "page": (PAGE.send, answers.ContextAnswer, ""),
}


def assert_is(value: Any, annotation: Any, place: str) -> None:
    """Compare JSON data with its type, key by key."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if typing.is_typeddict(annotation):
        assert set(value) >= annotation.__required_keys__, place
        assert set(value) <= set(typing.get_type_hints(annotation)), place
        for name, member in typing.get_type_hints(annotation).items():
            if name in value:
                assert_is(value[name], member, f"{place}.{name}")
    elif origin is list:
        for each in value:
            assert_is(each, arguments[0], f"{place}[]")
    elif origin is dict:
        for name, each in value.items():
            assert_is(each, arguments[1], f"{place}[{name!r}]")
    elif annotation is not Any:
        assert isinstance(value, annotation), place


@pytest.mark.parametrize(("call", "kind", "optional"), CALLS.values(), ids=list(CALLS))
def test_keys(sandbox: Sandbox, call: Callable[[str], Any], kind: Any, optional: str) -> None:
    """A response has the required keys of its type, and the listed optional ones."""
    answer = call(sandbox.api_key)
    assert_is(answer, kind, kind.__name__)
    assert set(answer) - kind.__required_keys__ == set(optional.split())


def test_every_type_is_seen() -> None:
    """The calls above return every type of the module, and every optional key."""
    seen: Set[Any] = set()
    waiting: List[Any] = [kind for _, kind, _ in CALLS.values()]
    while waiting:
        kind = waiting.pop()
        waiting += typing.get_args(kind)
        if typing.is_typeddict(kind):
            seen.add(kind)
            waiting += typing.get_type_hints(kind).values()
    assert {kind.__name__ for kind in seen} == set(answers.__all__)
    for kind in seen:
        named = {
            name for _, each, names in CALLS.values() if each is kind for name in names.split()
        }
        assert named == kind.__optional_keys__, kind
