"""Identities: a user and the user's aliases.

Source of the facts: Permutive's Identity API v2.0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .._Utils import http
from .._Utils.batch import BatchRequest, ProgressCallback
from .._Utils.credentials import resolve_api_key
from .._Utils.resource import BatchResult, Resource, built_from
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
    ) -> BatchResult:
        """Send many identities, one request each.

        Arguments and results have the same meaning as for ``Cohort.batch_create``.
        """
        batch = [
            BatchRequest("POST", _API_ENDPOINT, json=payload)
            for _, payload in built_from("identities", identities, cls, _payload)
        ]
        return http.process_batch(
            batch,
            api_key=api_key,
            max_workers=max_workers,
            progress_callback=progress_callback,
        )


def _payload(identity: Identity) -> dict[str, Any]:
    return http.to_payload(identity, _API_PAYLOAD)
