"""The door to the network: the verbs, the one retry loop, and the batch runner.

``Cohort.create → http.post → _with_retry → transport``; a batch adds two hops:
``process_batch → request``. The functions may be called from any number of threads.

Tests of users' own replace names of this module (``request``, the verbs, ``_with_retry``,
``ThreadPoolExecutor``, ``time.sleep``, ``requests.get`` and its like). All of them are looked up when
they are called, so that a replacement takes effect.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from types import BuiltinFunctionType
from typing import Any, NamedTuple, NoReturn, TypeVar

import requests
import requests.api

from . import cancellation, engine, settings, transport
from .arguments import require_kind
from .batch import BatchRequest, Failures, Progress, ProgressCallback
from .credentials import resolve_api_key
from .errors import (
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveInvalidResponseError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    PermutiveTimeoutError,
    error_from_response,
    raise_for_status,
)
from .errors import extract_error_message as _extract_error_message
from .json import to_payload
from .redaction import redact_message, redact_secret, redact_url
from .redaction import redact_sensitive_data as _redact_sensitive_data
from .retry import (
    BACKOFF_FACTOR,
    INITIAL_DELAY,
    LONGEST_WAIT_SECONDS,
    MAX_RETRIES,
    SENDING_ERRORS,
    Outcome,
    RetryConfig,
    backoff_seconds,
    is_repeatable,
    is_timeout,
    is_worth_repeating,
    outcome_of,
    wait_after_answer,
)

__all__ = [
    "BACKOFF_FACTOR",
    "BatchRequest",
    "DEFAULT_HEADERS",
    "INITIAL_DELAY",
    "MAX_RETRIES",
    "PermutiveAPIError",
    "PermutiveAuthenticationError",
    "PermutiveBadRequestError",
    "PermutiveConflictError",
    "PermutiveConnectionError",
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
    "delete",
    "get",
    "patch",
    "post",
    "process_batch",
    "raise_for_status",
    "redact_message",
    "redact_url",
    "request",
    "run_concurrently",
    "to_payload",
]

DEFAULT_HEADERS: dict[str, str] = {
    "Accept": "application/json",
    "Content-Type": "application/json",
}

Item = TypeVar("Item")
Result = TypeVar("Result")
Sender = Callable[..., requests.Response]

logger = logging.getLogger("PermutiveAPI")

# POST stands first: where one stand-in replaces several verbs, it counts as the one that must not
# be repeated lightly.
_VERBS = ("post", "patch", "delete", "get")
# Not those of `requests` itself, which a test may have replaced before this module is imported.
_OWN_FUNCTIONS = {name: getattr(requests.api, name) for name in _VERBS}


# --- Verbs ---------------------------------------------------------------------------------------


def get(
    api_key: str | None, url: str, params: Mapping[str, Any] | None = None
) -> requests.Response:
    """Send a GET request.

    Parameters
    ----------
    api_key : str
        The key; None or "" stands for the default workspace's.
    url : str
        The address.
    params : mapping, optional
        Query parameters, beside the key.

    Returns
    -------
    requests.Response
        The answer, whose status is 2xx.

    Raises
    ------
    PermutiveAPIError
        Its child for the answer's status, or PermutiveConnectionError when no answer came within
        PERMUTIVE_TIMEOUT_SECONDS (10 unless set) and the attempts of ``RetryConfig()``.
    ValueError
        If no key is found, or a variable of the environment is invalid.
    """
    return _with_retry(
        requests.get,
        url,
        api_key,
        params=params,
        headers=DEFAULT_HEADERS,
        timeout=_timeout_seconds(),
    )


def post(api_key: str | None, url: str, data: Any) -> requests.Response:
    """Send a POST request with `data` as its JSON body; else as :func:`get`.

    It is not repeated after a failure that may have come after it was processed, except to the
    endpoints where repeating is harmless.
    """
    return _with_retry(
        requests.post,
        url,
        api_key,
        json=data,
        headers=DEFAULT_HEADERS,
        timeout=_timeout_seconds(),
    )


def patch(api_key: str | None, url: str, data: Any) -> requests.Response:
    """Send a PATCH request with `data` as its JSON body; else as :func:`get`."""
    return _with_retry(
        requests.patch,
        url,
        api_key,
        json=data,
        headers=DEFAULT_HEADERS,
        timeout=_timeout_seconds(),
    )


def delete(api_key: str | None, url: str) -> requests.Response:
    """Send a DELETE request; else as :func:`get`."""
    return _with_retry(
        requests.delete,
        url,
        api_key,
        headers=DEFAULT_HEADERS,
        timeout=_timeout_seconds(),
    )


def request(
    method: str,
    api_key: str | None,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: transport.Timeout = settings.DEFAULT_TIMEOUT_SECONDS,
    retry: RetryConfig | None = None,
) -> requests.Response:
    """Send a request of any of the four verbs.

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
        Seconds to wait for the connection and between two bytes; None waits without limit.
    retry : RetryConfig, optional
        The retry policy; ``RetryConfig()`` when it is left out.

    Returns
    -------
    requests.Response
        The answer, whose status is 2xx.

    Raises
    ------
    ValueError
        For another verb.
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
        timeout=timeout,
        retry=retry,
        **arguments,
    )


def _checked_verb(method: Any) -> str:
    verb = method.lower() if isinstance(method, str) else ""
    if verb not in _VERBS:
        raise ValueError(f"method must be GET, POST, PATCH or DELETE, got {method!r}.")
    return verb


def _timeout_seconds() -> float:
    return settings.number(settings.TIMEOUT_SECONDS, settings.DEFAULT_TIMEOUT_SECONDS)


# --- The retry loop --------------------------------------------------------------------------------


class _Failure(NamedTuple):
    """A call that brought no answer. Its text shows no secret."""

    outcome: Outcome
    text: str
    timed_out: bool


def _with_retry(
    method: Sender,
    url: str,
    api_key: str | None,
    *,
    headers: Mapping[str, str] | None = None,
    retry: RetryConfig | None = None,
    **kwargs: Any,
) -> requests.Response:
    """Call `method` until it succeeds or may not be repeated.

    The rules are those of retry.py. Waits happen between attempts only.

    Parameters
    ----------
    method : callable
        Called as ``method(url, headers=..., params=..., **kwargs)``. The four verbs of requests use
        pooled connections; any other function counts as harmless to repeat.
    url : str
        The address; see ``transport.actual_url``.
    api_key : str
        Travels as the query parameter ``k``.
    headers : mapping, optional
        DEFAULT_HEADERS when it is left out.
    retry : RetryConfig, optional
        The retry policy; ``RetryConfig()`` when it is left out.
    **kwargs
        params, json, timeout.

    Returns
    -------
    requests.Response
        The answer, whose status is 2xx.

    Raises
    ------
    PermutiveAPIError
        As for :func:`get`.
    """
    policy = RetryConfig() if retry is None else retry
    params: Mapping[str, Any] = kwargs.get("params") or {}
    headers = DEFAULT_HEADERS if headers is None else headers
    require_kind("url", url, str)
    require_kind("retry", policy, RetryConfig)
    require_kind("params", params, Mapping)
    require_kind("headers", headers, Mapping)
    key = resolve_api_key(api_key)
    url = transport.actual_url(url)
    verb, sender = _verb_and_sender(method)
    harmless = verb is None or is_repeatable(verb, url)
    kwargs["params"] = {**params, "k": key}
    kwargs["headers"] = dict(headers)
    attempt = 0
    while True:
        attempt += 1
        exhausted = attempt >= policy.max_retries
        answer = _attempt(sender, url, key, kwargs)
        if isinstance(answer, _Failure):
            if exhausted or not _may_repeat(answer, harmless):
                _raise_failure(answer, attempt, url, harmless)
            seen = answer.text
            wait = backoff_seconds(policy, attempt - 1, random.random())
        elif 200 <= answer.status_code <= 299:
            return answer
        else:
            now = datetime.now(timezone.utc)
            seen = f"status {answer.status_code}"
            wait = wait_after_answer(policy, attempt - 1, answer, now, random.random())
            if exhausted or not _may_wait(answer, wait):
                _raise_refusal(answer, attempt, wait, url)
        logger.info("Attempt %d failed (%s), next in %.2f s", attempt, seen, wait)
        _pause(wait)


def _verb_and_sender(method: Sender) -> tuple[str | None, Sender]:
    """Tell which verb a function stands for, and what sends it: the pool for requests' own ones."""
    for name, own_function in _OWN_FUNCTIONS.items():
        if method is own_function:
            verb = name.upper()
            return verb, partial(transport.send, verb)
    for name in _VERBS:
        if method is getattr(requests, name, None):  # Replaced, by a test for instance.
            return name.upper(), method
    return None, method


def _attempt(
    sender: Sender, url: str, key: str, arguments: Mapping[str, Any]
) -> requests.Response | _Failure:
    try:
        return sender(url, **arguments)
    except SENDING_ERRORS as error:
        batch = cancellation.current()
        if batch is not None:
            batch.check()  # A stop shuts connections down, which looks like a failure.
        text = redact_message(redact_secret(str(error) or type(error).__name__, key))
        return _Failure(outcome_of(error), text, is_timeout(error))


def _may_repeat(failure: _Failure, harmless: bool) -> bool:
    return failure.outcome is Outcome.NOT_SENT or (
        failure.outcome is Outcome.UNKNOWN and harmless
    )


def _raise_failure(
    failure: _Failure, attempts: int, url: str, harmless: bool
) -> NoReturn:
    if failure.outcome is Outcome.UNWRITABLE:
        raise PermutiveInvalidRequestError(
            f"The request cannot be sent: {failure.text}", url=url
        )
    message = f"Request failed after {attempts} attempts: {failure.text}"
    if failure.outcome is Outcome.UNKNOWN and not harmless:
        message += (
            ". The outcome is unknown: the service may have processed the request. "
            "Look before sending it again."
        )
    logger.error("%s", message)
    error_class = (
        PermutiveTimeoutError if failure.timed_out else PermutiveConnectionError
    )
    raise error_class(message, url=url)


def _may_wait(response: requests.Response, wait: float) -> bool:
    return is_worth_repeating(response.status_code) and wait <= LONGEST_WAIT_SECONDS


def _raise_refusal(
    response: requests.Response, attempts: int, wait: float, url: str
) -> NoReturn:
    reason, note = f"status {response.status_code}", ""
    if 300 <= response.status_code <= 399:
        reason += (
            " (redirects are not followed, since they would carry the key elsewhere)"
        )
    elif is_worth_repeating(response.status_code):
        note = f"Attempts: {attempts}."
        if wait > LONGEST_WAIT_SECONDS:
            note += (
                f" The service asks for a wait of {wait:g} s; a call waits for "
                f"{LONGEST_WAIT_SECONDS:.0f} s at the most."
            )
    raise error_from_response(response, reason, url, note=note)


def _pause(seconds: float) -> None:
    """Wait between two attempts; a batch that is stopped cuts it short.

    A replaced ``time.sleep`` is called for every wait, so that tests take no real time.
    """
    batch = cancellation.current()
    if batch is None or not _is_pythons_own(time.sleep):
        time.sleep(seconds)
    else:
        batch.wait(seconds)


def _is_pythons_own(function: Any) -> bool:
    """Tell time.sleep from what a test has put in its place, perhaps another built-in function."""
    return isinstance(function, BuiltinFunctionType) and function.__module__ == "time"


# --- Batches -----------------------------------------------------------------------------------------


def process_batch(
    requests: Iterable[BatchRequest],
    *,
    api_key: str | None,
    max_workers: int | None = None,
    progress_callback: ProgressCallback | None = None,
) -> tuple[list[requests.Response], Failures]:
    """Send many requests from a pool of workers.

    Callbacks run in the caller's thread, once a request: its own one first, then the progress
    callback. One that raises is logged and does not stop the batch. Ctrl-C does, within a second:
    nothing more is sent and no thread is left.

    Parameters
    ----------
    requests : iterable of BatchRequest
        What to send.
    api_key : str
        As for :func:`get`.
    max_workers : int, optional
        The number of workers; PERMUTIVE_BATCH_MAX_WORKERS when it is left out, and else Python's
        own number.
    progress_callback : callable, optional
        Called with a :class:`Progress` after each request.

    Returns
    -------
    responses : list of requests.Response
        The answers of those that succeeded, in the order of the requests.
    errors : list of (BatchRequest, Exception)
        Those that failed, as they failed.

    Raises
    ------
    ValueError
        If `max_workers` is below 1, or no key is found.
    TypeError
        If `requests` holds something else, `max_workers` is no whole number, or
        `progress_callback` cannot be called.
    """
    return engine.run_batch(
        requests,
        send=request,
        api_key=api_key,
        max_workers=max_workers,
        progress_callback=progress_callback,
        new_executor=ThreadPoolExecutor,
    )


def run_concurrently(
    function: Callable[[Item], Result], items: Sequence[Item]
) -> list[Result]:
    """Call a function for every item on worker threads; see ``engine.run_concurrently``."""
    return engine.run_concurrently(function, items, new_executor=ThreadPoolExecutor)
