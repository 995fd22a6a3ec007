"""The retry rules: a checked policy and pure functions, without socket, clock or sleep.

This module decides whether a request may be repeated, whether to repeat it after a response, and how
long to wait. loop.py acts on it. outcome.py says what a failure means.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from .. import settings
from ..arguments import is_number

MAX_RETRIES = 3
BACKOFF_FACTOR = 2.0
INITIAL_DELAY = 1.0

# The module whose MAX_RETRIES, BACKOFF_FACTOR and INITIAL_DELAY are read: ``http`` passes its own,
# since users set them there.
_defaults: dict[str, Any] = globals()

LONGEST_WAIT_SECONDS = 120.0
# After this time without a success, refusals in a batch count as attempts.
UNCOUNTED_REFUSALS_SECONDS = 120.0
_JITTER = 0.25
VARIABLES = (
    settings.RETRY_MAX_RETRIES,
    settings.RETRY_BACKOFF_FACTOR,
    settings.RETRY_INITIAL_DELAY_SECONDS,
)
_DEFAULT_NAMES = ("MAX_RETRIES", "BACKOFF_FACTOR", "INITIAL_DELAY")
_LEAST = {"max_retries": 1, "backoff_factor": 1, "initial_delay": 0}

_REPEATABLE_VERBS = frozenset(("GET", "PATCH", "DELETE"))
# Repeating these changes nothing more: the same aliases are mapped to the same user, the contextual
# endpoint only classifies a page, and stateless segmentation stores nothing.
_REPEATABLE_POSTS = frozenset(
    ("/v2.0/identify", "/ctx/v1/segment", "/ccs/v1/segmentation/stateless")
)

# The segments of an import: one PATCH creates, changes and deletes many of them.
_COLLECTION = "/audience-api/v1/imports/[^/]+/segments"


@dataclass
class RetryConfig:
    """How often a request is tried, and how long to wait between two attempts.

    A field that is left out comes from the environment (PERMUTIVE_RETRY_MAX_RETRIES,
    PERMUTIVE_RETRY_BACKOFF_FACTOR, PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS) when the object is made,
    or else from ``http.MAX_RETRIES``, ``http.BACKOFF_FACTOR`` and ``http.INITIAL_DELAY``.

    In batches and streams, a request without a policy of its own uses up no attempt when a limit refuses
    it (429, or 503 with Retry-After), as long as the service has accepted something of the batch, or
    of the same API and key, in the last two minutes. A request that alone is refused, while others are
    accepted, fails after two to four minutes.

    Parameters
    ----------
    max_retries : int
        The number of attempts, the first one included; at least 1.
    backoff_factor : float
        The factor by which each wait is longer than the one before; at least 1.
    initial_delay : float
        The first wait in seconds, before jitter; at least 0.

    Raises
    ------
    ValueError
        If a value or an environment variable is out of its range.

    Examples
    --------
    >>> retry = RetryConfig(max_retries=5, initial_delay=0.5)
    >>> with options(retry=retry):
    ...     cohorts = Cohort.list()
    """

    max_retries: int = field(default_factory=lambda: _max_retries(settings.text(VARIABLES[0])))
    backoff_factor: float = field(
        default_factory=lambda: _backoff_factor(settings.text(VARIABLES[1]))
    )
    initial_delay: float = field(
        default_factory=lambda: _initial_delay(settings.text(VARIABLES[2]))
    )

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field; refuse a value from which no wait can be computed."""
        if name in _LEAST:
            whole = name == "max_retries"
            value = _checked_number(name, value, at_least=_LEAST[name], whole=whole)
        super().__setattr__(name, value)


def take_defaults_from(names: dict[str, Any]) -> None:
    """Read MAX_RETRIES, BACKOFF_FACTOR and INITIAL_DELAY from `names` whenever a policy is made."""
    global _defaults
    _defaults = names


def default_policy(texts: tuple[str | None, ...]) -> RetryConfig:
    """Return the policy of ``options()``, or else ``RetryConfig()``; `texts` are the values of VARIABLES.

    A new ``RetryConfig()`` is made only if a default or a variable has changed. So the same object serves
    many calls: do not change it, and do not give it to users.
    """
    given = settings.options.get().retry
    if given is not None:
        return given
    return _policy_of(*(_defaults[name] for name in _DEFAULT_NAMES), *texts)


@lru_cache(maxsize=16)
def _policy_of(*given: Any) -> RetryConfig:
    most, factor, delay = given[len(_DEFAULT_NAMES) :]
    return RetryConfig(_max_retries(most), _backoff_factor(factor), _initial_delay(delay))


def _max_retries(text: str | None) -> int:
    return settings.parsed_count(VARIABLES[0], text) or _defaults["MAX_RETRIES"]


def _backoff_factor(text: str | None) -> float:
    default = _defaults["BACKOFF_FACTOR"]
    return settings.parsed_number(VARIABLES[1], text, default, at_least=1.0)


def _initial_delay(text: str | None) -> float:
    return settings.parsed_number(VARIABLES[2], text, _defaults["INITIAL_DELAY"])


def is_repeatable(verb: str, url: str) -> bool:
    """Tell whether repeating a request that may have been processed is harmless."""
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:  # Such a URL is never sent.
        return False
    if verb == "PATCH":
        # On a collection, it is many operations, and some of them would fail the second time.
        return not re.fullmatch(_COLLECTION, path)
    return verb in _REPEATABLE_VERBS or (verb == "POST" and path in _REPEATABLE_POSTS)


def is_worth_repeating(status: int, repeats_5xx: bool) -> bool:
    """Tell whether to repeat a request after a response; `repeats_5xx` is that of :class:`~.call.Call`.

    After 429 and 503, the request was not carried out. A gateway's 502 or 504 may come after it was.
    """
    return status in (429, 503) or (repeats_5xx and 500 <= status <= 599)


def backoff_seconds(retry: RetryConfig, retries: int, jitter: float) -> float:
    """Return how many seconds to wait before the next attempt if the service does not say, at most 120.

    `retries` is how many waits there were before. `jitter`, from 0 to 1, lengthens the wait by up to a
    quarter, so that workers that failed together do not return together.
    """
    if not retry.initial_delay:
        return 0.0  # Also if the power below would overflow.
    try:
        delay = retry.initial_delay * float(retry.backoff_factor) ** retries
    except OverflowError:
        delay = LONGEST_WAIT_SECONDS
    return min(delay * (1 + _JITTER * jitter), LONGEST_WAIT_SECONDS)


def wait_after_response(
    retry: RetryConfig,
    retries: int,
    status: int,
    retry_after: float | None,
    jitter: float,
    *,
    together: bool = False,
) -> float:
    """Return the wait that the service has asked for, or else the policy's own.

    The result may be longer than LONGEST_WAIT_SECONDS, which no call waits. With `together`, the call is
    one of many that were refused at the same time. After 429 it then waits for a random part of the
    policy's time, so that the calls return one by one.
    """
    if retry_after is not None:
        return retry_after
    if together and status == 429:
        return backoff_seconds(retry, retries, 0.0) * jitter
    return backoff_seconds(retry, retries, jitter)


def retry_after_of(response: Any, now: datetime) -> float | None:
    """Return the seconds that the service asks for with 429 or 503, or None.

    A date is compared with the response's own Date, or else with `now`: the clocks of the two machines
    may differ.
    """
    if response.status_code not in (429, 503):
        return None
    headers: Any = getattr(response, "headers", None) or {}
    sent = _http_date(headers.get("Date"))
    return parse_retry_after(headers.get("Retry-After"), sent or now)


def is_throttled(status: int, retry_after: float | None) -> bool:
    """Tell whether a limit has refused the request: 429, or 503 that says how long to wait."""
    return status == 429 or (status == 503 and retry_after is not None)


def refusals_are_free(seconds_since_success: float) -> bool:
    """Tell whether a refusal uses up no attempt, this long after the last success."""
    return seconds_since_success <= UNCOUNTED_REFUSALS_SECONDS


def parse_retry_after(value: Any, now: datetime) -> float | None:
    """Read a Retry-After header: whole or fractional seconds, or an HTTP date, counted from `now`.

    Return seconds, 0 for a date in the past; None for what cannot be read.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)  # A stand-in may have another type; a real header is a text.
    if not isinstance(value, str):
        return None
    text = value.strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text):
        return float(text)
    date = _http_date(text)
    return None if date is None else max(0.0, (date - now).total_seconds())


def _http_date(value: Any) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # "-0000" means UTC in an unknown time zone.
            date = date.replace(tzinfo=timezone.utc)
        return date
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError):
        return None


def _checked_number(name: str, value: Any, *, at_least: float, whole: bool) -> float:
    if is_number(value, whole=whole) and at_least <= value < math.inf:
        if isinstance(value, (int, float)):
            return value
        return int(value) if whole else float(value)  # It may be a number of NumPy.
    kind = "whole" if whole else "finite"
    raise ValueError(f"{name} must be a {kind} number of at least {at_least}, got {value!r}.")
