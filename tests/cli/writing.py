"""What tests of commands that write look at: the requests that change something, and the files that are left."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any, Dict, List, Tuple

from PermutiveAPI.sandbox import Sandbox


def writes(sandbox: Sandbox) -> List[Tuple[str, Any]]:
    """Return verb and body, without the id, of the requests that were meant to change something."""
    return [
        (each.method, _without_id(each.json) if each.body else None)
        for each in sandbox.requests
        if each.method != "GET"
    ]


def _without_id(body: Any) -> Any:
    return {name: value for name, value in body.items() if name != "id"}


def only_file(folder: Path, pattern: str) -> Path:
    """Return the only file with such a name."""
    (found,) = folder.glob(pattern)
    return found


def csv_rows(text: str) -> List[Dict[str, str]]:
    """Return the rows of CSV."""
    return [*csv.DictReader(StringIO(text, newline=""), strict=True)]


def objects(text: str) -> List[Any]:
    """Return the objects of NDJSON."""
    return [json.loads(line) for line in text.splitlines()]
