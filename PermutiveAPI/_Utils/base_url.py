"""PERMUTIVE_API_BASE_URL: the origin that replaces Permutive's, and whether it can be trusted.

Whoever sets it receives keys and data. So it is not taken from a ``.env`` that others may write, and
plain http to another machine is logged. Everything here may be called from many threads, and after a
fork.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from functools import cache, lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from . import settings

logger = logging.getLogger("PermutiveAPI")


@cache
def _permutive_origin() -> re.Pattern[str]:
    """Return the pattern of a URL of Permutive up to its path, which may be missing. It is compiled when it is needed."""
    return re.compile(r"(?i)\s*https?://api\.permutive\.(?:app|com)(?::\d*)?(?=[/?#]|$)")


class Origin(NamedTuple):
    """A scheme, a host and perhaps a port."""

    url: str
    is_loopback: bool

    @property
    def is_cleartext(self) -> bool:
        """Whether keys and data travel to another machine without encryption."""
        return self.url.lower().startswith("http:") and not self.is_loopback


def actual_url(url: str, origin: str | None) -> str:
    """Return the URL that a request is sent to: `origin` replaces Permutive's hosts, unless it is None."""
    if origin is None:
        return url
    meant = _permutive_origin().match(url)
    return url if meant is None else origin + url[meant.end() :]


def origin_of(url: str) -> str:
    """Return a URL's scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def base_url(value: str | None) -> str | None:
    """Return the origin that replaces Permutive's; None if nothing replaces it.

    It is the `base_url` of ``options()``, or else `value`, the text of PERMUTIVE_API_BASE_URL. Plain http
    to anything but a loopback address is logged once as a WARNING.

    Raises
    ------
    ValueError
        If it is not an origin such as ``http://127.0.0.1:8080``, or if it is not a loopback address and
        comes from a ``.env`` that others may write.
    """
    given = settings.options.get().base_url
    if given is not None:
        return given
    if value is None:
        return None
    origin = parse_origin(settings.API_BASE_URL, value)
    file = settings.file_of(settings.API_BASE_URL)
    if file is not None and not origin.is_loopback:
        _refuse_if_others_write(file)
    warn_if_cleartext(settings.API_BASE_URL, origin)
    return origin.url


@lru_cache(maxsize=64)
def parse_origin(name: str, value: str) -> Origin:
    """Return a text as an origin.

    Raises
    ------
    ValueError
        If it is not an origin; the message names the variable or the argument.
    """
    try:
        parts = urlsplit(value)
        _ = parts.port  # Raises ValueError if it is not the number of a port.
        is_origin = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and "@" not in parts.netloc
            and not any(character.isspace() for character in value)
            and parts.path in ("", "/")
            and not any(mark in value for mark in "?#\\")
        )
        if is_origin:
            return Origin(value.rstrip("/"), _is_loopback(parts.hostname or ""))
    except ValueError:
        pass
    # The value is not shown: a wrong one may hold a password.
    raise ValueError(
        f"{name} must be an origin such as http://127.0.0.1:8080: http or https, a host and "
        "perhaps a port, without user, path or query."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- Plain http ------------------------------------------------------------------------------

_warned_origins: dict[str, object] = {}


def warn_if_cleartext(name: str, origin: Origin) -> None:
    """Log once that keys and data travel unencrypted; `name` is the variable or the argument."""
    if not origin.is_cleartext:
        return
    own = object()
    # setdefault is atomic, so that only one thread warns. A lock could stay locked after a fork.
    if _warned_origins.setdefault(origin.url.lower(), own) is own:
        logger.warning(
            "%s is plain http: keys and data travel to %s unencrypted. Use https.", name, origin.url
        )


# --- Who may write .env ----------------------------------------------------------------------


def _refuse_if_others_write(file: str) -> None:
    if os.name != "posix":  # Elsewhere, modes do not tell who may write.
        return
    target = os.path.realpath(file)  # If .env is a link, others may write to either folder.
    for place in (target, os.path.dirname(target), os.path.dirname(file)):
        if _others_write(place):
            raise ValueError(
                f"{settings.API_BASE_URL} comes from {file}, but other users may write to {place}, "
                "and could redirect your key. Remove that permission (chmod go-w), move the file "
                "out of a shared folder such as /tmp, or set the variable in the environment."
            )


def _others_write(place: str) -> bool:
    status = os.stat(place)
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_private_group(status)


def _is_private_group(status: os.stat_result) -> bool:
    """Tell whether the owner is the only member of the group; many systems make a group for each user."""
    import grp
    import pwd

    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return (group.gr_gid, group.gr_name) == (owner.pw_gid, owner.pw_name) and (
        set(group.gr_mem) <= {owner.pw_name}
    )
