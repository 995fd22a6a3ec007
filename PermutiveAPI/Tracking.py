"""Tracking: events of users, sent to the service one by one.

Source of the facts: Permutive's Events API v2.0.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Any

from ._Utils.arguments import require_kind
from ._Utils.batch.types import BatchOptions, BatchResult, Failures, ProgressCallback
from ._Utils.credentials import DEFAULT_API_KEY
from ._Utils.errors import PermutiveInvalidRequestError
from ._Utils.json import to_payload
from ._Utils.resources.helpers import like
from ._Utils.resources.posted import Posted
from ._Utils.settings import DEFAULT_TIMEOUT_SECONDS
from .answers import TrackedEventAnswer
from .Identify.Alias import Alias, require_one_user

_API_ENDPOINT = "https://api.permutive.app/v2.0/events"
_API_PAYLOAD = [
    "name",
    "user_id",
    "aliases",
    "properties",
    "view_id",
    "session_id",
    "segments",
    "cohorts",
]


@dataclass
class TrackedEvent(Posted):
    """An event of a user, to be sent when it happens. The service sets its time.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, or else
    the key of ``Workspace.from_env()``. Every call raises ValueError if it finds no key or a value
    cannot be written as JSON, and PermutiveAPIError if the service refuses the request or no response
    comes.

    Parameters
    ----------
    name : str
        The event's name, for instance "Pageview": letters, digits and underscores.
    user_id : str, optional
        The user's id. Give `user_id`, `aliases` or both.
    properties : dict
        The properties that the event's schema asks for, at most 950 KB, sent unchanged.
    aliases : list of Alias, optional
        Aliases of the user. The service ignores them if there is a `user_id`. An empty list is then not
        sent.
    session_id, view_id : str, optional
        The session and the page view that the event belongs to.
    segments : list of int, optional
        The codes of segments that the user is in.
    cohorts : list of str, optional
        The codes of cohorts that the user is in.

    Examples
    --------
    >>> event = TrackedEvent("Pageview", user_id="user-1", properties={"title": "Sport"})
    >>> event.track()["user_id"]
    'user-1'
    """

    name: str
    user_id: str | None = None
    properties: dict[str, Any] = field(default_factory=lambda: {})
    aliases: list[Alias] | None = None
    session_id: str | None = None
    view_id: str | None = None
    segments: list[int] | None = None
    cohorts: list[str] | None = None

    _plural = "events"

    def track(
        self,
        api_key: str = DEFAULT_API_KEY,
        *,
        enrich: bool = True,
        sdkp: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
    ) -> TrackedEventAnswer:
        """Tell the service that the event happens now.

        If the outcome of a request is unknown, it is not repeated, since the service may have
        recorded the event already.

        Parameters
        ----------
        api_key : str, optional
            The key.
        enrich : bool
            Whether the service adds properties that it knows, and returns the whole event.
        sdkp : bool
            Permutive's own SDKs send true, direct callers send false.
        timeout : float or None
            The time limit in seconds; None for no limit. If it is left out, that of ``options()``, or
            else 10.

        Returns
        -------
        TrackedEventAnswer
            The decoded body, unchanged: the event with its ``time``, or only ``user_id`` and ``time``.

        Raises
        ------
        ValueError
            If the name has other characters, or no user is named.

        Examples
        --------
        >>> sorted(TrackedEvent("Pageview", user_id="user-1").track(enrich=False))
        ['time', 'user_id']
        """
        return self._post(api_key, timeout, _params(enrich, sdkp))

    @classmethod
    def batch_track(
        cls,
        events: Iterable[TrackedEvent],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        enrich: bool = True,
        sdkp: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[list[TrackedEventAnswer], Failures]:
        """Track many events, one request each. They are sent in any order.

        Arguments have the same meaning as for ``Cohort.batch_create`` and :meth:`track`.

        Returns
        -------
        bodies : list of TrackedEventAnswer
            The decoded bodies of the requests that succeeded, in the order of the events.
        failures : list of (BatchRequest, Exception)
            The requests that failed. ``request.item`` is the event.

        Examples
        --------
        >>> events = [TrackedEvent("Pageview", user_id=f"user-{number}") for number in range(3)]
        >>> bodies, failures = TrackedEvent.batch_track(events)
        >>> [body["user_id"] for body in bodies]
        ['user-0', 'user-1', 'user-2']
        """
        options = BatchOptions(
            "TrackedEvent.batch_track", api_key, max_workers, progress_callback, executor, journal
        )
        request_of = partial(TrackedEvent._request, timeout=timeout, params=_params(enrich, sdkp))
        return TrackedEvent._batch_values(events, request_of, options)

    @like(batch_track)
    def stream_track(
        cls,
        events: Iterable[TrackedEvent],
        options: BatchOptions,
        enrich: bool,
        sdkp: bool,
        timeout: float | None,
    ) -> Generator[BatchResult[TrackedEventAnswer], None, None]:
        """Track the events of any iterable, one request each, in any order and in constant memory.

        Arguments have the same meaning as for :meth:`batch_track`. ``stream_batch`` says how to stop the
        stream, and what it raises.

        Yields
        ------
        BatchResult
            The results in the order of completion. `value` is the decoded body.

        Examples
        --------
        >>> events = (TrackedEvent("Pageview", user_id=f"user-{number}") for number in range(3))
        >>> sorted(result.value["user_id"] for result in TrackedEvent.stream_track(events))
        ['user-0', 'user-1', 'user-2']
        """
        request_of = partial(TrackedEvent._request, timeout=timeout, params=_params(enrich, sdkp))
        return TrackedEvent._stream(events, request_of, options)

    @staticmethod
    def _endpoint() -> str:
        return _API_ENDPOINT

    def _body(self) -> dict[str, Any]:
        """Check the event, and return what is sent."""
        require_kind("name", self.name, str)
        if not re.fullmatch("[A-Za-z0-9_]+", self.name):
            raise ValueError(
                f"name must consist of letters, digits and underscores, got {self.name!r}."
            )
        self._require_user()
        body = to_payload(self, _API_PAYLOAD)
        if body.get("aliases") == []:  # The service refuses an empty list.
            del body["aliases"]
        return body

    def _require_user(self) -> None:
        """Raise unless a user is named by `user_id`, by aliases or by both."""
        if self.user_id is None and self.aliases is None:
            raise PermutiveInvalidRequestError("Give user_id, aliases or both; got neither.")
        if self.user_id is not None:
            require_one_user(user_id=self.user_id)
        if self.user_id is None or (self.aliases is not None and self.aliases != []):
            require_one_user(aliases=self.aliases)


def _params(enrich: bool, sdkp: bool) -> dict[str, str]:
    return {"enrich": "true" if enrich else "false", "sdkp": "true" if sdkp else "false"}
