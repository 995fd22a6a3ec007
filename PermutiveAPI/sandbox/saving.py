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
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from os import PathLike
from pathlib import Path
from tempfile import mkstemp
from time import monotonic
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
    """Keeps a state in a file.

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
        If it cannot be read; on entering the block of ``writing()``, if it cannot be written.
    """

    def __init__(self, path: str | PathLike[str], state: State) -> None:
        self._path = Path(os.path.realpath(path))
        self._state = state
        self._stopped = threading.Event()
        self._known = self._signature()
        if self._known is not None:
            state.adopt(_restored(self._path, state))

    @contextmanager
    def writing(self) -> Generator[None, None, None]:
        """Write the file, and write it again after each change in the block, and at its end."""
        with self._locked():
            for left in self._path.parent.glob(f".{escape(self._path.name)}.*{_UNFINISHED}"):
                left.unlink(missing_ok=True)  # A crash has left it half written.
            self._save()
            self._stopped.clear()
            thread = threading.Thread(target=self._keep, name=_THREAD_NAME, daemon=True)
            thread.start()
            try:
                yield
            finally:
                self._stopped.set()
                self._state.changed.set()
                thread.join()
                self._save()

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        """Keep other sandboxes from using the file. The lock is on a file beside it, since the file itself is replaced."""
        with ExitStack() as stack:
            try:
                stack.enter_context(_lock(self._path.with_name(f".{self._path.name}.lock")))
            except BlockingIOError:
                self._fail(
                    errno.EBUSY, "another sandbox uses it. Stop that one, or name another file"
                )
            except OSError as error:
                self._fail(error.errno, error.strerror)
            yield

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


@contextmanager
def _lock(path: Path) -> Generator[None, None, None]:
    """Hold the lock of a file that is there for nothing else. Raise BlockingIOError if another one holds it."""
    if fcntl is None:
        yield
        return
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # The file system has no locks.
        if os.fstat(file.fileno()).st_nlink == 0:  # Whoever had the lock has just removed the file.
            raise BlockingIOError
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                # Closing is not enough: processes forked in the meantime have the file open, too.
                fcntl.flock(file, fcntl.LOCK_UN)


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
