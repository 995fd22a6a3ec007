"""The errors of wrong arguments, with their whole texts. Nothing is sent before one.

The texts of 5.4.4 are in contract/test_texts.py, those of queries in query/test_mistakes.py.
"""

# Type checkers find most of these mistakes.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import csv
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, cast

import pandas
import requests

import PermutiveAPI
from PermutiveAPI import (
    Alias,
    Cohort,
    CohortList,
    Event,
    Import,
    ImportList,
    PermutiveCredentialsError,
    PermutiveInvalidRequestError,
    PermutiveInvalidResponseError,
    Segment,
    Segmentation,
    SegmentList,
    TrackedEvent,
    progress_bar,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch.executors import require_picklable
from PermutiveAPI._Utils.codec.encoding import NotJSONError
from PermutiveAPI._Utils.list import chunk_list, convert_list
from PermutiveAPI._Utils.resources.responses import read_object, read_response
from PermutiveAPI._Utils.resources.tables import rows_of_models
from PermutiveAPI.Tables import References, identities_from_table
from tests.support.mistakes import Mistake, assert_raises, each
from tests.support.rows import for_each


def answered(text: str) -> requests.Response:
    """Return a success with a body."""
    response = requests.Response()
    response.status_code = 200
    response._content = text.encode()
    return response


REFERENCES = References(CohortList(), ImportList(), ())

MISTAKES: dict[str, Mistake] = {
    "kind of page": (
        lambda: Segment._page([]),
        TypeError,
        "the page must be of type dict, got list.",
    ),
    "cohorts without query": (
        lambda: Cohort.batch_create(
            [Cohort("a", query={"type": "users"}), Cohort("b")], api_key="k"
        ),
        ValueError,
        "query must be specified: cohorts[1] ('b') has none. Lists of cohorts come without queries: use Cohort.list(include_details=True). Lookalike cohorts have none; leave them out.",
    ),
    "cohort state": (
        lambda: Cohort("n", id="i", state="On").update("k"),
        ValueError,
        "state must be one of Enabled, Disabled, got 'On'.",
    ),
    "cohort query not called": (
        lambda: Cohort("n", query=len).create("k"),
        TypeError,
        'query must be a query, such as event("Pageview"), got <built-in function len>.',
    ),
    "cohort enable without id": (
        lambda: Cohort("n").enable("k"),
        ValueError,
        "Cohort ID must be specified to enable or disable it.",
    ),
    "filter by a blank text": (
        lambda: CohortList().filter(tag=" "),
        ValueError,
        "tag must not be empty, got ' '.",
    ),
    "filter by something else": (
        lambda: CohortList().filter(workspace=5),
        TypeError,
        "workspace must be of type str, got int.",
    ),
    "filter by a state": (
        lambda: CohortList().filter(state="enabled"),
        ValueError,
        "state must be one of Enabled, Disabled, got 'enabled'.",
    ),
    "find a blank text": (
        lambda: CohortList().find(""),
        ValueError,
        "text must not be empty, got ''.",
    ),
    "find a decimal number": (
        lambda: SegmentList().find(5.0),
        TypeError,
        "text must be of type str, got float.",
    ),
    "find a truth value": (
        lambda: SegmentList().find(True),
        TypeError,
        "text must be of type str, got bool.",
    ),
    "filter by a workspace without an id": (
        lambda: CohortList().filter(workspace=Cohort("A")),
        TypeError,
        "workspace must be of type str, got NoneType.",
    ),
    "used by of another kind": (
        lambda: REFERENCES.used_by("12345"),
        TypeError,
        "segment_or_cohort must be a Segment or a Cohort, got str.",
    ),
    "used by without code": (
        lambda: REFERENCES.used_by(Cohort("n")),
        ValueError,
        "segment_or_cohort.code must not be empty, got None.",
    ),
    "used by a foreign segment": (
        lambda: REFERENCES.used_by(Segment("c", "n", "i")),
        ValueError,
        "segment_or_cohort belongs to the import 'i', which the key cannot read.",
    ),
    "unused of another kind": (
        lambda: REFERENCES.unused([Cohort("n", code=1), "12345"]),
        TypeError,
        "segments_or_cohorts[1] must be a Segment or a Cohort, got str.",
    ),
    "unused of one": (
        lambda: REFERENCES.unused(Cohort("n", code=1)),
        TypeError,
        "segments_or_cohorts must be a list or another iterable, got Cohort.",
    ),
    "no user": (
        lambda: Segmentation(events=[]).send("k"),
        PermutiveInvalidRequestError,
        "Give exactly one of user_id, alias, aliases; got none.",
    ),
    "two users": (
        lambda: Segmentation(user_id="u", alias=Alias("i", "t", 0), events=[]).send("k"),
        PermutiveInvalidRequestError,
        "Give exactly one of user_id, alias, aliases; got user_id and alias.",
    ),
    "empty user": (
        lambda: Segmentation(user_id="", events=[]).send("k"),
        PermutiveInvalidRequestError,
        "user_id must not be empty, got ''.",
    ),
    "no aliases": (
        lambda: Segmentation(aliases=[], events=[]).send("k"),
        PermutiveInvalidRequestError,
        "aliases must not be empty, got [].",
    ),
    "alias of another kind": (
        lambda: Segmentation(alias="a", events=[]).send("k"),
        TypeError,
        "alias must be of type Alias, got str.",
    ),
    "aliases of another kind": (
        lambda: Segmentation(aliases=["a"], events=[]).send("k"),
        TypeError,
        "aliases[0] must be of type Alias, got str.",
    ),
    "events text": (
        lambda: Segmentation(user_id="u", events="ab").send("k"),
        TypeError,
        "events must be a list, got str.",
    ),
    "eleven events": (
        lambda: Segmentation(user_id="u", events=[Event("E", {}, "t")] * 11).send("k"),
        PermutiveInvalidRequestError,
        "events: the service takes at most 10 in one call, got 11; send the parts that split() returns one after the other.",
    ),
    "event name": (
        lambda: TrackedEvent("a b", user_id="u").track("k"),
        ValueError,
        "name must consist of letters, digits and underscores, got 'a b'.",
    ),
    "event name of another kind": (
        lambda: TrackedEvent(5, user_id="u").track("k"),
        TypeError,
        "name must be of type str, got int.",
    ),
    "event without user": (
        lambda: TrackedEvent("E").track("k"),
        PermutiveInvalidRequestError,
        "Give user_id, aliases or both; got neither.",
    ),
    "n": (lambda: chunk_list([1], 0), ValueError, "n must be at least 1, got 0."),
    "val": (
        lambda: convert_list("x"),
        ValueError,
        "val must be a list, or text that evaluates to one, got 'x'.",
    ),
    "verb": (
        lambda: http.request("PUT", "k", "https://a.example"),
        ValueError,
        "method must be GET, POST, PATCH or DELETE, got 'PUT'.",
    ),
    "verb of another kind": (
        lambda: http.request(None, "k", "https://a.example"),
        ValueError,
        "method must be GET, POST, PATCH or DELETE, got None.",
    ),
    "batch of another kind": (
        lambda: http.process_batch(["x"], api_key="k"),
        TypeError,
        "requests[0] must be of type BatchRequest, got str.",
    ),
    "batch text": (
        lambda: http.process_batch("x", api_key="k"),
        TypeError,
        "requests must be a list or another iterable, got str.",
    ),
    "callback": (
        lambda: http.process_batch([], api_key="k", progress_callback=5),
        TypeError,
        "progress_callback must be callable, got 5.",
    ),
    "bar without parentheses": (
        lambda: http.process_batch([], api_key="k", progress_callback=progress_bar),
        TypeError,
        "progress_callback must be progress_bar(), with parentheses.",
    ),
    "executor": (
        lambda: http.process_batch([], api_key="k", executor=5),
        TypeError,
        "executor must have submit(), got 5.",
    ),
    "replaced request": (
        lambda: require_picklable(lambda: None, cast("Any", ProcessPoolExecutor(1))),
        TypeError,
        "http.request is replaced by <lambda>.<locals>.<lambda>, which cannot be pickled, so other processes cannot "
        "call it. Replace it by a function of a module, or use an executor of threads.",
    ),
    "executor class": (
        lambda: http.process_batch([], api_key="k", executor=ThreadPoolExecutor),
        TypeError,
        "executor must be an object, got the class <class 'concurrent.futures.thread.ThreadPoolExecutor'>.",
    ),
    "journal of another kind": (
        lambda: http.process_batch([], api_key="k", journal=5),
        TypeError,
        "journal must be a path, got 5.",
    ),
    "journal empty": (
        lambda: http.process_batch([], api_key="k", journal=""),
        ValueError,
        "journal must be a path, got an empty text.",
    ),
    "workers": (
        lambda: http.process_batch([], api_key="k", max_workers=0),
        ValueError,
        "max_workers must be at least 1, got 0.",
    ),
    "answer a text": (
        lambda: read_response(None, answered('"x"')),
        PermutiveInvalidResponseError,
        "The service reported success, but its response cannot be read: expected an object or an array, got a text",
    ),
    "answer not an object": (
        lambda: read_object(answered("[]")),
        PermutiveInvalidResponseError,
        "The service reported success, but its response cannot be read: expected an object, got list",
    ),
    "ids of another kind": (
        lambda: Cohort.batch_get_by_id([Cohort("n")], api_key="k"),
        TypeError,
        "ids[0] must be an id, got Cohort.",
    ),
    "ids a text": (
        lambda: Cohort.batch_get_by_id("abc", api_key="k"),
        TypeError,
        "ids must be a list or another iterable, got str.",
    ),
    "cohort id empty": (
        lambda: Cohort.get_by_id(" ", "k"),
        ValueError,
        "id must not be empty, got ' '.",
    ),
    "cohort id none": (
        lambda: Cohort.get_by_id(None, "k"),
        ValueError,
        "id must not be empty, got None.",
    ),
    "cohort id dots": (
        lambda: Cohort.get_by_id("..", "k"),
        ValueError,
        "id must be an identifier, got '..'.",
    ),
    "cohort id bytes": (
        lambda: Cohort.get_by_id(b"x", "k"),
        TypeError,
        "id must be a text, got bytes.",
    ),
    "key bytes": (lambda: Cohort.list(b"x"), TypeError, "api_key must be of type str, got bytes."),
    "key empty": (
        lambda: Cohort.list(""),
        PermutiveCredentialsError,
        "api_key must not be empty or None. Check where it comes from, for instance whether its variable is set. In calls of the models, leave api_key out to use the default key; it is read from PERMUTIVE_API_KEY or PERMUTIVE_APPLICATION_CREDENTIALS.",
    ),
    "key line break": (
        lambda: Cohort.list("x\n"),
        PermutiveCredentialsError,
        "api_key holds a line break or another character that cannot be printed, perhaps from the end of a file. Call strip() on it.",
    ),
    "json text": (
        lambda: Cohort.from_json("{"),
        TypeError,
        "Failed to parse JSON from input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "attribute": (
        lambda: CohortList([]).nothing,
        AttributeError,
        "'CohortList' object has no attribute 'nothing'",
    ),
    "module": (
        lambda: PermutiveAPI.nothing,
        AttributeError,
        "module 'PermutiveAPI' has no attribute 'nothing'",
    ),
    "payload nan": (
        lambda: http.request("POST", "k", "https://a.example", json={"a": len}),
        PermutiveInvalidRequestError,
        "json cannot be written as JSON: Object of type builtin_function_or_method is not JSON serializable",
    ),
    "to json nan": (
        lambda: Cohort("n", query={"a": [float("nan")]}).to_json(),
        NotJSONError,
        "query.a[0]: nan is not a number that JSON can hold; use None for an empty cell",
    ),
    "to json nat": (
        lambda: Cohort("n", query={"a": pandas.NaT}).to_json(),
        NotJSONError,
        "query.a: NaT is not a time that JSON can hold",
    ),
    "segment get by code": (
        lambda: Segment.get_by_code("i", "", "k"),
        ValueError,
        "segment_code must not be empty, got ''.",
    ),
    "segment get by id": (
        lambda: Segment.get_by_id("i", ".", "k"),
        ValueError,
        "segment_id must be an identifier, got '.'.",
    ),
    "import id": (lambda: Import.get_by_id("", "k"), ValueError, "id must not be empty, got ''."),
    "request url": (
        lambda: http.request("GET", "k", "https://a%20b.example/x"),
        PermutiveInvalidRequestError,
        "The request cannot be sent: 'a b.example' is not a valid host",
    ),
    "table of another kind": (
        lambda: CohortList.from_table(5),
        TypeError,
        "table must be a DataFrame, a pyarrow Table, the path of a CSV file, or an iterable of dictionaries, got int.",
    ),
    "table a dictionary": (
        lambda: CohortList.from_table({"name": ["a"]}),
        TypeError,
        "table must be a DataFrame, a pyarrow Table, the path of a CSV file, or an iterable of dictionaries, got dict.",
    ),
    "table a column": (
        lambda: CohortList.from_table(pandas.Series(["a"])),
        TypeError,
        "row 1 of table must be a dictionary, got str.",
    ),
    "table of models": (
        lambda: CohortList.from_table([Cohort("a")]),
        TypeError,
        "row 1 of table must be a dictionary, got Cohort.",
    ),
    "table not there": (
        lambda: CohortList.from_table("no.csv"),
        ValueError,
        "table: there is no file 'no.csv'.",
    ),
    "table as a text": (
        lambda: CohortList.from_table("a" * 5000),
        ValueError,
        f"table: there is no file '{'a' * 76}....",
    ),
    "table with columns of one name": (
        lambda: CohortList.from_table(pandas.DataFrame([[1, 2]], columns=["name", "name "])),
        ValueError,
        "table has several columns with the name 'name'.",
    ),
    "table with more cells than columns": (
        lambda: CohortList.from_table(csv.DictReader(["name", "a,b"])),
        ValueError,
        "row 1 of table has more cells than the header.",
    ),
    "table without a column": (
        lambda: SegmentList.from_table([{"name": "a", "id": "b"}], import_id="i"),
        ValueError,
        "table has no column 'code', only name, id.",
    ),
    "table without columns": (
        lambda: CohortList.from_table(pandas.DataFrame(index=[0])),
        ValueError,
        "table has no column 'name'.",
    ),
    "table without import": (
        lambda: SegmentList.from_table([{"name": "a", "code": "b"}]),
        ValueError,
        "table has no column 'import_id', only name, code; pass import_id=.",
    ),
    "table with a misspelt column": (
        lambda: CohortList.from_table([{"name": "a", "Tag": "b"}]),
        ValueError,
        "table has the column 'Tag'. If 'tags' is meant, rename it; if not, give it another name or leave it out.",
    ),
    "table with bad cells": (
        lambda: SegmentList.from_table(
            [{"name": "", "code": "a", "cpm": "1,5"}, {"name": "b", "code": "c", "import_id": "j"}],
            import_id="i",
        ),
        ValueError,
        "table has 3 bad cells (row 1 is line 2 of a sheet):\n"
        "row 1, name: must not be empty\n"
        "row 1, cpm: must be a number, got '1,5'\n"
        "row 2, import_id: must be 'i' as in the argument, got 'j'",
    ),
    "import id of a table": (
        lambda: SegmentList.from_table([], import_id=" "),
        ValueError,
        "import_id must not be empty, got ' '.",
    ),
    "models as rows": (
        lambda: rows_of_models(5),
        TypeError,
        "models must be a list or another iterable, got int.",
    ),
    "identities without aliases": (
        lambda: identities_from_table([], aliases={}),
        ValueError,
        "aliases must name at least one column, got none.",
    ),
    "identities with a list of aliases": (
        lambda: identities_from_table([], aliases=["email"]),
        TypeError,
        "aliases must be of type Mapping, got list.",
    ),
    "identities with a priority of another kind": (
        lambda: identities_from_table([], aliases={"email": True}),
        TypeError,
        "aliases['email'] must be a whole number, got True.",
    ),
    "identities with a priority as a text": (
        lambda: identities_from_table([], aliases={"email": "1"}),
        TypeError,
        "aliases['email'] must be a whole number, got '1'.",
    ),
    "identities of another kind": (
        lambda: identities_from_table(5, aliases={"email": 0}),
        TypeError,
        "table must be a DataFrame, a pyarrow Table, the path of a CSV file, or an iterable of dictionaries, got int.",
    ),
    "column of user ids of another kind": (
        lambda: identities_from_table([], aliases={"email": 0}, user_id=None),
        TypeError,
        "user_id must be of type str, got NoneType.",
    ),
    "identities without a column": (
        lambda: identities_from_table(pandas.DataFrame({"user_id": ["u"]}), aliases={"crm": 0}),
        ValueError,
        "table has no column 'crm', only user_id.",
    ),
    "identity without a column": (
        lambda: list(identities_from_table([{"user_id": "u"}], aliases={"crm": 0})),
        ValueError,
        "row 1 of table: it has no column 'crm'.",
    ),
    "identity without a user": (
        lambda: list(identities_from_table([{"user_id": "", "crm": 1}], aliases={"crm": 0})),
        ValueError,
        "row 1 of table: user_id must not be empty.",
    ),
    "identity without an alias": (
        lambda: list(identities_from_table([{"user_id": "u", "crm": None}], aliases={"crm": 0})),
        ValueError,
        "row 1 of table: it has no alias in crm.",
    ),
    "identity with a bad alias": (
        lambda: list(identities_from_table([{"user_id": "u", "crm": True}], aliases={"crm": 0})),
        ValueError,
        "row 1 of table: crm must be a text, got True.",
    ),
}


@each(MISTAKES)
def test_mistakes(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    """A wrong argument is an error that says what is wrong, where, and what is expected there."""
    assert_raises(call, kind, text)


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "table: the file 'table.csv' is empty."),
    "semicolons": (
        b"name;tags\na;b\n",
        "table: the columns of 'table.csv' are separated by ';' instead of commas. Pass pandas.read_csv(path, sep=';', dtype='string').",
    ),
    "tabs": (
        b"name\ttags\n",
        "table: the columns of 'table.csv' are separated by '\\t' instead of commas. Pass pandas.read_csv(path, sep='\\t', dtype='string').",
    ),
    "long row": (
        b"name,tags\n\na,b,c\n",
        "table: line 3 of 'table.csv' has 3 cells, but the header has 2.",
    ),
    "encoding": (
        "name\nLäufer\n".encode("cp1252"),
        "table: 'table.csv': it is not a CSV file in UTF-8. Save it as one, or pass pandas.read_excel(path, dtype='string') or pandas.read_csv(path, encoding=..., dtype='string').",
    ),
    "open quote": (b'name\na\n"b\n', "table: 'table.csv': after line 2: unexpected end of data."),
}


@for_each(("content", "text"), FILES)
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, text: str) -> None:
    """A file that is not a CSV file in UTF-8 is an error. The text says what is wrong, and what to do."""
    Path("table.csv").write_bytes(content)
    assert_raises(lambda: CohortList.from_table("table.csv"), ValueError, text)
