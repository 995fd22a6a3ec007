"""The Events API: ``/v2.0/events``.

As documented: the server sets the time; the status is 201, and the body is the event if it was
enriched, otherwise the user and the time; properties of more than 950 KB are refused. An event needs a
user id or at least one alias. If it has a user id, its aliases are ignored. If none of its aliases is
known, they get a new user.

What enriching adds is not published; here nothing is added. ``sdkp`` has no effect. Every event is
taken to fit its schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from .call import ApiCall, Handler
from .envelope import Malformed
from .identity import ALIASES, named_user
from .shapes import JSONObject, Shape, many, mapping, text, whole

_MOST_PROPERTY_BYTES = 950 * 1000


def _event_name(value: Any) -> str:
    if not re.fullmatch("[A-Za-z0-9_]+", text(value)):
        raise ValueError("letters, digits and _ are expected")
    return value


_EVENT = Shape(
    required={"name": _event_name},
    optional={
        "user_id": text,
        "aliases": ALIASES,
        "properties": mapping,
        "view_id": text,
        "session_id": text,
        "segments": many(whole),
        "cohorts": many(text),
    },
)


def track_event(call: ApiCall) -> Response:
    """Store an event of a user, with the time of its arrival."""
    enriched = call.flag("enrich", default=True)
    call.flag("sdkp", default=True)
    event = call.body(_EVENT)
    if _size(event.get("properties")) > _MOST_PROPERTY_BYTES:
        raise Malformed("body", "properties: they exceed 950 KB")
    names = ("user_id",) if "user_id" in event else ("user_id", "aliases")
    user_id = named_user(call, event, names)
    event.pop("aliases", None)
    time = call.state.clock.now(digits=3)
    kept: JSONObject = {**event, "user_id": user_id, "time": time}
    call.state.events.setdefault(user_id, []).append(kept)
    short = {"user_id": user_id, "time": time}
    return JSONResponse(kept if enriched else short, status_code=201)


def _size(properties: Any) -> int:
    written = json.dumps(properties, ensure_ascii=False, separators=(",", ":"))
    return len(written.encode())


ROUTES: Mapping[str, Mapping[str, Handler]] = {"/v2.0/events": {"POST": track_event}}
