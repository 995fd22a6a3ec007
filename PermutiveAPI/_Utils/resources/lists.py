"""Lists of resources: real lists, with indexes that follow every change, and DataFrames."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import wraps
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    SupportsIndex,
    TypeVar,
    Union,
    cast,
    overload,
)

from ..decoding import hints_of, parse_timestamp
from ..encoding import encoded, writing_plan
from ..gc_pause import collector_paused
from ..json import JSONSerializable, load_json_list

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
IndexT = TypeVar("IndexT", bound="Index[Any]")
L = TypeVar("L", bound="ResourceList[Any]")

# Values that stand in a table as they are.
_SCALARS = frozenset((str, int, float, bool, datetime))


class Index(Generic[T]):
    """A look-up dictionary over a list, declared as a class attribute of it.

    The dictionary is kept in the list's attribute ``_<name>_cache`` until the list changes.

    Parameters
    ----------
    attribute : str
        The attribute of an item that holds its key. Items whose key is None are left out.
    key : callable, optional
        Applied to each key.
    """

    def __init__(self, attribute: str, key: Callable[[Any], Any] | None = None):
        self._attribute = attribute
        self._key = key

    def __set_name__(self, owner: Any, name: str) -> None:
        """Learn the name that the index was declared under."""
        self.cache_name = f"_{name}_cache"

    @overload
    def __get__(self: IndexT, instance: None, owner: Any) -> IndexT:  # noqa: D105 -- said below
        ...

    @overload
    def __get__(self, instance: Any, owner: Any) -> dict[str, T]:  # noqa: D105
        ...

    def __get__(self, instance: ResourceList[Any] | None, owner: Any) -> Any:
        """Return the dictionary, built anew when it is missing or empty."""
        if instance is None:
            return self
        attributes: dict[str, Any] = vars(instance)
        index = attributes.get(self.cache_name)
        if not index:
            index = attributes[self.cache_name] = self.build(instance)
        return index

    def build(self, items: ResourceList[Any]) -> dict[Any, Any]:
        """Return the dictionary of a list."""
        raise NotImplementedError

    def _keys_of(self, item: Any) -> Iterable[Any]:
        value = getattr(item, self._attribute, None)
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
        keys = (key for key in values if key is not None)
        # The same tag twice is one tag.
        return dict.fromkeys(map(self._key, keys) if self._key else keys)


class UniqueIndex(Index[T]):
    """One object per key; of several with the same key the last one stands."""

    def build(self, items: ResourceList[Any]) -> dict[Any, Any]:
        """Return the dictionary of a list."""
        return {key: item for item in items for key in self._keys_of(item)}


class GroupedIndex(Index[T]):
    """Several objects per key, in a list of the same type and order; an empty list for a missing key."""

    def build(self, items: ResourceList[Any]) -> dict[Any, Any]:
        """Return the dictionary of a list."""
        groups: dict[Any, list[Any]] = {}
        for item in items:
            for key in self._keys_of(item):
                groups.setdefault(key, []).append(item)
        list_type = type(items)
        return _Groups(list_type, {key: list_type(group) for key, group in groups.items()})


class _Groups(dict[Any, Any]):
    """Lists by key. A missing key gives an empty list of the same type, and inserts nothing."""

    def __init__(self, list_type: type, groups: dict[Any, Any]) -> None:
        super().__init__(groups)
        self._list_type = list_type

    def __missing__(self, key: Any) -> Any:
        return self._list_type()


def _changing(change: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of list that changes it, after which the dictionaries are built anew."""

    @wraps(change)
    def changed(self: ResourceList[Any], *arguments: Any, **options: Any) -> Any:
        try:
            return change(self, *arguments, **options)
        finally:  # An iterable that raises has brought items all the same.
            self.refresh()

    return changed


class ResourceList(list[T], JSONSerializable[list[Any]]):
    """A list of one kind of model.

    It is a real list; slices, ``+`` and ``copy()`` keep its type. The dictionaries see every change
    of the list at their next access; after editing an item itself, call :meth:`refresh`.

    Parameters
    ----------
    items_list : list, optional
        The items; none when it is left out.
    """

    _item_type: ClassVar[Any]
    _indexes: ClassVar[tuple[Index[Any], ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the indexes that the class declares."""
        super().__init_subclass__(**kwargs)
        declared: list[Any] = [each for each in vars(cls).values() if isinstance(each, Index)]
        cls._indexes = (*cls._indexes, *declared)

    def __init__(self, items_list: Iterable[T] | None = None) -> None:
        super().__init__(() if items_list is None else items_list)

    if not TYPE_CHECKING:  # Each list declares its caches; nothing else is found here.

        def __getattr__(self, name):
            """Build the dictionary of a cache attribute that is not there yet."""
            for index in self._indexes:
                if index.cache_name == name:
                    return index.__get__(self, type(self))
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def refresh(self) -> None:
        """Have every dictionary built anew at its next access, after items were edited."""
        for index in self._indexes:
            vars(self).pop(index.cache_name, None)

    def _refresh_cache(self) -> None:
        """Do what :meth:`refresh` does; the name of release 5.4.4."""
        self.refresh()

    # --- JSON ------------------------------------------------------------------------------------

    @classmethod
    @collector_paused()
    def from_json(cls: type[L], data: Any) -> L:
        """Make a list from its JSON form.

        Parameters
        ----------
        data : list or str or Path
            A list of dictionaries or items, JSON text, or the path of a JSON file. It is left
            untouched.

        Raises
        ------
        TypeError
            If `data` is of another kind, or holds something that is no item.
        """
        item_type = cls._item_type
        items = load_json_list(data, cls.__name__, item_type.__name__)
        return cls(
            [item if isinstance(item, item_type) else item_type.from_json(item) for item in items]
        )

    @collector_paused()
    def to_json(self) -> list[Any]:
        """Return the items' JSON forms; see :meth:`JSONSerializable.to_json`."""
        return cast("list[Any]", encoded(list(self)))

    def _shown_json(self) -> Any:
        return [
            item._shown_json() if isinstance(item, JSONSerializable) else encoded(item)
            for item in cast("list[Any]", self)
            if item is not None
        ]

    # --- Every way to change a list ----------------------------------------------------------------

    if not TYPE_CHECKING:  # To a type checker they are list's own.
        append = _changing(list.append)
        clear = _changing(list.clear)
        extend = _changing(list.extend)
        insert = _changing(list.insert)
        pop = _changing(list.pop)
        remove = _changing(list.remove)
        reverse = _changing(list.reverse)
        sort = _changing(list.sort)
        __delitem__ = _changing(list.__delitem__)
        __iadd__ = _changing(list.__iadd__)
        __imul__ = _changing(list.__imul__)
        __setitem__ = _changing(list.__setitem__)

    # --- Lists made from this one keep its type --------------------------------------------------------

    @overload
    def __getitem__(self, key: SupportsIndex, /) -> T:  # noqa: D105 -- said below
        ...

    @overload
    def __getitem__(self: L, key: slice, /) -> L:  # noqa: D105 -- said below
        ...

    def __getitem__(self, key: Any, /) -> Any:
        """Return an item, or a slice as a list of the same type."""
        found = cast(Any, super()).__getitem__(key)
        return type(self)(found) if isinstance(key, slice) else found

    # To a type checker, a list of another kind is a mistake here; list would join both.
    def __add__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self: L, value: list[T], /
    ) -> L:
        """Return both lists' items."""
        return type(self)([*self, *value])

    def __mul__(self: L, value: SupportsIndex, /) -> L:
        """Return the items repeated."""
        return type(self)(list(self) * value)

    def __rmul__(self: L, value: SupportsIndex, /) -> L:
        """Return the items repeated."""
        return self * value

    def copy(self: L) -> L:
        """Return a list of the same items."""
        return type(self)(self)


def list_from_answer(cls: type[L], data: Any) -> L:
    """Make a list of models from the JSON data of an answer."""
    item_type = cast("Any", cls)._item_type
    items = load_json_list(data, cls.__name__, item_type.__name__)
    return cls([item_type._from_answer(item) for item in items])


class TabularList(ResourceList[T]):
    """A list whose items can be shown as a table."""

    @collector_paused()
    def to_pd_dataframe(self) -> pandas.DataFrame:
        """Return the list as a table.

        Returns
        -------
        pandas.DataFrame
            One row an object, one column a field in declared order, also for an empty list.
            Timestamps are timezone-aware, whole numbers nullable integers; nested values are JSON
            data.
        """
        import pandas

        hints = hints_of(self._item_type)
        columns: dict[str, Any] = {}
        for name, _ in writing_plan(self._item_type):
            values = [getattr(item, name) for item in self]
            columns[name] = _column(values, hints[name])
        return pandas.DataFrame(columns)


def _column(values: list[Any], annotation: Any) -> Any:
    """Return a column's values with the type that its annotation promises, where they allow it."""
    import pandas

    table_library = cast(Any, pandas)  # Its stubs know no columns of unknown type.
    kinds = _members_of(annotation)
    if datetime in kinds:
        values = [_read_timestamp(value) for value in values]
    try:
        # pandas would guess at the others: that "now" is now, and that 5 is in 1970.
        if datetime in kinds and all(isinstance(value, (datetime, type(None))) for value in values):
            return table_library.to_datetime(table_library.Series(values, dtype=object), utc=True)
        if int in kinds and all(type(value) in (int, type(None)) for value in values):
            return table_library.array(values, dtype="Int64")
        if float in kinds:
            return table_library.Series(values, dtype="float64")
    except (ValueError, TypeError, OverflowError):
        pass  # A timestamp that could not be read, a number out of range: shown as it is.
    if kinds <= _SCALARS:
        return table_library.Series(values, dtype=None if values else object)
    return table_library.Series([encoded(value) for value in values], dtype=object)


def _read_timestamp(value: Any) -> Any:
    return parse_timestamp(value) or value if isinstance(value, str) else value


def _members_of(annotation: Any) -> frozenset[Any]:
    """Return the types of a union without None, and of a literal those of its values."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return frozenset[Any]().union(*map(_members_of, arguments))
    if origin is Literal:
        return frozenset(map(type, arguments))
    return frozenset({annotation} - {type(None)})
