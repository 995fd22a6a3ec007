"""Segmentation: the cohorts that a user belongs to, given events of the user.

Source of the facts: Permutive's CCS (custom cohort segmentation) API v1.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from ._Utils import batch
from ._Utils import http as http  # Tests may replace its functions by this path.
from ._Utils.arguments import require_kind, require_several
from ._Utils.codec.encoding import ALWAYS_WRITTEN
from ._Utils.credentials import DEFAULT_API_KEY
from ._Utils.errors import PermutiveInvalidRequestError
from ._Utils.json import JSONSerializable, to_payload
from ._Utils.lazy_names import LateModule
from ._Utils.resources.helpers import like
from ._Utils.resources.posted import Posted
from ._Utils.settings import DEFAULT_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from . import answers
    from .Identify import Alias as identify
else:
    answers = LateModule("PermutiveAPI.answers")
    identify = LateModule("PermutiveAPI.Identify.Alias")

_API_VERSION = "v1"
_API_ENDPOINT = "https://api.permutive.app/ccs/v1/segmentation"
_API_PAYLOAD = ["events", "user_id"]
_SENT = [*_API_PAYLOAD, "alias", "aliases"]
_STATELESS_ENDPOINT = f"{_API_ENDPOINT}/stateless"

# The service accepts no more events in one call.
_MOST_EVENTS = 10


@dataclass
class Event(JSONSerializable[dict[str, Any]]):
    """Something that a user did.

    Parameters
    ----------
    name : str
        The event's name, for instance "Pageview".
    time : str
        The time in ISO 8601, for instance "2025-07-01T15:39:11.594Z".
    properties : dict
        The properties that the event's schema asks for, sent unchanged.
    session_id, view_id : str, optional
        The session and the page view that the event belongs to.

    Examples
    --------
    >>> page = {"client": {"url": "https://example.com/sport/"}}
    >>> event = Event("Pageview", "2025-07-01T15:39:11.594Z", properties=page)
    """

    name: str
    time: str
    properties: dict[str, Any] = field(default_factory=lambda: {}, metadata=ALWAYS_WRITTEN)
    session_id: str | None = None
    view_id: str | None = None


@dataclass
class Segmentation(Posted):
    """Events of a user, to ask the service for the user's cohorts.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, or else
    the key of ``Workspace.from_env()``. Every call raises ValueError if it finds no key or a value
    cannot be written as JSON, and PermutiveAPIError if the service refuses the request or no response
    comes.

    Parameters
    ----------
    events : list of Event
        The events. The service accepts at most 10 in one call; see :meth:`split`.
    user_id : str, optional
        The user's id. Give exactly one of `user_id`, `alias` and `aliases`.
    activations : bool
        Whether the response lists the activated cohorts.
    synchronous_validation : bool
        Whether the service first checks the events against their schemas, which takes longer.
    alias : Alias, optional
        An alias of the user. Its priority is not sent.
    aliases : list of Alias, optional
        Several aliases of the user. The alias with the lowest priority number decides.

    Examples
    --------
    >>> event = Event("Pageview", "2025-07-01T15:39:11.594Z")
    >>> response = Segmentation([event], user_id="user-1").send()
    >>> response["cohorts"][:2]
    ['12346', '12349']
    """

    events: list[Event]
    user_id: str | None = None
    activations: bool = False
    synchronous_validation: bool = False
    alias: identify.Alias | None = None
    aliases: list[identify.Alias] | None = None

    _plural = "requests"

    def to_json(self) -> dict[str, Any]:
        """Return what is sent: the events, and ``user_id``, ``alias`` or ``aliases``.

        Examples
        --------
        >>> Segmentation([], user_id="user-1").to_json()
        {'events': [], 'user_id': 'user-1'}
        """
        return to_payload(self, _SENT)

    def split(self) -> list[Segmentation]:
        """Return parts of at most 10 events each. Send them one after the other, in this order.

        Examples
        --------
        >>> events = [Event("Pageview", "2025-07-01T15:39:11.594Z")] * 25
        >>> parts = Segmentation(events, user_id="user-1").split()
        >>> [len(part.events) for part in parts]
        [10, 10, 5]
        """
        from ._Utils.list import chunk_list

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
    ) -> answers.SegmentationAnswer:
        """Ask the service for the user's cohorts.

        If the outcome of a request is unknown, it is not repeated, since the service may have
        recorded the events already.

        Parameters
        ----------
        api_key : str, optional
            The key.
        timeout : float or None
            The time limit in seconds; None for no limit. If it is left out, that of ``options()``, or
            else 10.
        activations, synchronous_validation : bool, optional
            For this call, these win over the attributes of the object.

        Returns
        -------
        SegmentationAnswer
            The decoded body, unchanged: ``user_id``, ``cohorts`` (codes as texts) and, on request,
            ``activations``.

        Raises
        ------
        PermutiveInvalidRequestError
            If there are more than 10 events, or not exactly one of `user_id`, `alias` and `aliases` is
            given. It is also a ValueError.

        Examples
        --------
        >>> response = Segmentation([], user_id="user-1").send(activations=True)
        >>> response["activations"]["gam"] == response["cohorts"]
        True
        """
        return self._post(api_key, timeout, self._params(activations, synchronous_validation))

    def send_stateless(
        self,
        api_key: str = DEFAULT_API_KEY,
        *,
        state: Mapping[str, Any] | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
    ) -> answers.StatelessAnswer:
        """Ask for the user's cohorts with a state that you store, instead of one that the service stores.

        Parameters
        ----------
        api_key : str, optional
            The key.
        state : mapping, optional
            The ``state`` of the user's last response, unchanged; None for a user's first call.
        timeout : float or None
            The time limit in seconds; None for no limit. If it is left out, that of ``options()``, or
            else 10.

        Returns
        -------
        StatelessAnswer
            The decoded body, unchanged: ``user_id`` and the new ``state``. Read only its ``cohorts``.

        Raises
        ------
        PermutiveInvalidRequestError
            As :meth:`send` does.
        TypeError
            If `state` is not a mapping.

        Examples
        --------
        >>> user = Segmentation([Event("Pageview", "2025-07-01T15:39:11.594Z")], user_id="user-1")
        >>> first = user.send_stateless()
        >>> second = user.send_stateless(state=first["state"])
        """
        body = self._body()
        if state is not None:
            require_kind("state", state, Mapping)
            body["state"] = dict(state)
        return self._post(api_key, timeout, self._params(), url=_STATELESS_ENDPOINT, body=body)

    @classmethod
    def batch_send(
        cls,
        requests: Iterable[Segmentation],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: batch.ProgressCallback | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        executor: batch.Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[list[answers.SegmentationAnswer], batch.Failures]:
        """Ask for the cohorts of many users, one request each.

        Arguments have the same meaning as for ``Cohort.batch_create``, and `timeout` as for :meth:`send`.

        Returns
        -------
        bodies : list of SegmentationAnswer
            The decoded bodies of the requests that succeeded, in the order of `requests`.
        failures : list of (BatchRequest, Exception)
            The requests that failed. ``request.item`` is the Segmentation.

        Examples
        --------
        >>> users = [Segmentation([], user_id=f"user-{number}") for number in range(3)]
        >>> bodies, failures = Segmentation.batch_send(users)
        >>> [body["user_id"] for body in bodies]
        ['user-0', 'user-1', 'user-2']
        """
        options = batch.BatchOptions(
            "Segmentation.batch_send", api_key, max_workers, progress_callback, executor, journal
        )
        return Segmentation._batch_values(
            requests, lambda each: each._request(timeout, each._params()), options
        )

    @like(batch_send)
    def stream_send(
        cls, requests: Iterable[Segmentation], options: batch.BatchOptions, timeout: float | None
    ) -> Generator[batch.BatchResult[answers.SegmentationAnswer], None, None]:
        """Ask for the cohorts of the users of any iterable, one request each, in constant memory.

        Arguments have the same meaning as for :meth:`batch_send`. ``stream_batch`` says how to stop the
        stream, and what it raises.

        Yields
        ------
        BatchResult
            The results in the order of completion. `value` is the decoded body.

        Examples
        --------
        >>> users = (Segmentation([], user_id=f"user-{number}") for number in range(3))
        >>> sorted(result.value["user_id"] for result in Segmentation.stream_send(users))
        ['user-0', 'user-1', 'user-2']
        """
        return Segmentation._stream(
            requests, lambda each: each._request(timeout, each._params()), options
        )

    @staticmethod
    def _endpoint() -> str:
        return _API_ENDPOINT

    def _body(self) -> dict[str, Any]:
        require_several("events", self.events)
        if len(self.events) > _MOST_EVENTS:
            raise PermutiveInvalidRequestError(
                f"events: the service takes at most {_MOST_EVENTS} in one call, got "
                f"{len(self.events)}; send the parts that split() returns one after the other."
            )
        identify.require_one_user(user_id=self.user_id, alias=self.alias, aliases=self.aliases)
        data = self.to_json()
        if "alias" in data:
            data["alias"].pop("priority", None)  # The service takes a priority only in `aliases`.
        return data

    def _params(
        self, activations: bool | None = None, synchronous_validation: bool | None = None
    ) -> dict[str, str]:
        """Return the query parameters; the arguments of the call win over the attributes."""
        if activations is None:
            activations = self.activations
        if synchronous_validation is None:
            synchronous_validation = self.synchronous_validation
        return {
            "activations": "true" if activations else "false",
            "synchronous-validation": "true" if synchronous_validation else "false",
        }
