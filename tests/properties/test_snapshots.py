"""Properties of snapshots: twice gives no difference, reading gives what was written, restoring restores."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List
from typing import Counter as CounterOf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from PermutiveAPI import Cohort, CohortList
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables.queries import with_codes
from tests.snapshots.archive import Archive
from tests.tables.club import fields_of

# So few that names collide: the same, the same for some systems, the same in the names of files.
NAMES = st.sampled_from(["A", "a", "A/", "..", "con", "B", "É", "x" * 100])
COHORTS = st.lists(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "tags": st.sampled_from([[], ["x"], ["y", "x"]]),
            "description": st.sampled_from([None, "d"]),
            "disabled": st.booleans(),
            # The place of the cohort in the list that the query names; or else a code.
            "names": st.integers(-3, 3),
        }
    ),
    max_size=5,
)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["rename", "tag", "requery", "switch", "delete", "add"]),
        st.integers(0, 4),
        NAMES,
    ),
    max_size=6,
)
SEGMENTS = st.dictionaries(st.sampled_from("abcd"), NAMES, max_size=3)


@pytest.fixture
def archive(sandbox: Sandbox, tmp_path: Path) -> Archive:
    """A workspace for all examples of a test. Each example empties it first."""
    return Archive(sandbox, tmp_path / "saved")


def put(archive: Archive, rows: List[Dict[str, Any]], segments: Dict[str, str]) -> None:
    """Let the workspace have just these cohorts and segments, and no snapshot."""
    shutil.rmtree(archive.folder, ignore_errors=True)
    archive.sandbox._state.cohorts.clear()
    made: List[Cohort] = []
    for row in rows:
        place = row["names"]
        code = made[place].code if 0 <= place < len(made) else 900 + place
        cohort = Cohort(row["name"], query={"in_segment": code}, tags=row["tags"])
        cohort.description = row["description"]
        cohort.create(archive.club.key)
        if row["disabled"]:
            cohort.disable(archive.club.key)
        made.append(cohort)
    put_segments(archive, segments)


def put_segments(archive: Archive, segments: Dict[str, str]) -> None:
    """Let the import have just these segments."""
    for each in archive.market.list():
        each.delete(archive.club.key)
    if segments:
        archive.market.put(*(archive.market.segment(c, name) for c, name in segments.items()))


def edit(archive: Archive, action: str, place: int, name: str) -> None:
    """Change the workspace, as another user does."""
    there = archive.club.list(details=False)
    if action == "add" or not there:
        archive.club.put(name, {"in_segment": place})
        return
    cohort = Cohort.get_by_id(there[place % len(there)].id or "", archive.club.key)
    if action == "delete":
        cohort.delete(archive.club.key)
        return
    if action == "rename":
        cohort.name = name
    elif action == "tag":
        cohort.tags = ["z"]
    elif action == "requery":
        cohort.query = {"in_segment": there[-1].code}
    else:
        cohort.state = "Disabled" if cohort.state == "Enabled" else "Enabled"
    cohort.update(archive.club.key)


def definitions(cohorts: CohortList) -> CounterOf[str]:
    """Return what a plan may change of cohorts, with definitions in place of codes."""
    by_code = {str(each.code): each for each in cohorts}

    def text(cohort: Cohort, depth: int) -> str:
        def meant(code: Any) -> Any:
            other = by_code.get(str(code))
            return code if other is None or depth == 0 else text(other, depth - 1)

        fields = fields_of(cohort)
        query = with_codes(cohort.query, meant)
        return repr({**fields, "tags": sorted(fields["tags"]), "query": query})

    return Counter(text(each, 6) for each in cohorts)


@settings(max_examples=5)  # Each makes some hundred requests.
@given(rows=COHORTS, segments=SEGMENTS)
def test_a_snapshot_read_back(
    archive: Archive, rows: List[Dict[str, Any]], segments: Dict[str, str]
) -> None:
    """Every cohort has its file. What is read is what is there. A second snapshot writes nothing."""
    put(archive, rows, segments)
    assert archive.save().written == len(rows) + 2
    files = archive.files()
    assert len({name.lower() for name in files}) == len(rows) + 3
    assert not archive.drift()
    assert not archive.restoring()
    assert archive.save() == (0, len(rows) + 2, 0)
    assert archive.files() == files
    assert archive.saved().write(archive.folder) == (0, len(rows) + 2, 0)


@settings(max_examples=10)  # Each makes some hundred requests.
@given(rows=COHORTS, edits=EDITS, segments=SEGMENTS, others=SEGMENTS)
def test_restoring_after_edits(
    archive: Archive,
    rows: List[Dict[str, Any]],
    edits: Any,
    segments: Dict[str, str],
    others: Dict[str, str],
) -> None:
    """Everything is as it was, but for codes. References between cohorts are the same, too."""
    put(archive, rows, segments)
    archive.save()
    cohorts, there = definitions(archive.club.list()), archive.market.there()
    for action, place, name in edits:
        edit(archive, action, place, name)
    put_segments(archive, others)
    for _ in range(len(rows) + 1):  # Several new cohorts of one name need several steps.
        plans = archive.restoring()
        reports = plans.apply(
            api_key=archive.workspace.api_key, max_delete_share=1, allow_used=True
        )
        assert reports.failures == ()
        if not len(archive.restoring()):
            break
    assert definitions(archive.club.list()) == cohorts
    assert archive.market.there() == there
    assert len(archive.drift()) == 0


@settings(max_examples=5)  # Each makes some hundred requests.
@given(rows=COHORTS, edits=EDITS)
def test_a_later_snapshot_in_the_same_folder(
    archive: Archive, rows: List[Dict[str, Any]], edits: Any
) -> None:
    """It leaves the same files as a first snapshot in an empty folder."""
    put(archive, rows, {})
    archive.save()
    for action, place, name in edits:
        edit(archive, action, place, name)
    archive.save()
    files = archive.files()
    shutil.rmtree(archive.folder)
    archive.save()
    assert archive.files() == files
