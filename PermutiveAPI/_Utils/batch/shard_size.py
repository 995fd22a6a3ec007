"""How many requests a shard holds: about as many as a process sends in a second."""

from __future__ import annotations

import math

_SHARD_WORK_SECONDS = 1.0
_MOST_IN_SHARD = 1000
# If a shard has sent nothing, the next one is so many times smaller.
_SHRINKING = 4


class ShardSize:
    """The size of the next shards, which follows from what the last one has sent.

    Parameters
    ----------
    threads : int
        How many requests a process sends at a time.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.requests = 2 * threads

    def adapt(self, count: int, sent: int, seconds: float, handed_back: int) -> None:
        """Hear of a shard that is done: `sent` of its `count` requests were sent, in so many seconds.

        `handed_back` is how many results the reader has taken. It may leave early, so no more is sent ahead
        than that.
        """
        if sent:
            # A small shard does not use all threads.
            used = min(self._threads, count)
            per_thread = sent / max(seconds, 1e-3) / used
            size = math.ceil(per_thread * _SHARD_WORK_SECONDS) * self._threads
        else:
            size = self.requests // _SHRINKING
        most = min(max(2 * self._threads, handed_back), _MOST_IN_SHARD)
        self.requests = max(self._threads, min(size, most))
