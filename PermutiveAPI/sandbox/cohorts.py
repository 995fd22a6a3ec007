"""The Cohorts API: ``/cohorts-api/v2/cohorts``.

As documented: the status for a created cohort is 201, the body for a deleted one is empty, lists have
no queries, the response to a change has no audience size, and codes are integers. A workspace also
sees the cohorts that it inherits from the workspaces above it. A key may change the cohorts of its
workspace and of those below it, but no lookalike cohorts, which have no query.

Assumptions: names need not be unique; a key may also read each cohort of the workspaces below its own;
the status for changing an inherited cohort is 403, and for a lookalike cohort 400; the second
documented type is spelt "offline"; and the values of ``segment_type`` and ``subject_entity_level`` for
a new cohort.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from .call import ApiCall, Handler
from .checking import query_fault
from .envelope import Malformed, Refused
from .shapes import JSONObject, Shape, many, mapping, one_of, string, text

_NEW_COHORT = Shape(
    required={"name": text, "query": mapping},
    optional={
        "description": string,
        "tags": many(string),
        "segment_type": one_of("real_time", "offline"),
    },
)
_COHORT_CHANGES = Shape(
    optional={
        "name": text,
        "description": string,
        "query": mapping,
        "tags": many(string),
        "state": one_of("Enabled", "Disabled"),
    },
    clearable=frozenset({"description"}),
)


def list_cohorts(call: ApiCall) -> Response:
    """Return the cohorts that the key's workspace sees; on request, also those of its children."""
    with_children = call.flag("include-child-workspaces")
    cohorts = call.state.cohorts_seen_by(call.workspace, with_children)
    return JSONResponse([_without(cohort, "query") for cohort in cohorts])


def create_cohort(call: ApiCall) -> Response:
    """Create an enabled cohort in the key's workspace."""
    fields = _checked(call, call.body(_NEW_COHORT))
    now = call.state.clock.now()
    cohort: JSONObject = {
        "id": str(uuid.uuid4()),
        "code": next(call.state.codes),
        "segment_type": "real_time",
        **fields,
        "state": "Enabled",
        "subject_entity_level": "user",
        "workspace_id": call.workspace.workspace_id,
        "created_at": now,
        "last_updated_at": now,
    }
    call.state.cohorts[cohort["id"]] = cohort
    return JSONResponse(cohort, status_code=201)


def get_cohort(call: ApiCall) -> Response:
    """Return one cohort with its query."""
    return JSONResponse(_cohort(call))


def update_cohort(call: ApiCall) -> Response:
    """Change the fields that were sent; null clears the description."""
    cohort = _changeable_cohort(call)
    fields = _checked(call, call.body(_COHORT_CHANGES))
    cohort.update(fields, last_updated_at=call.state.clock.now())
    if cohort.get("description", "") is None:
        del cohort["description"]
    return JSONResponse(_without(cohort, "live_audience_size"))


def delete_cohort(call: ApiCall) -> Response:
    """Delete a cohort; the response is empty."""
    del call.state.cohorts[_changeable_cohort(call)["id"]]
    return Response()


def _cohort(call: ApiCall) -> JSONObject:
    name = call.path["cohortId"]
    cohort = call.state.cohorts.get(name.lower())
    state, workspace = call.state, call.workspace
    owners = workspace.ancestry | state.family(workspace)
    if cohort is None or cohort["workspace_id"] not in owners:
        raise Refused(3000, f"There is no cohort {name} in this workspace.")
    return cohort


def _changeable_cohort(call: ApiCall) -> JSONObject:
    cohort = _cohort(call)
    if cohort["workspace_id"] not in call.state.family(call.workspace):
        raise Refused(2001, "The cohort belongs to a workspace above this one.")
    if "query" not in cohort:
        cause = "A lookalike cohort can be neither updated nor deleted here."
        raise Malformed("path parameter cohortId", cause)
    return cohort


def _without(cohort: JSONObject, member: str) -> JSONObject:
    return {name: value for name, value in cohort.items() if name != member}


def _checked(call: ApiCall, fields: JSONObject) -> JSONObject:
    if "query" in fields:
        fault = query_fault(fields["query"], call.behaviour.check_queries)
        if fault:
            raise Malformed("body", fault)
    return fields


_COLLECTION: Mapping[str, Handler] = {"GET": list_cohorts, "POST": create_cohort}

ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/cohorts-api/v2/cohorts": _COLLECTION,
    "/cohorts-api/v2/cohorts/": _COLLECTION,
    "/cohorts-api/v2/cohorts/{cohortId}": {
        "GET": get_cohort,
        "PATCH": update_cohort,
        "DELETE": delete_cohort,
    },
}
