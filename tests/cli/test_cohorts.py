"""``permutive cohorts list``, ``show`` and ``export``."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI import Cohort, CohortList
from PermutiveAPI.Query import event, prop
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import Terminal, run, run_in_terminal
from tests.cli.writing import csv_rows
from tests.support.platforms import needs_posix, needs_terminal

# Names that sheets and terminals are prone to change.
ODD_NAMES = [
    'Comma, "quotes"',
    "two\nlines",
    "return\rhere",
    " spaces around ",
    "=1+1",
    "#N/A",
    "NA",
    "007",
    "12346",
    "1e5",
    "true",
    "[a]",
    "{}",
    "caf\xe9 \u30b5\u30c3\u30ab\u30fc \U0001f3c3",
    "\x1b[31mred",
    "'quoted",
]
ODD_TAGS = [["a, b", "c"], [], ["[x"], [" y"], ["2025"]]


def create_odd_cohorts(*, without: str = "") -> None:
    """Create cohorts whose names and tags are hard to keep."""
    for number, name in enumerate(ODD_NAMES):
        if name not in without:
            tags = ODD_TAGS[number % len(ODD_TAGS)]
            query = event("Pageview").at_least(1).where(prop("title").contains(name))
            Cohort(name, query=query, tags=tags, description="=2+2").create()


def names(text: str) -> List[str]:
    """Return the names in CSV."""
    return [row["name"] for row in csv_rows(text)]


# --- list ------------------------------------------------------------------------------------------------


def test_a_table(service: Sandbox) -> None:
    """A table has the most important fields."""
    assert run("cohorts", "list", "--tag", "motoring", "--format", "table").out == (
        " code  name                    state    tags                          live audience size\n"
        "12347  Formula 1 Enthusiasts   Enabled  sport, motoring                            26893\n"
        "12353  Electric Car Intenders  Enabled  motoring, in-market                        74407\n"
        "12354  Luxury Car Intenders    Enabled  motoring, in-market, premium               82326\n"
    )


def test_csv_in_a_pipe(service: Sandbox) -> None:
    """In a pipe, CSV with all fields is the default, as of a flat table."""
    done = run("cohorts", "list")
    assert (done.status, done.err) == (0, "")
    rows = csv_rows(done.out)
    listed = Cohort.list()
    assert [int(row["code"]) for row in rows] == [each.code for each in listed]
    assert [*rows[0]] == [*listed.to_pd_dataframe().columns]
    assert rows[0]["tags"] == "sport, editorial" and rows[0]["query"] == ""


@pytest.mark.parametrize("format", ["json", "ndjson"])
def test_json(service: Sandbox, format: str) -> None:
    """JSON has every field of each cohort, also those that are null."""
    out = run("cohorts", "list", "--format", format).out
    rows: List[Any] = json.loads(out) if format == "json" else [*map(json.loads, out.splitlines())]
    fields = Cohort("x").to_json().keys() | {"id", "query", "error"}
    listed = Cohort.list().to_json()
    assert all(fields <= row.keys() for row in rows)
    assert [{k: v for k, v in row.items() if v is not None} for row in rows] == [
        {k: v for k, v in row.items() if v is not None} for row in listed
    ]


@pytest.mark.parametrize(
    "arguments, found",
    [
        (
            ["--tag", "motoring"],
            ["Formula 1 Enthusiasts", "Electric Car Intenders", "Luxury Car Intenders"],
        ),
        (["--tag", "MOTORING"], []),
        (
            ["--tag", "motoring", "--find", "car i"],
            ["Electric Car Intenders", "Luxury Car Intenders"],
        ),
        (["--name", "Gamers"], ["Gamers"]),
        (["--name", "Gamer"], []),
        (["--find", "RUGBY"], []),
        (["--find", "RUGBY", "--children"], ["Rugby Supporters"]),
        (["--state", "disabled"], []),
        (["--state", "Enabled", "--find", "12345"], ["Football Fans"]),
    ],
)
def test_filters(service: Sandbox, arguments: List[str], found: List[str]) -> None:
    """The options of list and export select the same cohorts."""
    for command in ("list", "export"):
        done = run("cohorts", command, *arguments)
        assert (done.status, names(done.out)) == (0, found)


def test_disabled_cohorts(fresh_service: Sandbox) -> None:
    """The state selects."""
    cohort = Cohort.get_by_code(12350)
    assert cohort
    cohort.disable()
    assert names(run("cohorts", "list", "--state", "Disabled").out) == [cohort.name]


def test_a_blank_filter_is_wrong_usage(service: Sandbox) -> None:
    """A variable that is empty by mistake does not select everything."""
    for option in ("--tag", "--name", "--find"):
        done = run("cohorts", "list", option, "")
        assert (done.status, done.out) == (2, "") and "must not be empty" in done.err


def test_children_come_with_their_workspace(service: Sandbox) -> None:
    """The workspace of each cohort is named, as far as the credentials file knows it."""
    rows = csv_rows(run("cohorts", "list", "--children").out)
    assert len(rows) == 42
    assert (rows[0]["workspace"], rows[-1]["workspace"]) == (
        "Meridian Media Group",
        "Meridian Regional News",
    )
    table = run("cohorts", "list", "--children", "--name", "Commuters", "--format", "table").out
    assert table.splitlines()[0].endswith("  workspace")
    assert table.splitlines()[1].endswith("  Meridian Regional News")


def test_children_without_a_credentials_file(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file that knows the name, it is the id."""
    monkeypatch.delenv("PERMUTIVE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("PERMUTIVE_API_KEY", service.api_key)
    rows = csv_rows(run("cohorts", "list", "--children").out)
    assert all(row["workspace"] == row["workspace_id"] for row in rows)


def test_details_fetch_the_queries(service: Sandbox) -> None:
    """Each listed cohort is fetched, with one request, and a bar on stderr."""
    done = run("cohorts", "list", "--tag", "motoring", "--details", "--format", "ndjson")
    queries = [json.loads(line)["query"] for line in done.out.splitlines()]
    assert [query["event"] for query in queries] == ["Pageview"] * 3
    assert done.err.startswith("Fetching: 3 of 3 requests, 0 errors")
    assert len(service.requests) == 4


def test_the_workspace_option(service: Sandbox) -> None:
    """The calls use the key of the workspace, which is named by its name or id."""
    child = service.credentials()[1]
    for name in (child["name"], child["workspace_id"]):
        out = run("cohorts", "list", "--workspace", name, "--find", "commuters").out
        assert names(out) == ["Commuters"]
    done = run("cohorts", "list", "--workspace", "nobody")
    assert (done.status, done.out) == (2, "")
    assert "No workspace is called 'nobody'" in done.err
    assert "'Meridian Media Group', 'Meridian Regional News'" in done.err


def test_two_workspaces_of_one_name(
    service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the id is needed."""
    path = tmp_path / "twins.json"
    path.write_text(json.dumps([{**each, "name": "Twin"} for each in service.credentials()]))
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    done = run("cohorts", "list", "--workspace", "Twin")
    assert done.status == 2 and "Several workspaces are called 'Twin'; give the id." in done.err
    assert (
        run("cohorts", "list", "--workspace", service.credentials()[0]["workspace_id"]).status == 0
    )


# --- show ------------------------------------------------------------------------------------------------


def test_show_for_programs(service: Sandbox) -> None:
    """JSON is one object, with the query."""
    cohort = Cohort.get_by_code(12345)
    assert cohort
    done = run("cohorts", "show", "12345", "--format", "json")
    assert (done.status, done.err) == (0, "")
    shown = json.loads(done.out)
    assert {k: v for k, v in shown.items() if v is not None} == cohort.to_json()
    assert json.loads(run("cohorts", "show", cohort.id or "", "--format", "ndjson").out) == shown
    (row,) = csv_rows(run("cohorts", "show", "Football Fans").out)
    assert json.loads(row["query"]) == cohort.query


def test_show_for_people(service: Sandbox) -> None:
    """A table has a line for each filled field, the query in words, and its JSON."""
    out = run("cohorts", "show", "Football Fans", "--format", "table").out
    fields, words, query = out.split("\n\n")
    assert fields.splitlines()[0].split("  ")[0] == "name"
    assert "\ncode                  12345\n" in fields and "query" not in fields
    assert words == (
        'Users who had at least 3 "Pageview" events in the last 30 days where properties.client.url contains '
        '"/sport/football".'
    )
    assert json.loads(query)["event"] == "Pageview" and query.startswith('{\n  "event"')


def test_show_a_query_that_has_no_words(fresh_service: Sandbox) -> None:
    """A query that does not follow the grammar is shown as JSON, with the reason."""
    Cohort("Everybody", query={"type": "users"}).create()
    out = run("cohorts", "show", "Everybody", "--format", "table").out
    assert "\n\nThis query cannot be said in words: query" in out
    assert out.endswith('\n\n{\n  "type": "users"\n}\n')


def test_show_a_lookalike(service: Sandbox) -> None:
    """A cohort without a query has only its fields."""
    out = run("cohorts", "show", "Lapsed Readers Lookalike", "--format", "table").out
    assert "\n\n" not in out and out.startswith("name ")


def test_show_nothing(service: Sandbox) -> None:
    """A name that stands for no cohort is wrong usage."""
    assert run("cohorts", "show", "nobody") == (
        2,
        "",
        "Error: no cohort has the id, code or name 'nobody'.\n",
    )


# --- export ------------------------------------------------------------------------------------------------


def test_the_plan_of_an_export_is_empty(fresh_service: Sandbox, tmp_path: Path) -> None:
    """Whatever names and tags are, the exported table is what the service has."""
    create_odd_cohorts()
    path = tmp_path / "cohorts.csv"
    done = run("cohorts", "export", "--output", str(path))
    count = len(Cohort.list())
    assert (done.status, done.out) == (0, "")
    assert done.err.splitlines()[-1] == f"{count:,} rows are in {path}."
    plan = Cohort.plan(path)
    assert (len(plan), len(plan.unchanged)) == (0, count)
    assert CohortList.from_table(path).to_json() == Cohort.list(include_details=True).to_json()


def test_an_export_on_stdout_is_the_same_as_in_a_file(service: Sandbox, tmp_path: Path) -> None:
    """The default is stdout."""
    path = tmp_path / "cohorts.csv"
    run("cohorts", "export", "--tag", "sport", "--output", str(path))
    assert run("cohorts", "export", "--tag", "sport").out == path.read_text(encoding="utf-8")


def test_the_plan_of_a_workbook_is_empty(fresh_service: Sandbox, tmp_path: Path) -> None:
    """A name such as "=1+1" or "#N/A" is a text, not a formula or an error."""
    import pandas

    create_odd_cohorts(without="return\rhere \x1b[31mred")
    Cohort("Long", query={"in_segment": 1}, description="x" * 32_767).create()
    path = tmp_path / "cohorts.xlsx"
    assert run("cohorts", "export", "--output", str(path)).status == 0
    frame = pandas.read_excel(path, keep_default_na=False, dtype={"name": str, "tags": str})
    plan = Cohort.plan(frame)
    assert (len(plan), len(plan.unchanged)) == (0, len(Cohort.list()))
    assert [*frame.columns] == [*Cohort.list().to_pd_dataframe().columns]


@pytest.mark.parametrize("text", ["return\rhere", "\x1b[31mred", "x" * 32_768])
def test_a_cell_that_no_workbook_can_hold(
    fresh_service: Sandbox, tmp_path: Path, text: str
) -> None:
    """It is refused before anything is written, and the cell is named."""
    Cohort("Odd", query={"in_segment": 1}, description=text).create()
    path = tmp_path / "cohorts.xlsx"
    done = run("cohorts", "export", "--name", "Odd", "--output", str(path))
    assert done.status == 2
    assert done.err.endswith("Write a .csv file. These cells do not fit:\nrow 1, description\n")
    assert not path.exists()


@pytest.mark.parametrize(
    "name, words",
    [
        ("cohorts.json", "does not end in .csv or .xlsx"),
        ("nowhere/cohorts.csv", "there is no folder"),
        (".", "is a directory"),
    ],
)
def test_a_wrong_output_is_refused_before_anything_is_fetched(
    service: Sandbox, tmp_path: Path, name: str, words: str
) -> None:
    """The service sees no request."""
    done = run("cohorts", "export", "--output", str(tmp_path / name))
    assert done.status == 2 and words in done.err
    assert service.requests == []


def test_a_workbook_without_openpyxl(
    service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install, before anything is fetched."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    done = run("cohorts", "export", "--output", str(tmp_path / "cohorts.XLSX"))
    assert done.status == 2 and "pip install openpyxl" in " ".join(done.err.split())
    assert service.requests == []


def test_a_failed_export_leaves_the_old_file(fresh_service: Sandbox, tmp_path: Path) -> None:
    """If a cohort cannot be fetched, the file stays as it was, and no other file is left."""
    path = tmp_path / "cohorts.csv"
    path.write_text("old")
    fresh_service.fail_next(status=400, path="/cohorts-api/v2/cohorts/68d8bf84")
    before = {*tmp_path.iterdir()}
    done = run("cohorts", "export", "--output", str(path))
    assert (done.status, path.read_text()) == (1, "old")
    assert done.err.splitlines()[-1].startswith("Error: 400")
    assert {*tmp_path.iterdir()} == before


@needs_posix
@pytest.mark.parametrize("name", ["cohorts.csv", "cohorts.xlsx"])
def test_an_export_on_a_full_disk(
    fresh_service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Only the error is shown, and it names the file. Python reports no workbook that could not be closed."""
    import resource

    unraisable: List[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # The limit would cut its files, too.
    noise = random.Random(1).randbytes(15_000).hex()
    Cohort("Large", query={"in_segment": 1}, description=noise).create()
    path = tmp_path / name
    before = {*tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, limits[1]))
    try:
        done = run("cohorts", "export", "--name", "Large", "--output", str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.status == 1
    assert done.err.splitlines()[-1] == f"Error: {path}: File too large"
    assert (unraisable, {*tmp_path.iterdir()}) == ([], before)


def test_a_cohort_that_is_deleted_meanwhile_is_left_out(fresh_service: Sandbox) -> None:
    """404 for a listed cohort is no error."""
    fresh_service.fail_next(status=404, path="/cohorts-api/v2/cohorts/68d8bf84")
    done = run("cohorts", "export", "--tag", "sport")
    assert done.status == 0
    assert "Football Fans" not in names(done.out) and "Formula 1 Enthusiasts" in names(done.out)


@needs_posix
def test_a_link_that_leads_to_itself(service: Sandbox, tmp_path: Path) -> None:
    """The exported file replaces it."""
    path = tmp_path / "cohorts.csv"
    path.symlink_to(path)
    assert run("cohorts", "export", "--tag", "sport", "--output", str(path)).status == 0
    assert path.read_text().startswith("name,id,code")


@needs_posix
def test_an_export_keeps_links_and_modes(service: Sandbox, tmp_path: Path) -> None:
    """A file that only its owner can read stays so, and a link still leads to it."""
    path, link = tmp_path / "cohorts.csv", tmp_path / "link.csv"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    assert run("cohorts", "export", "--tag", "sport", "--output", str(link)).status == 0
    assert link.is_symlink() and path.read_text().startswith("name,id,code")
    assert path.stat().st_mode & 0o777 == 0o600


# --- On a terminal -------------------------------------------------------------------------------------------


@needs_terminal
def test_a_table_is_the_default_on_a_terminal(service: Sandbox) -> None:
    """It fits the terminal, and only its heading is bold."""
    screen = run_in_terminal("cohorts", "list", "--tag", "premium", columns=80)
    assert screen.status == 0
    lines = screen.text.splitlines()
    heading = [line for line in lines if line.startswith("\x1b[1m")]
    assert len(heading) == 3 and all(line.endswith("\x1b[0m") for line in heading)
    assert all("\x1b" not in line and len(line) <= 80 for line in lines[3:])
    assert len(lines) == 3 + 5


@needs_terminal
@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_without_colours(service: Sandbox, variables: Dict[str, str]) -> None:
    """Nothing is bold."""
    screen = run_in_terminal("workspaces", columns=140, environment=variables)
    assert screen.status == 0
    assert (
        screen.text.splitlines()[0].split()
        == "name workspace id organisation id is top level".split()
    )


@needs_terminal
def test_a_narrow_terminal(service: Sandbox) -> None:
    """Where a table would be unreadable, each cohort is a record of whole values."""
    screen = run_in_terminal("cohorts", "list", "--tag", "premium", columns=40)
    records = screen.text.split("\n\n")
    assert len(records) == 5
    assert records[0].splitlines()[:2] == [
        "code                12349",
        "name                Business Decision",
    ]
    assert all(len(line) <= 40 for line in screen.text.splitlines())


@needs_terminal
def test_names_cannot_fool_the_terminal(fresh_service: Sandbox) -> None:
    """In every format, a terminal gets no control character from a name."""
    Cohort("\x1b[2J \x9b31m \u202e", query={"in_segment": 1}, tags=["odd"]).create()
    for format in ("table", "csv", "json"):
        text = run_in_terminal("cohorts", "list", "--tag", "odd", "--format", format).text
        assert "[2J" in text
        assert not {"\x9b", "\u202e"} & {*text} and "\x1b[2J" not in text
    assert "\x1b[2J" not in run_in_terminal("cohorts", "show", "12387").text


@needs_terminal
def test_data_in_a_file_and_the_bar_on_the_terminal(service: Sandbox, tmp_path: Path) -> None:
    """If only stdout is redirected, it holds the data alone."""
    path = tmp_path / "out.csv"
    with path.open("w") as file:
        with Terminal("cohorts", "export", "--tag", "sport", stdout=file) as terminal:
            screen = terminal.wait()
    assert screen.status == 0 and "Fetching" in screen.text
    assert len(names(path.read_text(encoding="utf-8"))) == 5
