"""``permutive identify`` and ``permutive segment``."""

from __future__ import annotations

import csv
import json
import os
import threading
from io import StringIO
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI import Alias, Event, Identity, Segmentation
from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import Ended, run, run_in_terminal
from tests.cli.writing import csv_rows, objects, only_file
from tests.support.platforms import needs_full_disk, needs_posix, needs_terminal

pytestmark = pytest.mark.usefixtures("fresh_service")

ALIASES = ("--alias", "email=1", "--alias", "crm=0")
TIME = "2027-01-31T12:00:00Z"


def users_csv(count: int) -> str:
    """Return a table of users; every second one has a line break and quotes in a cell, and no crm."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["user_id", "email", "crm", "note"])
    for number in range(count):
        note = 'says "hi",\nand more' if number % 2 else ""
        crm = "" if number % 2 else f"00{number}"
        writer.writerow([f"u-{number}", f"{number}@example.com", crm, note])
    return text.getvalue()


def bodies(sandbox: Sandbox) -> List[Any]:
    """Return the bodies that the service received, by user."""
    return sorted((each.json for each in sandbox.requests), key=lambda body: body["user_id"])


def identify(text: str, *options: str) -> Ended:
    """Send the users of a file."""
    Path("users.csv").write_text(text, encoding="utf-8", newline="")
    return run("identify", "users.csv", "--yes", *options)


# --- identify ------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "stdin"])
def test_a_table_of_users(sandbox: Sandbox, as_file: bool) -> None:
    """Each row is one request, with an alias for each cell that is not empty. The results are NDJSON."""
    text = users_csv(3)
    if as_file:
        done = identify(text, *ALIASES)
    else:
        done = run("identify", "-", "--yes", *ALIASES, stdin="\ufeff" + text.replace("\n", "\r\n"))
    assert done.status == 0, done.err
    first = [{"id": "0@example.com", "tag": "email", "priority": 1}]
    first += [{"id": "000", "tag": "crm", "priority": 0}]
    found = bodies(sandbox)
    assert found[0] == {"user_id": "u-0", "aliases": first}
    assert found[1]["aliases"] == [{"id": "1@example.com", "tag": "email", "priority": 1}]
    assert sorted(each["user_id"] for each in objects(done.out)) == ["u-0", "u-1", "u-2"]
    assert done.err.endswith("3 lines: 3 sent, 0 failed.\n")


def test_rows_of_cleared_cells(sandbox: Sandbox) -> None:
    """A row of Excel that has only commas is no user."""
    done = identify(f"{users_csv(1)},,\n\n,,\n", *ALIASES)
    assert done.err.endswith("1 line: 1 sent, 0 failed.\n")


def test_another_column_and_csv(sandbox: Sandbox) -> None:
    """--user-id names the column; --format csv writes the results as CSV."""
    done = run(
        *("identify", "-", "--user-id", "id", "--alias", "a=b=2", "--format", "csv", "--yes"),
        stdin="id,a=b\nu-1,x\n",
    )
    assert done.status == 0, done.err
    assert done.out == "user_id\nu-1\n"
    assert bodies(sandbox)[0]["aliases"] == [{"id": "x", "tag": "a=b", "priority": 2}]


def test_lines_of_objects(sandbox: Sandbox) -> None:
    """A line of NDJSON is a row, with numbers as ids, or a whole identity as to_json() writes it."""
    whole = Identity("u-2", [Alias("ada@example.com", "email", 3), Alias("7", "crm", 4)])
    lines = ['{"user_id": "u-1", "crm": 4711, "email": null}', "", json.dumps(whole.to_json())]
    done = run("identify", "-", "--yes", *ALIASES, stdin="\n".join(lines))
    assert done.status == 0, done.err
    assert bodies(sandbox) == [
        {"user_id": "u-1", "aliases": [{"id": "4711", "tag": "crm", "priority": 0}]},
        whole.to_json(),
    ]


BAD_USERS: Dict[str, Any] = {
    "no user": ("user_id,email,crm\nu-0,a\n,b\n", "line 3: user_id must not be empty."),
    "no alias": ("user_id,email,crm\nu-0,a\nu-1,\n", "line 3: it has no alias in email or crm."),
    "no column": ("id,email\nu-0,a\n", "line 2: it has no column 'user_id'."),
    "too many cells": ("user_id,email,crm\nu-0,a,\nu-1,b,,c\n", "line 3: it has 4 cells, but"),
    "not CSV": ('user_id,email,crm\nu-0,a,\nu-1,"b"c,\n', "line 3: it is not CSV: "),
    "lines of an old Mac": (
        "user_id,email,crm\ru-0,a,\r",
        "line 1: it is not CSV: a carriage return stands outside of quotes.",
    ),
    "open quote": ('user_id,email,crm\nu-0,a,\nu-1,"b\n\n', "line 3: it is not CSV: "),
    "a row of two lines": (
        'user_id,email,crm\n\nu-0,a,\n\n"u\n-1",,\n',
        "line 5: it has no alias in email or crm.",
    ),
    "two columns": (
        "user_id,email,email\nu-0,a,\n",
        "line 1: several columns have the name email.",
    ),
    "semicolons": ("user_id;email;crm\nu-0;a;\n", "line 1: the columns are separated by ';'"),
    "not JSON": (
        '{"user_id": "u-0", "email": "a", "crm": 1}\n{"user_id" 1}\n',
        "line 2: it is not JSON: Expecting ':' delimiter, column 12.\n",
    ),
    "an object on several lines": (
        '{\n  "user_id": "u-0",\n  "email": "a"\n}\n',
        "in double quotes, column 1. Each object must be on one line.\n",
    ),
    "NaN": (
        '{"user_id": "u-0", "email": "a", "crm": 1}\n{"crm": NaN}',
        "line 2: it is not JSON: JSON has",
    ),
    "an array": ('[{"user_id": "u-0"}]', "line 1: a JSON object is expected, not an array."),
    "a text": ('{"user_id": "u-0", "email": "a", "crm": 1}\n"u-1"\n', "expected, not a text."),
    "bad alias": (
        '{"user_id": "u-0", "aliases": [{"id": "", "tag": "t", "priority": 0}]}',
        'line 1: the id of an alias must be a text that is not empty, got "".',
    ),
    "bad priority": (
        '{"user_id": "u-0", "aliases": [{"id": "1", "tag": "t", "priority": "0"}]}',
        'line 1: the priority of an alias must be a whole number, got "0".',
    ),
    "a priority that is true": (
        '{"user_id": "u-0", "aliases": [{"id": "1", "tag": "t", "priority": true}]}',
        "line 1: the priority of an alias must be a whole number, got true.",
    ),
    "alias is null": (
        '{"user_id": "u-0", "aliases": [null]}',
        "line 1: an alias must be an object.",
    ),
    "alias lacks a member": (
        '{"user_id": "u-0", "aliases": [{"id": "1", "tag": "t"}]}',
        "priority",
    ),
}


@pytest.mark.parametrize("name", BAD_USERS)
def test_a_bad_line_of_a_file(sandbox: Sandbox, name: str) -> None:
    """A file with a bad line is refused before anything is sent; the text has the line's number."""
    text, words = BAD_USERS[name]
    done = identify(text, *ALIASES)
    assert (done.status, done.out) == (2, "")
    assert "Error: users.csv, line " in done.err and words in done.err
    assert sandbox.requests == []


def test_a_line_that_is_not_utf8(sandbox: Sandbox) -> None:
    """A line in another encoding is named."""
    Path("users.csv").write_bytes(b"user_id,email,crm\nu-0,a,\nu-1,K\xf6ln,\n")
    done = run("identify", "users.csv", "--yes", *ALIASES)
    assert done.status == 2
    assert done.err == "Error: users.csv, line 3: it is not in UTF-8.\n"
    assert sandbox.requests == []


def test_a_bad_line_of_a_pipe(sandbox: Sandbox) -> None:
    """In a pipe, the lines before a bad line are sent, and the text says so; the lines after it are not."""
    text = users_csv(40) + ",nobody@example.com,,\nu-99,99@example.com,,\n"
    done = run("identify", "-", "--yes", *ALIASES, stdin=text)
    assert done.status == 2
    number = users_csv(40).count("\n") + 1
    assert done.err.endswith(
        f"Error: stdin, line {number}: user_id must not be empty. The lines before it were sent. This "
        "line and those after it were not.\n"
    )
    assert "Stopped after 40 lines, 0 failed." in done.err
    assert {each["user_id"] for each in bodies(sandbox)} == {f"u-{n}" for n in range(40)}


def test_a_text_names_the_option_for_aliases(sandbox: Sandbox) -> None:
    """Without --alias, a table has no aliases, and the text says what is missing."""
    done = identify(users_csv(1))
    assert done.status == 2
    assert "line 2: it has no list of aliases, and no --alias names a column with them." in done.err


@pytest.mark.parametrize("value", ["email", "email=", "=1", "email=first"])
def test_a_wrong_alias_option(value: str) -> None:
    """--alias is COLUMN=PRIORITY."""
    done = identify(users_csv(1), "--alias", value)
    assert done.status == 2
    assert f"{value!r} is not COLUMN=PRIORITY, such as email=0" in done.err


@pytest.mark.parametrize("ending, text", [("csv", users_csv(9)), ("ndjson", "")])
def test_lines_that_failed(sandbox: Sandbox, tmp_path: Path, ending: str, text: str) -> None:
    """Lines that failed are in a file as they were, which the same command sends: status 1, then 0."""
    users = [*csv.DictReader(StringIO(users_csv(9)))]
    text = text or "".join(f"{json.dumps(user)}  \n" for user in users).rstrip("\n")
    sandbox.fail_next(path="/v2.0/identify", status=400, times=4)
    done = run("identify", "-", "--yes", *ALIASES, stdin=text)
    assert done.status == 1
    failures = only_file(tmp_path, f"permutive-failed-*.{ending}")
    assert failures.stat().st_mode & 0o077 == 0
    assert "9 lines: 5 sent, 4 failed.\n" in done.err
    assert done.err.endswith(
        f"The lines that failed are in {failures.name}. Give that file to the same command.\n"
    )
    assert done.err.count(": 400 Bad Request") == 4
    kept = failures.read_text("utf-8")
    assert kept.splitlines()[0] in (text.splitlines()[0], *text.splitlines())
    sandbox.clear_requests()
    again = run("identify", failures.name, "--yes", *ALIASES)
    assert again.status == 0, again.err
    sent = {each["user_id"] for each in objects(done.out)}
    rest = {each["user_id"] for each in objects(again.out)}
    assert len(rest) == 4 and not sent & rest and len(sent | rest) == 9
    for line in kept.splitlines():
        assert line in text.splitlines()


def test_a_last_line_without_a_line_break(sandbox: Sandbox) -> None:
    """In the file of failures, each line has a line break, also if it was the last one without one."""
    line = '{"user_id": "u-1", "email": "a", "crm": "b"}'
    sandbox.fail_next(path="/v2.0/identify", status=400, times=2)
    done = run("identify", "-", "--yes", *ALIASES, "--failures", "f", stdin=f"{line}\n{line}")
    assert done.status == 1
    assert Path("f").read_text("utf-8") == f"{line}\n{line}\n"


def test_many_failures_are_counted(sandbox: Sandbox) -> None:
    """At most 20 errors are shown."""
    sandbox.fail_next(path="/v2.0/identify", status=400, times=25)
    done = identify(users_csv(25), *ALIASES, "--failures", "bad.csv")
    assert done.status == 1
    assert done.err.count("400 Bad Request") == 20 and "and 5 more\n" in done.err
    assert len(csv_rows(Path("bad.csv").read_text("utf-8"))) == 25


def test_a_journal(sandbox: Sandbox) -> None:
    """With a journal, the same command sends only what failed before; then there is nothing to send."""
    journal = ("--journal", "night.journal", "--failures", "bad.csv")
    sandbox.fail_next(path="/v2.0/identify", status=400, times=2)
    assert identify(users_csv(10), *ALIASES, *journal).status == 1
    assert Path("bad.csv").exists()
    sandbox.clear_requests()
    second = identify(users_csv(10), *ALIASES, *journal)
    assert second.status == 0
    assert "10 lines: 2 sent, 0 failed, 8 done before.\n" in second.err
    assert len(sandbox.requests) == 2
    assert not Path("bad.csv").exists()
    third = identify(users_csv(10), *ALIASES, *journal)
    assert (third.status, third.out) == (0, "")
    assert third.err.endswith(
        "Nothing was sent: the journal 'night.journal' says that all 10 lines are done. To send them again, "
        "delete it or name another file.\n"
    )
    assert len(sandbox.requests) == 2


def test_a_journal_of_another_job(sandbox: Sandbox) -> None:
    """A file that is no journal is refused before anything is sent."""
    Path("a.journal").write_text("mine\n")
    done = identify(users_csv(2), *ALIASES, "--journal", "a.journal")
    assert done.status == 2
    assert "cannot be used: it is not a journal" in done.err
    assert sandbox.requests == []
    assert Path("a.journal").read_text() == "mine\n"


def test_the_file_to_send_is_not_overwritten(sandbox: Sandbox) -> None:
    """--failures may not name the file that is sent."""
    done = identify(users_csv(2), *ALIASES, "--failures", "./users.csv")
    assert done.status == 2
    assert (
        "Invalid value for --failures: this is the file that is read; name another one" in done.err
    )
    assert Path("users.csv").read_text("utf-8") == users_csv(2)


@needs_posix
def test_failures_in_a_pipe(sandbox: Sandbox) -> None:
    """What is no file, such as /dev/stderr, is written, and not removed."""
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        sandbox.fail_next(path="/v2.0/identify", status=400)
        assert identify(users_csv(1), *ALIASES, "--failures", "pipe").status == 1
        assert len(csv_rows(os.read(reader, 10_000).decode())) == 1
    finally:
        os.close(reader)
    assert Path("pipe").is_fifo()


@needs_full_disk
def test_failures_on_a_full_disk(sandbox: Sandbox) -> None:
    """The error names the file, and no text says that the lines are in it."""
    sandbox.fail_next(path="/v2.0/identify", status=400)
    done = identify(users_csv(2), *ALIASES, "--failures", "/dev/full")
    assert done.status == 1
    assert done.err.endswith("Error: /dev/full: No space left on device\n")
    assert "400 Bad Request" in done.err
    assert "The lines that failed are in" not in done.err


@needs_full_disk
def test_many_failures_on_a_full_disk(sandbox: Sandbox) -> None:
    """The run ends with the first line that cannot be written, and the error names the file."""
    sandbox.fail_next(path="/v2.0/identify", status=400, times=200)
    text = "user_id,email\n" + "".join(f"u-{number},{'x' * 200}\n" for number in range(200))
    done = identify(text, "--alias", "email=0", "--failures", "/dev/full")
    assert done.status == 1
    assert done.err.endswith("Error: /dev/full: No space left on device\n")
    assert "Stopped after" in done.err
    assert "The lines that failed are in" not in done.err


def test_failures_in_no_folder(sandbox: Sandbox) -> None:
    """It is found out before anything is sent."""
    done = identify(users_csv(1), *ALIASES, "--failures", "nowhere/bad.csv")
    assert done.status == 2
    assert "Invalid value for '--failures': there is no folder 'nowhere'." in done.err
    assert sandbox.requests == []


def test_dry_run(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """--dry-run reads and checks all lines, and needs neither --yes nor a key."""
    monkeypatch.delenv("PERMUTIVE_APPLICATION_CREDENTIALS")
    done = run("identify", "-", "--dry-run", *ALIASES, stdin=users_csv(1_500))
    assert (done.status, done.out) == (0, "")
    assert done.err == "1,500 lines can be sent. Nothing was sent.\n"
    bad = run("identify", "-", "--dry-run", *ALIASES, stdin=users_csv(5) + "u-9,,,\n")
    assert bad.status == 2 and "line 9: it has no alias" in bad.err
    assert sandbox.requests == []


def test_without_yes_nothing_is_read(sandbox: Sandbox) -> None:
    """Without a terminal, --yes is needed, before anything else is looked at."""
    Path("users.csv").write_text("wrong")
    done = run("identify", "users.csv", *ALIASES)
    assert done.status == 2 and "Pass --yes" in done.err
    assert sandbox.requests == []


@pytest.mark.parametrize("text", ["", "\n\n", "user_id,email,crm\n"])
def test_an_empty_file(sandbox: Sandbox, text: str) -> None:
    """A file without lines is no error."""
    done = identify(text, *ALIASES)
    assert (done.status, done.err) == (0, "users.csv has no lines.\n")
    piped = run("identify", "-", "--yes", *ALIASES, stdin=text)
    assert piped.status == 0 and piped.err.endswith("0 lines: 0 sent, 0 failed.\n")
    assert sandbox.requests == []


def test_a_key_that_is_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key is status 4. It ends the run, since all other lines would fail, too."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", "wrong-key-0123456789")
    monkeypatch.setenv("PERMUTIVE_BATCH_MAX_WORKERS", "2")
    done = identify(users_csv(200), *ALIASES)
    assert done.status == 4
    assert "Stopped" not in done.err and "wrong-key" not in done.err
    assert len(sandbox.requests) < 20


@needs_terminal
def test_a_terminal_is_asked_and_shows_a_bar(sandbox: Sandbox) -> None:
    """On a terminal, the number of lines is asked about, and there is a bar instead of the results."""
    Path("users.csv").write_text(users_csv(30), encoding="utf-8")
    screen = run_in_terminal("identify", "users.csv", *ALIASES, typed="y\n")
    assert screen.status == 0, screen.text
    assert "Send 30 lines of users.csv? [y/N]: " in screen.text
    assert "Sending: 100%" in screen.text and "30/30" in screen.text
    assert '"user_id"' not in screen.text
    assert len(sandbox.requests) == 30


@needs_posix
def test_a_named_pipe_is_read_once(sandbox: Sandbox, tmp_path: Path) -> None:
    """FILE may be a named pipe, which cannot be read twice."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(users_csv(3),))
    writer.start()
    done = run("identify", str(pipe), "--yes", *ALIASES)
    writer.join()
    assert done.status == 0, done.err
    assert len(sandbox.requests) == 3


# --- segment -------------------------------------------------------------------------------------


def test_events(sandbox: Sandbox) -> None:
    """A line is a whole request as to_json() writes it, or one event beside the user."""
    event = Event("Pageview", TIME, {"a": 1}, view_id="v-1")
    lines = [
        Segmentation([event, event], user_id="u-1").to_json(),
        {"user_id": "u-2", "name": "Pageview", "time": TIME, "view_id": "v-2"},
        {"alias": {"id": "7", "tag": "crm", "priority": 0}, "events": []},
    ]
    done = run("segment", "-", "--yes", stdin="\n".join(map(json.dumps, lines)))
    assert done.status == 0, done.err
    sent = {json.dumps(each.json, sort_keys=True) for each in sandbox.requests}
    assert sent == {
        json.dumps(each, sort_keys=True)
        for each in (
            lines[0],
            {
                "user_id": "u-2",
                "events": [{"name": "Pageview", "time": TIME, "properties": {}, "view_id": "v-2"}],
            },
            {"alias": {"id": "7", "tag": "crm"}, "events": []},
        )
    }
    found = {each["user_id"]: each for each in objects(done.out)}
    assert {"u-1", "u-2"} <= found.keys() and len(found) == 3
    assert [*found["u-1"]] == ["user_id", "cohorts"] and found["u-1"]["cohorts"]
    assert {each.query["activations"] for each in sandbox.requests} == {"false"}


def test_activations(sandbox: Sandbox) -> None:
    """--activations asks for them, and writes them."""
    line = json.dumps({"user_id": "u-1", "events": []})
    done = run("segment", "-", "--yes", "--activations", "--format", "json", stdin=line)
    assert done.status == 0, done.err
    (found,) = json.loads(done.out)
    assert found["activations"] == {"gam": found["cohorts"]}
    assert sandbox.requests[0].query["activations"] == "true"


def test_activations_of_one_line(sandbox: Sandbox) -> None:
    """A line may ask for its activations, and say how its events are checked."""
    lines = ['{"user_id": "u-1", "events": [], "activations": true}']
    lines += ['{"user_id": "u-2", "events": [], "synchronous_validation": true}']
    assert run("segment", "-", "--yes", stdin="\n".join(lines)).status == 0
    sent = {each.json["user_id"]: each.query for each in sandbox.requests}
    assert [(sent[user]["activations"], sent[user]["synchronous-validation"]) for user in sent] in (
        [("true", "false"), ("false", "true")],
        [("false", "true"), ("true", "false")],
    )
    assert sent["u-1"]["activations"] == "true"


def line_with(**members: Any) -> str:
    """Return a line with one event; None leaves a member out."""
    whole = {"user_id": "u-1", "name": "Pageview", "time": TIME, **members}
    return json.dumps({name: value for name, value in whole.items() if value is not None})


@pytest.mark.parametrize(
    "line, words",
    [
        (line_with(user_id=None), "exactly one of user_id, alias, aliases is expected, got none."),
        (line_with(alias={"id": "1", "tag": "t", "priority": 0}), "got user_id and alias."),
        (line_with(user_id=7), "user_id must be a text that is not empty, got 7."),
        (line_with(user_id=None, aliases=[]), "aliases must not be empty."),
        (
            line_with(user_id=None, aliases=[{"id": "1", "tag": "", "priority": 0}]),
            'the tag of an alias must be a text that is not empty, got "".',
        ),
        (
            line_with(user_id=None, alias={"id": 1, "tag": "t", "priority": 0}),
            "the id of an alias must be a text that is not empty, got 1.",
        ),
        (line_with(name=None), "name"),
        (line_with(time=""), 'the time of an event must be a text that is not empty, got "".'),
        (
            line_with(time="31 January 2027"),
            "the time of an event must be in ISO 8601, such as 2027-01-31T12:00:00Z, "
            'got "31 January 2027".',
        ),
        (line_with(time="2027-13-31T12:00:00Z"), "must be in ISO 8601"),
        (line_with(propertys={}), "Event has no member 'propertys'."),
        (line_with(properties=[1]), "Event.properties: expected an object, got list."),
        (
            json.dumps({"user_id": "u", "name": "n", "time": TIME, "properties": None}),
            "the properties of an event must be an object, got (empty).",
        ),
        (json.dumps({"user_id": "u", "events": [{"x": 1}]}), "Event has no member 'x'."),
        (json.dumps({"user_id": "u", "name": "n"}), "Event needs 'time'."),
        (json.dumps({"user_id": "u", "events": [{}]}), "Event needs 'name' and 'time'."),
        (
            json.dumps({"user_id": "u", "events": [], "nmae": 1}),
            "Segmentation has no member 'nmae'.",
        ),
        (json.dumps({"user_id": "u", "events": {}}), "a list"),
        (json.dumps({"user_id": "u", "events": [None]}), "an event must be an object."),
        (
            json.dumps({"user_id": "u", "events": [{"name": "n", "time": TIME}] * 11}),
            "it has 11 events; the service takes at most 10 in one call.",
        ),
        ("user_id,name,time", "line 2: it is not JSON"),
    ],
)
def test_bad_events(sandbox: Sandbox, line: str, words: str) -> None:
    """A line that cannot be sent is named before anything is sent."""
    Path("events.ndjson").write_text(f"{line_with()}\n{line}\n{line_with()}\n")
    done = run("segment", "events.ndjson", "--yes")
    assert (done.status, done.out) == (2, "")
    assert "Error: events.ndjson, line 2: " in done.err and words in done.err
    assert sandbox.requests == []


def test_events_are_no_table(sandbox: Sandbox) -> None:
    """Events cannot be CSV."""
    done = run("segment", "-", "--yes", stdin="user_id,name,time\nu-1,n,t\n")
    assert (
        done.status == 2
        and (
            "Error: stdin, line 1: it is not JSON: Expecting value, column 1. This command reads no CSV.\n"
        )
        in done.err
    )


def test_events_are_not_sent_twice(sandbox: Sandbox, tmp_path: Path) -> None:
    """If the outcome of a line is unknown, it is not repeated. It is among the failures, with that text."""
    sandbox.fail_next(path="/ccs/", status=502)
    done = run("segment", "-", "--yes", stdin=f"{line_with()}\n{line_with(user_id='u-2')}\n")
    assert done.status == 1
    assert "line 1: " in done.err or "line 2: " in done.err
    assert "unknown" in done.err.splitlines()[-2]
    assert done.err.endswith(
        "First take out those whose outcome is unknown, because their events may count twice. Then give that "
        "file to the same command.\n"
    )
    assert len(sandbox.requests) == 2
    assert len(objects(only_file(tmp_path, "permutive-failed-*.ndjson").read_text())) == 1


def test_a_journal_of_events(sandbox: Sandbox) -> None:
    """Equal lines are different events: a journal skips as many as were sent."""
    Path("events.ndjson").write_text(f"{line_with()}\n" * 3)
    sandbox.fail_next(path="/ccs/", status=400)
    command = ("segment", "events.ndjson", "--yes", "--journal", "j", "--failures", "f.ndjson")
    assert run(*command).status == 1
    assert run(*command).status == 0
    assert len(sandbox.requests) == 4
    assert Path("events.ndjson").exists()


@needs_terminal
def test_a_terminal_shows_the_cohorts(sandbox: Sandbox) -> None:
    """On a terminal, the results are shown, without a bar between them."""
    Path("events.ndjson").write_text(line_with())
    screen = run_in_terminal("segment", "events.ndjson", typed="y\n", columns=200)
    assert screen.status == 0, screen.text
    assert '{"user_id": "u-1", "cohorts": [' in screen.text
    assert "Sending" not in screen.text
