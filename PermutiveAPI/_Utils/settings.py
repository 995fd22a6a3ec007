"""The settings of a call: from ``options()``, or else from the environment, or else from ``.env``.

A variable of the process environment wins; ``.env`` fills in what is not set there. The process
environment is read at every call, never cached. ``.env`` is looked for from the working directory
upwards when a variable is missing for the first time, and is read again only if it has changed. It
never alters the process environment.

A batch reads its :class:`Settings` once, when it is called. Its workers find them in their context.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .lazy_names import late_import

if TYPE_CHECKING:
    from .retry.policy import RetryConfig

API_KEY = "PERMUTIVE_API_KEY"
APPLICATION_CREDENTIALS = "PERMUTIVE_APPLICATION_CREDENTIALS"
API_BASE_URL = "PERMUTIVE_API_BASE_URL"
TIMEOUT_SECONDS = "PERMUTIVE_TIMEOUT_SECONDS"
BATCH_MAX_WORKERS = "PERMUTIVE_BATCH_MAX_WORKERS"
BATCH_TIMEOUT_SECONDS = "PERMUTIVE_BATCH_TIMEOUT_SECONDS"
RETRY_MAX_RETRIES = "PERMUTIVE_RETRY_MAX_RETRIES"
RETRY_BACKOFF_FACTOR = "PERMUTIVE_RETRY_BACKOFF_FACTOR"
RETRY_INITIAL_DELAY_SECONDS = "PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS"
API_KEY_LOCATION = "PERMUTIVE_API_KEY_LOCATION"
ATTEMPT_SECONDS = "PERMUTIVE_ATTEMPT_SECONDS"
MAX_RESPONSE_MB = "PERMUTIVE_MAX_RESPONSE_MB"
JOURNAL_FOLDER = "PERMUTIVE_JOURNAL_FOLDER"

KEY_LOCATIONS = ("query", "header")

_DEFAULT_ATTEMPT_SECONDS = 300.0
_DEFAULT_MAX_RESPONSE_MB = 1024.0


Timeout = float | tuple[float | None, float | None] | None


class DefaultTimeout(float):
    """Seconds that nobody gave as an argument. A timeout given to ``options()`` wins over them."""

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Pickle by its class, so that it stays a timeout that nobody gave in another process."""
        if self is DEFAULT_TIMEOUT_SECONDS:
            return "DEFAULT_TIMEOUT_SECONDS"  # By name, so that a copy is the same object.
        return type(self), (float(self),)


DEFAULT_TIMEOUT_SECONDS = DefaultTimeout(10.0)


# --- The arguments of options() ------------------------------------------------------------------


class Block:
    """A ``with options()`` block: whether it is still open, and the options around it."""

    def __init__(self, outer: Options) -> None:
        self.outer = outer
        self.is_open = True


class Options:
    """The arguments of the ``options()`` blocks around a call; None for those that were left out.

    It never changes. Its repr() shows no key.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT_SECONDS,  # None is a timeout, too.
        retry: RetryConfig | None = None,
        base_url: str | None = None,
        key_location: str | None = None,
        on_response: Callable[[Any], object] | None = None,
        block: Block | None = None,
    ) -> None:
        self.api_key = api_key
        self.timeout = timeout
        self.retry = retry
        self.base_url = base_url
        self.key_location = key_location
        self.on_response = on_response
        self.block = block

    def replaced(self, **given: Any) -> Options:
        """Return the same options, but with these values."""
        return Options(**{**vars(self), **given})


options: ContextVar[Options] = ContextVar("options", default=Options())


# --- The settings of a call or a batch -----------------------------------------------------------


class Settings(NamedTuple):
    """The settings of a call, or of each call of a batch.

    Attributes
    ----------
    options : Options
        The options that the other settings come from, beside the environment.
    base_url : str or None
        The origin that replaces Permutive's.
    key_in_header : bool
        Whether the key travels in the header X-API-Key, not in the query.
    attempt_seconds, max_response_mb : float
        The bounds of one attempt.
    retry : RetryConfig or None
        The policy of requests without one; None if every request has its own.
    batch_timeout : DefaultTimeout
        The timeout of a batch's requests, if neither the caller nor the environment gave one.
    network : tuple of (str or None)
        The variables that name proxies and certificates; see ``transport.network_variables``. Empty
        in another process, which reads its own.
    journal_folder : str or None
        The folder in which a batch keeps its journal, whatever the journal's path is.
    """

    options: Options
    base_url: str | None
    key_in_header: bool
    attempt_seconds: float
    max_response_mb: float
    retry: RetryConfig | None
    batch_timeout: DefaultTimeout
    network: tuple[str | None, ...]
    journal_folder: str | None = None


# The settings of the calls that a batch's workers make.
of_batch: ContextVar[Settings | None] = ContextVar("settings_of_batch", default=None)


def batch_settings() -> Settings | None:
    """Return the settings of the batch that the caller works for; None outside of it, and in an ``options`` block."""
    found = of_batch.get()
    return found if found is not None and found.options is options.get() else None


# --- Variables -----------------------------------------------------------------------------------


def text(name: str) -> str | None:
    """Return a variable without surrounding spaces; None if it is unset or blank."""
    return texts(name)[0]


def text_in_file(name: str) -> str | None:
    """Return the value of a variable in ``.env``, whatever the process environment says."""
    return (_dotenv().values.get(name) or "").strip() or None


def file_of(name: str) -> str | None:
    """Return the path of the ``.env`` that a variable comes from; None if it comes from the environment."""
    return None if os.environ.get(name, "").strip() else _dotenv().path


def texts(*names: str) -> tuple[str | None, ...]:
    """Return several variables, each as :func:`text` does, but read ``.env`` only once."""
    values = [os.environ.get(name, "").strip() for name in names]
    if not all(values):
        filled_in = _dotenv().values
        if filled_in:
            values = [
                value or (filled_in.get(name) or "").strip()
                for name, value in zip(names, values, strict=True)
            ]
    return tuple(value or None for value in values)


def number(name: str, default: float, *, at_least: float = 0.0) -> float:
    """Return a variable as a positive finite number; see :func:`parsed_number`."""
    return parsed_number(name, text(name), default, at_least=at_least)


def count(name: str) -> int | None:
    """Return a variable as a whole number of at least 1; see :func:`parsed_count`."""
    return parsed_count(name, text(name))


def parsed_number(name: str, value: str | None, default: float, *, at_least: float = 0.0) -> float:
    """Return a variable's text as a positive finite number, None as `default`.

    Raises
    ------
    ValueError
        If it is not a number, or is below `at_least`; the message names the variable.
    """
    return default if value is None else _parse_number(name, value, at_least)


def parsed_count(name: str, value: str | None) -> int | None:
    """Return a variable's text as a whole number of at least 1, None as None.

    Raises
    ------
    ValueError
        If it is not a whole number; the message names the variable.
    """
    return None if value is None else _parse_count(name, value)


def key_in_header(value: str | None) -> bool:
    """Tell whether the key travels in a header, so that no URL shows it.

    The `key_location` of ``options()`` wins over `value`, the text of PERMUTIVE_API_KEY_LOCATION.

    Raises
    ------
    ValueError
        If it is neither "query" nor "header".
    """
    location = options.get().key_location or (value or "query").lower()
    return checked_key_location(API_KEY_LOCATION, location) == "header"


def checked_key_location(name: str, location: Any) -> str:
    """Return a location of the key. Raise ValueError if it is not one; `name` is the variable or the argument."""
    if location not in KEY_LOCATIONS:
        # The value is not shown: a wrong one may be the key itself.
        raise ValueError(f"{name} must be one of {', '.join(KEY_LOCATIONS)}.")
    return location


def bounds(seconds: str | None, megabytes: str | None) -> tuple[float, float]:
    """Return how many seconds an attempt may take, and how many MB (of 2**20 bytes) a response.

    The arguments are the texts of PERMUTIVE_ATTEMPT_SECONDS and PERMUTIVE_MAX_RESPONSE_MB.

    Raises
    ------
    ValueError
        If one is not a positive finite number; the message names the variable.
    """
    return (
        parsed_number(ATTEMPT_SECONDS, seconds, _DEFAULT_ATTEMPT_SECONDS),
        parsed_number(MAX_RESPONSE_MB, megabytes, _DEFAULT_MAX_RESPONSE_MB),
    )


@lru_cache(maxsize=64)
def _parse_number(name: str, value: str, at_least: float) -> float:
    try:
        parsed = float(value)
    except ValueError:
        parsed = math.nan
    if math.isfinite(parsed) and parsed > 0 and parsed >= at_least:
        return parsed
    bound = f" of at least {at_least:g}" if at_least else ""
    raise ValueError(f"{name} must be a positive finite number{bound}, got {value!r}.")


@lru_cache(maxsize=64)
def _parse_count(name: str, value: str) -> int:
    try:
        parsed = int(value)
    except ValueError:
        parsed = 0
    if parsed >= 1:
        return parsed
    raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")


# --- .env ------------------------------------------------------------------------------------

_Signature = tuple[int, int, int] | None


class _DotenvFile(NamedTuple):
    """The variables of a file, and the state of the file when they were read."""

    path: str
    signature: _Signature
    values: Mapping[str, str | None]


_NO_FILE = _DotenvFile("", None, {})
_dotenv_by_folder: dict[str, _DotenvFile] = {}


def _dotenv() -> _DotenvFile:
    """Return the nearest .env of the working directory, read anew only when it has changed."""
    try:
        folder = os.getcwd()
    except FileNotFoundError:  # The working directory was deleted.
        return _NO_FILE
    known = _dotenv_by_folder.get(folder)
    if known is None or known.signature != _signature_of(known.path):
        # If two threads read it, they read the same, and each assignment is atomic.
        known = _dotenv_by_folder[folder] = _read_dotenv(folder)
    return known


def _read_dotenv(folder: str) -> _DotenvFile:
    with late_import():
        from dotenv import dotenv_values, find_dotenv

    path = find_dotenv(usecwd=True) or str(Path(folder) / ".env")
    signature = _signature_of(path)
    try:
        values = {} if signature is None else dotenv_values(path, encoding="utf-8-sig")
    except UnicodeDecodeError:
        values = None
    if values is None:
        # Raised outside the handler, since a chained decoding error contains the whole file, with the key.
        raise ValueError(f"{path} is not in UTF-8. Save it in UTF-8.")
    return _DotenvFile(path, signature, values)


def _signature_of(path: str) -> _Signature:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
