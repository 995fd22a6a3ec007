"""Aliases: the ids of a user in other systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._Utils.arguments import listed, require_kind, require_one
from .._Utils.errors import PermutiveInvalidRequestError
from .._Utils.json import JSONSerializable


@dataclass
class Alias(JSONSerializable[dict[str, Any]]):
    """An id of a user in another system.

    Parameters
    ----------
    id : str
        The id, for instance a hashed email address.
    tag : str
        The kind of id, for instance "email". The service ignores kinds that the workspace does not
        allow.
    priority : int
        If aliases belong to different users, the alias with the lowest number decides.

    Examples
    --------
    >>> Alias(id="8c8e1f0a", tag="email_sha256", priority=0)
    Alias(id='8c8e1f0a', tag='email_sha256', priority=0)
    """

    id: str
    tag: str
    priority: int


@dataclass
class KnownAlias(JSONSerializable[dict[str, Any]]):
    """An alias that the service has stored; ``Identity.list_aliases`` returns them.

    Parameters
    ----------
    id : str
        The id in the other system.
    tag : str
        The kind of id.
    permutive_id : str
        The id of the user in Permutive.

    Examples
    --------
    >>> Identity("user-1", [Alias("ada@example.com", "email", 0)]).identify()
    >>> Identity.list_aliases("user-1")
    [KnownAlias(id='ada@example.com', tag='email', permutive_id='user-1')]
    """

    id: str
    tag: str
    permutive_id: str


def require_one_user(**names: Any) -> None:
    """Raise unless exactly one of `user_id`, `alias` and `aliases` names a user.

    Raises
    ------
    PermutiveInvalidRequestError
        If none or several of the arguments are given, or the given one is empty. The service would
        respond with 400. It is also a ValueError.
    TypeError
        If an alias is not an :class:`Alias`.
    """
    try:
        name = require_one(**names)
    except ValueError as error:
        raise PermutiveInvalidRequestError(str(error)) from None
    value = names[name]
    if isinstance(value, (str, list, tuple)) and not value:
        raise PermutiveInvalidRequestError(f"{name} must not be empty, got {value!r}.")
    if name == "alias":
        require_kind("alias", value, Alias)
    elif name == "aliases":
        for position, alias in enumerate(listed("aliases", value)):
            require_kind(f"aliases[{position}]", alias, Alias)
