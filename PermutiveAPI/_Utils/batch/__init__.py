"""Many requests at once: what they are made of, the workers that send them, the journal, the bar.

The models take names from here. They are imported when the first of them is used. What a shard's report
pickles in a form of its own is registered here, too, since that must not import the rest.
"""

import copyreg
import typing
from collections.abc import Callable

from .. import lazy_names

if typing.TYPE_CHECKING:
    from concurrent.futures import Executor

    from .types import (
        BatchOptions,
        BatchRequest,
        BatchResult,
        Failures,
        MadeRequests,
        Progress,
        ProgressCallback,
        ReadingRequest,
        Responses,
        Results,
        default_batch_timeout,
    )

__all__ = [
    "BatchOptions",
    "BatchRequest",
    "BatchResult",
    "Executor",
    "Failures",
    "MadeRequests",
    "Progress",
    "ProgressCallback",
    "ReadingRequest",
    "Responses",
    "Results",
    "default_batch_timeout",
]

# How objects of some classes are pickled in the report of a shard.
compact_forms: dict[type, Callable[[typing.Any], typing.Any]] = dict(copyreg.dispatch_table)


def travels_by(kind: type, reduce: Callable[[typing.Any], typing.Any]) -> None:
    """Pickle objects of a class by `reduce`, but only in the report of a shard."""
    compact_forms[kind] = reduce


if not typing.TYPE_CHECKING:  # For a type checker, every other name is a mistake.
    _HOMES = dict.fromkeys(__all__, f"{__name__}.types") | {"Executor": "concurrent.futures"}
    __getattr__ = lazy_names.lazy_names(__name__, _HOMES)
