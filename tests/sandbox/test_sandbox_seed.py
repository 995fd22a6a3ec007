"""Cohorts, imports and segments that users give to a sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from PermutiveAPI import Cohort, Import
from PermutiveAPI.sandbox import Sandbox
from tests.sandbox.conftest import COHORTS, IMPORTS, Client

QUERY = {"in_segment": 12345}
CHESS = {"name": "Chess", "query": QUERY}
ID = "5ad6a51f-3d1e-4bbd-8dd1-2a0f2f0f7c11"
OTHER_ID = "7f3c1f58-9a51-4c39-a6a8-61d8f8a1f0aa"


def codes(rows: list[dict[str, Any]]) -> list[Any]:
    """Return the codes of rows."""
    return [row["code"] for row in rows]


def segments_of(call: Client, import_id: str) -> list[dict[str, Any]]:
    """Return the segments of an import."""
    return call("GET", f"{IMPORTS}/{import_id}/segments").json()["elements"]


# --- Cohorts -------------------------------------------------------------------------------------


def test_a_cohort_with_a_name_and_a_query(sandbox: Sandbox, call: Client) -> None:
    """Everything else of a cohort is made, as for one that is created."""
    (added,) = sandbox.seed(cohorts=[CHESS])["cohorts"]
    created = call.created()
    assert added == call("GET", COHORTS + added["id"]).json()
    assert added.keys() == created.keys()
    varying = ("id", "code", "name", "query", "created_at", "last_updated_at")
    assert {k: v for k, v in added.items() if k not in varying} == {
        k: v for k, v in created.items() if k not in varying
    }
    assert (added["code"], created["code"]) == (12387, 12388)
    assert added["created_at"] < created["created_at"]


def test_what_is_given_is_kept(sandbox: Sandbox, call: Client) -> None:
    """Every field of a cohort can be given, and is shown as it was given."""
    given = {
        **CHESS,
        "id": ID,
        "code": 500,
        "description": "",
        "tags": ["a"],
        "state": "Disabled",
        "segment_type": "offline",
        "subject_entity_level": "user",
        "live_audience_size": 7,
        "workspace_id": sandbox.credentials()[1]["workspace_id"],
        "created_at": "2024-02-03T04:05:06.789Z",
        "last_updated_at": "2024-02-04T04:05:06Z",
        "future_field": {"of": ["the", None, "service"]},
    }
    assert sandbox.seed(cohorts=[given])["cohorts"] == [given]
    assert call("GET", COHORTS + ID).json() == given


def test_codes_go_on_after_those_given(sandbox: Sandbox, call: Client) -> None:
    """A given code is kept, even if a row before it has none; new codes are above all."""
    rows = [
        CHESS,
        {**CHESS, "code": 12387},
        {**CHESS, "code": "20000"},
        CHESS,
        {**CHESS, "code": 1},
    ]
    assert codes(sandbox.seed(cohorts=rows)["cohorts"]) == [20001, 12387, 20000, 20002, 1]
    assert call.created()["code"] == 20003


def test_null_is_nothing(sandbox: Sandbox) -> None:
    """A field that is null is made as if it were absent."""
    names = ("id", "code", "tags", "created_at", "workspace_id", "description", "future_field")
    (added,) = sandbox.seed(cohorts=[{**CHESS, **dict.fromkeys(names)}])["cohorts"]
    assert added["code"] == 12387
    assert "tags" not in added and "future_field" not in added


def test_what_belongs_to_a_response_is_left_out(sandbox: Sandbox) -> None:
    """A request's id and error, and who inherits an import, are not kept."""
    of_response = {"request_id": "r", "error": {"code": 1}, "inheritance": {"relation": "ancestor"}}
    added = sandbox.seed(cohorts=[{**CHESS, **of_response}], imports=[{"name": "N", **of_response}])
    assert not of_response.keys() & {*added["cohorts"][0], *added["imports"][0]}


def test_a_lookalike(sandbox: Sandbox, call: Client) -> None:
    """A cohort without a query is a lookalike, which nobody changes over the API."""
    (added,) = sandbox.seed(cohorts=[{"name": "Like chess"}])["cohorts"]
    assert added["segment_type"] == "offline"
    assert call("DELETE", COHORTS + added["id"]).status_code == 400


def test_ids_are_the_same_each_time() -> None:
    """The same data gets the same ids and codes in every sandbox."""
    data: dict[str, Any] = {
        "cohorts": [CHESS],
        "imports": [{"name": "CRM", "segments": [{"name": "Gold"}]}],
    }

    def ids() -> list[str]:
        return [row["id"] for rows in Sandbox().seed(**data).values() for row in rows]

    assert ids() == ids()
    assert len(set(ids())) == 3


def test_ids_in_capitals(sandbox: Sandbox, call: Client) -> None:
    """An id is found whatever its case, as everywhere in the sandbox."""
    assert sandbox.seed(cohorts=[{**CHESS, "id": ID.upper()}])["cohorts"][0]["id"] == ID
    assert call("GET", COHORTS + ID.upper()).status_code == 200


@pytest.mark.parametrize("check, accepted", [(None, False), (True, False), (False, True)])
def test_queries_are_checked(check: bool | None, accepted: bool) -> None:
    """The switch decides which queries are taken, as for calls."""
    wrong = [{"name": "N", "query": {"evnt": "Pageview"}}]
    try:
        Sandbox(check_queries=check).seed(cohorts=wrong)
        assert accepted
    except ValueError as error:
        assert not accepted and str(error).startswith("cohorts[0]: query: ")


# --- Imports and segments ------------------------------------------------------------------------


def test_an_import_with_a_name(sandbox: Sandbox, call: Client) -> None:
    """Everything else of an import is made, and the library reads it."""
    (added,) = sandbox.seed(imports=[{"name": "Card Holders"}])["imports"]
    assert added["code"] == "cardholders"
    assert call("GET", f"{IMPORTS}/{added['id']}").json() == added
    found = Import.get_by_id(added["id"], api_key=sandbox.api_key)
    assert found is not None and found.to_json()["source"]["state"] == {"type": "active"}


def test_what_is_given_of_an_import_is_kept(sandbox: Sandbox, call: Client) -> None:
    """Every field of an import can be given; of a source, too."""
    given = {
        "name": "CRM",
        "id": ID,
        "code": "c-r-m",
        "relation": "3rd",
        "identifiers": ["a"],
        "description": "d",
        "source": {"id": "s", "type": "s3", "state": {"type": "paused"}, "bucket": "b"},
        "updated_at": "2024-02-03T04:05:06Z",
    }
    assert sandbox.seed(imports=[given])["imports"] == [given]
    assert call("GET", f"{IMPORTS}/{ID}").json() == given


def test_an_import_of_the_child(sandbox: Sandbox, child: Client, call: Client) -> None:
    """An import may belong to the child workspace; it is inherited elsewhere."""
    owner = sandbox.credentials()[1]["workspace_id"]
    (added,) = sandbox.seed(imports=[{"name": "CRM", "workspace_id": owner}])["imports"]
    path = f"{IMPORTS}/{added['id']}"
    assert child("GET", path).json() == added
    assert call("GET", path).json()["inheritance"]["workspace_id"] == owner


def test_segments_name_their_import(sandbox: Sandbox, call: Client) -> None:
    """A segment names its import by id or code, also one of the same call, or stands inside of it."""
    crm = call.imports()[0]
    before = len(segments_of(call, crm["id"]))
    added = sandbox.seed(
        segments=[
            {"name": "By id", "import_id": crm["id"].upper()},
            {"name": "By code", "import_code": "new"},
        ],
        imports=[{"name": "N", "code": "new", "id": ID, "segments": [{"name": "Inside"}]}],
    )["segments"]
    assert codes(added) == ["Inside", "Byid", "Bycode"]
    assert [row["import_id"] for row in added] == [ID, crm["id"], ID]
    assert segments_of(call, ID) == [added[0], added[2]]
    sandbox.page_size = 100
    assert len(segments_of(call, crm["id"])) == before + 6  # The first page had 20 of 25.
    assert "import_code" not in added[2]


def test_what_is_given_of_a_segment_is_kept(sandbox: Sandbox, call: Client) -> None:
    """Every field of a segment can be given."""
    import_id = call.imports()[0]["id"]
    given = {
        "name": "Gold",
        "id": ID,
        "code": "gold_1",
        "import_id": import_id,
        "description": "d",
        "cpm": 0.5,
        "categories": ["c"],
        "created_at": "2024-02-03T04:05:06Z",
        "updated_at": "2024-02-03T04:05:06.123456Z",
    }
    assert sandbox.seed(segments=[given])["segments"] == [given]
    assert call("GET", f"{IMPORTS}/{import_id}/segments/code/gold_1").json() == given


def test_codes_of_segments_are_made_from_names(sandbox: Sandbox) -> None:
    """A made code is neither taken nor given in another row."""
    names = [{"name": "Gold!"}, {"name": "Gold"}, {"name": "G", "code": "Gold2"}, {"name": "金"}]
    added = sandbox.seed(imports=[{"name": "N", "segments": names}, {"name": "n"}])
    assert codes(added["segments"]) == ["Gold", "Gold3", "Gold2", "segment"]
    assert codes(added["imports"]) == ["n", "n2"]


# --- All of it -----------------------------------------------------------------------------------


def test_the_librarys_own_json() -> None:
    """What the library writes of cohorts and imports is read, with every id, code and time."""
    with Sandbox(page_size=100) as first:
        keys = (first.api_key, first.child_api_key)
        cohorts = Cohort.list(first.api_key, include_child_workspaces=True, include_details=True)
        imports = Import.list(first.api_key, include_details=True)
        listed = [Cohort.list(key) for key in keys]
    with Sandbox(page_size=100) as copy:
        data = {"cohorts": cohorts.to_json(), "imports": imports.to_json()}
        copy.seed(**json.loads(json.dumps(data)), empty=True)
        again = Cohort.list(copy.api_key, include_child_workspaces=True, include_details=True)
        assert again.to_json() == cohorts.to_json()
        assert [Cohort.list(key).to_json() for key in keys] == [each.to_json() for each in listed]
        again = Import.list(copy.api_key, include_details=True)
        assert [each.to_json()["segments"] for each in again] == [
            each.to_json()["segments"] for each in imports
        ]
        assert [each.code for each in again] == [each.code for each in imports]


def test_empty(sandbox: Sandbox, call: Client) -> None:
    """On request, everything else is removed, users too."""
    alias = {"tag": "t", "id": "i", "priority": 0}
    call("POST", "/v2.0/identify", json={"user_id": "u", "aliases": [alias]})
    call("POST", "/v2.0/events", json={"user_id": "u", "name": "E"})
    sandbox.seed(cohorts=[CHESS], empty=True)
    assert [each["name"] for each in call("GET", COHORTS).json()] == ["Chess"]
    assert (call.imports(), sandbox.aliases, sandbox._state.events) == ([], {}, {})


def test_all_or_nothing(sandbox: Sandbox, call: Client) -> None:
    """If a row is refused, nothing is added or removed, and no code is used up."""
    before = call("GET", COHORTS).json(), call.imports()
    crm = before[1][0]["id"]
    segment = {"name": "S", "import_id": crm}
    with pytest.raises(ValueError, match="segments"):
        sandbox.seed(
            cohorts=[CHESS], imports=[{"name": "N"}], segments=[segment, {"name": "T"}], empty=True
        )
    assert (call("GET", COHORTS).json(), call.imports()) == before
    assert call("GET", f"{IMPORTS}/{crm}/segments").json()["pagination"]["total_count"] == 25
    assert call.created()["code"] == 12387


def test_rows_are_copied(sandbox: Sandbox, call: Client) -> None:
    """Later changes of what was given or returned change nothing in the sandbox."""
    query: dict[str, Any] = {"type": "users", "deep": [1]}
    (added,) = sandbox.seed(cohorts=({"name": n, "query": query} for n in ("C",)))["cohorts"]
    query["deep"].append(2)
    added["query"]["deep"].append(3)
    added["name"] = "changed"
    found = call("GET", COHORTS + added["id"]).json()
    assert (found["name"], found["query"]["deep"]) == ("C", [1])


def test_before_the_block() -> None:
    """Rows can be added before the sandbox runs."""
    sandbox = Sandbox()
    sandbox.seed(cohorts=[CHESS])
    with sandbox:
        assert Cohort.get_by_name("Chess", sandbox.api_key) is not None


# --- The initial data ---------------------------------------------------------------------------


def write(path: Path, data: Any) -> Path:
    """Write JSON, with the mark that some editors put first."""
    path.write_text(json.dumps(data), encoding="utf-8-sig")
    return path


@pytest.mark.parametrize("empty, count", [(False, 29), (True, 1)])
def test_a_file(tmp_path: Path, empty: bool, count: int) -> None:
    """The data of a file is added to the initial data, or is all of it."""
    path = write(tmp_path / "seed.json", {"cohorts": [CHESS], "empty": empty})
    with Sandbox(seed_file=path) as sandbox:
        names = [each.name for each in Cohort.list(sandbox.api_key)]
        assert (len(names), names[-1]) == (count, "Chess")


def test_reset_keeps_the_file(tmp_path: Path) -> None:
    """The data of the file is there again after a reset, with the same ids, even without the file."""
    path = write(tmp_path / "seed.json", {"cohorts": [CHESS], "empty": True})
    with Sandbox(seed_file=str(path)) as sandbox:
        (first,) = Cohort.list(sandbox.api_key)
        path.unlink()
        first.delete(sandbox.api_key)
        sandbox.seed(cohorts=[{"name": "Later"}])
        sandbox.reset()
        assert [each.id for each in Cohort.list(sandbox.api_key)] == [first.id]


def test_reset_before_the_block() -> None:
    """A sandbox that does not run can be reset, too."""
    sandbox = Sandbox(page_size=5)
    sandbox.seed(cohorts=[CHESS])
    sandbox.page_size = 6
    sandbox.reset()
    assert sandbox.page_size == 5
    assert sandbox.seed(cohorts=[CHESS])["cohorts"][0]["code"] == 12387
