"""Tracking: events that users had, told to the service one by one.

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

from ._Utils import http
from ._Utils.arguments import length_of, require_kind
from ._Utils.batch.types import (
    BatchOptions,
    BatchRequest,
    BatchResult,
    Failures,
    ProgressCallback,
    ReadingRequest,
)
from ._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from ._Utils.errors import PermutiveInvalidRequestError
from ._Utils.json import to_payload
from ._Utils.resources.answers import read_object
from ._Utils.resources.base import Resource, built_from, streamed_from
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
class TrackedEvent(Resource):
    """An event to be tracked. It has no time: the service sets it.

    Parameters
    ----------
    name : str
        The event's name, for instance "Pageview": letters, digits and underscores.
    user_id : str, optional
        The user. At least one of `user_id` and `aliases` is given.
    properties : dict
        What the event's schema asks for, at most 950 KB; kept and sent as it is.
    aliases : list of Alias, optional
        Names of the user. The service ignores them where there is a `user_id`; an empty list beside
        one is not sent.
    session_id, view_id : str, optional
        Tie events together across sessions or page views.
    segments : list of int, optional
        The codes of segments that the user is in.
    cohorts : list of str, optional
        The codes of cohorts that the user is in.
    """

    name: str
    user_id: str | None = None
    properties: dict[str, Any] = field(default_factory=lambda: {})
    aliases: list[Alias] | None = None
    session_id: str | None = None
    view_id: str | None = None
    segments: list[int] | None = None
    cohorts: list[str] | None = None

    def track(
        self,
        api_key: str = DEFAULT_API_KEY,
        *,
        enrich: bool = True,
        sdkp: bool = False,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
    ) -> TrackedEventAnswer:
        """Tell the service that the user had the event just now.

        Parameters
        ----------
        api_key : str, optional
            The key; the default key if it is left out.
        enrich : bool
            Whether the service adds what it knows, and answers the whole event.
        sdkp : bool
            What Permutive's own SDKs send as true, and direct callers as false.
        timeout : float or None
            Seconds; None waits without limit.

        Returns
        -------
        TrackedEventAnswer
            The service's answer as it is: the event with its ``time``, or ``user_id`` and ``time``.

        Raises
        ------
        ValueError
            If the name has other characters, the user is not named, a value cannot be written as
            JSON, or no key is found.
        PermutiveAPIError
            If the service refuses it, or no answer came. It is never sent again after a failure that
            may have come after it was processed.
        """
        response = self._request_helper.request(
            method="POST",
            api_key=resolve_api_key(api_key),
            url=_API_ENDPOINT,
            params=_params(enrich, sdkp),
            json=self._body(),
            timeout=timeout,
        )
        return read_object(response)

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
        """Track many events, one request each, in no order.

        Arguments have the same meaning as for ``Cohort.batch_create`` and :meth:`track`.

        Returns
        -------
        bodies : list of TrackedEventAnswer
            The decoded answers of those that succeeded, in the order of the events.
        failures : list of (BatchRequest, Exception)
            Those that failed.
        """
        options = BatchOptions(
            "TrackedEvent.batch_track", api_key, max_workers, progress_callback, executor, journal
        )
        build = partial(TrackedEvent._request, params=_params(enrich, sdkp), timeout=timeout)
        batch = [each for _, each in built_from("events", events, TrackedEvent, build)]
        return http.batch_runner().collect_values(batch, options)

    @classmethod
    def stream_track(
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
    ) -> Generator[BatchResult[TrackedEventAnswer], None, None]:
        """Track events as they come from any iterable, in constant memory and in no order.

        Arguments have the same meaning as for :meth:`batch_track`; how the stream is stopped, and
        what it raises, stands at ``stream_batch``.

        Yields
        ------
        BatchResult
            In the order of completion. Its `value` is the decoded answer.
        """
        options = BatchOptions(
            "TrackedEvent.stream_track", api_key, max_workers, progress_callback, executor, journal
        )
        build = partial(TrackedEvent._request, params=_params(enrich, sdkp), timeout=timeout)
        batch = streamed_from("events", events, TrackedEvent, build, _API_ENDPOINT)
        return http.batch_runner().stream(batch, options, length_of(events))

    def _body(self) -> dict[str, Any]:
        """Return what is sent, checked."""
        require_kind("name", self.name, str)
        if not re.fullmatch("[A-Za-z0-9_]+", self.name):
            raise ValueError(
                f"name must consist of letters, digits and underscores, got {self.name!r}."
            )
        self._require_user()
        body = to_payload(self, _API_PAYLOAD)
        if body.get("aliases") == []:  # It says nothing, but the service refuses it.
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

    def _request(self, params: dict[str, str], timeout: float | None) -> BatchRequest:
        return ReadingRequest(
            "POST",
            _API_ENDPOINT,
            params=params,
            json=self._body(),
            timeout=timeout,
            item=self,
            read=read_object,
        )


def _params(enrich: bool, sdkp: bool) -> dict[str, str]:
    return {"enrich": "true" if enrich else "false", "sdkp": "true" if sdkp else "false"}
