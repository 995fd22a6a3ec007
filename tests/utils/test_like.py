"""Helpers that are declared with `like`: users see ordinary class methods with a full signature."""

from __future__ import annotations

import functools
import inspect
import pickle
import sys
from typing import Any, Callable, Dict, List

import pytest

from PermutiveAPI import Cohort, Identity, Segment, Segmentation, TrackedEvent
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch.types import BatchOptions
from tests.support.calls import KEY
from tests.support.secrets import arguments_in_frames

HELPERS: Dict[str, Any] = {
    "batch_create": [Cohort.batch_update, Cohort.batch_delete, Cohort.batch_enable],
    "batch_identify": [Identity.stream_identify, Identity.batch_resolve, Identity.stream_resolve],
    "batch_send": [Segmentation.stream_send],
    "batch_track": [TrackedEvent.stream_track],
}
PAIRS = [(first, helper) for first, helpers in HELPERS.items() for helper in helpers]


@pytest.mark.parametrize("first, helper", PAIRS, ids=[each.__qualname__ for _, each in PAIRS])
def test_signature(first: str, helper: Any) -> None:
    """The signature has the first helper's arguments and its own return type; names and docstring are its own."""
    explicit: Any = getattr(helper.__self__, first)
    shown, wanted = inspect.signature(helper), inspect.signature(explicit)
    assert shown.parameters == wanted.parameters
    assert shown.return_annotation == inspect.unwrap(helper.__func__).__annotations__["return"]
    assert helper.__annotations__ == {**explicit.__annotations__, "return": shown.return_annotation}
    assert helper.__module__ == explicit.__module__
    assert helper.__name__ in helper.__qualname__.split(".") != first
    assert helper.__doc__ and helper.__doc__ != explicit.__doc__


def test_arguments_and_class_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function gets the class, the items by position or name, and the other arguments or their defaults."""
    batches: List[Any] = []
    monkeypatch.setattr(Cohort, "_batch", classmethod(lambda *each: batches.append(each)))

    class Special(Cohort):
        pass

    special: Any = Special
    special.batch_delete(cohorts=["c"], api_key=KEY, max_workers=3)
    functools.partial(special.__mro__[1].batch_delete, ["d"])(journal="j")
    (cls, items, _, options), (other, _, _, defaults) = batches
    assert (cls, items, other) == (Special, ["c"], Cohort)
    assert vars(options) == vars(BatchOptions("Cohort.batch_delete", KEY, 3))
    assert defaults.journal == "j"
    assert defaults.api_key is inspect.signature(Cohort.batch_create).parameters["api_key"].default


def test_further_arguments_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments that are not options of a batch are passed to the function by name."""
    sent: List[Any] = []

    class Runner:
        def stream(self, batch: Any, options: BatchOptions, total: int) -> None:
            sent.extend(batch)

    monkeypatch.setattr(http, "batch_runner", Runner)
    TrackedEvent.stream_track([TrackedEvent("Pageview", "u")], enrich=False, timeout=3)
    [request] = sent
    assert (request.params, request.timeout) == ({"enrich": "false", "sdkp": "false"}, 3)


# Without its type, so that type checkers allow the mistakes.
BATCH_UPDATE: Any = Segment.batch_update
MISTAKES: Dict[str, Callable[[], Any]] = {
    "missing a required argument: 'segments'": lambda: BATCH_UPDATE(api_key=KEY),
    "too many positional arguments": lambda: BATCH_UPDATE([], KEY),
    "got an unexpected keyword argument 'workers'": lambda: BATCH_UPDATE([], workers=KEY),
}


@pytest.mark.parametrize("problem", MISTAKES, ids=["missing", "positional", "misspelt"])
def test_mistakes_in_the_call(problem: str) -> None:
    """A wrong call is a TypeError that names the helper, and the error's frames hold no key."""
    with pytest.raises(TypeError) as caught:
        MISTAKES[problem]()
    assert str(caught.value) == f"Segment.batch_update() {problem}"
    assert caught.value.__cause__ is caught.value.__context__ is None
    frames = [each.frame.f_locals for each in inspect.getinnerframes(caught.tb)]
    assert KEY not in str(frames[1:])
    assert KEY not in str(arguments_in_frames(caught.value))


def test_no_frame_shows_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the helper runs, only a local variable named api_key shows the key."""
    shown: List[str] = []

    def look(*arguments: Any) -> None:
        frame: Any = sys._getframe(1)
        while frame.f_code is not test_no_frame_shows_the_key.__code__:
            shown.extend(f"{name} {value!r}" for name, value in frame.f_locals.items())
            frame = frame.f_back

    monkeypatch.setattr(Cohort, "_batch", classmethod(look))
    Cohort.batch_update([], api_key=KEY)
    assert [each for each in shown if KEY in each] == []
    assert any(each.startswith("options ") for each in shown)


def test_pickled_by_name() -> None:
    """The helper can be pickled, as any class method can."""
    assert pickle.loads(pickle.dumps(Cohort.batch_enable)) == Cohort.batch_enable
