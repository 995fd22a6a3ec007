"""The parts of a batch: requests, results, options and progress. runner.py runs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Any, Generic, TypeVar, cast

import requests

from .. import settings
from ..redaction import redact_message
from ..retry.policy import RetryConfig
from ..settings import DEFAULT_TIMEOUT_SECONDS, DefaultTimeout

Value = TypeVar("Value")


class _UnreadTimeout(DefaultTimeout):
    """A timeout that nobody gave, before ``.env`` is read."""


_UNREAD = _UnreadTimeout(DEFAULT_TIMEOUT_SECONDS)


class _BatchTimeout:
    """The timeout of a request. The default is PERMUTIVE_BATCH_TIMEOUT_SECONDS.

    The process environment is read when the request is made. The file ``.env`` is read only when the
    timeout is read, since reading it for each request of a large batch would be slow.
    """

    def __get__(self, request: BatchRequest | None, owner: Any = None) -> float | None:
        if request is None:
            return _UNREAD
        timeout: float | None = request.__dict__["timeout"]
        if isinstance(timeout, _UnreadTimeout):
            return default_batch_timeout()
        return timeout

    def __set__(self, request: BatchRequest, timeout: float | None) -> None:
        if timeout is _UNREAD:
            timeout = _parsed_timeout(os.environ.get(settings.BATCH_TIMEOUT_SECONDS), _UNREAD)
        request.__dict__["timeout"] = timeout


def timeout_of(request: BatchRequest, default: float) -> float | None:
    """Return a request's timeout; `default` if nobody has given one."""
    timeout: float | None = vars(request)["timeout"]
    return default if isinstance(timeout, _UnreadTimeout) else timeout


def default_batch_timeout() -> DefaultTimeout:
    """Return the timeout that ``.env`` gives to requests."""
    return _parsed_timeout(settings.text_in_file(settings.BATCH_TIMEOUT_SECONDS))


def _parsed_timeout(
    text: str | None, default: DefaultTimeout = DEFAULT_TIMEOUT_SECONDS
) -> DefaultTimeout:
    if text is None or not text.strip():
        return default
    name = settings.BATCH_TIMEOUT_SECONDS
    return DefaultTimeout(settings.parsed_number(name, text.strip(), default))


@dataclass(repr=False)
class BatchRequest:
    """One request of a batch.

    Parameters
    ----------
    method : str
        GET, POST, PATCH or DELETE; case is ignored.
    url : str
        The URL.
    params : mapping, optional
        Query parameters, without the key.
    json : optional
        The body, as JSON data.
    headers : mapping, optional
        Headers that win over the default ones.
    timeout : float or None
        The time limit in seconds; None for no limit. If it is left out: that of ``options()``, or else
        PERMUTIVE_BATCH_TIMEOUT_SECONDS, or else 10.
    retry : RetryConfig, optional
        The retry policy.
    callback : callable, optional
        Called with the response of a success, in the caller's thread.
    error_callback : callable, optional
        Called with the exception of a failure, in the caller's thread.

    Attributes
    ----------
    item : object or None
        The model that a helper made the request for, or the id to fetch; None otherwise.

    Raises
    ------
    ValueError
        If PERMUTIVE_BATCH_TIMEOUT_SECONDS is needed and is not a positive number.

    Examples
    --------
    >>> url = "https://api.permutive.app/cohorts-api/v2/cohorts/"
    >>> request = BatchRequest("GET", url, params={"include-child-workspaces": "true"})
    >>> [result] = stream_batch([request])
    >>> len(result.response.json())
    42
    """

    method: str
    url: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    headers: Mapping[str, str] | None = None
    timeout: float | None = cast("Any", _BatchTimeout())
    retry: RetryConfig | None = None
    callback: Callable[[requests.Response], Any] | None = None
    error_callback: Callable[[Exception], Any] | None = None
    item: Any = field(default=None, init=False, compare=False)

    def __repr__(self) -> str:
        """Show every field that is not None, without secrets. If there is an item, it replaces the body."""
        hidden = {"json"} if self.item is not None else set[str]()
        values = (
            (each.name, getattr(self, each.name))
            for each in fields(BatchRequest)
            if each.name not in hidden
        )
        shown = (f"{name}={value!r}" for name, value in values if value is not None)
        return redact_message(f"BatchRequest({', '.join(shown)})")


class ReadingRequest(BatchRequest):
    """A request of a helper. The request fails if its response cannot be read.

    Parameters
    ----------
    item : object
        What it was made for.
    read : callable
        Returns the value of a response.
    refusal : Exception or None
        The error if it cannot be sent. Then it fails with this error, and the stream goes on.
    journal_body : dict or None
        The body that a journal recognises it by, if that is not ``json``.
    """

    def __init__(
        self,
        *arguments: Any,
        item: Any,
        read: Callable[[requests.Response], Any],
        refusal: Exception | None = None,
        journal_body: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.item = item
        # Private: users see this request in `failures`, and dir() must not show it.
        self._read = read
        self._refusal = refusal
        self._journal_body = journal_body


class MadeRequests:
    """Requests that are made from the items of an iterable, one at a time, when they are needed.

    Attributes
    ----------
    made_from : iterable
        The items. The runner checks whether it is a list or must be read in a thread.
    """

    def __init__(self, requests: Iterator[BatchRequest], made_from: Iterable[Any]) -> None:
        self._requests = requests
        self.made_from = made_from

    def __iter__(self) -> Iterator[BatchRequest]:
        """Make the requests."""
        return self._requests


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


# No strings: get_type_hints() of users reads these names in other modules, where they may be absent.
ProgressCallback = Callable[[Progress], Any]
Failures = list[tuple[BatchRequest, Exception]]
Responses = tuple[list[requests.Response], Failures]
Results = Generator[BatchResult[Any], None, None]


class BatchOptions:
    """How a batch runs: the arguments of ``http.process_batch``. Its repr() shows none of them, since one is the key.

    `helper` is the name of the helper that took them. A journal belongs to one helper.
    """

    def __init__(
        self,
        helper: str,
        api_key: str,
        max_workers: int | None = None,
        progress_callback: ProgressCallback | None = None,
        executor: Executor | None = None,
        journal: str | PathLike[str] | None = None,
    ) -> None:
        self.helper = helper
        self.api_key = api_key
        self.max_workers = max_workers
        self.progress_callback = progress_callback
        self.executor = executor
        self.journal = journal
