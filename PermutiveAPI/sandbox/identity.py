"""The Identity API: ``/v2.0/identify``, and the rules by which aliases name users.

Documented rules: unknown aliases map to the user that was sent; known aliases of one
user give that user; of several users the alias with the lowest priority number wins
and the others are re-mapped to its user. Assumptions: an unknown alias beside known
ones joins the winner, the first of equal priorities wins, and the workspaces of an
organisation share their aliases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

from .call import Call, Handler, is_uuid
from .envelope import Malformed
from .shapes import JSONObject, Shape, many, text, whole

ALIAS = Shape(required={"tag": text, "id": text, "priority": whole})
_IDENTITY = Shape(required={"user_id": text, "aliases": many(ALIAS)})


def identify(call: Call) -> Response:
    """Map aliases to a user and answer the user that they now name."""
    identity = call.body(_IDENTITY)
    user_id = checked_user_id(call, identity["user_id"])
    return JSONResponse({"user_id": resolve(call, identity["aliases"], user_id)})


def checked_user_id(call: Call, user_id: str) -> str:
    """Return the id; Malformed where ids must be UUIDs and it is none."""
    if call.behaviour.require_uuid_user_ids and not is_uuid(user_id):
        raise Malformed("body", "user_id: a UUID is expected")
    return user_id


def resolve(call: Call, aliases: Sequence[JSONObject], user_id: str) -> str:
    """Return the user of the aliases, ``user_id`` if none is known, and map all to it."""
    known = call.state.aliases
    allowed = call.behaviour.alias_tags
    names = [
        (alias["tag"], alias["id"])
        for alias in sorted(aliases, key=lambda alias: alias.get("priority", 0))
        if allowed is None or alias["tag"] in allowed
    ]
    winner = next((known[name] for name in names if name in known), user_id)
    known.update((name, winner) for name in names)
    return winner


ROUTES: Mapping[str, Mapping[str, Handler]] = {"/v2.0/identify": {"POST": identify}}
