"""Helper classes that replace ``_request_helper``, with exactly the signatures of 5.4.4."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Tuple, Type
from unittest.mock import MagicMock, Mock, patch

import pytest
import requests

from PermutiveAPI import (
    Alias,
    Cohort,
    CohortList,
    Event,
    Identity,
    Import,
    PermutiveAPIError,
    Segment,
    Segmentation,
    SegmentList,
)
from PermutiveAPI._Utils import http
from tests.support.calls import COHORT, IMPORT, SEGMENT
from tests.support.fake_service import FakeService
from tests.support.fakes import COHORTS, IDENTIFY, IMPORTS, KEY, SEGMENTATION, OnlyJson

MODELS = [Cohort, Segment, Import, Identity, Segmentation]


class StubHelper:
    """Records calls and returns one body; each method takes exactly the arguments of 5.4.4."""

    def __init__(self, body: Any) -> None:
        self.calls: List[Tuple[Any, ...]] = []
        self._answer = OnlyJson(body)

    def post(self, api_key: str, url: str, data: Dict[str, Any]) -> Any:
        """Record a POST."""
        self.calls.append(("post", api_key, url, data))
        return self._answer

    def patch(self, api_key: str, url: str, data: Dict[str, Any]) -> Any:
        """Record a PATCH."""
        self.calls.append(("patch", api_key, url, data))
        return self._answer

    def delete(self, api_key: str, url: str) -> Any:
        """Record a DELETE."""
        self.calls.append(("delete", api_key, url))
        return self._answer


class OneHelper(StubHelper):
    """``get`` of one object and of the import list: by keyword, without params."""

    def get(self, *, api_key: str, url: str) -> Any:
        """Record a GET."""
        self.calls.append(("get", api_key, url))
        return self._answer


class ManyHelper(StubHelper):
    """``get`` of the cohort list and of segment pages: with the keyword params."""

    def get(self, api_key: str, url: str, /, *, params: Dict[str, Any]) -> Any:
        """Record a GET."""
        self.calls.append(("get", api_key, url, params))
        return self._answer


class IdentityHelper:
    """What ``identify`` needs: ``post``, and ``to_payload`` with two positionals."""

    def __init__(self) -> None:
        self.calls: List[Tuple[Any, ...]] = []

    def to_payload(self, obj: Any, names: List[str], /) -> Dict[str, Any]:
        """Return a body of its own."""
        self.calls.append(("to_payload", obj, names))
        return {"mine": True}

    def post(self, api_key: str, url: str, data: Dict[str, Any]) -> Any:
        """Record a POST."""
        self.calls.append(("post", api_key, url, data))
        return OnlyJson({})


class RequestHelper:
    """What ``send`` needs: ``request`` with six keywords."""

    def __init__(self, body: Any) -> None:
        self.calls: List[Tuple[Any, ...]] = []
        self._body = body

    def request(
        self, *, method: str, api_key: str, url: str, params: Any, json: Any, timeout: Any
    ) -> Any:
        """Record a request."""
        self.calls.append((method, api_key, url, params, json, timeout))
        return OnlyJson(self._body)


def test_the_helper_is_the_module() -> None:
    """The class attribute ``_request_helper`` of every model is the module ``http``."""
    assert [model._request_helper for model in MODELS] == [http] * len(MODELS)


def test_cohort_create_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """``Cohort.create`` posts the payload's fields and sets the fields of the response."""
    helper = StubHelper(COHORT)
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    cohort = Cohort("Mine", query={"type": "users"}, state="Enabled", tags=["t"])
    assert cohort.create(KEY) is None
    body = {"name": "Mine", "query": {"type": "users"}, "tags": ["t"]}
    assert helper.calls == [("post", KEY, COHORTS, body)]
    assert (cohort.id, cohort.code) == ("c-1", 12345)
    assert (cohort.workspace_id, cohort.request_id) == ("w-1", "r-1")
    assert cohort.created_at is not None and cohort.created_at.day == 22
    assert cohort.last_updated_at is not None and cohort.last_updated_at.day == 23
    assert (cohort.name, cohort.tags) == ("Mine", ["t"])


def test_cohort_update_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """``Cohort.update`` patches the cohort's URL and sets two fields."""
    helper = StubHelper(COHORT)
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    cohort = Cohort("Mine", id="c/1", description="d")
    cohort.update(api_key=KEY)
    body = {"id": "c/1", "name": "Mine", "description": "d"}
    assert helper.calls == [("patch", KEY, f"{COHORTS}c%2F1", body)]
    assert (cohort.id, cohort.code, cohort.request_id) == ("c/1", None, "r-1")


def test_cohort_delete_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """``Cohort.delete`` reads nothing from the response."""
    helper = StubHelper(AssertionError)
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    assert Cohort("n", id="c-1").delete(KEY) is None
    assert helper.calls == [("delete", KEY, f"{COHORTS}c-1")]


@pytest.mark.parametrize(
    "asked, params", [((), {}), ((True,), {"include-child-workspaces": "true"})]
)
def test_cohort_list_with_a_stub(
    asked: Any, params: Dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``Cohort.list`` calls ``get(api_key, url, params=...)``, with child workspaces only on request."""
    helper = ManyHelper([COHORT])
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    found = Cohort.list(KEY, *asked)
    assert type(found) is CohortList and found[0].id == "c-1"
    assert helper.calls == [("get", KEY, COHORTS, params)]


ONE: List[Tuple[Any, Callable[[], Any], str, Any]] = [
    (Cohort, lambda: Cohort.get_by_id("a b", KEY), f"{COHORTS}a%20b", COHORT),
    (
        Segment,
        lambda: Segment.get_by_id("i", "news/sport?x=1", KEY),
        f"{IMPORTS}/i/segments/news%2Fsport%3Fx%3D1",
        SEGMENT,
    ),
    (
        Segment,
        lambda: Segment.get_by_code("i", "é", KEY),
        f"{IMPORTS}/i/segments/code/%C3%A9",
        SEGMENT,
    ),
    (Import, lambda: Import.get_by_id("i#1", KEY), f"{IMPORTS}/i%231", IMPORT),
    (Import, lambda: Import.list(KEY), IMPORTS, [IMPORT]),
    (Import, lambda: Import.list(api_key=KEY), IMPORTS, {"items": []}),
]


@pytest.mark.parametrize("model, read, url, body", ONE)
def test_single_reads_with_a_stub(
    model: Any, read: Callable[[], Any], url: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object and the import list are read with just ``get(api_key=..., url=...)``."""
    helper = OneHelper(body)
    monkeypatch.setattr(model, "_request_helper", helper)
    assert read() is not None
    assert helper.calls == [("get", KEY, url)]


def test_segment_pages_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segment pages are read one after the other, each with a fresh params dict."""
    pages = {
        None: {"elements": [SEGMENT], "pagination": {"next_token": "two"}},
        "two": {"elements": None, "pagination": {"next_token": "three"}},
        "three": {"elements": [{**SEGMENT, "id": "s-2"}], "pagination": None},
    }
    seen: List[Dict[str, Any]] = []

    class Helper:
        @staticmethod
        def get(api_key: str, url: str, /, *, params: Dict[str, Any]) -> Any:
            assert (api_key, url) == (KEY, f"{IMPORTS}/i-1/segments")
            seen.append(params)
            return OnlyJson(pages[params.get("pagination_token")])

    monkeypatch.setattr(Segment, "_request_helper", Helper)
    found = Segment.list("i-1", KEY)
    assert type(found) is SegmentList
    assert [each.id for each in found] == ["s-1", "s-2"]
    assert seen == [{}, {"pagination_token": "two"}, {"pagination_token": "three"}]
    assert len({id(params) for params in seen}) == 3


def test_a_repeated_page_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page token that repeats raises PermutiveAPIError instead of looping."""
    helper = ManyHelper({"elements": [SEGMENT], "pagination": {"next_token": "t"}})
    monkeypatch.setattr(Segment, "_request_helper", helper)
    with pytest.raises(PermutiveAPIError):
        Segment.list("i-1", KEY)
    assert len(helper.calls) == 2


def test_segment_writes_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segment's create, update and delete call the stub with its exact signatures."""
    helper = StubHelper({**SEGMENT, "name": "theirs"})
    monkeypatch.setattr(Segment, "_request_helper", helper)
    segment = Segment("1234", "mine", "i-1", query={"q": 1})
    segment.create(KEY)
    assert (segment.id, segment.name, segment.cpm) == ("s-1", "theirs", 2.5)
    segment.update(KEY)
    segment.delete(KEY)
    collection = f"{IMPORTS}/i-1/segments"
    assert [call[:3] for call in helper.calls] == [
        ("post", KEY, collection),
        ("patch", KEY, f"{collection}/s-1"),
        ("delete", KEY, f"{collection}/s-1"),
    ]
    assert helper.calls[0][3]["query"] == {"q": 1}
    assert set(helper.calls[1][3]) == {"name", "description", "cpm", "categories"}


def test_identify_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """``identify`` calls the stub's ``to_payload`` with two positional arguments, and sends the result."""
    helper = IdentityHelper()
    monkeypatch.setattr(Identity, "_request_helper", helper)
    identity = Identity("u", [Alias("a", "email", 0)])
    assert identity.identify(KEY) is None
    assert helper.calls == [
        ("to_payload", identity, ["user_id", "aliases"]),
        ("post", KEY, IDENTIFY, {"mine": True}),
    ]


def test_send_with_a_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """``send`` calls ``request`` with six keywords and returns the decoded body unchanged."""
    body = {"segments": [{"id": "1"}], "x": None}
    helper = RequestHelper(body)
    monkeypatch.setattr(Segmentation, "_request_helper", helper)
    segmentation = Segmentation([Event("E", "t")], "u")
    assert segmentation.send(KEY, synchronous_validation=True) is body
    params = {"activations": "false", "synchronous-validation": "true"}
    sent = {"events": [{"name": "E", "time": "t", "properties": {}}], "user_id": "u"}
    assert helper.calls == [("POST", KEY, SEGMENTATION, params, sent, 10.0)]


@pytest.mark.parametrize("make", [Mock, MagicMock])
def test_mock_as_a_helper(make: Type[Mock]) -> None:
    """``patch.object(Cohort, "_request_helper")`` works with mocks whose ``json()`` returns a body."""
    with patch.object(Cohort, "_request_helper", make()) as helper:
        helper.get.return_value.json.return_value = [COHORT]
        assert Cohort.list(KEY)[0].name == "Readers"
        helper.get.return_value.json.return_value = COHORT
        assert Cohort.get_by_id("c-1", KEY).code == 12345
        helper.post.return_value.json.return_value = COHORT
        Cohort("n", query={"q": 1}).create(KEY)
    helper.get.assert_called_with(api_key=KEY, url=f"{COHORTS}c-1")


def test_specified_mock_as_an_answer() -> None:
    """A ``Mock(spec=requests.Response)`` is accepted if its ``json()`` works."""
    answer = Mock(spec=requests.Response)
    answer.json.return_value = SEGMENT
    with patch.object(Segment, "_request_helper") as helper:
        helper.get.return_value = answer
        assert Segment.get_by_id("i-1", "s-1", KEY).code == "1234"


@pytest.mark.parametrize("model", MODELS)
def test_removing_a_helper(model: Any, server: FakeService) -> None:
    """When the stub is removed, the model uses the module ``http`` again."""
    with patch.object(model, "_request_helper", object()):
        assert model._request_helper is not http
    assert model._request_helper is http
    Identity("u", []).identify(KEY)
    assert len(server.received) == 1


def test_a_helper_of_a_subclass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subclass may have its own helper; the model's does not change."""

    class Mine(Cohort):
        _request_helper = StubHelper(COHORT)

    mine = Mine("n", id="c-1")
    mine.update(KEY)
    assert len(Mine._request_helper.calls) == 1
    assert Cohort._request_helper is http


# --- Helpers that answer None --------------------------------------------------------------------


class NoneHelper:
    """Answers None to everything."""

    @staticmethod
    def get(api_key: str, url: str, params: Any = None) -> None:
        """Answer None."""

    @staticmethod
    def post(api_key: str, url: str, data: Any) -> None:
        """Answer None."""

    patch = post

    @staticmethod
    def delete(api_key: str, url: str) -> None:
        """Answer None."""

    @staticmethod
    def to_payload(obj: Any, names: Any) -> Dict[str, Any]:
        """Return an empty body."""
        return {}


def _segment() -> Segment:
    return Segment("c", "n", "i", id="s")


NOTHING: List[Tuple[str, Any, Callable[[], Any]]] = [
    ("Response is None", Cohort, lambda: Cohort("n", query={"q": 1}).create(KEY)),
    ("Response is None", Cohort, lambda: Cohort("n", id="c").update(KEY)),
    ("Response is None", Cohort, lambda: Cohort.get_by_id("c", KEY)),
    ("Response is None", Cohort, lambda: Cohort.list(KEY)),
    ("Response is None", Cohort, lambda: Cohort.get_by_name("n", KEY)),
    ("Response is None", Cohort, lambda: Cohort.get_by_code("1", KEY)),
    ("Response is None", Segment, lambda: _segment().delete(KEY)),
    ("Response is None", Segment, lambda: Segment.list("i", KEY)),
    ("Response is None", Import, lambda: Import.list(KEY)),
    ("Unable to create_segment", Segment, lambda: _segment().create(KEY)),
    ("Unable to update_segment", Segment, lambda: _segment().update(KEY)),
    ("Unable to get_segment", Segment, lambda: Segment.get_by_code("i", "c", KEY)),
    ("Unable to get_by_id", Segment, lambda: Segment.get_by_id("i", "s", KEY)),
    ("Unable to get_import", Import, lambda: Import.get_by_id("i", KEY)),
]


@pytest.mark.parametrize("text, model, call", NOTHING)
def test_helper_that_answers_none(
    text: str, model: Any, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper that answers None is a ValueError with the text of 5.4.4."""
    monkeypatch.setattr(model, "_request_helper", NoneHelper)
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "model, call",
    [
        (Cohort, lambda: Cohort("n", id="c").delete(KEY)),
        (Identity, lambda: Identity("u", []).identify(KEY)),
    ],
)
def test_none_where_nothing_is_read(
    model: Any, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper may return None if nothing is read from the response."""
    monkeypatch.setattr(model, "_request_helper", NoneHelper)
    assert call() is None


# --- Texts that callers match --------------------------------------------------------------------


def test_import_lists_of_a_wrong_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import list without items, or with wrong ones, is both ValueError and PermutiveAPIError."""
    for body, text in (
        ({"imports": []}, "Response JSON missing 'items' collection"),
        ({"items": [1]}, "int"),
    ):
        monkeypatch.setattr(Import, "_request_helper", OneHelper(body))
        with pytest.raises(ValueError, match=text) as caught:
            Import.list(KEY)
        assert isinstance(caught.value, PermutiveAPIError)


def test_listed_cohorts_without_an_id() -> None:
    """With details, a cohort without an id is refused: ``/None`` is never called."""
    nameless = {name: value for name, value in COHORT.items() if name != "id"}
    with patch.object(Cohort, "_request_helper") as helper:
        helper.get.return_value = OnlyJson([nameless])
        with pytest.raises(ValueError, match="id must not be empty"):
            Cohort.list(KEY, include_details=True)
    assert helper.get.call_count == 1
