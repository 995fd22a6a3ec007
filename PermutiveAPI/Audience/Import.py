"""Imports: audiences from other sources. The service lets clients only read them.

Source of the facts: Permutive's Taxonomy API v1.
"""

from __future__ import annotations

import builtins  # `list` is a method in these classes
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from typing import Any, cast

from .._Utils import http
from .._Utils.batch.types import BatchOptions, Failures, ProgressCallback
from .._Utils.codec.encoding import ALWAYS_WRITTEN
from .._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from .._Utils.errors import PermutiveInvalidResponseError
from .._Utils.resources.base import Resource
from .._Utils.resources.lists import GroupedIndex, TabularList, UniqueIndex, list_from_response
from .._Utils.resources.responses import read_response
from .._Utils.resources.urls import resource_url
from . import _API_ENDPOINT  # pyright: ignore[reportPrivateUsage] -- the name of 5.4.4
from .Segment import Segment, SegmentList
from .Source import Source


@dataclass(repr=False)
class Import(Resource):
    """An import: a set of segments from another source, such as a data provider.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, or else
    the key of ``Workspace.from_env()``. Every call raises ValueError if it finds no key or an id is
    empty, and PermutiveAPIError if the service refuses the request or no response comes.

    Parameters
    ----------
    id, name, code : str
        Its id (a UUID), name and code.
    relation : str
        Whose data it is, for instance "3rd" for third-party data.
    identifiers : list of str
        The kinds of user ids in it, for instance "appnexus".
    source : Source
        The source of its data.
    description : str, optional
        A description for people.
    inheritance : dict, optional
        The id of the workspace that it is inherited from, and the relation of that workspace.
    segments : SegmentList, optional
        Its segments, if ``include_details`` was true.
    created_at, updated_at : datetime, optional
        Times with a time zone. If one is missing, the constructor copies the other; if both are missing,
        it sets both to the current time. A fetched import has only those that the service returned.

    Examples
    --------
    >>> found = Import.list()[1]
    >>> found.name, found.relation, found.source.type
    ('In-Market Shoppers', '3rd', 'live_ramp_3p')
    """

    id: str
    name: str
    code: str
    relation: str
    identifiers: builtins.list[str]
    source: Source
    description: str | None = None
    inheritance: dict[str, Any] | None = None
    segments: SegmentList | None = None
    created_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)
    updated_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)

    _timestamps = ("created_at", "updated_at")

    @staticmethod
    def get_by_id(id: str, api_key: str = DEFAULT_API_KEY, include_details: bool = False) -> Import:
        """Fetch an import by its id; PermutiveResourceNotFoundError if no import has it.

        Parameters
        ----------
        id : str
            The id.
        api_key : str, optional
            The key.
        include_details : bool
            Whether its segments are fetched, too.

        Examples
        --------
        >>> listed = Import.list()[0]
        >>> len(Import.get_by_id(listed.id, include_details=True).segments)
        25
        """
        url = _url_of(id)
        api_key = resolve_api_key(api_key)
        found = Import._fetch(url, api_key, "Unable to get_import")
        if include_details:
            found.segments = Segment.list(api_key=api_key, import_id=found.id)
        return found

    @staticmethod
    def list(api_key: str = DEFAULT_API_KEY, include_details: bool = False) -> ImportList:
        """List the imports that the key may read.

        Parameters
        ----------
        api_key : str, optional
            The key.
        include_details : bool
            Whether the segments of each import are fetched, too, several imports at a time.

        Returns
        -------
        ImportList
            The imports in the service's order.

        Raises
        ------
        PermutiveInvalidResponseError
            If the response holds no list of imports. It is also a ValueError.

        Examples
        --------
        >>> [found.name for found in Import.list()]
        ['Subscriber CRM', 'In-Market Shoppers']
        """
        api_key = resolve_api_key(api_key)
        response = Import._request_helper.get(api_key=api_key, url=_API_ENDPOINT)
        imports = read_response(_items, response)
        if include_details:
            ids = [each.id for each in imports]
            details = http.batch_runner().map(
                lambda id: Segment.list(api_key=api_key, import_id=id), ids
            )
            for each, segments in zip(imports, details, strict=True):
                each.segments = segments
        return imports

    @classmethod
    def batch_get_by_id(
        cls,
        ids: Iterable[str],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[dict[str, Import], Failures]:
        """Fetch many imports, one request for each different id.

        Arguments have the same meaning as for ``Cohort.batch_create``.

        Returns
        -------
        imports : dict
            The imports that were found, by id, in the order of `ids`.
        failures : list of (BatchRequest, Exception)
            The requests that failed. ``request.item`` is the id.

        Examples
        --------
        >>> ids = [found.id for found in Import.list()]
        >>> imports, failures = Import.batch_get_by_id(ids)
        >>> len(imports), failures
        (2, [])
        """
        options = BatchOptions(
            "Import.batch_get_by_id", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch_fetch(ids, _url_of, "Unable to get_import", options)

    @classmethod
    def _from_response(cls, data: Any) -> Import:
        found = super()._from_response(data)
        if found.segments is not None:
            found.segments = list_from_response(SegmentList, data["segments"])
        return found


def _url_of(id: Any) -> str:
    return resource_url(_API_ENDPOINT, "{id}", id=id)


def _items(data: Any) -> ImportList:
    """Read the list of imports, which the service puts into an object."""
    if isinstance(data, dict):
        if "items" not in data:
            raise PermutiveInvalidResponseError("Response JSON missing 'items' collection")
        data = cast("dict[str, Any]", data)["items"]
    return list_from_response(ImportList, data)


class ImportList(TabularList[Import]):
    """A list of imports, with look-up dictionaries.

    ``id_dictionary``, ``name_dictionary`` and ``code_dictionary`` give one import;
    ``identifier_dictionary`` gives an ImportList.

    Examples
    --------
    >>> imports = Import.list()
    >>> imports.code_dictionary["inmarket"].name
    'In-Market Shoppers'
    >>> [found.code for found in imports.identifier_dictionary["appnexus"]]
    ['inmarket']
    """

    _item_type = Import
    _columns = ("code", "name", "relation", "identifiers")
    _searched = ("name", "description", "identifiers", "code", "id")

    id_dictionary: UniqueIndex[Import] = UniqueIndex("id")
    name_dictionary: UniqueIndex[Import] = UniqueIndex("name")
    code_dictionary: UniqueIndex[Import] = UniqueIndex("code")
    identifier_dictionary: GroupedIndex[ImportList] = GroupedIndex("identifiers")
    _id_dictionary_cache: dict[str, Import]
    _name_dictionary_cache: dict[str, Import]
    _code_dictionary_cache: dict[str, Import]
    _identifier_dictionary_cache: dict[str, ImportList]
