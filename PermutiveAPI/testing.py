"""For users' own tests: settings that keep keys and aliases out of recorded calls."""

from __future__ import annotations

import hashlib
import json
import re
from copy import copy
from typing import Any, cast

from ._Utils.credentials import KEY_HEADER
from ._Utils.redaction import REDACTED

__all__ = ["vcr_config"]

_DIGEST_PREFIX = "hashed-"
_DIGEST = _DIGEST_PREFIX + "[0-9a-f]{16}"


def vcr_config() -> dict[str, Any]:
    """Return settings for vcrpy and pytest-recording that keep keys and aliases out of cassettes.

    The key is replaced in the query (``k``) and in the header X-API-Key. In requests and responses, the
    id of each alias is replaced by a digest. The same id has the same digest, so that calls still match.
    A digest hides an id from readers of the cassette, but not from someone who guesses the id. Other
    texts, such as an e-mail address in the properties of an event, are recorded unchanged. The body of
    a request counts when calls are matched.

    Returns
    -------
    dict
        Keyword arguments of ``vcr.VCR``, for pytest-recording's fixture ``vcr_config``.

    Examples
    --------
    >>> sorted(vcr_config())
    ['before_record_request', 'before_record_response', 'decode_compressed_response', 'filter_headers', 'filter_query_parameters', 'match_on']
    """
    return {
        # All creates of a batch have the same URL. Only their bodies differ.
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "filter_query_parameters": [("k", REDACTED)],
        "filter_headers": [(KEY_HEADER, REDACTED)],
        "before_record_request": _scrubbed_request,
        "before_record_response": _scrubbed_response,
        "decode_compressed_response": True,
    }


def _scrubbed_request(request: Any) -> Any:
    """Replace the ids of aliases in a copy of a request, since vcrpy may pass the same request again."""
    scrubbed = copy(request)
    scrubbed.body = _scrubbed(request.body)
    return scrubbed


def _scrubbed_response(response: dict[str, Any]) -> dict[str, Any]:
    """Replace the ids of aliases in a copy of a response, since the caller still uses the response."""
    body: dict[str, Any] = response.get("body") or {}
    scrubbed = _scrubbed(body.get("string"))
    return {**response, "body": {**body, "string": scrubbed}} if body else response


def _scrubbed(body: Any) -> Any:
    """Return a JSON body with digests for the ids of aliases; return any other body unchanged."""
    try:
        data = json.loads(body)
    except (TypeError, ValueError):
        return body
    scrubbed = _without_aliases(data)
    if scrubbed == data:
        return body
    text = json.dumps(scrubbed)
    return text.encode() if isinstance(body, bytes) else text


def _without_aliases(data: Any) -> Any:
    if isinstance(data, list):
        return [_without_aliases(each) for each in cast("list[Any]", data)]
    if not isinstance(data, dict):
        return data
    members = cast("dict[str, Any]", data)
    scrubbed = {name: _without_aliases(value) for name, value in members.items()}
    if "tag" in scrubbed and isinstance(scrubbed.get("id"), str):
        scrubbed["id"] = _digest(scrubbed["id"])
    return scrubbed


def _digest(id: str) -> str:
    if re.fullmatch(_DIGEST, id):
        return id
    return _DIGEST_PREFIX + hashlib.sha256(id.encode()).hexdigest()[:16]
