"""``permutive segments plan|apply``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest

from PermutiveAPI import Cohort, Import, Segment
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import Ended, run
from tests.cli.writing import csv_rows, only_file, writes

pytestmark = pytest.mark.usefixtures("fresh_service")


@pytest.fixture
def import_id(fresh_service: Sandbox) -> str:
    """The import with 25 segments, on one page."""
    fresh_service.page_size = 1_000
    return Import.list()[0].id


def planned(table: str, *options: str) -> Ended:
    """Save a table and its plan in files."""
    Path("table.csv").write_text(table, encoding="utf-8")
    done = run("segments", "plan", "subscribercrm", "table.csv", "--output", "p.json", *options)
    assert done.status == 0, done.err
    return done


def operations(sandbox: Sandbox) -> List[Any]:
    """Return verb and code of the operations that the service received."""
    return [
        (each["operation"], each.get("code") or each["data"]["code"])
        for _, body in writes(sandbox)
        for each in body["operations"]
    ]


TABLE = "code,name,cpm\nm_007,Seven,1.5\nm_8,Eight,\nDigitalNorth,North,2\n"


@pytest.mark.parametrize("name", ["subscribercrm", "Subscriber CRM", "ID"])
def test_upsert(sandbox: Sandbox, import_id: str, name: str) -> None:
    """Segments are created and updated, none is deleted, and codes stay texts."""
    Path("t.csv").write_text(TABLE)
    place = import_id if name == "ID" else name
    plan = run("segments", "plan", place, "t.csv", "--output", "p.json")
    assert plan.out.startswith(
        f"segments of import {import_id}: 2 to create, 1 to update, 0 to delete"
    )
    assert writes(sandbox) == []
    done = run("segments", "apply", "p.json", "--yes")
    assert done.status == 0, done.err
    assert operations(sandbox) == [
        ("Create", "m_007"),
        ("Create", "m_8"),
        ("Update", "DigitalNorth"),
    ]
    assert [row["status"] for row in csv_rows(done.out)] == ["created", "created", "updated"]
    again = run("segments", "plan", place, "t.csv", "--expect-no-changes")
    assert again.status == 0


def test_an_empty_cell_clears_a_field_only_on_request(import_id: str) -> None:
    """--clear-empty clears the fields of empty cells."""
    Segment("m_1", "One", import_id, cpm=2.5).create()
    assert "0 to update" in planned("code,cpm\nm_1,\n").out
    assert "    cpm: 2.5 -> 0.0\n" in planned("code,cpm\nm_1,\n", "--clear-empty").out


def test_a_sheet_of_excel(sandbox: Sandbox, import_id: str, tmp_path: Path) -> None:
    """In a sheet of Excel, the code 007 and the name NA stay what they are."""
    import pandas

    sheet = pandas.DataFrame({"code": ["007", "008"], "name": ["NA", "Eight"], "cpm": [1.5, None]})
    sheet.to_excel(tmp_path / "s.xlsx", index=False, engine="openpyxl")
    plan = run("segments", "plan", import_id, "s.xlsx", "--output", "p.json")
    assert plan.status == 0, plan.err
    assert run("segments", "apply", "p.json", "--yes").status == 0
    ((_, body),) = writes(sandbox)
    assert [each["data"] for each in body["operations"]] == [
        {"code": "007", "name": "NA", "cpm": 1.5},
        {"code": "008", "name": "Eight"},
    ]


def test_mirror_deletes_only_what_is_owned(sandbox: Sandbox, import_id: str) -> None:
    """A mirror deletes owned segments that are not in the table: by prefix, by category, or both."""
    for code, categories in [("m_1", []), ("m_2", []), ("x_1", ["ours"]), ("x_2", ["theirs"])]:
        Segment(code, code, import_id, categories=categories).create()
    sandbox.clear_requests()
    owned = ("--mode", "mirror", "--owned-prefix", "m_", "--owned-category", "ours")
    done = planned("code,name\nm_1,One\n", *owned)
    assert "- m_2 (m_2)\n" in done.out and "- x_1 (x_1)\n" in done.out
    assert run("segments", "apply", "p.json", "--yes").status == 0
    assert operations(sandbox) == [("Update", "m_1"), ("Delete", "m_2"), ("Delete", "x_1")]


def test_a_row_that_is_not_owned(sandbox: Sandbox, import_id: str) -> None:
    """The error names the options, and not what they are in Python."""
    Path("table.csv").write_text("code,name\nx_1,One\n")
    owned = ("--owned-prefix", "m_", "--owned-category", "ours")
    done = run("segments", "plan", import_id, "table.csv", *owned)
    assert done.status == 2
    words = "--owned-prefix 'm_' or --owned-category 'ours' does not own the segment 'x_1'"
    assert f"row 1: {words}\n" in done.err


def test_mirror_of_everything_is_limited(sandbox: Sandbox, import_id: str) -> None:
    """A mirror of the whole import has a limit, which --max-delete-share raises."""
    planned("code,name\nm_1,One\n", "--mode", "mirror", "--owned-everything")
    done = run("segments", "apply", "p.json", "--yes")
    assert done.status == 3
    assert "100 % is over 80 %; pass --max-delete-share\n" in done.err
    assert writes(sandbox) == []
    assert run("segments", "apply", "p.json", "--yes", "--max-delete-share", "1").status == 0
    assert len(operations(sandbox)) == 26


def test_deletions_are_shown_first_and_long_plans_are_cut(import_id: str) -> None:
    """Before the question, at most 100 lines are shown, with the deletions first; --dry-run shows all."""
    rows = "".join(f"n_{number},N,\n" for number in range(60))
    planned("code,name,cpm\n" + rows, "--mode", "mirror", "--owned-everything")
    done = run("segments", "apply", "p.json", "--yes", "--max-delete-share", "1")
    signs = [line[0] for line in done.err.splitlines() if line[:2] in ("+ ", "- ")]
    assert signs == ["-"] * 25 + ["+"] * 37
    assert "and 46 more lines, which --dry-run shows\n" in done.err
    whole = run("segments", "apply", "p.json", "--dry-run", "--max-delete-share", "1")
    assert len([line for line in whole.out.splitlines() if line[:2] in ("+ ", "- ")]) == 85


def test_a_used_segment_is_not_deleted(sandbox: Sandbox, import_id: str) -> None:
    """A segment that a query names is not deleted: status 3."""
    query = {"in_second_party_segment": {"provider": "subscribercrm", "segment": "DigitalNorth"}}
    Cohort("User", query=query).create()
    others = "".join(
        f"{each.code},{each.name}\n"
        for each in Segment.list(import_id)
        if each.code != "DigitalNorth"
    )
    text = '"Digital subscribers, '
    table = "code,name\n" + "".join(
        line if "," not in line.partition(",")[2] else _quoted(line)
        for line in others.splitlines(True)
    )
    assert text in table
    planned(table, "--mode", "mirror", "--owned-everything")
    sandbox.clear_requests()
    done = run("segments", "apply", "p.json", "--yes")
    assert done.status == 3
    assert "'Digital subscribers, North' (DigitalNorth): 'User'" in done.err
    assert writes(sandbox) == []


def test_a_key_that_may_not_read_queries(sandbox: Sandbox, import_id: str) -> None:
    """The text says what the key must read, and names the option that needs no reading."""
    planned("code,name\nm_1,One\n", "--mode", "mirror", "--owned-everything")
    sandbox.fail_next(method="GET", path="/cohorts-api/", status=403)
    done = run("segments", "apply", "p.json", "--yes", "--max-delete-share", "1")
    assert done.status == 4
    assert "Pass a key that may read imports and cohorts, or --allow-used." in done.err
    assert writes(sandbox) == []


def _quoted(line: str) -> str:
    code, _, name = line.rstrip("\n").partition(",")
    return f'{code},"{name}"\n'


def test_a_mirror_needs_to_know_what_is_owned(sandbox: Sandbox) -> None:
    """A mirror without --owned-... is status 2, and names the options. Nothing is sent."""
    Path("t.csv").write_text(TABLE)
    done = run("segments", "plan", "subscribercrm", "t.csv", "--mode", "mirror")
    assert done.status == 2
    assert "pass --owned-prefix, --owned-category or --owned-everything." in done.err
    assert sandbox.requests == []


def test_an_unknown_import(sandbox: Sandbox) -> None:
    """An import that is not there is named."""
    done = run("segments", "plan", "nothing", "-", stdin=TABLE)
    assert done.status == 2
    assert "no import has the id, code or name 'nothing'." in done.err


def test_words_of_the_shell() -> None:
    """Errors about a table name no functions of Python."""
    for table in ("code;name\n1;a\n", "code,näme\n".encode("latin-1").decode("latin-1")):
        done = run("segments", "plan", "subscribercrm", "-", stdin=table)
        assert done.status == 2
        assert "pandas" not in done.err
    separated = run("segments", "plan", "subscribercrm", "-", stdin="code;name\n1;a\n")
    remedy = "Save it with commas, or as a sheet of Excel (.xlsx).\n"
    assert separated.err.endswith(f"separated by ';' instead of commas. {remedy}")
    Path("latin.csv").write_bytes("code,name\n1,Köln\n".encode("latin-1"))
    foreign = run("segments", "plan", "subscribercrm", "latin.csv")
    remedy = "Save it as one, or as a sheet of Excel (.xlsx).\n"
    assert foreign.err.endswith(f"it is not a CSV file in UTF-8. {remedy}")


def test_failed_rows(sandbox: Sandbox, import_id: str, tmp_path: Path) -> None:
    """A row that the service refuses is written into a file; the others are done. Status 1."""
    planned("code,name,cpm\nm_1,One,\nm-2,Two,\nm_3,Three,\n")
    done = run("segments", "apply", "p.json", "--yes")
    assert done.status == 1
    assert "row 2, Two (m-2): failed: 400 Bad Request" in done.err
    failures = only_file(tmp_path, "permutive-failed-*.csv")
    text = failures.read_text("utf-8")
    assert [row["code"] for row in csv_rows(text)] == ["m-2"]
    failures.write_text(text.replace("m-2", "m_2"), "utf-8")
    planned(failures.read_text("utf-8"))
    assert run("segments", "apply", "p.json", "--yes").status == 0
    codes = {each.code for each in Segment.list(import_id)}
    assert {"m_1", "m_2", "m_3"} <= codes
