"""Reports: rows with outcomes, counts, texts, and the plan that undoes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from PermutiveAPI.Tables import Owned, Plan, Report
from PermutiveAPI.Tables.changes import Change, FieldChange, Unchanged
from PermutiveAPI.Tables.report import Outcome
from PermutiveAPI.Tables.target import Target

NEW = Change("create", "a", "A", (FieldChange("name", None, "A"),), 1)
BAD = Change("create", "b", "B", (FieldChange("name", None, "B"),), 3)
OLD = Change("delete", "c", "C", (FieldChange("name", "C", None),))
PLAN = Plan(
    target=Target("segments", "https://api.permutive.app", import_id="i-1"),
    changes=(NEW, BAD, OLD),
    unchanged=(Unchanged("d", "D", 2),),
    owned_count=5,
    rows=(
        {"code": "a", "id": "mine", "note": "x"},
        {"code": "d", "status": "old"},
        {"code": "b", "id": "kept"},
    ),
)
REPORT = Report(
    PLAN,
    (
        Outcome(NEW, "created", "id-a"),
        Outcome(BAD, "failed", error="400: <bad>"),
        Outcome(OLD, "unknown", "id-c", "lost"),
    ),
    {"d": "id-d"},
)
SUMMARY = "segments of import i-1: 1 created, 1 unchanged, 1 failed, 1 unknown"


def test_rows() -> None:
    """Each row has its outcome. The id of a row stays if the outcome has none. The user's own columns stay, too."""
    assert REPORT.rows == [
        {"code": "a", "id": "id-a", "note": "x", "status": "created", "error": None},
        {"code": "d", "id": "id-d", "status": "unchanged", "error": None},
        {"code": "b", "id": "kept", "status": "failed", "error": "400: <bad>"},
    ]
    columns = ["code", "note", "status", "id", "error"]
    assert list(REPORT.to_pd_dataframe().columns) == columns


def test_texts() -> None:
    """The repr has the counts, and the text a line for each failure."""
    assert repr(REPORT) == f"<Report: {SUMMARY}>"
    assert (
        str(REPORT)
        == f"{SUMMARY}\nrow 3, B (b): failed: 400: <bad>\ndelete of C (c): unknown: lost"
    )
    nothing = Report(replace(PLAN, changes=(), unchanged=()), ())
    assert str(nothing) == "segments of import i-1: nothing to do"


def test_html() -> None:
    """In a notebook, a report says what failed, and is a table of its rows. Texts are no markup."""
    html = REPORT._repr_html_()
    assert html.startswith(f"<p>{SUMMARY}<br>\nrow 3, B (b): failed: 400: &lt;bad&gt;<br>")
    assert "400: &lt;bad&gt;" in html


def test_html_begins_with_failures() -> None:
    """In a notebook, the rows that failed come first, and the others keep their order."""
    plan = replace(PLAN, rows=tuple({"code": f"c{n}"} for n in range(40)))
    changes = [replace(NEW, key=f"c{n}", row=n + 1) for n in range(40)]
    outcomes = [
        Outcome(each, "failed" if n in (30, 35) else "created") for n, each in enumerate(changes)
    ]
    html = Report(plan, tuple(outcomes))._repr_html_()
    shown = re.findall(">(c[0-9]+)<", html)
    assert shown == ["c30", "c35", *(f"c{n}" for n in range(18))]
    assert [row["code"] for row in Report(plan, tuple(outcomes)).rows] == [
        f"c{n}" for n in range(40)
    ]


def test_an_error_is_one_line() -> None:
    """The service's words cannot look like another line of the report."""
    report = Report(PLAN, (Outcome(BAD, "failed", error="400:\nrow 9, Z: created"),))
    assert str(report).splitlines()[1:] == ["row 3, B (b): failed: 400:\\nrow 9, Z: created"]


def test_deletions_are_no_rows() -> None:
    """A report lists the outcomes of deletions, and those of failures."""
    assert [each.change for each in REPORT.deleted] == [OLD]
    assert [each.change for each in REPORT.failures] == [BAD, OLD]


def test_the_inverse() -> None:
    """The inverse undoes changes that were made or may have been made. Its limits count what is owned then."""
    inverse = REPORT.inverse()
    whole = (
        FieldChange("name", "A", None),
        FieldChange("description", None, None),
        FieldChange("cpm", 0.0, None),
        FieldChange("categories", None, None),
    )
    assert inverse.changes == (OLD.inverse(), Change("delete", "a", "A", whole))
    assert (inverse.target, inverse.owned_count, inverse.rows) == (PLAN.target, 5, ())


OWNED = Owned.prefix("m_") | Owned.category("x") | Owned.prefix("n_")


def test_owned() -> None:
    """A segment is owned by the beginning of its code, or by one of its categories."""
    assert [OWNED.owns(code) for code in ("m_a", "n_a", "a_m_", "M_a", "x")] == [
        *(True, True, False, False, False)
    ]
    assert OWNED.owns("a", ["y", "x"])
    assert not OWNED.owns("a", ["y", "xx"])
    assert Owned.everything.owns("a") and (OWNED | Owned.everything).owns("a")
    assert not Owned().owns("a", ["x"])


def test_owned_is_a_value() -> None:
    """Its repr is the code that makes it. It cannot be changed, and equals another one with the same parts."""
    assert repr(OWNED) == "Owned.prefix('m_') | Owned.prefix('n_') | Owned.category('x')"
    assert repr(OWNED | Owned.everything) == "Owned.everything"
    assert {Owned.prefix("m_")} == {Owned.prefix("m_")}
    with pytest.raises(AttributeError):
        # A type checker sees the mistake, too.
        OWNED._prefixes = ()  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_owned_is_joined_with_owned() -> None:
    """Another value cannot be joined."""
    with pytest.raises(TypeError, match="unsupported operand"):
        # A type checker sees the mistake, too.
        Owned.prefix("m_") | "n_"  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]


@pytest.mark.parametrize("make", [Owned.prefix, Owned.category])
def test_nothing_is_owned_by_an_empty_text(make: object) -> None:
    """An empty text would own everything."""
    assert callable(make)
    with pytest.raises(ValueError, match="must not be empty"):
        make("")
    with pytest.raises(TypeError, match="must be of type str, got int"):
        make(5)
