"""What a batch is made of: its requests, and how far it has come. engine.py runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import requests

from . import settings
from .redaction import redact_message
from .retry import RetryConfig

ProgressCallback = Callable[["Progress"], Any]
Failures = list[tuple["BatchRequest", Exception]]


@dataclass(repr=False)
class BatchRequest:
    """One request of a batch.

    Parameters
    ----------
    method : str
        GET, POST, PATCH or DELETE; case is ignored.
    url : str
        The address.
    params : mapping, optional
        Query parameters, beside the key.
    json : optional
        The body, as JSON data.
    headers : mapping, optional
        Headers that win over the default ones.
    timeout : float or None
        Seconds; 10.0 or PERMUTIVE_BATCH_TIMEOUT_SECONDS when it is left out, no limit when None.
    retry : RetryConfig, optional
        The retry policy.
    callback : callable, optional
        Called with the response of a success, in the caller's thread.
    error_callback : callable, optional
        Called with the exception of a failure, in the caller's thread.

    Raises
    ------
    ValueError
        If PERMUTIVE_BATCH_TIMEOUT_SECONDS is needed and is not a positive number.
    """

    method: str
    url: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    headers: Mapping[str, str] | None = None
    timeout: float | None = field(
        default_factory=lambda: settings.number(
            settings.BATCH_TIMEOUT_SECONDS, settings.DEFAULT_TIMEOUT_SECONDS
        )
    )
    retry: RetryConfig | None = None
    callback: Callable[[requests.Response], Any] | None = None
    error_callback: Callable[[Exception], Any] | None = None

    def __repr__(self) -> str:
        """Show every field that says something, without secrets."""
        values = (
            (each.name, getattr(self, each.name)) for each in fields(BatchRequest)
        )
        shown = (f"{name}={value!r}" for name, value in values if value is not None)
        return redact_message(f"BatchRequest({', '.join(shown)})")


@dataclass(repr=False, kw_only=True)
class ReadingRequest(BatchRequest):
    """A request whose answer must also be read: where that fails, the request has failed."""

    read: Callable[[requests.Response], Any]


@dataclass(frozen=True)
class Progress:
    """How far a batch has come, after one more of its requests.

    Attributes
    ----------
    completed : int
        Requests that succeeded or failed so far.
    total : int
        Requests of the batch.
    errors : int
        Requests that failed so far.
    batch_request : BatchRequest
        The request that completed just now.
    elapsed_seconds : float
        Seconds since the batch began.
    average_per_thousand_seconds : float or None
        Seconds that 1,000 requests take at the pace so far; None before anything completed.
    """

    completed: int
    total: int
    errors: int
    batch_request: BatchRequest
    elapsed_seconds: float
    average_per_thousand_seconds: float | None
