"""Snapshots: a workspace as a folder of files, made for git, and the plans between two of them."""

from .snapshot import Saved, Snapshot

__all__ = ["Saved", "Snapshot"]
