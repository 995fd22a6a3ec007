"""Lists of resources: real lists with indexes that follow every change."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import threading
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Iterator, List, cast

import pytest
import requests

from PermutiveAPI import (
    Cohort,
    CohortList,
    Import,
    ImportList,
    Segment,
    SegmentList,
    Source,
    Workspace,
    WorkspaceList,
)
from PermutiveAPI._Utils import gc_pause
from PermutiveAPI._Utils.resources.lists import ResourceList, UniqueIndex
from PermutiveAPI._Utils.resources.responses import read_response
from tests.support.platforms import needs_fork
from tests.support.rows import for_each
from tests.support.scripts import run_script

MOMENT = datetime(2025, 7, 1, tzinfo=timezone.utc)


def cohort(id: str, **fields: Any) -> Cohort:
    """Make a cohort with fixed timestamps, so that equal arguments give equal cohorts."""
    return Cohort(fields.pop("name", f"name {id}"), id=id, created_at=MOMENT, **fields)


def segment(code: str, **fields: Any) -> Segment:
    """Make a segment with fixed timestamps, so that equal arguments give equal segments."""
    return Segment(code, f"name {code}", "i", f"id {code}", created_at=MOMENT, **fields)


def audience(id: str, identifiers: List[str]) -> Import:
    """Make an import with fixed timestamps, so that equal arguments give equal imports."""
    return Import(
        id, f"name {id}", f"code {id}", "r", identifiers, Source("s", {}, "t"), created_at=MOMENT
    )


COHORTS = [cohort("1", code=11), cohort("2", code="12"), cohort("3")]
SEGMENTS = [segment("a"), segment("b")]
IMPORTS = [audience("1", ["x", "y"]), audience("2", ["y"]), audience("3", [])]
WORKSPACES = [Workspace("main", "o", "o", "k"), Workspace("child", "o", "w", "k")]

LISTS = [
    (CohortList, COHORTS),
    (SegmentList, SEGMENTS),
    (ImportList, IMPORTS),
    (WorkspaceList, WORKSPACES),
]
DICTIONARIES = {
    CohortList: [
        "id_dictionary",
        "code_dictionary",
        "name_dictionary",
        "tag_dictionary",
        "segment_type_dictionary",
        "workspace_dictionary",
    ],
    SegmentList: ["id_dictionary", "name_dictionary", "code_dictionary"],
    ImportList: ["id_dictionary", "name_dictionary", "code_dictionary", "identifier_dictionary"],
    WorkspaceList: ["id_dictionary", "name_dictionary"],
}
EACH_DICTIONARY = [(cls, name) for cls, names in DICTIONARIES.items() for name in names]


# --- A real list -------------------------------------------------------------------------------------


@for_each(("cls", "items"), LISTS)
def test_made_from_an_optional_list(cls: Any, items: List[Any]) -> None:
    """A list is made from an optional list, and is independent of it."""
    assert list in cls.__mro__
    assert cls() == cls(None) == cls(items_list=None) == cls([]) == []
    given = list(items)
    made = cls(items_list=given)
    assert made == items
    given.clear()
    assert len(made) == len(items)


@for_each(("cls", "items"), LISTS)
def test_slices_sums_and_copies_keep_the_type(cls: Any, items: List[Any]) -> None:
    """Slices, +, * and copies keep the list type, and share no index with the list."""
    full = cls(items)
    full.id_dictionary
    made: Dict[str, Any] = {
        "slice": (full[:1], items[:1]),
        "step": (full[::-1], items[::-1]),
        "empty slice": (full[9:], []),
        "sum": (full + items[:1], items + items[:1]),
        "product": (full * 2, items * 2),
        "product from the left": (2 * full, items * 2),
        "copy": (full.copy(), items),
        "copy.copy": (copy.copy(full), items),
    }
    for name, (found, expected) in made.items():
        assert type(found) is cls, name
        assert found == expected, name
        assert found is not full, name
        found.clear()
        assert found.id_dictionary == {}, name
    assert full == items
    assert full.id_dictionary != {}


@for_each(("cls", "items"), LISTS)
def test_items_are_no_slices(cls: Any, items: List[Any]) -> None:
    """An index gives the item itself; an index out of range is an IndexError."""
    full = cls(items)
    assert full[0] is items[0]
    assert full[-1] is items[-1]
    with pytest.raises(IndexError):
        full[99]


@for_each(("cls", "items"), LISTS)
@for_each("again", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
@for_each("warm", [False, True])
def test_deep_copies_and_pickles(
    cls: Any, items: List[Any], again: Callable[[Any], Any], warm: bool
) -> None:
    """A deep copy and a pickle have the same items, and their own dictionaries."""
    full = cls(items)
    if warm:
        for name in DICTIONARIES[cls]:
            getattr(full, name)
    same = again(full)
    assert type(same) is cls
    assert same == full
    assert same[0] is not full[0]
    assert same.id_dictionary[next(iter(full.id_dictionary))] is same[0]
    same.clear()
    assert same.id_dictionary == {} != full.id_dictionary


def test_unknown_attributes() -> None:
    """A list has caches of its own dictionaries only."""
    assert not hasattr(CohortList(), "_no_such_dictionary_cache")


# --- Look-ups ----------------------------------------------------------------------------------------


@for_each(("cls", "name"), EACH_DICTIONARY)
def test_dictionaries_of_an_empty_list(cls: Any, name: str) -> None:
    """Every dictionary of an empty list is empty, and so is its cache attribute."""
    empty = cls()
    assert getattr(empty, f"_{name}_cache") == {}
    assert getattr(empty, name) == {}
    assert isinstance(getattr(empty, name), dict)


@for_each(("cls", "name"), EACH_DICTIONARY)
def test_cache_attribute(cls: Any, name: str) -> None:
    """The dictionary is kept in its cache attribute, which can be read first, and is rebuilt if it is set to {}."""
    items = dict(LISTS)[cls]
    attribute = f"_{name}_cache"
    assert getattr(cls(items), attribute) == getattr(cls(items), name)
    full = cls(items)
    built = getattr(full, name)
    assert getattr(full, attribute) is built
    assert getattr(full, name) is built or not built
    setattr(full, attribute, {})
    assert getattr(full, attribute) == {}
    rebuilt = getattr(full, name)
    assert rebuilt == built
    assert getattr(full, attribute) is rebuilt


@for_each(("cls", "name"), EACH_DICTIONARY)
def test_on_the_class_itself(cls: Any, name: str) -> None:
    """On the class, the dictionary is its declaration."""
    assert getattr(cls, name) is vars(cls)[name]


@for_each(
    ("cls", "items", "name", "expected"),
    [
        (CohortList, COHORTS, "id_dictionary", {"1": 0, "2": 1, "3": 2}),
        (CohortList, COHORTS, "code_dictionary", {"11": 0, "12": 1}),
        (CohortList, COHORTS, "name_dictionary", {"name 1": 0, "name 2": 1, "name 3": 2}),
        (SegmentList, SEGMENTS, "id_dictionary", {"id a": 0, "id b": 1}),
        (SegmentList, SEGMENTS, "name_dictionary", {"name a": 0, "name b": 1}),
        (SegmentList, SEGMENTS, "code_dictionary", {"a": 0, "b": 1}),
        (ImportList, IMPORTS, "id_dictionary", {"1": 0, "2": 1, "3": 2}),
        (ImportList, IMPORTS, "name_dictionary", {"name 1": 0, "name 2": 1, "name 3": 2}),
        (ImportList, IMPORTS, "code_dictionary", {"code 1": 0, "code 2": 1, "code 3": 2}),
        (WorkspaceList, WORKSPACES, "id_dictionary", {"o": 0, "w": 1}),
        (WorkspaceList, WORKSPACES, "name_dictionary", {"main": 0, "child": 1}),
    ],
)
def test_one_object_a_key(cls: Any, items: List[Any], name: str, expected: Dict[str, int]) -> None:
    """Each of these dictionaries gives one object per key; objects without a key are left out."""
    found = getattr(cls(items), name)
    assert list(found) == list(expected)
    assert all(found[key] is items[position] for key, position in expected.items())


TAGGED = [
    cohort("1", tags=["x", "y", "x"], segment_type="s", workspace_id="w"),
    cohort("2", tags=["y"], segment_type="s"),
    cohort("3", tags=[]),
    cohort("4"),
]
# Tags in other types that JSON writes as lists.
OTHERS = [cohort("1", tags=("x", "y")), cohort("2", tags={"y"}), cohort("3", tags=frozenset({"x"}))]


@for_each(
    ("cls", "items", "name", "expected"),
    [
        (CohortList, TAGGED, "tag_dictionary", {"x": [0], "y": [0, 1]}),
        (CohortList, OTHERS, "tag_dictionary", {"x": [0, 2], "y": [0, 1]}),
        (CohortList, TAGGED, "segment_type_dictionary", {"s": [0, 1]}),
        (CohortList, TAGGED, "workspace_dictionary", {"w": [0]}),
        (ImportList, IMPORTS, "identifier_dictionary", {"x": [0], "y": [0, 1]}),
    ],
)
def test_several_objects_a_key(
    cls: Any, items: List[Any], name: str, expected: Dict[str, List[int]]
) -> None:
    """Each of these dictionaries gives lists of the same type, in list order."""
    found = getattr(cls(items), name)
    assert found == {
        key: [items[position] for position in positions] for key, positions in expected.items()
    }
    assert {type(group) for group in found.values()} == {cls}
    assert found["y" if "y" in found else next(iter(found))].id_dictionary


def test_missing_keys() -> None:
    """A missing key is a KeyError, or an empty list in dictionaries of lists; neither inserts anything."""
    cohorts = CohortList(TAGGED)
    for name in DICTIONARIES[CohortList]:
        dictionary = getattr(cohorts, name)
        before = dict(dictionary)
        if name in ("id_dictionary", "code_dictionary", "name_dictionary"):
            with pytest.raises(KeyError):
                dictionary["missing"]
        else:
            found = dictionary["missing"]
            assert found == [] and type(found) is CohortList
            found.append(cohort("9"))
            assert dictionary["missing"] == []
        assert dictionary == before
        assert dictionary.get("missing") is None and "missing" not in dictionary
        assert getattr(pickle.loads(pickle.dumps(cohorts)), name) == before


@for_each("refresh", [CohortList.refresh, CohortList._refresh_cache])
def test_refresh(refresh: Callable[[CohortList], None]) -> None:
    """refresh(), and _refresh_cache(), its name in 5.4.4, read edited items again."""
    cohorts = CohortList([cohort("1")])
    assert list(cohorts.id_dictionary) == ["1"]
    cohorts[0].id = "2"
    refresh(cohorts)
    assert list(cohorts.id_dictionary) == ["2"]


def test_last_of_several_with_one_key_stands() -> None:
    """If several objects have the same key, the last one wins."""
    one, other = cohort("1", name="same", code=5), cohort("1", name="same", code="5")
    cohorts = CohortList([one, other])
    for dictionary in (cohorts.id_dictionary, cohorts.name_dictionary, cohorts.code_dictionary):
        assert len(dictionary) == 1
        assert next(iter(dictionary.values())) is other


CHANGES: Dict[str, Callable[[Any], Any]] = {
    "append": lambda each: each.append(cohort("9")),
    "extend": lambda each: each.extend([cohort("9"), cohort("8")]),
    "extend by itself": lambda each: each.extend(each[:1]),
    "insert": lambda each: each.insert(0, cohort("9")),
    "remove": lambda each: each.remove(cohort("2", code="12")),
    "pop": lambda each: each.pop(),
    "pop the first": lambda each: each.pop(0),
    "clear": lambda each: each.clear(),
    "item assignment": lambda each: each.__setitem__(0, cohort("9")),
    "slice assignment": lambda each: each.__setitem__(slice(0, 2), [cohort("9")]),
    "slice emptied": lambda each: each.__setitem__(slice(None), []),
    "deletion": lambda each: each.__delitem__(0),
    "slice deletion": lambda each: each.__delitem__(slice(0, 2)),
    "+=": lambda each: each.__iadd__([cohort("9")]),
    "*=": lambda each: each.__imul__(2),
    "*= 0": lambda each: each.__imul__(0),
    "sort": lambda each: each.sort(key=lambda item: item.id, reverse=True),
    "reverse": lambda each: each.reverse(),
}


@for_each("change", CHANGES)
@for_each("name", DICTIONARIES[CohortList])
def test_every_change_is_seen(change: Callable[[Any], Any], name: str) -> None:
    """Every dictionary follows any change to the list, and the change is the same as that of list."""
    items = [*COHORTS, *TAGGED]
    cohorts, plain = CohortList(items), list(items)
    assert getattr(cohorts, name)
    assert change(cohorts) == change(plain) or isinstance(plain, list)
    assert cohorts == plain
    fresh = getattr(CohortList(plain), name)
    found = getattr(cohorts, name)
    assert found == fresh
    assert list(found) == list(fresh)


def test_augmented_assignments_keep_the_object() -> None:
    """+= and *= change the list and keep the object."""
    cohorts = same = CohortList(COHORTS)
    same += [cohort("9")]
    same *= 2
    assert same is cohorts
    assert len(cohorts) == 2 * (len(COHORTS) + 1)


def test_returned_values() -> None:
    """Methods return the same as those of list."""
    cohorts = CohortList(COHORTS)
    assert cohorts.pop(0) is COHORTS[0]
    assert cohorts.pop() is COHORTS[2]
    assert cohorts.append(COHORTS[0]) is None
    with pytest.raises(ValueError):
        cohorts.remove(cohort("99"))
    with pytest.raises(IndexError):
        CohortList().pop()


def test_change_that_fails_halfway_is_seen() -> None:
    """Items that came before an iterable raised an error are in the list and in its dictionaries."""

    def broken() -> Iterator[Cohort]:
        yield cohort("9")
        raise RuntimeError("no more")

    cohorts = CohortList(COHORTS)
    assert "9" not in cohorts.id_dictionary
    with pytest.raises(RuntimeError):
        cohorts.extend(broken())
    assert ("9" in cohorts.id_dictionary) is (cohort("9") in cohorts)
    with pytest.raises(RuntimeError):
        cohorts += broken()
    assert cohorts.id_dictionary == CohortList(cohorts).id_dictionary
    with pytest.raises(TypeError):
        cast(Any, cohorts).sort()
    assert cohorts.id_dictionary == CohortList(cohorts).id_dictionary


def test_look_ups_in_a_loop_read_no_item() -> None:
    """A look-up inside a loop does not go through the list again."""

    class Counted(Cohort):
        reads = 0

        def __getattribute__(self, name: str) -> Any:
            if name == "id":
                Counted.reads += 1
            return super().__getattribute__(name)

    cohorts = CohortList([Counted(str(number), id=str(number)) for number in range(50)])
    Counted.reads = 0
    for number in range(50):
        cohorts.id_dictionary[str(number)]
    assert Counted.reads == 50


def test_change_while_an_index_is_built() -> None:
    """If another thread changes the list while an index is built, the next access sees the change."""

    class Interrupting(Cohort):
        def __getattribute__(self, name: str) -> Any:
            if name == "id" and len(cohorts) == 1:
                cohorts.insert(0, cohort("2"))
            return super().__getattribute__(name)

    cohorts = CohortList([Interrupting("n", id="1")])
    assert "1" in cohorts.id_dictionary
    assert list(cohorts.id_dictionary) == ["2", "1"]


def test_index_that_came_out_empty_is_rebuilt() -> None:
    """An empty dictionary is rebuilt at each access, so edited items are found."""
    edited = Cohort("c")
    cohorts = CohortList([edited])
    assert cohorts.id_dictionary == {}
    edited.id = "1"
    assert cohorts.id_dictionary == {"1": edited}


def test_lists_of_ones_own() -> None:
    """A user's subclass inherits the dictionaries, and may declare more."""

    class Own(CohortList):
        state_dictionary: UniqueIndex[Cohort] = UniqueIndex("state")

    own = Own([cohort("1", state="Enabled")])
    assert own.state_dictionary["Enabled"] is own.id_dictionary["1"] is own[0]
    assert type(own[:]) is Own
    assert not hasattr(CohortList(), "_state_dictionary_cache")
    own.clear()
    assert own.state_dictionary == own.id_dictionary == {}
    assert issubclass(Own, ResourceList)


# --- The garbage collector -------------------------------------------------------------------------


class Watched(Cohort):
    """A cohort that records whether the collector is on while it is read and written."""

    seen: List[bool] = []

    def __post_init__(self) -> None:
        """Record it when the cohort is read, and raise an error if its name asks for it."""
        self.seen.append(gc.isenabled())
        if self.name == "refuse":
            raise RuntimeError("refused")

    def to_json(self) -> Dict[str, Any]:
        """Record it when the cohort is written."""
        self.seen.append(gc.isenabled())
        return super().to_json()

    def __getattribute__(self, name: str) -> Any:
        """Record it when a column is made."""
        if name == "description":
            Watched.seen.append(gc.isenabled())
        return super().__getattribute__(name)


class WatchedList(CohortList):
    """A list of watched cohorts."""

    _item_type = Watched


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[bool]]:
    """Treat every list as large, turn the collector on after the test, and return what the items recorded."""
    monkeypatch.setattr(gc_pause, "_LARGE_LIST", 0)
    monkeypatch.setattr(gc_pause, "_CHARACTERS_PER_ITEM", 1)
    Watched.seen.clear()
    gc.enable()
    yield Watched.seen
    gc.enable()


LARGE_JOBS: Dict[str, Callable[[], Any]] = {
    "from_json": lambda: WatchedList.from_json('[{"name": "c"}]'),
    "to_json": lambda: WatchedList([Watched("c")]).to_json(),
    "to_pd_dataframe": lambda: WatchedList([Watched("c")]).to_pd_dataframe(),
}


@pytest.mark.parametrize("job", LARGE_JOBS.values(), ids=LARGE_JOBS.keys())
@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_collector_pauses(collector: List[bool], job: Callable[[], Any], on: bool) -> None:
    """The collector is off while a large list is read or written, and afterwards as it was before."""
    if not on:
        gc.disable()
    job()
    assert collector[-1] is False
    assert gc.isenabled() is on


@pytest.mark.parametrize(
    "length, on", [(3_000_000, True), (3_000_300, False)], ids=["short", "long"]
)
def test_collector_and_responses(length: int, on: bool) -> None:
    """The collector is off while a response is read whose body is longer than 10,000 segments."""
    response = requests.Response()
    response._content = b"[]".ljust(length)
    assert read_response(lambda data: (data, gc.isenabled()), response) == ([], on)
    assert gc.isenabled()


@pytest.mark.parametrize("job", LARGE_JOBS.values(), ids=LARGE_JOBS.keys())
def test_collector_runs_for_short_lists(job: Callable[[], Any]) -> None:
    """The collector stays on while a short list is read or written."""
    Watched.seen.clear()
    job()
    assert False not in Watched.seen != []


@pytest.mark.parametrize("text", ['[{"name": "refuse"}]', "[5]", "[", "{}"])
def test_collector_after_an_error(collector: List[bool], text: str) -> None:
    """A list that cannot be read leaves the collector on."""
    with pytest.raises((RuntimeError, TypeError)):
        WatchedList.from_json(text)
    assert gc.isenabled()
    with pytest.raises(ValueError):
        WatchedList([Watched("c", query={"x": float("nan")})]).to_json()
    assert gc.isenabled()


@pytest.mark.parametrize("first_to_end", [0, 1])
def test_collector_and_overlapping_threads(collector: List[bool], first_to_end: int) -> None:
    """If two threads read lists, the collector is on in the end, whichever thread ends first."""
    begun = [threading.Event(), threading.Event()]
    may_end = [threading.Event(), threading.Event()]

    class Slow(Cohort):
        def __post_init__(self) -> None:
            number = int(self.name)
            begun[number].set()
            assert may_end[number].wait(10)

    class SlowList(ResourceList[Slow]):
        _item_type = Slow

    threads: List[threading.Thread] = []
    for number in (0, 1):
        data = [{"name": str(number)}]
        threads.append(threading.Thread(target=SlowList.from_json, args=(data,)))
        threads[number].start()
        assert begun[number].wait(10)
        assert not gc.isenabled()
    for number in (first_to_end, 1 - first_to_end):
        may_end[number].set()
        threads[number].join(10)
    assert gc.isenabled()


FORK = """
import gc, os
from PermutiveAPI import Cohort, CohortList
from PermutiveAPI._Utils import gc_pause

gc_pause._LARGE_LIST = 0

class Forking(Cohort):
    def __post_init__(self):
        if os.fork() == 0:
            os._exit(0 if gc.isenabled() else 1)
        assert os.wait()[1] == 0
        assert not gc.isenabled()

class ForkingList(CohortList):
    _item_type = Forking

ForkingList.from_json([{"name": "c"}])
if os.fork() == 0:
    os._exit(0 if gc.isenabled() else 1)
assert os.wait()[1] == 0
gc.disable()
if os.fork() == 0:
    os._exit(1 if gc.isenabled() else 0)
assert os.wait()[1] == 0
"""


@needs_fork
def test_collector_in_a_forked_process() -> None:
    """In a process that is forked while a list is read, the collector is on, unless the user has turned it off."""
    done = run_script(FORK)
    assert done.returncode == 0, done.stderr


@for_each("items", [[None], [Cohort("a"), None], ["text"], [5]])
def test_text_of_lists_with_foreign_items(items: List[Any]) -> None:
    """``str()`` of a list shows the same as ``to_json()``, whatever its items are."""
    cohorts = CohortList(items)
    assert json.loads(str(cohorts)) == cohorts.to_json()
    assert str(ImportList()) == "[]"
