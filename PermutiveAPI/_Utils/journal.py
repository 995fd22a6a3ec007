"""The journal of a batch: what is done, so that the same job, started again, sends only the rest.

A text file. Its first line says in JSON which job it belongs to; each further line is the digest of a
request that succeeded. A digest is keyed with the API key: nobody without the key can tell from it
whether a certain user's id was sent.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TextIO, cast

try:
    import fcntl
except ImportError:  # Windows, where two jobs on one journal are not told.
    fcntl = None

_FORMAT = "PermutiveAPI 1"
_DIGEST_BYTES = 16
_LINE = re.compile(rf"[0-9a-f]{{{2 * _DIGEST_BYTES}}}")


class Journal:
    """A job's record of what is done. It is used by one thread.

    Parameters
    ----------
    path : str or Path
        The file; it is made when it is missing.
    helper : str
        The helper that runs the job.
    origin : str
        Where the requests really go.
    api_key : str
        The key that they carry.

    Raises
    ------
    ValueError
        If the file is no journal, belongs to another job, or is in use.
    OSError
        If it cannot be read or written.
    """

    def __init__(
        self, path: str | PathLike[str], helper: str, origin: str, api_key: str
    ) -> None:
        secret = hashlib.sha256(api_key.encode()).digest()
        self._secret = secret
        self._path = Path(path)
        self._job = {
            "journal": _FORMAT,
            "helper": helper,
            "origin": origin,
            "key": _digest(secret, b"job"),
        }
        self._file = self._opened()
        try:
            self._lock()
            self._done = self._read()
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        if fcntl is not None:
            # Closing is not enough: processes forked in the meantime have the file open, too.
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._file.close()

    def digest(
        self, verb: str, url: str, params: Mapping[str, Any] | None, body: Any
    ) -> str:
        """Return what stands for a request."""
        parts = [verb.upper(), url, params and dict(params), body]
        return _digest(self._secret, json.dumps(parts, default=str).encode())

    def takes_off(self, digest: str) -> bool:
        """Tell whether a request is done; of equal ones, as many as were done before."""
        if not self._done[digest]:
            return False
        self._done[digest] -= 1
        return True

    def record(self, digest: str) -> None:
        """Write down that a request is done."""
        self._file.write(digest + "\n")
        self._file.flush()

    def _opened(self) -> TextIO:
        if self._path.exists() and not self._path.is_file():
            raise ValueError(f"journal {str(self._path)!r} is no regular file.")
        try:
            # Missing folders are not made: a job that is misled to another place would send all again.
            return open(self._path, "a+", encoding="ascii", newline="\n")
        except OSError as error:
            reason = f"journal cannot be opened: {error.strerror}"
            raise OSError(error.errno, reason, str(self._path)) from None

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(
                f"journal {str(self._path)!r} is in use by another job."
            ) from None

    def _read(self) -> Counter[str]:
        """Return how often each request was done; begin the file, or mend its torn last line."""
        self._file.seek(0)
        head = json.dumps(self._job) + "\n"
        try:
            content = self._file.read()
        except UnicodeDecodeError:
            raise self._refusal("it is no journal") from None
        whole, newline, torn = content.rpartition("\n")
        if not newline and head.startswith(torn):
            _cut(self._file, 0)
            self._file.write(head)
            self._file.flush()
            return Counter()
        first, *lines = whole.split("\n")
        self._check_job(first)
        for number, line in enumerate(lines, start=2):
            if not _LINE.fullmatch(line):
                raise self._refusal(f"its line {number} is damaged")
        if torn:
            _cut(self._file, len(whole) + 1)
        return Counter(lines)

    def _check_job(self, first: str) -> None:
        try:
            found = cast("dict[str, Any]", dict(json.loads(first)))
        except (ValueError, TypeError):
            found = dict[str, Any]()
        if "journal" not in found:
            raise self._refusal("it is no journal")
        different = [name for name in self._job if found.get(name) != self._job[name]]
        if different:
            raise self._refusal(
                f"it belongs to another job (another {' and '.join(different)})"
            )

    def _refusal(self, reason: str) -> ValueError:
        return ValueError(
            f"journal {str(self._path)!r} cannot be used: {reason}. Name another file, or delete it "
            "to send everything."
        )


def _digest(secret: bytes, content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES, key=secret).hexdigest()


def _cut(file: TextIO, length: int) -> None:
    file.flush()
    os.truncate(file.fileno(), length)
