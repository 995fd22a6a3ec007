"""JSON data to annotated Python objects."""

from __future__ import annotations

import dataclasses
from collections import ChainMap
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Union

import pytest
from requests.structures import CaseInsensitiveDict

import PermutiveAPI
from PermutiveAPI import Alias, Cohort, Identity, Import, Segment, SegmentList, Source
from PermutiveAPI._Utils.codec.decoding import build, parse_timestamp
from PermutiveAPI._Utils.json import JSONSerializable
from tests.support.rows import for_each
from tests.utils import annotated_lazily, annotated_plainly
from tests.utils.annotated_lazily import Lazy
from tests.utils.annotated_plainly import Plain

ALIAS = {"id": "a", "tag": "t", "priority": 1}
READ = Alias("a", "t", 1)
UTC = timezone.utc


def at(*parts: int, offset: float = 0) -> datetime:
    """Return an aware time; the offset is in hours."""
    zone = timezone(timedelta(hours=offset)) if offset else UTC
    return datetime(*parts, tzinfo=zone)


TIMESTAMPS = [
    ("2022-09-22T15:44:29.513211710Z", at(2022, 9, 22, 15, 44, 29, 513211)),
    ("2022-09-22T15:44:29.999999999Z", at(2022, 9, 22, 15, 44, 29, 999999)),
    ("2022-09-22T15:44:29.5Z", at(2022, 9, 22, 15, 44, 29, 500000)),
    ("2022-09-22T15:44:29,5Z", at(2022, 9, 22, 15, 44, 29, 500000)),
    ("2022-09-22T15:44:29Z", at(2022, 9, 22, 15, 44, 29)),
    ("2022-09-22T15:44Z", at(2022, 9, 22, 15, 44)),
    ("2022-09-22t15:44:29z", at(2022, 9, 22, 15, 44, 29)),
    ("2022-09-22 15:44:29+00:00", at(2022, 9, 22, 15, 44, 29)),
    ("2022-09-22T15:44:29", at(2022, 9, 22, 15, 44, 29)),
    ("2022-09-22", at(2022, 9, 22)),
    (" 2022-09-22T15:44:29Z\n", at(2022, 9, 22, 15, 44, 29)),
    ("2022-09-22T15:44:29+02:00", at(2022, 9, 22, 15, 44, 29, offset=2)),
    ("2022-09-22T15:44:29-0530", at(2022, 9, 22, 15, 44, 29, offset=-5.5)),
    ("2022-09-22T15:44:29+02", at(2022, 9, 22, 15, 44, 29, offset=2)),
    ("2022-09-22T15:44:29.1234567+05:45", at(2022, 9, 22, 15, 44, 29, 123456, offset=5.75)),
    (
        "1900-01-01T00:00:00+00:17:30.25",
        datetime(1900, 1, 1, tzinfo=timezone(timedelta(minutes=17, seconds=30.25))),
    ),
    ("0001-01-01T00:00:00Z", at(1, 1, 1)),
    ("9999-12-31T23:59:59.999999Z", at(9999, 12, 31, 23, 59, 59, 999999)),
    ("2024-02-29", at(2024, 2, 29)),
]
UNREADABLE = [
    "",
    "yesterday",
    "now",
    "2022-13-01T00:00:00Z",
    "2023-02-29",
    "2022-09-22T25:00:00Z",
    "2022-09-22T15:44:61Z",
    "2022-09-22T15:44:29+25:00",
    "2022-09-22T15:44:29Zulu",
    "0000-01-01",
    "22-09-2022",
    "1663861469",
    "२०२२-09-22",
]


@for_each(("text", "expected"), TIMESTAMPS)
def test_timestamps(text: str, expected: datetime) -> None:
    """ISO 8601 timestamps become aware datetimes, with nanoseconds cut to microseconds."""
    found = parse_timestamp(text)
    assert found == expected
    assert found is not None and found.utcoffset() == expected.utcoffset()
    assert Cohort.from_json({"name": "c", "created_at": text}).created_at == expected


@for_each("text", UNREADABLE)
def test_unreadable_timestamps(text: str) -> None:
    """A timestamp that cannot be read stays as it came."""
    assert parse_timestamp(text) is None
    cohort = Cohort.from_json({"name": "c", "created_at": text, "last_updated_at": None})
    assert cohort.created_at == text


@for_each("value", [1663861469, 1.5, True, {"a": 1}, at(2025, 1, 1), datetime(2025, 1, 1)])
def test_timestamps_of_other_kinds(value: Any) -> None:
    """A value that is not a text, such as a datetime, stays as it came."""
    assert Cohort.from_json({"name": "c", "created_at": value}).created_at == value


# --- Annotations -------------------------------------------------------------------------------------

MEMBERS: Dict[str, Any] = {
    "one": READ,
    "many": [READ, READ],
    "maybe": READ,
    "either": READ,
    "quoted": READ,
    "inner": READ,
    "builtin": [READ],
    "named": {"x": READ},
    "bare_list": [1, {"a": 1}],
    "bare_dict": {"a": [1]},
    "builtin_list": [1],
    "builtin_dict": {"a": 1},
    "when": at(2025, 7, 1),
}


@for_each("model", [Plain, Lazy])
@for_each("name", list(MEMBERS))
def test_annotations(model: Any, name: str) -> None:
    """Models, lists of models and optional models are built with any form of annotation."""
    required: Dict[str, Any] = {"one": READ, "many": []}
    original = model(**{**required, name: MEMBERS[name]})
    again = model.from_json(original.to_json())
    assert again == original
    assert type(getattr(again, name)) is type(MEMBERS[name])


@for_each("module", [annotated_plainly, annotated_lazily])
def test_class_defined_later(module: Any) -> None:
    """An annotation may name a class that is defined later."""
    model = module.Plain if module is annotated_plainly else module.Lazy
    original = model(READ, [], later=module.Later(at(2025, 7, 1)))
    assert model.from_json(original.to_json()) == original


def test_local_class_with_an_unresolvable_annotation() -> None:
    """If one annotation cannot be resolved, the others still work."""

    @dataclass
    class Half(JSONSerializable[Dict[str, Any]]):
        many: List["Alias"]
        maybe: Optional[Alias] = None
        # The two annotations cannot be resolved, on purpose.
        unknown: "Nowhere" = None  # type: ignore[name-defined] # noqa: F821
        broken: "1 +" = None  # type: ignore[valid-type] # noqa: F722
        when: Optional[datetime] = None

    read = Half.from_json(
        {"many": [ALIAS], "maybe": ALIAS, "unknown": {"a": 1}, "broken": 2, "when": "2025-07-01"}
    )
    assert read == Half([READ], READ, {"a": 1}, 2, at(2025, 7, 1))


def test_inherited_fields() -> None:
    """The annotations of a parent class count, too."""

    @dataclass
    class Child(Alias):
        other: Optional[Alias] = None

    assert Child.from_json({**ALIAS, "other": ALIAS}) == Child("a", "t", 1, READ)


def test_dataclass_without_the_mixin() -> None:
    """A nested dataclass needs no mixin."""

    @dataclass
    class Inner:
        when: datetime

    @dataclass
    class Outer(JSONSerializable[Dict[str, Any]]):
        inner: "Inner" = field(default_factory=lambda: Inner(at(2025, 1, 1)))

    Outer.__annotations__["inner"] = Inner
    read = Outer.from_json({"inner": {"when": "2025-07-01"}})
    assert read.inner == Inner(at(2025, 7, 1))
    assert build(Inner, {"when": "2025-07-01", "more": 1}) == Inner(at(2025, 7, 1))


def test_fields_that_the_constructor_does_not_take() -> None:
    """A field that is not an argument of the constructor is written, but not read."""

    @dataclass
    class Derived(JSONSerializable[Dict[str, Any]]):
        name: str
        upper: str = field(init=False)

        def __post_init__(self) -> None:
            self.upper = self.name.upper()

    original = Derived("a")
    assert original.to_json() == {"name": "a", "upper": "A"}
    assert Derived.from_json(original.to_json()) == original


def test_class_that_is_no_dataclass() -> None:
    """A class with the mixin that is not a dataclass is made from the arguments of its constructor."""

    class Handmade(JSONSerializable[Dict[str, Any]]):
        def __init__(self, name: str, size: int = 1) -> None:
            self.name, self.size = name, size

    made = Handmade.from_json({"name": "a", "unknown": 2})
    assert (made.name, made.size) == ("a", 1)
    assert made.to_json() == {"name": "a", "size": 1}


@for_each(
    ("value", "annotation", "expected"),
    [
        (ALIAS, Alias, READ),
        (READ, Alias, READ),
        ([ALIAS], List[Alias], [READ]),
        ([ALIAS], list[Alias], [READ]),
        ([ALIAS, None, READ], List[Alias], [READ, None, READ]),
        ([ALIAS], List["Alias"], [READ]),
        ([ALIAS], "List[Alias]", [READ]),
        (ALIAS, "Optional[Alias]", READ),
        (ALIAS, "Alias | None", READ),
        (ALIAS, Optional[Alias], READ),
        (None, Optional[Alias], None),
        (None, Alias, None),
        ({"x": ALIAS}, Dict[str, Alias], {"x": READ}),
        ({"x": None}, Dict[str, Alias], {"x": None}),
        ([{"x": [ALIAS]}], List[Dict[str, List[Alias]]], [{"x": [READ]}]),
        ("2025-07-01", datetime, at(2025, 7, 1)),
        ("2025-07-01", "datetime", at(2025, 7, 1)),
        ("2025-07-01", str, "2025-07-01"),
        ("5", Union[int, str], "5"),
        (ALIAS, Union[Alias, Source, None], ALIAS),
        ("5", int, "5"),
        ([1], List, [1]),
        ({"a": 1}, Dict, {"a": 1}),
        ([1], list, [1]),
        (ALIAS, Any, ALIAS),
        (ALIAS, "Nowhere", ALIAS),
        (ALIAS, "not ( valid", ALIAS),
        (ALIAS, "1 / 0", ALIAS),
    ],
)
@for_each("module", [PermutiveAPI, "PermutiveAPI"])
def test_unserialize_value(value: Any, annotation: Any, expected: Any, module: Any) -> None:
    """One value is read as its annotation says; names are looked up in the module given."""
    found = JSONSerializable.unserialize_value(value, annotation, module)
    assert found == expected
    assert type(found) is type(expected)


def test_unserialize_value_without_a_module() -> None:
    """Without a module, an annotation that is not a text is still followed."""
    assert JSONSerializable.unserialize_value(ALIAS, Alias) == READ
    assert JSONSerializable.unserialize_value(ALIAS, "Alias") == ALIAS
    assert JSONSerializable.unserialize_value(ALIAS, Alias, module="no.such.module") == READ


# --- The library's own models ------------------------------------------------------------------------

SEGMENT = {"code": "c", "name": "n", "import_id": "i"}
IMPORT: Dict[str, Any] = {
    "id": "i",
    "name": "n",
    "code": "c",
    "relation": "r",
    "identifiers": ["a"],
    "source": {"id": "s", "state": {}, "type": "t"},
}


def test_segments_of_an_import_are_a_segment_list() -> None:
    """Import.segments is read as a SegmentList, whose look-ups work."""
    read = Import.from_json({**IMPORT, "segments": [SEGMENT]})
    assert type(read.segments) is SegmentList
    assert read.segments.code_dictionary["c"].name == "n"
    assert isinstance(read.source, Source)


def test_values_of_the_right_type_are_kept() -> None:
    """A value that already has the right type is kept as it is."""
    source = Source("s", {}, "t")
    segments = SegmentList([Segment.from_json(SEGMENT)])
    moment = at(2025, 7, 1)
    read = Import.from_json(
        {**IMPORT, "source": source, "segments": segments, "created_at": moment}
    )
    assert read.source is source
    assert read.segments is segments
    assert read.created_at is moment


def test_tuples_and_sets_count_as_lists() -> None:
    """Users' data may have a tuple or a set for a list, as 5.4.4 allowed; to_json writes it as a list."""
    for tags in (("a", "b"), {"a"}, frozenset({"a"})):
        assert Cohort.from_json({"name": "c", "tags": tags}).tags == tags
    data = {"user_id": "u", "aliases": ({"id": "a", "tag": "b", "priority": 1},)}
    assert Identity.from_json(data).aliases == [Alias("a", "b", 1)]


@for_each(
    ("data", "where"),
    [
        ({"source": 5}, "Import.source"),
        ({"source": "text"}, "Import.source"),
        ({"source": [1]}, "Import.source"),
        ({"segments": {"a": 1}}, "Import.segments"),
        ({"segments": ["{}"]}, "Import.segments"),
        ({"identifiers": "a"}, "Import.identifiers"),
        ({"inheritance": "text"}, "Import.inheritance"),
        ({"inheritance": []}, "Import.inheritance"),
    ],
)
def test_members_of_a_wrong_kind(data: Dict[str, Any], where: str) -> None:
    """A member of a wrong kind is a TypeError that names it."""
    with pytest.raises(TypeError, match=f"^{where}: "):
        Import.from_json({**IMPORT, **data})


@for_each("bare", [list, List, dict, Dict])
def test_bare_lists_and_objects_of_a_wrong_kind(bare: Any) -> None:
    """A value of a list or dict without types for its items must be a list or an object."""
    with pytest.raises(TypeError, match="^expected an? (list|object), got str$"):
        JSONSerializable.unserialize_value("text", bare)


class Decoding(Dict[str, Any]):
    """A dict whose members are decoded when they are read."""

    def __getitem__(self, name: str) -> Any:
        return bytes.fromhex(super().__getitem__(name)).decode()


@for_each("others", [{}, {"unknown": "63"}])
def test_mappings_are_asked_for_each_member(others: Dict[str, Any]) -> None:
    """A mapping decides itself what is a member: a dict of another kind, and names in capital letters."""
    cohort = Cohort.from_json(Decoding(name="616263", **others))
    assert cohort.name == "abc"
    assert Cohort.from_json(CaseInsensitiveDict(Name="abc", **others)).name == "abc"
    assert Cohort.from_json(ChainMap({}, {"name": "abc", **others})).name == "abc"


def test_missing_members() -> None:
    """A missing required member is a TypeError that names it."""
    with pytest.raises(TypeError, match="priority"):
        Alias.from_json({"id": "a", "tag": "t"})
    with pytest.raises(TypeError, match="'name' and 'import_id'"):
        Segment.from_json({"code": "c"})


def test_every_model_is_read_without_falling_back_to_any() -> None:
    """The annotations of the library's own models can all be resolved."""
    from PermutiveAPI._Utils.codec.decoding import hints_of

    for model in (getattr(PermutiveAPI, name) for name in PermutiveAPI.__all__):
        if isinstance(model, type) and dataclasses.is_dataclass(model):
            hints = hints_of(model)
            for each in dataclasses.fields(model):
                text = each.type
                assert text == "Any" or hints[each.name] is not Any, (model, each.name)


@for_each(
    "text",
    [
        "2022-09-22T15:44:29.513211710Z",
        "2022-09-22T15:44:29.513211Z",
        "2022-13-22T15:44:29.513211Z",
        "2022-09-22T24:00:00.000000Z",
        "2022-09-22T23:59:60.000000Z",
        "2022-02-30T23:59:00.000000Z",
    ],
)
def test_the_short_cut_reads_what_the_long_way_reads(text: str) -> None:
    """The service's own form of a timestamp is read to the same time on both paths."""
    assert parse_timestamp(text) == parse_timestamp(f" {text}")
