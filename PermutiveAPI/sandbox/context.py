"""The Contextual API: ``/ctx/v1/segment``.

The form of the page and of the response is documented. How a page is classified is an assumption: each
word of the URL's path is a keyword, the first one is a category, and the cohorts of a page are the
enabled ones, own and inherited, that have one of these words as a tag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from .call import ApiCall, Handler
from .envelope import Malformed
from .shapes import Shape, one_of, string, text

_CLIENT = Shape(
    optional={
        "url": string,
        "domain": string,
        "referrer": string,
        "type": one_of("web", "ios", "android"),
        "user_agent": string,
        "title": string,
    }
)
_PAGE = Shape(required={"url": text, "page_properties": Shape(optional={"client": _CLIENT})})


def segment_page(call: ApiCall) -> Response:
    """Return the cohorts that fit a page, and what the page is about."""
    page = call.body(_PAGE)
    try:
        path = urlsplit(str(page["url"])).path
    except ValueError:
        raise Malformed("body", "url: a URL is expected") from None
    words = list(dict.fromkeys(re.findall("[a-z0-9]+", path.lower())))
    codes = [
        str(cohort["code"])
        for cohort in call.state.cohorts_seen_by(call.workspace)
        if cohort["state"] == "Enabled" and set(words) & set(cohort.get("tags", []))
    ]
    categories = [
        {"value": word, "confidence": 1.0, "taxonomy": "sandbox", "provider": "sandbox"}
        for word in words[:1]
    ]
    keywords = [{"value": word, "confidence": 1.0} for word in words]
    return JSONResponse(
        {
            "cohorts": codes,
            "activations": {"target_dfp": codes},
            "contextual_data": {
                "classifications": {"categories": categories, "keywords": keywords}
            },
        }
    )


ROUTES: Mapping[str, Mapping[str, Handler]] = {"/ctx/v1/segment": {"POST": segment_page}}
