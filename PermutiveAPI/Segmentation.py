"""Segmentation: the cohorts that a user falls into, from events of the user.

Source of the facts: Permutive's CCS (custom cohort segmentation) API v1.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from operator import attrgetter
from os import PathLike
from typing import Any

from requests import Response

from ._Utils import http, settings
from ._Utils.arguments import length_of
from ._Utils.batch import (
    BatchOptions,
    BatchRequest,
    BatchResult,
    Failures,
    ProgressCallback,
    ReadingRequest,
    collected,
)
from ._Utils.credentials import resolve_api_key
from ._Utils.encoding import ALWAYS_WRITTEN
from ._Utils.json import JSONSerializable, to_payload
from ._Utils.resource import Resource, built_from, read_answer

_API_ENDPOINT = "https://api.permutive.app/ccs/v1/segmentation"
_API_PAYLOAD = ["events", "user_id"]


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
    properties: dict[str, Any] = field(
        default_factory=lambda: {}, metadata=ALWAYS_WRITTEN
    )
    session_id: str | None = None
    view_id: str | None = None


@dataclass
class Segmentation(Resource):
    """A question to the service: which cohorts these events put a user into.

    Parameters
    ----------
    events : list of Event
        What the user did.
    user_id : str
        The user.
    activations : bool
        Whether the answer lists the activated cohorts.
    synchronous_validation : bool
        Whether the events are checked against their schemas first; slower.
    """

    events: list[Event]
    user_id: str
    activations: bool = False
    synchronous_validation: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what is sent: ``events`` and ``user_id``."""
        return to_payload(self, _API_PAYLOAD)

    def send(
        self,
        api_key: str | None = None,
        *,
        timeout: float | None = settings.DEFAULT_TIMEOUT_SECONDS,
        activations: bool | None = None,
        synchronous_validation: bool | None = None,
    ) -> dict[str, Any]:
        """Ask the service.

        Parameters
        ----------
        api_key : str, optional
            The key; the default workspace's when it is left out.
        timeout : float or None
            Seconds; None waits without limit.
        activations, synchronous_validation : bool, optional
            Override the object's own for this call.

        Returns
        -------
        dict
            The service's answer as it is: ``user_id``, ``cohorts`` (codes as texts) and, when asked
            for, ``activations``.

        Raises
        ------
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
            json=self.to_json(),
            timeout=timeout,
        )
        return _read(response)

    @classmethod
    def batch_send(
        cls,
        requests: Iterable[Segmentation],
        *,
        api_key: str | None = None,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        timeout: float | None = settings.DEFAULT_TIMEOUT_SECONDS,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[list[dict[str, Any]], Failures]:
        """Ask for many users, one request each.

        Arguments have the same meaning as for ``Cohort.batch_create``, and `timeout` as for :meth:`send`.

        Returns
        -------
        bodies : list of dict
            The decoded answers of those that succeeded, in the order of the requests.
        failures : list of (BatchRequest, Exception)
            Those that failed.
        """
        options = BatchOptions(
            "Segmentation.batch_send",
            api_key,
            max_workers,
            progress_callback,
            executor,
            journal,
        )
        batch = [*_requests(requests, timeout)]
        return collected(http.stream(batch, options, len(batch)), attrgetter("value"))

    @classmethod
    def stream_send(
        cls,
        requests: Iterable[Segmentation],
        *,
        api_key: str | None = None,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        timeout: float | None = settings.DEFAULT_TIMEOUT_SECONDS,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Generator[BatchResult[dict[str, Any]], None, None]:
        """Ask for users as they come from any iterable, in constant memory.

        Arguments have the same meaning as for :meth:`batch_send`; how the stream is stopped, and what
        it raises, stands at ``stream_batch``.

        Yields
        ------
        BatchResult
            In the order of completion. Its `value` is the decoded answer.
        """
        options = BatchOptions(
            "Segmentation.stream_send",
            api_key,
            max_workers,
            progress_callback,
            executor,
            journal,
        )
        batch = _requests(requests, timeout)
        return http.stream(batch, options, length_of(requests))

    def _params(
        self,
        activations: bool | None = None,
        synchronous_validation: bool | None = None,
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


def _requests(
    segmentations: Iterable[Segmentation], timeout: float | None
) -> Iterator[BatchRequest]:
    built = built_from("requests", segmentations, Segmentation, Segmentation.to_json)
    return (
        ReadingRequest(
            "POST",
            _API_ENDPOINT,
            params=each._params(),  # pyright: ignore[reportPrivateUsage] -- this module's own
            json=payload,
            timeout=timeout,
            read=_read,
        )
        for each, payload in built
    )


def _read(response: Response) -> dict[str, Any]:
    return read_answer(_body, response)


def _body(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"expected an object, got {type(data).__name__}")
    return data  # pyright: ignore[reportUnknownVariableType] -- JSON data
