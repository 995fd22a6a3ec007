"""An endpoint and identifiers made into a URL: the one place where identifiers are checked and quoted."""

from __future__ import annotations

from urllib.parse import quote

from ..arguments import require_filled

# Their texts would name something that does not exist; a float stands for a table's missing value.
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
        The identifiers by the names that callers know; they are percent-encoded, slashes too.

    Returns
    -------
    str
        The URL.

    Raises
    ------
    ValueError
        If an identifier is None, blank, or a path's dots; the message names it.
    TypeError
        If it is of a kind that names nothing, such as bytes; the message names it.

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
        # Dots are removed from paths on their way, encoded or not: the URL would name something else.
        raise ValueError(f"{name} must be an identifier, got {identifier!r}.")
    return quote(text, safe="")
