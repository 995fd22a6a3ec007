"""What a batch is made of: requests, results, options, and how far it has come. runner.py runs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, field, fields
from os import PathLike
from typing import Any, Generic, TypeVar, cast

import requests

from .. import settings
from ..redaction import redact_message
from ..retry.policy import RetryConfig
from ..settings import DEFAULT_TIMEOUT_SECONDS, DefaultTimeout
from .stream import Stream

Value = TypeVar("Value")
ProgressCallback = Callable[["Progress"], Any]
Failures = list[tuple["BatchRequest", Exception]]
Responses = tuple[list[requests.Response], Failures]
Results = Generator["BatchResult[Any]", None, None]


class _UnreadTimeout(DefaultTimeout):
    """A timeout that nobody gave, before ``.env`` is looked at."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _UnreadTimeout, (float(self),)


_UNREAD = _UnreadTimeout(DEFAULT_TIMEOUT_SECONDS)


class _BatchTimeout:
    """The field for a request's timeout: one that nobody gave is PERMUTIVE_BATCH_TIMEOUT_SECONDS.

    The process environment is read when the request is made. ``.env``, which is a file, is looked at
    only when the timeout is read: a batch of many requests would look at it for each.
    """

    def __get__(self, request: BatchRequest | None, owner: Any = None) -> float | None:
        if request is None:
            return _UNREAD
        timeout: float | None = request.__dict__["timeout"]
        if isinstance(timeout, _UnreadTimeout):
            return _parsed_timeout(settings.text_in_file(settings.BATCH_TIMEOUT_SECONDS))
        return timeout

    def __set__(self, request: BatchRequest, timeout: float | None) -> None:
        if timeout is _UNREAD:
            timeout = _parsed_timeout(os.environ.get(settings.BATCH_TIMEOUT_SECONDS), _UNREAD)
        request.__dict__["timeout"] = timeout


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
        The address.
    params : mapping, optional
        Query parameters, beside the key.
    json : optional
        The body, as JSON data.
    headers : mapping, optional
        Headers that win over the default ones.
    timeout : float or None
        Seconds; None waits without limit. Left out, that of ``options()``, else
        PERMUTIVE_BATCH_TIMEOUT_SECONDS, else 10.
    retry : RetryConfig, optional
        The retry policy.
    callback : callable, optional
        Called with the response of a success, in the caller's thread.
    error_callback : callable, optional
        Called with the exception of a failure, in the caller's thread.

    Attributes
    ----------
    item : object or None
        What a helper made the request for: the model, or the id of what is to be fetched.

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
    timeout: float | None = cast("Any", _BatchTimeout())
    retry: RetryConfig | None = None
    callback: Callable[[requests.Response], Any] | None = None
    error_callback: Callable[[Exception], Any] | None = None
    item: Any = field(default=None, init=False, compare=False)

    def __repr__(self) -> str:
        """Show every field that is not None, without secrets. The item stands in place of the body."""
        hidden = {"json"} if self.item is not None else set[str]()
        values = (
            (each.name, getattr(self, each.name))
            for each in fields(BatchRequest)
            if each.name not in hidden
        )
        shown = (f"{name}={value!r}" for name, value in values if value is not None)
        return redact_message(f"BatchRequest({', '.join(shown)})")


class ReadingRequest(BatchRequest):
    """A helper's request, whose response must also be read: where that fails, the request has failed.

    Parameters
    ----------
    item : object
        What it was made for.
    read : callable
        Returns the value of a response.
    refusal : Exception or None
        Why it cannot be sent. Then it fails with it, and the rest of its stream goes on.
    """

    def __init__(
        self,
        *arguments: Any,
        item: Any,
        read: Callable[[requests.Response], Any],
        refusal: Exception | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.item = item
        # Private: users see this request in `failures`, and dir() must not show it.
        self._read = read
        self._refusal = refusal


class MadeRequests:
    """Requests that are made from the items of an iterable, as they are asked for.

    Attributes
    ----------
    made_from : iterable
        The items. The runner looks whether they are at hand.
    """

    def __init__(self, requests: Iterator[BatchRequest], made_from: Iterable[Any]) -> None:
        self._requests = requests
        self.made_from = made_from

    def __iter__(self) -> Iterator[BatchRequest]:
        """Make the requests."""
        return self._requests


@dataclass(frozen=True)
class BatchResult(Generic[Value]):
    """What became of one request of a stream.

    Attributes
    ----------
    index : int
        Its position among the requests, from 0.
    batch_request : BatchRequest
        The request.
    response : requests.Response or None
        The service's response; None for a failure without one.
    value : object or None
        What the response was read as, for instance a decoded body; of ``stream_batch`` the response.
        None for a failure.
    error : Exception or None
        What it failed with; None for a success.
    """

    index: int
    batch_request: BatchRequest
    response: requests.Response | None
    value: Value | None
    error: Exception | None

    @property
    def item(self) -> Any:
        """What the helper made the request for: the model, or the id; None of a plain request."""
        return self.batch_request.item


@dataclass(frozen=True)
class Progress:
    """How far a batch has come, after one more of its requests.

    Attributes
    ----------
    completed : int
        Requests that succeeded or failed so far, and those that a journal says are done.
    total : int or None
        Requests of the batch; None for a stream without a length.
    errors : int
        Requests that failed so far.
    batch_request : BatchRequest
        The request that completed just now.
    elapsed_seconds : float
        Seconds since the batch began.
    average_per_thousand_seconds : float or None
        Seconds that 1,000 requests take at the pace so far; None before anything was sent.
    """

    completed: int
    total: int | None
    errors: int
    batch_request: BatchRequest
    elapsed_seconds: float
    average_per_thousand_seconds: float | None

    @property
    def skipped(self) -> int:
        """Of the completed requests, those that a journal says are done: they took no time."""
        if self.average_per_thousand_seconds is None:
            return self.completed
        if self.average_per_thousand_seconds == 0:
            return 0  # A coarse clock, by which nothing took any time.
        sent = self.elapsed_seconds / self.average_per_thousand_seconds * 1000
        return self.completed - round(sent)

    @property
    def requests_per_second(self) -> float | None:
        """Requests that a second takes at the pace so far; None before anything was sent."""
        if not self.average_per_thousand_seconds:
            return None
        return 1000 / self.average_per_thousand_seconds

    @property
    def remaining_seconds(self) -> float | None:
        """Seconds that the rest takes at the pace so far; None where the total or the pace is unknown."""
        if self.total is None or self.average_per_thousand_seconds is None:
            return None
        return (self.total - self.completed) * self.average_per_thousand_seconds / 1000


@dataclass(frozen=True)
class BatchOptions:
    """How a batch runs: what the arguments of the helpers say.

    Attributes
    ----------
    helper : str
        The helper that was called; a journal belongs to one helper.
    api_key : str, optional
        The key; the default key if it is left out.
    max_workers : int, optional
        How many requests run at a time; PERMUTIVE_BATCH_MAX_WORKERS when it is left out, and else
        Python's own number.
    progress_callback : callable, optional
        Called with a :class:`Progress` after each request, in the caller's thread.
    executor : concurrent.futures.Executor, optional
        Where the requests run; threads of their own when it is left out. It is not shut down.
    journal : str or Path, optional
        A file that keeps what is done, so that the same job, started again, sends only the rest.
    """

    helper: str
    api_key: str = field(repr=False)
    max_workers: int | None = None
    progress_callback: ProgressCallback | None = None
    executor: Executor | None = None
    journal: str | PathLike[str] | None = None


def collected(
    results: Results, part: Callable[[BatchResult[Any]], Value]
) -> tuple[list[Value], Failures]:
    """Take a part of each success of a stream, in the order of the requests, and the failures."""
    parts: dict[int, Value] = {}
    failures: Failures = []
    if isinstance(results, Stream):
        results.finish_at_exit()
    with closing(results):
        for result in results:
            if result.error is None:
                parts[result.index] = part(result)
            else:
                failures.append((result.batch_request, result.error))
    return [parts[index] for index in sorted(parts)], failures
