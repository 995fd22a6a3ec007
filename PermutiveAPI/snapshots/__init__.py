"""Snapshots: a workspace as a folder of files, made for git, and the plans between two of them."""

from .folder import Saved
from .snapshot import Snapshot

__all__ = ["Saved", "Snapshot"]
