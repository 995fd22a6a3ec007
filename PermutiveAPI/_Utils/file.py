"""Files: helpers kept for code that was written against earlier releases, and writing private ones.

Only ``JSONSerializable.to_json_file`` uses them inside.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def check_filepath(filepath: str | Path) -> None:
    """Make the missing parent folders of a file's path."""
    Path(filepath).parent.mkdir(parents=True, exist_ok=True)


def split_filepath(fullfilepath: str | Path) -> tuple[str, str, str]:
    """Split a path into its folder, its name, and its extension with the dot.

    Examples
    --------
    >>> split_filepath("exports/cohorts.json")
    ('exports', 'cohorts', '.json')
    """
    folder, filename = os.path.split(str(fullfilepath))
    name, extension = os.path.splitext(filename)
    return folder, name, extension


def write_private_text(filepath: str | Path, text: str) -> None:
    """Write a file that its owner alone may read, where the system has modes (0600).

    An existing file is narrowed first: at no moment may others read the text.

    Raises
    ------
    OSError
        If the file cannot be written, or belongs to somebody else. An existing file is then left as it was.
    """
    descriptor = os.open(filepath, os.O_WRONLY | os.O_CREAT, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        # A pipe or a terminal, such as /dev/stdout, is not ours to change.
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
