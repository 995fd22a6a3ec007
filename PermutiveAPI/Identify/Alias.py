"""Aliases: the names that a user is known by elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._Utils.json import JSONSerializable


@dataclass
class Alias(JSONSerializable[dict[str, Any]]):
    """A name that a user is known by elsewhere.

    Parameters
    ----------
    id : str
        The name itself, for instance a hashed email address.
    tag : str
        The kind of name, for instance "email". The service ignores kinds that the workspace does
        not allow.
    priority : int
        Where two aliases belong to different users, the one with the lowest number decides.
    """

    id: str
    tag: str
    priority: int
