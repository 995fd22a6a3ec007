"""The journal of a batch: it records what is done, so that the same job, started again, sends only the rest.

It is a text file. Its first line says in JSON which job it belongs to; each further line is the digest
of a request that succeeded. A digest is keyed with the API key: nobody without the key can tell from it
whether a certain user's id was sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from time import monotonic
from typing import Any, cast

try:
    import fcntl
except ImportError:  # Windows. There, nothing keeps two jobs from using one journal.
    fcntl = None

_FORMAT = "PermutiveAPI 1"
_DIGEST_BYTES = 16
# A success is written at once, so that it survives the death of this process. It is synced about this much
# later, so that it survives a power cut. Syncing after each success would be slow.
_SECONDS_BETWEEN_SYNCS = 2.0
# O_NOFOLLOW does not exist on Windows, O_BINARY only there.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_LINE = re.compile(rf"[0-9a-f]{{{2 * _DIGEST_BYTES}}}")


class Journal:
    """The record of what a job has done. Only one thread uses it.

    Parameters
    ----------
    path : str or Path
        The file. It is made if it does not exist.
    helper : str
        The helper that runs the job.
    origin : str
        The origin that the requests are sent to.
    api_key : str
        The key that they carry.

    Raises
    ------
    ValueError
        If the file is not a journal, is a symbolic link, belongs to another job, or is in use.
    OSError
        If it cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], helper: str, origin: str, api_key: str) -> None:
        secret = hashlib.sha256(api_key.encode()).digest()
        self._secret = secret
        self._path = Path(path)
        self._job = {
            "journal": _FORMAT,
            "helper": helper,
            "origin": origin,
            "key": _digest(secret, b"job"),
        }
        # Unbuffered, so that a forked child has nothing left to write when it exits.
        self._file = self._opened()
        self._synced_at = monotonic()
        self._is_synced = True
        try:
            self._lock()
            self._done = self._read()
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Write everything to the disk, and close the file."""
        try:
            self._sync()
        finally:
            if fcntl is not None:
                # Closing is not enough: processes forked in the meantime have the file open, too.
                fcntl.flock(self._file, fcntl.LOCK_UN)
            os.close(self._file)

    def digest(self, verb: str, url: str, params: Mapping[str, Any] | None, body: Any) -> str:
        """Return the key of a request in the journal."""
        parts = [verb.upper(), url, params and dict(params), body]
        return _digest(self._secret, json.dumps(parts, default=str).encode())

    def skip_if_done(self, digest: str) -> bool:
        """Tell whether to skip a request. Of equal requests, as many are skipped as have succeeded."""
        if not self._done[digest]:
            return False
        self._done[digest] -= 1
        return True

    def record(self, digest: str) -> None:
        """Record that a request is done."""
        self._write(digest + "\n")
        self.sync_if_due()

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
        whole = left = text.encode("ascii")
        self._is_synced = False
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            # Half a line would run into the next one, and make the journal unreadable.
            size = os.fstat(self._file).st_size
            os.ftruncate(self._file, size - (len(whole) - len(left)))
            reason = f"journal cannot be written: {error.strerror}"
            raise OSError(error.errno, reason, str(self._path)) from None

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | _NO_FOLLOW | _BINARY
        if _NO_FOLLOW and self._path.is_symlink():
            raise ValueError(
                f"journal {str(self._path)!r} is a symbolic link. Name the file that it leads to."
            )
        if self._path.exists() and not self._path.is_file():
            raise ValueError(f"journal {str(self._path)!r} is not a regular file.")
        try:
            # Missing folders are not made: with a wrong path, the job would send everything again.
            return os.open(self._path, flags, stat.S_IRUSR | stat.S_IWUSR)
        except OSError as error:
            reason = f"journal cannot be opened: {error.strerror}"
            raise OSError(error.errno, reason, str(self._path)) from None

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"journal {str(self._path)!r} is in use by another job.") from None

    def _read(self) -> Counter[str]:
        """Return how often each request was done; begin the file, or mend its torn last line."""
        head = json.dumps(self._job) + "\n"
        try:
            content = self._content().decode("ascii")
        except UnicodeDecodeError:
            raise self._refusal("it is not a journal") from None
        whole, newline, torn = content.rpartition("\n")
        if not newline and head.startswith(torn):
            os.ftruncate(self._file, 0)
            self._write(head)
            return Counter()
        first, *lines = whole.split("\n")
        self._check_job(first)
        for number, line in enumerate(lines, start=2):
            if not _LINE.fullmatch(line):
                raise self._refusal(f"its line {number} is damaged")
        if torn:
            os.ftruncate(self._file, len(whole) + 1)
        return Counter(lines)

    def _content(self) -> bytes:
        with open(self._file, "rb", closefd=False) as file:
            return file.read()

    def _check_job(self, first: str) -> None:
        try:
            found = cast("dict[str, Any]", dict(json.loads(first)))
        except (ValueError, TypeError):
            found = dict[str, Any]()
        if "journal" not in found:
            raise self._refusal("it is not a journal")
        different = [name for name in self._job if found.get(name) != self._job[name]]
        if different:
            raise self._refusal(f"it belongs to another job (another {' and '.join(different)})")

    def _refusal(self, reason: str) -> ValueError:
        return ValueError(
            f"journal {str(self._path)!r} cannot be used: {reason}. Name another file, or delete it "
            "to send everything."
        )


def _digest(secret: bytes, content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES, key=secret).hexdigest()
