"""Segments: the audiences of an import.

Source of the facts: Permutive's Taxonomy API v1.
"""

from __future__ import annotations

import builtins  # `list` is a method in these classes
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from .._Utils.arguments import listed, require_kind
from .._Utils.batch.types import BatchOptions, ProgressCallback, Responses
from .._Utils.codec.encoding import ALWAYS_WRITTEN
from .._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from .._Utils.json import to_payload
from .._Utils.lazy_names import LateModule
from .._Utils.resources.base import Operation, Resource
from .._Utils.resources.helpers import like
from .._Utils.resources.lists import TabularList, UniqueIndex
from .._Utils.resources.responses import read_response
from . import bulk
from .defaults import NO_PRICE, REQUIRED
from .pages import Page, items_of_pages
from .urls import segments_url, url_of, url_of_code

if TYPE_CHECKING:
    from .. import Tables
    from .._Utils.resources import tables
else:
    Tables = LateModule("PermutiveAPI.Tables")
    tables = LateModule("PermutiveAPI._Utils.resources.tables")

# The service ignores `query`. It is sent, since release 5.4.4 sends it.
_API_PAYLOAD = ["name", "code", "description", "cpm", "categories", "query"]
_CHANGEABLE = ["name", "description", "cpm", "categories"]

_FIELDS_FROM_UPDATE = ("name", "description", "cpm", "categories", "updated_at")
_FIELDS_FROM_CREATE = ("id", "code", *_FIELDS_FROM_UPDATE, "created_at")


@dataclass(repr=False)
class Segment(Resource):
    """A segment of an import.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, or else
    the key of ``Workspace.from_env()``. Every call raises ValueError if it finds no key or an id or
    code is empty, and PermutiveAPIError if the service refuses the request or no response comes.

    Parameters
    ----------
    code : str, optional
        Its code: letters, digits and underscores, unique within the import. It can never change.
    name : str
        Its name. Required, although an optional field comes before it.
    import_id : str
        The id of the import that it belongs to. Required.
    id : str, optional
        Its id, a UUID. The service sets it.
    description : str, optional
        A description for people.
    cpm : float, optional
        Its price per thousand impressions; Permutive names no currency. If it is left out, it is 0.0,
        and :meth:`update` and :meth:`bulk` do not send it. The same is true for a 0.0 that ``from_json``
        reads. To send it, set ``segment.cpm = 0.0``.
    categories : list of str, optional
        Its categories.
    created_at, updated_at : datetime, optional
        Times with a time zone. If one is missing, the constructor copies the other; if both are missing,
        it sets both to the current time. A fetched segment has only those that the service returned,
        which is `updated_at`.
    query : dict, optional
        Sent by :meth:`create`. The service ignores it.

    Raises
    ------
    TypeError
        If `name` or `import_id` is missing.

    Examples
    --------
    >>> import_id = Import.list()[0].id
    >>> segment = Segment(code="runners", name="Runners", import_id=import_id, cpm=1.5)
    >>> segment.create()
    """

    code: str | None = None
    if TYPE_CHECKING:  # Required, though a dataclass asks for a default after `code`.
        name: str  # pyright: ignore[reportGeneralTypeIssues]
        import_id: str  # pyright: ignore[reportGeneralTypeIssues]
    else:
        name: str = REQUIRED
        import_id: str = REQUIRED
    id: str | None = None
    description: str | None = None
    cpm: float | None = NO_PRICE
    categories: builtins.list[str] | None = None
    created_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)
    updated_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)
    query: dict[str, Any] | None = None

    _timestamps = ("created_at", "updated_at")
    _required = ("name", "import_id")
    _plural = "segments"

    def __post_init__(self) -> None:
        """Check the required fields, and fill in missing timestamps."""
        missing = [repr(name) for name in self._required if getattr(self, name) is REQUIRED]
        if missing:
            raise TypeError(f"Segment() missing required argument: {' and '.join(missing)}")
        super().__post_init__()

    @classmethod
    def from_json(cls, data: Any) -> Segment:
        """Make a segment from JSON data, JSON text or a file; see :meth:`~PermutiveAPI._Utils.json.JSONSerializable.from_json`.

        A price of 0.0 counts as left out; see `cpm`.

        Examples
        --------
        >>> Segment.from_json({"code": "runners", "name": "Runners", "import_id": "i-1"}).code
        'runners'
        """
        segment = super().from_json(data)
        if segment.cpm == 0:
            segment.cpm = NO_PRICE
        return segment

    def create(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Create the segment, and set the fields that the service returns.

        Raises
        ------
        PermutiveConflictError
            If the import already has a segment with this code.

        Examples
        --------
        >>> segment = Segment(code="runners", name="Runners", import_id=Import.list()[0].id)
        >>> segment.create()
        >>> segment.id == Segment.get_by_code(segment.import_id, "runners").id
        True
        """
        self._perform(self._creation(), api_key)

    def update(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Send name, description, cpm and categories; ValueError if it has no id.

        A field that is None, or a price that was left out, is not sent and does not change.

        Examples
        --------
        >>> segment = Segment.list(Import.list()[1].id)[0]
        >>> segment.cpm = 2.5
        >>> segment.update()
        """
        self._perform(self._change(), api_key)

    def update_by_code(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Do the same as :meth:`update`, but find the segment by its code instead of its id.

        Examples
        --------
        >>> segment = Segment(code="DigitalNorth", name="Digital, North", import_id=Import.list()[0].id)
        >>> segment.update_by_code()
        """
        url = url_of_code(self.import_id, self.code)
        self._perform(self._change_at(url, ("id", *_FIELDS_FROM_UPDATE)), api_key)

    def delete_by_code(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Do the same as :meth:`delete`, but find the segment by its code instead of its id.

        Examples
        --------
        >>> segment = Segment(code="DigitalNorth", name="Digital, North", import_id=Import.list()[0].id)
        >>> segment.delete_by_code()
        """
        url = url_of_code(self.import_id, self.code)
        self._perform(Operation("delete", url, without_response="Response is None"), api_key)

    def delete(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Delete the segment; ValueError if it has no id.

        Examples
        --------
        >>> segment = Segment.list(Import.list()[0].id)[0]
        >>> segment.delete()
        """
        self._perform(self._deletion(), api_key)

    @staticmethod
    def get_by_code(import_id: str, segment_code: str, api_key: str = DEFAULT_API_KEY) -> Segment:
        """Fetch a segment by its code; PermutiveResourceNotFoundError if no segment has it.

        Each call is one request. To look up many codes, list the segments once, and use
        ``SegmentList.code_dictionary``.

        Examples
        --------
        >>> Segment.get_by_code(Import.list()[0].id, "DigitalNorth").name
        'Digital subscribers, North'
        """
        url = url_of_code(import_id, segment_code, "segment_code")
        return Segment._fetch(url, api_key, "Unable to get_segment")

    @staticmethod
    def get_by_id(import_id: str, segment_id: str, api_key: str = DEFAULT_API_KEY) -> Segment:
        """Fetch a segment by its id; PermutiveResourceNotFoundError if no segment has it.

        Examples
        --------
        >>> listed = Segment.list(Import.list()[0].id)[0]
        >>> Segment.get_by_id(listed.import_id, listed.id) == listed
        True
        """
        url = url_of(import_id, segment_id)
        return Segment._fetch(url, api_key, "Unable to get_by_id")

    @staticmethod
    def list(import_id: str, api_key: str = DEFAULT_API_KEY) -> SegmentList:
        """List the segments of an import: fetch all pages, one after the other.

        Returns
        -------
        SegmentList
            The segments in the service's order.

        Raises
        ------
        PermutiveInvalidResponseError
            If the pages do not end: the service names a page twice, or sends 100 empty pages in a row.

        Examples
        --------
        >>> segments = Segment.list(Import.list()[1].id)
        >>> len(segments), segments[0].name
        (60, 'Car Buyers 18-24')
        """
        url = segments_url(import_id)
        api_key = resolve_api_key(api_key)

        def page(params: dict[str, Any]) -> Page[Segment]:
            response = Segment._request_helper.get(api_key, url, params=params)
            return read_response(Segment._page, response)

        return SegmentList(items_of_pages(page, url))

    @staticmethod
    def bulk(
        import_id: str,
        *,
        creates: Iterable[Segment] = (),
        updates: Iterable[Segment] = (),
        deletes: Iterable[Segment | str] = (),
        api_key: str = DEFAULT_API_KEY,
    ) -> tuple[SegmentList, bulk.BulkFailures]:
        """Create, update and delete many segments of an import, up to 5,000 in one request.

        More than 5,000 changes take several requests, one after the other. A request that fails does not
        stop the others. The service finds segments by their codes. The segments that were created or
        updated change as by :meth:`create` and :meth:`update`.

        Parameters
        ----------
        import_id : str
            The id of the import.
        creates, updates : iterable of Segment
            The segments to create, and those to update. An update leaves a field that is None as it is,
            an empty text or list clears it, and a price that was left out is not sent.
        deletes : iterable of Segment or str
            The segments to delete, or their codes.
        api_key : str, optional
            The key.

        Returns
        -------
        segments : SegmentList
            The segments that the service returned. The service promises no order.
        failures : list of (list of dict, Exception)
            For each request that failed, its operations as they were sent, and the error. The service
            does not say which operation was wrong, or whether it carried out the others. If the error
            says that the outcome is unknown, list the segments before you send them again.

        Raises
        ------
        ValueError
            If a code is missing or occurs twice, or a segment belongs to another import. Then nothing
            is sent.

        Examples
        --------
        >>> import_id = Import.list()[0].id
        >>> new = [Segment(code=code, name=code, import_id=import_id) for code in ("a1", "a2")]
        >>> segments, failures = Segment.bulk(import_id, creates=new, deletes=["DigitalNorth"])
        >>> sorted(segment.code for segment in segments), failures
        (['DigitalNorth', 'a1', 'a2'], [])
        """
        url = segments_url(import_id)
        api_key = resolve_api_key(api_key)
        new, changed = listed("creates", creates), listed("updates", updates)
        gone = [*bulk.codes("deletes", deletes, Segment)]
        operations = [
            *bulk.operations(
                "creates",
                new,
                Segment,
                lambda each: bulk.creation(each._payload_without_default_cpm(_API_PAYLOAD)),
            ),
            *bulk.operations(
                "updates",
                changed,
                Segment,
                lambda each: bulk.change(each.code, each._payload_without_default_cpm(_CHANGEABLE)),
            ),
            *map(bulk.deletion, gone),
        ]
        bulk.check_codes(
            creates=[each.code for each in new],
            updates=[each.code for each in changed],
            deletes=gone,
        )
        bulk.check_import(import_id, creates=new, updates=changed)

        changing = {each.code: (each, _FIELDS_FROM_CREATE) for each in new}
        changing.update({each.code: (each, _FIELDS_FROM_UPDATE) for each in changed})

        def send(part: builtins.list[bulk.BulkOperation]) -> builtins.list[Segment]:
            response = Segment._request_helper.patch(
                api_key=api_key, url=url, data={"operations": part}
            )
            items = read_response(Segment._items, response)
            for item, data in items:
                if item.code in changing:
                    segment, names = changing[item.code]
                    segment._set_from_response(names, data)
            return [item for item, _ in items]

        parts, failures = bulk.send_in_parts(operations, send)
        return SegmentList([each for part in parts for each in part]), failures

    @staticmethod
    def plan(
        import_id: str,
        table: tables.Table,
        mode: Literal["upsert", "mirror"] = "upsert",
        *,
        owned: Tables.Owned | None = None,
        clear_empty: bool = False,
        api_key: str = DEFAULT_API_KEY,
    ) -> Tables.Plan:
        """Plan how the segments of an import become equal to a table. Nothing is written.

        Segments are found by code. If they are columns, name, description, cpm and categories are compared.

        Parameters
        ----------
        import_id : str
            The id of the import.
        table : object
            As for :meth:`SegmentList.from_table`, but only new segments need a `name`. It may also be a
            list of segments. Their members that are None count as empty cells.
        mode : {"upsert", "mirror"}
            "mirror" also deletes the owned segments that are not in the table.
        owned : Owned, optional
            Which segments are yours. A mirror needs it. A row for a segment that is not yours is an error.
        clear_empty : bool
            Whether an empty cell clears the field. Otherwise it changes nothing.
        api_key : str, optional
            The key.

        Raises
        ------
        ValueError
            If the table has no rows, or bad rows: the error lists them. Row 1 is the first below the header.

        Examples
        --------
        >>> from PermutiveAPI.Tables import Owned
        >>> table = [{"code": "market_north", "name": "North", "cpm": 2.5}]
        >>> print(Segment.plan(Import.list()[0].id, table, "mirror", owned=Owned.prefix("market_")))
        segments of import 0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b: 1 to create, 0 to update, 0 to delete, 0 unchanged
        + North (market_north)
            name: "North"
            cpm: 2.5
        """
        from ..Tables.segments import plan_segments

        return plan_segments(
            import_id, table, mode, owned=owned, clear_empty=clear_empty, api_key=api_key
        )

    @classmethod
    def batch_create(
        cls,
        segments: Iterable[Segment],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Create many segments, one request each; every segment changes as by :meth:`create`.

        Arguments and results have the same meaning as for ``Cohort.batch_create``. :meth:`bulk` sends
        up to 5,000 segments in one request.

        Examples
        --------
        >>> import_id = Import.list()[0].id
        >>> new = [Segment(code=code, name=code, import_id=import_id) for code in ("a1", "a2")]
        >>> responses, failures = Segment.batch_create(new)
        """
        options = BatchOptions(
            "Segment.batch_create", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch(segments, Segment._creation, options)

    @like(batch_create)
    def batch_update(cls, segments: Iterable[Segment], options: BatchOptions) -> Responses:
        """Update many segments as by :meth:`update`; see :meth:`batch_create`.

        Examples
        --------
        >>> segments = Segment.list(Import.list()[1].id)[:3]
        >>> for segment in segments:
        ...     segment.cpm = 2.5
        >>> responses, failures = Segment.batch_update(segments)
        """
        return cls._batch(segments, Segment._change, options)

    @like(batch_create)
    def batch_delete(cls, segments: Iterable[Segment], options: BatchOptions) -> Responses:
        """Delete many segments as by :meth:`delete`; see :meth:`batch_create`.

        Examples
        --------
        >>> segments = Segment.list(Import.list()[1].id)[:3]
        >>> responses, failures = Segment.batch_delete(segments)
        """
        return cls._batch(segments, Segment._deletion, options)

    def _creation(self) -> Operation:
        data = to_payload(self, _API_PAYLOAD)
        # The response may fill in the other fields.
        given = {name: data[name] for name in ("code", "name", "query") if name in data}
        url, refusal = segments_url(self.import_id), "Unable to create_segment"
        return Operation("post", url, data, _FIELDS_FROM_CREATE, refusal, journal_body=given)

    def _change(self) -> Operation:
        return self._change_at(self._own_url("for update"), _FIELDS_FROM_UPDATE)

    def _change_at(self, url: str, fields_from_response: tuple[str, ...]) -> Operation:
        data = self._payload_without_default_cpm(_CHANGEABLE)
        return Operation("patch", url, data, fields_from_response, "Unable to update_segment")

    def _payload_without_default_cpm(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the fields to send, without a price that was left out."""
        data = to_payload(self, names)
        if self.cpm is NO_PRICE:
            del data["cpm"]
        return data

    def _deletion(self) -> Operation:
        url = self._own_url("for deletion")
        return Operation("delete", url, without_response="Response is None")

    def _own_url(self, purpose: str) -> str:
        """Return the segment's URL; raise ValueError if it has no id."""
        if not self.id:
            raise ValueError(f"Segment ID must be specified {purpose}.")
        return url_of(self.import_id, self.id)

    @staticmethod
    def _page(data: dict[str, Any]) -> Page[Segment]:
        """Return the segments of a page, and the token of the next one."""
        require_kind("the page", data, dict)
        elements: list[Any] = data.get("elements") or []
        pagination: dict[str, Any] = data.get("pagination") or {}
        require_kind("pagination", pagination, dict)
        token = pagination.get("next_token")
        if token is not None:
            require_kind("next_token", token, str)
        segments = [Segment._from_response(element) for element in elements]
        return segments, token

    @staticmethod
    def _items(data: dict[str, Any]) -> builtins.list[tuple[Segment, Any]]:
        """Return the segments of a bulk response, each with its JSON data."""
        require_kind("the response", data, dict)
        items: Any = data.get("items")
        if items is None:
            return []
        require_kind("items", items, list)
        return [(Segment._from_response(item), item) for item in items]

    @classmethod
    def _from_response(cls, data: Any) -> Segment:
        require_kind("the segment", data, dict)
        segment = super()._from_response(data)
        if data.get("cpm") is not None:
            segment.cpm = data["cpm"]
        return segment


class SegmentList(TabularList[Segment]):
    """A list of segments, with look-up dictionaries by id, name and code.

    Examples
    --------
    >>> segments = Segment.list(Import.list()[0].id)
    >>> segments.code_dictionary["DigitalNorth"].name
    'Digital subscribers, North'
    """

    _item_type = Segment
    _columns = ("code", "name", "description", "cpm", "categories")
    _searched = ("name", "description", "categories", "code", "id")

    id_dictionary: UniqueIndex[Segment] = UniqueIndex("id")
    name_dictionary: UniqueIndex[Segment] = UniqueIndex("name")
    code_dictionary: UniqueIndex[Segment] = UniqueIndex("code")
    _id_dictionary_cache: dict[str, Segment]
    _name_dictionary_cache: dict[str, Segment]
    _code_dictionary_cache: dict[str, Segment]

    @classmethod
    def from_table(cls, table: tables.Table, import_id: str | None = None) -> SegmentList:
        """Make a list of segments from a table, one from each row.

        Parameters
        ----------
        table : pandas or polars DataFrame, pyarrow Table, str or Path, iterable of mappings
            The table, or the path of a CSV file in UTF-8. The columns `name` and `code` must have a cell
            in each row. Other fields may be empty or missing. Columns that are not fields are ignored. A
            list may be a text such as "a, b". A time without a zone is in UTC. Both forms of
            ``to_pd_dataframe`` can be read.
        import_id : str, optional
            The id of the import of all segments. Without it, the table must have it as a column. If both
            are given, they must be equal.

        Raises
        ------
        ValueError
            If a column is missing or looks misspelt, or cells are bad: the error lists them by row and
            column. Row 1 is the first one below the header.
        TypeError
            If `table` or a row has the wrong type.

        Examples
        --------
        >>> rows = [{"code": "runners", "name": "Runners", "cpm": "1.5", "categories": "sport, outdoor"}]
        >>> segments = SegmentList.from_table(rows, import_id="i-1")
        >>> segments[0].cpm, segments[0].categories
        (1.5, ['sport', 'outdoor'])
        """
        item, required = cls._item_type, ("name", "code")
        return cls(tables.models_from_table(item, table, required=required, import_id=import_id))

    def plan_to(self, new: SegmentList, *, clear_empty: bool = False) -> Tables.Plan:
        """Plan how the segments of this list become those of another one, for instance of a backup.

        Nothing is sent. Segments that are only in this list are deleted. Those that are in neither list stay.

        Parameters
        ----------
        new : SegmentList
            The segments as they should be.
        clear_empty : bool
            Whether a member that is None clears the field. Otherwise it changes nothing.

        Raises
        ------
        ValueError
            If `new` is empty, if a code is missing or occurs twice, or if there are several imports.

        Examples
        --------
        >>> old, new = (Segment.list(Import.list()[0].id) for _ in range(2))
        >>> new[0].cpm = 4.0
        >>> print(old.plan_to(new))
        segments of import 0ef7d2cb-0bb0-41d2-a7ac-6cee5b45f12b: 0 to create, 1 to update, 0 to delete, 24 unchanged
        ~ Digital subscribers, North (DigitalNorth)
            cpm: 0.0 -> 4.0
        """
        from ..Tables.segments import plan_between

        return plan_between(self, new, clear_empty=clear_empty)
