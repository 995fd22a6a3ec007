"""Identities: a user and the user's aliases.

Source of the facts: Permutive's Identity API v2.0.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Any

from requests import Response

from .._Utils import http
from .._Utils.arguments import length_of
from .._Utils.batch import (
    BatchOptions,
    BatchRequest,
    BatchResult,
    ProgressCallback,
    ReadingRequest,
    Responses,
)
from .._Utils.credentials import resolve_api_key
from .._Utils.resource import Resource, built_from
from . import _API_ENDPOINT  # pyright: ignore[reportPrivateUsage]
from .Alias import Alias

_API_PAYLOAD = ["user_id", "aliases"]


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

    def identify(self, api_key: str | None = None) -> None:
        """Tell the service that the aliases belong to the user.

        The service may resolve them to another user, one that it knew before.

        Parameters
        ----------
        api_key : str, optional
            The key; the default workspace's when it is left out.

        Raises
        ------
        ValueError
            If a value cannot be written as JSON, or no key is found.
        PermutiveAPIError
            If the service refuses it, or no answer came.
        """
        self._request_helper.post(
            api_key=resolve_api_key(api_key),
            url=_API_ENDPOINT,
            data=self._request_helper.to_payload(self, _API_PAYLOAD),
        )

    @classmethod
    def batch_identify(
        cls,
        identities: Iterable[Identity],
        *,
        api_key: str | None = None,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> Responses:
        """Send many identities, one request each.

        Arguments and results have the same meaning as for ``Cohort.batch_create``.
        """
        options = BatchOptions(
            "Identity.batch_identify",
            api_key,
            max_workers,
            progress_callback,
            executor,
            journal,
        )
        return http.run_batch([*_requests(identities)], options)

    @classmethod
    def stream_identify(
        cls,
        identities: Iterable[Identity],
        *,
        api_key: str | None = None,
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
            "Identity.stream_identify",
            api_key,
            max_workers,
            progress_callback,
            executor,
            journal,
        )
        return http.stream(_requests(identities), options, length_of(identities))


def _requests(identities: Iterable[Identity]) -> Iterator[BatchRequest]:
    built = built_from("identities", identities, Identity, _payload)
    return (
        ReadingRequest("POST", _API_ENDPOINT, json=payload, read=partial(_sent, each))
        for each, payload in built
    )


def _payload(identity: Identity) -> dict[str, Any]:
    return http.to_payload(identity, _API_PAYLOAD)


def _sent(identity: Identity, response: Response) -> Identity:
    """Return the identity; nothing is read from the answer."""
    return identity
