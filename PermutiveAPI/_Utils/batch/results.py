"""What comes back from a batch: results and progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import requests

from .types import BatchRequest

Value = TypeVar("Value")


@dataclass(frozen=True)
class BatchResult(Generic[Value]):
    """The result of one request of a stream.

    Attributes
    ----------
    index : int
        Its position among the requests, from 0.
    batch_request : BatchRequest
        The request.
    response : requests.Response or None
        The service's response; None for a failure without one.
    value : object or None
        The value of the response, for instance the decoded body; for ``stream_batch`` the response
        itself. None for a failure.
    error : Exception or None
        The error of a failure; None for a success.

    Examples
    --------
    >>> [result] = Segmentation.stream_send([Segmentation([], user_id="user-1")])
    >>> result.error, result.item.user_id, result.response.status_code, result.value["user_id"]
    (None, 'user-1', 200, 'user-1')
    """

    index: int
    batch_request: BatchRequest
    response: requests.Response | None
    value: Value | None
    error: Exception | None

    @property
    def item(self) -> Any:
        """The model that a helper made the request for, or the id to fetch; None for a plain request."""
        return self.batch_request.item


@dataclass(frozen=True)
class Progress:
    """The progress of a batch, after each of its requests.

    Attributes
    ----------
    completed : int
        How many requests have succeeded or failed, including those that a journal skips.
    total : int or None
        How many requests the batch has; None for a stream without a length.
    errors : int
        How many requests have failed.
    batch_request : BatchRequest
        The request that has just completed.
    elapsed_seconds : float
        Seconds since the batch began.
    average_per_thousand_seconds : float or None
        How many seconds 1,000 requests take at the present rate; None before a request was sent.
    skipped : int
        How many of the completed requests a journal skipped.

    Examples
    --------
    >>> def show(progress: Progress) -> None:
    ...     print(f"{progress.completed}/{progress.total}, errors: {progress.errors}")
    >>> cohort = Cohort("Runners", query={"in_segment": 12345})
    >>> responses, failures = Cohort.batch_create([cohort], progress_callback=show)
    1/1, errors: 0
    """

    completed: int
    total: int | None
    errors: int
    batch_request: BatchRequest
    elapsed_seconds: float
    average_per_thousand_seconds: float | None
    skipped: int = 0

    @property
    def requests_per_second(self) -> float | None:
        """How many requests complete in a second, on average; None before a request was sent."""
        if not self.average_per_thousand_seconds:
            return None
        return 1000 / self.average_per_thousand_seconds

    @property
    def remaining_seconds(self) -> float | None:
        """How many seconds the rest takes at the present rate; None if the total or the rate is unknown."""
        if self.total is None or self.average_per_thousand_seconds is None:
            return None
        return (self.total - self.completed) * self.average_per_thousand_seconds / 1000
