"""``permutive cohorts enable|disable|tag|plan|apply|copy``."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any, List
from zipfile import ZipFile

import pytest
from click import unstyle

from PermutiveAPI import Cohort, CohortList, Workspace
from PermutiveAPI.cli.failures import new_failures_path, open_failures
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import Terminal, run, run_in_terminal, start
from tests.cli.writing import csv_rows, objects, only_file, writes
from tests.support.platforms import needs_full_disk, needs_posix, needs_terminal

pytestmark = pytest.mark.usefixtures("fresh_service")


def cohort(code: int) -> Cohort:
    """Return a cohort with its query."""
    found = Cohort.get_by_code(code)
    assert found is not None
    return found


# --- enable, disable, tag ------------------------------------------------------------------------


def test_disable_and_enable(sandbox: Sandbox) -> None:
    """Cohorts that are named by code, name or id are changed, others are not, and a second run changes nothing."""
    third = cohort(12347).id or ""
    sandbox.clear_requests()
    done = run("cohorts", "disable", "12345", "Gamers", third, "--yes")
    assert done.status == 0, done.err
    assert writes(sandbox) == [("PATCH", {"state": "Disabled"})] * 3
    disabled = [each.name for each in Cohort.list() if each.state == "Disabled"]
    assert disabled == ["Football Fans", "Formula 1 Enthusiasts", "Gamers"]
    assert [row["status"] for row in csv_rows(done.out)] == ["updated"] * 3
    assert '    state: "Enabled" -> "Disabled"' in done.err
    assert done.err.endswith("cohorts: 3 updated\n")

    sandbox.clear_requests()
    assert run("cohorts", "enable", "12345", "--yes").status == 0
    again = run("cohorts", "enable", "12345", "--yes")
    assert (again.status, again.out) == (0, "")
    assert writes(sandbox) == [("PATCH", {"state": "Enabled"})]


def test_nothing_to_change_in_a_format(sandbox: Sandbox) -> None:
    """With --format, stdout is data in this format, also if nothing changes."""
    done = run("cohorts", "enable", "12345", "--yes", "--format", "json")
    assert (done.status, json.loads(done.out)) == (0, [])


def test_names_from_stdin_and_a_tag(sandbox: Sandbox) -> None:
    """ "-" stands for the lines of stdin, --tag adds the cohorts with a tag, and each is changed once."""
    done = run(
        "cohorts",
        "disable",
        "-",
        "--tag",
        "food",
        "--yes",
        stdin="\ufeffGamers\r\n\n Home Cooks \n",
    )
    assert done.status == 0, done.err
    names = {row["name"] for row in csv_rows(done.out)}
    assert names == {"Gamers", "Home Cooks", "Vegan Food Readers", "Wine and Dining"}
    assert len(writes(sandbox)) == 4


def test_no_names_on_stdin(sandbox: Sandbox) -> None:
    """A job that finds no cohorts to change ends well."""
    done = run("cohorts", "disable", "-", "--yes")
    assert (done.status, done.out, done.err) == (0, "", "No cohorts are named on stdin.\n")
    assert sandbox.requests == []


def test_tags_are_added_and_removed(sandbox: Sandbox) -> None:
    """Other tags stay, in their order; a cohort that has the tags already is not sent."""
    done = run(
        *("cohorts", "tag", "12345", "12348", "Box Set Viewers"),
        *("--add", "sport", "--add", "berlin, mitte", "--remove", "editorial", "--yes"),
    )
    assert done.status == 0, done.err
    assert sorted(body["tags"] for _, body in writes(sandbox)) == [
        ["entertainment", "sport", "berlin, mitte"],
        ["sport", "berlin, mitte"],
        ["sport", "lifestyle", "berlin, mitte"],
    ]


def test_the_last_tag_is_removed(sandbox: Sandbox) -> None:
    """A cohort may lose its only tag."""
    assert run("cohorts", "tag", "12365", "--remove", "entertainment", "--yes").status == 0
    assert writes(sandbox) == [("PATCH", {"tags": []})]
    assert not cohort(12365).tags


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["enable", "--yes"], "Name cohorts, or pass --tag."),
        (["enable"], "Name cohorts, or pass --tag."),
        (["disable"], "Name cohorts, or pass --tag."),
        (["tag", "--add", "a"], "Name cohorts, or pass --tag."),
        (
            ["enable", "--tag", "none", "--yes"],
            "Invalid value for --tag: no cohort has the tag 'none'",
        ),
        (["tag", "12345"], "Pass --add or --remove."),
        (["tag", "12345", "--add", "a", "--add", " "], "A tag must not be empty."),
        (["tag", "12345", "--add", "a", "--remove", ""], "A tag must not be empty."),
        (
            ["enable", "12345", "--yes", "--failures", ""],
            "'--failures': the path must not be empty.",
        ),
        (["export", "--output", ""], "'--output': the path must not be empty."),
        (
            ["tag", "12345", "--add", "a", "--remove", "a"],
            "--add and --remove have the same tag: a.",
        ),
        (
            ["enable", "12345", "Nobody", "1", "--yes"],
            "no cohort has the id, code or name 'Nobody'",
        ),
        (
            ["disable", "12345", "12371", "12372", "--yes"],
            "Error: These cohorts cannot be changed:\n'Lapsed Readers Lookalike' has no query, like all lookalike cohorts, and cannot be changed "
            "here\n'High-Value Customers Lookalike' has no query",
        ),
        (["disable", "12345"], "There is no terminal to ask on. Pass --yes to make the changes."),
        (["plan", "missing.csv"], "'missing.csv' does not exist."),
        (["apply", "missing.json", "--yes"], "'missing.json' does not exist."),
        (["copy", "12345", "--to", "Nowhere", "--yes"], "Invalid value for --to: No workspace"),
        (["copy", "--to", "Meridian Regional News"], "Missing argument 'COHORT...'."),
        (["copy", "-", "--to", "Meridian Regional News", "--yes"], "Name cohorts."),
        (
            ["disable", "12345", "--yes", "--failures", "nowhere/failed.csv"],
            "Invalid value for '--failures': there is no folder 'nowhere'.",
        ),
        (
            ["plan", "-", "--output", "nowhere/plan.json"],
            "Invalid value for '--output': there is no folder 'nowhere'.",
        ),
        (
            ["copy", "12345", "--to", "Meridian Media Group", "--yes"],
            "Invalid value for --to: the cohorts are in this workspace already",
        ),
        (
            ["copy", "12345", "--to", "Meridian Regional News", "--map", "12", "--yes"],
            "'12' is not CODE_HERE=CODE_THERE",
        ),
    ],
)
def test_wrong_usage(sandbox: Sandbox, arguments: List[str], words: str) -> None:
    """Wrong usage is status 2 and a text that says what is wrong, and nothing is written."""
    done = run("cohorts", *arguments)
    assert (done.status, done.out) == (2, "")
    assert words in done.err
    assert writes(sandbox) == []


def test_without_yes_nothing_is_even_read(sandbox: Sandbox) -> None:
    """Without a terminal and --yes, a command fails at once, and not only when there are changes."""
    assert run("cohorts", "enable", "12345").status == 2
    assert sandbox.requests == []


def test_dry_run(sandbox: Sandbox) -> None:
    """--dry-run shows the plan on stdout, needs no --yes, and writes nothing."""
    done = run("cohorts", "disable", "Gamers", "--dry-run")
    assert done.status == 0, done.err
    assert done.out == (
        "cohorts: 0 to create, 1 to update, 0 to delete, 0 unchanged\n"
        f"~ Gamers ({cohort(12364).id})\n"
        '    state: "Enabled" -> "Disabled"\n'
    )
    assert writes(sandbox) == []


@needs_terminal
def test_a_plan_on_a_narrow_terminal() -> None:
    """Long lines go on below their beginning. An id stays whole, so that it can be copied."""
    screen = run_in_terminal("cohorts", "disable", "Gamers", "--dry-run", columns=40)
    assert unstyle(screen.text) == (
        "cohorts: 0 to create, 1 to update, 0 to\n"
        "  delete, 0 unchanged\n"
        f"~ Gamers\n  ({cohort(12364).id})\n"
        '    state: "Enabled" -> "Disabled"\n'
    )


# --- The question --------------------------------------------------------------------------------


@needs_terminal
def test_a_terminal_is_asked(sandbox: Sandbox) -> None:
    """On a terminal, the plan has its width, wherever stdout goes. A person is asked, and y makes the changes."""
    command = ("cohorts", "disable", "Gamers", "12345")
    with Terminal(*command, columns=30, stdout=subprocess.PIPE) as terminal:
        shown = terminal.read_until("Make 2 changes? [y/N]: ")
        assert "2 to\n  update, 0 to delete, 0\n  unchanged\n" in unstyle(shown)
        assert writes(sandbox) == []
        terminal.type("y\n")
        screen = terminal.wait()
    assert screen.status == 0, screen.text
    assert "cohorts: 2 updated" in screen.text
    assert len(writes(sandbox)) == 2


@needs_terminal
@pytest.mark.parametrize("typed", ["n\n", "\n", "\x04"])
def test_without_consent_nothing_is_written(sandbox: Sandbox, typed: str) -> None:
    """No, nothing, or the end of the input: nothing is written, and the status is 1."""
    screen = run_in_terminal("cohorts", "disable", "Gamers", typed=typed)
    assert screen.status == 1
    assert "Make 1 change? [y/N]" in screen.text
    assert writes(sandbox) == []


@needs_terminal
def test_ctrl_c_at_the_question(sandbox: Sandbox) -> None:
    """Ctrl-C at the question is status 130, without a traceback, and nothing is written."""
    with Terminal("cohorts", "disable", "Gamers") as terminal:
        terminal.read_until("[y/N]")
        terminal.send_signal(signal.SIGINT)
        screen = terminal.wait()
    assert screen.status == 130
    assert "Traceback" not in screen.text
    assert writes(sandbox) == []


# --- plan and apply ------------------------------------------------------------------------------

HEAD = "code,name,tags,state\n"


def planned(table: str, *options: str) -> Any:
    """Save a table and its plan in files."""
    Path("table.csv").write_text(table, encoding="utf-8")
    done = run("cohorts", "plan", "table.csv", "--output", "plan.json", *options)
    assert done.status == 0, done.err
    return done


@needs_posix
def test_a_plan_in_a_pipe() -> None:
    """What is no file, such as /dev/null, is written, and not replaced."""
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        Path("table.csv").write_text(HEAD + "12345,Fans,,\n", encoding="utf-8")
        assert run("cohorts", "plan", "table.csv", "--output", "pipe").status == 0
        assert json.loads(os.read(reader, 100_000))["changes"]
    finally:
        os.close(reader)
    assert Path("pipe").is_fifo()


@needs_posix
def test_a_plan_whose_reader_is_gone(fresh_service: Sandbox) -> None:
    """The plan is saved, and the status says that there are changes."""
    Path("table.csv").write_text(HEAD + "12345,Fans,,\n", encoding="utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    command = ("cohorts", "plan", "table.csv", "--output", "plan.json", "--expect-no-changes")
    try:
        with start(*command, stdout=writer) as process:
            assert process.wait(60) == 5
    finally:
        os.close(writer)
    assert json.loads(Path("plan.json").read_text("utf-8"))["changes"]


def test_a_plan_is_saved_and_applied(sandbox: Sandbox) -> None:
    """A plan writes nothing. Its file, applied, makes exactly its changes, and applied again none."""
    done = planned(HEAD + '12345,Football readers,"sport, 2027",\n12346,,,Disabled\n12347,,,\n')
    assert done.out.startswith("cohorts: 0 to create, 2 to update, 0 to delete, 1 unchanged\n")
    assert '    name: "Football Fans" -> "Football readers"\n' in done.out
    assert done.err == "The plan is in plan.json.\n"
    assert Path("plan.json").read_text().endswith("\n}\n")
    assert writes(sandbox) == []
    applied = run("cohorts", "apply", "plan.json", "--yes")
    assert applied.status == 0, applied.err
    assert sorted(sorted(body) for _, body in writes(sandbox)) == [["name", "tags"], ["state"]]
    assert [(row["action"], row["status"]) for row in csv_rows(applied.out)] == [
        ("update", "updated"),
        ("update", "updated"),
    ]
    again = run(
        "cohorts", "apply", "-", "--yes", stdin="\ufeff" + Path("plan.json").read_text("utf-8")
    )
    assert again.status == 0 and again.err.endswith("cohorts: 3 unchanged\n")
    assert len(writes(sandbox)) == 2


def test_an_export_gives_no_changes(sandbox: Sandbox, tmp_path: Path) -> None:
    """The plan of what is there is empty: status 0 with --expect-no-changes, and 5 after an edit."""
    table = tmp_path / "all.csv"
    Cohort.list(include_details=True).to_pd_dataframe(flat=True).to_csv(table, index=False)
    assert run("cohorts", "plan", str(table), "--expect-no-changes").status == 0
    cohort(12345).disable()
    done = run("cohorts", "plan", str(table), "--expect-no-changes")
    assert done.status == 5
    assert '    state: "Disabled" -> "Enabled"\n' in done.out


def test_a_table_on_stdin_and_clear_empty() -> None:
    """A plan reads CSV from stdin; an empty cell clears its field only with --clear-empty."""
    table = "code,tags\n12345,\n"
    assert "0 to update" in run("cohorts", "plan", "-", stdin=table).out
    done = run("cohorts", "plan", "-", "--clear-empty", stdin="\ufeff" + table)
    assert '    tags: ["sport", "editorial"] -> []\n' in done.out


@pytest.mark.parametrize(
    "table, words",
    [
        (
            "code;name\n",
            "Error: table: the columns of stdin are separated by ';' instead of commas.",
        ),
        ("code\n1,2\n", "Error: table: line 2 of stdin has 2 cells, but the header has 1."),
        ('code\n"', "Error: table: stdin: after line 1: unexpected end of data."),
        ("", "Error: table: the file stdin is empty."),
    ],
)
def test_a_broken_table_on_stdin(table: str, words: str) -> None:
    """The error names stdin, not the copy of it."""
    done = run("cohorts", "plan", "-", stdin=table)
    assert done.status == 2 and done.err.startswith(words)


@needs_posix
def test_a_table_in_a_named_pipe() -> None:
    """A pipe, such as that of `<(...)` in a shell, is read once. An error names it."""
    os.mkfifo("pipe")
    for table, words in (("code,name\n12345,Readers\n", "1 to update"), ("a;b\n", "of 'pipe' are")):
        writer = Thread(target=Path("pipe").write_text, args=[table], daemon=True)
        writer.start()
        done = run("cohorts", "plan", "pipe")
        writer.join(5)
        assert words in done.out + done.err


def test_a_long_query_comes_back_from_csv() -> None:
    """A cell of an exported table may be longer than Python's limit for CSV. The limit stays."""
    Cohort("Long", query={"in_segment": 1}, description="x" * 131_073).create()
    limit = csv.field_size_limit()
    assert run("cohorts", "export", "--name", "Long", "--output", "long.csv").status == 0
    assert "0 to update, 0 to delete, 1 unchanged" in run("cohorts", "plan", "long.csv").out
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    "arguments, option",
    [
        (["cohorts", "plan", "t.csv", "--output", "./t.csv"], "--output"),
        (["segments", "plan", "subscribercrm", "t.csv", "--output", "t.csv"], "--output"),
        (["cohorts", "apply", "t.csv", "--yes", "--failures", "t.csv"], "--failures"),
    ],
)
def test_a_file_that_is_read_is_not_replaced(
    sandbox: Sandbox, arguments: List[str], option: str
) -> None:
    """A plan is not saved over its table, and failed rows are not saved over their plan."""
    Path("t.csv").write_text("code,name\n12345,Readers\n")
    done = run(*arguments)
    assert (done.status, sandbox.requests) == (2, [])
    assert f"Invalid value for {option}: this is the file that is read; name another" in done.err
    assert Path("t.csv").read_text() == "code,name\n12345,Readers\n"


def test_a_sheet_of_excel(tmp_path: Path) -> None:
    """In a sheet of Excel, codes are texts or numbers, and empty cells stay empty."""
    import pandas

    rows = {
        "code": ["12345", 12346],
        "name": ["Football readers", None],
        "state": [None, "Disabled"],
    }
    pandas.DataFrame(rows, dtype=object).to_excel(
        tmp_path / "a.XLSX", index=False, engine="openpyxl"
    )
    done = run("cohorts", "plan", "a.XLSX", "--format", "csv")
    assert done.status == 0, done.err
    found = [(row["field"], row["old"], row["new"]) for row in csv_rows(done.out)]
    assert found == [
        ("name", "Football Fans", "Football readers"),
        ("state", "Enabled", "Disabled"),
    ]


@pytest.mark.parametrize(
    "header, words",
    [
        (
            ["code", "name", None, None],
            "cohorts: 0 to create, 1 to update, 0 to delete, 0 unchanged\n~",
        ),
        (
            ["code", "name", "owner", "name"],
            "Error: table has several columns with the name 'name'.",
        ),
        ([], "Error: table has no rows."),
    ],
)
def test_a_header_of_excel(header: List[Any], words: str) -> None:
    """Names count as in CSV: a column without one is left out, and two of the same are an error."""
    import pandas

    rows = [header, [12345, "Readers", "note", "Others"]] if header else []
    pandas.DataFrame(rows, dtype=object).to_excel("a.xlsx", index=False, header=False)
    done = run("cohorts", "plan", "a.xlsx")
    assert (done.out + done.err).startswith(words)


def test_what_openpyxl_does_not_keep() -> None:
    """A sheet with a drop-down list of Excel is read without a warning."""
    import pandas

    frame = pandas.DataFrame({"code": [12345], "name": ["Readers"]})
    frame.to_excel("plain.xlsx", index=False, engine="openpyxl")
    name, end = "xl/worksheets/sheet1.xml", b"</worksheet>"
    extension = b'<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst>'
    with ZipFile("plain.xlsx") as plain, ZipFile("list.xlsx", "w") as made:
        for each in plain.namelist():
            content = plain.read(each)
            made.writestr(each, content.replace(end, extension + end) if each == name else content)
    done = run("cohorts", "plan", "list.xlsx")
    assert (done.status, done.err) == (0, "")


def test_an_error_of_excel() -> None:
    """A failed formula is not an empty cell, which could clear a field. In a column that is not read, it does not matter."""
    import pandas

    rows = {"code": [12345, 12346], "description": ["Fans", "#N/A"], "own": ["#REF!", "x"]}
    pandas.DataFrame(rows).to_excel("a.xlsx", index=False, engine="openpyxl")
    done = run("cohorts", "plan", "a.xlsx", "--clear-empty")
    assert (done.status, done.err) == (
        2,
        "Error: table has 1 bad cell (row 1 is line 2 of a sheet):\n"
        "row 2, description: must be a text, got an error of Excel, such as #N/A\n",
    )
    pandas.DataFrame({**rows, "description": ""}).to_excel("b.xlsx", index=False, engine="openpyxl")
    kept = json.loads(run("cohorts", "plan", "b.xlsx", "--format", "json").out)["rows"]
    assert [row["own"] for row in kept] == ["an error of Excel, such as #N/A", "x"]


def test_excel_without_openpyxl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without openpyxl, a text says what to install; a file that is no sheet is named."""
    Path("a.xlsx").write_bytes(b"no sheet")
    broken = run("cohorts", "plan", "a.xlsx")
    assert broken.status == 2 and "a.xlsx cannot be read as a sheet of Excel" in broken.err
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    missing = run("cohorts", "plan", "a.xlsx")
    assert missing.status == 2
    assert "pip install openpyxl" in missing.err


@pytest.mark.parametrize("format", ["json", "ndjson", "csv", "markdown"])
def test_formats_of_a_plan(format: str) -> None:
    """A plan is written in each format, with its changes; JSON is what `apply` reads."""
    done = planned(HEAD + '12345,A "B" | C,"x, y",\n', "--format", format)
    if format == "json":
        assert json.loads(done.out) == json.loads(Path("plan.json").read_text("utf-8"))
    elif format == "ndjson":
        assert [(each["field"], each["new"], each["row"]) for each in objects(done.out)] == [
            ("name", 'A "B" | C', 1),
            ("tags", ["x", "y"], 1),
        ]
    elif format == "csv":
        assert [each["new"] for each in csv_rows(done.out)] == ['A "B" | C', "x, y"]
    else:
        assert done.out.startswith("**cohorts: 0 to create, 1 to update")


def test_names_cannot_pretend_to_be_lines_of_a_plan() -> None:
    """Line breaks and control characters in a name are shown escaped."""
    name = "x\n+ Harmless\x1b[2K"
    made = Cohort(name, query={"in_segment": 12345})
    made.create()
    done = run("cohorts", "disable", str(made.code), "--dry-run")
    assert done.out.splitlines()[1].startswith("~ x\\n+ Harmless\\x1b[2K (")
    assert len(done.out.splitlines()) == 3


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "holds no plan"),
        ("[1]", "holds no plan"),
        ('{"format": 7}', "a plan of format 1 is expected, not of 7"),
        ('{"format": 1, "target": {}}', "this is not a whole plan"),
        ("code,name\n1,a\n", "holds no plan as `permutive cohorts plan --output` saves it"),
        ("\ufffe", "holds no plan"),
    ],
)
def test_no_plan(sandbox: Sandbox, content: str, words: str) -> None:
    """A file that is not a plan is named, and nothing is sent."""
    Path("p.json").write_text(content, encoding="utf-8")
    done = run("cohorts", "apply", "p.json", "--yes")
    assert done.status == 2
    assert "Invalid value for PLAN: p.json " in done.err and words in done.err
    assert sandbox.requests == []


def test_a_plan_of_cohorts_is_not_one_of_segments() -> None:
    """`segments apply` refuses a plan of cohorts, and names the command for it."""
    planned(HEAD + "12345,New name,,\n")
    done = run("segments", "apply", "plan.json", "--yes")
    assert done.status == 2
    assert "this is a plan of cohorts; use `permutive cohorts apply`." in done.err


def test_bad_rows_are_listed() -> None:
    """All bad rows of a table are in one error, with status 2."""
    done = run("cohorts", "plan", "-", stdin="code,state\n12346,Off\n12345,On\n")
    assert done.status == 2
    assert (
        "Error: table has 2 bad rows (row 1 is line 2 of a sheet):\nrow 1: state" in done.err
        and "\nrow 2: state" in done.err
    )


def test_an_outdated_plan_is_refused(sandbox: Sandbox) -> None:
    """If a cohort has changed since, the status is 3, the text shows both values, and nothing is written."""
    planned(HEAD + "12345,New name,,\n")
    other = cohort(12345)
    other.name = "Changed by another"
    other.update()
    sandbox.clear_requests()
    done = run("cohorts", "apply", "plan.json", "--yes")
    assert done.status == 3
    assert 'name: "Football Fans" when planned, "Changed by another" now' in done.err
    assert writes(sandbox) == []


def test_too_many_changes_are_refused_before_the_question(sandbox: Sandbox) -> None:
    """A limit is status 3; the text names the option that raises it."""
    rows = "".join(f"{code},,,Disabled\n" for code in range(12345, 12371))
    planned(HEAD + rows)
    limit = ("--max-update-share", "0.5")
    for asking in (["--yes"], ["--dry-run"]):
        done = run("cohorts", "apply", "plan.json", *limit, *asking)
        assert done.status == 3
        assert done.err.endswith(
            "Error: too many updates: 26 of 28, 92.9 % is over 50 %; pass --max-update-share\n"
        )
    assert writes(sandbox) == []
    assert run("cohorts", "apply", "plan.json", "--max-update-share", "1", "--yes").status == 0


def test_used_cohorts_are_not_deleted(sandbox: Sandbox) -> None:
    """Status 3 if a query names a cohort that a plan deletes; --allow-used deletes it."""
    Cohort("Names it", query={"in_segment": 12345}).create()
    before = Cohort.list(include_details=True)
    after = CohortList([each for each in before if each.code != 12345 and each.query])
    kept = CohortList([each for each in before if each.query])
    Path("plan.json").write_text(json.dumps(kept.plan_to(after).to_json()))
    sandbox.clear_requests()
    done = run("cohorts", "apply", "plan.json", "--yes")
    assert done.status == 3
    assert "Change the queries first, or pass --allow-used." in done.err
    assert writes(sandbox) == []
    assert run("cohorts", "apply", "plan.json", "--yes", "--allow-used").status == 0
    assert writes(sandbox) == [("DELETE", None)]


def test_failed_rows_make_a_table_for_a_new_plan(sandbox: Sandbox, tmp_path: Path) -> None:
    """If a change fails, the status is 1, and a file has only its row, which a plan reads as it is."""
    planned(HEAD + '12345,Fans,"a, b",\n12346,,"c",\n')
    path = f"/cohorts-api/v2/cohorts/{cohort(12345).id}"
    sandbox.fail_next(method="PATCH", path=path, status=400)
    done = run("cohorts", "apply", "plan.json", "--yes")
    assert done.status == 1
    failures = only_file(tmp_path, "permutive-failed-*.csv")
    assert failures.stat().st_mode & 0o077 == 0
    assert f"The failed rows are in {failures.name}." in done.err
    assert {row["status"] for row in csv_rows(done.out)} == {"failed", "updated"}
    (row,) = csv_rows(failures.read_text("utf-8"))
    assert (row["code"], row["name"], row["status"]) == ("12345", "Fans", "failed")
    again = run("cohorts", "plan", failures.name, "--output", "again.json")
    assert "0 to create, 1 to update" in again.out
    assert run("cohorts", "apply", "again.json", "--yes").status == 0
    assert (cohort(12345).name, cohort(12345).tags) == ("Fans", ["a", "b"])


def test_the_place_of_failed_rows(sandbox: Sandbox) -> None:
    """--failures names the file."""
    sandbox.fail_next(method="PATCH", status=400)
    done = run("cohorts", "disable", "12345", "--yes", "--failures", "failed.csv")
    assert done.status == 1
    plan = run("cohorts", "plan", "failed.csv")
    assert '    state: "Enabled" -> "Disabled"\n' in plan.out


@needs_posix
def test_old_failures_that_others_may_read(sandbox: Sandbox) -> None:
    """The file is new, so only its owner may read it."""
    Path("failed.csv").touch(0o644)
    sandbox.fail_next(method="PATCH", status=400)
    assert run("cohorts", "disable", "12345", "--yes", "--failures", "failed.csv").status == 1
    assert Path("failed.csv").stat().st_mode & 0o077 == 0


@needs_full_disk
def test_failed_rows_on_a_full_disk(sandbox: Sandbox) -> None:
    """The error names the file, and stdout still has all outcomes."""
    sandbox.fail_next(method="PATCH", status=400)
    done = run("cohorts", "disable", "12345", "12346", "--yes", "--failures", "/dev/full")
    assert done.status == 1
    assert done.err.endswith("Error: /dev/full: No space left on device\n")
    assert {row["status"] for row in csv_rows(done.out)} == {"failed", "updated"}


def test_failed_rows_replace_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two commands that fail within a second leave two files."""
    sandbox.fail_next(method="PATCH", status=400, times=2)
    for code in ("12345", "12346"):
        assert run("cohorts", "disable", code, "--yes").status == 1
    files = [*tmp_path.glob("permutive-failed-*.csv")]
    assert {csv_rows(file.read_text("utf-8"))[0]["code"] for file in files} == {"12345", "12346"}


def test_names_of_files_with_failures() -> None:
    """Commands that fail at the same moment have a file each, and leave those of the others alone."""
    with ThreadPoolExecutor(8) as pool:
        paths = [*pool.map(new_failures_path, ["csv"] * 40)]
    assert len({*paths}) == 40
    with open_failures(paths[0]) as file:
        new_failures_path("csv")
        assert os.path.samestat(os.fstat(file.fileno()), paths[0].stat())


def test_a_key_that_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key is status 4, and no text shows it."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", "wrong-key-0123456789")
    done = run("cohorts", "disable", "12345", "--yes")
    assert done.status == 4
    assert "wrong-key" not in done.err
    assert "Invalid API key" in done.err


@pytest.mark.parametrize("times, status", [(2, 4), (1, 1)], ids=["all changes", "one of them"])
def test_a_key_that_may_only_read(sandbox: Sandbox, times: int, status: int) -> None:
    """The status is 4 if the service refuses the key for all changes."""
    sandbox.fail_next(method="PATCH", status=403, times=times)
    done = run("cohorts", "disable", "12345", "12346", "--yes")
    assert done.status == status
    assert "403: Invalid API key or insufficient permissions." in done.err
    assert len(csv_rows(done.out)) == 2


def test_a_failure_beside_a_key_that_may_write(sandbox: Sandbox) -> None:
    """If nothing is done for another reason, the status is 1."""
    sandbox.fail_next(method="PATCH", status=400)
    assert run("cohorts", "disable", "12345", "--yes").status == 1


def test_a_named_workspace(sandbox: Sandbox) -> None:
    """--workspace takes the key of that workspace."""
    done = run("cohorts", "disable", "Gardeners", "--workspace", "Meridian Regional News", "--yes")
    assert done.status == 0, done.err
    assert writes(sandbox) == [("PATCH", {"state": "Disabled"})]


def test_a_key_whose_workspace_is_unknown(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a cohort may be inherited, the text says how to name the workspace in the shell."""
    monkeypatch.delenv("PERMUTIVE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("PERMUTIVE_API_KEY", sandbox.child_api_key)
    done = run("cohorts", "disable", "12345", "--yes")
    assert done.status == 2
    assert "Name the workspace in the credentials file, and pass --workspace" in done.err
    assert writes(sandbox) == []


# --- copy ----------------------------------------------------------------------------------------

THERE = ("--to", "Meridian Regional News")


def test_copies(sandbox: Sandbox) -> None:
    """Cohorts are copied to the other workspace; a second run copies nothing."""
    done = run("cohorts", "copy", "12345", "Gamers", *THERE, "--yes")
    assert done.status == 0, done.err
    assert sorted((verb, body["name"]) for verb, body in writes(sandbox)) == [
        ("POST", "Football Fans"),
        ("POST", "Gamers"),
    ]
    brand = Workspace.from_json(sandbox.credentials()[1])
    own = [each for each in Cohort.list(brand.api_key) if each.workspace_id == brand.workspace_id]
    assert {"Football Fans", "Gamers"} <= {each.name for each in own}
    again = run("cohorts", "copy", "12345", "Gamers", *THERE, "--yes")
    assert again.status == 0 and len(writes(sandbox)) == 2


def test_copies_with_a_code_of_the_other_workspace(sandbox: Sandbox) -> None:
    """A code that a query names needs --map, and is replaced in the copy as a number."""
    Cohort("Loyal", query={"in_segment": 12347}).create()
    sandbox.clear_requests()
    refused = run("cohorts", "copy", "Loyal", *THERE, "--yes")
    assert refused.status == 2
    assert "Error: --map: in 'Meridian Regional News', these codes" in refused.err
    assert "or pass --map CODE_HERE=CODE_THERE:\n12347, in the query of 'Loyal'" in refused.err
    done = run("cohorts", "copy", "Loyal", *THERE, "--map", "12347=12346", "--yes")
    assert done.status == 0, done.err
    assert [body["query"] for _, body in writes(sandbox)] == [{"in_segment": 12346}]


def test_a_copy_that_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """A copy that fails is status 1. The same command is the remedy, so no file is written."""
    sandbox.fail_next(method="POST", status=400)
    done = run("cohorts", "copy", "12345", "Gamers", *THERE, "--yes")
    assert done.status == 1
    assert "Run the same command again to copy what is left." in done.err
    assert not [*tmp_path.glob("permutive-failed-*")]
    assert run("cohorts", "copy", "12345", "Gamers", *THERE, "--yes").status == 0


def test_a_copy_needs_a_workspace_of_the_file(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the default key is of no workspace in the file, --workspace is needed."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", "another-key-0123456789")
    refused = run("cohorts", "copy", "12345", *THERE, "--yes")
    assert refused.status == 2 and "Pass --workspace." in refused.err
    named = ("--workspace", "Meridian Media Group")
    assert run("cohorts", "copy", "12345", *THERE, *named, "--yes").status == 0
