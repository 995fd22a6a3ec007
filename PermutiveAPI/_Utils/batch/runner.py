"""Run batches: send requests with workers, read their responses, record them, and call the callbacks.

A :class:`BatchRunner` is given the function that sends, and the class of executors. workers.py runs the
calls.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import closing
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .. import settings
from ..arguments import is_number, listed, require_iterable, require_kind
from ..base_url import actual_url, origin_of
from ..cancellation import (
    Cancellation,
    RequestPostponed,
    attempts_spent,
    earlier_refusals,
    monotonic,
)
from ..credentials import resolve_api_key
from ..errors import call_safely
from ..redaction import request_for_logs
from ..retry.policy import is_repeatable
from ..settings import Settings
from .calls import Done, Postponed
from .executors import DEFAULT_THREADS, require_picklable, travels
from .progress_bar import ProgressBar, progress_bar
from .protocols import Call
from .reader import AtHand, Nothing, Source, source_of
from .remote import Failed, Reported, Send, WorkItem, send_item
from .stream import Stream
from .types import (
    BatchOptions,
    BatchRequest,
    BatchResult,
    Failures,
    Progress,
    ReadingRequest,
    Responses,
    Results,
)
from .workers import BeginWorkers, Listener, borrowed_workers, own_workers, run_on_workers

if TYPE_CHECKING:
    from .journal import Journal

Item = TypeVar("Item")
Value = TypeVar("Value")
# A response, its value, and an error. A failure may have a response, too.
Outcome = tuple[Any, Any, "Exception | None"]

# How many requests are read ahead while a journal skips them. With fewer, the thread that reads them and
# the caller's thread would wait for each other all the time.
_AHEAD_WHILE_SKIPPING = 128
# Workers that fetch the details of a list if PERMUTIVE_BATCH_MAX_WORKERS is not set.
_DETAIL_WORKERS = 16

logger = logging.getLogger("PermutiveAPI")


@dataclass(frozen=True)
class BatchRunner:
    """Runs one batch.

    Parameters
    ----------
    send : callable
        ``http.request``, or a test's replacement of it.
    executor_class : callable
        Makes an executor from ``max_workers``.
    read_settings : callable
        Returns the settings for the whole batch. Its argument says whether they need a policy.
    context : contextvars.Context
        Each worker runs in a copy of it.
    """

    send: Send
    executor_class: Callable[..., Any]
    read_settings: Callable[[bool], Settings]
    context: Context

    def stream(
        self, requests: Iterable[BatchRequest], options: BatchOptions, total: int | None
    ) -> Results:
        """Send the requests of any iterable, and yield the result of each when it completes.

        The requests are read only as fast as the workers send them. A list or a tuple, or what is made from
        one, is read in the caller's thread, anything else in a separate thread. `total` is how many there are,
        if that is known. To stop the rest, close the generator in any thread, or leave a loop over it.

        Raises
        ------
        ValueError, TypeError
            If an option or a variable is invalid, or no key is found. It is raised before anything is sent.
        """
        workers = _checked_workers(options.max_workers)
        _check_options(options)
        require_iterable("requests", requests)
        if total == 0:
            return _no_results()
        executor = options.executor
        if executor is not None and travels(executor):
            require_picklable(self.send, executor)
        batch = Cancellation()
        run = _Run(options, total, self.read_settings(_needs_policy(requests)))
        source = _WorkItems(run, source_of(requests, self.context))
        sending = Sending(self.send, run.api_key, run.settings, workers)
        context = self._workers_context(run.settings)
        begin_workers = self._begin_workers(executor, workers, run)
        done = run_on_workers(sending, source, begin_workers, batch, context, run, workers)
        return Stream(_results(done, run, batch), batch)

    def collect(self, requests: Iterable[BatchRequest], options: BatchOptions) -> Responses:
        """Send requests, and return the responses of the successes in order, and the failures."""
        batch = checked_requests(requests)
        return _collected(self.stream(batch, options, len(batch)), attrgetter("response"))

    def collect_values(
        self, requests: Sequence[BatchRequest], options: BatchOptions
    ) -> tuple[list[Any], Failures]:
        """Send requests, and return the values read from the responses in order, and the failures."""
        return _collected(self.stream(requests, options, len(requests)), attrgetter("value"))

    def map(self, function: Callable[[Item], Value], items: Sequence[Item]) -> list[Value]:
        """Call a function for every item, several at a time, and return the results in order.

        PERMUTIVE_BATCH_MAX_WORKERS sets how many at a time; otherwise 16. The first failure is raised,
        and nothing more is sent.
        """
        if not items:
            return []
        workers = settings.count(settings.BATCH_MAX_WORKERS) or _DETAIL_WORKERS
        workers = min(workers, len(items))
        results: dict[int, Value] = {}
        begin_workers = own_workers(self.executor_class, workers)
        batch = Cancellation()
        context = self._workers_context(self.read_settings(True))
        done = run_on_workers(function, AtHand(items), begin_workers, batch, context)
        with closing(Stream(done, batch)) as done:
            for position, _, future in done:
                results[position] = future.result()
        return [results[position] for position in range(len(items))]

    def _begin_workers(
        self, executor: Executor | None, workers: int | None, run: _Run
    ) -> BeginWorkers:
        if executor is None:
            return own_workers(self.executor_class, workers)
        if travels(executor) is False:
            return borrowed_workers(executor, workers)
        from .sharding import Sharding  # Rarely needed, and slow to import.

        return lambda function, wake: Sharding(
            executor,
            workers,
            function,
            wake,
            finite=run.total is not None,
            is_unrepeatable=run.is_unrepeatable,
            tell_records=run.tell_records,
        )

    def _workers_context(self, used: Settings) -> Context:
        """Return a copy of the context in which calls use the settings of this batch."""
        context = self.context.copy()
        context.run(settings.of_batch.set, used)
        return context


def checked_requests(items: Iterable[Any]) -> list[BatchRequest]:
    """Return the requests of a batch, all of them checked."""
    batch = listed("requests", items)
    for position, item in enumerate(batch):
        require_kind(f"requests[{position}]", item, BatchRequest)
    return batch


def _needs_policy(requests: Any) -> bool:
    """Tell whether a request may lack a retry policy. Only lists and tuples are read to find out."""
    if type(requests) not in (list, tuple):
        return True
    given = cast("Sequence[Any]", requests)
    return any(getattr(request, "retry", None) is None for request in given)


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
    if not is_number(max_workers, whole=True):
        raise TypeError(f"max_workers must be a whole number, got {max_workers!r}.")
    workers = int(max_workers)  # From a number of NumPy, too.
    if workers < 1:
        raise ValueError(f"max_workers must be at least 1, got {workers!r}.")
    return workers


# --- Running -------------------------------------------------------------------------------------


class Sending:
    """Sends one request, in a thread. Pickling turns it into a ShardSender. Its repr() shows no key."""

    def __init__(self, send: Send, api_key: str, used: Settings, workers: int | None) -> None:
        self._send = send
        self._api_key = api_key
        self._used = used
        self._threads = workers or DEFAULT_THREADS
        self._run_id = os.urandom(8)
        # The refusals of postponed requests, by position. They stay in this process, as the limits do.
        self._refusals: dict[int, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the sender of another process."""
        from .shard_sender import ShardSender  # Rarely needed, and slow to import.

        return ShardSender(
            self._send, self._api_key, self._used, self._threads, self._run_id
        ).__reduce__()

    def __call__(self, item: WorkItem) -> Any:
        """Send a request, and return its response or a Failed."""
        attempts_spent.set(item.attempts)
        if self._refusals:
            earlier_refusals.set(self._refusals.pop(item.position, None))
        try:
            return send_item(self._send, self._api_key, item, self._used)
        except RequestPostponed as later:
            self._refusals[item.position] = later.refusals
            return Postponed(later.due, item._replace(attempts=later.attempts))


class _Run(Listener[WorkItem]):
    """One run of a batch: it knows what is done, and reports what has completed."""

    def __init__(self, options: BatchOptions, total: int | None, used: Settings) -> None:
        self.settings = used
        self.api_key = resolve_api_key(options.api_key)
        self._options = options
        self.total = total
        self._journal: Journal | None = None
        self._began = monotonic()
        self._sent = self._skipped = self._errors = 0
        # By position: the outcomes of calls that have returned, and are not reported yet.
        self._outcomes: dict[int, tuple[WorkItem, Outcome]] = {}
        # How many requests there were, when all are taken.
        self.taken: int | None = None

    def ended(self) -> None:
        """Close the journal and the progress bar."""
        try:
            # Ctrl-C may have come when one was being handed back. The journal has it, so the next run skips it.
            for item, outcome in [*self._outcomes.values()]:
                self._report(item, outcome)
            if self._journal is not None:
                self._journal.close()
                self._tell_skipped(self._journal)
        finally:
            if isinstance(self._options.progress_callback, ProgressBar):
                self._options.progress_callback.close()

    def idle(self) -> None:
        """Sync the last records of the journal to disk, although no others follow."""
        if self._journal is not None:
            self._journal.sync_if_due()

    def work_item(self, index: int, request: Any) -> WorkItem | None:
        """Return the item to send for a request; None if an earlier run has done it."""
        if not isinstance(request, BatchRequest):
            require_kind(f"requests[{index}]", request, BatchRequest)
        refusal = getattr(request, "_refusal", None)
        digests = [] if refusal else self._digests_of(request)
        if self._journal and any(map(self._journal.skip_if_done, digests)):
            self._skipped += 1
            self._tell_progress(request)
            return None
        return WorkItem(index, request, digests[0] if digests else None, refusal)

    def returned(self, results: list[tuple[WorkItem, Any]]) -> None:
        """Read the responses, and record the successes in one write: many short ones would take much longer."""
        outcomes: list[tuple[WorkItem, Outcome]] = []
        try:
            for item, result in results:
                outcomes.append((item, self._read(item, result)))
        finally:  # After an interruption, `late` is called with the others.
            if self._journal is not None:
                for item, (_, _, error) in outcomes:
                    if item.digest is not None and error is None:
                        self._journal.note(item.position, item.digest)
            self._outcomes.update((each[0].position, each) for each in outcomes)
            if self._journal is not None:
                self._journal.record()
                self._journal.sync_if_due()

    def is_unrepeatable(self, item: WorkItem) -> bool:
        """Tell whether the next run must not repeat a request, if this one is killed."""
        if self._options.journal is None:
            return False
        request = item.request
        return not is_repeatable(str(request.method).upper(), str(request.url))

    def complete(self, item: WorkItem, future: Call[Any]) -> BatchResult[Any]:
        """Call the callbacks for a call that is done, and return its result."""
        _, outcome = self._outcomes.get(item.position) or (item, self._failure_of(future))
        return self._report(item, outcome)

    def _report(self, item: WorkItem, outcome: Outcome) -> BatchResult[Any]:
        request = item.request
        response, value, error = outcome
        if error is not None:
            logger.warning(
                "%s failed: %s%s",
                request_for_logs(request.method, request.url, item.position),
                type(error).__name__,
                (f", status {status}" if (status := getattr(error, "status", None)) else ""),
            )
        self._sent += 1
        self._errors += error is not None
        # Ctrl-C before this is made good at the end.
        self._outcomes.pop(item.position, None)
        if error is None:
            self._notify(request.callback, response)
        else:
            self._notify(request.error_callback, error)
        self._tell_progress(request)
        return BatchResult(item.position, request, response, value, error)

    def late(self, item: WorkItem, future: Call[Any]) -> None:
        """Complete a request that was done while the batch was being cancelled, unless it was cancelled itself."""
        if isinstance(future.exception(), (Exception, type(None))):
            if future.exception() is None and item.position not in self._outcomes:
                self.returned([(item, future.result())])
            self.complete(item, future)

    def tell_records(self, records: Iterable[Any]) -> None:
        """Call ``on_response`` for the attempts of another process."""
        on_response = self.settings.options.on_response
        if on_response is not None:
            for record in records:
                call_safely("on_response", on_response, record, self.api_key)

    def _digests_of(self, request: BatchRequest) -> list[bytes]:
        """Return what a journal may know a request by; the first is recorded."""
        if self._options.journal is None:
            return []
        url = actual_url(request.url, self.settings.base_url)
        if self._journal is None:
            # Rarely needed, and slow to import.
            from .journal import Journal, place_of

            path = place_of(self._options.journal, self.settings.journal_folder)
            self._journal = Journal(path, self._options.helper, origin_of(url), self.api_key)
        journal_body = getattr(request, "_journal_body", None)
        # A journal of release 5.13 has recorded the whole body.
        bodies = [request.json] if journal_body is None else [journal_body, request.json]
        digest = partial(self._journal.digest, request.method, url, request.params)
        try:
            return [*map(digest, bodies)]
        except (TypeError, ValueError, RecursionError):
            return []  # It cannot be sent either: sending it raises the error.

    def _tell_skipped(self, journal: Journal) -> None:
        if self._skipped == self.taken:
            logger.warning(
                "Nothing was sent: the journal %r, last written %s, says that all %d requests are done. "
                "To send them again, delete it or name another file, for instance one with the date.",
                journal.path,
                journal.last_written.isoformat(sep=" ", timespec="seconds"),
                self._skipped,
            )
        else:
            logger.info("Skipped %d requests that were done before", self._skipped)

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
            skipped=self._skipped,
        )
        self._notify(self._options.progress_callback, snapshot)

    def _notify(self, callback: Callable[[Any], Any] | None, value: Any) -> None:
        if callback is not None:
            call_safely("A callback of the batch", callback, value, self.api_key)

    @staticmethod
    def _failure_of(future: Call[Any]) -> Outcome:
        try:
            error = future.exception()
        except CancelledError:  # The caller has shut the executor down.
            error = CancelledError("The executor cancelled this request before it was sent.")
        if isinstance(error, Exception):
            return getattr(error, "response", None), None, error
        raise cast(BaseException, error)  # Such as KeyboardInterrupt, which ends the batch.

    def _read(self, item: WorkItem, result: Any) -> Outcome:
        """Read the response that a call has returned."""
        if isinstance(result, Reported):
            self.tell_records(result.records)
            result = result.result
        if isinstance(result, Failed):
            return getattr(result.error, "response", None), None, result.error
        if not isinstance(item.request, ReadingRequest):
            return result, result, None
        try:
            # Private, since users see the request and are not to call it.
            value = item.request._read(result)  # pyright: ignore[reportPrivateUsage]
        except Exception as unreadable:
            return result, None, unreadable
        return result, value, None


class _WorkItems:
    """A source of work items, made from a source of requests."""

    def __init__(self, run: _Run, requests: Source[Any]) -> None:
        self._run = run
        self._requests = requests
        self._next_index = 0
        self._ahead = 0
        self.begin = requests.begin
        self.close = requests.close

    def take(self, room: int) -> WorkItem | Nothing:
        """Return the next request that is not done, with its position."""
        while True:
            request = self._requests.take(max(room, self._ahead))
            if isinstance(request, Nothing):
                if request is Nothing.LEFT:
                    self._run.taken = self._next_index
                return request
            item = self._run.work_item(self._next_index, request)
            self._next_index += 1
            if item is not None:
                self._ahead = 0
                return item
            self._ahead = _AHEAD_WHILE_SKIPPING


def _results(
    done: Generator[Done[WorkItem, Any], None, None], run: _Run, batch: Cancellation
) -> Results:
    with closing(done):
        for _, item, future in done:
            result = run.complete(item, future)
            if result.error is None:
                # Workers in other processes have a batch object of their own.
                batch.accepted_at = monotonic()
            yield result


def _no_results() -> Results:
    """Return the results of an empty batch. It needs no key."""
    yield from ()


def _collected(
    results: Results, part: Callable[[BatchResult[Any]], Value]
) -> tuple[list[Value], Failures]:
    """Return one part of each success of a stream, in the order of the requests, and the failures."""
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
