"""Make a URL from an endpoint and identifiers: the only place that checks and quotes identifiers."""

from __future__ import annotations

from urllib.parse import quote

from ..arguments import require_filled

# Values of these types are mistakes. A float is a missing value of a table.
_NO_IDENTIFIERS = (bytes, bytearray, bool, float, list, tuple, dict, set, frozenset)


def resource_url(endpoint: str, template: str, **identifiers: object) -> str:
    """Fill a path template below an endpoint.

    Parameters
    ----------
    endpoint : str
        The collection's URL, with or without a slash at its end.
    template : str
        The rest of the path, with a ``{name}`` for each identifier.
    **identifiers : object
        The identifiers, under the names of the caller's arguments. They are percent-encoded, slashes
        included.

    Returns
    -------
    str
        The URL.

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


def _quoted(name: str, identifier: object) -> str:
    kind = type(identifier)
    if issubclass(kind, _NO_IDENTIFIERS):
        raise TypeError(f"{name} must be a text, got {kind.__name__}.")
    require_filled(name, identifier)
    text = str(identifier)
    if text in (".", ".."):
        # HTTP clients and servers remove dots from paths, so the URL would name something else.
        raise ValueError(f"{name} must be an identifier, got {identifier!r}.")
    return quote(text, safe="")
