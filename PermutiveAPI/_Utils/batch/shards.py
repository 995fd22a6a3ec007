"""Shards: many requests that go to another process in one call, and the report that comes back.

shard_sender.py sends them there. sharding.py makes them in the caller's process, and reads the reports.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import is_response
from . import compact_forms
from .remote import Failed, WorkItem

# By the clock of the other process. A stop must end within three seconds.
_SHARD_SECONDS = 2.0


@dataclass(frozen=True)
class Shard:
    """Requests that are sent together. Its repr(), which a cluster may log, shows none of them.

    Attributes
    ----------
    number : int
        Different for each shard of a batch: a cluster would give two equal calls the same result.
    count : int
        How many requests there are.
    content : bytes
        The pickled list of their :class:`WorkItem` objects.
    lease : str or None
        A file of this machine; when it is gone, nothing more begins. See lease.py.
    seconds : float
        After so many seconds, no request and no attempt begins.
    """

    number: int
    count: int
    content: bytes = field(repr=False)
    lease: str | None = None
    seconds: float = _SHARD_SECONDS


# Plain tuples: named ones take three times as long to pickle.
# A request that was sent: its place in the shard, its response or failure, its records.
Answered = tuple[int, Any, Sequence[Any]]
# One that comes back unsent: its place, the seconds until it is due, its attempts so far, its records.
Unsent = tuple[int, float, int, Sequence[Any]]


class Report(NamedTuple):
    """The report of a shard. A request that is in neither list was ended with its batch.

    Attributes
    ----------
    answered : list of Answered
        The requests that were sent.
    unsent : list of Unsent
        Those that were not.
    seconds : float
        How long it took.
    interrupted : bool
        Whether Ctrl-C has ended it.
    unreadable : bool
        Whether one of its requests could not be unpickled. Then nothing was sent.
    """

    answered: list[Answered]
    unsent: list[Unsent]
    seconds: float
    interrupted: bool = False
    unreadable: bool = False


@dataclass(frozen=True)
class ShardResult:
    """A pickled :class:`Report`. Its repr() shows nothing of it."""

    content: bytes = field(repr=False)

    def report(self) -> Report:
        """Unpickle it, in the caller's process."""
        return pickle.loads(self.content)


class FirstShard:
    """A shard of one request. Only if an executor pickles it, the request is pickled, too."""

    def __init__(self, number: int, item: WorkItem, dumps: Callable[[Any], bytes]) -> None:
        self._number = number
        self.item = item
        self._dumps = dumps

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle it as a shard."""
        return Shard, (self._number, 1, self._dumps([self.item]))


class FirstCall:
    """The call that tells whether an executor uses other processes.

    Pickling turns it into the call of a shard. In this process it sends the shard's only request.
    """

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, shard: FirstShard) -> Any:
        """Send the request, and return what its call returns."""
        return self._call(shard.item)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the call alone."""
        return _the_same, (self._call,)

    def __repr__(self) -> str:
        """Show the call, for the logs of a cluster."""
        return f"FirstCall({self._call!r})"


def _the_same(call: Callable[..., Any]) -> Callable[..., Any]:
    return call


# --- Pickling ------------------------------------------------------------------------------------


class _Pickler(pickle.Pickler):
    dispatch_table = compact_forms


def _dumps(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


def packed(report: Report) -> ShardResult:
    """Return the result of a shard. If a result cannot be pickled and unpickled, only its request fails."""
    # Responses can be unpickled. For others, such as errors of a stand-in, nobody knows.
    answered = [
        (n, result if is_response(result) else _picklable(result), records)
        for n, result, records in report.answered
    ]
    try:
        return ShardResult(_dumps(report._replace(answered=answered)))
    except Exception:
        answered = [(n, _picklable(result), records) for n, result, records in answered]
        return ShardResult(_dumps(report._replace(answered=answered)))


def _picklable(result: Any) -> Any:
    try:
        pickle.loads(_dumps(result))
    except Exception as error:
        kind = type(result.error if isinstance(result, Failed) else result).__qualname__
        return Failed(
            TypeError(
                f"The request was sent, but its result cannot return from the other process: a {kind} "
                f"cannot be pickled ({error})."
            )
        )
    return result
