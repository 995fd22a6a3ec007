"""A Python client for the Permutive API.

Everything here may be used from many threads, and in child processes after a fork. The exception is a
stream: only one thread may read it, in the process that began it. Any thread may close it.

The examples in the docstrings run against the sandbox, a local service, with its key as the default key:

>>> from PermutiveAPI import Cohort
>>> from PermutiveAPI.sandbox import Sandbox
>>> with Sandbox() as sandbox:
...     cohorts = Cohort.list(api_key=sandbox.api_key)
>>> cohorts[0].name
'Football Fans'
"""

import logging
from typing import TYPE_CHECKING

from ._Utils.batch.progress_bar import progress_bar
from ._Utils.batch.types import BatchRequest, BatchResult, Progress
from ._Utils.errors import (
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveCredentialsError,
    PermutiveInvalidRequestError,
    PermutiveInvalidResponseError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    PermutiveTimeoutError,
)
from ._Utils.http import stream_batch
from ._Utils.options import options
from ._Utils.retry.outcome import AttemptRecord
from ._Utils.retry.policy import RetryConfig
from ._Utils.version import package_version
from .Audience.Import import Import, ImportList
from .Audience.Segment import Segment, SegmentList
from .Audience.Source import Source
from .Cohort import Cohort, CohortList
from .Context import ContextSegment
from .Identify.Alias import Alias, KnownAlias
from .Identify.Identity import Identity
from .Segmentation import Event, Segmentation
from .Tracking import TrackedEvent
from .Workspace import Workspace, WorkspaceList

__all__ = [
    "Alias",
    "AttemptRecord",
    "BatchRequest",
    "BatchResult",
    "Cohort",
    "CohortList",
    "ContextSegment",
    "Event",
    "Identity",
    "Import",
    "ImportList",
    "KnownAlias",
    "PermutiveAPIError",
    "PermutiveAuthenticationError",
    "PermutiveBadRequestError",
    "PermutiveConflictError",
    "PermutiveConnectionError",
    "PermutiveCredentialsError",
    "PermutiveInvalidRequestError",
    "PermutiveInvalidResponseError",
    "PermutiveRateLimitError",
    "PermutiveResourceNotFoundError",
    "PermutiveServerError",
    "PermutiveTimeoutError",
    "Progress",
    "RetryConfig",
    "Segment",
    "SegmentList",
    "Segmentation",
    "Source",
    "TrackedEvent",
    "Workspace",
    "WorkspaceList",
    "__version__",
    "options",
    "progress_bar",
    "stream_batch",
]

__version__: str

_SUBMODULES = {"Query", "Tables", "answers", "rehearsal", "sandbox", "snapshots", "testing"}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __dir__() -> list[str]:
    """List the public names, and the public modules that are imported."""
    return sorted((*__all__, *(_SUBMODULES & globals().keys())))


if not TYPE_CHECKING:  # For a type checker, every other name is a mistake.

    def __getattr__(name):
        """Read the version when it is first used."""
        if name == "__version__":
            return package_version()
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
