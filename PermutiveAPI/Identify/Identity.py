"""Identities: a user and the user's aliases.

Source of the facts: Permutive's Identity API v2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Any

from requests import Response

from .._Utils import http
from .._Utils.arguments import require_filled, require_kind
from .._Utils.batch.types import (
    BatchOptions,
    BatchRequest,
    BatchResult,
    Failures,
    ProgressCallback,
    ReadingRequest,
    Responses,
)
from .._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from .._Utils.json import load_json_list
from .._Utils.resources.helpers import like
from .._Utils.resources.posted import Posted
from .._Utils.resources.responses import read_response
from .._Utils.resources.urls import resource_url
from . import _API_ENDPOINT  # pyright: ignore[reportPrivateUsage] -- the name of 5.4.4
from .Alias import Alias, KnownAlias

_API_PAYLOAD = ["user_id", "aliases"]
_USERS_ENDPOINT = "https://api.permutive.com/v2.0/users"


@dataclass
class Identity(Posted):
    """A user and the user's aliases.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, or else
    the key of ``Workspace.from_env()``. Every call raises ValueError if it finds no key or a value
    cannot be written as JSON, and PermutiveAPIError if the service refuses the request or no response
    comes.

    Parameters
    ----------
    user_id : str
        The user's id.
    aliases : list of Alias
        The user's ids in other systems. An empty list is sent, too.

    Examples
    --------
    >>> identity = Identity("user-1", [Alias("ada@example.com", "email", 0)])
    >>> identity.identify()
    """

    user_id: str
    aliases: list[Alias]

    _plural = "identities"

    def identify(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Tell the service that the aliases belong to the user.

        If the service knows one of the aliases already, it may map them to another user: see
        :meth:`resolve`.

        Examples
        --------
        >>> Identity("user-1", [Alias("ada@example.com", "email", 0)]).identify()
        """
        self._send_aliases(api_key)

    def resolve(self, api_key: str = DEFAULT_API_KEY) -> str:
        """Do the same as :meth:`identify`, and return the id of the user that the aliases now belong to.

        This id may differ from the one that was sent. Store it, and use it from then on.

        Examples
        --------
        >>> Identity("user-1", [Alias("ada@example.com", "email", 0)]).resolve()
        'user-1'
        >>> Identity("user-2", [Alias("ada@example.com", "email", 0)]).resolve()
        'user-1'
        """
        return _user_of(self._send_aliases(api_key))

    @staticmethod
    def create_user(api_key: str = DEFAULT_API_KEY) -> str:
        """Let the service create a user, and return its id.

        If the outcome of a request is unknown, it is not repeated, since the service may have
        created a user already.

        Examples
        --------
        >>> user_id = Identity.create_user()
        >>> len(user_id)
        36
        """
        api_key = resolve_api_key(api_key)
        response = Identity._request_helper.post(api_key=api_key, url=_USERS_ENDPOINT, data=None)
        return read_response(partial(_member, "id"), response)

    @staticmethod
    def list_aliases(user_id: str, api_key: str = DEFAULT_API_KEY) -> list[KnownAlias]:
        """Fetch the aliases of a user. This call needs a private key.

        Examples
        --------
        >>> Identity("user-1", [Alias("ada@example.com", "email", 0)]).identify()
        >>> [alias.id for alias in Identity.list_aliases("user-1")]
        ['ada@example.com']
        """
        url = resource_url(_USERS_ENDPOINT, "{user_id}/aliases", user_id=user_id)
        api_key = resolve_api_key(api_key)
        response = Identity._request_helper.get(api_key=api_key, url=url)
        return read_response(_aliases, response)

    @classmethod
    def batch_identify(
        cls,
        identities: Iterable[Identity],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Send many identities, one request each.

        Arguments and results have the same meaning as for ``Cohort.batch_create``.

        Examples
        --------
        >>> users = {"user-1": "ada@example.com", "user-2": "bob@example.com"}
        >>> identities = [Identity(id, [Alias(mail, "email", 0)]) for id, mail in users.items()]
        >>> responses, failures = Identity.batch_identify(identities)
        >>> len(responses), failures
        (2, [])
        """
        options = BatchOptions(
            "Identity.batch_identify", api_key, max_workers, progress_callback, executor, journal
        )
        batch = Identity._requests(identities, partial(_request, _sent))
        return http.batch_runner().collect(batch, options)

    @like(batch_identify)
    def stream_identify(
        cls, identities: Iterable[Identity], options: BatchOptions
    ) -> Generator[BatchResult[Identity], None, None]:
        """Send the identities of any iterable, one request each, in constant memory.

        Arguments have the same meaning as for ``Cohort.batch_create``. ``stream_batch`` says how to stop
        the stream, and what it raises.

        Yields
        ------
        BatchResult
            The results in the order of completion. `value` is the identity that was sent.

        Examples
        --------
        >>> identities = (Identity(f"user-{number}", []) for number in range(3))
        >>> for result in Identity.stream_identify(identities):
        ...     assert result.error is None
        """
        return Identity._stream(identities, partial(_request, _sent), options)

    @like(batch_identify)
    def batch_resolve(
        cls, identities: Iterable[Identity], options: BatchOptions
    ) -> tuple[list[tuple[Identity, str]], Failures]:
        """Resolve many identities as by :meth:`resolve`, one request each.

        Arguments have the same meaning as for ``Cohort.batch_create``.

        Returns
        -------
        resolved : list of (Identity, str)
            The identities that succeeded, each with the id of its user, in the order of the identities.
        failures : list of (BatchRequest, Exception)
            The requests that failed. ``request.item`` is the identity.

        Examples
        --------
        >>> identity = Identity("user-1", [Alias("ada@example.com", "email", 0)])
        >>> resolved, failures = Identity.batch_resolve([identity])
        >>> [user_id for identity, user_id in resolved]
        ['user-1']
        """
        return Identity._batch_values(identities, partial(_request, _resolved), options)

    @like(batch_identify)
    def stream_resolve(
        cls, identities: Iterable[Identity], options: BatchOptions
    ) -> Generator[BatchResult[tuple[Identity, str]], None, None]:
        """Resolve the identities of any iterable; see :meth:`stream_identify`.

        Yields
        ------
        BatchResult
            The results in the order of completion. `value` is the identity and the id of its user.

        Examples
        --------
        >>> identity = Identity("user-1", [Alias("ada@example.com", "email", 0)])
        >>> [result.value[1] for result in Identity.stream_resolve([identity])]
        ['user-1']
        """
        return Identity._stream(identities, partial(_request, _resolved), options)

    @staticmethod
    def _endpoint() -> str:
        return _API_ENDPOINT

    def _send_aliases(self, api_key: str) -> Any:
        return self._request_helper.post(
            api_key=resolve_api_key(api_key),
            url=_API_ENDPOINT,
            data=self._request_helper.to_payload(self, _API_PAYLOAD),
        )


def _request(read: Callable[[Identity, Response], Any], identity: Identity) -> BatchRequest:
    return ReadingRequest(
        "POST",
        _API_ENDPOINT,
        json=http.to_payload(identity, _API_PAYLOAD),
        item=identity,
        read=partial(read, identity),
    )


def _sent(identity: Identity, response: Response) -> Identity:
    """Return the identity. Nothing is read from the response."""
    return identity


def _resolved(identity: Identity, response: Response) -> tuple[Identity, str]:
    return identity, _user_of(response)


def _user_of(response: Any) -> str:
    return read_response(partial(_member, "user_id"), response)


def _member(name: str, data: Any) -> str:
    require_kind("the response", data, dict)
    value = data.get(name)
    require_kind(name, value, str)
    require_filled(name, value)
    return value


def _aliases(data: Any) -> list[KnownAlias]:
    return [KnownAlias.from_json(each) for each in load_json_list(data, "aliases")]
