"""Helpers for files: some kept for code that uses earlier releases, and one that writes a private file.

The library itself uses them only in ``JSONSerializable.to_json_file``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def check_filepath(filepath: str | Path) -> None:
    """Make the missing parent folders of a file. A path that ends with a slash is itself a folder.

    Examples
    --------
    >>> check_filepath("exports/july/cohorts.json")
    >>> Path("exports/july").is_dir()
    True
    """
    os.makedirs(os.path.dirname(filepath) or ".", exist_ok=True)


def split_filepath(fullfilepath: str | Path) -> tuple[str, str, str]:
    """Split a path into its folder, its name, and its extension with the dot.

    Examples
    --------
    >>> split_filepath("exports/cohorts.json")
    ('exports', 'cohorts', '.json')
    """
    folder, filename = os.path.split(fullfilepath)
    name, extension = os.path.splitext(filename)
    return folder, name, extension


def write_private_text(filepath: str | Path, text: str) -> None:
    """Write a file that only its owner may read (mode 0600, if the system has modes).

    The mode of an existing file is changed first, so that others can at no time read the text.

    Raises
    ------
    OSError
        If the file cannot be written or has another owner. Then an existing file does not change.
    """
    descriptor = os.open(filepath, os.O_WRONLY | os.O_CREAT, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        # Not a pipe or a terminal, such as /dev/stdout: others use it, too.
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            _narrow(descriptor, filepath)
            file.truncate()
        file.write(text)


def _narrow(descriptor: int, filepath: str | Path) -> None:
    if os.name != "posix" or not os.fstat(descriptor).st_mode & 0o077:
        return
    try:
        os.fchmod(descriptor, 0o600)
    except OSError as error:
        error.filename = str(filepath)
        raise
