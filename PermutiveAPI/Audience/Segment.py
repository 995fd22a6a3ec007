"""Segments: the audiences that an import holds.

Source of the facts: Permutive's Taxonomy API v1.
"""

from __future__ import annotations

import builtins  # `list` is a method in these classes
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

from .._Utils.arguments import listed, require_kind
from .._Utils.batch.types import BatchOptions, ProgressCallback, Responses
from .._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from .._Utils.encoding import ALWAYS_WRITTEN
from .._Utils.errors import PermutiveInvalidResponseError
from .._Utils.json import to_payload
from .._Utils.resources.answers import read_response
from .._Utils.resources.base import Operation, Resource, built_from
from .._Utils.resources.helpers import like
from .._Utils.resources.lists import TabularList, UniqueIndex
from .._Utils.resources.urls import resource_url
from . import _API_ENDPOINT as _IMPORTS  # pyright: ignore[reportPrivateUsage]
from . import bulk

# The service ignores `query`; it is sent for code that was written as if it did not.
_API_PAYLOAD = ["name", "code", "description", "cpm", "categories", "query"]
_CHANGEABLE = ["name", "description", "cpm", "categories"]

_FIELDS_FROM_UPDATE = ("name", "description", "cpm", "categories", "updated_at")
_FIELDS_FROM_CREATE = ("id", "code", *_FIELDS_FROM_UPDATE, "created_at")

# A page may be empty where the service filters after it has cut the pages, but not a hundred in a row.
_MOST_EMPTY_PAGES = 100


class _Required:
    """The default of a field that has none, where an optional field stands before it."""

    def __repr__(self) -> str:
        return "<required>"


_REQUIRED: Any = _Required()


class _NoPrice(float):
    """The default price, told apart from a price of 0.0 that somebody gave."""

    def __reduce__(self) -> str:
        return "_NO_PRICE"  # Pickled by name, so that a copy is this same object.


_NO_PRICE: float = _NoPrice()


@dataclass(repr=False)
class Segment(Resource):
    """A segment of an import.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, else
    the key of ``Workspace.from_env()``.

    Parameters
    ----------
    code : str, optional
        Its code, unique within the import: letters, digits and underscores. It can never change.
    name : str
        Its name. Required, though an optional field stands before it.
    import_id : str
        The import that it belongs to. Required.
    id : str, optional
        Its id, a UUID; the service gives it.
    description : str, optional
        What it is for.
    cpm : float, optional
        Its price per thousand impressions. If it is left out, it is 0.0 but is not sent by
        :meth:`update` and :meth:`bulk`. The same holds for a 0.0 that ``from_json`` reads; set
        ``segment.cpm = 0.0`` to send it.
    categories : list of str, optional
        Its categories.
    created_at, updated_at : datetime, optional
        Times with a time zone. If one is missing, the constructor copies the other; if both are, it
        sets both to the current time. A segment that was fetched has only those that the service
        returned: the second one.
    query : dict, optional
        Sent when the segment is created; the service ignores it.

    Raises
    ------
    TypeError
        If name or import_id is missing.
    """

    code: str | None = None
    if TYPE_CHECKING:  # Required, though Python asks for a default here.
        name: str  # pyright: ignore[reportGeneralTypeIssues]
        import_id: str  # pyright: ignore[reportGeneralTypeIssues]
    else:
        name: str = _REQUIRED
        import_id: str = _REQUIRED
    id: str | None = None
    description: str | None = None
    cpm: float | None = _NO_PRICE
    categories: builtins.list[str] | None = None
    created_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)
    updated_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)
    query: dict[str, Any] | None = None

    _timestamps = ("created_at", "updated_at")
    _required = ("name", "import_id")
    _plural = "segments"

    def __post_init__(self) -> None:
        """Check the required fields, and fill in missing timestamps."""
        missing = [repr(name) for name in ("name", "import_id") if getattr(self, name) is _REQUIRED]
        if missing:
            raise TypeError(f"Segment() missing required argument: {' and '.join(missing)}")
        super().__post_init__()

    def create(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Create the segment, and take over what the service answers.

        Raises
        ------
        ValueError
            If import_id is empty, a value cannot be written as JSON, or no key is found.
        PermutiveAPIError
            If the service refuses it (PermutiveConflictError when the import has the code
            already), or no answer came.
        """
        self._perform(self._creation(), api_key)

    def update(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Send name, description, cpm and categories; those that are None stay as they are.

        So does a price that was left out; see `cpm`.

        Raises
        ------
        ValueError
            If it has no id.
        PermutiveAPIError
            As for :meth:`create`.
        """
        self._perform(self._change(), api_key)

    def update_by_code(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Like :meth:`update`, but find the segment by its code; no id is needed.

        Raises
        ------
        ValueError
            If it has no code.
        PermutiveAPIError
            As for :meth:`create`.
        """
        url = _url_of_code(self.import_id, self.code)
        self._perform(
            self._change_at(url, fields_from_response=("id", *_FIELDS_FROM_UPDATE)), api_key
        )

    def delete_by_code(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Like :meth:`delete`, but find the segment by its code; no id is needed.

        Raises
        ------
        ValueError
            If it has no code.
        PermutiveAPIError
            As for :meth:`create`.
        """
        url = _url_of_code(self.import_id, self.code)
        call = Operation("delete", url, without_response="Response is None")
        self._perform(call, api_key)

    def delete(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Delete the segment.

        Raises
        ------
        ValueError
            If it has no id.
        PermutiveAPIError
            As for :meth:`create`.
        """
        self._perform(self._deletion(), api_key)

    @staticmethod
    def get_by_code(import_id: str, segment_code: str, api_key: str = DEFAULT_API_KEY) -> Segment:
        """Fetch the segment with a code.

        Raises
        ------
        ValueError
            If an identifier is empty, or no key is found.
        PermutiveAPIError
            If it cannot be fetched; PermutiveResourceNotFoundError if there is none.
        """
        url = _url_of_code(import_id, segment_code, "segment_code")
        return Segment._fetch(url, api_key, "Unable to get_segment")

    @staticmethod
    def get_by_id(import_id: str, segment_id: str, api_key: str = DEFAULT_API_KEY) -> Segment:
        """Fetch the segment with an id.

        Raises
        ------
        ValueError
            If an identifier is empty, or no key is found.
        PermutiveAPIError
            If it cannot be fetched; PermutiveResourceNotFoundError if there is none.
        """
        url = _url_of(import_id, segment_id)
        return Segment._fetch(url, api_key, "Unable to get_by_id")

    @staticmethod
    def list(import_id: str, api_key: str = DEFAULT_API_KEY) -> SegmentList:
        """List the segments of an import, page after page.

        Returns
        -------
        SegmentList
            All of them, in the service's order.

        Raises
        ------
        PermutiveAPIError
            If a page cannot be fetched, or the pages do not end: the service names the same page
            twice, or too many empty ones in a row.
        """
        url = _collection_url(import_id)
        api_key = resolve_api_key(api_key)
        segments = SegmentList()
        seen: set[str] = set()
        empty_pages = 0
        params: dict[str, Any] = {}
        while True:
            response = Segment._request_helper.get(api_key, url, params=params)
            page, token = read_response(Segment._page, response)
            segments.extend(page)
            if not token:
                return segments
            empty_pages = 0 if page else empty_pages + 1
            if token in seen:
                raise _endless("the same page of segments twice", url)
            if empty_pages == _MOST_EMPTY_PAGES:
                raise _endless(f"{empty_pages} empty pages in a row", url)
            seen.add(token)
            params = {"pagination_token": token}

    @staticmethod
    def bulk(
        import_id: str,
        *,
        creates: Iterable[Segment] = (),
        updates: Iterable[Segment] = (),
        deletes: Iterable[Segment | str] = (),
        api_key: str = DEFAULT_API_KEY,
    ) -> tuple[SegmentList, bulk.BulkFailures]:
        """Create, update and delete many segments of an import, 5,000 in one request.

        More of them take several requests, one after the other; one that fails does not stop the
        others. Segments are named by their codes. Those that were created or updated take over what
        the service answered.

        Parameters
        ----------
        import_id : str
            The import.
        creates, updates : iterable of Segment
            What to create, and what to change as :meth:`update` does: None leaves a field as it is, an
            empty text or list empties it, and a price that was left out is not sent.
        deletes : iterable of Segment or str
            What to delete: segments or codes.
        api_key : str, optional
            The key; the default key if it is left out.

        Returns
        -------
        segments : SegmentList
            What the service answered; it promises no order.
        failures : list of (list of dict, Exception)
            Of each request that failed, its operations as they were sent, and the error. The service
            does not say which operation was at fault, nor whether the others were carried out. Where
            the error says that the outcome is unknown, look before sending them again.

        Raises
        ------
        ValueError
            If a code is missing or given twice (the service promises no order), a segment belongs to
            another import, or no key is found; before anything is sent.
        """
        url = _collection_url(import_id)
        api_key = resolve_api_key(api_key)
        new, changed = listed("creates", creates), listed("updates", updates)
        gone = [*_codes("deletes", deletes)]
        operations = [
            *_operations(
                "creates",
                new,
                lambda each: bulk.creation(each._payload_without_default_cpm(_API_PAYLOAD)),
            ),
            *_operations(
                "updates",
                changed,
                lambda each: bulk.change(each.code, each._payload_without_default_cpm(_CHANGEABLE)),
            ),
            *map(bulk.deletion, gone),
        ]
        bulk.check_codes(
            creates=[each.code for each in new],
            updates=[each.code for each in changed],
            deletes=gone,
        )
        _check_import(import_id, creates=new, updates=changed)

        changing = {each.code: (each, _FIELDS_FROM_CREATE) for each in new}
        changing.update({each.code: (each, _FIELDS_FROM_UPDATE) for each in changed})

        def send(part: builtins.list[bulk.BulkOperation]) -> builtins.list[Segment]:
            response = Segment._request_helper.patch(
                api_key=api_key, url=url, data={"operations": part}
            )
            answered = read_response(Segment._items, response)
            for item, data in answered:
                if item.code in changing:
                    segment, names = changing[item.code]
                    segment._take_over(names, data)
            return [item for item, _ in answered]

        answers, failures = bulk.send_in_parts(operations, send)
        return SegmentList([each for page in answers for each in page]), failures

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
        """Create many segments, one request each; each is updated as by :meth:`create`.

        Arguments and results have the same meaning as for ``Cohort.batch_create``.
        """
        options = BatchOptions(
            "Segment.batch_create", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch(segments, Segment._creation, options)

    @like(batch_create)
    def batch_update(cls, segments: Iterable[Segment], options: BatchOptions) -> Responses:
        """Update many segments as by :meth:`update`; see :meth:`batch_create`."""
        return cls._batch(segments, Segment._change, options)

    @like(batch_create)
    def batch_delete(cls, segments: Iterable[Segment], options: BatchOptions) -> Responses:
        """Delete many segments as by :meth:`delete`; see :meth:`batch_create`."""
        return cls._batch(segments, Segment._deletion, options)

    def _creation(self) -> Operation:
        return Operation(
            "post",
            _collection_url(self.import_id),
            to_payload(self, _API_PAYLOAD),
            fields_from_response=_FIELDS_FROM_CREATE,
            without_response="Unable to create_segment",
        )

    def _change(self) -> Operation:
        if not self.id:
            raise ValueError("Segment ID must be specified for update.")
        url = _url_of(self.import_id, self.id)
        return self._change_at(url, fields_from_response=_FIELDS_FROM_UPDATE)

    def _change_at(self, url: str, fields_from_response: tuple[str, ...]) -> Operation:
        return Operation(
            "patch",
            url,
            self._payload_without_default_cpm(_CHANGEABLE),
            fields_from_response=fields_from_response,
            without_response="Unable to update_segment",
        )

    def _payload_without_default_cpm(self, names: Iterable[str]) -> dict[str, Any]:
        """Return what is sent, without a price that was left out."""
        data = to_payload(self, names)
        if self.cpm is _NO_PRICE:
            del data["cpm"]
        return data

    def _deletion(self) -> Operation:
        if not self.id:
            raise ValueError("Segment ID must be specified for deletion.")
        url = _url_of(self.import_id, self.id)
        return Operation("delete", url, without_response="Response is None")

    @staticmethod
    def _page(data: dict[str, Any]) -> tuple[builtins.list[Segment], str | None]:
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
        """Return the segments that a bulk answer holds, and what it says of each."""
        require_kind("the answer", data, dict)
        items: Any = data.get("items")
        if items is None:
            return []
        require_kind("items", items, list)
        return [(Segment._from_response(item), item) for item in items]

    @classmethod
    def from_json(cls, data: Any) -> Segment:
        """Make a segment from JSON data, JSON text or a file.

        A price of 0.0 counts as left out; see `cpm`.

        Raises
        ------
        TypeError
            If `data` is of another kind, is not valid JSON, or lacks name or import_id.
        """
        segment = super().from_json(data)
        if segment.cpm == 0:
            segment.cpm = _NO_PRICE
        return segment

    @classmethod
    def _from_response(cls, data: Any) -> Segment:
        require_kind("the segment", data, dict)
        segment = super()._from_response(data)
        if data.get("cpm") is not None:
            segment.cpm = data["cpm"]
        return segment


def _endless(pages: str, url: str) -> PermutiveInvalidResponseError:
    return PermutiveInvalidResponseError(f"The service named {pages} ({url}).", url=url)


def _collection_url(import_id: Any) -> str:
    return resource_url(_IMPORTS, "{import_id}/segments", import_id=import_id)


def _url_of(import_id: Any, segment_id: Any) -> str:
    return resource_url(
        _IMPORTS, "{import_id}/segments/{segment_id}", import_id=import_id, segment_id=segment_id
    )


def _operations(
    name: str, segments: Iterable[Segment], operation_of: Callable[[Segment], bulk.BulkOperation]
) -> Iterator[bulk.BulkOperation]:
    """Make an operation of each segment of an argument, which an error names."""
    built = built_from(name, segments, Segment, operation_of)
    return (operation for _, operation in built)


def _check_import(import_id: str, **segments: Iterable[Segment]) -> None:
    for name, given in segments.items():
        for position, segment in enumerate(given):
            if segment.import_id != import_id:
                raise ValueError(f"{name}[{position}] belongs to the import {segment.import_id!r}.")


def _codes(name: str, segments: Iterable[Segment | str]) -> Iterator[str | None]:
    """Take the codes of an argument's segments, some of which are codes themselves."""
    for position, segment in enumerate(listed(name, segments)):
        if not isinstance(segment, Segment):
            require_kind(f"{name}[{position}]", segment, str)
        yield segment.code if isinstance(segment, Segment) else segment


def _url_of_code(import_id: Any, code: Any, name: str = "code") -> str:
    return resource_url(
        _IMPORTS, f"{{import_id}}/segments/code/{{{name}}}", **{"import_id": import_id, name: code}
    )


class SegmentList(TabularList[Segment]):
    """A list of segments, with dictionaries to look them up."""

    _item_type = Segment

    id_dictionary: UniqueIndex[Segment] = UniqueIndex("id")
    name_dictionary: UniqueIndex[Segment] = UniqueIndex("name")
    code_dictionary: UniqueIndex[Segment] = UniqueIndex("code")
    _id_dictionary_cache: dict[str, Segment]
    _name_dictionary_cache: dict[str, Segment]
    _code_dictionary_cache: dict[str, Segment]
