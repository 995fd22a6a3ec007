"""Helpers for file paths, kept for code that was written against earlier releases.

Only ``JSONSerializable.to_json_file`` uses them inside.
"""

from __future__ import annotations

import os
from pathlib import Path


def check_filepath(filepath: str | Path) -> None:
    """Make the missing parent folders of a file's path."""
    Path(filepath).parent.mkdir(parents=True, exist_ok=True)


def split_filepath(
    fullfilepath: str | Path,
) -> tuple[str, str, str]:
    """Split a path into its folder, its name, and its extension with the dot.

    Examples
    --------
    >>> split_filepath("exports/cohorts.json")
    ('exports', 'cohorts', '.json')
    """
    folder, filename = os.path.split(str(fullfilepath))
    name, extension = os.path.splitext(filename)
    return folder, name, extension
