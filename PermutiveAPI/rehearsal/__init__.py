"""A rehearsal: a job runs against a copy of live workspaces, and its changes are shown.

It needs the extra ``sandbox``.
"""

from .changes import Changes
from .rehearsal import Rehearsal

__all__ = ["Changes", "Rehearsal"]
