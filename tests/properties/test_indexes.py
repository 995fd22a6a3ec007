"""Look-ups find the same as a search through the list, after any changes."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Callable, Dict, Iterable, List

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

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

Keys = Callable[[Any], Iterable[Any]]


def one(attribute: str, shown: Callable[[Any], Any] = lambda key: key) -> Keys:
    """Return a function that returns the key of an item in a list, or an empty list."""

    def keys(item: Any) -> Iterable[Any]:
        value = getattr(item, attribute)
        return [] if value is None else [shown(value)]

    return keys


def many(attribute: str) -> Keys:
    """Return a function that returns the keys of an item that has several."""
    return lambda item: getattr(item, attribute) or []


UNIQUE: Dict[Any, Dict[str, Keys]] = {
    CohortList: {
        "id_dictionary": one("id"),
        "code_dictionary": one("code", str),
        "name_dictionary": one("name"),
    },
    SegmentList: {
        "id_dictionary": one("id"),
        "name_dictionary": one("name"),
        "code_dictionary": one("code"),
    },
    ImportList: {
        "id_dictionary": one("id"),
        "name_dictionary": one("name"),
        "code_dictionary": one("code"),
    },
    WorkspaceList: {"id_dictionary": one("workspace_id"), "name_dictionary": one("name")},
}
GROUPED: Dict[Any, Dict[str, Keys]] = {
    CohortList: {
        "tag_dictionary": many("tags"),
        "segment_type_dictionary": one("segment_type"),
        "workspace_dictionary": one("workspace_id"),
    },
    SegmentList: {},
    ImportList: {"identifier_dictionary": many("identifiers")},
    WorkspaceList: {},
}

few = st.sampled_from(["a", "b", "c"])
maybe = st.none() | few
ITEMS: Dict[Any, "st.SearchStrategy[Any]"] = {
    CohortList: st.builds(
        Cohort,
        few,
        id=maybe,
        code=st.none() | st.sampled_from([1, "1", 2]),
        tags=st.none() | st.lists(few, max_size=3),
        segment_type=maybe,
        workspace_id=maybe,
    ),
    SegmentList: st.builds(Segment, maybe, few, few, maybe),
    ImportList: st.builds(
        Import, few, few, few, few, st.lists(few, max_size=3), st.just(Source("s", {}, "t"))
    ),
    WorkspaceList: st.builds(Workspace, few, few, few, few),
}
positions = st.integers(-6, 6)
slices = st.builds(slice, st.none() | positions, st.none() | positions)


class Lists(RuleBasedStateMachine):
    """A list of this library, and a plain list that gets the same changes."""

    @initialize(kind=st.sampled_from(sorted(ITEMS, key=lambda each: each.__name__)), data=st.data())
    def start(self, kind: Any, data: st.DataObject) -> None:
        """Begin with a list of any kind."""
        self.kind = kind
        self.plain = data.draw(st.lists(ITEMS[kind], max_size=4))
        self.ours = kind(self.plain)

    def some(self, data: st.DataObject) -> List[Any]:
        """Draw a few items, old ones among them."""
        known = st.sampled_from(self.plain) if self.plain else st.nothing()
        return data.draw(st.lists(ITEMS[self.kind] | known, max_size=3))

    def both(self, act: Callable[[Any], Any]) -> None:
        """Do the same to both lists: both return the same, or both raise."""
        outcomes: List[Any] = []
        for items in (self.plain, self.ours):
            try:
                outcomes.append(act(items))
            except (IndexError, ValueError) as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1] or outcomes[1] is self.ours

    @rule(data=st.data())
    def append(self, data: st.DataObject) -> None:
        """Append an item."""
        item = data.draw(ITEMS[self.kind])
        self.both(lambda items: items.append(item))

    @rule(data=st.data(), lazily=st.booleans())
    def extend(self, data: st.DataObject, lazily: bool) -> None:
        """Extend by items, which may come from a generator."""
        new = self.some(data)
        self.both(lambda items: items.extend(iter(new) if lazily else new))

    @rule(data=st.data(), position=positions)
    def insert(self, data: st.DataObject, position: int) -> None:
        """Insert an item anywhere."""
        item = data.draw(ITEMS[self.kind])
        self.both(lambda items: items.insert(position, item))

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Remove an item, which may be missing."""
        item = (self.some(data) or [None])[-1]
        self.both(lambda items: items.remove(item))

    @rule(position=positions)
    def pop(self, position: int) -> None:
        """Take an item out."""
        self.both(lambda items: items.pop(position))

    @rule()
    def clear(self) -> None:
        """Remove everything."""
        self.both(lambda items: items.clear())

    @rule(data=st.data(), position=positions)
    def set_item(self, data: st.DataObject, position: int) -> None:
        """Replace an item."""
        item = data.draw(ITEMS[self.kind])
        self.both(lambda items: items.__setitem__(position, item))

    @rule(data=st.data(), part=slices)
    def set_slice(self, data: st.DataObject, part: slice) -> None:
        """Replace a slice."""
        new = self.some(data)
        self.both(lambda items: items.__setitem__(part, new))

    @rule(position=positions | slices)
    def delete(self, position: Any) -> None:
        """Delete an item or a slice."""
        self.both(lambda items: items.__delitem__(position))

    @rule(data=st.data())
    def add_in_place(self, data: st.DataObject) -> None:
        """Use +=."""
        new = self.some(data)
        before = self.ours
        self.plain += new
        self.ours += new
        assert self.ours is before

    @rule(times=st.integers(-1, 2))
    def multiply_in_place(self, times: int) -> None:
        """Use *=."""
        if len(self.plain) < 20:
            before = self.ours
            self.plain *= times
            self.ours *= times
            assert self.ours is before

    @rule(backwards=st.booleans())
    def sort(self, backwards: bool) -> None:
        """Sort by name."""
        self.both(lambda items: items.sort(key=lambda item: item.name, reverse=backwards))

    @rule()
    def reverse(self) -> None:
        """Reverse the list."""
        self.both(lambda items: items.reverse())

    @rule(part=slices)
    def slice(self, part: slice) -> None:
        """Continue with a slice."""
        self.plain, self.ours = self.plain[part], self.ours[part]

    @rule(data=st.data())
    def add(self, data: st.DataObject) -> None:
        """Continue with a sum."""
        new = self.some(data)
        self.plain, self.ours = self.plain + new, self.ours + new

    @rule(way=st.sampled_from([lambda items: items.copy(), copy.copy]))
    def copied(self, way: Callable[[Any], Any]) -> None:
        """Continue with a copy, and change the original."""
        before, self.plain, self.ours = self.ours, list(self.plain), way(self.ours)
        before.clear()

    @rule(way=st.sampled_from([copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]))
    def copied_deeply(self, way: Callable[[Any], Any]) -> None:
        """Continue with a deep copy."""
        self.ours = way(self.ours)
        assert self.ours == self.plain
        self.plain = list(self.ours)

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """Empty a cache attribute, as older code does."""
        name = data.draw(st.sampled_from(sorted({**UNIQUE[self.kind], **GROUPED[self.kind]})))
        setattr(self.ours, f"_{name}_cache", {})

    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        """Edit an item and refresh."""
        if self.plain:
            item = data.draw(st.sampled_from(self.plain))
            item.name = data.draw(few)
            self.ours.refresh()

    @rule(data=st.data())
    def look_up(self, data: st.DataObject) -> None:
        """Build one dictionary now, so that it must follow later changes."""
        name = data.draw(st.sampled_from(sorted({**UNIQUE[self.kind], **GROUPED[self.kind]})))
        getattr(self.ours, name)

    @invariant()
    def same_items(self) -> None:
        """Both lists hold the same objects, and the library's list keeps its type."""
        if hasattr(self, "ours"):
            assert type(self.ours) is self.kind
            assert [id(item) for item in self.ours] == [id(item) for item in self.plain]

    @invariant()
    def same_look_ups(self) -> None:
        """Every dictionary holds what a search through the list finds."""
        if not hasattr(self, "ours"):
            return
        for name, keys in UNIQUE[self.kind].items():
            expected: Dict[Any, Any] = {}
            for item in self.plain:
                for key in keys(item):
                    expected[key] = item
            found = getattr(self.ours, name)
            assert {key: id(item) for key, item in found.items()} == {
                key: id(item) for key, item in expected.items()
            }
            assert getattr(self.ours, f"_{name}_cache") is found
        for name, keys in GROUPED[self.kind].items():
            wanted = {key for item in self.plain for key in keys(item)}
            groups = getattr(self.ours, name)
            assert set(groups) == wanted
            for key in wanted:
                assert type(groups[key]) is self.kind
                assert [id(item) for item in groups[key]] == [
                    id(item) for item in self.plain if key in keys(item)
                ]


TestLists = Lists.TestCase
TestLists.settings = settings(max_examples=20, stateful_step_count=25)
