"""Contextual targeting: the cohorts that fit a page, without a user.

Source of the facts: Permutive's Contextual API v1.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Any

from ._Utils.arguments import require_filled
from ._Utils.batch.types import BatchOptions, Failures, ProgressCallback
from ._Utils.credentials import DEFAULT_API_KEY
from ._Utils.json import to_payload
from ._Utils.resources.posted import Posted
from ._Utils.settings import DEFAULT_TIMEOUT_SECONDS
from .answers import ContextAnswer

_API_ENDPOINT = "https://api.permutive.com/ctx/v1/segment"
_API_PAYLOAD = ["url", "page_properties"]


@dataclass
class ContextSegment(Posted):
    """A page, to ask the service which cohorts fit it.

    Every call takes `api_key`. If it is left out, the default key is used: PERMUTIVE_API_KEY, or else
    the key of ``Workspace.from_env()``. Every call raises ValueError if it finds no key or a value
    cannot be written as JSON, and PermutiveAPIError if the service refuses the request or no response
    comes.

    Parameters
    ----------
    url : str
        The URL of the page.
    page_properties : dict
        The properties of the page, sent unchanged. Permutive documents ``client`` with ``url``,
        ``domain``, ``referrer``, ``type`` (web, ios or android), ``user_agent`` and ``title``; others
        are allowed.

    Examples
    --------
    >>> page = ContextSegment("https://example.com/sport/", {"client": {"title": "Sport"}})
    >>> page.send()["cohorts"][:2]
    ['12345', '12346']
    """

    url: str
    page_properties: dict[str, Any] = field(default_factory=lambda: {})

    _plural = "pages"

    def send(
        self, api_key: str = DEFAULT_API_KEY, timeout: float | None = DEFAULT_TIMEOUT_SECONDS
    ) -> ContextAnswer:
        """Ask the service for the cohorts that fit the page.

        Parameters
        ----------
        api_key : str, optional
            The key.
        timeout : float or None
            The time limit in seconds; None for no limit. If it is left out, that of ``options()``, or
            else 10.

        Returns
        -------
        ContextAnswer
            The decoded body, unchanged: ``cohorts`` (codes as texts), ``activations`` and
            ``contextual_data``.

        Raises
        ------
        ValueError
            If the URL is empty.

        Examples
        --------
        >>> found = ContextSegment("https://example.com/sport/").send()
        >>> found["contextual_data"]["classifications"]["keywords"][0]["value"]
        'sport'
        """
        return self._post(api_key, timeout)

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
        """Ask for the cohorts of many pages, one request each.

        Arguments have the same meaning as for ``Cohort.batch_create``, and `timeout` as for :meth:`send`.

        Returns
        -------
        bodies : list of ContextAnswer
            The decoded bodies of the requests that succeeded, in the order of the pages.
        failures : list of (BatchRequest, Exception)
            The requests that failed. ``request.item`` is the page.

        Examples
        --------
        >>> pages = [ContextSegment(f"https://example.com/{name}/") for name in ("sport", "food")]
        >>> bodies, failures = ContextSegment.batch_send(pages)
        >>> len(bodies), failures
        (2, [])
        """
        options = BatchOptions(
            "ContextSegment.batch_send", api_key, max_workers, progress_callback, executor, journal
        )
        request_of = partial(ContextSegment._request, timeout=timeout)
        return ContextSegment._batch_values(pages, request_of, options)

    @staticmethod
    def _endpoint() -> str:
        return _API_ENDPOINT

    def _body(self) -> dict[str, Any]:
        require_filled("url", self.url)
        return to_payload(self, _API_PAYLOAD)
