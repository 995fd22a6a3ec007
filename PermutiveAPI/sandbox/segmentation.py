"""The CCS API: ``/ccs/v1/segmentation``, with the user's state kept here or by the caller.

Into which cohorts a user falls depends on ``check_queries``. With it, queries are
evaluated: see evaluation.py for what is assumed there. A user's events are those that
were tracked and those that segmentation calls sent, which are kept. Without it, the
cohorts are an assumption: the enabled ones, own and inherited, whose code, added
to the CRC-32 of the user id, is divisible by three. So each user gets about a third of
them, the same at every call and whatever the events.

All of them count as activated for "gam". An unknown alias gets a new user. The flag
``synchronous-validation`` is read and changes nothing: the sandbox has no schemas. The
opaque state of the stateless call holds the user's events so far, and its answer no
cohorts, as documented.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from .call import Call, Handler
from .envelope import Malformed
from .evaluation import cohorts_of
from .identity import ALIASES, named_user
from .shapes import JSONObject, Shape, many, mapping, text

_MOST_EVENTS = 10
_USER_NAMES = ("user_id", "alias", "aliases")

_EVENT = Shape(
    required={"name": text, "time": text, "properties": mapping},
    optional={"view_id": text, "session_id": text},
)
_SEGMENTATION = Shape(
    required={"events": many(_EVENT)},
    optional={
        "user_id": text,
        "alias": Shape(required={"tag": text, "id": text}),
        "aliases": ALIASES,
    },
)
_STATELESS = Shape(
    required=_SEGMENTATION.required,
    optional={**_SEGMENTATION.optional, "state": text},
)


def segment_user(call: Call) -> Response:
    """Answer the cohorts into which a user falls."""
    with_activations = call.flag("activations")
    call.flag("synchronous-validation")
    body = _body(call, _SEGMENTATION)
    user_id = named_user(call, body, _USER_NAMES)
    if call.behaviour.check_queries:
        call.state.events.setdefault(user_id, []).extend(body["events"])
    cohorts = _cohorts(call, user_id)
    codes = [str(cohort["code"]) for cohort in cohorts]
    answer: JSONObject = {"user_id": user_id, "cohorts": codes}
    if with_activations:
        answer["activations"] = {"gam": codes}
    if call.behaviour.segments_key_in_segmentation:
        answer["segments"] = [{"id": c["id"], "name": c["name"]} for c in cohorts]
    return JSONResponse(answer)


def segment_stateless(call: Call) -> Response:
    """Answer the state after some more events of a user; nothing is kept here."""
    call.flag("activations")
    call.flag("synchronous-validation")
    body = _body(call, _STATELESS)
    user_id = named_user(call, body, _USER_NAMES)
    events = [*_events_of_state(body.get("state")), *body["events"]]
    state = base64.b64encode(json.dumps(events).encode()).decode()
    return JSONResponse({"user_id": user_id, "state": state})


def _body(call: Call, shape: Shape) -> JSONObject:
    body = call.body(shape)
    if len(body["events"]) > _MOST_EVENTS:
        raise Malformed("body", f"events: at most {_MOST_EVENTS} are allowed")
    return body


def _events_of_state(state: str | None) -> list[Any]:
    if state is None:
        return []
    try:
        return list(json.loads(base64.b64decode(state, validate=True)))
    except (ValueError, TypeError):
        raise Malformed("body", "state: it is none that was answered") from None


def _cohorts(call: Call, user_id: str) -> list[JSONObject]:
    cohorts = [
        cohort
        for cohort in call.state.cohorts_seen_by(call.workspace)
        if cohort["state"] == "Enabled"
    ]
    if call.behaviour.check_queries:
        events = call.state.events.get(user_id, [])
        return cohorts_of(cohorts, events, call.state.clock.now())
    offset = zlib.crc32(user_id.encode())
    return [cohort for cohort in cohorts if (cohort["code"] + offset) % 3 == 0]


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/ccs/v1/segmentation": {"POST": segment_user},
    "/ccs/v1/segmentation/stateless": {"POST": segment_stateless},
}
