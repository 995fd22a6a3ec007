"""The base class of all resources."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from PermutiveAPI import Cohort, Identity, PermutiveInvalidResponseError, Segment
from PermutiveAPI._Utils.resources.base import built_from, require_kind
from PermutiveAPI._Utils.resources.responses import read_response
from tests.support.rows import for_each


def _answer(body: Any) -> Any:
    def json() -> Any:
        if isinstance(body, Exception):
            raise body
        return body

    return SimpleNamespace(json=json)


def test_answers_are_read_through_json_alone() -> None:
    """A response needs only json()."""
    assert read_response(lambda body: body["a"], _answer({"a": 1})) == 1


def test_no_answer() -> None:
    """A helper that returns None is a ValueError with the text of the call."""
    with pytest.raises(ValueError, match="^Response is None$"):
        read_response(str, None)
    with pytest.raises(ValueError, match="^Unable to get_segment$"):
        read_response(str, None, "Unable to get_segment")


@for_each("body", [ValueError("not JSON"), TypeError("odd"), 5, [], {"id": 1}])
def test_unreadable_answers(body: Any) -> None:
    """A body other than the documented one is both a PermutiveAPIError and a ValueError."""
    with pytest.raises(PermutiveInvalidResponseError) as caught:
        read_response(Cohort.from_json, _answer(body))
    assert isinstance(caught.value, ValueError)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_words_of_the_reader_are_kept() -> None:
    """A PermutiveAPIError of a reader keeps its text, and gets the response."""
    answer = _answer({})

    def read(body: Any) -> Any:
        raise PermutiveInvalidResponseError("twice")

    with pytest.raises(PermutiveInvalidResponseError) as caught:
        read_response(read, answer)
    assert (caught.value.message, caught.value.response) == ("twice", answer)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_items_of_a_wrong_kind() -> None:
    """An item of a wrong kind is a TypeError that names the argument and the position."""
    cohort: Any = Cohort("c")
    built = built_from("cohorts", iter([cohort]), Cohort, lambda each: each.name)
    assert list(built) == [(cohort, "c")]
    with pytest.raises(TypeError, match=r"cohorts\[1\] must be of type Cohort, got dict"):
        list(built_from("cohorts", cast(Any, [cohort, {}]), Cohort, lambda each: each))
    with pytest.raises(TypeError, match="name must be of type str, got int"):
        require_kind("name", 5, str)


def test_the_error_of_a_batch_names_the_item() -> None:
    """A batch's error keeps the text that callers match, and has a note that names the item."""
    cohorts = [Cohort("a", id="1", query={"x": 1}), Cohort("b")]
    with pytest.raises(ValueError) as refused:
        Cohort.batch_update(cohorts, api_key="key")
    assert str(refused.value) == "Cohort ID must be specified for update."
    assert refused.value.__notes__ == ["That is cohorts[1]."]
    with pytest.raises(ValueError) as refused:
        Cohort.batch_create(iter(cohorts), api_key="key")
    assert str(refused.value).startswith(
        "query must be specified: cohorts[1] ('b') has none. Lists of cohorts come without queries"
    )
    cohorts[1].query = {"share": float("nan")}
    with pytest.raises(ValueError, match=r"^cohorts\[1\]\.query\.share: nan"):
        Cohort.batch_create(cohorts, api_key="key")


@for_each(
    ("batch", "argument"),
    [
        (Cohort.batch_create, "cohorts"),
        (Cohort.batch_update, "cohorts"),
        (Cohort.batch_delete, "cohorts"),
        (Segment.batch_create, "segments"),
        (Segment.batch_update, "segments"),
        (Segment.batch_delete, "segments"),
        (Identity.batch_identify, "identities"),
    ],
)
def test_batches_check_their_items(batch: Any, argument: str) -> None:
    """Every batch refuses items of a wrong kind with an error that names the argument, before anything is sent."""
    with pytest.raises(TypeError, match=rf"{argument}\[0\]"):
        batch(["x"], api_key="k")


def test_answer_that_is_a_text() -> None:
    """A JSON text inside JSON is not decoded again."""
    with pytest.raises(PermutiveInvalidResponseError, match="text"):
        read_response(Cohort.from_json, _answer('{"name": "c"}'))


def test_deleting_needs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from the response to a deletion of a cohort; it may be None."""
    helper = SimpleNamespace(delete=lambda api_key, url: None)
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    Cohort("c", id="1").delete("k")
