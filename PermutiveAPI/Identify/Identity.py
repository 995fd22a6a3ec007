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
from .._Utils.arguments import length_of, require_filled, require_kind
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
from .._Utils.resources.answers import read_answer
from .._Utils.resources.base import Resource, built_from, streamed_from
from .._Utils.resources.urls import resource_url
from . import _API_ENDPOINT  # pyright: ignore[reportPrivateUsage]
from .Alias import Alias, KnownAlias

_API_PAYLOAD = ["user_id", "aliases"]
_USERS_ENDPOINT = "https://api.permutive.com/v2.0/users"


@dataclass
class Identity(Resource):
    """A user and the user's aliases.

    Parameters
    ----------
    user_id : str
        The user's id.
    aliases : list of Alias
        The names that the user is known by elsewhere; an empty list is sent as it is.
    """

    user_id: str
    aliases: list[Alias]

    def identify(self, api_key: str = DEFAULT_API_KEY) -> None:
        """Tell the service that the aliases belong to the user.

        The service may resolve them to another user, one that it knew before.

        Parameters
        ----------
        api_key : str, optional
            The key; the default key if it is left out.

        Raises
        ------
        ValueError
            If a value cannot be written as JSON, or no key is found.
        PermutiveAPIError
            If the service refuses it, or no answer came.
        """
        self._post(api_key)

    def resolve(self, api_key: str = DEFAULT_API_KEY) -> str:
        """Do as :meth:`identify` does, and return the user whom the aliases name now.

        That may be another one than the one that was sent: store it.

        Returns
        -------
        str
            The user's id.

        Raises
        ------
        ValueError
            If a value cannot be written as JSON, or no key is found.
        PermutiveAPIError
            If the service refuses it, no answer came, or the answer names no user.
        """
        return _user_of(self._post(api_key))

    @staticmethod
    def create_user(api_key: str = DEFAULT_API_KEY) -> str:
        """Let the service make a new user, and return the id.

        Raises
        ------
        ValueError
            If no key is found.
        PermutiveAPIError
            As for :meth:`resolve`. It is not sent again after a failure that may have come after it
            was processed.
        """
        api_key = resolve_api_key(api_key)
        response = Identity._request_helper.post(api_key=api_key, url=_USERS_ENDPOINT, data=None)
        return read_answer(partial(_member, "id"), response)

    @staticmethod
    def list_aliases(user_id: str, api_key: str = DEFAULT_API_KEY) -> list[KnownAlias]:
        """Fetch the aliases that name a user; it takes a private key.

        Raises
        ------
        ValueError
            If the id is empty, or no key is found.
        PermutiveAPIError
            If they cannot be fetched.
        """
        url = resource_url(_USERS_ENDPOINT, "{user_id}/aliases", user_id=user_id)
        api_key = resolve_api_key(api_key)
        response = Identity._request_helper.get(api_key=api_key, url=url)
        return read_answer(_aliases, response)

    def _post(self, api_key: str) -> Any:
        return self._request_helper.post(
            api_key=resolve_api_key(api_key),
            url=_API_ENDPOINT,
            data=self._request_helper.to_payload(self, _API_PAYLOAD),
        )

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
        """
        options = BatchOptions(
            "Identity.batch_identify", api_key, max_workers, progress_callback, executor, journal
        )
        return http.batch_runner().collect(_requests(identities, _sent), options)

    @classmethod
    def stream_identify(
        cls,
        identities: Iterable[Identity],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Generator[BatchResult[Identity], None, None]:
        """Send identities as they come from any iterable, in constant memory.

        Arguments have the same meaning as for ``Cohort.batch_create``; how the stream is stopped, and
        what it raises, stands at ``stream_batch``.

        Yields
        ------
        BatchResult
            In the order of completion. Its `value` is the identity that was sent.
        """
        options = BatchOptions(
            "Identity.stream_identify", api_key, max_workers, progress_callback, executor, journal
        )
        batch = _stream(identities, _sent)
        return http.batch_runner().stream(batch, options, length_of(identities))

    @classmethod
    def batch_resolve(
        cls,
        identities: Iterable[Identity],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[list[tuple[Identity, str]], Failures]:
        """Resolve many identities as by :meth:`resolve`, one request each.

        Arguments have the same meaning as for ``Cohort.batch_create``.

        Returns
        -------
        resolved : list of (Identity, str)
            Those that succeeded with their users' ids, in the order of the identities.
        failures : list of (BatchRequest, Exception)
            Those that failed.
        """
        options = BatchOptions(
            "Identity.batch_resolve", api_key, max_workers, progress_callback, executor, journal
        )
        batch = _requests(identities, _resolved)
        return http.batch_runner().collect_values(batch, options)

    @classmethod
    def stream_resolve(
        cls,
        identities: Iterable[Identity],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Generator[BatchResult[tuple[Identity, str]], None, None]:
        """Resolve identities as they come from any iterable; see :meth:`stream_identify`.

        Yields
        ------
        BatchResult
            In the order of completion. Its `value` is the identity and the user's id.
        """
        options = BatchOptions(
            "Identity.stream_resolve", api_key, max_workers, progress_callback, executor, journal
        )
        batch = _stream(identities, _resolved)
        return http.batch_runner().stream(batch, options, length_of(identities))


def _request(read: Callable[[Identity, Response], Any], identity: Identity) -> BatchRequest:
    return ReadingRequest(
        "POST",
        _API_ENDPOINT,
        json=http.to_payload(identity, _API_PAYLOAD),
        item=identity,
        read=partial(read, identity),
    )


def _requests(
    identities: Iterable[Identity], read: Callable[[Identity, Response], Any]
) -> list[BatchRequest]:
    built = built_from("identities", identities, Identity, partial(_request, read))
    return [each for _, each in built]


def _stream(
    identities: Iterable[Identity], read: Callable[[Identity, Response], Any]
) -> Iterable[BatchRequest]:
    build = partial(_request, read)
    return streamed_from("identities", identities, Identity, build, _API_ENDPOINT)


def _sent(identity: Identity, response: Response) -> Identity:
    """Return the identity; nothing is read from the answer."""
    return identity


def _resolved(identity: Identity, response: Response) -> tuple[Identity, str]:
    return identity, _user_of(response)


def _user_of(response: Any) -> str:
    return read_answer(partial(_member, "user_id"), response)


def _member(name: str, data: Any) -> str:
    require_kind("the answer", data, dict)
    value = data.get(name)
    require_kind(name, value, str)
    require_filled(name, value)
    return value


def _aliases(data: Any) -> list[KnownAlias]:
    return [KnownAlias.from_json(each) for each in load_json_list(data, "aliases")]
