"""Cohorts: audiences that a query defines.

Source of the facts: Permutive's Cohorts API v2.
"""

from __future__ import annotations

import builtins  # `list` is a method in these classes
import logging
from collections.abc import Iterable
from concurrent.futures import Executor
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from os import PathLike
from typing import Any, Literal

from ._Utils import http
from ._Utils.arguments import listed, require_filled
from ._Utils.batch.types import BatchOptions, Failures, ProgressCallback, Responses
from ._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from ._Utils.encoding import ALWAYS_WRITTEN
from ._Utils.json import to_payload
from ._Utils.resources.answers import read_answer
from ._Utils.resources.base import Call, Resource
from ._Utils.resources.changes import differing
from ._Utils.resources.lists import GroupedIndex, TabularList, UniqueIndex, list_from_answer
from ._Utils.resources.urls import resource_url

_API_VERSION = "v2"
_API_ENDPOINT = "https://api.permutive.app/cohorts-api/v2/cohorts/"
_API_PAYLOAD = ["id", "name", "query", "description", "tags"]

_ADOPTED_ON_CREATE = (
    "id",
    "code",
    "state",
    "segment_type",
    "created_at",
    "last_updated_at",
    "workspace_id",
    "request_id",
)
_ADOPTED_ON_UPDATE = ("last_updated_at", "request_id")

# What makes a cohort what it is; the rest is the service's.
_DEFINITION = ("name", "query", "tags", "description", "segment_type")

_STATES = ("Enabled", "Disabled")

_SENT_ON_CREATE = [*_API_PAYLOAD, "segment_type"]
_SENT_ON_UPDATE = [*_API_PAYLOAD, "state"]

logger = logging.getLogger("PermutiveAPI")


@dataclass(repr=False)
class Cohort(Resource):
    """A cohort.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, else
    the key of ``Workspace.from_env()``.

    Parameters
    ----------
    name : str
        Its name.
    id : str, optional
        Its id, a UUID; the service gives it.
    code : int or str, optional
        Its number, which also names it in segmentation answers; the service gives it.
    query : dict or Query, optional
        Its definition, as the service writes it or made with ``PermutiveAPI.Query``. Lists of cohorts
        come without it, lookalike cohorts have none.
    tags : list of str, optional
        Labels to group cohorts by.
    description : str, optional
        What it is for.
    subject_entity_level, segment_type : str, optional
        As the service says.
    state : "Enabled" or "Disabled", optional
        Whether users fall into it. A fetched cohort keeps any other state that the service may tell.
    live_audience_size : int, optional
        The number of users in it, as last counted by the service.
    created_at, last_updated_at : datetime, optional
        Times with a time zone. If one is missing, the constructor copies the other; if both are, it
        sets both to the current time. A cohort that was fetched has only those that the service
        returned.
    workspace_id, request_id, error : str, optional
        As the service says.
    """

    name: str
    id: str | None = None
    code: int | str | None = None
    query: Any = None  # Typed users give a Query, and read what the service wrote.
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
    # What the service has, as JSON, as far as it told: an update sends what differs from it.
    _known = dict[str, Any]()

    @classmethod
    def from_json(cls, data: Any) -> Cohort:
        """Make a cohort from JSON data, JSON text or a file.

        Its state is taken as the service's: a later update sends it only when it has been changed.

        Raises
        ------
        TypeError
            If `data` is of another kind, is not valid JSON, or lacks the name.
        """
        cohort = super().from_json(data)
        cohort._known = {"state": cohort.state}
        return cohort

    def create(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Create the cohort, and take over what the service gives it: id, code, state, timestamps.

        Raises
        ------
        ValueError
            If it has no query.
        TypeError
            If its `query` is not a query.
        PermutiveAPIError
            If the service refuses it, or no answer came.
        """
        self._perform(self._creation(), api_key)

    def update(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Send what is to change.

        Of a cohort that was fetched or created, that is what differs from the service's answer: what
        others changed meanwhile stays. A description is cleared by None, tags are by an empty list.
        Of a cohort that was only made by hand it is the name, query, description, tags and state
        that are not None.

        Raises
        ------
        ValueError
            If it has no id, or its state is neither "Enabled" nor "Disabled".
        TypeError
            If its `query` is not a query.
        PermutiveAPIError
            As for :meth:`create`.
        """
        self._perform(self._change(), api_key)

    def delete(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Delete the cohort.

        Raises
        ------
        ValueError
            If it has no id.
        PermutiveAPIError
            As for :meth:`create`.
        """
        self._perform(self._deletion(), api_key)

    def enable(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Let users fall into the cohort; nothing else is changed.

        Raises
        ------
        ValueError
            If it has no id.
        PermutiveAPIError
            As for :meth:`create`.
        """
        self._perform(self._switch("Enabled"), api_key)

    def disable(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Let no more users fall into the cohort; nothing else is changed. See :meth:`enable`."""
        self._perform(self._switch("Disabled"), api_key)

    def copy(self, **changes: Any) -> Cohort:
        """Return a new cohort with the same definition, which can be created beside this one.

        It has this one's name, query, tags, description and segment type, and nothing of the service's.

        Parameters
        ----------
        **changes
            Fields that are different in the copy.

        Raises
        ------
        TypeError
            If a name is not a field of a cohort.

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
        """Fetch a cohort with its query.

        Raises
        ------
        ValueError
            If the id is empty, or no key is found.
        PermutiveAPIError
            If it cannot be fetched; PermutiveResourceNotFoundError if there is none.
        """
        return Cohort._fetch(_url_of(id), api_key, "Response is None")

    @staticmethod
    def get_by_name(name: str, api_key: str = DEFAULT_API_KEY) -> Cohort | None:
        """Fetch the cohort with a name, child workspaces included; None when there is none.

        Of several with the same name it is the last one listed.

        Raises
        ------
        ValueError
            If the name is empty, or no key is found.
        PermutiveAPIError
            If the list or the cohort cannot be fetched.
        """
        require_filled("name", name)
        return _find("name_dictionary", name, api_key)

    @staticmethod
    def get_by_code(code: int | str, api_key: str = DEFAULT_API_KEY) -> Cohort | None:
        """Fetch the cohort with a code; see :meth:`get_by_name`."""
        require_filled("code", code)
        return _find("code_dictionary", str(code), api_key)

    @staticmethod
    def list(
        api_key: str = DEFAULT_API_KEY,
        include_child_workspaces: bool = False,
        include_details: bool = False,
    ) -> CohortList:
        """List the cohorts of the key's workspace.

        Parameters
        ----------
        api_key : str, optional
            The key.
        include_child_workspaces : bool
            Whether those of the workspaces below it are listed too.
        include_details : bool
            Whether each cohort is fetched by id, several at a time, since the service lists them
            without their queries. One that cannot be fetched raises.

        Returns
        -------
        CohortList
            In the service's order.

        Raises
        ------
        ValueError
            If no key is found.
        PermutiveAPIError
            If the list, or with details a cohort of it, cannot be fetched.
        """
        api_key = resolve_api_key(api_key)
        params = {"include-child-workspaces": "true"} if include_child_workspaces else {}
        response = Cohort._request_helper.get(api_key, _API_ENDPOINT, params=params)
        cohorts = read_answer(Cohort._listed, response)
        if not include_details:
            return cohorts
        ids = [cohort.id or "" for cohort in cohorts]
        fetched = http.batch_runner().map(lambda id: Cohort.get_by_id(id, api_key), ids)
        return CohortList(fetched)

    @classmethod
    def batch_create(
        cls,
        cohorts: Iterable[Cohort],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Create many cohorts, one request each; each is updated as by :meth:`create`.

        All are checked before the first one is sent. One that fails does not stop the others.

        Parameters
        ----------
        cohorts : iterable of Cohort
            What to create.
        api_key : str, optional
            The key.
        max_workers : int, optional
            How many requests run at a time; PERMUTIVE_BATCH_MAX_WORKERS when it is left out, and else
            Python's own number.
        progress_callback : callable, optional
            Called with a ``Progress`` after each request, in the caller's thread.
        executor : concurrent.futures.Executor, optional
            Where the requests run, for instance other processes; threads when it is left out.
        journal : str or Path, optional
            A file that keeps what is done, so that the same job, started again, sends only the rest;
            see ``http.process_batch``. A cohort that is done takes nothing over.

        Returns
        -------
        responses : list of requests.Response
            The answers of those that succeeded, in the order of the cohorts.
        failures : list of (BatchRequest, Exception)
            Those that failed, as they failed.

        Raises
        ------
        ValueError
            If a cohort has no query, or `max_workers` is below 1.
        TypeError
            If one is no cohort.
        """
        options = BatchOptions(
            "Cohort.batch_create", api_key, max_workers, progress_callback, executor, journal
        )
        cohorts = listed("cohorts", cohorts)
        cls._require_queries(cohorts)
        return cls._batch(cohorts, Cohort._creation, options)

    @classmethod
    def batch_update(
        cls,
        cohorts: Iterable[Cohort],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Update many cohorts as by :meth:`update`; see :meth:`batch_create`."""
        options = BatchOptions(
            "Cohort.batch_update", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch(cohorts, Cohort._change, options)

    @classmethod
    def batch_delete(
        cls,
        cohorts: Iterable[Cohort],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Delete many cohorts as by :meth:`delete`; see :meth:`batch_create`."""
        options = BatchOptions(
            "Cohort.batch_delete", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch(cohorts, Cohort._deletion, options)

    @classmethod
    def batch_enable(
        cls,
        cohorts: Iterable[Cohort],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Enable many cohorts as by :meth:`enable`; see :meth:`batch_create`."""
        options = BatchOptions(
            "Cohort.batch_enable", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch(cohorts, lambda each: each._switch("Enabled"), options)

    @classmethod
    def batch_disable(
        cls,
        cohorts: Iterable[Cohort],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Disable many cohorts as by :meth:`disable`; see :meth:`batch_create`."""
        options = BatchOptions(
            "Cohort.batch_disable", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch(cohorts, lambda each: each._switch("Disabled"), options)

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
    ) -> tuple[dict[str, Cohort], Failures]:
        """Fetch many cohorts with their queries, one request for each different id.

        Arguments have the same meaning as for :meth:`batch_create`.

        Returns
        -------
        cohorts : dict
            The cohorts that were found, by id, in the order of `ids`.
        failures : list of (BatchRequest, Exception)
            Those that were not.
        """
        options = BatchOptions(
            "Cohort.batch_get_by_id", api_key, max_workers, progress_callback, executor, journal
        )
        return cls._batch_fetch(ids, _url_of, "Response is None", options)

    @staticmethod
    def _require_queries(cohorts: Iterable[Any]) -> None:
        """Refuse a batch in which a cohort has no query, and say which one."""
        for position, cohort in enumerate(cohorts):
            if isinstance(cohort, Cohort) and not cohort._has_query():
                raise ValueError(
                    f"query must be specified: cohorts[{position}] ({cohort.name!r}) has none. Lists "
                    "of cohorts come without queries: use Cohort.list(include_details=True). Lookalike "
                    "cohorts have none; leave them out."
                )

    def _has_query(self) -> bool:
        return self.query is not None and self.query != {}

    def _creation(self) -> Call:
        if not self._has_query():
            raise ValueError("query must be specified")
        self._check_query()
        if self.id:
            logger.warning("id is specified")
        data = to_payload(self, _SENT_ON_CREATE)
        return Call("post", _API_ENDPOINT, data, adopts=_ADOPTED_ON_CREATE)

    def _change(self) -> Call:
        if not self.id:
            raise ValueError("Cohort ID must be specified for update.")
        self._check_query()
        known = self._known_of_service()
        data = differing(to_payload(self, _SENT_ON_UPDATE), known)
        if self.description is None and known.get("description") is not None:
            data["description"] = None
        if data.get("state", "Enabled") not in _STATES:
            raise ValueError(f"state must be one of {', '.join(_STATES)}, got {self.state!r}.")
        data["id"] = self.id
        return Call("patch", _url_of(self.id), data, adopts=_ADOPTED_ON_UPDATE)

    def _check_query(self) -> None:
        """Refuse what is easily taken for a query: ``event`` without its call, or a condition alone."""
        query = self.query
        if callable(query) or not getattr(query, "_stands_alone", True):
            raise TypeError(f'query must be a query, such as event("Pageview"), got {query!r}.')

    def _switch(self, state: str) -> Call:
        if not self.id:
            raise ValueError("Cohort ID must be specified to enable or disable it.")
        data = {"state": state}
        return Call("patch", _url_of(self.id), data, adopts=_ADOPTED_ON_UPDATE)

    def _deletion(self) -> Call:
        if not self.id:
            raise ValueError("Cohort ID must be specified for deletion.")
        return Call("delete", _url_of(self.id))

    @classmethod
    def _from_answer(cls, data: Any) -> Cohort:
        cohort = super()._from_answer(data)
        cohort._remember()
        return cohort

    @staticmethod
    def _listed(data: Any) -> CohortList:
        return list_from_answer(CohortList, data)

    def _adopt(self, names: Iterable[str], data: Any) -> Cohort:
        answer = super()._adopt(names, data)
        if "id" in names:  # It was created.
            self._known = answer._known
        return answer

    def _finish(self, call: Call, response: Any) -> None:
        super()._finish(call, response)
        if call.verb == "patch" and call.data:
            self._note_sent(call.data)

    def _note_sent(self, sent: dict[str, Any]) -> None:
        """Note what the service has by now: of a cohort made by hand the state, once it is known."""
        known = self._known_of_service()
        if "id" not in sent:  # It was enabled or disabled.
            self.state = sent["state"]
            known = {"state": None, **known}
        fetched = "id" in known
        now = {name: sent[name] for name in sent if fetched or name in known}
        self._known = {**known, **now}

    def _known_of_service(self) -> dict[str, Any]:
        """Return what the service is known to have, unless that is another cohort's."""
        known = self._known
        return known if known.get("id", self.id) == self.id else {}

    def _remember(self) -> None:
        """Note what the service has."""
        self._known = to_payload(self, _SENT_ON_UPDATE)


def _url_of(id: Any) -> str:
    return resource_url(_API_ENDPOINT, "{id}", id=id)


def _find(index: str, key: str, api_key: str) -> Cohort | None:
    """Look a cohort up in the list, and fetch it: the list has no queries."""
    api_key = resolve_api_key(api_key)
    cohorts = Cohort.list(include_child_workspaces=True, api_key=api_key)
    found = getattr(cohorts, index).get(key)
    return None if found is None else Cohort.get_by_id(found.id, api_key)


class CohortList(TabularList[Cohort]):
    """A list of cohorts, with dictionaries to look them up."""

    _item_type = Cohort

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
