"""What a worker gets for a request, in this process or another one, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import requests

from ..cancellation import batch_position
from ..settings import Settings
from .types import BatchRequest, timeout_of

Send = Callable[..., requests.Response]

# The fields of a request that another process needs; the others have their defaults there.
_TRAVELLING = ("method", "url", "params", "json", "headers", "timeout", "retry")


class WorkItem(NamedTuple):
    """A request to send, its position, its digest in the journal, and its attempts so far.

    It goes to another process `alone` if it, or another request of its shard, could not be read there.
    """

    position: int
    request: BatchRequest
    digest: bytes | None = None
    refusal: Exception | None = None
    attempts: int = 0
    alone: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what another process needs. Callbacks and the model stay here: they may not be picklable."""
        given = vars(self.request)
        # Its constructor would take twice as long.
        sent = BatchRequest.__new__(BatchRequest)
        # A derived class may have a property in the place of a field.
        for name in _TRAVELLING:
            vars(sent)[name] = given[name] if name in given else getattr(self.request, name)
        return WorkItem, (self.position, sent, None, None, self.attempts)


class Failed:
    """The error of a request. Workers return it, since clusters log the errors that calls raise."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Reported(NamedTuple):
    """The result of a request in another process, and the records for ``on_response``."""

    result: Any
    records: Sequence[Any]


def send_item(send: Send, api_key: str, item: WorkItem, used: Settings) -> Any:
    """Send a request through `send`, and return its response or a :class:`Failed`."""
    request = item.request
    batch_position.set(item.position)
    try:
        return send(
            request.method,
            api_key,
            request.url,
            params=request.params,
            json=request.json,
            headers=request.headers,
            timeout=timeout_of(request, used.batch_timeout),
            retry=request.retry,
        )
    except Exception as error:
        return Failed(error)
