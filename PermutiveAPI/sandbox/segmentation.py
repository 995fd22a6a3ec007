"""The CCS API: ``/ccs/v1/segmentation``.

Which cohorts a user falls into is an assumption: the enabled cohorts of the key's
workspace whose code, added to the CRC-32 of the user id, is divisible by three. So
each user gets about a third of them, the same at every call and whatever the events.
All of them count as activated for "gam". An unknown alias gets a new user. The flag
``synchronous-validation`` is read and changes nothing: the sandbox has no schemas.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from .call import Call, Handler
from .envelope import Malformed
from .identity import ALIAS, checked_user_id, resolve
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
        "aliases": many(ALIAS),
    },
)


def segment_user(call: Call) -> Response:
    """Answer the cohorts into which a user falls."""
    with_activations = call.flag("activations")
    call.flag("synchronous-validation")
    body = call.body(_SEGMENTATION)
    if len(body["events"]) > _MOST_EVENTS:
        raise Malformed("body", f"events: at most {_MOST_EVENTS} are allowed")
    user_id = _user(call, body)
    cohorts = _cohorts(call, user_id)
    codes = [str(cohort["code"]) for cohort in cohorts]
    answer: JSONObject = {"user_id": user_id, "cohorts": codes}
    if with_activations:
        answer["activations"] = {"gam": codes}
    if call.behaviour.segments_key_in_segmentation:
        answer["segments"] = [{"id": c["id"], "name": c["name"]} for c in cohorts]
    return JSONResponse(answer)


def _user(call: Call, body: JSONObject) -> str:
    given = [name for name in _USER_NAMES if name in body]
    if len(given) != 1:
        wanted = ", ".join(_USER_NAMES)
        raise Malformed("body", f"exactly one of {wanted} is expected", code=1002)
    if given == ["user_id"]:
        return checked_user_id(call, body["user_id"])
    aliases = body["aliases"] if given == ["aliases"] else [body["alias"]]
    return resolve(call, aliases, str(uuid.uuid4()))


def _cohorts(call: Call, user_id: str) -> list[JSONObject]:
    offset = zlib.crc32(user_id.encode())
    return [
        cohort
        for cohort in call.state.cohorts.values()
        if cohort["workspace_id"] == call.workspace.workspace_id
        and cohort["state"] == "Enabled"
        and (cohort["code"] + offset) % 3 == 0
    ]


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/ccs/v1/segmentation": {"POST": segment_user}
}
