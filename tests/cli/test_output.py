"""Data on stdout in every format, and words on stderr."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Dict, List

import pytest

from PermutiveAPI.cli.output import Format, json_text, say, visible, write_record, write_rows

ROWS: List[Dict[str, Any]] = [
    {"code": 1, "name": "Caf\xe9", "tags": ["a", "b"], "query": {"in_segment": 2}, "is_new": True},
    {"code": None, "name": 'A "b", c', "tags": [], "query": None, "is_new": None},
]
COLUMNS = ("code", "name", "tags", "is_new")
EVIL = "red \x1b[31m, \x9b1m, \x07, \u202e, \ud800 and a\ttab"


@pytest.mark.parametrize(
    "text, shown",
    [
        ("plain \xe9 \u30b5 \xa0\u3000 \u0301", "plain \xe9 \u30b5 \xa0\u3000 \u0301"),
        ("two\nlines", "two\nlines"),
        (EVIL, r"red \x1b[31m, \x9b1m, \x07, \u202e, \ud800 and a\ttab"),
        ("\u2028\u2029\x7f\r", r"\u2028\u2029\x7f\r"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    """What could fool a terminal is escaped; letters of every language are not."""
    assert visible(text) == shown


def test_json_text_is_equal_data_without_control_characters() -> None:
    """Control characters are escaped as JSON does, also those that json.dumps leaves."""
    text = json_text({"name": EVIL})
    assert visible(text) == text
    assert json.loads(text) == {"name": EVIL}
    assert json_text({"a": "\x7f\xe9"}, indent=1) == '{\n "a": "\\u007f\xe9"\n}'


def test_say(capsys: pytest.CaptureFixture[str]) -> None:
    """Words go to stderr, without control characters."""
    say("Done \x1b[1m.")
    assert capsys.readouterr() == ("", "Done \\x1b[1m.\n")


@pytest.mark.parametrize(
    "format, expected",
    [
        ("csv", 'code,name,tags,is_new\n1,Caf\xe9,"a, b",true\n,"A ""b"", c",[],\n'),
        (
            "ndjson",
            '{"code": 1, "name": "Caf\xe9", "tags": ["a", "b"], "query": {"in_segment": 2}, "is_new": true}\n'
            '{"code": null, "name": "A \\"b\\", c", "tags": [], "query": null, "is_new": null}\n',
        ),
        (
            "json",
            '[\n  {"code": 1, "name": "Caf\xe9", "tags": ["a", "b"], "query": {"in_segment": 2}, "is_new": true},\n'
            '  {"code": null, "name": "A \\"b\\", c", "tags": [], "query": null, "is_new": null}\n]\n',
        ),
        (
            "table",
            "code  name      tags  is new\n   1  Caf\xe9      a, b  true\n" '      A "b", c  []\n',
        ),
    ],
)
def test_formats(capsys: pytest.CaptureFixture[str], format: Format, expected: str) -> None:
    """JSON and NDJSON have every member, a table and CSV the given columns."""
    write_rows(ROWS, COLUMNS, format)
    assert capsys.readouterr() == (expected, "")


@pytest.mark.parametrize(
    "format, expected",
    [("csv", "code,name\n"), ("ndjson", ""), ("json", "[]\n"), ("table", "code  name\n")],
)
def test_no_rows(capsys: pytest.CaptureFixture[str], format: Format, expected: str) -> None:
    """Without rows, the output is empty, and still what the format says."""
    write_rows([], ("code", "name"), format)
    assert capsys.readouterr().out == expected


def test_rows_are_written_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    """Only a table needs all rows at once."""

    def rows() -> Any:
        yield {"code": 1}
        assert capsys.readouterr().out == '{"code": 1}\n'
        yield {"code": 2}

    write_rows(rows(), ("code",), "ndjson")


@pytest.mark.parametrize(
    "format, expected",
    [
        ("csv", "code,name\n1,A\n"),
        ("ndjson", '{"code": 1, "name": "A"}\n'),
        ("json", '{\n  "code": 1,\n  "name": "A"\n}\n'),
        ("table", "code  1\nname  A\n"),
    ],
)
def test_a_record(capsys: pytest.CaptureFixture[str], format: Format, expected: str) -> None:
    """One row is one object in JSON, and lines with names in a table."""
    write_record({"code": 1, "name": "A"}, format)
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "", " a ", "=1+1"])
def test_csv_can_be_read_back(capsys: pytest.CaptureFixture[str], text: str) -> None:
    """Each cell comes back as it is, also one with a carriage return."""
    write_rows([{"a": text, "b": "x"}, {"a": "y", "b": text}], ("a", "b"), "csv")
    printed = io.StringIO(capsys.readouterr().out, newline="")
    assert [*csv.reader(printed, strict=True)] == [["a", "b"], [text, "x"], ["y", text]]


def test_a_cell_of_a_table_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Line breaks become spaces, and control characters are escaped."""
    write_rows([{"name": "two\nlines \x1b[2J"}], ("name",), "table")
    assert capsys.readouterr().out == "name\ntwo lines \\x1b[2J\n"
