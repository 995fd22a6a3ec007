"""The Events API: ``/v2.0/events``.

As documented: the server sets the time; 201 echoes the event where it was enriched,
and else the user and the time; properties of more than 950 KB are refused. What
enriching adds is not published: here nothing is added. ``sdkp`` is read and changes
nothing. That an event needs a user, named in exactly one way, is documented; that an
unknown alias gets a new one is an assumption.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from .call import Call, Handler
from .envelope import Malformed
from .identity import ALIAS, named_user
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
        "aliases": many(ALIAS),
        "properties": mapping,
        "view_id": text,
        "session_id": text,
        "segments": many(whole),
        "cohorts": many(text),
    },
)


def track_event(call: Call) -> Response:
    """Keep an event of a user, at the time at which it came."""
    enriched = call.flag("enrich", default=True)
    call.flag("sdkp", default=True)
    event = call.body(_EVENT)
    properties: JSONObject = event.setdefault("properties", {})
    if len(json.dumps(properties)) > _MOST_PROPERTY_BYTES:
        raise Malformed("body", "properties: they exceed 950 KB")
    user_id = named_user(call, event, ("user_id", "aliases"))
    event.pop("aliases", None)
    kept: JSONObject = {**event, "user_id": user_id, "time": call.state.clock.now()}
    call.state.events.setdefault(user_id, []).append(kept)
    short = {"user_id": user_id, "time": kept["time"]}
    return JSONResponse(kept if enriched else short, status_code=201)


ROUTES: Mapping[str, Mapping[str, Handler]] = {"/v2.0/events": {"POST": track_event}}
