"""The door to the network: the four HTTP methods, the retry loop, and the batch runner.

``Cohort.create → http.post → _with_retry → transport``; a batch adds two hops:
``process_batch → request``. This module alone knows the three rooms below: batch, retry and transport.
The functions may be called from any number of threads.

Users' own tests replace names of this module (``request``, the verbs, ``_with_retry``,
``ThreadPoolExecutor``, ``time.sleep``, ``requests.get`` and its like). Each is looked up when it is
called, so that a replacement takes effect.

The first call imports the retry loop, and the first batch imports what only batches need.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextvars import copy_context
from functools import cache, partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import requests
import requests.api
from requests import Response

from . import batch, settings, transport
from .arguments import length_of, require_kind
from .base_url import actual_url, base_url
from .credentials import DEFAULT_API_KEY, checked_api_key
from .errors import (
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveCredentialsError,
    PermutiveInvalidRequestError,
    PermutiveInvalidResponseError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    PermutiveTimeoutError,
    raise_for_status,
)
from .errors import extract_error_message as _extract_error_message
from .json import to_payload
from .lazy_names import late_import, lazy_names
from .redaction import redact_message, redact_url
from .redaction import redact_sensitive_data as _redact_sensitive_data
from .retry.pauses import takes_time
from .retry.policy import (
    BACKOFF_FACTOR,
    INITIAL_DELAY,
    MAX_RETRIES,
    RetryConfig,
    default_policy,
    is_repeatable,
    take_defaults_from,
)
from .retry.policy import VARIABLES as RETRY_VARIABLES
from .settings import DEFAULT_TIMEOUT_SECONDS, DefaultTimeout, Settings, Timeout

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from .batch.runner import BatchRunner
    from .batch.types import BatchRequest, BatchResult, Progress
    from .retry.call import Call
else:
    __getattr__ = lazy_names(
        __name__,
        {
            "BatchRequest": "PermutiveAPI._Utils.batch.types",
            "BatchResult": "PermutiveAPI._Utils.batch.types",
            "Progress": "PermutiveAPI._Utils.batch.types",
            # Not from concurrent.futures, where a test may have replaced it.
            "ThreadPoolExecutor": "concurrent.futures.thread",
        },
    )

    def __dir__():
        """List every name, also those that are not imported yet: stand-ins for this module need them all."""
        return sorted({*__all__, *globals()})


# Its ThreadPoolExecutor is looked up for each batch: it is imported late, and tests replace it here.
_this_module: Any = sys.modules[__name__]

__all__ = [
    "BACKOFF_FACTOR",
    "BatchRequest",
    "BatchResult",
    "DEFAULT_HEADERS",
    "INITIAL_DELAY",
    "MAX_RETRIES",
    "PermutiveAPIError",
    "PermutiveAuthenticationError",
    "PermutiveBadRequestError",
    "PermutiveConflictError",
    "PermutiveConnectionError",
    "PermutiveCredentialsError",
    "PermutiveInvalidRequestError",
    "PermutiveInvalidResponseError",
    "PermutiveRateLimitError",
    "PermutiveResourceNotFoundError",
    "PermutiveServerError",
    "PermutiveTimeoutError",
    "Progress",
    "RetryConfig",
    "ThreadPoolExecutor",
    "_extract_error_message",
    "_redact_sensitive_data",
    "_with_retry",
    "batch_runner",
    "delete",
    "get",
    "patch",
    "post",
    "process_batch",
    "raise_for_status",
    "redact_message",
    "redact_url",
    "request",
    "stream_batch",
    "to_payload",
]

DEFAULT_HEADERS: dict[str, str] = {"Accept": "application/json", "Content-Type": "application/json"}

Sender = Callable[..., requests.Response]

take_defaults_from(globals())
batch.travels_by(transport.CompactResponse, transport.reduce_unread)

# POST comes first: one stand-in for several verbs counts as POST, which is not harmless to repeat.
_VERBS = ("post", "patch", "delete", "get")
# The functions of `requests` itself may be replaced before this module is imported.
_OWN_FUNCTIONS = {name: getattr(requests.api, name) for name in _VERBS}


# --- Verbs ---------------------------------------------------------------------------------------


def get(api_key: str, url: str, params: Mapping[str, Any] | None = None) -> requests.Response:
    """Send a GET request.

    Parameters
    ----------
    api_key : str
        The key. It is always needed here; only the models have a default.
    url : str
        The URL.
    params : mapping, optional
        Query parameters, beside the key.

    Returns
    -------
    requests.Response
        The response, whose status is 2xx.

    Raises
    ------
    PermutiveAPIError
        The subclass for the response's status. PermutiveConnectionError if no attempt got a response.
        Each attempt waits PERMUTIVE_TIMEOUT_SECONDS; otherwise 10.
    PermutiveCredentialsError
        If the key is empty.
    ValueError
        If a variable of the environment is invalid.
    """
    return _send(requests.get, url, api_key, params=params)


def post(api_key: str, url: str, data: Any) -> requests.Response:
    """Send a POST request with `data` as its JSON body; otherwise the same as :func:`get`.

    If it may have been processed, it is repeated only for endpoints where repeating is harmless.
    """
    return _send(requests.post, url, api_key, json=data)


def patch(api_key: str, url: str, data: Any) -> requests.Response:
    """Send a PATCH request with `data` as its JSON body; otherwise the same as :func:`get`."""
    return _send(requests.patch, url, api_key, json=data)


def delete(api_key: str, url: str) -> requests.Response:
    """Send a DELETE request; otherwise the same as :func:`get`."""
    return _send(requests.delete, url, api_key)


def _send(method: Sender, url: str, api_key: str, **arguments: Any) -> requests.Response:
    timeout = _timeout_seconds()
    return _with_retry(method, url, api_key, headers=DEFAULT_HEADERS, timeout=timeout, **arguments)


def request(
    method: str,
    api_key: str,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: Timeout = DEFAULT_TIMEOUT_SECONDS,
    retry: RetryConfig | None = None,
) -> requests.Response:
    """Send a request with any of the four methods.

    Parameters
    ----------
    method : str
        GET, POST, PATCH or DELETE; case is ignored.
    api_key, url, params
        As for :func:`get`.
    json : optional
        The body, as JSON data.
    headers : mapping, optional
        Headers that win over DEFAULT_HEADERS.
    timeout : float or None
        Seconds to wait for the connection and between two bytes; None for no limit. If it is left out:
        that of ``options()``, or else 10. PERMUTIVE_ATTEMPT_SECONDS bounds the attempt as a whole.
    retry : RetryConfig, optional
        The retry policy. If it is left out: that of ``options()``, or else ``RetryConfig()``.

    Returns
    -------
    requests.Response
        The response, whose status is 2xx.

    Raises
    ------
    ValueError
        If `method` is another one.
    PermutiveAPIError
        As for :func:`get`.
    """
    verb = _checked_verb(method)
    require_kind("headers", headers or {}, Mapping)
    arguments: dict[str, Any] = {} if json is None else {"json": json}
    return _with_retry(
        getattr(requests, verb),
        url,
        api_key,
        params=params,
        headers={**DEFAULT_HEADERS, **(headers or {})},
        timeout=_given_timeout(timeout),
        retry=retry,
        **arguments,
    )


def _checked_verb(method: Any) -> str:
    verb = method.lower() if isinstance(method, str) else ""
    if verb not in _VERBS:
        raise ValueError(f"method must be GET, POST, PATCH or DELETE, got {method!r}.")
    return verb


def _timeout_seconds() -> Timeout:
    """Return the timeout of get, post, patch and delete, which have no argument for it."""
    given = settings.options.get().timeout
    if isinstance(given, DefaultTimeout):
        return settings.number(settings.TIMEOUT_SECONDS, float(given))
    return given


def _given_timeout(timeout: Timeout) -> Timeout:
    """Return a timeout. If nobody gave it, return that of ``options()``."""
    if not isinstance(timeout, DefaultTimeout):
        return timeout
    given = settings.options.get().timeout
    return float(timeout) if isinstance(given, DefaultTimeout) else given


# --- The retry loop --------------------------------------------------------------------------------


def _with_retry(
    method: Sender,
    url: str,
    api_key: str,
    *,
    headers: Mapping[str, str] | None = None,
    retry: RetryConfig | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Call `method` until it succeeds or may not be repeated.

    The rules are in retry/policy.py and retry/outcome.py.

    Parameters
    ----------
    method : callable
        Called as ``method(url, headers=..., params=..., **kwargs)``. The four verbs of requests use
        pooled connections; any other function counts as harmless to repeat.
    url : str
        The URL; see :func:`~PermutiveAPI._Utils.base_url.actual_url`.
    api_key : str
        The key. It travels as the query parameter ``k``, or as the header X-API-Key if
        PERMUTIVE_API_KEY_LOCATION is "header".
    headers : mapping, optional
        The headers. If they are left out: DEFAULT_HEADERS.
    retry : RetryConfig, optional
        The retry policy. If it is left out: ``RetryConfig()``.
    **kwargs
        params, json, timeout.

    Returns
    -------
    requests.Response
        The response, whose status is 2xx.

    Raises
    ------
    PermutiveAPIError
        As for :func:`get`.
    """
    now = settings.batch_settings() or _settings_now(with_policy=retry is None)
    policy: Any = now.retry if retry is None else retry
    params: Mapping[str, Any] = kwargs.get("params") or {}
    headers = DEFAULT_HEADERS if headers is None else headers
    require_kind("url", url, str)
    require_kind("retry", policy, RetryConfig)
    require_kind("params", params, Mapping)
    require_kind("headers", headers, Mapping)
    api_key = checked_api_key(api_key)
    url = actual_url(url, now.base_url)
    verb, sender = _verb_and_sender(method, now)
    repeatable = verb is None or is_repeatable(verb, url)
    kwargs["params"], kwargs["headers"] = params, headers
    new_call, run = _retry_loop()
    call = new_call(
        sender=sender,
        verb=verb,
        url=url,
        arguments=kwargs,
        settings=now,
        policy=policy,
        own_policy=retry is not None,
        repeatable=repeatable,
        # Responses of a stand-in are repeated as in 5.4.4.
        repeats_5xx=repeatable or sender is method,
        # A stand-in contacts no service, and no time passes while time.sleep is replaced.
        rate_limited=sender is not method and takes_time(time.sleep),
    )
    return run(call, api_key)


@cache
def _retry_loop() -> tuple[type[Call], Callable[[Call, str], Response]]:
    """Return what makes a call, and what runs it. They are imported when the first call needs them."""
    with late_import():
        from .retry.call import Call
        from .retry.loop import run

    return Call, run


def _verb_and_sender(method: Sender, now: Settings) -> tuple[str | None, Sender]:
    """Return the HTTP method of a function, and the sender: the pool, if it is a function of requests."""
    for name in _VERBS:
        own = method is _OWN_FUNCTIONS[name]
        if own or method is getattr(requests, name, None):  # A test may have replaced it.
            pooled = own and not transport.requests_is_replaced()
            send = partial(transport.send, name.upper(), settings=now) if pooled else method
            return name.upper(), send
    return None, method


def _settings_of_batch(with_policy: bool) -> Settings:
    """Put the settings of a batch together; see :func:`_settings_now`."""
    return _settings_now(with_policy)._replace(
        batch_timeout=batch.default_batch_timeout(),
        journal_folder=settings.text(settings.JOURNAL_FOLDER),
    )


def _settings_now(with_policy: bool) -> Settings:
    """Return the settings of a call or a batch: from ``options()``, or else from the environment.

    If no policy is needed (`with_policy`), its variables are not checked.

    Raises
    ------
    ValueError
        If a variable is invalid; the message names it.
    """
    origin, location, seconds, megabytes, *policy = settings.texts(
        settings.API_BASE_URL,
        settings.API_KEY_LOCATION,
        settings.ATTEMPT_SECONDS,
        settings.MAX_RESPONSE_MB,
        *RETRY_VARIABLES,
    )
    attempt_seconds, max_response_mb = settings.bounds(seconds, megabytes)
    return Settings(
        options=settings.options.get(),
        base_url=base_url(origin),
        key_in_header=settings.key_in_header(location),
        attempt_seconds=attempt_seconds,
        max_response_mb=max_response_mb,
        retry=default_policy(tuple(policy)) if with_policy else None,
        batch_timeout=DEFAULT_TIMEOUT_SECONDS,
        network=transport.network_variables(),
    )


# --- Batches -----------------------------------------------------------------------------------------


def process_batch(
    requests: Iterable[batch.BatchRequest],
    *,
    api_key: str,
    max_workers: int | None = None,
    progress_callback: batch.ProgressCallback | None = None,
    executor: batch.Executor | None = None,
    journal: str | PathLike[str] | None = None,
) -> batch.Responses:
    """Send many requests from a pool of workers, and collect the responses.

    Callbacks run in the caller's thread, once for each request: first the request's own, then the
    progress callback. If a callback raises, the error is logged and the batch continues. Ctrl-C stops
    the batch within a second: nothing more is sent and no thread is left.

    Parameters
    ----------
    requests : iterable of BatchRequest
        What to send.
    api_key : str
        As for :func:`get`.
    max_workers : int, optional
        The number of workers. If it is left out: PERMUTIVE_BATCH_MAX_WORKERS, or else Python's default.
        With an executor of threads, requests are kept ready for so many workers. With an executor of
        other processes, it is the number of threads in each process, 8 by default.
    progress_callback : callable, optional
        Called with a :class:`Progress` after each request, in the caller's thread.
    executor : concurrent.futures.Executor, optional
        Where the requests run, for instance other processes; it is not shut down. If it is left out: in
        new threads. An executor that runs calls in this process gets one call for each request. Other
        processes get shards: up to 1,000 requests in one call, about a second of work. Results come
        when a shard ends. A stop takes up to three seconds, and nothing is sent after it. If a process
        dies, the requests of its shard fail, and their outcome is unknown. If the executor breaks,
        requests that were not sent fail, too. A Dask cluster runs a lost shard again, unless
        ``allowed-failures`` is 0.
    journal : str or Path, optional
        A file that records each success as it comes. The same job, started again with it, sends only
        the rest: what is done counts as completed and is absent from the responses. If two of three
        equal requests succeeded, two are skipped. The file must not be a symbolic link. Requests in
        flight when this process was killed are sent again. With an executor of other processes, that is
        up to one shard for each process; requests that are not harmless to repeat then go in shards
        of at most 20.

    Returns
    -------
    responses : list of requests.Response
        The responses of the requests that succeeded, in the order of the requests.
    errors : list of (BatchRequest, Exception)
        The requests that failed, in the order in which they failed.

    Raises
    ------
    ValueError
        If `max_workers` is below 1, no key is found, or the journal belongs to another job.
    TypeError
        If `requests` holds something else, another argument is of a wrong kind, or a replaced
        ``http.request`` cannot be pickled for other processes.
    """
    options = batch.BatchOptions(
        "process_batch", api_key, max_workers, progress_callback, executor, journal
    )
    return batch_runner().collect(requests, options)


def stream_batch(
    requests: Iterable[batch.BatchRequest],
    *,
    api_key: str = DEFAULT_API_KEY,
    max_workers: int | None = None,
    progress_callback: batch.ProgressCallback | None = None,
    executor: batch.Executor | None = None,
    journal: str | PathLike[str] | None = None,
) -> Generator[batch.BatchResult[Response], None, None]:
    """Send the requests of any iterable, and yield the result of each when it completes.

    For more requests than fit into memory: `requests` may be any iterable, also an endless generator. It
    is read only as far ahead as the workers need: a list or a tuple in the caller's thread, anything
    else, which may block, in one separate thread. Open what belongs to one thread, such as a connection
    of sqlite3, inside the generator. Arguments have the same meaning as for :func:`process_batch`.

    Yields
    ------
    BatchResult
        The results in the order of completion. Leaving the loop early stops the rest, and so do Ctrl-C
        and the exit of the interpreter. If a variable holds the generator, call ``close()``, in any thread.

    Raises
    ------
    ValueError, TypeError
        As :func:`process_batch` does. An item that is not a BatchRequest raises when it is reached.

    Examples
    --------
    >>> from PermutiveAPI import BatchRequest, stream_batch
    >>> list(stream_batch([], api_key="your-api-key"))
    []
    """
    options = batch.BatchOptions(
        "stream_batch", api_key, max_workers, progress_callback, executor, journal
    )
    return batch_runner().stream(requests, options, length_of(requests))


def batch_runner() -> BatchRunner:
    """Return the runner of a batch. Each batch has its own, so that replaced names take effect.

    Its workers run in a copy of the caller's context, with the same connection classes.
    """
    with late_import():
        from .batch.runner import BatchRunner

    context = copy_context()
    context.run(transport.keep_classes)
    return BatchRunner(
        send=request,
        executor_class=_this_module.ThreadPoolExecutor,
        read_settings=_settings_of_batch,
        context=context,
    )
