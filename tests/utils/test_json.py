"""JSONSerializable, and the helpers that user code imports beside it."""

from __future__ import annotations

import inspect
import io
import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Dict, List

import numpy
import pytest

from PermutiveAPI import (
    Alias,
    Cohort,
    CohortList,
    Event,
    Identity,
    Import,
    ImportList,
    Segment,
    Segmentation,
    SegmentList,
    Source,
    Workspace,
    WorkspaceList,
)
from PermutiveAPI._Utils.json import (
    JSONSerializable,
    customJSONEncoder,
    json_default,
    load_json_list,
)
from tests.support.rows import for_each

MOMENT = datetime(2025, 7, 1, 12, tzinfo=timezone.utc)
MODELS: List[Any] = [
    Alias("a", "t", 1),
    Identity("u", [Alias("a", "t", 1)]),
    Event("e", "now", {"p": 1}),
    Segmentation([Event("e", "now")], "u"),
    Cohort("c", id="1", created_at=MOMENT),
    Segment("c", "n", "i", created_at=MOMENT),
    Source("s", {}, "t"),
    Import("i", "n", "c", "r", ["x"], Source("s", {}, "t"), created_at=MOMENT),
    Workspace("n", "o", "w", "key"),
]
LISTS: List[Any] = [
    CohortList([Cohort("c", created_at=MOMENT)]),
    SegmentList([Segment("c", "n", "i", created_at=MOMENT)]),
    ImportList([Import("i", "n", "c", "r", [], Source("s", {}, "t"), created_at=MOMENT)]),
    WorkspaceList([Workspace("n", "o", "w", "key")]),
    CohortList(),
    WorkspaceList(),
]


class Mapped(Dict[str, Any], JSONSerializable[Dict[str, Any]]):
    """A dictionary with the mixin."""


class Listed(List[Any], JSONSerializable[List[Any]]):
    """A list with the mixin."""


# --- Reading ---------------------------------------------------------------------------------------


@for_each("model", MODELS + LISTS)
def test_reading_from_data_text_path_and_file(model: Any, tmp_path: Path) -> None:
    """JSON data, JSON text and a path give the same object."""
    path = tmp_path / "deep" / "er" / "file.json"
    model.to_json_file(path)
    cls = type(model)
    found = [
        cls.from_json(model.to_json()),
        cls.from_json(json.dumps(model.to_json())),
        cls.from_json(path),
        cls.from_json_file(path),
        cls.from_json_file(str(path)),
    ]
    assert found == [model] * 5
    assert {type(each) for each in found} == {cls}
    assert json.loads(path.read_text(encoding="utf-8")) == model.to_json()


@for_each("model", MODELS)
def test_unknown_keys_are_ignored(model: Any) -> None:
    """Unknown members are ignored."""
    data = {**model.to_json(), "unknown": [1], "self": 2, "_private": 3}
    assert type(model).from_json(data) == model


@for_each("model", MODELS)
@for_each("data", [5, None, ["x"], (1,), 1.5, b"{}", object])
def test_wrong_kinds(model: Any, data: Any) -> None:
    """A value that is not a dict, text or path is a TypeError that names its type."""
    with pytest.raises(TypeError) as caught:
        type(model).from_json(data)
    assert str(caught.value) == (
        "`from_json()` expected a dict, JSON string, or Path, but got " f"{type(data).__name__}"
    )


@for_each("model", MODELS)
@for_each("text", ["[1]", "5", "null", '"text"', '"{}"', "true"])
def test_text_of_a_wrong_kind(model: Any, text: str, tmp_path: Path) -> None:
    """JSON text and files that do not contain an object are the same TypeError, also if they contain JSON text."""
    path = tmp_path / "file.json"
    path.write_text(text)
    name = type(json.loads(text)).__name__
    for data in (text, path):
        with pytest.raises(TypeError, match=f"but got {name}$"):
            type(model).from_json(data)


@for_each("cls", [Alias, Cohort, CohortList, Workspace, WorkspaceList, Listed])
@for_each("text", ["{", "not json", "", "{'a': 1}", "[1,]"])
def test_broken_text(cls: Any, text: str, tmp_path: Path) -> None:
    """A text that is not JSON is a TypeError that does not contain the document."""
    path = tmp_path / "file.json"
    path.write_text(text)
    for data in (text, path):
        with pytest.raises(TypeError, match="^Failed to parse JSON from input: ") as caught:
            cls.from_json(data)
        assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_missing_file(tmp_path: Path) -> None:
    """A missing file is the system's own error."""
    with pytest.raises(FileNotFoundError):
        Alias.from_json(tmp_path / "missing.json")


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark is skipped."""
    path = tmp_path / "file.json"
    path.write_text('{"id": "ü", "tag": "t", "priority": 1}', encoding="utf-8-sig")
    assert Alias.from_json(path) == Alias("ü", "t", 1)


@for_each("cls", [CohortList, SegmentList, ImportList, WorkspaceList])
def test_list_from_a_dictionary(cls: Any) -> None:
    """A dictionary is not a list, and the error says what to use."""
    with pytest.raises(TypeError) as caught:
        cls.from_json({"name": "c"})
    assert str(caught.value).startswith(f"Cannot create a {cls.__name__} from a dictionary. ")
    assert cls._item_type.__name__ in str(caught.value)


@for_each("cls", [CohortList, SegmentList, ImportList, WorkspaceList, Listed])
@for_each("data", [5, None, (1,), 1.5, b"[]", {1}])
def test_list_from_a_wrong_kind(cls: Any, data: Any) -> None:
    """A value that is not a list, text or path is a TypeError that names its type."""
    with pytest.raises(TypeError) as caught:
        cls.from_json(data)
    assert str(caught.value) == (
        "`from_json()` expected a list of dicts, JSON string, or Path, but got "
        f"{type(data).__name__}"
    )


@for_each("text", ['{"name": "c"}', "5", "null", '"text"'])
def test_list_from_text_of_a_wrong_kind(text: str, tmp_path: Path) -> None:
    """Texts and files that do not contain a list are a TypeError that names their type."""
    path = tmp_path / "file.json"
    path.write_text(text)
    for data in (text, path):
        with pytest.raises(TypeError) as caught:
            CohortList.from_json(data)
        name = type(data).__name__
        assert str(caught.value) == f"JSON content from {name} did not decode to a list."


@for_each("item", [5, None, ["x"]])
def test_list_with_items_of_a_wrong_kind(item: Any) -> None:
    """An item that is not an object is a TypeError."""
    with pytest.raises(TypeError, match="`from_json\\(\\)` expected a dict"):
        CohortList.from_json([{"name": "c"}, item])


def test_list_keeps_items_that_are_models_already() -> None:
    """An item that already has the right type is kept."""
    cohort = Cohort("c")
    read = CohortList.from_json([cohort, {"name": "d"}])
    assert read[0] is cohort
    assert [each.name for each in read] == ["c", "d"]


def test_load_json_list(tmp_path: Path) -> None:
    """The helper returns the items of a list, a text or a file; its error names the classes."""
    path = tmp_path / "file.json"
    path.write_text("[1]")
    assert [load_json_list(each, "XList") for each in ([1], "[1]", path)] == [[1]] * 3
    for names, item in ((["XList"], "the item's class"), (["XList", "X"], "X")):
        with pytest.raises(TypeError) as caught:
            load_json_list({}, *names)
        assert str(caught.value) == (
            "Cannot create a XList from a dictionary. "
            f"Use from_json() of {item} for a single object."
        )


# --- Writing ---------------------------------------------------------------------------------------


def test_subclasses_of_dict_and_list() -> None:
    """Subclasses of dict and list with the mixin write a dict and a list, and are read back."""
    mapped, listed = Mapped(a=Alias("a", "t", 1)), Listed([Decimal("1.5"), None])
    assert mapped.to_json() == {"a": {"id": "a", "tag": "t", "priority": 1}}
    assert type(mapped.to_json()) is dict
    assert listed.to_json() == [1.5]
    assert type(listed.to_json()) is list
    assert type(Mapped.from_json('{"a": 1}')) is Mapped
    assert Mapped.from_json({"a": 1}) == {"a": 1}
    assert type(Listed.from_json("[1]")) is Listed
    assert Listed.from_json([1]) == [1]


@for_each("model", MODELS + LISTS)
def test_str_is_indented_json(model: Any) -> None:
    """str() is indented JSON without a workspace's key."""
    text = str(model)
    if isinstance(model, (Workspace, WorkspaceList)):
        assert '"key"' not in text
        assert "[REDACTED]" in text or not model
    else:
        assert text == json.dumps(model.to_json(), indent=4)
    json.loads(text)


VALUES: Dict[str, Any] = {
    "decimal": Decimal("1.5"),
    "moment": MOMENT,
    "set": {1},
    "model": Alias("a", "t", 1),
    "cohorts": CohortList([Cohort("c", created_at=MOMENT)]),
    "mapped": Mapped(a=1),
    "numpy": numpy.int64(3),
    "flag": True,
    "none": None,
    "list": [None, 1],
}


def test_custom_encoder_and_default_agree_with_the_models() -> None:
    """customJSONEncoder and json_default write the same as the models, but keep None in lists."""
    texts = [
        json.dumps(VALUES, cls=customJSONEncoder),
        json.dumps(VALUES, default=json_default),
        customJSONEncoder().encode(VALUES),
        "".join(customJSONEncoder().iterencode(VALUES)),
    ]
    stream = io.StringIO()
    json.dump(VALUES, stream, cls=customJSONEncoder)
    texts.append(stream.getvalue())
    assert [json.loads(text) for text in texts] == [JSONSerializable.serialize_value(VALUES)] * 5
    assert json.loads(texts[0])["list"] == [None, 1]
    assert json.loads(texts[0])["flag"] is True


def test_constructor_of_the_custom_encoder_is_unchanged() -> None:
    """The encoder is a json.JSONEncoder and takes its arguments."""
    assert issubclass(customJSONEncoder, json.JSONEncoder)
    assert inspect.signature(customJSONEncoder) == inspect.signature(json.JSONEncoder)
    encoder = customJSONEncoder(indent=1, sort_keys=True, ensure_ascii=False)
    assert encoder.encode({"b": "ü", "a": {1}}) == '{\n "a": [\n  1\n ],\n "b": "ü"\n}'


def test_custom_encoder_writes_keys() -> None:
    """Keys that json would refuse are written as texts."""
    assert json.dumps({MOMENT: 1, (1, 2): 2}, cls=customJSONEncoder) == (
        '{"2025-07-01T12:00:00+00:00": 1, "(1, 2)": 2}'
    )


@for_each("value", [float("nan"), numpy.float64("inf"), Decimal("NaN")])
def test_custom_encoder_refuses_what_json_cannot_hold(value: Any) -> None:
    """NaN and infinities are a ValueError that names their place."""
    with pytest.raises(ValueError, match=r"^a\[0\]: "):
        json.dumps({"a": [value]}, cls=customJSONEncoder)


def test_default_of_the_custom_encoder() -> None:
    """Its method default can be called on its own."""
    assert customJSONEncoder().default({1}) == [1]
    assert customJSONEncoder().default(Alias("a", "t", 1)) == {"id": "a", "tag": "t", "priority": 1}


def test_subclass_of_the_custom_encoder() -> None:
    """The `default` of a subclass is called for objects that it knows."""

    class Money:
        def __init__(self) -> None:
            self.pence = 5

    class Own(customJSONEncoder):
        def default(self, o: Any) -> Any:
            return "5p" if isinstance(o, Money) else super().default(o)

    assert json.dumps({"a": [Money(), Alias("a", "t", 1)]}, cls=Own) == (
        '{"a": ["5p", {"id": "a", "tag": "t", "priority": 1}]}'
    )
    with pytest.raises(ValueError):
        json.dumps({"a": float("nan")}, cls=Own)
