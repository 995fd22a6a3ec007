"""Runs batches: requests are sent by workers, their results read, recorded and told.

It sends through a function it is given, on executors of a class it is given. How calls run on workers
stands in workers.py.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import requests

from .. import settings
from ..arguments import listed, require_iterable, require_kind
from ..base_url import actual_url, origin_of
from ..cancellation import Cancellation, RequestPostponed, attempts_spent, batch_position
from ..credentials import KeyForHeader, resolve_api_key
from ..redaction import redact_message, redact_secret, request_for_logs
from ..retry.policy import InheritedRetryConfig, default_policy
from .progress_bar import ProgressBar, progress_bar
from .reader import AtHand, Nothing, Source, source_of
from .stream import Stream
from .types import BatchOptions, BatchRequest, BatchResult, Progress, ReadingRequest, Results
from .workers import CallLater, NewExecutor, borrowed_executor, own_executor, run_on_workers

if TYPE_CHECKING:
    from .journal import Journal

Item = TypeVar("Item")
Value = TypeVar("Value")
Send = Callable[..., requests.Response]

# Workers that fetch the details of a list when PERMUTIVE_BATCH_MAX_WORKERS does not say.
_DETAIL_WORKERS = 16

logger = logging.getLogger("PermutiveAPI")


def stream(
    requests: Iterable[BatchRequest],
    options: BatchOptions,
    *,
    send: Send,
    new_executor: Callable[..., Any],
    total: int | None,
    context: Context | None = None,
) -> Results:
    """Send requests as they come, and yield what became of each as it completes.

    Parameters
    ----------
    requests : iterable of BatchRequest
        What to send; taken only as fast as the workers get on. A list or a tuple, and what is made from
        one, is read in the caller's thread, anything else in one of its own.
    options : BatchOptions
        How to run.
    send : callable
        ``http.request``, or what a test has put in its place.
    new_executor : callable
        Makes the executor from ``max_workers``.
    total : int or None
        How many requests there are, where that is known.
    context : contextvars.Context, optional
        What the workers run in; the caller's when it is left out.

    Returns
    -------
    generator of BatchResult
        Closing it, in any thread, or leaving a loop over it, stops the rest.

    Raises
    ------
    ValueError, TypeError
        If an option is invalid, or no key is found; at once, before anything is sent.
    """
    workers = _checked_workers(options.max_workers)
    _check_options(options)
    borrowed = options.executor
    require_iterable("requests", requests)
    if total == 0:
        return _no_results()
    executor = (
        own_executor(new_executor, workers) if borrowed is None else borrowed_executor(borrowed)
    )
    batch = Cancellation()
    run = _Run(options, total)
    source = _Outgoings(run, source_of(requests, context))
    results = _results(run, source, workers, send, executor, batch, context)
    return Stream(results, batch)


def run_concurrently(
    function: Callable[[Item], Value],
    items: Sequence[Item],
    *,
    new_executor: Callable[..., Any],
    context: Context | None = None,
) -> list[Value]:
    """Call a function for every item, several at a time, and return the results in order.

    PERMUTIVE_BATCH_MAX_WORKERS sets how many at a time, 16 unless set. The first failure is raised,
    and what has not been sent by then is not sent.
    """
    if not items:
        return []
    workers = settings.count(settings.BATCH_MAX_WORKERS) or _DETAIL_WORKERS
    workers = min(workers, len(items))
    results: dict[int, Value] = {}
    executor = own_executor(new_executor, workers)
    batch = Cancellation()
    done = run_on_workers(function, AtHand(items), workers, executor, batch=batch, context=context)
    with closing(Stream(done, batch)) as done:
        for position, _, future in done:
            results[position] = future.result()
    return [results[position] for position in range(len(items))]


def checked_requests(items: Iterable[Any]) -> list[BatchRequest]:
    """Return the requests of a batch, all of them checked."""
    batch = listed("requests", items)
    for position, item in enumerate(batch):
        require_kind(f"requests[{position}]", item, BatchRequest)
    return batch


def _check_options(options: BatchOptions) -> None:
    callback = options.progress_callback
    if callback is not None and not callable(callback):
        raise TypeError(f"progress_callback must be callable, got {callback!r}.")
    if callback is progress_bar:
        raise TypeError("progress_callback must be progress_bar(), with parentheses.")
    executor = options.executor
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(f"executor must have submit(), got {executor!r}.")
    if isinstance(executor, type):
        raise TypeError(f"executor must be an object, got the class {executor!r}.")
    journal: Any = options.journal
    if not isinstance(journal, (str, os.PathLike, type(None))):
        raise TypeError(f"journal must be a path, got {journal!r}.")
    if journal == "":
        raise ValueError("journal must be a path, got an empty text.")


def _checked_workers(max_workers: Any) -> int | None:
    if max_workers is None:
        return settings.count(settings.BATCH_MAX_WORKERS)
    if not isinstance(max_workers, int) or isinstance(max_workers, bool):
        raise TypeError(f"max_workers must be a whole number, got {max_workers!r}.")
    if max_workers < 1:
        raise ValueError(f"max_workers must be at least 1, got {max_workers!r}.")
    return max_workers


# --- Running -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Outgoing:
    """A request that is to be sent, its position, what a journal knows it by, and its attempts so far."""

    index: int
    request: BatchRequest
    digest: str | None = None
    refusal: Exception | None = None
    attempts: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what another process needs: callbacks stay, and settings of this process go along."""
        request = self.request
        stripped = BatchRequest(
            request.method,
            actual_url(request.url),
            request.params,
            request.json,
            request.headers,
            request.timeout,
            request.retry or InheritedRetryConfig(**vars(default_policy())),
        )
        return type(self), (self.index, stripped)


class _Failed:
    """What a request failed with. Workers return it, since clusters log what their calls raise."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Sending:
    """Sends one request, here or in another process. Its text shows no key."""

    def __init__(self, send: Send, api_key: str) -> None:
        self._send = send
        self._api_key = api_key
        self._postpones = True
        # A cluster takes equal calls for one, and gives the second the result of the first.
        self._run_id = os.urandom(8)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the key's place, too: another process may have other settings.

        It has another clock as well, so nothing is postponed there.
        """
        state = {**self.__dict__, "_postpones": False}
        if settings.key_in_header():
            state["_api_key"] = KeyForHeader(self._api_key)
        return state

    def __call__(self, outgoing: _Outgoing) -> Any:
        """Send a request, and return its answer or its failure."""
        request = outgoing.request
        batch_position.set(outgoing.index)
        if self._postpones:
            attempts_spent.set(outgoing.attempts)
        try:
            return self._send(
                request.method,
                self._api_key,
                request.url,
                params=request.params,
                json=request.json,
                headers=request.headers,
                timeout=request.timeout,
                retry=request.retry,
            )
        except RequestPostponed as later:
            return CallLater(later.due, replace(outgoing, attempts=later.attempts))
        except Exception as error:
            return _Failed(error)


class _Run:
    """One run of a batch: tells done from to do, and tells others what has completed."""

    def __init__(self, options: BatchOptions, total: int | None) -> None:
        self.api_key = resolve_api_key(options.api_key)
        self._options = options
        self.total = total
        self._journal: Journal | None = None
        self._began = monotonic()
        self._sent = self._skipped = self._errors = 0

    def close(self) -> None:
        """Let go of the journal, and of a progress bar."""
        try:
            if self._journal is not None:
                self._journal.close()
                logger.info("Skipped %d requests that were done before", self._skipped)
        finally:
            if isinstance(self._options.progress_callback, ProgressBar):
                self._options.progress_callback.close()

    def idle(self) -> None:
        """Have what was written down last reach the disk, although nothing follows it."""
        if self._journal is not None:
            self._journal.sync_if_due()

    def outgoing(self, index: int, request: Any) -> _Outgoing | None:
        """Return what is to be sent of a request; None if it is done."""
        require_kind(f"requests[{index}]", request, BatchRequest)
        refusal = getattr(request, "_refusal", None)
        digest = None if refusal else self._digest_of(request)
        if digest is not None and self._journal and self._journal.skip_if_done(digest):
            self._skipped += 1
            self._tell_progress(request)
            return None
        return _Outgoing(index, request, digest, refusal)

    def complete(self, outgoing: _Outgoing, future: Future[Any]) -> BatchResult[Any]:
        """Read an answer, write down that it came, and call the callbacks."""
        request = outgoing.request
        response, error = _outcome_of(future)
        value: Any = response if error is None else None
        if error is None and isinstance(request, ReadingRequest):
            try:
                # Private, since users see the request and are not to call it.
                value = request._read(response)  # pyright: ignore[reportPrivateUsage]
            except Exception as unreadable:
                value, error = None, unreadable
        self._sent += 1
        if error is None:
            if self._journal is not None and outgoing.digest is not None:
                self._journal.record(outgoing.digest)
            self._notify(request.callback, response)
        else:
            self._errors += 1
            logger.warning(
                "%s failed: %s%s",
                request_for_logs(request.method, request.url, outgoing.index),
                type(error).__name__,
                (f", status {status}" if (status := getattr(error, "status", None)) else ""),
            )
            self._notify(request.error_callback, error)
        self._tell_progress(request)
        return BatchResult(outgoing.index, request, response, value, error)

    def complete_late(self, outgoing: _Outgoing, future: Future[Any]) -> None:
        """Complete a request that was done while the batch was being stopped. What was stopped is not told."""
        if isinstance(future.exception(), (Exception, type(None))):
            self.complete(outgoing, future)

    def _digest_of(self, request: BatchRequest) -> str | None:
        if self._options.journal is None:
            return None
        url = actual_url(request.url)
        if self._journal is None:
            # Seldom needed, and felt when everything is imported.
            from .journal import Journal

            origin = origin_of(url)
            self._journal = Journal(
                self._options.journal, self._options.helper, origin, self.api_key
            )
        try:
            return self._journal.digest(request.method, url, request.params, request.json)
        except (TypeError, ValueError, RecursionError):
            return None  # It cannot be sent either, and will say so.

    def _tell_progress(self, request: BatchRequest) -> None:
        if self._options.progress_callback is None:
            return
        elapsed = monotonic() - self._began
        snapshot = Progress(
            completed=self._sent + self._skipped,
            total=self.total,
            errors=self._errors,
            batch_request=request,
            elapsed_seconds=elapsed,
            average_per_thousand_seconds=(elapsed / self._sent * 1000 if self._sent else None),
        )
        self._notify(self._options.progress_callback, snapshot)

    def _notify(self, callback: Callable[[Any], Any] | None, value: Any) -> None:
        """Call a user's callback; what it raises is logged, since the batch must go on."""
        if callback is None:
            return
        try:
            callback(value)
        except Exception:
            text = redact_message(redact_secret(traceback.format_exc(), self.api_key))
            logger.error("A callback of the batch raised an exception:\n%s", text)


class _Outgoings:
    """A source of what is to be sent, made from a source of requests."""

    def __init__(self, run: _Run, requests: Source[Any]) -> None:
        self._run = run
        self._requests = requests
        self._next_index = 0
        self._checked = False
        self.begin = requests.begin
        self.close = requests.close

    def take(self, room: int) -> _Outgoing | Nothing:
        """Return the next request that is not done, with its number."""
        while True:
            request = self._requests.take(room)
            if isinstance(request, Nothing):
                return request
            outgoing = self._run.outgoing(self._next_index, request)
            self._next_index += 1
            if outgoing is not None:
                self._check_settings(outgoing.request)
                return outgoing

    def _check_settings(self, request: BatchRequest) -> None:
        """Raise for a wrong setting once, before every request fails of it."""
        if self._checked:
            return
        actual_url(request.url)
        settings.key_in_header()
        settings.bounds()
        if request.retry is None:
            default_policy()
        self._checked = True


def _results(
    run: _Run,
    source: _Outgoings,
    workers: int | None,
    send: Send,
    executor: NewExecutor,
    batch: Cancellation,
    context: Context | None = None,
) -> Results:
    done = run_on_workers(
        _Sending(send, run.api_key),
        source,
        workers,
        executor,
        late=run.complete_late,
        idle=run.idle,
        ended=run.close,
        batch=batch,
        context=context,
        finite=run.total is not None,
    )
    with closing(done):
        for _, item, future in done:
            result = run.complete(item, future)
            if result.error is None:
                # A worker in another process has another batch object.
                batch.accepted_at = monotonic()
            yield result


def _no_results() -> Results:
    """Return an empty batch, which needs no key either."""
    yield from ()


def _outcome_of(future: Future[Any]) -> tuple[Any, Exception | None]:
    """Return the answer, also of a failure that has one, and the failure."""
    error = future.exception()
    if error is None:
        answer = future.result()
        if not isinstance(answer, _Failed):
            return answer, None
        error = answer.error
    if isinstance(error, Exception):
        return getattr(error, "response", None), error
    raise error
