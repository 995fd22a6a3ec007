"""Shards: many requests that travel to another process in one call, and what comes back of them.

How they are sent there stands in shard_sender.py. How the caller's process makes shards, and takes them
apart again, stands in sharding.py.
"""

from __future__ import annotations

import copyreg
import io
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .remote import Failed, WorkItem

# Counted by the clock of the machine that it runs on. A stop is to end within three.
_SHARD_SECONDS = 2.0


@dataclass(frozen=True)
class Shard:
    """Requests that travel together. Its text, which a cluster may log, shows nothing of them.

    Attributes
    ----------
    number : int
        Different for each shard of a batch: a cluster would give two equal calls the same result.
    count : int
        How many requests there are.
    content : bytes
        The pickled list of their :class:`WorkItem` objects.
    seconds : float
        From so many seconds after it has begun, no request and no attempt begins.
    """

    number: int
    count: int
    content: bytes = field(repr=False)
    seconds: float = _SHARD_SECONDS


# Plain tuples: named ones take three times as long to pickle.
# A request that was sent: its place in the shard, its response or failure, its records.
Answered = tuple[int, Any, Sequence[Any]]
# One that goes back: its place, in how many seconds it is due, the attempts that it has used up, its records.
Unsent = tuple[int, float, int, Sequence[Any]]


class Report(NamedTuple):
    """What became of a shard.

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
    """What comes back: a pickled :class:`Report`. Its text shows nothing of it."""

    content: bytes = field(repr=False)

    def report(self) -> Report:
        """Unpickle it, in the caller's process."""
        return pickle.loads(self.content)


class FirstCall:
    """The call that tells whether an executor runs calls elsewhere.

    Pickled, it is the call of a shard. In this process it sends the shard's only request.
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
        """Show the call, which a cluster shows to others."""
        return f"FirstCall({self._call!r})"


def _the_same(call: Callable[..., Any]) -> Callable[..., Any]:
    return call


# --- Pickling ------------------------------------------------------------------------------------

_dispatch_table: dict[type, Callable[[Any], Any]] = dict(copyreg.dispatch_table)


def travels_by(kind: type, reduce: Callable[[Any], Any]) -> None:
    """Pickle objects of a class by `reduce`, on their way to the process that has sent the shard alone."""
    _dispatch_table[kind] = reduce


class _Pickler(pickle.Pickler):
    dispatch_table = _dispatch_table


def _dumps(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


def packed(report: Report) -> ShardResult:
    """Return the result of a shard. What cannot be pickled is a failure of its request alone."""
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
                f"The request was sent, but what came of it cannot return from another process: a {kind} "
                f"cannot be pickled ({error})."
            )
        )
    return result
