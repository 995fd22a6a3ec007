"""Lists of resources: real lists, with indexes that follow every change, and DataFrames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ClassVar, Generic, SupportsIndex, TypeVar, cast, overload

from ..arguments import require_filled, require_kind
from ..codec.encoding import encoded
from ..gc_pause import gc_paused, items_in
from ..json import JSONSerializable, forgetting_data, load_json_list
from ..lazy_names import LateModule

if TYPE_CHECKING:
    import pandas
else:
    pandas = LateModule("pandas")

T = TypeVar("T")
IndexT = TypeVar("IndexT", bound="Index[Any]")
L = TypeVar("L", bound="ResourceList[Any]")


class Index(Generic[T]):
    """A look-up dictionary of a list, declared as a class attribute of the list's class.

    The dictionary is kept in the list's attribute ``_<name>_cache`` until the list changes. An item's
    `attribute` holds its key, or a list of keys. A key of None is left out. The function `key`, such as
    ``str``, is applied to each key.
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
    def __get__(self, instance: Any, owner: Any) -> dict[str, T]:  # noqa: D105 -- said below
        ...

    def __get__(self, instance: ResourceList[Any] | None, owner: Any) -> Any:
        """Return the dictionary. Build it if it is missing or empty."""
        if instance is None:
            return self
        attributes: dict[str, Any] = vars(instance)
        index = attributes.get(self.cache_name)
        if not index:
            change = attributes.get("_last_change")
            index = attributes[self.cache_name] = self.build(instance)
            # If another thread has changed the list meanwhile, the dictionary may lack the change. It is
            # stored before this is checked: refresh() removes it after a later change.
            if attributes.get("_last_change") is not change:
                attributes.pop(self.cache_name, None)
        return index

    def build(self, items: ResourceList[Any]) -> dict[Any, Any]:
        """Return the dictionary of a list."""
        raise NotImplementedError

    def _keys_of(self, item: Any) -> Iterable[Any]:
        keys = _values_of(item, self._attribute)
        # If an item has the same tag twice, it counts once.
        return dict.fromkeys(map(self._key, keys) if self._key else keys)


# Types that JSON writes as a list.
_SEVERAL = (list, tuple, set, frozenset)


def _values_of(item: Any, attribute: str) -> list[Any]:
    """Return the values of an attribute: the items of a list or set, or the one value. None is left out."""
    value = getattr(item, attribute, None)
    values = cast("Iterable[Any]", value) if isinstance(value, _SEVERAL) else [value]
    return [each for each in values if each is not None]


class UniqueIndex(Index[T]):
    """One object per key; the last duplicate wins."""

    def build(self, items: ResourceList[Any]) -> dict[Any, Any]:
        """Return the dictionary of a list."""
        return {key: item for item in items for key in self._keys_of(item)}


class GroupedIndex(Index[T]):
    """A list of objects per key, of the same type and in the same order; an empty list for a missing key."""

    def build(self, items: ResourceList[Any]) -> dict[Any, Any]:
        """Return the dictionary of a list."""
        groups: dict[Any, list[Any]] = {}
        for item in items:
            for key in self._keys_of(item):
                groups.setdefault(key, []).append(item)
        list_type = type(items)
        return _Groups(list_type, {key: list_type(group) for key, group in groups.items()})


class _Groups(dict[Any, Any]):
    """Lists by key. A missing key gives an empty list of the same type and is not inserted."""

    def __init__(self, list_type: type, groups: dict[Any, Any]) -> None:
        super().__init__(groups)
        self._list_type = list_type

    def __missing__(self, key: Any) -> Any:
        return self._list_type()


def _changing(change: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method that changes the list, so that the dictionaries are rebuilt afterwards."""

    @wraps(change)
    def changed(self: ResourceList[Any], *arguments: Any, **options: Any) -> Any:
        try:
            return change(self, *arguments, **options)
        finally:  # The list may have changed before an error.
            self.refresh()

    return changed


class ResourceList(list[T], JSONSerializable[list[Any]]):
    """A list of one kind of model.

    It is a real list; slices, ``+`` and ``copy()`` keep its type. After any change to the list, the
    look-up dictionaries are rebuilt at their next access. After a change to an item, call
    :meth:`refresh`.

    Parameters
    ----------
    items_list : list, optional
        The items. If it is left out, the list is empty.
    """

    _item_type: ClassVar[Any]
    _indexes: ClassVar[tuple[Index[Any], ...]] = ()
    # The fields that notebooks show, and those that :meth:`find` searches.
    _columns: ClassVar[tuple[str, ...]] = ()
    _searched: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect the indexes that the class declares."""
        super().__init_subclass__(**kwargs)
        declared: list[Any] = [each for each in vars(cls).values() if isinstance(each, Index)]
        cls._indexes = (*cls._indexes, *declared)

    def __init__(self, items_list: Iterable[T] | None = None) -> None:
        super().__init__(() if items_list is None else items_list)

    if not TYPE_CHECKING:  # For a type checker, only the declared caches exist.

        def __getattr__(self, name):
            """Build the dictionary of a cache attribute that is not there yet."""
            for index in self._indexes:
                if index.cache_name == name:
                    return index.__get__(self, type(self))
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def refresh(self) -> None:
        """Rebuild every look-up dictionary at its next access. Call it after a change to an item.

        Examples
        --------
        >>> cohorts = CohortList([Cohort("Runners")])
        >>> cohorts.name_dictionary["Runners"].name = "Joggers"
        >>> cohorts.refresh()
        >>> list(cohorts.name_dictionary)
        ['Joggers']
        """
        vars(self)["_last_change"] = object()  # It differs from every earlier one.
        for index in self._indexes:
            vars(self).pop(index.cache_name, None)

    def _refresh_cache(self) -> None:
        """Call :meth:`refresh`, under its name in release 5.4.4."""
        self.refresh()

    # --- Looking ---------------------------------------------------------------------------------

    @recursive_repr("[...]")
    def __repr__(self) -> str:
        """Show the items. A list with more than five shows the first three."""
        from .display import short_repr

        return short_repr(self)

    def _repr_html_(self) -> str:
        """Show the first 20 items as a table, for notebooks."""
        from .display import html_table

        rows = ([getattr(item, name, None) for name in self._columns] for item in self)
        return html_table(self._columns, rows, len(self))

    def find(self: L, text: str | int) -> L:
        """Return the items that have a text in their name, description, code, id or labels.

        Labels are the tags of a cohort, the categories of a segment and the identifiers of an import.
        The case of letters makes no difference. A whole number, such as a code, counts as its text.

        Raises
        ------
        ValueError, TypeError
            If `text` is blank, or not a text or a whole number.

        Examples
        --------
        >>> [cohort.name for cohort in Cohort.list().find("football")]
        ['Football Fans']
        >>> Cohort.list().find(12345)[0].name
        'Football Fans'
        """
        if not isinstance(text, int) or isinstance(text, bool):
            require_kind("text", text, str)
        require_filled("text", text)
        wanted = str(text).casefold()

        def has_it(item: T) -> bool:
            values = (each for name in self._searched for each in _values_of(item, name))
            return any(wanted in str(value).casefold() for value in values)

        return type(self)(filter(has_it, self))

    def _having(self: L, values: Mapping[str, Any]) -> L:
        """Return the items whose attributes have these values, or contain them."""

        def has_all(item: T) -> bool:
            return all(value in _values_of(item, name) for name, value in values.items())

        return type(self)(filter(has_all, self))

    # --- JSON ------------------------------------------------------------------------------------

    @classmethod
    @forgetting_data
    def from_json(cls: type[L], data: Any) -> L:
        """Make a list from its JSON form.

        Parameters
        ----------
        data : list or str or Path
            A list of dictionaries or items, JSON text, or the path of a JSON file. It is not changed.

        Raises
        ------
        TypeError
            If `data` is of another kind, or one of its items cannot be read.

        Examples
        --------
        >>> CohortList.from_json('[{"name": "Runners"}, {"name": "Cyclists"}]')[1].name
        'Cyclists'
        """
        item_type = cls._item_type
        with gc_paused(items_in(data) if isinstance(data, str) else 0):
            items = [*load_json_list(data, cls.__name__, item_type.__name__)]
            with gc_paused(len(items)):
                # In their place, so that the data of each is freed at once.
                for position, each in enumerate(items):
                    if not isinstance(each, item_type):
                        items[position] = item_type.from_json(each)
        return cls(items)

    def to_json(self) -> list[Any]:
        """Return the list as JSON data. Items that are None are left out.

        Examples
        --------
        >>> cohorts = Cohort.list()
        >>> cohorts.to_json()[0]["name"]
        'Football Fans'
        """
        with gc_paused(len(self)):
            return cast("list[Any]", encoded(list(self)))

    def _shown_json(self) -> Any:
        return [
            item._shown_json() if isinstance(item, JSONSerializable) else encoded(item)
            for item in cast("list[Any]", self)
            if item is not None
        ]

    # --- Every way to change a list ----------------------------------------------------------------

    if not TYPE_CHECKING:  # For a type checker, they are list's own methods.
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

    # --- Lists made from this one keep its type ------------------------------------------------------

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

    # For a type checker, the other list must have the same type; list would accept any.
    def __add__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self: L, value: list[T], /
    ) -> L:
        """Return a list of the same type with the items of both."""
        return type(self)([*self, *value])

    def __mul__(self: L, value: SupportsIndex, /) -> L:
        """Return a list of the same type with the items repeated."""
        return type(self)(list(self) * value)

    def __rmul__(self: L, value: SupportsIndex, /) -> L:
        """Return a list of the same type with the items repeated."""
        return self * value

    def copy(self: L) -> L:
        """Return a list of the same type with the same items.

        Examples
        --------
        >>> cohorts = CohortList([Cohort("Runners")])
        >>> cohorts.copy() == cohorts, cohorts.copy() is cohorts
        (True, False)
        """
        return type(self)(self)


def list_from_response(cls: type[L], data: Any) -> L:
    """Make a list of models from the JSON data of a response."""
    item_type = cast("Any", cls)._item_type
    items = load_json_list(data, cls.__name__, item_type.__name__)
    return cls([item_type._from_response(item) for item in items])


class TabularList(ResourceList[T]):
    """A list whose items can be shown as a table."""

    def to_pd_dataframe(self, *, flat: bool = False) -> pandas.DataFrame:
        """Return the list as a table.

        Parameters
        ----------
        flat : bool
            Whether every cell is a number, a time or a text, as Excel, CSV, Parquet, polars and duckdb
            need it.

        Returns
        -------
        pandas.DataFrame
            One row per object, one column per field in declared order, also for an empty list.
            Timestamps have a time zone, and whole numbers are nullable integers. Lists, dictionaries and
            queries are the models' own, not copies: if you change one in its cell, the model changes. A
            source and the segments of an import are JSON data.

            If `flat` is true, timestamps are in UTC and have no time zone. A list is a text such as
            "sport, news". It is JSON text if it is empty, or if it could not be read back from that
            text, for instance if an item has a comma. Other nested values are JSON text. A column
            with values of several types is a column of texts.

        Raises
        ------
        ValueError
            If `flat` is true and JSON cannot hold a nested value, such as NaN. The message names the
            place.

        Examples
        --------
        >>> cohorts = CohortList([Cohort("Runners", query={"in_segment": 1}, tags=["sport", "news"])])
        >>> cohorts.to_pd_dataframe().loc[0, ["query", "tags"]].tolist()
        [{'in_segment': 1}, ['sport', 'news']]
        >>> cohorts.to_pd_dataframe(flat=True).loc[0, ["query", "tags"]].tolist()
        ['{"in_segment": 1}', 'sport, news']
        """
        from .frames import frame_of

        return frame_of(self, self._item_type, flat=flat)
