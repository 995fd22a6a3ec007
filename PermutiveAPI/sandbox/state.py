"""The data of the service: workspaces, cohorts, imports, aliases and events.

Whoever reads or changes it holds ``State.lock``. So each operation finds and leaves consistent data,
however many clients call, and whatever other threads do.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from .envelope import Refused
from .shapes import JSONObject

_NANOSECONDS = 1_000_000_000


class Clock:
    """The service's time in UTC. Every call returns a later nanosecond."""

    def __init__(self) -> None:
        self._last = 0

    def now(self, digits: int = 9) -> str:
        """Return the time with this many decimal places, for instance ``2022-09-22T15:44:29.513211710Z``."""
        self._last = max(self._last + 1, time.time_ns())
        return timestamp(self._last, digits)


def timestamp(nanoseconds: int, digits: int = 9) -> str:
    """Return nanoseconds since 1970 as ISO 8601 in UTC; further digits are cut off."""
    seconds, fraction = divmod(nanoseconds, _NANOSECONDS)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{moment}.{f'{fraction:09d}'[:digits]}Z"


class Codes:
    """The codes of new cohorts: whole numbers in order, none of them twice."""

    def __init__(self, first: int) -> None:
        self.next = first

    def __next__(self) -> int:
        """Return a new code."""
        code, self.next = self.next, self.next + 1
        return code

    def skip(self, codes: Iterable[int]) -> None:
        """Let the next code be above these codes."""
        self.next = max([self.next, *(code + 1 for code in codes)])


@dataclass(frozen=True)
class Workspace:
    """A workspace and its keys. A top-level workspace has its organisation's id.

    ``above`` has the ids of further workspaces above it, beside that of the organisation.
    """

    name: str
    organisation_id: str
    workspace_id: str
    api_key: str = field(repr=False)
    read_only_api_key: str = field(default="", repr=False)
    above: frozenset[str] = frozenset()

    @property
    def keys(self) -> list[str]:
        """Every key of the workspace."""
        return [key for key in (self.api_key, self.read_only_api_key) if key]

    @property
    def ancestry(self) -> set[str]:
        """The ids of the workspace and of those above it."""
        return {self.workspace_id, self.organisation_id, *self.above}


class Shelf:
    """The segments of one import, in the order of their creation."""

    def __init__(self) -> None:
        self._segments: dict[int, JSONObject] = {}
        self._positions: list[int] = []
        self._of_id: dict[str, int] = {}
        self._of_code: dict[str, int] = {}
        self._last_position = 0

    def __len__(self) -> int:
        """Return how many segments there are."""
        return len(self._positions)

    def __contains__(self, code: str) -> bool:
        """Tell whether a code is taken."""
        return code in self._of_code

    def all(self) -> list[JSONObject]:
        """Return every segment."""
        return [self._segments[position] for position in self._positions]

    def add(self, segment: JSONObject) -> None:
        """Add a new segment at the end. Raise Refused (4000) if its code is taken."""
        if segment["code"] in self:
            raise Refused(4000, f"Code {segment['code']} exists in this import.")
        position = self._last_position = self._last_position + 1
        self._positions.append(position)
        self._segments[position] = segment
        self._of_id[segment["id"]] = position
        self._of_code[segment["code"]] = position

    def by_id(self, segment_id: str) -> JSONObject:
        """Return the segment with an id. Raise Refused (3000) if no segment has it."""
        return self._found(self._of_id.get(segment_id), segment_id)

    def by_code(self, code: str) -> JSONObject:
        """Return the segment with a code. Raise Refused (3000) if no segment has it."""
        return self._found(self._of_code.get(code), code)

    def remove(self, segment: JSONObject) -> None:
        """Remove a segment."""
        position = self._of_id.pop(segment["id"])
        del self._of_code[segment["code"]]
        del self._segments[position]
        del self._positions[bisect_left(self._positions, position)]

    def change(self, segment: JSONObject, fields: JSONObject) -> JSONObject:
        """Replace a segment by a changed copy, and return it. Copies of the shelf do not change."""
        changed = {**segment, **fields}
        self._segments[self._of_id[segment["id"]]] = changed
        return changed

    def copy(self) -> Shelf:
        """Return a copy. Changes of the copy do not change this shelf."""
        copied = Shelf()
        copied._segments = self._segments.copy()
        copied._positions = self._positions.copy()
        copied._of_id = self._of_id.copy()
        copied._of_code = self._of_code.copy()
        copied._last_position = self._last_position
        return copied

    def page(self, after: int, size: int) -> tuple[list[JSONObject], int | None]:
        """Return the segments after a position, and the position of the last one if more follow."""
        start = bisect_right(self._positions, after)
        positions = self._positions[start : start + size]
        more = start + size < len(self._positions)
        return [self._segments[p] for p in positions], positions[-1] if more else None

    def _found(self, position: int | None, name: str) -> JSONObject:
        if position is None:
            raise Refused(3000, f"There is no segment {name} in this import.")
        return self._segments[position]


@dataclass
class StoredImport:
    """An import as the service stores it: its members, its workspace and its segments.

    ``seen_by`` has the ids of the workspaces that see it; None: all.
    """

    facts: JSONObject
    workspace_id: str
    shelf: Shelf = field(default_factory=Shelf)
    seen_by: frozenset[str] | None = None

    def is_seen_by(self, workspace: Workspace) -> bool:
        """Tell whether a workspace sees it."""
        return self.seen_by is None or workspace.workspace_id in self.seen_by


@dataclass
class State:
    """Everything that calls read or change.

    Attributes
    ----------
    lock : RLock
        Whoever reads or changes the state holds it.
    changed : Event
        It is set after each change, for whoever keeps a copy.
    unknown_key : str
        What the response to an unknown key says.
    unknown_keys : int
        How many requests had an unknown key.
    carried_out : Counter
        How many times each operation was carried out, by its method and path.
    """

    workspaces: tuple[Workspace, ...]
    codes: Codes
    cohorts: dict[str, JSONObject] = field(default_factory=dict[str, JSONObject])
    imports: dict[str, StoredImport] = field(default_factory=dict[str, StoredImport])
    aliases: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    events: dict[str, list[JSONObject]] = field(default_factory=dict[str, list[JSONObject]])
    clock: Clock = field(default_factory=Clock)
    lock: threading.RLock = field(default_factory=threading.RLock)
    changed: threading.Event = field(default_factory=threading.Event)
    unknown_key: str = "This key does not exist."
    unknown_keys: int = 0
    carried_out: Counter[str] = field(default_factory=Counter[str])

    @contextmanager
    def changing(self) -> Generator[None, None, None]:
        """Hold the lock during a change, and tell that there was one."""
        with self.lock:
            try:
                yield
            finally:
                self.changed.set()

    def copy(self) -> State:
        """Return a copy. What is added to the copy is not in this state."""
        return replace(
            self,
            codes=Codes(self.codes.next),
            cohorts=self.cohorts.copy(),
            imports={
                each: replace(found, shelf=found.shelf.copy())
                for each, found in self.imports.items()
            },
            aliases=self.aliases.copy(),
            events=self.events.copy(),
        )

    def adopt(self, other: State) -> None:
        """Take over the data of another state, which nobody uses from then on."""
        with self.changing():
            for name in ("codes", "cohorts", "imports", "aliases", "events"):
                setattr(self, name, getattr(other, name))

    def workspace_of_key(self, key: str) -> Workspace | None:
        """Return the workspace that owns ``key``."""
        return next((w for w in self.workspaces if key in w.keys), None)

    def cohorts_seen_by(
        self, workspace: Workspace, with_children: bool = False
    ) -> list[JSONObject]:
        """Return a workspace's own and inherited cohorts; on request, also those of its children."""
        owners = workspace.ancestry
        if with_children:
            owners |= self.family(workspace)
        return [c for c in self.cohorts.values() if c["workspace_id"] in owners]

    def family(self, workspace: Workspace) -> set[str]:
        """Return the ids of a workspace and of those below it."""
        return {
            other.workspace_id
            for other in self.workspaces
            if workspace.workspace_id in other.ancestry
        }
