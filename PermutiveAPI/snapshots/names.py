"""Names of files that are the same on every system. Nothing here reads or writes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from ..Audience.Import import Import
from ..Cohort import Cohort

T = TypeVar("T", Cohort, Import)

_LONGEST = 60  # Characters of a readable part. Some systems allow 255 bytes for a whole path.
_SAFE_KEY = re.compile(r"[a-z0-9_-]{1,60}")
# A key and the readable name, as file_name() writes them. Other files in the folder are foreign.
_NAME = re.compile(r"([a-z0-9_~-]+) [a-z0-9-]+\.json")


def file_name(key: str, name: str) -> str:
    """Return the name of an object's file.

    It has only small letters, digits and few signs, because some systems do not tell "A" from "a". Two
    words keep it apart from names such as "con", which Windows reserves.

    Examples
    --------
    >>> file_name("12345", "Football / Rugby: Fans")
    '12345 football-rugby-fans.json'
    """
    return f"{safe_key(key)} {_readable(name)}.json"


def safe_key(key: str) -> str:
    """Return a key itself if it is safe in a file name. Else return a readable part and a hash.

    Examples
    --------
    >>> safe_key("12345"), safe_key("../News")
    ('12345', 'news~ea82aa801b')
    """
    if _SAFE_KEY.fullmatch(key):
        return key
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{_readable(key)}~{digest[:10]}"


def key_in(file_name: str) -> str | None:
    """Return the safe key in the name of a file; None if the file is foreign.

    Examples
    --------
    >>> key_in("12345 football-fans.json"), key_in("12345 football-fans (copy).json")
    ('12345', None)
    """
    found = _NAME.fullmatch(file_name)
    return found and found[1]


def with_keys(objects: Iterable[T]) -> list[tuple[str, T]]:
    """Return objects with the keys of their files: their codes. Those that share a code have their ids."""
    given = [*objects]
    keys = [safe_key(str(each.code)) for each in given]
    counts = Counter(keys)
    return [
        (str(each.code if counts[key] == 1 else each.id), each)
        for key, each in zip(keys, given, strict=True)
    ]


def _readable(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].rstrip("-") or "unnamed"
