"""Make a URL from an endpoint and identifiers: the only place that checks and quotes identifiers."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Any, cast
from urllib.parse import quote

from ..arguments import require_filled

# Values of these types are mistakes. A float and pandas' NaT, a datetime, are empty cells of a table.
_NO_IDENTIFIERS = (bytes, bytearray, bool, float, list, tuple, dict, set, frozenset, date)


def resource_url(endpoint: str, template: str, **identifiers: object) -> str:
    """Fill a path template below an endpoint, which may end with a slash.

    The template has a ``{name}`` for each identifier, which is the name of the caller's argument.
    Identifiers are percent-encoded, slashes included.

    Raises
    ------
    ValueError
        If an identifier is None, blank, "." or ".."; the message names it.
    TypeError
        If an identifier is of a wrong type, such as bytes; the message names it.

    Examples
    --------
    >>> resource_url("https://host/imports", "{import_id}/segments", import_id="a/b")
    'https://host/imports/a%2Fb/segments'
    """
    quoted = {name: _quoted(name, value) for name, value in identifiers.items()}
    return f"{endpoint.rstrip('/')}/{template.format(**quoted)}"


def identifier_text(name: str, identifier: Any) -> str:
    """Return an id, a code or a name as text.

    Raises
    ------
    ValueError
        If it is None or blank; the message names it.
    TypeError
        If it is of a wrong type, such as bytes or an empty cell; the message names it.
    """
    value = identifier.value if isinstance(identifier, Enum) else identifier
    kind = type(cast("object", value))  # A user's mock has every attribute; its class does not.
    if hasattr(kind, "tolist"):  # NumPy's numbers become Python's.
        value = value.tolist()
    is_model = hasattr(kind, "to_json") and not isinstance(value, str)
    is_model_or_empty_cell = is_model or kind.__name__ == "NAType"
    if is_model_or_empty_cell or isinstance(value, _NO_IDENTIFIERS):
        raise TypeError(f"{name} must be a text, got {type(identifier).__name__}.")
    require_filled(name, value)
    return str(value)


def _quoted(name: str, identifier: object) -> str:
    text = identifier_text(name, identifier)
    if text in (".", ".."):
        # HTTP clients and servers remove dots from paths, so the URL would name something else.
        raise ValueError(f"{name} must be an identifier, got {identifier!r}.")
    return quote(text, safe="")
