"""How objects of some classes are pickled in the report of a shard."""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any

compact_forms: dict[type, Callable[[Any], Any]] = dict(copyreg.dispatch_table)


def travels_by(kind: type, reduce: Callable[[Any], Any]) -> None:
    """Pickle objects of a class by `reduce`, but only in the report of a shard."""
    compact_forms[kind] = reduce
