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
from ._Utils.lazy_names import lazy_names, remember_modules
from ._Utils.retry.policy import RetryConfig
from ._Utils.version import package_version
from .Cohort import Cohort, CohortList
from .Segmentation import Event, Segmentation
from .Workspace import Workspace, WorkspaceList

if TYPE_CHECKING:
    from ._Utils.batch.progress_bar import progress_bar
    from ._Utils.batch.types import BatchRequest, BatchResult, Progress
    from ._Utils.options import options
    from ._Utils.retry.outcome import AttemptRecord
    from .Audience.Import import Import, ImportList
    from .Audience.Segment import Segment, SegmentList
    from .Audience.Source import Source
    from .Context import ContextSegment
    from .Identify.Alias import Alias, KnownAlias
    from .Identify.Identity import Identity
    from .Tracking import TrackedEvent

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

# What is imported when it is first used, and from where: all of it would take as long again as the rest.
# Not classes with the name of their module, such as Cohort: Python would put the module in their place.
_HOMES = {
    "Alias": "PermutiveAPI.Identify.Alias",
    "AttemptRecord": "PermutiveAPI._Utils.retry.outcome",
    "BatchRequest": "PermutiveAPI._Utils.batch.types",
    "BatchResult": "PermutiveAPI._Utils.batch.types",
    "ContextSegment": "PermutiveAPI.Context",
    "Identity": "PermutiveAPI.Identify.Identity",
    "Import": "PermutiveAPI.Audience.Import",
    "ImportList": "PermutiveAPI.Audience.Import",
    "KnownAlias": "PermutiveAPI.Identify.Alias",
    "Progress": "PermutiveAPI._Utils.batch.types",
    "Segment": "PermutiveAPI.Audience.Segment",
    "SegmentList": "PermutiveAPI.Audience.Segment",
    "Source": "PermutiveAPI.Audience.Source",
    "TrackedEvent": "PermutiveAPI.Tracking",
    "options": "PermutiveAPI._Utils.options",
    "progress_bar": "PermutiveAPI._Utils.batch.progress_bar",
    # Modules.
    "Audience": None,
    "Context": None,
    "Identify": None,
    "Tracking": None,
    "answers": None,
}

logging.getLogger(__name__).addHandler(logging.NullHandler())
remember_modules()


def __dir__() -> list[str]:
    """List the public names, and the public modules that are imported."""
    return sorted((*__all__, *(_SUBMODULES & globals().keys())))


if not TYPE_CHECKING:  # For a type checker, every other name is a mistake.

    _lazy_name = lazy_names(__name__, _HOMES)

    def __getattr__(name):
        """Read the version, or import a name, when it is first used."""
        return package_version() if name == "__version__" else _lazy_name(name)
