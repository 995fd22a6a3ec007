"""The page of operations is true: the library calls each one, the sandbox has it, and so on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import PermutiveAPI
from PermutiveAPI import (
    Alias,
    Cohort,
    ContextSegment,
    Event,
    Identity,
    Import,
    Segment,
    Segmentation,
    TrackedEvent,
)
from PermutiveAPI._Utils.retry.rate_limit import api_of
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.sandbox.app import _ROUTES
from tests.support.calls import MODEL_CALLS
from tests.support.rows import for_each

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([A-Z]+) (/\S+)` \| `([\w.]+)` \| (yes|no) \| (.*) \|$", re.MULTILINE)

IDENTITY = Identity("u-1", [Alias("a@b.c", "email", 0)])
EVENT = Event("Pageview", "2025-07-01T15:39:11.594Z")


class Row(NamedTuple):
    """One operation, and the call that sends it."""

    method: str
    path: str
    call: str
    others: Tuple[str, ...]
    repeated: bool
    api: str

    @property
    def template(self) -> str:
        """A regular expression for the paths of the operation."""
        code = "/code/" in self.path
        return re.sub(r"\{\w+\}", "[^/]+" if code else "(?!code/)[^/]+", self.path) + "/?"

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _rows() -> List[Row]:
    """Return the rows of the page, each with its heading."""
    return [
        Row(
            method, path, call, tuple(re.findall(r"`([\w.]+)`", others)), repeated == "yes", heading
        )
        for heading, section in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
        for method, path, call, repeated, others in ROW.findall(section)
    ]


ROWS = _rows()


class Objects:
    """The objects of a sandbox that the calls need."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.cohort = Cohort.list(key)[0]
        self.import_id = Import.list(key)[0].id
        self.segment = Segment.list(self.import_id, key)[0]

    @property
    def segment_id(self) -> str:
        """The id of a segment."""
        return str(self.segment.id)

    @property
    def code(self) -> str:
        """The code of a segment."""
        return str(self.segment.code)


CALLS: Dict[str, Callable[[Objects], Any]] = {
    "Cohort.list": lambda o: Cohort.list(o.key),
    "Cohort.create": lambda o: Cohort("n", query={"in_segment": 1}).create(o.key),
    "Cohort.get_by_id": lambda o: Cohort.get_by_id(str(o.cohort.id), o.key),
    "Cohort.update": lambda o: o.cohort.update(o.key),
    "Cohort.delete": lambda o: o.cohort.delete(o.key),
    "Import.list": lambda o: Import.list(o.key),
    "Import.get_by_id": lambda o: Import.get_by_id(o.import_id, o.key),
    "Segment.list": lambda o: Segment.list(o.import_id, o.key),
    "Segment.create": lambda o: Segment("new", "New", o.import_id).create(o.key),
    "Segment.bulk": lambda o: Segment.bulk(o.import_id, deletes=[o.code], api_key=o.key),
    "Segment.get_by_id": lambda o: Segment.get_by_id(o.import_id, o.segment_id, o.key),
    "Segment.update": lambda o: o.segment.update(o.key),
    "Segment.delete": lambda o: o.segment.delete(o.key),
    "Segment.get_by_code": lambda o: Segment.get_by_code(o.import_id, o.code, o.key),
    "Segment.update_by_code": lambda o: o.segment.update_by_code(o.key),
    "Segment.delete_by_code": lambda o: o.segment.delete_by_code(o.key),
    "Identity.create_user": lambda o: Identity.create_user(o.key),
    "Identity.resolve": lambda o: IDENTITY.resolve(o.key),
    "Identity.list_aliases": lambda o: Identity.list_aliases("u-1", o.key),
    "Segmentation.send": lambda o: Segmentation([EVENT], "u-1").send(o.key),
    "Segmentation.send_stateless": lambda o: Segmentation([EVENT], "u-1").send_stateless(o.key),
    "TrackedEvent.track": lambda o: TrackedEvent("Pageview", "u-1").track(o.key),
    "ContextSegment.send": lambda o: ContextSegment("https://h.example/a").send(o.key),
}


@for_each("row", ROWS)
def test_reached_and_answered(sandbox: Sandbox, row: Row) -> None:
    """The call sends the operation of its row, and the sandbox responds with success."""
    owner, _, method = row.call.partition(".")
    assert callable(getattr(getattr(PermutiveAPI, owner), method))
    objects = Objects(sandbox.api_key)
    sandbox.clear_requests()
    CALLS[row.call](objects)
    seen = sandbox.requests[-1]
    assert (seen.method, bool(re.fullmatch(row.template, seen.path))) == (row.method, True)
    assert seen.status in (200, 201)


def test_the_table_is_whole() -> None:
    """Every operation of the sandbox has a row, and every row has an operation and a call."""
    operations = {
        (method, re.sub(r"\{\w+\}", "{}", path.rstrip("/")))
        for path, methods in _ROUTES.items()
        for method in methods
    }
    rows = {(row.method, re.sub(r"\{\w+\}", "{}", row.path)) for row in ROWS}
    assert rows == operations
    assert len(rows) == len(ROWS) == 23
    assert [row.call for row in ROWS] == list(CALLS)


@for_each("row", ROWS)
def test_limited_as_the_heading_says(row: Row) -> None:
    """Every operation is below the heading of the API whose limit it counts against."""
    assert api_of(row.path) == row.api


def test_the_calls_send_what_the_page_says() -> None:
    """Every call of the models is in the row of its operation, and `repeated` says whether it is repeated."""
    shown = {(name, row) for row in ROWS for name in (row.call, *row.others)}
    sent = {
        (call.name.split()[0], row)
        for call in MODEL_CALLS
        for row in ROWS
        if call.method == row.method and re.fullmatch(row.template, call.path)
    }
    assert {(name, str(row)) for name, row in shown} == {(name, str(row)) for name, row in sent}
    harmless = {call.name.split()[0]: call.harmless for call in MODEL_CALLS}
    assert [name for name, row in shown if harmless[name] is not row.repeated] == []
