"""The Taxonomy API: ``/audience-api/v1/imports`` and the segments of an import.

As documented: pages have an opaque token; codes consist of letters, digits and underscores, are unique
in their import and never change; the response to a delete is the deleted segment; a batch has one to
5,000 operations; the response to malformed input is plain text. Assumptions: a child workspace may read
and change the imports of its organisation. Switches decide whether a refused batch is carried out in part, and more.
"""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Container, Mapping
from itertools import count

from starlette.responses import JSONResponse, Response

from .call import ApiCall, Handler
from .envelope import Malformed, Refused
from .shapes import JSONObject, Shape, many, mapping, number, one_of, string, text
from .state import Shelf, StoredImport

_MOST_OPERATIONS = 5_000
# Digits after the decimal point of the seconds in ``updated_at``.
_TIME_DIGITS = 6


def code(value: object) -> str:
    """Read the code of an import or a segment."""
    if not re.fullmatch("[A-Za-z0-9_]+", string(value)):
        raise ValueError("letters, digits and _ are expected")
    return string(value)


# The fields of a segment that may be left out.
DETAILS = {"description": string, "cpm": number, "categories": many(string)}
_NEW_SEGMENT = Shape(required={"name": text}, optional={"code": code, **DETAILS})
_SEGMENT_CHANGES = Shape(optional={"name": text, **DETAILS})
_OPERATION = Shape(
    required={"operation": one_of("Create", "Update", "Delete")},
    optional={"code": string, "data": mapping},
)
_BATCH = Shape(required={"operations": many(_OPERATION, least=1)})


def list_imports(call: ApiCall) -> Response:
    """Return the imports that the key's workspace sees."""
    seen = (found for found in call.state.imports.values() if found.is_seen_by(call.workspace))
    return JSONResponse({"items": [_as_seen(call, found) for found in seen]})


def get_import(call: ApiCall) -> Response:
    """Return one import."""
    return JSONResponse(_as_seen(call, _import(call)))


def list_segments(call: ApiCall) -> Response:
    """Return one page of an import's segments."""
    shelf = _import(call).shelf
    after = _position(call.query.get("pagination_token"))
    elements, last = shelf.page(after, call.behaviour.page_size)
    pagination: JSONObject = {"total_count": len(shelf)}
    if last is not None:
        pagination["next_token"] = base64.b64encode(b"%d" % last).decode()
    return JSONResponse({"elements": elements, "pagination": pagination})


def create_segment(call: ApiCall) -> Response:
    """Create a segment; the status is 409 if its code is taken."""
    found = _import(call)
    return JSONResponse(_create(call, found.shelf, call.body(_NEW_SEGMENT)))


def get_segment(call: ApiCall) -> Response:
    """Return a segment, found by its id or its code."""
    return JSONResponse(_segment(call, _import(call).shelf))


def update_segment(call: ApiCall) -> Response:
    """Change the fields of a segment that were sent, but never its code."""
    shelf = _import(call).shelf
    segment = _segment(call, shelf)
    return JSONResponse(_update(call, shelf, segment, call.body(_SEGMENT_CHANGES)))


def delete_segment(call: ApiCall) -> Response:
    """Delete a segment, and return it."""
    shelf = _import(call).shelf
    segment = _segment(call, shelf)
    shelf.remove(segment)
    return JSONResponse(segment)


def change_segments(call: ApiCall) -> Response:
    """Carry out a batch of at most 5,000 operations."""
    found = _import(call)
    operations = call.body(_BATCH)["operations"]
    if len(operations) > _MOST_OPERATIONS:
        raise Malformed("body")
    trial = found.shelf.copy()
    try:
        items = [_OPERATIONS[o["operation"]](call, trial, o) for o in operations]
    except (KeyError, ValueError, Refused) as error:
        if call.behaviour.refused_bulk_is_partial:
            found.shelf = trial
        if isinstance(error, Refused):
            raise
        raise Malformed("body") from None
    found.shelf = trial
    return JSONResponse({"items": items})


def _import(call: ApiCall) -> StoredImport:
    found = call.state.imports.get(call.path_uuid("importId"))
    if found is None or not found.is_seen_by(call.workspace):
        raise Refused(3000, f"There is no import {call.path['importId']}.")
    return found


def _as_seen(call: ApiCall, found: StoredImport) -> JSONObject:
    if found.workspace_id == call.workspace.workspace_id:
        return found.facts
    origin = {"workspace_id": found.workspace_id, "relation": "ancestor"}
    return {**found.facts, "inheritance": origin}


def _segment(call: ApiCall, shelf: Shelf) -> JSONObject:
    if "segmentCode" in call.path:
        return shelf.by_code(call.path["segmentCode"])
    return shelf.by_id(call.path_uuid("segmentId"))


def _position(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.b64decode(token, validate=True))
    except ValueError:
        raise Malformed("query parameter pagination_token") from None


def _create(call: ApiCall, shelf: Shelf, fields: JSONObject) -> JSONObject:
    if "code" not in fields and not call.behaviour.create_missing_segment_codes:
        raise Malformed("body")
    segment = {
        "id": str(uuid.uuid4()),
        "code": fields.get("code") or code_from(fields["name"], shelf),
        "import_id": call.path["importId"].lower(),
        **fields,
        "updated_at": call.state.clock.now(_TIME_DIGITS),
    }
    shelf.add(segment)
    return segment


def code_from(name: str, taken: Container[str]) -> str:
    """Return a code that is made from a name, and is not taken."""
    stem = re.sub("[^A-Za-z0-9]", "", name) or "segment"
    candidates = (f"{stem}{number}" for number in count(2))
    return stem if stem not in taken else next(c for c in candidates if c not in taken)


def _update(call: ApiCall, shelf: Shelf, segment: JSONObject, fields: JSONObject) -> JSONObject:
    return shelf.change(segment, {**fields, "updated_at": call.state.clock.now(_TIME_DIGITS)})


def _batch_create(call: ApiCall, shelf: Shelf, operation: JSONObject) -> JSONObject:
    return _create(call, shelf, _NEW_SEGMENT(operation["data"]))


def _batch_update(call: ApiCall, shelf: Shelf, operation: JSONObject) -> JSONObject:
    segment = shelf.by_code(operation["code"])
    return _update(call, shelf, segment, _SEGMENT_CHANGES(operation["data"]))


def _batch_delete(call: ApiCall, shelf: Shelf, operation: JSONObject) -> JSONObject:
    segment = shelf.by_code(operation["code"])
    shelf.remove(segment)
    return segment


_OPERATIONS: Mapping[str, Callable[[ApiCall, Shelf, JSONObject], JSONObject]] = {
    "Create": _batch_create,
    "Update": _batch_update,
    "Delete": _batch_delete,
}

_IMPORTS = "/audience-api/v1/imports"
_SEGMENTS = f"{_IMPORTS}/{{importId}}/segments"
_ONE_SEGMENT: Mapping[str, Handler] = {
    "GET": get_segment,
    "PATCH": update_segment,
    "DELETE": delete_segment,
}

ROUTES: Mapping[str, Mapping[str, Handler]] = {
    _IMPORTS: {"GET": list_imports},
    f"{_IMPORTS}/{{importId}}": {"GET": get_import},
    _SEGMENTS: {"GET": list_segments, "POST": create_segment, "PATCH": change_segments},
    f"{_SEGMENTS}/{{segmentId}}": _ONE_SEGMENT,
    f"{_SEGMENTS}/code/{{segmentCode}}": _ONE_SEGMENT,
}
