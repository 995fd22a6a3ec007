"""Cohorts: audiences that a query defines.

Source of the facts: Permutive's Cohorts API v2.
"""

from __future__ import annotations

import builtins  # `list` is a method in these classes
import logging
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from os import PathLike
from typing import Any, Literal

from ._Utils import batch, http
from ._Utils.arguments import listed, require_filled, require_kind
from ._Utils.codec.encoding import ALWAYS_WRITTEN, encoded
from ._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from ._Utils.json import to_payload
from ._Utils.resources.base import Operation
from ._Utils.resources.changes import ChangeTracking
from ._Utils.resources.helpers import like
from ._Utils.resources.lists import GroupedIndex, UniqueIndex, list_from_response
from ._Utils.resources.responses import read_response
from ._Utils.resources.urls import identifier_text, resource_url
from .cohort_tables import CohortListTables, CohortTables, HasWorkspaceId

_API_VERSION = "v2"
_API_ENDPOINT = "https://api.permutive.app/cohorts-api/v2/cohorts/"
_API_PAYLOAD = ["id", "name", "query", "description", "tags"]

_FIELDS_FROM_UPDATE = ("last_updated_at", "request_id")
_FIELDS_FROM_CREATE = (
    "id",
    "code",
    "state",
    "segment_type",
    "created_at",
    "workspace_id",
    *_FIELDS_FROM_UPDATE,
)

# The fields that users define; the service sets the others.
_DEFINITION = ("name", "query", "tags", "description", "segment_type")

STATES = ("Enabled", "Disabled")

_SENT_ON_CREATE = [*_API_PAYLOAD, "segment_type"]
_SENT_ON_UPDATE = frozenset((*_API_PAYLOAD, "state"))

logger = logging.getLogger("PermutiveAPI")


@dataclass(repr=False)
class Cohort(CohortTables, ChangeTracking):
    """A cohort: an audience that a query defines.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, or else
    the key of ``Workspace.from_env()``. Every call raises ValueError if it finds no key, and
    PermutiveAPIError if the service refuses the request or no response comes.

    Parameters
    ----------
    name : str
        Its name.
    id : str, optional
        Its id, a UUID. The service sets it.
    code : int or str, optional
        Its number, which names it in queries and segmentations. The service sets it.
    query : dict or Query, optional
        Its definition: a dictionary in the service's form, or a query of ``PermutiveAPI.Query``. Listed
        cohorts come without their queries; lookalike cohorts have none.
    tags : list of str, optional
        Labels to group cohorts by.
    description : str, optional
        A description for people.
    subject_entity_level : str, optional
        The service sets it. Permutive does not document its values.
    state : "Enabled" or "Disabled", optional
        Users belong only to enabled cohorts. A new cohort is enabled. If the service returns another
        value, a fetched cohort keeps it.
    segment_type : str, optional
        "real_time", or the type of cohorts that are computed offline. Only :meth:`create` sends it.
    live_audience_size : int, optional
        How many users are in the cohort. The service counts them.
    created_at, last_updated_at : datetime, optional
        Times with a time zone. If one is missing, the constructor copies the other; if both are missing,
        it sets both to the current time. A fetched cohort has only those that the service returned.
    workspace_id, request_id, error : str, optional
        The service sets them.

    Examples
    --------
    >>> cohort = Cohort(name="Runners", query={"in_segment": 12345}, tags=["sport"])
    >>> cohort.create()
    >>> cohort.state, cohort.segment_type
    ('Enabled', 'real_time')
    """

    name: str
    id: str | None = None
    code: int | str | None = None
    query: Any = None  # Users set a Query or a dictionary, and read a dictionary.
    tags: builtins.list[str] | None = None
    description: str | None = None
    subject_entity_level: str | None = None
    state: Literal["Enabled", "Disabled"] | None = None
    segment_type: str | None = None
    live_audience_size: int | None = 0
    created_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)
    last_updated_at: datetime | None = field(default=None, metadata=ALWAYS_WRITTEN)
    workspace_id: str | None = None
    request_id: str | None = None
    error: str | None = None

    _timestamps = ("created_at", "last_updated_at")
    _plural = "cohorts"
    _updated_fields = _SENT_ON_UPDATE

    @classmethod
    def from_json(cls, data: Any) -> Cohort:
        """Make a cohort from JSON data, JSON text or a file; see :meth:`~PermutiveAPI._Utils.json.JSONSerializable.from_json`.

        Its state counts as the service's: a later update sends the state only if it has changed.

        Examples
        --------
        >>> Cohort.from_json('{"name": "Runners", "query": {"in_segment": 12345}}').query
        {'in_segment': 12345}
        """
        cohort = super().from_json(data)
        cohort._known = {"state": cohort.state}
        return cohort

    def create(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Create the cohort, and set the fields that the service returns: id, code, state, timestamps.

        Raises
        ------
        ValueError
            If it has no query.
        TypeError
            If `query` is neither a dictionary nor a query.

        Examples
        --------
        >>> cohort = Cohort(name="Runners", query={"in_segment": 12345})
        >>> cohort.create()
        >>> cohort.code
        12387
        """
        self._perform(self._creation(), api_key)

    def update(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Send the changes.

        For a cohort that was fetched or created, these are the fields that differ from the service's
        response. So changes that others have made in other fields stay. Set the description to None, or
        the tags to an empty list, to clear them. For a cohort that was made by the constructor with an
        id, these are the name, query, description, tags and state that are not None.

        Raises
        ------
        ValueError
            If it has no id, or its state is neither "Enabled" nor "Disabled".
        TypeError
            If `query` is neither a dictionary nor a query.

        Examples
        --------
        >>> cohort = Cohort.get_by_name("Football Fans")
        >>> cohort.tags = ["sport", "football"]
        >>> cohort.update()
        """
        self._perform(self._change(), api_key)

    def delete(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Delete the cohort; ValueError if it has no id.

        Examples
        --------
        >>> Cohort.get_by_name("Football Fans").delete()
        >>> print(Cohort.get_by_name("Football Fans"))
        None
        """
        self._perform(self._deletion(), api_key)

    def enable(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Set the state to "Enabled", and change nothing else; ValueError if it has no id.

        Examples
        --------
        >>> cohort = Cohort.get_by_name("Football Fans")
        >>> cohort.enable()
        """
        self._perform(self._switch("Enabled"), api_key)

    def disable(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Set the state to "Disabled", and change nothing else; ValueError if it has no id.

        Examples
        --------
        >>> cohort = Cohort.get_by_name("Football Fans")
        >>> cohort.disable()
        >>> cohort.state
        'Disabled'
        """
        self._perform(self._switch("Disabled"), api_key)

    def copy(self, **changes: Any) -> Cohort:
        """Return a new cohort with the same name, query, tags, description and segment type.

        It has no id, code or other field that the service sets. So it can be created beside this one.

        Parameters
        ----------
        **changes
            Fields with other values in the copy.

        Raises
        ------
        TypeError
            If a name is not a field.

        Examples
        --------
        >>> cohort = Cohort("Readers", id="c-1", code=12345, query={"in_segment": 1}, tags=["a"])
        >>> cohort.copy(name="Readers, second version", tags=["b"])
        Cohort(name='Readers, second version', query={'in_segment': 1}, tags=['b'])
        """
        same = {name: deepcopy(getattr(self, name)) for name in _DEFINITION}
        made = type(self)(**{**same, **changes})
        for name in self._timestamps:  # The constructor has filled them in.
            setattr(made, name, changes.get(name))
        return made

    @staticmethod
    def get_by_id(id: str, api_key: str = DEFAULT_API_KEY) -> Cohort:
        """Fetch a cohort by its id, with its query; PermutiveResourceNotFoundError if no cohort has it.

        Examples
        --------
        >>> listed = Cohort.list()[0]
        >>> Cohort.get_by_id(listed.id).query["event"]
        'Pageview'
        """
        return Cohort._fetch(_url_of(id), api_key, "Response is None")

    @staticmethod
    def get_by_name(name: str, api_key: str = DEFAULT_API_KEY) -> Cohort | None:
        """Fetch a cohort by its name, with its query; None if no cohort has it.

        Each call lists all cohorts, also those of child workspaces; the last duplicate wins. So do not
        call it in a loop: list the cohorts once, and use ``CohortList.name_dictionary``. If you need
        their queries, fetch the cohorts that you found by :meth:`batch_get_by_id`.

        Examples
        --------
        >>> Cohort.get_by_name("Football Fans").code
        12345
        >>> cohorts = Cohort.list(include_child_workspaces=True).name_dictionary
        >>> [cohorts[name].code for name in ("Football Fans", "Premier League Followers")]
        [12345, 12346]
        """
        return _find("name_dictionary", identifier_text("name", name), api_key)

    @staticmethod
    def get_by_code(code: int | str, api_key: str = DEFAULT_API_KEY) -> Cohort | None:
        """Fetch a cohort by its code, with its query; None if no cohort has it.

        Each call lists all cohorts, as :meth:`get_by_name` does. In a loop, use
        ``CohortList.code_dictionary`` of a list instead. Its codes are texts.

        Examples
        --------
        >>> Cohort.get_by_code(12345).name
        'Football Fans'
        >>> cohorts = Cohort.list(include_child_workspaces=True).code_dictionary
        >>> [cohorts[str(code)].name for code in (12345, 12346)]
        ['Football Fans', 'Premier League Followers']
        """
        return _find("code_dictionary", identifier_text("code", code), api_key)

    @staticmethod
    def list(
        api_key: str = DEFAULT_API_KEY,
        include_child_workspaces: bool = False,
        include_details: bool = False,
    ) -> CohortList:
        """List the cohorts of the key's workspace, in the service's order.

        Parameters
        ----------
        api_key : str, optional
            The key.
        include_child_workspaces : bool
            Whether the cohorts of the workspaces below it are listed, too.
        include_details : bool
            Whether each cohort is then fetched by its id, several at a time, since listed cohorts have
            no queries. If one of them cannot be fetched, the call raises.

        Examples
        --------
        >>> cohorts = Cohort.list(include_child_workspaces=True)
        >>> len(cohorts), cohorts[0].name
        (42, 'Football Fans')
        """
        api_key = resolve_api_key(api_key)
        params = {"include-child-workspaces": "true"} if include_child_workspaces else {}
        response = Cohort._request_helper.get(api_key, _API_ENDPOINT, params=params)
        cohorts = read_response(partial(list_from_response, CohortList), response)
        if not include_details:
            return cohorts
        runner = http.batch_runner()
        fetched = runner.map(lambda each: Cohort.get_by_id(each.id or "", api_key), cohorts)
        return CohortList(fetched)

    @classmethod
    def batch_create(
        cls,
        cohorts: Iterable[Cohort],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: batch.ProgressCallback | None = None,
        executor: batch.Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> batch.Responses:
        """Create many cohorts, one request each; every cohort changes as by :meth:`create`.

        All cohorts are checked before the first request. A request that fails does not stop the others.

        Parameters
        ----------
        cohorts : iterable of Cohort
            The cohorts to create.
        api_key : str, optional
            The key.
        max_workers : int, optional
            How many requests run at a time. If it is left out: PERMUTIVE_BATCH_MAX_WORKERS, or else
            Python's default.
        progress_callback : callable, optional
            Called with a ``Progress`` after each request, in the caller's thread.
        executor : concurrent.futures.Executor, optional
            Where the requests run, for instance in other processes. If it is left out: in threads.
        journal : str or Path, optional
            A file that records which cohorts are done, so that the same job, started again, sends only
            the rest; see ``http.process_batch``. A cohort that is skipped does not change.

        Returns
        -------
        responses : list of requests.Response
            The responses of the requests that succeeded, in the order of the cohorts.
        failures : list of (BatchRequest, Exception)
            The requests that failed, in the order in which they failed. ``request.item`` is the cohort.

        Raises
        ------
        ValueError
            If a cohort has no query, or `max_workers` is below 1.
        TypeError
            If an item is not a cohort.

        Examples
        --------
        >>> cohorts = [Cohort(name=name, query={"in_segment": 1}) for name in ("Runners", "Cyclists")]
        >>> responses, failures = Cohort.batch_create(cohorts, max_workers=2)
        >>> len(responses), failures
        (2, [])
        """
        options = batch.BatchOptions(
            "Cohort.batch_create", api_key, max_workers, progress_callback, executor, journal
        )
        cohorts = listed("cohorts", cohorts)
        cls._require_queries(cohorts)
        return cls._batch(cohorts, Cohort._creation, options)

    @like(batch_create)
    def batch_update(
        cls, cohorts: Iterable[Cohort], options: batch.BatchOptions
    ) -> batch.Responses:
        """Update many cohorts as by :meth:`update`; see :meth:`batch_create`.

        Examples
        --------
        >>> cohorts = Cohort.list().tag_dictionary["travel"]
        >>> for cohort in cohorts:
        ...     cohort.description = "Checked in July"
        >>> responses, failures = Cohort.batch_update(cohorts)
        """
        return cls._batch(cohorts, Cohort._change, options)

    @like(batch_create)
    def batch_delete(
        cls, cohorts: Iterable[Cohort], options: batch.BatchOptions
    ) -> batch.Responses:
        """Delete many cohorts as by :meth:`delete`; see :meth:`batch_create`.

        Examples
        --------
        >>> responses, failures = Cohort.batch_delete(Cohort.list().tag_dictionary["travel"])
        """
        return cls._batch(cohorts, Cohort._deletion, options)

    @like(batch_create)
    def batch_enable(
        cls, cohorts: Iterable[Cohort], options: batch.BatchOptions
    ) -> batch.Responses:
        """Enable many cohorts as by :meth:`enable`; see :meth:`batch_create`.

        Examples
        --------
        >>> responses, failures = Cohort.batch_enable(Cohort.list().tag_dictionary["travel"])
        """
        return cls._batch(cohorts, lambda each: each._switch("Enabled"), options)

    @like(batch_create)
    def batch_disable(
        cls, cohorts: Iterable[Cohort], options: batch.BatchOptions
    ) -> batch.Responses:
        """Disable many cohorts as by :meth:`disable`; see :meth:`batch_create`.

        Examples
        --------
        >>> responses, failures = Cohort.batch_disable(Cohort.list().tag_dictionary["travel"])
        """
        return cls._batch(cohorts, lambda each: each._switch("Disabled"), options)

    @classmethod
    def batch_get_by_id(
        cls,
        ids: Iterable[str],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: batch.ProgressCallback | None = None,
        executor: batch.Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[dict[str, Cohort], batch.Failures]:
        """Fetch many cohorts with their queries, one request for each different id.

        Arguments have the same meaning as for :meth:`batch_create`.

        Returns
        -------
        cohorts : dict
            The cohorts that were found, by id, in the order of `ids`.
        failures : list of (BatchRequest, Exception)
            The requests that failed. ``request.item`` is the id.

        Examples
        --------
        >>> ids = [cohort.id for cohort in Cohort.list()[:2]]
        >>> cohorts, failures = Cohort.batch_get_by_id(ids)
        >>> [cohort.name for cohort in cohorts.values()]
        ['Football Fans', 'Premier League Followers']
        """
        options = batch.BatchOptions(
            "Cohort.batch_get_by_id", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch_fetch(ids, _url_of, "Response is None", options)

    @staticmethod
    def _require_queries(cohorts: Iterable[Any]) -> None:
        """Raise ValueError if a cohort of a batch has no query, and say which one."""
        for position, cohort in enumerate(cohorts):
            if isinstance(cohort, Cohort) and not cohort._has_query():
                raise ValueError(
                    f"query must be specified: cohorts[{position}] ({cohort.name!r}) has none. Lists "
                    "of cohorts come without queries: use Cohort.list(include_details=True). Lookalike "
                    "cohorts have none; leave them out."
                )

    def _has_query(self) -> bool:
        return self.query is not None and self.query != {}

    def _creation(self) -> Operation:
        if not self._has_query():
            raise ValueError("query must be specified")
        self._check_query()
        if self.id:
            logger.warning("id is specified")
        data = to_payload(self, _SENT_ON_CREATE)
        given = {name: data[name] for name in data if name not in _FIELDS_FROM_CREATE}
        return Operation("post", _API_ENDPOINT, data, _FIELDS_FROM_CREATE, journal_body=given)

    def _change(self) -> Operation:
        url = self._own_url("for update")
        self._check_query()
        data = self._differing()
        if self.description is None and self._known_of_service().get("description") is not None:
            data["description"] = None
        _require_state(data.get("state", "Enabled"))
        data["id"] = encoded(self.id)
        return Operation("patch", url, data, fields_from_response=_FIELDS_FROM_UPDATE)

    def _check_query(self) -> None:
        """Raise TypeError for ``event`` without parentheses, and for a condition without an event."""
        query = self.query
        if callable(query) or not getattr(query, "_stands_alone", True):
            raise TypeError(f'query must be a query, such as event("Pageview"), got {query!r}.')

    def _switch(self, state: str) -> Operation:
        url = self._own_url("to enable or disable it")
        return Operation("patch", url, {"state": state}, fields_from_response=_FIELDS_FROM_UPDATE)

    def _deletion(self) -> Operation:
        return Operation("delete", self._own_url("for deletion"))

    def _own_url(self, purpose: str) -> str:
        """Return the cohort's URL; raise ValueError if it has no id."""
        if not self.id:
            raise ValueError(f"Cohort ID must be specified {purpose}.")
        return _url_of(self.id)


def _require_state(state: Any) -> None:
    if state not in STATES:
        raise ValueError(f"state must be one of {', '.join(STATES)}, got {state!r}.")


def _url_of(id: Any) -> str:
    return resource_url(_API_ENDPOINT, "{id}", id=id)


def _find(index: str, key: str, api_key: str) -> Cohort | None:
    """Find a cohort in the list, and fetch it, since listed cohorts have no queries."""
    api_key = resolve_api_key(api_key)
    cohorts = Cohort.list(include_child_workspaces=True, api_key=api_key)
    found = getattr(cohorts, index).get(key)
    return None if found is None else Cohort.get_by_id(found.id, api_key)


class CohortList(CohortListTables[Cohort]):
    """A list of cohorts, with look-up dictionaries.

    ``id_dictionary``, ``code_dictionary`` and ``name_dictionary`` give one cohort; ``tag_dictionary``,
    ``segment_type_dictionary`` and ``workspace_dictionary`` give a CohortList. Codes are texts there.

    Examples
    --------
    >>> cohorts = Cohort.list()
    >>> cohorts.code_dictionary["12345"].name
    'Football Fans'
    >>> [cohort.code for cohort in cohorts.tag_dictionary["motoring"]]
    [12347, 12353, 12354]
    """

    _item_type = Cohort
    _columns = ("code", "name", "state", "tags", "live_audience_size")
    _searched = ("name", "description", "tags", "code", "id")

    id_dictionary: UniqueIndex[Cohort] = UniqueIndex("id")
    code_dictionary: UniqueIndex[Cohort] = UniqueIndex("code", key=str)
    name_dictionary: UniqueIndex[Cohort] = UniqueIndex("name")
    tag_dictionary: GroupedIndex[CohortList] = GroupedIndex("tags")
    segment_type_dictionary: GroupedIndex[CohortList] = GroupedIndex("segment_type")
    workspace_dictionary: GroupedIndex[CohortList] = GroupedIndex("workspace_id")
    _id_dictionary_cache: dict[str, Cohort]
    _code_dictionary_cache: dict[str, Cohort]
    _name_dictionary_cache: dict[str, Cohort]
    _tag_dictionary_cache: dict[str, CohortList]
    _segment_type_dictionary_cache: dict[str, CohortList]
    _workspace_dictionary_cache: dict[str, CohortList]

    def filter(
        self,
        *,
        tag: str | None = None,
        state: Literal["Enabled", "Disabled"] | None = None,
        name: str | None = None,
        workspace: str | HasWorkspaceId | None = None,
    ) -> CohortList:
        """Return the cohorts with this tag, state and name, in this workspace: a Workspace, or its id.

        Only the given arguments count. Upper and lower case differ. ``find`` is less strict.

        Raises
        ------
        ValueError, TypeError
            If an argument is blank or not a text, or `state` is neither "Enabled" nor "Disabled".

        Examples
        --------
        >>> [cohort.code for cohort in Cohort.list().filter(tag="motoring", state="Enabled")]
        [12347, 12353, 12354]
        """
        arguments = {"tag": tag, "state": state, "name": name, "workspace": workspace}
        given = {each: value for each, value in arguments.items() if value is not None}
        if workspace is not None:
            given["workspace"] = getattr(workspace, "workspace_id", workspace)
        for each, value in given.items():
            require_kind(each, value, str)
            require_filled(each, value)
        _require_state(given.get("state", "Enabled"))
        fields = {"tag": "tags", "workspace": "workspace_id"}
        return self._having({fields.get(each, each): value for each, value in given.items()})
