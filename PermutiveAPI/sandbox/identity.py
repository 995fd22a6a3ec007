"""The Identity API: users, their aliases, and which user an alias names.

Documented rules: if no alias is known, all of them name the user that was sent. If the known ones
name one user, it is that user. If they name several users, the alias with the lowest priority number
decides, and the others then name its user, too. Assumptions: an unknown alias beside known ones gets
the same user, the first of equal priorities decides, the workspaces of an organisation share their
aliases, every key may read them, an unknown user has none, and the status for a malformed identity is
400, which is not documented.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse, Response

from .call import ApiCall, Handler, is_uuid
from .envelope import Malformed
from .shapes import JSONObject, Shape, many, text, whole

_ALIAS = Shape(required={"tag": text, "id": text, "priority": whole})
_IDENTITY = Shape(required={"user_id": text, "aliases": many(_ALIAS)})
# Fields with aliases, which may replace the user id.
ALIASES = many(_ALIAS, least=1)


def identify(call: ApiCall) -> Response:
    """Map aliases to a user, and return the user that they now name."""
    identity = call.body(_IDENTITY)
    user_id = checked_user_id(call, identity["user_id"])
    return JSONResponse({"user_id": resolve(call, identity["aliases"], user_id)})


def create_user(call: ApiCall) -> Response:
    """Return the id of a new user. The body is ignored."""
    return JSONResponse({"id": str(uuid.uuid4())})


def list_aliases(call: ApiCall) -> Response:
    """Return the aliases that name a user."""
    user_id = checked_user_id(call, call.path["userId"])
    aliases = [
        {"id": name, "tag": tag, "permutive_id": owner}
        for (tag, name), owner in call.state.aliases.items()
        if owner == user_id
    ]
    return JSONResponse(aliases)


def checked_user_id(call: ApiCall, user_id: str) -> str:
    """Return the id. Raise Malformed if ids must be UUIDs and it is not one."""
    if call.behaviour.require_uuid_user_ids and not is_uuid(user_id):
        raise Malformed("body", "user_id: a UUID is expected")
    return user_id


def named_user(call: ApiCall, body: JSONObject, names: Sequence[str]) -> str:
    """Return the user that a body names in exactly one of these fields; an unknown alias gets a new user."""
    given = [name for name in names if name in body]
    if len(given) != 1:
        number = "only one" if given else "one"
        wanted = ", ".join(names)
        raise Malformed("body", f"{number} of {wanted} is expected", code=1002)
    if given == ["user_id"]:
        return checked_user_id(call, body["user_id"])
    aliases = body["aliases"] if given == ["aliases"] else [body["alias"]]
    return resolve(call, aliases, str(uuid.uuid4()))


def resolve(call: ApiCall, aliases: Sequence[JSONObject], user_id: str) -> str:
    """Map all aliases to one user, and return it: ``user_id`` if none of them is known."""
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
