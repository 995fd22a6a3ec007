"""The journal of a batch: it records what is done, so that the same job, started again, sends only the rest.

It is a text file. Its first line says in JSON which job it belongs to; each further line is the digest
of a request that succeeded. A digest is keyed with the API key: without the key, nobody can tell
whether a certain user's id was sent.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from io import BufferedReader
from os import PathLike
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

from ..cancellation import monotonic

try:
    import fcntl
except ImportError:  # Windows. There, nothing keeps two jobs from using one journal.
    fcntl = None

_FORMAT = "PermutiveAPI 1"
_DIGEST_BYTES = 16
# A success is written at once, so that it survives a crash of this process. It is synced about this much
# later, so that it survives a power cut. Syncing after each success would be slow.
_SECONDS_BETWEEN_SYNCS = 2.0
# O_NOFOLLOW does not exist on Windows, O_BINARY only there.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_LINE_BYTES = 2 * _DIGEST_BYTES + 1
_LINES = re.compile(rb"(?:[0-9a-f]{%d}\n)*" % (2 * _DIGEST_BYTES))
# Made once; with ``default``, json.dumps would make an encoder for each request. Without the check, an
# object that contains itself is a RecursionError.
_json_of = json.JSONEncoder(default=str, check_circular=False).encode
# The file is read in pieces, so that a large one takes little memory.
_LINES_AT_A_TIME = 4096
# Characters of a journal's name that are kept in another folder. File systems allow at least 143 bytes.
_LONGEST_NAME = 30


def place_of(path: str | PathLike[str], folder: str | None) -> str | PathLike[str]:
    """Return the path of the file that is used for a journal.

    `folder`, of PERMUTIVE_JOURNAL_FOLDER, has one file for each path, and the file at the path itself is
    neither read nor written. If it is None, the file at the path is used.

    Raises
    ------
    OSError
        If the folder of the path itself is missing, as without PERMUTIVE_JOURNAL_FOLDER.
    """
    if folder is None:
        return path
    whole = os.path.abspath(path)
    if not os.path.isdir(os.path.dirname(whole)):
        raise _cannot_be_opened(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), whole)
    digest = hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]
    return Path(folder, f"{digest}-{os.path.basename(whole)[-_LONGEST_NAME:]}")


class Journal:
    """The record of what a job has done. Only one thread uses it.

    The job is what one helper sends to one origin with one key. The file is made if it does not exist.

    Raises
    ------
    ValueError
        If the file is not a journal, is a symbolic link, belongs to another job, or is in use.
    OSError
        If it cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], helper: str, origin: str, api_key: str) -> None:
        secret = hashlib.sha256(api_key.encode()).digest()
        self._keyed = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=secret)
        self._path = Path(path)
        self.path = str(self._path)
        self._job = {
            "journal": _FORMAT,
            "helper": helper,
            "origin": origin,
            "key": self._digest(b"job").hex(),
        }
        # Unbuffered, so that a forked child has nothing left to write when it exits.
        self._file = self._opened()
        self._synced_at = monotonic()
        self._is_synced = True
        self._done: Counter[bytes] = Counter()
        # By position, so that each counts once.
        self._noted: dict[int, bytes] = {}
        # Whether a write has begun, and how long the file was before it.
        self._is_writing = False
        self._size = 0
        try:
            self._lock()
            self._written_at = os.fstat(self._file).st_mtime
            self._read()
            self._size = os.fstat(self._file).st_size
        except BaseException:
            os.close(self._file)
            raise
        _open.add(self)

    def close(self) -> None:
        """Write everything to the disk, and close the file."""
        _open.discard(self)
        try:
            self.record()
            self._sync()
        finally:
            if fcntl is not None:
                # Closing is not enough: processes forked in the meantime have the file open, too.
                fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)

    def leave_to_parent(self) -> None:
        """Close the file in a forked child, which would keep the lock if its parent is killed."""
        os.close(self._file)
        self._file = -1  # The number may be another file's soon.

    @property
    def last_written(self) -> datetime:
        """When an earlier run last wrote to the file."""
        return datetime.fromtimestamp(self._written_at).astimezone()

    def digest(self, verb: str, url: str, params: Mapping[str, Any] | None, body: Any) -> bytes:
        """Return the key of a request in the journal."""
        parts = [verb.upper(), url, params and dict(params), body]
        return self._digest(_json_of(parts).encode())

    def skip_if_done(self, digest: bytes) -> bool:
        """Tell whether to skip a request. If two of three equal requests succeeded, two are skipped."""
        times = self._done.get(digest)
        if not times:
            return False
        self._done[digest] = times - 1
        return True

    def note(self, position: int, digest: bytes) -> None:
        """Note that the request at a position of the batch is done. :meth:`record` writes it."""
        self._noted[position] = digest

    def record(self) -> None:
        """Write what is noted. :meth:`sync_if_due` brings it to the disk.

        Ctrl-C often comes when a write returns. So nothing is written twice if the next call follows an
        interrupted one.
        """
        if not self._noted:
            return
        text = "".join([digest.hex() + "\n" for digest in self._noted.values()])
        written = os.fstat(self._file).st_size - self._size if self._is_writing else 0
        self._is_writing = True
        self._write(text[written:])
        # No signal is handled between these.
        self._size += len(text)
        self._noted = {}
        self._is_writing = False

    def sync_if_due(self) -> None:
        """Sync to disk, if the last sync was a while ago."""
        if monotonic() - self._synced_at >= _SECONDS_BETWEEN_SYNCS:
            self._sync()

    def _sync(self) -> None:
        if not self._is_synced:
            os.fsync(self._file)
            self._is_synced = True
        self._synced_at = monotonic()

    def _write(self, text: str) -> None:
        left = text.encode("ascii")
        self._is_synced = False
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            # Half a line would run into the next one, and make the journal unreadable.
            size = os.fstat(self._file).st_size
            os.ftruncate(self._file, size - (size - self._size) % _LINE_BYTES)
            reason = f"journal cannot be written: {error.strerror}"
            raise OSError(error.errno, reason, self.path) from None

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _NO_FOLLOW | _BINARY
        if _NO_FOLLOW and self._path.is_symlink():
            raise ValueError(
                f"journal {self.path!r} is a symbolic link. Name the file that it leads to."
            )
        if self._path.exists() and not self._path.is_file():
            raise ValueError(f"journal {self.path!r} is not a regular file.")
        try:
            # Missing folders are not made: with a wrong path, the job would send everything again.
            return os.open(self._path, flags, stat.S_IRUSR | stat.S_IWUSR)
        except OSError as error:
            raise _cannot_be_opened(error, self.path) from None

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"journal {self.path!r} is in use by another job.") from None

    def _read(self) -> None:
        """Read what is done and remove an incomplete last line, or begin the file."""
        head = json.dumps(self._job) + "\n"
        with open(self._file, "rb", closefd=False) as file:
            first = file.readline()
            if first.endswith(b"\n"):
                different = self._differences(first)
                if not different:
                    return self._read_digests(file)
                # A job that did nothing, for instance with a wrong key, must not be in the way.
                if file.peek(1):
                    raise self._refusal(f"it belongs to another job (another {different})")
            elif not head.encode().startswith(first):
                raise self._refusal("it is not a journal")
        os.ftruncate(self._file, 0)
        self._write(head)

    def _read_digests(self, file: BufferedReader) -> None:
        number = 2
        while piece := file.read(_LINES_AT_A_TIME * _LINE_BYTES):
            lines = cast("re.Match[bytes]", _LINES.match(piece))[0]
            digests = bytes.fromhex(lines.decode())
            starts = range(0, len(digests), _DIGEST_BYTES)
            self._done.update([digests[start : start + _DIGEST_BYTES] for start in starts])
            number += len(lines) // _LINE_BYTES
            if len(lines) < len(piece):
                incomplete = piece[len(lines) :] + file.read()
                if b"\n" in incomplete:
                    raise self._refusal(f"its line {number} is damaged")
                os.ftruncate(self._file, file.tell() - len(incomplete))

    def _differences(self, first: bytes) -> str:
        """Return in what the job of the first line differs from this one; an empty text if in nothing."""
        try:
            found = cast("dict[str, Any]", dict(json.loads(first)))
        except (ValueError, TypeError):
            found = dict[str, Any]()
        if "journal" not in found:
            raise self._refusal("it is not a journal")
        return " and ".join(name for name in self._job if found.get(name) != self._job[name])

    def _digest(self, content: bytes) -> bytes:
        # A copy of a keyed hash takes half as long as a new one.
        keyed = self._keyed.copy()
        keyed.update(content)
        return keyed.digest()

    def _refusal(self, reason: str) -> ValueError:
        return ValueError(
            f"journal {self.path!r} cannot be used: {reason}. Name another file, or delete it "
            "to send everything."
        )


def _cannot_be_opened(error: OSError, path: str) -> OSError:
    return OSError(error.errno, f"journal cannot be opened: {error.strerror}", path)


_open: WeakSet[Journal] = WeakSet()


def _leave_all_to_parent() -> None:
    for journal in list(_open):
        journal.leave_to_parent()
    _open.clear()


if hasattr(os, "register_at_fork"):  # Not on Windows, which has no fork.
    os.register_at_fork(after_in_child=_leave_all_to_parent)
