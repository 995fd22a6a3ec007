"""The engine: calls run on a pool of workers, handed back as they complete, stopped at once.

It sends through a function it is given, on executors of a class it is given.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Protocol, TypeVar

import requests

from . import settings
from .arguments import listed, require_kind
from .batch import (
    BatchRequest,
    Failures,
    Progress,
    ProgressCallback,
    ReadingRequest,
)
from .cancellation import Cancellation
from .credentials import resolve_api_key
from .redaction import redact_message, redact_secret

Item = TypeVar("Item")
Result = TypeVar("Result")
NewExecutor = Callable[..., Any]

# Python's own number of threads is at most 32.
_PYTHONS_MOST_WORKERS = 32
# Requests handed to the executor for each worker: one that it works on and one that waits.
_IN_FLIGHT_PER_WORKER = 2
# Ctrl-C interrupts no wait without a limit on Windows.
_LONGEST_DEAF_WAIT_SECONDS = 0.5

# Workers that fetch the details of a list when PERMUTIVE_BATCH_MAX_WORKERS does not say.
_DETAIL_WORKERS = 16

logger = logging.getLogger("PermutiveAPI")


def run_batch(
    requests: Iterable[BatchRequest],
    *,
    send: Callable[..., requests.Response],
    api_key: str | None,
    max_workers: int | None,
    progress_callback: ProgressCallback | None,
    new_executor: NewExecutor,
) -> tuple[list[requests.Response], Failures]:
    """Send many requests; see ``http.process_batch``.

    Parameters
    ----------
    requests, api_key, max_workers, progress_callback
        As for ``http.process_batch``.
    send : callable
        ``http.request``, or what a test has put in its place.
    new_executor : callable
        Makes the executor from ``max_workers``.
    """
    batch = _checked_requests(requests)
    workers = _checked_workers(max_workers)
    if progress_callback is not None and not callable(progress_callback):
        raise TypeError(
            f"progress_callback must be callable, got {progress_callback!r}."
        )
    if not batch:
        return [], []
    key = resolve_api_key(api_key)
    responses: dict[int, Any] = {}
    errors: Failures = []
    began = monotonic()

    def call(item: BatchRequest) -> Any:
        return send(
            item.method,
            key,
            item.url,
            params=item.params,
            json=item.json,
            headers=item.headers,
            timeout=item.timeout,
            retry=item.retry,
        )

    with closing(_run_on_pool(call, batch, workers, new_executor)) as done:
        for number, (position, item, future) in enumerate(done, start=1):
            error = _failure_of(item, future)
            if error is None:
                responses[position] = future.result()
                _notify(item.callback, responses[position], key)
            else:
                errors.append((item, error))
                _notify(item.error_callback, error, key)
            elapsed = monotonic() - began
            snapshot = Progress(
                completed=number,
                total=len(batch),
                errors=len(errors),
                batch_request=item,
                elapsed_seconds=elapsed,
                average_per_thousand_seconds=elapsed / number * 1000,
            )
            _notify(progress_callback, snapshot, key)
    return [responses[position] for position in sorted(responses)], errors


def run_concurrently(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    new_executor: NewExecutor,
) -> list[Result]:
    """Call a function for every item, several at a time, and return the results in order.

    PERMUTIVE_BATCH_MAX_WORKERS sets how many at a time, 16 unless set. The first failure is raised,
    and what has not been sent by then is not sent.
    """
    if not items:
        return []
    workers = settings.count(settings.BATCH_MAX_WORKERS) or _DETAIL_WORKERS
    workers = min(workers, len(items))
    results: dict[int, Result] = {}
    with closing(_run_on_pool(function, items, workers, new_executor)) as done:
        for position, _, future in done:
            results[position] = future.result()
    return [results[position] for position in range(len(items))]


def _run_on_pool(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int | None,
    new_executor: NewExecutor,
) -> Generator[tuple[int, Item, Future[Result]], None, None]:
    """Run calls on a thread pool that stops at once when the caller leaves early."""
    batch = Cancellation()

    def call(item: Item) -> Result:
        with batch.joined():
            return function(item)

    with new_executor(max_workers=workers) as executor:
        try:
            yield from completed(executor, call, items, workers)
        except BaseException:  # Ctrl-C, or the caller closed this generator.
            batch.stop()
            raise


def _failure_of(item: BatchRequest, future: Future[Any]) -> Exception | None:
    """Return what a request failed with: sending it, or reading its answer."""
    error = future.exception()
    if error is None and isinstance(item, ReadingRequest):
        try:
            item.read(future.result())
        except Exception as unreadable:
            error = unreadable
    if error is not None and not isinstance(error, Exception):
        raise error
    return error


def _notify(callback: Callable[[Any], Any] | None, value: Any, key: str) -> None:
    """Call a user's callback; what it raises is logged, since the batch must go on."""
    if callback is None:
        return
    try:
        callback(value)
    except Exception:
        text = redact_message(redact_secret(traceback.format_exc(), key))
        logger.error("A callback of the batch raised an exception:\n%s", text)


def _checked_requests(items: Iterable[Any]) -> list[BatchRequest]:
    batch = listed("requests", items)
    for position, item in enumerate(batch):
        require_kind(f"requests[{position}]", item, BatchRequest)
    return batch


def _checked_workers(max_workers: Any) -> int | None:
    if max_workers is None:
        return settings.count(settings.BATCH_MAX_WORKERS)
    if not isinstance(max_workers, int) or isinstance(max_workers, bool):
        raise TypeError(f"max_workers must be a whole number, got {max_workers!r}.")
    if max_workers < 1:
        raise ValueError(f"max_workers must be at least 1, got {max_workers!r}.")
    return max_workers


# --- The loop --------------------------------------------------------------------------------


class Executor(Protocol):
    """What the loop needs of an executor."""

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Start one call."""
        ...


def completed(
    executor: Executor,
    call: Callable[[Item], Result],
    items: Iterable[Item],
    max_workers: int | None,
) -> Iterator[tuple[int, Item, Future[Result]]]:
    """Call a function for every item on an executor, and yield each one as it completes.

    Parameters
    ----------
    executor : Executor
        Anything with a ``submit`` that returns a Future, which may already be done.
    call : callable
        Called with one item.
    items : iterable
        Taken only as fast as the workers get on.
    max_workers : int or None
        How many workers the executor has; None for Python's own number.

    Yields
    ------
    tuple of (int, item, Future)
        The item's position, the item, and its future, which is done.
    """
    in_flight = _IN_FLIGHT_PER_WORKER * (max_workers or _PYTHONS_MOST_WORKERS)
    arrived: SimpleQueue[int] = SimpleQueue()
    pending: dict[int, tuple[Item, Future[Result]]] = {}
    source = enumerate(items)
    try:
        while True:
            while len(pending) < in_flight and (upcoming := next(source, None)):
                position, item = upcoming
                future = executor.submit(call, item)
                pending[position] = (item, future)
                future.add_done_callback(_announcer(arrived, position))
            if not pending:
                return
            position = _next_of(arrived)
            yield (position, *pending.pop(position))
    finally:
        for _, future in pending.values():
            future.cancel()


def _announcer(
    arrived: SimpleQueue[int], position: int
) -> Callable[[Future[Any]], None]:
    return lambda future: arrived.put(position)


def _next_of(arrived: SimpleQueue[int]) -> int:
    while True:
        try:
            return arrived.get(timeout=_LONGEST_DEAF_WAIT_SECONDS)
        except Empty:
            continue
