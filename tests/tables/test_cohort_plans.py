"""Plans of cohorts from a table, against the sandbox: what they show, what they send, and what then is there."""

from __future__ import annotations

import copy
import json
from importlib import import_module
from pathlib import Path
from typing import Any, Dict, List

import openpyxl
import pandas
import pytest

from PermutiveAPI import Cohort, CohortList, Progress, WorkspaceList
from PermutiveAPI.Query import in_segment
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import Plan, PlanOutdatedError, PlanRefusedError
from tests.support.mistakes import assert_raises
from tests.tables.club import QUERY, Club, fields_of


@pytest.fixture
def club(sandbox: Sandbox) -> Club:
    """The cohorts of the sandbox."""
    return Club(sandbox)


NEW = {"name": "Runners", "query": {"in_segment": 12348}, "tags": "sport, outdoor"}


# --- What a plan shows -------------------------------------------------------------------------------


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("clear_empty", [False, True])
def test_an_exported_table_plans_nothing(club: Club, flat: bool, clear_empty: bool) -> None:
    """The plan of an export is empty, even with lookalike cohorts in it, and even if empty cells clear fields."""
    club.put("Bare", description=None, tags=[])
    table = club.list().to_pd_dataframe(flat=flat)
    plan = club.plan(table, clear_empty=clear_empty)
    assert (len(plan), len(plan.unchanged), plan.owned_count) == (0, 29, 29)


def test_an_export_of_all_workspaces_plans_nothing(club: Club) -> None:
    """Rows may name cohorts of the workspaces below by id. A plan may also be made with the child's key."""
    everything = club.group.cohorts(include_details=True)
    assert len(club.plan(everything)) == 0
    assert len(club.plan(club.list(club.brand.api_key), api_key=club.brand.api_key)) == 0


def test_an_export_in_a_file(club: Club, tmp_path: Path) -> None:
    """The plan of an exported CSV or Excel file is empty. The plan of an edited one has the edits."""
    csv, excel = tmp_path / "cohorts.csv", tmp_path / "cohorts.xlsx"
    table = club.list().to_pd_dataframe(flat=True)
    table.to_csv(csv, index=False)
    table.to_excel(excel, index=False)
    edited = pandas.read_excel(excel)
    edited.loc[2, "tags"] = "sport, formula 1"
    assert len(club.plan(csv)) == 0
    [change] = club.plan(edited).changes
    assert (change.name, change.row) == ("Formula 1 Enthusiasts", 3)
    assert change.wanted == {"tags": ["sport", "formula 1"]}


def test_thirty_cohorts_in_a_sheet(club: Club, tmp_path: Path) -> None:
    """Thirty cohorts are exported, edited, planned and changed, with one request for each."""
    sheet = tmp_path / "cohorts.xlsx"
    many = [
        Cohort(f"Topic {number}", query={"in_segment": number}, tags=["a"]) for number in range(30)
    ]
    Cohort.batch_create(many, api_key=club.key)
    club.list().filter(tag="a").to_pd_dataframe(flat=True).to_excel(sheet, index=False)
    book: Any = openpyxl.load_workbook(sheet)
    for cell in book.active["E"][1:]:
        cell.value += ", 2027"
    book.save(sheet)
    plan = club.plan(pandas.read_excel(sheet))
    club.sandbox.clear_requests()
    assert club.apply(plan).counts == {"updated": 30}
    assert [body.keys() for _, body in club.sent()] == [{"tags", "id"}] * 30
    assert {tuple(each.tags or []) for each in club.list().find("Topic")} == {("a", "2027")}


def test_the_text_of_a_plan(club: Club) -> None:
    """A plan shows every change, creations first."""
    fans = club.list(details=False)[0]
    table = [
        {"code": 12345, "name": "Fans", "description": "All fans", "state": "Disabled"},
        {**NEW, "state": "Disabled", "segment_type": "offline"},
        {"name": "Home Cooks", "tags": "food, lifestyle"},
    ]
    assert str(club.plan(table)) == "\n".join(
        [
            "cohorts: 1 to create, 1 to update, 0 to delete, 1 unchanged",
            "+ Runners",
            '    name: "Runners"',
            '    query: {"in_segment": 12348}',
            '    tags: ["sport", "outdoor"]',
            '    state: "Disabled"',
            '    segment_type: "offline"',
            f"~ Football Fans ({fans.id})",
            '    name: "Football Fans" -> "Fans"',
            '    description: "Football Fans, kept by the audience team." -> "All fans"',
            '    state: "Enabled" -> "Disabled"',
        ]
    )


EMPTY: Dict[str, Any] = {
    "empty cells change nothing": (False, {"description": None, "tags": None}, {}),
    "a missing column is not touched": (True, {"name": "Home Cooks"}, {}),
    "empty cells clear": (
        True,
        {"description": None, "tags": None},
        {"description": None, "tags": []},
    ),
    "an empty list clears": (False, {"description": "", "tags": []}, {"tags": []}),
    "what cannot be cleared": (True, {"name": None, "query": None, "state": None}, {}),
}


@pytest.mark.parametrize(("clear_empty", "cells", "wanted"), EMPTY.values(), ids=list(EMPTY))
def test_empty_cells(club: Club, clear_empty: bool, cells: Any, wanted: Any) -> None:
    """Only descriptions and tags can be cleared: by an empty cell with clear_empty, and tags also by an empty list."""
    plan = club.plan([{"code": 12358, **cells}], clear_empty=clear_empty)
    assert [change.wanted for change in plan.changes] == ([wanted] if wanted else [])
    club.apply(plan)
    assert len(club.plan([{"code": 12358, **cells}], clear_empty=clear_empty)) == 0


def test_a_list_of_cohorts_is_a_table(club: Club) -> None:
    """In a list of cohorts, only members that are not None count."""
    wanted = [
        Cohort("Home Cooks", tags=["food"]),
        Cohort("New", query=in_segment(7)),
        Cohort("", code=12345, description="", query={}),
        Cohort("Gamers", tags=[]),
    ]
    assert [(each.name, each.wanted) for each in club.plan(wanted).changes] == [
        ("New", {"name": "New", "query": {"in_segment": 7}}),
        ("Home Cooks", {"tags": ["food"]}),
        ("Football Fans", {"description": None}),
        ("Gamers", {"tags": []}),
    ]


def test_queries_are_read_only_where_they_are_needed(club: Club) -> None:
    """A plan lists the cohorts, and fetches those whose row has a query or another change."""
    table = [
        {"code": 12345, "query": None, "tags": "sport, editorial"},
        {"code": 12346, "query": None, "tags": "sport"},
        {"code": 12347, "query": club.get(12347).query, "tags": None},
    ]
    club.sandbox.clear_requests()
    plan = club.plan(table)
    fetched = {each.path.rpartition("/")[2] for each in club.reads()[1:]}
    assert fetched == {each.id for each in club.list()[1:3]} and len(club.reads()) == 3
    assert [change.row for change in plan.changes] == [2]


# --- What a plan refuses -----------------------------------------------------------------------------


def refusals(club: Club) -> Dict[str, Any]:
    """Return rows that are refused, and why."""
    twins = [club.put("Twins"), club.put("Twins")]
    lookalike = "has no query, like all lookalike cohorts, and cannot be changed here"
    candidates = ", ".join(f"{each.id} (code {each.code})" for each in twins)
    return {
        "unknown id": ({"id": "x"}, "no cohort has the id x; leave it empty to create a cohort"),
        "unknown code": (
            {"code": 7, "name": "Home Cooks"},
            "no cohort has the code 7; leave it empty to create a cohort",
        ),
        "two cohorts": (
            {"id": twins[0].id, "code": 12346},
            "the id belongs to 'Twins', but the code to 'Premier League Followers'",
        ),
        "nothing": ({"tags": "a"}, "it has no id, no code and no name"),
        "blank": ({"name": " "}, "it has no id, no code and no name"),
        "ambiguous": (
            {"name": "Twins"},
            f"2 cohorts have the name 'Twins'; give the id or the code: {candidates}",
        ),
        "no query": ({"name": "New"}, "no cohort has the name 'New', and a new one needs a query"),
        "lookalike": (
            {"name": "Lapsed Readers Lookalike", "tags": "x"},
            f"'Lapsed Readers Lookalike' {lookalike}",
        ),
        "query of a lookalike": (
            {"name": "Lapsed Readers Lookalike", "query": QUERY},
            f"'Lapsed Readers Lookalike' {lookalike}",
        ),
        "state": (
            {"code": 12345, "state": "Paused"},
            "state must be Enabled or Disabled, got 'Paused'",
        ),
        "state of a new one": (
            {**NEW, "state": "enabled"},
            "state must be Enabled or Disabled, got 'enabled'",
        ),
        "type": (
            {"code": 12345, "segment_type": "offline"},
            "the segment_type of 'Football Fans' is 'real_time', and cannot be changed to 'offline'",
        ),
    }


def test_refused_rows(club: Club) -> None:
    """A row is an error if its cohort is not found, is not clear, or cannot be changed like this."""
    for row, reason in refusals(club).values():
        text = f"table has 1 bad row (row 1 is line 2 of a sheet):\nrow 2: {reason}"
        assert_raises(lambda: club.plan([{"code": 12346}, row]), ValueError, text)
    assert club.writes() == []


def test_all_refused_rows_are_listed(club: Club) -> None:
    """One error lists the first 20 rows, and says how many more there are."""
    lines = [
        f"row {n}: no cohort has the name 'C{n}', and a new one needs a query" for n in range(1, 21)
    ]
    text = "\n".join(["table has 23 bad rows (row 1 is line 2 of a sheet):", *lines, "and 3 more"])
    rows = [{"name": f"C{n}"} for n in range(1, 24)]
    assert_raises(lambda: club.plan(rows), ValueError, text)


def test_refused_rows_of_all_kinds_are_in_one_error(club: Club) -> None:
    """It has the order of the rows. If a cohort is not found, no queries are fetched, and none counts as missing."""
    rows = [
        {"code": 12345, "query": club.get(12345).to_json()["query"]},
        {"code": 12374, "state": "Paused"},
        {"code": 7},
        {"code": 12346, "tags": "x"},
        {"code": 12374, "query": QUERY},
        {"name": "New"},
    ]
    club.sandbox.clear_requests()
    group, brand = club.group.workspace_id, club.brand
    text = (
        "table has 5 bad rows (row 1 is line 2 of a sheet):\n"
        "row 2: state must be Enabled or Disabled, got 'Paused'\n"
        "row 3: no cohort has the code 7; leave it empty to create a cohort\n"
        f"row 4: 'Premier League Followers' is inherited from the workspace {group}, and can be changed only there\n"
        "row 5: the cohort 'Commuters' is also in row 2\n"
        "row 6: no cohort has the name 'New', and a new one needs a query"
    )
    assert_raises(
        lambda: club.plan(rows, api_key=brand.api_key, workspace_id=brand.workspace_id),
        ValueError,
        text,
    )
    assert {each.path for each in club.sandbox.requests} == {"/cohorts-api/v2/cohorts/"}


def test_no_column_names_the_cohorts(club: Club) -> None:
    """One error says so and names the columns. Nothing is sent."""
    club.sandbox.clear_requests()
    rows = [{"Cohort Name": "Runners", "tags": "a"}, {"Cohort Name": "Cooks"}]
    text = "table has no column 'id', 'code' or 'name', only Cohort Name, tags."
    assert_raises(lambda: club.plan(rows), ValueError, text)
    assert club.sandbox.requests == []


def test_columns_that_a_plan_does_not_read(club: Club) -> None:
    """Excel may write the times and sizes of an exported table in its own way: they change nothing."""
    row = {
        "code": 12345,
        "created_at": "7/1/2025 12:30",
        "live_audience_size": "11,055",
        "name": "A",
    }
    plan = club.plan([row])
    assert [each.field for each in plan.changes[0].fields] == ["name"]
    assert (plan.rows, plan.ignored) == ((row,), ())


def test_two_rows_for_one_cohort(club: Club) -> None:
    """Two rows for one cohort are an error, however they name it. So are two new cohorts with one name."""
    rows = [{"name": "Home Cooks"}, {"code": 12358}, NEW, NEW]
    text = "table has 2 bad rows (row 1 is line 2 of a sheet):\nrow 2: the cohort 'Home Cooks' is also in row 1\nrow 4: the cohort 'Runners' is also in row 3"
    assert_raises(lambda: club.plan(rows), ValueError, text)


def test_an_empty_table(club: Club) -> None:
    """A table without rows is refused before anything is sent."""
    assert_raises(lambda: club.plan([]), ValueError, "table has no rows.")
    assert club.sandbox.requests == []


# --- Inherited cohorts ---------------------------------------------------------------------------------


def test_inherited_cohorts(club: Club) -> None:
    """A row that would change an inherited cohort is an error. So is any change if the key's workspace is not known."""
    table = [{"name": "Football Fans", "tags": "x"}, {"name": "Commuters", "tags": "x"}]
    key, ids = club.brand.api_key, (club.group.workspace_id, club.brand.workspace_id)
    inherited = f"is inherited from the workspace {ids[0]}, and can be changed only there"
    assert_raises(
        lambda: club.plan(table, api_key=key, workspace_id=ids[1]),
        ValueError,
        f"table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1: 'Football Fans' {inherited}",
    )
    perhaps = (
        f"may be inherited, because the key sees cohorts of several workspaces: {', '.join(sorted(ids))}. "
        "Pass workspace_id=, the id of the key's own workspace"
    )
    assert_raises(
        lambda: club.plan(table, api_key=key),
        ValueError,
        f"table has 2 bad rows (row 1 is line 2 of a sheet):\nrow 1: 'Football Fans' {perhaps}\nrow 2: 'Commuters' {perhaps}",
    )
    assert len(club.plan(table[1:], api_key=key, workspace_id=ids[1])) == 1


def test_the_credentials_file_tells_whose_a_key_is(
    club: Club, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a credentials file, the workspace of the key is known."""
    file = tmp_path / "workspaces.json"
    file.write_text(json.dumps(club.sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(file))
    key = club.brand.api_key
    plan = club.plan([{"name": "Commuters", "tags": "x"}], api_key=key)
    assert (plan.target.workspace_id, plan.owned_count) == (club.brand.workspace_id, 14)
    assert club.apply(plan, api_key=key).counts == {"updated": 1}
    with pytest.raises(ValueError, match="is inherited from the workspace"):
        club.plan([{"name": "Football Fans", "tags": "x"}], api_key=key)


def test_cohorts_of_the_workspaces_below(club: Club) -> None:
    """A cohort of a workspace below is found by its id or code, never by its name."""
    commuters = club.list(club.brand.api_key).name_dictionary["Commuters"]
    plan = club.plan([{"code": commuters.code, "tags": "x"}])
    assert club.apply(plan).counts == {"updated": 1}
    assert club.get(int(commuters.code or 0)).tags == ["x"]
    assert [each.action for each in club.plan([{"name": "Commuters", "query": QUERY}]).changes] == [
        "create"
    ]


# --- Carrying out --------------------------------------------------------------------------------------


def test_only_changes_are_sent(club: Club) -> None:
    """Each cohort gets one request, with only what changes; a new disabled one gets a second one."""
    table = [
        {
            "code": 12345,
            "tags": "sport",
            "description": "Football Fans, kept by the audience team.",
        },
        {"code": 12346, "description": "x", "state": "Disabled"},
        {**NEW, "state": "Disabled"},
        {"name": "Home Cooks", "tags": None},
    ]
    plan = club.plan(table)
    club.sandbox.clear_requests()
    report = club.apply(plan)
    ids = [change.key for change in plan.updates]
    expected = [
        ("POST", {"name": "Runners", "query": {"in_segment": 12348}, "tags": ["sport", "outdoor"]}),
        ("PATCH", {"state": "Disabled"}),
        ("PATCH", {"id": ids[0], "tags": ["sport"]}),
        ("PATCH", {"id": ids[1], "description": "x", "state": "Disabled"}),
    ]
    assert club.sent()[:2] == expected[:2]
    assert all(each in club.sent() for each in expected) and len(club.sent()) == 4
    assert report.counts == {"created": 1, "updated": 2, "unchanged": 1}
    there = club.there()
    assert there["Runners"]["state"] == there["Premier League Followers"]["state"] == "Disabled"
    assert (club.get(12346).description, club.get(12345).tags) == ("x", ["sport"])


def test_applied_twice(club: Club) -> None:
    """A plan that is applied again writes nothing. A new plan of the same table writes nothing, either."""
    table = [{"code": 12345, "tags": "sport"}, {**NEW, "state": "Disabled"}]
    plan = club.plan(table)
    first = club.apply(plan)
    club.sandbox.clear_requests()
    assert club.apply(Plan.from_json(plan.to_json())).counts == {"unchanged": 2}
    assert len(club.plan(table)) == len(club.plan(first.to_pd_dataframe())) == 0
    assert club.writes() == []


def test_the_report_is_the_users_table(club: Club) -> None:
    """The report has the user's own columns, with status, id and error."""
    table = [{"name": "Home Cooks", "owner": "Ada", "tags": "food"}, {**NEW, "owner": "Bob"}]
    report = club.apply(club.plan(table)).to_pd_dataframe()
    assert report[["name", "owner", "status"]].values.tolist() == [
        ["Home Cooks", "Ada", "updated"],
        ["Runners", "Bob", "created"],
    ]
    by_name = club.list(details=False).name_dictionary
    assert report["id"].tolist() == [by_name["Home Cooks"].id, by_name["Runners"].id]


def test_edited_in_between(club: Club) -> None:
    """If someone has changed a field that the plan changes, nothing at all is written."""
    plan = club.plan([{"code": 12345, "tags": "x", "query": QUERY}, NEW])
    club.edit(12345, query={"in_segment": 7}, description="Edited")
    with pytest.raises(PlanOutdatedError) as caught:
        club.apply(plan)
    assert str(caught.value) == "\n".join(
        [
            "Nothing was written: 1 object has changed since the plan was made. Make the plan again.",
            f"~ Football Fans ({plan.updates[0].key})",
            '    query: {"event": "Pageview", "frequency": {"greater_than_or_equal_to": 3}, "where": ... '
            'when planned, {"in_segment": 7} now',
        ]
    )
    assert club.writes() == []


def test_edits_of_other_fields_stay(club: Club) -> None:
    """A field that the plan does not change may change in between. The new value stays."""
    plan = club.plan([{"code": 12345, "tags": "x"}])
    club.edit(12345, name="Fans", description="Edited")
    assert club.apply(plan).counts == {"updated": 1}
    fans = club.get(12345)
    assert (fans.name, fans.description, fans.tags) == ("Fans", "Edited", ["x"])


def test_deleted_in_between(club: Club) -> None:
    """If a cohort that the plan changes is gone, nothing is written."""
    plan = club.plan([{"code": 12345, "tags": "x"}, NEW])
    club.get(12345).delete(club.key)
    club.sandbox.clear_requests()
    with pytest.raises(PlanOutdatedError, match="the service no longer has it"):
        club.apply(plan)
    assert club.writes() == []


def test_created_in_between(club: Club) -> None:
    """A cohort with the name and the wanted fields is done; one with other fields is a conflict."""
    plan = club.plan([NEW])
    made = club.put("Runners", {"in_segment": 12348}, tags=["sport"])
    with pytest.raises(PlanOutdatedError, match="the service already has it"):
        club.apply(plan)
    club.edit(int(made.code or 0), tags=["sport", "outdoor"], description="More")
    report = club.apply(plan)
    assert (report.counts, report.rows[0]["id"]) == ({"unchanged": 1}, made.id)
    assert club.writes() == []


def test_the_expected_one_of_several(club: Club) -> None:
    """If several cohorts have the name of a new one, the one with the wanted fields is used."""
    plan = club.plan([NEW])
    club.put("Runners", tags=["other"])
    made = club.put("Runners", {"in_segment": 12348}, tags=["sport", "outdoor"])
    assert club.apply(plan).rows[0]["id"] == made.id


def test_a_name_that_becomes_free(club: Club) -> None:
    """A new cohort may have the name that another one loses in the same plan."""
    old = club.list()
    new = CohortList.from_json(old.to_json())[1:]
    new[0].name = old[0].name
    before = club.there()
    undo = club.apply(old.plan_to(new)).inverse()
    assert [(each.action, each.name) for each in undo.changes] == [
        ("create", "Football Fans"),
        ("update", "Football Fans"),
    ]
    assert club.apply(undo).counts == {"created": 1, "updated": 1}
    assert club.apply(undo).counts == {"unchanged": 2}
    assert club.there() == before


def test_progress(club: Club) -> None:
    """The progress callback counts changes, each once."""
    seen: List[Progress] = []
    table = [
        {**NEW, "state": "Disabled"},
        {"code": 12345, "tags": "x"},
        {"code": 12346, "tags": "x"},
    ]
    club.apply(club.plan(table), progress_callback=seen.append)
    assert [(each.completed, each.total, each.errors) for each in seen] == [
        (1, 3, 0),
        (2, 3, 0),
        (3, 3, 0),
    ]


def test_refused_changes(club: Club) -> None:
    """A change that the service refuses has failed, with the reason. The other changes are made."""
    plan = club.plan([{"code": 12345, "tags": "x"}, {"code": 12346, "tags": "x"}, NEW])
    club.sandbox.fail_next(status=400, method="PATCH")
    club.sandbox.fail_next(status=403, method="POST")
    report = club.apply(plan)
    assert report.counts == {"updated": 1, "failed": 2}
    assert all(each.error for each in report.failures)
    assert club.apply(plan).counts == {"created": 1, "updated": 1, "unchanged": 1}


def test_not_disabled(club: Club) -> None:
    """A new cohort that could not be disabled is disabled when the plan is applied again."""
    plan = club.plan([{**NEW, "state": "Disabled"}])
    club.sandbox.fail_next(status=400, method="PATCH")
    [outcome] = club.apply(plan).outcomes
    assert outcome.status == "unknown"
    assert (outcome.error or "").startswith(
        "it was created, but could not be disabled: 400 Bad Request"
    )
    club.sandbox.clear_requests()
    assert club.apply(plan).counts == {"created": 1}
    assert club.sent() == [("PATCH", {"state": "Disabled"})]
    assert club.there()["Runners"]["state"] == "Disabled"


# --- Other places ------------------------------------------------------------------------------------


def test_another_service(club: Club) -> None:
    """A plan for another service is refused."""
    plan = club.plan([NEW])
    with Sandbox() as other:
        with pytest.raises(ValueError, match="The plan was made for http://127.0.0.1:"):
            club.apply(plan)
        assert other.requests == []


def test_another_workspace(club: Club) -> None:
    """A plan for another workspace is refused, even if one key sees more than the other."""
    for planned, key in ((club.key, club.brand.api_key), (club.brand.api_key, club.key)):
        plan = club.plan([NEW], api_key=planned)
        text = (
            "The plan was made for another workspace: "
            f"{' or '.join(plan.target.workspace_ids)}. Pass its api_key. If it has no "
            "cohorts yet, it must be in the file that PERMUTIVE_APPLICATION_CREDENTIALS names."
        )
        assert_raises(lambda: club.apply(plan, api_key=key), ValueError, text)
    assert club.writes() == []


def test_the_first_cohorts_of_a_workspace(
    club: Club, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plan for a workspace without cohorts is applied twice, though the key then sees one more workspace."""
    club.empty_brand()
    file = tmp_path / "workspaces.json"
    file.write_text(json.dumps(club.sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(file))
    plan = club.plan([NEW], api_key=club.brand.api_key)
    assert club.apply(plan, api_key=club.brand.api_key).counts == {"created": 1}
    assert club.apply(plan, api_key=club.brand.api_key).counts == {"unchanged": 1}


@pytest.mark.parametrize("is_told", [False, True])
def test_a_workspace_that_sees_the_same(club: Club, is_told: bool) -> None:
    """If two keys see the same cohorts, the first creation shows whose the key is. It is deleted, and nothing follows."""
    club.empty_brand()
    table = [{**NEW, "name": f"New {number}", "state": "Disabled"} for number in range(3)]
    table.append({"code": 12345, "tags": "x"})
    own_id = club.group.workspace_id if is_told else None
    plan = Plan.from_json(club.plan(table, workspace_id=own_id).to_json())
    before = club.there(club.brand.api_key)
    club.sandbox.clear_requests()
    report = club.apply(plan, api_key=club.brand.api_key)
    assert report.counts == {"failed": 1, "not tried": 3}
    assert report.rows[0]["error"] == (
        "the plan was made for another workspace than that of the key: it was created in the workspace "
        f"{club.brand.workspace_id}, and deleted again. Make the plan again with workspace_id= or with the "
        "credentials file"
    )
    assert [method for method, _ in club.sent()] == ["POST", "DELETE"]
    assert club.there(club.brand.api_key) == before
    assert not report.inverse()
    assert club.apply(plan).counts == {"created": 3, "updated": 1}


def test_a_stray_cohort_that_stays(club: Club) -> None:
    """If the cohort in the wrong workspace cannot be deleted, the report says where it is."""
    club.empty_brand()
    plan = club.plan([NEW])
    club.sandbox.fail_next(status=400, method="DELETE")
    [outcome] = club.apply(plan, api_key=club.brand.api_key).outcomes
    assert (outcome.status, outcome.id) == (
        "unknown",
        club.list(club.brand.api_key).name_dictionary["Runners"].id,
    )
    where = f"created in the workspace {club.brand.workspace_id}, and could not be deleted: 400"
    assert where in (outcome.error or "")


def test_a_workspace_that_nobody_names(
    club: Club, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plan that creates the first cohorts that a key sees must say in which workspace."""
    club.sandbox._state.cohorts.clear()
    text = (
        "The plan creates cohorts, but the workspace is not known, because it has no cohorts yet. Pass "
        "workspace_id=, or name a credentials file in PERMUTIVE_APPLICATION_CREDENTIALS."
    )
    assert_raises(lambda: club.plan([NEW]), ValueError, text)
    new = CohortList([Cohort("A", query=QUERY)])
    assert_raises(lambda: CohortList().plan_to(new), ValueError, text)
    plan = club.plan([NEW], workspace_id=club.group.workspace_id)
    data = plan.to_json()
    data["target"]["workspace_id"] = None
    assert_raises(lambda: club.apply(Plan.from_json(data)), ValueError, text)
    assert club.writes() == []
    assert club.apply(plan, api_key=club.brand.api_key).counts == {"failed": 1}
    assert club.list(club.brand.api_key) == []
    assert club.apply(plan).counts == {"created": 1}
    assert club.apply(plan).counts == {"unchanged": 1}


def test_a_workspace_with_cohorts_of_the_same_names(club: Club) -> None:
    """A workspace whose only cohort has the name of a planned one is another workspace all the same."""
    club.empty_brand()
    club.put("X", key=club.brand.api_key)
    plan = club.plan([{"name": "X", "query": QUERY}, NEW])
    with pytest.raises(ValueError, match="The plan was made for another workspace"):
        club.apply(plan, api_key=club.brand.api_key)
    assert club.writes() == []


def test_the_key_of_a_known_workspace(
    club: Club, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plan is refused if the file says that the key is that of a workspace that the plan does not know."""
    club.empty_brand()
    plan = club.plan([NEW])
    file = tmp_path / "workspaces.json"
    file.write_text(json.dumps(club.sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(ValueError, match="The plan was made for another workspace"):
        club.apply(plan, api_key=club.brand.api_key)
    assert club.writes() == []
    assert club.apply(plan).counts == {"created": 1}


def test_an_answer_without_workspace(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the answer to the first creation lacks the workspace, the list has it."""
    club.empty_brand()
    module: Any = import_module("PermutiveAPI.Cohort")
    names = [each for each in module._FIELDS_FROM_CREATE if each != "workspace_id"]
    monkeypatch.setattr(module, "_FIELDS_FROM_CREATE", tuple(names))
    assert club.apply(club.plan([NEW])).counts == {"created": 1}
    plan = club.plan([{**NEW, "name": "Other"}])
    assert club.apply(plan, api_key=club.brand.api_key).counts == {"failed": 1}


# --- Deletions -----------------------------------------------------------------------------------------


def test_from_list_to_list(club: Club) -> None:
    """Cohorts that are only in the old list are deleted. Cohorts that are only in the new one are created, with new ids."""
    backup = club.list()
    club.get(12347).delete(club.key)
    club.put("Later")
    club.edit(12345, tags=[], state="Disabled")
    plan = club.list().plan_to(backup)
    assert [(each.action, each.name) for each in plan.changes] == [
        ("create", "Formula 1 Enthusiasts"),
        ("update", "Football Fans"),
        ("delete", "Later"),
    ]
    report = club.apply(plan)
    assert report.counts == {"created": 1, "updated": 1, "deleted": 1, "unchanged": 26}
    assert club.apply(plan).counts == {"unchanged": 29}
    assert club.there() == {each.name: fields_of(each) for each in backup}


def test_what_a_list_must_have(club: Club) -> None:
    """The old list needs ids, workspaces, and the queries of the cohorts that are changed or deleted."""
    cohorts, listed = club.list(), club.list(details=False)
    no_query = (
        "has no query in the old list, and cannot be changed or deleted. Read the list with "
        "Cohort.list(include_details=True). Lookalike cohorts have no query"
    )
    assert_raises(
        lambda: listed.plan_to(cohorts[1:2]),
        ValueError,
        f"table has 1 bad row (row 1 is line 2 of a sheet):\nrow 1: 'Premier League Followers' {no_query}",
    )
    assert_raises(
        lambda: listed.plan_to(listed[1:]),
        ValueError,
        f"The new list lacks a cohort: 'Football Fans' {no_query}.",
    )
    cohorts[0].workspace_id = None
    assert_raises(
        lambda: cohorts.plan_to(cohorts),
        ValueError,
        "The cohort 'Football Fans' of the old list has no id or workspace_id.",
    )


def test_lists_of_several_workspaces(club: Club) -> None:
    """A plan for the cohorts of several workspaces creates none, unless it is known where."""
    old = club.group.cohorts(include_details=True)
    new = CohortList.from_json(old.to_json())
    for each in new:
        each.tags = ["x"] if each.query else each.tags
    assert club.apply(old.plan_to(new)).counts == {"updated": 39, "unchanged": 3}
    new.append(Cohort("New", query=QUERY))
    with pytest.raises(ValueError, match="The plan was made for another workspace"):
        club.apply(old.plan_to(new))
    plan = old.plan_to(new, workspace_id=club.group.workspace_id)
    assert club.apply(plan).counts == {"created": 1, "unchanged": 42}


def test_a_refused_deletion(club: Club) -> None:
    """A deletion that the service refuses has failed."""
    old = club.list()
    club.sandbox.fail_next(status=400, method="DELETE")
    assert club.apply(old.plan_to(old[1:])).counts == {"unchanged": 27, "failed": 1}


def test_nothing_is_deleted_after_a_failure(club: Club) -> None:
    """If an update fails, the cohorts that the plan deletes stay: the update may have freed them."""
    club.put("Loyal", {"in_segment": 12345})
    old = club.list()
    loyal = copy.copy(next(each for each in old if each.name == "Loyal"))
    loyal.query = {"in_segment": 12346}
    new = CohortList([each for each in old if each.code not in (12345, loyal.code)] + [loyal])
    plan = old.plan_to(new)
    club.sandbox.fail_next(status=422, method="PATCH")
    counts = club.apply(plan).counts
    assert (counts["failed"], counts["not tried"]) == (1, 1)
    assert not any(each.method == "DELETE" for each in club.writes())


def test_used_cohorts_are_not_deleted(club: Club) -> None:
    """A cohort that the query of another one names is deleted only with allow_used."""
    old = club.list()
    club.put("Loyal", {"or": [{"in_segment": 12346}, {"has_entered": {"segment": "12345"}}]})
    plan = old.plan_to(old[2:])
    club.sandbox.clear_requests()
    text = (
        "Nothing was written: the queries of cohorts name cohorts that the plan deletes. Change the "
        "queries first, or pass allow_used=True.\n"
        "'Premier League Followers' (12346): 'Loyal'\n'Football Fans' (12345): 'Loyal'"
    )
    assert_raises(lambda: club.apply(plan), PlanRefusedError, text)
    assert club.writes() == []
    assert club.apply(plan, allow_used=True).counts == {"deleted": 2, "unchanged": 26}


def test_new_users(club: Club) -> None:
    """A cohort that a new one of the same plan names is not deleted."""
    old = club.list()
    plan = old.plan_to(CohortList([*old[1:], Cohort("New", query={"in_segment": 12345})]))
    with pytest.raises(ValueError, match=r"'Football Fans' \(12345\): 'New'"):
        club.apply(plan)


def test_cohorts_that_are_used_below(club: Club) -> None:
    """Cohorts of the workspaces below may name an inherited one."""
    old = club.list()
    club.put("Below", {"in_segment": 12345}, key=club.brand.api_key)
    with pytest.raises(ValueError, match=r"'Football Fans' \(12345\): 'Below'"):
        club.apply(old.plan_to(old[1:]))


def test_users_that_go_or_change(club: Club) -> None:
    """A cohort may be deleted if the same plan deletes its users, or changes their queries."""
    first, second = club.put("User", {"in_segment": 12345}), club.put(
        "Other", {"in_segment": 12345}
    )
    old = club.list()
    new = CohortList.from_json(old.to_json())[1:]
    new.remove(new.id_dictionary[first.id or ""])
    new.id_dictionary[second.id or ""].query = {"in_segment": 1}
    assert club.apply(old.plan_to(new)).counts == {"updated": 1, "deleted": 2, "unchanged": 27}


def test_too_many_deletes(club: Club) -> None:
    """The share of cohorts that may be deleted is limited."""
    cohorts = CohortList([each for each in club.list() if each.query])
    plan = cohorts.plan_to(cohorts[:1])
    text = "too many deletes: 25 of 26, 96.2 % is over 80 %; pass max_delete_share="
    assert_raises(lambda: club.apply(plan), PlanRefusedError, text)
    assert club.apply(plan, max_delete_share=1).counts == {"deleted": 25, "unchanged": 1}


def test_undone(club: Club) -> None:
    """The inverse of a report restores the cohorts. Only ids and codes of those that are created again differ."""
    before = club.there()
    table = [
        {"code": 12345, "name": "Fans", "tags": "x", "description": None, "state": "Disabled"},
        {**NEW, "state": "Disabled"},
    ]
    report = club.apply(club.plan(table, clear_empty=True))
    undo = report.inverse()
    undone = club.apply(undo)
    assert club.there() == before
    assert club.apply(undone.inverse()).counts == {"created": 1, "updated": 1}
    assert club.there()["Runners"]["state"] == "Disabled"


def test_what_somebody_added_is_not_undone(club: Club) -> None:
    """A new cohort that somebody has edited since is not deleted, whether the plan had set the field or not."""
    for edit in ({"description": "Ours"}, {"tags": ["ours"]}, {"state": "Disabled"}, {"name": "B"}):
        report = club.apply(club.plan([{"name": "A", "query": QUERY}]))
        made = club.list().id_dictionary[report.rows[0]["id"]]
        club.edit(int(made.code or 0), **edit)
        with pytest.raises(PlanOutdatedError, match=f"{next(iter(edit))}: .* when planned, .* now"):
            club.apply(report.inverse())
        club.get(int(made.code or 0)).delete(club.key)
    report = club.apply(club.plan([{"name": "A", "query": QUERY}]))
    assert club.apply(report.inverse()).counts == {"deleted": 1}


def test_what_somebody_added_is_not_deleted(club: Club) -> None:
    """A cohort that a plan deletes, and that somebody has edited since, stays."""
    made = club.put("Later")
    old = club.list()
    plan = old.plan_to(CohortList([each for each in old if each.name != "Later"]))
    club.edit(int(made.code or 0), description="Ours")
    with pytest.raises(PlanOutdatedError, match=r'description: \(empty\) when planned, "Ours" now'):
        club.apply(plan)
    assert club.writes() == []


def test_a_half_made_cohort_is_undone(club: Club) -> None:
    """A new cohort that could not be disabled is deleted by the inverse."""
    plan = club.plan([{**NEW, "state": "Disabled"}])
    club.sandbox.fail_next(status=400, method="PATCH")
    report = club.apply(plan)
    assert report.counts == {"unknown": 1}
    assert club.apply(report.inverse()).counts == {"deleted": 1}


def test_codes_that_only_a_copy_has(club: Club) -> None:
    """A query of a table cannot name a new cohort as the plan of a copy does."""
    query = {"or": [{"in_segment": "new cohort: Runners"}, {"in_segment": 7}]}
    table = [NEW, {"name": "A", "query": query}, {"code": 12345, "query": query}]
    problem = (
        "the query names the new cohort 'Runners', as only the plan of a copy can; give its code"
    )
    text = (
        "table has 2 bad rows (row 1 is line 2 of a sheet):\n" f"row 2: {problem}\nrow 3: {problem}"
    )
    assert_raises(lambda: club.plan(table), ValueError, text)


def test_ignored_columns(club: Club) -> None:
    """A plan names the columns that it does not know. Exports and reports have none."""
    exported = club.list().to_pd_dataframe(flat=True)
    assert club.plan(exported).ignored == ()
    report = club.apply(club.plan(exported.assign(owner="Ada", status="x")[:3]))
    assert report.plan.ignored == ("owner", "status")
    assert club.plan(report.to_pd_dataframe()).ignored == ("owner",)
    assert club.plan(club.list()).ignored == ()
    assert Cohort.plan_from_segments(club.group.imports()[0].id, api_key=club.key).ignored == ()


def test_keys_of_workspaces_are_not_kept(club: Club) -> None:
    """A table may hold workspaces. The plan and the report do not have their keys."""
    row = {"of": club.group, "all": WorkspaceList([club.brand])}
    rows: Any = [{"name": "Home Cooks", **row, "some": [club.group], "more": {"x": (club.brand,)}}]
    plan = club.plan(rows)
    text = json.dumps([plan.to_json(), club.apply(plan).rows])
    assert club.group.name in text and club.brand.name in text
    assert club.group.api_key not in text and club.brand.api_key not in text


def test_queries_that_json_cannot_hold(club: Club) -> None:
    """A query with NaN or infinity is a bad cell, named by row and column."""
    table = [
        {"name": "A", "query": QUERY, "own": float("inf")},
        {"name": "B", "query": {"in_segment": float("nan")}},
        {"name": "C", "query": {"or": [QUERY, {"in_segment": float("inf")}]}},
    ]
    with pytest.raises(ValueError) as caught:
        club.plan(table)
    reason = "is not a number that JSON can hold; use None for an empty cell"
    assert str(caught.value) == (
        "table has 2 bad rows (row 1 is line 2 of a sheet):\n"
        f"row 2, query: in_segment: nan {reason}\n"
        f"row 3, query: or[1].in_segment: inf {reason}"
    )
    assert club.plan(table[:1]).rows[0]["own"] == "inf"


# --- Cohorts of one name, and of several workspaces ----------------------------------------------------


def with_query(cohorts: CohortList) -> CohortList:
    """Return the cohorts without the lookalike ones."""
    return CohortList([each for each in cohorts if each.query])


@pytest.mark.parametrize("are_same", [False, True])
def test_cohorts_of_one_name_are_restored(club: Club, are_same: bool) -> None:
    """Of deleted cohorts with one name, each is created anew, also after an interruption."""
    club.put("Twins", tags=["a"])
    club.put("Twins", tags=["a"] if are_same else ["b"])
    old = club.list()
    kept = CohortList([each for each in old if each.name != "Twins"])
    undo = club.apply(old.plan_to(kept)).inverse()
    club.sandbox.fail_next(status=400, method="POST")
    assert club.apply(Plan.from_json(undo.to_json())).counts == {"created": 1, "failed": 1}
    assert club.apply(undo).counts == {"created": 1, "unchanged": 1}
    report = club.apply(undo)
    assert report.counts == {"unchanged": 2}
    twins = club.list().filter(name="Twins")
    assert {each.id for each in report.outcomes} == {each.id for each in twins}
    assert sorted(each.tags or [] for each in twins) == [["a"], ["a"] if are_same else ["b"]]


def test_the_limit_counts_cohorts_of_the_workspace(club: Club) -> None:
    """Inherited cohorts in the old list do not count for the limit of deletions."""
    old, own_id = with_query(club.list(club.brand.api_key)), club.brand.workspace_id
    inherited = CohortList([each for each in old if each.workspace_id != own_id])
    for told in (None, own_id):
        plan = old.plan_to(inherited, workspace_id=told)
        assert plan.owned_count == len(plan.deletes) == len(old) - len(inherited)
    with pytest.raises(ValueError, match="too many deletes: 13 of 13, 100 % is over 80 %"):
        club.apply(plan, api_key=club.brand.api_key)
    assert old.plan_to(old).owned_count == len(old)


def test_inherited_cohorts_are_not_deleted(
    club: Club, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A plan that deletes inherited cohorts is refused: when it is made, or before it writes."""
    old = with_query(club.list(club.brand.api_key))
    new = CohortList([*old[1:], Cohort("New", query=QUERY)])
    group_id, own_id = club.group.workspace_id, club.brand.workspace_id
    text = (
        f"The new list lacks a cohort: 'Football Fans' belongs to the workspace {group_id}, and can be "
        "deleted only there."
    )
    assert_raises(lambda: old.plan_to(new, workspace_id=own_id), ValueError, text)
    plan = old.plan_to(new)
    both = old.plan_to(old[1:-1])
    assert {each.workspace_id for each in (old[0], old[-1])} == {group_id, own_id}
    club.sandbox.clear_requests()
    with pytest.raises(ValueError, match="Nothing was written: .* inherited"):
        club.apply(both, api_key=club.brand.api_key, max_delete_share=1)
    file = tmp_path / "workspaces.json"
    file.write_text(json.dumps(club.sandbox.credentials()))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(ValueError, match="'Football Fans' of the workspace"):
        club.apply(plan, api_key=club.brand.api_key)
    assert club.writes() == []
