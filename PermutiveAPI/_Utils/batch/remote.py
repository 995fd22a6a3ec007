"""Requests that other processes send: what travels there, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import requests

from .. import settings
from ..cancellation import batch_position
from ..settings import Settings
from .types import BatchRequest, timeout_of

Send = Callable[..., requests.Response]


@dataclass(frozen=True)
class WorkItem:
    """A request to send, its position, its digest in the journal, and its attempts so far."""

    index: int
    request: BatchRequest
    digest: bytes | None = None
    refusal: Exception | None = None
    attempts: int = 0

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what another process needs. Callbacks and the model stay here: they may not be picklable."""
        request = self.request
        sent = BatchRequest(
            request.method,
            request.url,
            request.params,
            request.json,
            request.headers,
            vars(request)["timeout"],
            request.retry,
        )
        return type(self), (self.index, sent)


class Failed:
    """The error of a request. Workers return it, since clusters log the errors that calls raise."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class Reported(NamedTuple):
    """What another process returns: a response or its failure, and the records for ``on_response``."""

    result: Any
    records: list[Any]


def send_item(send: Send, api_key: str, item: WorkItem, used: Settings) -> Any:
    """Send a request through `send`, and return its response or its failure."""
    request = item.request
    batch_position.set(item.index)
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


class RemoteSender:
    """Sends requests in another process, by the settings of the process that began the batch.

    Its text shows no key.

    Parameters
    ----------
    send : callable
        ``http.request``.
    api_key : str
        The key.
    used : Settings
        Those of the batch.
    run_id : bytes
        Random bytes, different for each run. A cluster would give two equal calls the same result.
    """

    def __init__(self, send: Send, api_key: str, used: Settings, run_id: bytes) -> None:
        self._send = send
        self._api_key = api_key
        self._used = used
        self._run_id = run_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without ``on_response``: the caller's process calls it when the results return."""
        options = self._used.options
        reports = _reports if options.on_response else None
        kept = replace(options, api_key=None, on_response=reports, block=None)
        # Proxies and certificates are the other machine's own matter.
        used = replace(self._used, options=kept, network=())
        return RemoteSender, (self._send, self._api_key, used, self._run_id)

    def __call__(self, item: WorkItem) -> Reported:
        """Send a request, and return what became of it. It is called in a context of its own."""
        records: list[Any] = []
        _records.set(records)
        settings.options.set(self._used.options)
        settings.of_batch.set(self._used)
        return Reported(send_item(self._send, self._api_key, item, self._used), records)


_records: ContextVar[list[Any]] = ContextVar("records")


def _reports(record: Any) -> None:
    _records.get().append(record)
