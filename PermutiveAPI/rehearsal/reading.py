"""Read live workspaces into the data of a copy. Only GETs are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from .._Utils import http
from .._Utils.redaction import HiddenText
from ..Audience.defaults import NO_PRICE
from ..Audience.Import import Import
from ..Audience.Segment import Segment
from ..Cohort import Cohort
from ..Tables.cohort_reading import Seen, fetched
from ..Tables.queries import codes_in
from ..Tables.target import Target
from ..Workspace import Workspace

Data = dict[str, Any]

# What the service tells about a request, not about an object.
_OF_A_REQUEST = ("request_id", "error")


@dataclass(frozen=True)
class Copy:
    """What was read, and what plans for it are made for.

    Attributes
    ----------
    data : dict
        The data of a ``CopiedSandbox``.
    new_keys : dict
        The copy's keys, by the live ones.
    targets : dict
        The target of a plan for the cohorts of each workspace that a key may change, by its id. A
        workspace below, whose key is not given, has the target of the one above it.
    homes : dict
        For each import, the id of a workspace whose key reads it.
    """

    data: Data = field(repr=False)
    new_keys: Mapping[str, str] = field(repr=False)
    targets: Mapping[str, Target]
    homes: Mapping[str, str]


def read(workspaces: Sequence[Workspace]) -> Copy:
    """Read the cohorts with their queries, the imports and their segments."""
    new_keys: dict[str, str] = {HiddenText(each.api_key): str(uuid4()) for each in workspaces}
    seen = [Seen.read(each.api_key, workspace_id=each.workspace_id) for each in workspaces]
    seen = [each.with_below() for each in seen]
    above = _above(seen)
    cohorts = _cohorts(seen)
    imports = _imports(workspaces)
    given = [
        {**each.to_json(), "api_key": new_keys[each.api_key], "above": above[each.workspace_id]}
        for each in workspaces
    ]
    ids = {each.workspace_id for each in workspaces}
    others = [_without_key(id, higher) for id, higher in above.items() if id not in ids]
    own = {each.own_id or "": each.target for each in seen}
    below = {each["workspace_id"]: own[each["above"][0]] for each in others}
    return Copy(
        data={
            "workspaces": [*given, *others],
            "cohorts": cohorts,
            "next_code": 1 + max(_codes(cohorts), default=0),
            "imports": imports,
        },
        new_keys=new_keys,
        targets={**below, **own},
        homes={each["facts"]["id"]: each["seen_by"][0] for each in imports},
    )


def _above(seen: Iterable[Seen]) -> dict[str, list[str]]:
    """Return the workspaces above each one, as far as the lists of cohorts tell."""
    above: dict[str, list[str]] = {}
    for each in seen:
        own_id = each.own_id or ""
        above.setdefault(own_id, []).extend(sorted(each.workspace_ids - {own_id}))
        for id in sorted({cohort.workspace_id or own_id for cohort in each.below} - {own_id}):
            above.setdefault(id, []).append(own_id)
    return above


def _without_key(workspace_id: str, above: Sequence[str]) -> Data:
    """Return a workspace that is known only from its cohorts."""
    return {
        "name": "",
        "organisation_id": workspace_id,
        "workspace_id": workspace_id,
        "api_key": "",
        "above": above,
    }


def _cohorts(seen: Iterable[Seen]) -> list[Data]:
    """Return every cohort once, with its query."""
    found: dict[str, Data] = {}
    for each in seen:
        new = [cohort for cohort in each.everything if cohort.id not in found]
        details = fetched(new, each.api_key)
        for listed in new:
            # A cohort that was deleted in the meantime is missing.
            if listed.id is not None and listed.id in details:
                told = {**_told(listed), **_told(details[listed.id])}
                found[listed.id] = {"workspace_id": each.own_id, **told}
    return [*found.values()]


def _codes(cohorts: Iterable[Data]) -> Iterable[int]:
    """Yield the codes of cohorts, and those in their queries. Some of these belong to no cohort."""
    for cohort in cohorts:
        for code in (cohort.get("code"), *codes_in(cohort.get("query"))):
            if str(code).isdecimal():
                yield int(str(code))


def _imports(workspaces: Iterable[Workspace]) -> list[Data]:
    """Return every import once, with its segments."""
    found: dict[str, Data] = {}
    for workspace in workspaces:
        listed = Import.list(workspace.api_key)
        new = [each for each in listed if each.id not in found]
        segments_of = partial(Segment.list, api_key=workspace.api_key)
        several = http.batch_runner().map(segments_of, [each.id for each in new])
        for each, segments in zip(new, several, strict=True):
            facts = _told(each)
            origin = facts.pop("inheritance", {})
            found[each.id] = {
                "facts": facts,
                "workspace_id": origin.get("workspace_id") or workspace.workspace_id,
                "seen_by": [],
                "segments": [*map(_told, segments)],
            }
        for each in listed:
            found[each.id]["seen_by"].append(workspace.workspace_id)
    return [*found.values()]


def _told(model: Cohort | Import | Segment) -> Data:
    """Return what the service has told about an object, as JSON data."""
    return {
        name: value
        for name, value in model.to_json().items()
        if value is not None and name not in _OF_A_REQUEST and getattr(model, name) is not NO_PRICE
    }
