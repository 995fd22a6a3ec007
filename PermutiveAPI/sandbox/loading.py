"""Adding cohorts, imports and segments that users give to a sandbox.

Ids, codes and times are made where they are missing. An id is made from the code, so that the same data
gets the same ids.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from os import PathLike
from pathlib import Path

from .call import decoded
from .checking import query_fault
from .rows import COHORT, DATA, IMPORT, SEGMENT, Row, named, rows_of
from .seed import fixed_uuid
from .shapes import JSONObject
from .state import State, StoredImport
from .taxonomy import code_from


def data_of_file(path: str | PathLike[str]) -> JSONObject:
    """Return the data in a JSON file. Raise ValueError that names the file if it holds anything else."""
    content = Path(path).read_bytes()
    with named(str(path)):
        return DATA(decoded(content))


def load(state: State, data: JSONObject, check_queries: bool | None) -> dict[str, list[JSONObject]]:
    """Add data to a state, and return what was added.

    Parameters
    ----------
    state : State
        Nothing is added to it if a row is refused.
    data : dict
        The rows: any of "cohorts", "imports" and "segments". If "empty" is true, everything else is
        removed.
    check_queries : bool | None
        As in ``Behaviour``.

    Raises
    ------
    ValueError
        If a row is refused; the message names the row and the field.
    """
    data = DATA(data)
    cohorts = rows_of("cohorts", data.get("cohorts", ()), COHORT)
    imports = rows_of("imports", data.get("imports", ()), IMPORT)
    segments = rows_of("segments", data.get("segments", ()), SEGMENT)
    with state.lock:
        trial = state.copy()
        if data.get("empty"):
            trial = replace(trial, cohorts={}, imports={}, aliases={}, events={})
        new_cohorts = _add_cohorts(trial, cohorts, check_queries)
        new_imports = _add_imports(trial, imports)
        new_segments = _add_segments(trial, [*_segments_of(imports, new_imports), *segments])
        state.adopt(trial)
    return deepcopy({"cohorts": new_cohorts, "imports": new_imports, "segments": new_segments})


def _owner(state: State, fields: JSONObject) -> str:
    """Take the workspace out of the fields; without one, it is the top-level one."""
    known = [workspace.workspace_id for workspace in state.workspaces]
    owner = fields.pop("workspace_id", known[0])
    if owner not in known:
        raise ValueError(
            f"workspace_id: this sandbox has no workspace {owner}. Without the field, the row "
            "belongs to the top-level workspace."
        )
    return owner


def _refuse_taken(name: str, value: object, is_taken: bool) -> None:
    if is_taken:
        raise ValueError(f"{name}: {value} is taken")


# --- Cohorts -------------------------------------------------------------------------------------


def _add_cohorts(state: State, rows: Sequence[Row], check_queries: bool | None) -> list[JSONObject]:
    state.codes.skip(row.fields["code"] for row in rows if "code" in row.fields)
    taken = {cohort["code"] for cohort in state.cohorts.values()}
    added: list[JSONObject] = []
    for place, fields in rows:
        with named(place):
            cohort = _cohort(state, fields)
            fault = query_fault(cohort["query"], check_queries) if "query" in cohort else None
            if fault:
                raise ValueError(f"query: {fault}")
            _refuse_taken("code", cohort["code"], cohort["code"] in taken)
            _refuse_taken("id", cohort["id"], cohort["id"] in state.cohorts)
        taken.add(cohort["code"])
        state.cohorts[cohort["id"]] = cohort
        added.append(cohort)
    return added


def _cohort(state: State, fields: JSONObject) -> JSONObject:
    owner = _owner(state, fields)
    number = fields.get("code") or next(state.codes)
    now = state.clock.now()
    return {
        "id": fixed_uuid(f"cohort/{number}"),
        "code": number,
        "segment_type": "real_time" if "query" in fields else "offline",
        "state": "Enabled",
        "subject_entity_level": "user",
        "created_at": now,
        "last_updated_at": now,
        **fields,
        "workspace_id": owner,
    }


# --- Imports and their segments ------------------------------------------------------------------


def _add_imports(state: State, rows: Sequence[Row]) -> list[JSONObject]:
    taken = {found.facts["code"] for found in state.imports.values()}
    reserved = taken | {row.fields["code"] for row in rows if "code" in row.fields}
    added: list[JSONObject] = []
    for place, fields in rows:
        with named(place):
            owner = _owner(state, fields)
            facts = _facts(fields, reserved)
            _refuse_taken("code", facts["code"], facts["code"] in taken)
            _refuse_taken("id", facts["id"], facts["id"] in state.imports)
        taken.add(facts["code"])
        reserved.add(facts["code"])
        state.imports[facts["id"]] = StoredImport(facts, owner)
        added.append(facts)
    return added


def _facts(fields: JSONObject, reserved: Container[str]) -> JSONObject:
    name = fields.get("code") or code_from(fields["name"].lower(), reserved)
    source = {
        "id": fixed_uuid(f"source/{name}"),
        "type": "gcs",
        "state": {"type": "active"},
        **fields.get("source", {}),
    }
    facts: JSONObject = {
        "id": fixed_uuid(f"import/{name}"),
        "code": name,
        "relation": "2nd",
        "identifiers": [],
        **fields,
        "source": source,
    }
    facts.pop("segments", None)
    return facts


def _segments_of(rows: Sequence[Row], imports: Sequence[JSONObject]) -> Iterator[Row]:
    """Yield the segments that are given inside of imports."""
    for row, facts in zip(rows, imports, strict=True):
        inside = row.fields.get("segments", ())
        for segment in rows_of(f"{row.place}: segments", inside, SEGMENT):
            if "import_code" not in segment.fields:
                segment.fields.setdefault("import_id", facts["id"])
            yield segment


def _add_segments(state: State, rows: Sequence[Row]) -> list[JSONObject]:
    ids: set[str] = set()
    reserved: dict[str, set[str]] = {}
    for import_id, found in state.imports.items():
        ids.update(segment["id"] for segment in found.shelf.all())
        reserved[import_id] = {segment["code"] for segment in found.shelf.all()}
    for place, fields in rows:
        with named(place):
            fields["import_id"] = _import_id(state, fields)
        if "code" in fields:
            reserved[fields["import_id"]].add(fields["code"])
    added: list[JSONObject] = []
    for place, fields in rows:
        found = state.imports[fields["import_id"]]
        with named(place):
            segment = _segment(state, found, fields, reserved[fields["import_id"]])
            _refuse_taken("code", segment["code"], segment["code"] in found.shelf)
            _refuse_taken("id", segment["id"], segment["id"] in ids)
        found.shelf.add(segment)
        ids.add(segment["id"])
        reserved[segment["import_id"]].add(segment["code"])
        added.append(segment)
    return added


def _import_id(state: State, fields: JSONObject) -> str:
    """Return the id of a segment's import, and take the import's code out of the fields."""
    given = [name for name in ("import_id", "import_code") if name in fields]
    if len(given) != 1:
        number = "only one" if given else "one"
        raise ValueError(f"{number} of import_id, import_code is expected")
    if given == ["import_id"]:
        if fields["import_id"] not in state.imports:
            raise ValueError(f"import_id: there is no import {fields['import_id']}")
        return fields["import_id"]
    name = fields.pop("import_code")
    ids = [each for each, found in state.imports.items() if found.facts["code"] == name]
    if not ids:
        raise ValueError(f"import_code: there is no import with the code {name}")
    return ids[0]


def _segment(
    state: State, found: StoredImport, fields: JSONObject, reserved: Container[str]
) -> JSONObject:
    name = fields.get("code") or code_from(fields["name"], reserved)
    return {
        "id": fixed_uuid(f"segment/{found.facts['code']}/{name}"),
        "code": name,
        "updated_at": state.clock.now(digits=6),
        **fields,
    }
