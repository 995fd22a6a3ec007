"""``options()``: settings for the calls inside a block, in place of those of the environment."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, Literal, ParamSpec, TypeVar, cast

from . import settings
from .arguments import is_number, require_kind
from .base_url import parse_origin, warn_if_cleartext
from .credentials import DEFAULT_API_KEY, checked_api_key
from .retry.outcome import AttemptRecord
from .retry.policy import RetryConfig
from .settings import DEFAULT_TIMEOUT_SECONDS, Block, DefaultTimeout, Options, Timeout

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


class _NotGiven(str):
    def __repr__(self) -> str:
        return "Permutive's"


_PERMUTIVES: str = _NotGiven()


class options(AbstractContextManager[None]):
    """Set a key, a timeout and the like for the calls inside a ``with`` block.

    They apply in this thread or task, and in batches and streams that begin inside the block, even if a
    stream is read outside it. Blocks nest: the inner one wins. An argument of a call wins over both. A
    setting that is left out comes from the outer block, or else from the environment. A new thread begins
    without them, unless it runs in a copy of the context, as in ``asyncio.to_thread``.

    Parameters
    ----------
    api_key : str
        The key for calls without a key.
    timeout : float or tuple or None
        Seconds to wait for the connection and between two bytes, for calls without a timeout of
        their own. None waits without limit.
    retry : RetryConfig, optional
        The retry policy of calls and requests that have none of their own.
    base_url : str
        The origin that replaces Permutive's, such as ``http://127.0.0.1:8080``.
    key_location : {"query", "header"}, optional
        Where the key travels.
    on_response : callable, optional
        Called with an :class:`AttemptRecord` after each attempt, in the thread that sent it. If other
        processes send, it is called in the caller's thread, when their results come back. What it
        raises is logged.

    Raises
    ------
    PermutiveCredentialsError
        If `api_key` is None, empty or blank.
    ValueError, TypeError
        If another value is invalid. It is raised here, before anything is sent.

    Examples
    --------
    >>> from PermutiveAPI import Cohort, options
    >>> from PermutiveAPI.sandbox import Sandbox
    >>> def show(record):
    ...     print(record.method, record.path, record.status)
    >>> with Sandbox() as sandbox, options(api_key=sandbox.api_key, on_response=show):
    ...     cohorts = Cohort.list()
    GET /cohorts-api/v2/cohorts/ 200
    """

    def __init__(
        self,
        *,
        api_key: str = DEFAULT_API_KEY,
        timeout: Timeout = DEFAULT_TIMEOUT_SECONDS,
        retry: RetryConfig | None = None,
        base_url: str = _PERMUTIVES,
        key_location: Literal["query", "header"] | None = None,
        on_response: Callable[[AttemptRecord], object] | None = None,
    ) -> None:
        self._given: dict[str, Any] = {}
        self._entered: list[Options] = []
        if api_key is not DEFAULT_API_KEY:
            self._given["api_key"] = checked_api_key(api_key)
        if not isinstance(timeout, DefaultTimeout):
            self._given["timeout"] = _checked_timeout(timeout)
        if retry is not None:
            require_kind("retry", retry, RetryConfig)
            self._given["retry"] = retry
        if base_url is not _PERMUTIVES:
            self._given["base_url"] = _checked_origin(base_url)
        if key_location is not None:
            location = settings.checked_key_location("key_location", key_location)
            self._given["key_location"] = location
        if on_response is not None:
            self._given["on_response"] = _checked_hook(on_response)

    def __enter__(self) -> None:
        """Begin the block."""
        outer = settings.options.get()
        inner = outer.replaced(block=Block(outer), **self._given)
        self._entered.append(inner)
        settings.options.set(inner)

    def __exit__(self, *exception: object) -> None:
        """End the block. If a block inside it is still open, end it together with that one."""
        block = self._entered.pop().block
        if block is not None:
            block.is_open = False
        found = settings.options.get()
        while found.block is not None and not found.block.is_open:
            found = found.block.outer
        settings.options.set(found)

    def __call__(self, function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
        """Decorate a function, so that each of its calls is a block.

        Raises
        ------
        TypeError
            If the function is a coroutine or a generator, since these run only after their call.
        """
        kinds = (iscoroutinefunction, isgeneratorfunction, isasyncgenfunction)
        if any(is_kind(function) for is_kind in kinds):
            raise TypeError(
                f"options() cannot decorate {function.__qualname__}, a coroutine or generator "
                "function. Write a with block inside it."
            )

        @wraps(function)
        def inside(*positional: Arguments.args, **named: Arguments.kwargs) -> Returned:
            with self:
                return function(*positional, **named)

        return inside


def _checked_hook(on_response: Any) -> Callable[[AttemptRecord], object]:
    if not callable(on_response) or iscoroutinefunction(on_response):
        kind = type(on_response).__name__
        raise TypeError(f"on_response must be a plain function, got {kind}.")
    return on_response


def _checked_timeout(timeout: Any) -> Timeout:
    is_pair = isinstance(timeout, tuple)
    waits = cast("tuple[Any, ...]", timeout if is_pair else (timeout,))
    for wait in waits:
        if wait is not None and not is_number(wait):
            raise TypeError(f"timeout must be seconds, a pair of them, or None, got {timeout!r}.")
        if wait is not None and not 0 < wait < math.inf:
            raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}.")
    if is_pair and len(waits) != 2:
        raise ValueError(f"timeout must be a pair of (connect, read) seconds, got {timeout!r}.")
    found = tuple(None if wait is None else float(wait) for wait in waits)
    return cast("Timeout", found if is_pair else found[0])


def _checked_origin(base_url: Any) -> str:
    require_kind("base_url", base_url, str)
    origin = parse_origin("base_url", base_url.strip())
    warn_if_cleartext("base_url", origin)
    return origin.url
