"""Context: the cohorts that fit a page, whoever reads it.

Source of the facts: Permutive's Contextual API v1.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from ._Utils import http
from ._Utils.arguments import require_filled
from ._Utils.batch.types import BatchOptions, Failures, ProgressCallback, ReadingRequest
from ._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from ._Utils.json import to_payload
from ._Utils.resources.answers import read_object
from ._Utils.resources.base import Resource, built_from
from ._Utils.settings import DEFAULT_TIMEOUT_SECONDS
from .answers import ContextAnswer

_API_ENDPOINT = "https://api.permutive.com/ctx/v1/segment"
_API_PAYLOAD = ["url", "page_properties"]


@dataclass
class ContextSegment(Resource):
    """A question to the service: which cohorts fit this page.

    Parameters
    ----------
    url : str
        The page's address.
    page_properties : dict
        What is known of the page, kept and sent as it is. Permutive documents ``client`` with
        ``url``, ``domain``, ``referrer``, ``type``, ``user_agent`` and ``title``.
    """

    url: str
    page_properties: dict[str, Any] = field(default_factory=lambda: {})

    def send(
        self, api_key: str = DEFAULT_API_KEY, timeout: float | None = DEFAULT_TIMEOUT_SECONDS
    ) -> ContextAnswer:
        """Ask the service.

        Parameters
        ----------
        api_key : str, optional
            The key; the default key if it is left out.
        timeout : float or None
            Seconds; None waits without limit.

        Returns
        -------
        ContextAnswer
            The service's answer as it is: ``cohorts`` (codes as texts), ``activations`` and
            ``contextual_data``.

        Raises
        ------
        ValueError
            If the address is empty, a value cannot be written as JSON, or no key is found.
        PermutiveAPIError
            If the service refuses it, or no answer came.
        """
        response = self._request_helper.request(
            method="POST",
            api_key=resolve_api_key(api_key),
            url=_API_ENDPOINT,
            params=None,
            json=self._body(),
            timeout=timeout,
        )
        return read_object(response)

    @classmethod
    def batch_send(
        cls,
        pages: Iterable[ContextSegment],
        *,
        api_key: str = DEFAULT_API_KEY,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        timeout: float | None = DEFAULT_TIMEOUT_SECONDS,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> tuple[list[ContextAnswer], Failures]:
        """Ask for many pages, one request each.

        Arguments have the same meaning as for ``Cohort.batch_create``, and `timeout` as for :meth:`send`.

        Returns
        -------
        bodies : list of ContextAnswer
            The decoded answers of those that succeeded, in the order of the pages.
        failures : list of (BatchRequest, Exception)
            Those that failed.
        """
        options = BatchOptions(
            "ContextSegment.batch_send", api_key, max_workers, progress_callback, executor, journal
        )
        built = built_from("pages", pages, ContextSegment, ContextSegment._body)
        batch = [
            ReadingRequest(
                "POST", _API_ENDPOINT, json=payload, timeout=timeout, item=page, read=read_object
            )
            for page, payload in built
        ]
        return http.batch_runner().collect_values(batch, options)

    def _body(self) -> dict[str, Any]:
        require_filled("url", self.url)
        return to_payload(self, _API_PAYLOAD)
