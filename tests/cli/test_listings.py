"""``permutive workspaces``, ``imports list``, ``segments list`` and ``export``, and ``references``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List

import pytest

from PermutiveAPI import Cohort, Import, Segment, SegmentList
from PermutiveAPI.Query import in_second_party_segment, in_segment
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import run, run_in_terminal
from tests.cli.writing import csv_rows
from tests.support.platforms import needs_terminal


def test_workspaces_without_their_keys(service: Sandbox) -> None:
    """Names and ids are listed in every format, keys in none."""
    for format in ("csv", "json", "ndjson", "table"):
        done = run("workspaces", "--format", format)
        assert (done.status, done.err) == (0, "")
        for workspace in service.credentials():
            assert workspace["name"] in done.out and workspace["workspace_id"] in done.out
            assert workspace["api_key"] not in done.out
    rows = json.loads(run("workspaces", "--format", "json").out)
    assert [row["is_top_level"] for row in rows] == [True, False]
    assert service.requests == []


def test_imports(service: Sandbox) -> None:
    """A table has the most important fields, the other formats all but the segments."""
    assert run("imports", "list", "--format", "table").out == (
        "code           name                relation  identifiers\n"
        "subscribercrm  Subscriber CRM      2nd       email_sha256, internal\n"
        "inmarket       In-Market Shoppers  3rd       appnexus, liveramp\n"
    )
    rows = json.loads(run("imports", "list", "--format", "json").out)
    listed = Import.list().to_json()
    assert [row["source"] for row in rows] == [each["source"] for each in listed]
    assert "segments" not in rows[0] and rows[0]["description"] is None
    _, second = csv_rows(run("imports", "list").out)
    assert (second["code"], second["identifiers"]) == ("inmarket", "appnexus, liveramp")


@pytest.mark.parametrize("name", ["inmarket", "In-Market Shoppers"])
def test_segments(service: Sandbox, name: str) -> None:
    """The segments of the named import are listed, all pages of them."""
    rows = csv_rows(run("segments", "list", name).out)
    assert (len(rows), rows[0]["code"], rows[0]["cpm"]) == (60, "700100", "0.5")
    table = run("segments", "list", name, "--format", "table").out.splitlines()
    assert table[0].split() == ["code", "name", "cpm", "categories"]
    assert len(table) == 61


def test_segments_of_no_import(service: Sandbox) -> None:
    """A name that stands for no import is wrong usage."""
    for command in ("list", "export"):
        assert run("segments", command, "nothing") == (
            2,
            "",
            "Error: no import has the id, code or name 'nothing'.\n",
        )


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_the_plan_of_exported_segments_is_empty(
    fresh_service: Sandbox, tmp_path: Path, ending: str
) -> None:
    """Whatever names and prices are, the exported table is what the service has."""
    import pandas

    import_id = Import.list()[0].id
    for number, name in enumerate(["=1+1", "a, b", '"q"', " spaces ", "007", "caf\xe9"]):
        segment = Segment(f"odd{number}", name, import_id, cpm=number / 4, categories=["a, b"])
        segment.create()
    path = tmp_path / f"segments.{ending}"
    assert run("segments", "export", "subscribercrm", "--output", str(path)).status == 0
    table = (
        path
        if ending == "csv"
        else pandas.read_excel(path, keep_default_na=False, dtype={"name": str})
    )
    plan = Segment.plan(import_id, table)
    assert (len(plan), len(plan.unchanged)) == (0, 31)
    if ending == "csv":
        assert SegmentList.from_table(path).to_json() == Segment.list(import_id).to_json()
        assert run("segments", "export", "subscribercrm").out == path.read_text(encoding="utf-8")


def test_nothing_to_list(fresh_service: Sandbox) -> None:
    """A table without rows says so on stderr. Other formats are empty, and say nothing."""
    for each in Segment.list(Import.list()[0].id):
        each.delete()
    commands = {
        "No segments were found.": ["segments", "list", "subscribercrm"],
        "No cohorts were found.": ["cohorts", "list", "--tag", "nothing"],
        "No missing cohorts were found.": ["references", "--broken"],
        "No missing cohorts or segments were found.": [
            "references",
            "--broken",
            "--check-segments",
        ],
    }
    for words, command in commands.items():
        assert words in run(*command, "--format", "table").err.splitlines()
        done = run(*command, "--format", "json")
        assert done.out == "[]\n" and words not in done.err


# --- references ----------------------------------------------------------------------------------------------


@pytest.fixture
def referring(fresh_service: Sandbox) -> Sandbox:
    """A sandbox with two cohorts that name others."""
    north = in_second_party_segment("subscribercrm", "DigitalNorth")
    Cohort("Northern fans", query=north & in_segment(12345)).create()
    Cohort("Left over", query=in_segment(99999)).create()
    fresh_service.clear_requests()
    return fresh_service


def test_all_references(referring: Sandbox) -> None:
    """Each reference is a row, those that are broken or unknown with the reason."""
    done = run("references", "--format", "json")
    rows = json.loads(done.out)
    assert [(row["cohort_name"], row["kind"], row["code"], row["problem"]) for row in rows[:3]] == [
        ("Northern fans", "segment", "DigitalNorth", None),
        ("Northern fans", "cohort", "12345", None),
        ("Left over", "cohort", "99999", "no cohort has this code"),
    ]
    assert {row["kind"] for row in rows[3:]} == {"unknown"} and len(rows) == 6
    assert done.err.startswith("Fetching: 44 of 44 requests") and done.err.count("\n") == 1


def test_a_table_of_references_has_no_empty_columns(fresh_service: Sandbox) -> None:
    """Without a segment among them, there is no column of providers."""
    table = run("references", "--format", "table").out.splitlines()
    assert table[0].split("  ")[0] == "cohort code" and "provider" not in table[0]
    assert "provider" in run("references").out.splitlines()[0]


@needs_terminal
def test_a_problem_is_shown_whole(referring: Sandbox) -> None:
    """On a terminal, no reason is cut."""
    reasons = {row["problem"] for row in json.loads(run("references", "--format", "json").out)}
    shown = run_in_terminal("references").text
    assert "\u2026" not in shown.partition("\n")[2]
    assert all(f"  {reason}\n" in shown for reason in reasons - {None})


def test_used_by(referring: Sandbox) -> None:
    """The cohorts whose queries name a cohort, and a word about those that cannot be read."""
    done = run("references", "--used-by", "Football Fans")
    assert [row["name"] for row in csv_rows(done.out)] == ["Northern fans"]
    assert done.err.splitlines()[-1] == (
        "3 more cohorts may name others, but cannot be read. `permutive references` says why."
    )
    assert csv_rows(run("references", "--used-by", "12346").out) == []


def test_used_by_nobody(referring: Sandbox) -> None:
    """A name that stands for no cohort is wrong usage, before every cohort is fetched."""
    done = run("references", "--used-by", "nobody")
    assert (done.status, done.out) == (2, "")
    assert len(referring.requests) == 2


def test_unused(referring: Sandbox) -> None:
    """The cohorts that no query names."""
    done = run("references", "--unused")
    found = [row["code"] for row in csv_rows(done.out)]
    assert len(found) == 43 and "12345" not in found and "12346" in found
    assert "3 more cohorts may name others" in done.err


def test_broken(referring: Sandbox) -> None:
    """The codes that no cohort has, with the cohorts that name them."""
    done = run("references", "--broken")
    (row,) = csv_rows(done.out)
    assert (row["code"], row["cohort_name"]) == ("99999", "Left over")
    assert "3 more cohorts may name others" in done.err


def test_broken_segments(referring: Sandbox) -> None:
    """--check-segments, with --broken or alone, also finds segments that do not exist."""
    Cohort("Gone", query=in_second_party_segment("subscribercrm", "gone")).create()
    found = csv_rows(run("references", "--broken", "--check-segments").out)
    assert [(row["code"], row["cohort_name"]) for row in found] == [
        ("99999", "Left over"),
        ("subscribercrm/gone", "Gone"),
    ]
    rows = csv_rows(run("references", "--check-segments").out)
    problems = {row["code"]: row["problem"] for row in rows if row["kind"] == "segment"}
    assert problems == {"DigitalNorth": "", "gone": "the import has no such segment"}
    done = run("references", "--unused", "--check-segments")
    assert done.status == 2 and "--check-segments cannot be given with" in done.err


def test_only_one_question_at_a_time(service: Sandbox) -> None:
    """Two of the options together are wrong usage, before anything is sent."""
    done = run("references", "--unused", "--broken")
    assert done.status == 2 and "Only one of" in done.err
    assert service.requests == []


# --- Narrow and wide terminals -------------------------------------------------------------------------------


@needs_terminal
@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    "arguments",
    [
        ["workspaces"],
        ["imports", "list"],
        ["segments", "list", "inmarket"],
        ["cohorts", "list"],
        ["cohorts", "show", "12345"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(
    service: Sandbox, arguments: List[str], columns: int
) -> None:
    """Only a word that is longer than its line, such as an id, is left to the terminal."""
    screen = run_in_terminal(*arguments, columns=columns)
    assert screen.status == 0
    lines = screen.text.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    longer = [line for line in lines if len(line) > columns]
    assert [line for line in longer if len(line.strip()) > columns and "  " not in line] == []
