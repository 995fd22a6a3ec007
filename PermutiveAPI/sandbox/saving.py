"""The file that keeps the data of a sandbox over restarts.

A thread writes it soon after each change, whole, into a new file that takes the old one's place. So after
a crash the file holds the data of a moment before. Only its owner may read it, since events can tell who
a user is. It holds no keys.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import warnings
from contextlib import suppress
from glob import escape
from os import PathLike
from pathlib import Path
from tempfile import mkstemp
from time import monotonic
from types import TracebackType
from typing import Any, NoReturn

from .loading import load
from .shapes import JSONObject, Shape, many, mapping, mapping_to, text, whole
from .state import State

try:
    import fcntl
except ImportError:  # Windows. There, a second sandbox is not refused.
    fcntl = None

_FORMAT = "PermutiveAPI sandbox 1"
_THREAD_NAME = "permutive-sandbox-state"
_UNFINISHED = ".permutive-sandbox"
_LOCK = ".lock"
_PAUSE_SECONDS = 0.1
# With large data, the thread works at most a fifth of the time.
_LEAST_SHARE_OF_PAUSES = 4

_LISTS = ("cohorts", "imports", "segments")
_CONTENT = Shape(
    required={
        "next_code": whole,
        "aliases": many(Shape(required={"tag": text, "id": text, "user_id": text})),
        "events": mapping_to(many(mapping)),
    }
)


class StateFile:
    """Keeps a state in a file: while it is entered, after each change.

    Parameters
    ----------
    path : str or PathLike
        The file. It is made if it does not exist.
    state : State
        If there is a file, its data replaces that of the sandbox.

    Raises
    ------
    ValueError
        If the file holds something else. It is left as it is.
    OSError
        If it cannot be read; on entering, if it cannot be written.
    """

    def __init__(self, path: str | PathLike[str], state: State) -> None:
        self._path = Path(os.path.realpath(path))
        self._state = state
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock: int | None = None
        self._known = self._signature()
        if self._known is not None:
            state.adopt(_restored(self._path, state))

    def __enter__(self) -> StateFile:
        """Write the file, keep writing it, and remove what a crash has left half written."""
        self._take_lock()
        try:
            self._begin()
        except BaseException:
            self._give_lock_back()
            raise
        return self

    def _begin(self) -> None:
        for left in self._path.parent.glob(f".{escape(self._path.name)}.*{_UNFINISHED}"):
            left.unlink(missing_ok=True)
        self._save()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._keep, name=_THREAD_NAME, daemon=True)
        self._thread.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write the file for the last time."""
        self._stopped.set()
        self._state.changed.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self._save()
        finally:
            self._give_lock_back()

    def _take_lock(self) -> None:
        """Keep other sandboxes from using the file, by a lock on a file beside it: the file itself is replaced."""
        if fcntl is None:
            return
        try:
            self._lock = os.open(self._lock_path(), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            self._fail(error.errno, error.strerror)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            is_free = False
        except OSError:  # The file system has no locks.
            return
        else:
            # Whoever had the lock may have removed the file meanwhile.
            is_free = os.fstat(self._lock).st_nlink > 0
        if not is_free:
            os.close(self._lock)
            self._lock = None
            self._fail(errno.EBUSY, "another sandbox uses it. Stop that one, or name another file")

    def _give_lock_back(self) -> None:
        lock, self._lock = self._lock, None
        if fcntl is None or lock is None:
            return
        with suppress(OSError):
            os.unlink(self._lock_path())
        with suppress(OSError):
            # Closing is not enough: processes forked in the meantime have the file open, too.
            fcntl.flock(lock, fcntl.LOCK_UN)
        os.close(lock)

    def _lock_path(self) -> Path:
        return self._path.with_name(f".{self._path.name}{_LOCK}")

    def _keep(self) -> None:
        while not self._stopped.is_set():
            self._state.changed.wait()
            self._state.changed.clear()  # First, so that no later change is missed.
            began = monotonic()
            try:
                self._save()
            except OSError as error:
                warnings.warn(str(error.strerror), RuntimeWarning, stacklevel=1)
            took = monotonic() - began
            self._stopped.wait(max(_PAUSE_SECONDS, _LEAST_SHARE_OF_PAUSES * took))

    def _save(self) -> None:
        content = json.dumps(_content(self._state)).encode()
        if self._signature() not in (self._known, None):
            self._fail(errno.EEXIST, "another program has changed it")
        try:
            _replace(self._path, content)
        except OSError as error:
            self._fail(error.errno, error.strerror)
        self._known = self._signature()

    def _fail(self, number: int | None, why: str | None) -> NoReturn:
        raise OSError(
            number, f"The sandbox cannot keep its state in {self._path}: {why}."
        ) from None

    def _signature(self) -> tuple[int, ...] | None:
        """Tell versions of the file apart; None if there is no file."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def _content(state: State) -> JSONObject:
    """Return the data. Only what later calls change in place is copied."""
    with state.lock:
        found = state.imports.values()
        return {
            "format": _FORMAT,
            "next_code": state.codes.next,
            "cohorts": [cohort.copy() for cohort in state.cohorts.values()],
            "imports": [{**each.facts, "workspace_id": each.workspace_id} for each in found],
            "segments": [segment for each in found for segment in each.shelf.all()],
            "aliases": [
                {"tag": tag, "id": name, "user_id": user_id}
                for (tag, name), user_id in state.aliases.items()
            ],
            "events": {user_id: events.copy() for user_id, events in state.events.items()},
        }


def _restored(path: Path, state: State) -> State:
    """Return a state with the data of a file, and everything else of another state."""
    content = path.read_bytes()
    try:
        return _read(json.loads(content), state)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} does not hold the state of a sandbox, and was left as it is. Name another file. "
            f"({error})"
        ) from None


def _read(document: Any, state: State) -> State:
    data = mapping(document)
    if data.get("format") != _FORMAT:
        raise ValueError(f"format: {_FORMAT} is expected")
    content = _CONTENT(data)
    restored = state.copy()
    load(restored, {"empty": True, **{name: data.get(name) for name in _LISTS}}, False)
    restored.codes.skip([content["next_code"] - 1])
    restored.aliases = {(each["tag"], each["id"]): each["user_id"] for each in content["aliases"]}
    restored.events = content["events"]
    return restored


def _replace(path: Path, content: bytes) -> None:
    """Put content into the place of a file, for the owner alone to read."""
    handle, temporary = mkstemp(_UNFINISHED, f".{path.name}.", path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
