"""The Identity API: users, their aliases, and the rules by which aliases name users.

Documented rules: unknown aliases map to the user that was sent; known aliases of one
user give that user; of several users the alias with the lowest priority number wins
and the others are re-mapped to its user. Assumptions: an unknown alias beside known
ones joins the winner, the first of equal priorities wins, the workspaces of an
organisation share their aliases, every key may read them, a user of whom nothing is
known has none, and a malformed identity is 400, which is not among the documented answers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

from .call import Call, Handler, is_uuid
from .envelope import Malformed
from .shapes import JSONObject, Shape, many, text, whole

_ALIAS = Shape(required={"tag": text, "id": text, "priority": whole})
_IDENTITY = Shape(required={"user_id": text, "aliases": many(_ALIAS)})
# Aliases that stand for a user.
ALIASES = many(_ALIAS, least=1)


def identify(call: Call) -> Response:
    """Map aliases to a user and answer the user that they now name."""
    identity = call.body(_IDENTITY)
    user_id = checked_user_id(call, identity["user_id"])
    return JSONResponse({"user_id": resolve(call, identity["aliases"], user_id)})


def create_user(call: Call) -> Response:
    """Answer the id of a new user; what is sent is not looked at."""
    return JSONResponse({"id": str(uuid.uuid4())})


def list_aliases(call: Call) -> Response:
    """Answer the aliases that name a user."""
    user_id = checked_user_id(call, call.path["userId"])
    aliases = [
        {"id": name, "tag": tag, "permutive_id": owner}
        for (tag, name), owner in call.state.aliases.items()
        if owner == user_id
    ]
    return JSONResponse(aliases)


def checked_user_id(call: Call, user_id: str) -> str:
    """Return the id; Malformed where ids must be UUIDs and it is none."""
    if call.behaviour.require_uuid_user_ids and not is_uuid(user_id):
        raise Malformed("body", "user_id: a UUID is expected")
    return user_id


def named_user(call: Call, body: JSONObject, names: Sequence[str]) -> str:
    """Return the user whom a body names in exactly one of these fields; an unknown alias gets a new user."""
    given = [name for name in names if name in body]
    if len(given) != 1:
        number = "only one" if given else "one"
        wanted = ", ".join(names)
        raise Malformed("body", f"{number} of {wanted} is expected", code=1002)
    if given == ["user_id"]:
        return checked_user_id(call, body["user_id"])
    aliases = body["aliases"] if given == ["aliases"] else [body["alias"]]
    return resolve(call, aliases, str(uuid.uuid4()))


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


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/v2.0/identify": {"POST": identify},
    "/v2.0/users": {"POST": create_user},
    "/v2.0/users/{userId}/aliases": {"GET": list_aliases},
}
