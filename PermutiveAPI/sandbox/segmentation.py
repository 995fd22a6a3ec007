"""The CCS API: ``/ccs/v1/segmentation``, with the user's state kept here or by the caller.

As documented: a user is named in exactly one way, a call has at most ten events, and the response has
``activations`` on request. The stateless call takes and returns a state: an object of
``internal_state``, ``external_state`` and ``cohorts``. The caller sends it back unchanged. The sandbox
then knows of the user only this state and the events of the call.

``check_queries`` decides which cohorts a user belongs to. If it is true, queries are evaluated;
evaluation.py says what is assumed there. The events of a user are those that were tracked and those
that segmentation calls sent, which are kept. Otherwise the cohorts are an assumption: the enabled ones
whose code, added to the CRC-32 of the user id, is divisible by three. So each user gets about a third
of them, the same at every call, whatever the events are.

More assumptions: users of a workspace also belong to inherited cohorts; all cohorts count as activated
for "gam"; an unknown alias gets a new user. The flag ``synchronous-validation`` has no effect, since
the sandbox has no schemas. In a state, only the member "sandbox" of ``internal_state`` is read, which
holds the events so far. The other members, which Permutive's own states have, are returned unchanged.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from .call import ApiCall, Handler
from .envelope import Malformed
from .evaluation import cohorts_of
from .identity import ALIASES, named_user
from .shapes import JSONObject, Shape, many, mapping, mapping_to, text

# The member of a state's ``internal_state`` that is the sandbox's own.
_OWN = "sandbox"
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
_MEMBERS = mapping_to(mapping)
_KNOWN_OF_USER = Shape(required={"events": many(_EVENT)})


def _internal_state(value: Any) -> JSONObject:
    members = _MEMBERS(value)
    if _OWN in members:
        members[_OWN] = _KNOWN_OF_USER(members[_OWN])
    return members


_STATE = Shape(
    required={"internal_state": _internal_state, "external_state": _MEMBERS},
    optional={"cohorts": many(text)},
)
_NO_STATE: JSONObject = {"internal_state": {}, "external_state": {}}
_STATELESS = Shape(
    required=_SEGMENTATION.required, optional={**_SEGMENTATION.optional, "state": _STATE}
)


def segment_user(call: ApiCall) -> Response:
    """Return the cohorts that a user belongs to."""
    with_activations = call.flag("activations")
    call.flag("synchronous-validation")
    body = _body(call, _SEGMENTATION)
    user_id = named_user(call, body, _USER_NAMES)
    if call.behaviour.check_queries:
        call.state.events.setdefault(user_id, []).extend(body["events"])
    cohorts = _cohorts(call, user_id, call.state.events.get(user_id, []))
    codes = _codes(cohorts)
    found: JSONObject = {"user_id": user_id, "cohorts": codes}
    if with_activations:
        found["activations"] = {"gam": codes}
    if call.behaviour.segments_key_in_segmentation:
        found["segments"] = [{"id": c["id"], "name": c["name"]} for c in cohorts]
    return JSONResponse(found)


def segment_stateless(call: ApiCall) -> Response:
    """Return the state of a user after some more events; nothing is kept here."""
    call.flag("synchronous-validation")
    body = _body(call, _STATELESS)
    user_id = named_user(call, body, _USER_NAMES)
    before = body.get("state", _NO_STATE)
    internal: JSONObject = before["internal_state"]
    known = internal.get(_OWN, {"events": []})
    events = [*known["events"], *body["events"]]
    state = {
        "internal_state": {**internal, _OWN: {"events": events}},
        "external_state": before["external_state"],
        "cohorts": _codes(_cohorts(call, user_id, events)),
    }
    return JSONResponse({"user_id": user_id, "state": state})


def _body(call: ApiCall, shape: Shape) -> JSONObject:
    body = call.body(shape)
    if len(body["events"]) > _MOST_EVENTS:
        raise Malformed("body", f"events: at most {_MOST_EVENTS} are allowed")
    return body


def _cohorts(call: ApiCall, user_id: str, events: Sequence[JSONObject]) -> list[JSONObject]:
    cohorts = [
        cohort
        for cohort in call.state.cohorts_seen_by(call.workspace)
        if cohort["state"] == "Enabled"
    ]
    if call.behaviour.check_queries:
        return cohorts_of(cohorts, events, call.state.clock.now())
    offset = zlib.crc32(user_id.encode())
    return [cohort for cohort in cohorts if (cohort["code"] + offset) % 3 == 0]


def _codes(cohorts: Sequence[JSONObject]) -> list[str]:
    return [str(cohort["code"]) for cohort in cohorts]


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/ccs/v1/segmentation": {"POST": segment_user},
    "/ccs/v1/segmentation/stateless": {"POST": segment_stateless},
}
