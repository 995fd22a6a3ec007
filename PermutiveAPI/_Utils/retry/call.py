"""A request to send, and an attempt that was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import requests

from ..redaction import hide_user_ids
from ..settings import Settings
from .outcome import NoResponse
from .policy import RetryConfig


@dataclass(slots=True)  # Not frozen, which would make each call slower.
class Call:
    """A request to send, and how it may be repeated.

    Parameters
    ----------
    sender : callable
        Called as ``sender(url, **arguments)`` with the key among the arguments.
    verb : str or None
        In capitals; None for a function that is not one of the four verbs.
    url : str
        The URL, without the key.
    arguments : mapping
        The other arguments of `sender`, without the key.
    settings : Settings
        The settings of the call.
    policy : RetryConfig
        How often it is repeated, and how long it waits.
    own_policy : bool
        Whether the caller gave the policy. Then each refusal counts as an attempt.
    repeatable : bool
        Whether it may be repeated, although it may have been processed.
    repeats_5xx : bool
        Whether it is repeated after any response with 5xx, not only after 503.
    rate_limited : bool
        Whether the call obeys rate limits: it contacts a service, and its waits take time.
    """

    sender: Callable[..., requests.Response]
    verb: str | None
    url: str
    arguments: Mapping[str, Any] = field(repr=False)
    settings: Settings
    policy: RetryConfig
    own_policy: bool
    repeatable: bool
    repeats_5xx: bool
    rate_limited: bool


class Attempt(NamedTuple):
    """An attempt that was made.

    Attributes
    ----------
    number : int
        Its number, from 1. A refusal that uses up no attempt does not count.
    response : requests.Response or NoResponse
        The response, or the failure without one.
    sent_at, seconds : float
        When it was sent, by the monotonic clock, and how long it took.
    retry_after : float or None
        The wait in seconds that the service asks for.
    """

    number: int
    response: requests.Response | NoResponse
    sent_at: float
    seconds: float
    retry_after: float | None

    @property
    def seen(self) -> str:
        """The text that log records show."""
        if isinstance(self.response, NoResponse):
            return hide_user_ids(self.response.text)
        return f"status {self.response.status_code}"
