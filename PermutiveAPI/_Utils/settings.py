"""The environment and ``.env``, read as checked values.

A variable of the process environment wins; ``.env`` fills in what is not set there. The process
environment is read at every call, never cached. ``.env`` is looked for from the working directory
upwards when a variable is first missed, and read again only when it has changed; it never alters
the process environment.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

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

_KEY_LOCATIONS = ("query", "header")

DEFAULT_TIMEOUT_SECONDS = 10.0
_DEFAULT_ATTEMPT_SECONDS = 300.0
_DEFAULT_MAX_RESPONSE_MB = 1024.0


def text(name: str) -> str | None:
    """Return a variable without surrounding spaces; None when it is unset or blank."""
    return texts(name)[0]


def text_and_file(name: str) -> tuple[str | None, str | None]:
    """Return a variable as :func:`text` does, and the path of the ``.env`` that it comes from, or None."""
    value = os.environ.get(name, "").strip()
    if value:
        return value, None
    dotenv = _dotenv()
    value = (dotenv.values.get(name) or "").strip()
    return (value, dotenv.path) if value else (None, None)


def texts(*names: str) -> tuple[str | None, ...]:
    """Return several variables, each as :func:`text` does, with one look at ``.env``."""
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
        If it is none, or is below `at_least`; the message names the variable.
    """
    return default if value is None else _parse_number(name, value, at_least)


def parsed_count(name: str, value: str | None) -> int | None:
    """Return a variable's text as a whole number of at least 1, None as None.

    Raises
    ------
    ValueError
        If it is none; the message names the variable.
    """
    return None if value is None else _parse_count(name, value)


def key_in_header() -> bool:
    """Tell whether the key travels in a header, so that no URL shows it, and not in the query.

    Raises
    ------
    ValueError
        If PERMUTIVE_API_KEY_LOCATION is neither "query" nor "header".
    """
    value = (text(API_KEY_LOCATION) or "query").lower()
    if value not in _KEY_LOCATIONS:
        # The value is not shown: a wrong one may be the key itself.
        raise ValueError(f"{API_KEY_LOCATION} must be one of {', '.join(_KEY_LOCATIONS)}.")
    return value == "header"


def bounds() -> tuple[float, float]:
    """Return how many seconds an attempt may take, and how many MB (of 2**20 bytes) an answer.

    Raises
    ------
    ValueError
        If a variable is no positive finite number; the message names it.
    """
    seconds, megabytes = texts(ATTEMPT_SECONDS, MAX_RESPONSE_MB)
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
    """What was read, and what the file looked like then."""

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
        # Two threads may both read it: they read the same, and each assignment is whole.
        known = _dotenv_by_folder[folder] = _read_dotenv(folder)
    return known


def _read_dotenv(folder: str) -> _DotenvFile:
    from dotenv import dotenv_values, find_dotenv

    path = find_dotenv(usecwd=True) or str(Path(folder) / ".env")
    signature = _signature_of(path)
    values = {} if signature is None else dotenv_values(path, encoding="utf-8-sig")
    return _DotenvFile(path, signature, values)


def _signature_of(path: str) -> _Signature:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
