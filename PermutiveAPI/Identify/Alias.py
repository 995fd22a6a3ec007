"""Aliases: the names that a user is known by elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._Utils.arguments import listed, require_kind, require_one
from .._Utils.errors import PermutiveInvalidRequestError
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


@dataclass
class KnownAlias(JSONSerializable[dict[str, Any]]):
    """An alias as the service knows it.

    Parameters
    ----------
    id : str
        The name itself.
    tag : str
        The kind of name.
    permutive_id : str
        The user whom it names.
    """

    id: str
    tag: str
    permutive_id: str


def require_one_user(**names: Any) -> None:
    """Raise unless a user is named in exactly one way: by `user_id`, by an alias or by several.

    Raises
    ------
    PermutiveInvalidRequestError
        If none or several of the arguments are given, or the one that is given holds nothing; also a
        ValueError. The service would refuse it with 400.
    TypeError
        If an alias is of another kind.
    """
    try:
        name = require_one(**names)
    except ValueError as error:
        raise PermutiveInvalidRequestError(str(error)) from None
    value = names[name]
    if value in ("", [], ()):
        raise PermutiveInvalidRequestError(f"{name} must not be empty, got {value!r}.")
    if name == "alias":
        require_kind("alias", value, Alias)
    elif name == "aliases":
        for position, alias in enumerate(listed("aliases", value)):
            require_kind(f"aliases[{position}]", alias, Alias)
