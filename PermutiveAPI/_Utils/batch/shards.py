"""Shards: many requests that go to another process in one call, and the report that comes back.

shard_sender.py sends them there. sharding.py makes them in the caller's process, and reads the reports.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    seconds : float
        After so many seconds, no request and no attempt begins.
    """

    number: int
    count: int
    content: bytes = field(repr=False)
    seconds: float = _SHARD_SECONDS


# Plain tuples: named ones take three times as long to pickle.
# A request that was sent: its place in the shard, its response or failure, its records.
Answered = tuple[int, Any, Sequence[Any]]
# One that comes back unsent: its place, the seconds until it is due, its attempts so far, its records.
Unsent = tuple[int, float, int, Sequence[Any]]


class Report(NamedTuple):
    """The report of a shard.

    Attributes
    ----------
    answered : list of Answered
        The requests that were sent.
    unsent : list of Unsent
        The others.
    seconds : float
        How long it took.
    interrupted : bool
        Whether Ctrl-C has ended it.
    """

    answered: list[Answered]
    unsent: list[Unsent]
    seconds: float
    interrupted: bool = False


@dataclass(frozen=True)
class ShardResult:
    """A pickled :class:`Report`. Its repr() shows nothing of it."""

    content: bytes = field(repr=False)

    def report(self) -> Report:
        """Unpickle it, in the caller's process."""
        return pickle.loads(self.content)


class FirstCall:
    """The call that tells whether an executor uses other processes.

    Pickling turns it into the call of a shard. In this process it sends the shard's only request.
    """

    def __init__(self, call: Callable[..., Any], item: WorkItem) -> None:
        self._call = call
        self._item = item

    def __call__(self, shard: Shard) -> Any:
        """Send the request, and return what its call returns."""
        return self._call(self._item)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the call alone."""
        return _the_same, (self._call,)

    def __repr__(self) -> str:
        """Show the call, for the logs of a cluster."""
        return f"FirstCall({self._call!r})"


def _the_same(call: Callable[..., Any]) -> Callable[..., Any]:
    return call


# --- Pickling ------------------------------------------------------------------------------------

_dispatch_table: dict[type, Callable[[Any], Any]] = dict(copyreg.dispatch_table)


def travels_by(kind: type, reduce: Callable[[Any], Any]) -> None:
    """Pickle objects of a class by `reduce`, but only in the report of a shard."""
    _dispatch_table[kind] = reduce


class _Pickler(pickle.Pickler):
    dispatch_table = _dispatch_table


def _dumps(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


def packed(report: Report) -> ShardResult:
    """Return the result of a shard. If a response cannot be pickled, only its request fails."""
    try:
        return ShardResult(_dumps(report))
    except Exception:
        answered = [(n, _picklable(result), records) for n, result, records in report.answered]
        return ShardResult(_dumps(report._replace(answered=answered)))


def _picklable(result: Any) -> Any:
    try:
        _dumps(result)
    except Exception as error:
        kind = type(result.error if isinstance(result, Failed) else result).__qualname__
        return Failed(
            TypeError(
                f"The request was sent, but its result cannot return from the other process: a {kind} "
                f"cannot be pickled ({error})."
            )
        )
    return result
