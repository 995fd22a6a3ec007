"""Snapshots: a workspace as a folder of files, made for git, and the plans between two of them."""

# The first module imports Tables as a whole. If it imported a part first, another thread that imports Tables
# would wait for this one, and this one for that.
from .snapshot import Saved, Snapshot

__all__ = ["Saved", "Snapshot"]
