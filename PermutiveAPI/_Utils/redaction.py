"""Replace secrets in texts. Only this code knows what a secret looks like.

:class:`HiddenText` hides itself. Most functions take a text and return a text. They find a secret by its
*name* (:func:`redact_message`, :func:`redact_url`), or by its *value* if the value is known
(:func:`redact_secret`, :func:`redact_sensitive_data`). :func:`redact_headers` changes headers in place, and
:func:`secrets_of` finds the keys of a request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, cast
from urllib.parse import quote, quote_plus, unquote, unquote_plus

REDACTED = "[REDACTED]"

_SECRET_NAMES: frozenset[str] = frozenset(
    (
        "k",
        "api_key",
        "token",
        "access_token",
        "key",
        # The spellings of credentials files and of the key's header.
        "apikey",
        "api-key",
        "x-api-key",
        "privatekey",
        "private_key",
        "authorization",
        "proxy-authorization",
    )
)
_HEADER_NAMES = ("x-api-key", "authorization", "proxy-authorization")

# A shorter key is replaced only if it is a separate word: the key "k" of a test must not turn "key"
# into "[REDACTED]ey".
_SHORTEST_DISTINCT_SECRET = 6

# Only the beginning of a longer text is searched; the part that is shown is much shorter.
_LONGEST_TEXT = 20_000

# A name starts after a character that cannot be part of a name, or after an escape sequence (%26,
# \u0026, \x26, \n), whose last character only looks like part of a name.
_NAME_STARTS = (
    r"(?:(?<![\w-])|(?<=%[0-9a-f]{2})|(?<=%25[0-9a-f]{2})|(?<=%2525[0-9a-f]{2})"
    r"|(?<=\\u[0-9a-f]{4})"
    r"|(?<=\\x[0-9a-f]{2})|(?<=\\[nrt])"
    # The dashes of a command-line option are not part of its name.
    r"|(?<=\s-)|(?<=\s--)|(?<=^-)|(?<=^--))"
)
_NAMES = "(?:" + "|".join(sorted(map(re.escape, _SECRET_NAMES), reverse=True)) + ")"
# A value without a closing quote ends with the text, which may have been cut there. So no text is
# searched twice.
_QUOTED = r""""(?:\\.|[^"\\])*(?:"|\\?\Z)|'(?:\\.|[^'\\])*(?:'|\\?\Z)"""
_ESCAPED_QUOTED = r"""(?P<eq>\\+["']).*?(?:(?<!\\)(?P=eq)|\Z)"""
_BARE = r"[^\s&\"'<>,;)\]}#\\]+"
_NOT_REDACTED = r"(?!\[REDACTED\])"

# Pattern and flags; ``re`` compiles and caches them when a text is first redacted.
_ASSIGNMENT = (
    rf"(?P<head>{_NAME_STARTS}{_NAMES}[ \t]*=[ \t]*){_NOT_REDACTED}"
    rf"(?P<value>{_ESCAPED_QUOTED}|{_QUOTED}|{_BARE})",
    re.IGNORECASE | re.DOTALL,
)
# "%3D" for "=", and "%22:%22" for a JSON member, encoded once or more ("%253D"). The value ends at a
# separator that is encoded as often.
_ENCODED_ASSIGNMENT = (
    rf"(?P<head>{_NAME_STARTS}{_NAMES}(?:%(?:25)*2[27])?(?:%(?:25)*20|\+)*"
    r"%(?P<depth>(?:25)*)3[DA](?:%(?:25)*20|\+)*(?:%(?:25)*2[27])?)"
    rf"{_NOT_REDACTED}(?P<value>(?:(?!%(?P=depth)(?:26|23|22|27|20|0A|0D)){_BARE[:-1]})+)",
    re.IGNORECASE,
)
_ENCODED_NAME = (
    rf"(?P<head>(?<![\w.~%-])(?P<name>[\w.~-]*%[\w.~%-]*)=){_NOT_REDACTED}(?P<value>{_BARE})",
    re.IGNORECASE,
)
_MEMBER = (
    rf"(?P<head>(?P<nq>\\{{0,63}}[\"']){_NAMES}(?P=nq)\s*:\s*b?){_NOT_REDACTED}"
    rf"(?P<value>{_ESCAPED_QUOTED}|{_QUOTED}"
    r"|\[[^\]]*(?:\]|\Z)|\{[^{}]*\}"
    r"|(?!null\b|None\b|true\b|True\b|false\b|False\b)[^\s,}\]{\[\"'\\]+)",
    re.IGNORECASE | re.DOTALL,
)
_HEADER = (
    rf"(?P<head>{_NAME_STARTS}(?:{'|'.join(_HEADER_NAMES)})(?:\s*:\s*|[\"']\s*,\s*b?[\"']))"
    rf"{_NOT_REDACTED}(?P<value>[^\s\"',}}][^\r\n\"',}}]*)",
    re.IGNORECASE,
)
_USER_INFO = (r"(?<=://)[^/?#@\s\"'<>]+(?=@)", re.IGNORECASE)
# If a text was cut before the "@", a user name and password look like a host.
_CUT_USER_INFO = r"://[^/?#@\s\"'<>]*\Z"
_BEFORE_PATH = r"(?i)\s*[a-z][a-z0-9+.-]*://[^/?#]*"
_USER_ID = r"(?i)(?<=/v2\.0/users/)[^/?#\s\"'<>]+"


class HiddenText(str):
    """A text that holds a key. Its repr does not show it, since error trackers show the repr of local variables."""

    def __repr__(self) -> str:
        """Show only that there is a text."""
        return repr(REDACTED)

    def __getitem__(self, index: Any) -> HiddenText:
        """Hide a part, too: some tools cut a text before they show it."""
        return HiddenText(super().__getitem__(index))


def redact_message(message: str) -> str:
    """Replace the values of secret names in any text.

    The names are ``k``, ``api_key``, ``token``, ``access_token``, ``key`` and their spellings in
    headers and credentials files. Only whole names are found (``task=42`` stays): as ``name=value``
    (quoted or not), as a JSON or Python member, percent-encoded, or as a header.

    Parameters
    ----------
    message : str
        The text. Another value is converted to text first.

    Returns
    -------
    str
        The text with every such value replaced by ``[REDACTED]``.

    Examples
    --------
    >>> redact_message("GET /cohorts?k=abc&task=42")
    'GET /cohorts?k=[REDACTED]&task=42'
    """
    text = str(message)
    for (pattern, flags), replacement in _REPLACEMENTS:
        text = re.sub(pattern, replacement, text, flags=flags)
    return text


def redact_url(url: str) -> str:
    """Replace the values of secret query parameters, and a user name and password, in a URL.

    Parameters
    ----------
    url : str
        The URL. A value ends at the next ``&`` or ``#``.

    Returns
    -------
    str
        The URL with each such value replaced by ``[REDACTED]``.

    Examples
    --------
    >>> redact_url("https://api.permutive.app/x?k=a,b&page=2")
    'https://api.permutive.app/x?k=[REDACTED]&page=2'
    """
    address, hash_mark, fragment = str(url).partition("#")
    path, question_mark, query = address.partition("?")
    pairs = (_redact_pair(pair) for pair in query.split("&"))
    return redact_message(path + question_mark + "&".join(pairs) + hash_mark + fragment)


def redact_headers(headers: MutableMapping[str, Any]) -> None:
    """Replace the values of headers that hold a secret, in place."""
    for name in list(headers):
        if _text_of(name).lower() in _HEADER_NAMES:
            headers[name] = REDACTED


def hide_user_ids(message: str) -> str:
    """Replace user ids in URLs. They are not secret, but log records above DEBUG must not show them."""
    return re.sub(_USER_ID, REDACTED, message)


def path_for_logs(url: str) -> str:
    """Return only the path of a URL or another text, without user ids."""
    path = re.match(_BEFORE_PATH, str(url))
    return hide_user_ids(str(url)[path.end() if path else 0 :].split("?")[0].split("#")[0])


def request_for_logs(method: str, url: str, position: int | None) -> str:
    """Return the text that names a request in log records, without key, parameters and user id.

    Examples
    --------
    >>> request_for_logs("PATCH", "https://api.permutive.app/cohorts-api/v2/cohorts/1?k=a", 7)
    'PATCH /cohorts-api/v2/cohorts/1 (item 7 of the batch)'
    """
    item = "" if position is None else f" (item {position} of the batch)"
    return f"{str(method).upper()} {path_for_logs(url)}{item}"


def redact_secret(message: str, secret: str) -> str:
    """Replace a known secret everywhere: plain, percent-encoded or JSON-escaped."""
    if not secret:
        return message
    plain, plus = quote(secret, safe=""), quote_plus(secret)
    forms = {secret, quote(secret), plain, plus, quote(plain, safe="")}
    forms |= {json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    pattern = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
    if len(secret) < _SHORTEST_DISTINCT_SECRET:
        # It must not hide a name, such as "k" in "k=...": the value is found later by that name.
        pattern = rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9]|[\"']?\s*[=:])"
    # Percent escapes may be upper or lower case.
    flags = re.IGNORECASE if "%" in plain else 0
    return re.sub(pattern, REDACTED, message, flags=flags)


def redact_sensitive_data(message: str, response: Any) -> str:
    """Redact by name, and redact the key that the request of `response` had.

    The response may be None, or a stand-in without ``request``, ``url`` and ``headers``.
    """
    return redact_message(_without(secrets_of(response), message))


def redact_and_shorten(message: str, secrets: Iterable[str]) -> str:
    """Redact a text. Keep only the beginning of a huge text.

    Known `secrets` are replaced first, in the whole text, so that none is cut in two.
    """
    text = _without(secrets, message)
    if len(text) > _LONGEST_TEXT:
        text = re.sub(_CUT_USER_INFO, "://", text[:_LONGEST_TEXT]) + "..."
    return redact_message(text)


def secrets_of(response: Any) -> list[str]:
    """Return the keys in the URL and headers of the request of a response."""
    request = getattr(response, "request", None)
    secrets: list[str] = []
    for url in (getattr(request, "url", None), getattr(response, "url", None)):
        if isinstance(url, str):
            query = url.partition("#")[0].partition("?")[2]
            for pair in query.split("&"):
                name, _, value = pair.partition("=")
                if _is_secret(name):
                    secrets.append(unquote_plus(value))
    headers: Any = getattr(request, "headers", None)
    if isinstance(headers, Mapping):
        secrets += [
            _text_of(value)
            for name, value in cast("Mapping[Any, Any]", headers).items()
            if _text_of(name).lower() in _HEADER_NAMES and isinstance(value, (str, bytes))
        ]
    return [secret for secret in dict.fromkeys(secrets) if secret]


def _without(secrets: Iterable[str], message: str) -> str:
    text = str(message)
    for secret in secrets:
        text = redact_secret(text, secret)
    return text


def _replace_value(match: re.Match[str]) -> str:
    """Replace the value, and keep the name and the quotes."""
    value = match["value"]
    opening = re.match(r"\\*[\"']", value)
    quotes = opening[0] if opening else ""
    return match["head"] + quotes + REDACTED + quotes


def _replace_encoded_name(match: re.Match[str]) -> str:
    if unquote(match["name"]).lower() in _SECRET_NAMES:
        return match["head"] + REDACTED
    return match[0]


_REPLACEMENTS = (
    (_HEADER, _replace_value),
    (_MEMBER, _replace_value),
    (_ASSIGNMENT, _replace_value),
    (_ENCODED_ASSIGNMENT, _replace_value),
    (_ENCODED_NAME, _replace_encoded_name),
    (_USER_INFO, REDACTED),
)


def _redact_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return name + equals + REDACTED if equals and _is_secret(name) else pair


def _is_secret(name: str) -> bool:
    """Tell whether a parameter of a query has a secret name, perhaps encoded."""
    return unquote_plus(name).strip().lower() in _SECRET_NAMES


def _text_of(name_or_value: Any) -> str:
    """Return a name or value of a header as text; requests also accepts bytes."""
    if isinstance(name_or_value, bytes):
        return name_or_value.decode("latin-1")
    return str(name_or_value)
