"""Segmentation: the cohorts that a user falls into, from events of the user.

Source of the facts: Permutive's CCS (custom cohort segmentation) API v1.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from typing import Any

from ._Utils import http
from ._Utils.arguments import length_of, require_kind, require_several
from ._Utils.batch.types import (
    BatchOptions,
    BatchRequest,
    BatchResult,
    Failures,
    ProgressCallback,
    ReadingRequest,
)
from ._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from ._Utils.encoding import ALWAYS_WRITTEN
from ._Utils.errors import PermutiveInvalidRequestError
from ._Utils.json import JSONSerializable, to_payload
from ._Utils.list import chunk_list
from ._Utils.resources.answers import read_object
from ._Utils.resources.base import Resource, built_from, streamed_from
from ._Utils.settings import DEFAULT_TIMEOUT_SECONDS
from .answers import SegmentationAnswer, StatelessAnswer
from .Identify.Alias import Alias, require_one_user

_API_VERSION = "v1"
_API_ENDPOINT = "https://api.permutive.app/ccs/v1/segmentation"
_API_PAYLOAD = ["events", "user_id"]
_SENT = [*_API_PAYLOAD, "alias", "aliases"]
_STATELESS_ENDPOINT = f"{_API_ENDPOINT}/stateless"

# The service takes no more events in one call.
_MOST_EVENTS = 10


@dataclass
class Event(JSONSerializable[dict[str, Any]]):
    """Something that a user did.

    Parameters
    ----------
    name : str
        The event's name, for instance "Pageview".
    time : str
        When, in ISO 8601, for instance "2025-07-01T15:39:11.594Z".
    properties : dict
        What the event's schema asks for; kept and sent as it is.
    session_id, view_id : str, optional
        Tie events together across sessions or page views.
    """

    name: str
    time: str
    properties: dict[str, Any] = field(default_factory=lambda: {}, metadata=ALWAYS_WRITTEN)
    session_id: str | None = None
    view_id: str | None = None


@dataclass
class Segmentation(Resource):
    """A question to the service: which cohorts these events put a user into.

    Parameters
    ----------
    events : list of Event
        What the user did: at most 10 in one call, see :meth:`split`.
    user_id : str, optional
        The user. Exactly one of `user_id`, `alias` and `aliases` is given.
    activations : bool
        Whether the answer lists the activated cohorts.
    synchronous_validation : bool
        Whether the events are checked against their schemas first; slower.
    alias : Alias, optional
        A name of the user; its priority is not sent.
    aliases : list of Alias, optional
        Several names of the user, of which the one with the lowest priority number decides.
    """

    events: list[Event]
    user_id: str | None = None
    activations: bool = False
    synchronous_validation: bool = False
    alias: Alias | None = None
    aliases: list[Alias] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the events and the user: ``user_id``, ``alias`` or ``aliases``."""
        return to_payload(self, _SENT)

    def split(self) -> list[Segmentation]:
        """Return calls of at most 10 events in the list's order, to be sent one after the other."""
        require_several("events", self.events)
        parts = chunk_list(self.events, _MOST_EVENTS) or [[]]
        return [replace(self, events=part) for part in parts]

    def send(
        self,
        api_key: str = DEFAULT_API_KEY,
        *,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        activations: bool | None = None,
        synchronous_validation: bool | None = None,
    ) -> SegmentationAnswer:
        """Ask the service.

        Parameters
        ----------
        api_key : str, optional
            The key; the default key if it is left out.
        timeout : float or None
            Seconds; None waits without limit.
        activations, synchronous_validation : bool, optional
            Override the object's own for this call.

        Returns
        -------
        SegmentationAnswer
            The service's answer as it is: ``user_id``, ``cohorts`` (codes as texts) and, when asked
            for, ``activations``.

        Raises
        ------
        PermutiveInvalidRequestError
            If there are more than 10 events, or the user is not named in exactly one way; also a
            ValueError.
        ValueError
            If a value cannot be written as JSON, or no key is found.
        PermutiveAPIError
            If the service refuses it, or no answer came. It is not sent again after a failure that
            may have come after it was processed.
        """
        response = self._request_helper.request(
            method="POST",
            api_key=resolve_api_key(api_key),
            url=_API_ENDPOINT,
            params=self._params(activations, synchronous_validation),
            json=self._body(),
            timeout=timeout,
        )
        return read_object(response)

    def send_stateless(
        self,
        api_key: str = DEFAULT_API_KEY,
        *,
        state: Mapping[str, Any] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
    ) -> StatelessAnswer:
        """Let the service work on a state that you keep, instead of one that it keeps itself.

        Parameters
        ----------
        api_key : str, optional
            The key; the default key if it is left out.
        state : mapping, optional
            The ``state`` of the user's last answer as it came; None for a user's first call.
        timeout : float or None
            Seconds; None waits without limit.

        Returns
        -------
        StatelessAnswer
            The service's answer as it is: ``user_id`` and the new ``state``, opaque but for its ``cohorts``.

        Raises
        ------
        TypeError, ValueError, PermutiveAPIError
            As for :meth:`send`; TypeError also if `state` is not a mapping.
        """
        body = self._body()
        if state is not None:
            require_kind("state", state, Mapping)
            body["state"] = dict(state)
        response = self._request_helper.request(
            method="POST",
            api_key=resolve_api_key(api_key),
            url=_STATELESS_ENDPOINT,
            params=self._params(),
            json=body,
            timeout=timeout,
        )
        return read_object(response)

    @classmethod
    def batch_send(
        cls,
        requests: Iterable[Segmentation],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[list[SegmentationAnswer], Failures]:
        """Ask for many users, one request each.

        Arguments have the same meaning as for ``Cohort.batch_create``, and `timeout` as for :meth:`send`.

        Returns
        -------
        bodies : list of SegmentationAnswer
            The decoded answers of those that succeeded, in the order of the requests.
        failures : list of (BatchRequest, Exception)
            Those that failed.
        """
        options = BatchOptions(
            "Segmentation.batch_send", api_key, max_workers, progress_callback, executor, journal
        )
        build = partial(Segmentation._request, timeout=timeout)
        batch = [each for _, each in built_from("requests", requests, Segmentation, build)]
        return http.batch_runner().collect_values(batch, options)

    @classmethod
    def stream_send(
        cls,
        requests: Iterable[Segmentation],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Generator[BatchResult[SegmentationAnswer], None, None]:
        """Ask for users as they come from any iterable, in constant memory.

        Arguments have the same meaning as for :meth:`batch_send`; how the stream is stopped, and what
        it raises, stands at ``stream_batch``.

        Yields
        ------
        BatchResult
            In the order of completion. Its `value` is the decoded answer.
        """
        options = BatchOptions(
            "Segmentation.stream_send", api_key, max_workers, progress_callback, executor, journal
        )
        build = partial(Segmentation._request, timeout=timeout)
        batch = streamed_from("requests", requests, Segmentation, build, _API_ENDPOINT)
        return http.batch_runner().stream(batch, options, length_of(requests))

    def _body(self) -> dict[str, Any]:
        require_several("events", self.events)
        if len(self.events) > _MOST_EVENTS:
            raise PermutiveInvalidRequestError(
                f"events: the service takes at most {_MOST_EVENTS} in one call, got "
                f"{len(self.events)}; send the parts that split() returns one after the other."
            )
        require_one_user(user_id=self.user_id, alias=self.alias, aliases=self.aliases)
        data = self.to_json()
        if "alias" in data:
            data["alias"].pop("priority", None)  # The service knows it of several only.
        return data

    def _params(
        self, activations: bool | None = None, synchronous_validation: bool | None = None
    ) -> dict[str, str]:
        """Return the query parameters, a call's own arguments before the object's."""
        if activations is None:
            activations = self.activations
        if synchronous_validation is None:
            synchronous_validation = self.synchronous_validation
        return {
            "activations": "true" if activations else "false",
            "synchronous-validation": "true" if synchronous_validation else "false",
        }

    def _request(self, timeout: float | None) -> BatchRequest:
        return ReadingRequest(
            "POST",
            _API_ENDPOINT,
            params=self._params(),
            json=self._body(),
            timeout=timeout,
            item=self,
            read=read_object,
        )
