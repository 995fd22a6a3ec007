"""Cohorts and segments from tables: what they send."""

from __future__ import annotations

from pathlib import Path

import pandas

from PermutiveAPI import Cohort, CohortList, Import, Segment, SegmentList
from PermutiveAPI.sandbox import Sandbox
from tests.support.calls import COHORT, KEY, QUERY
from tests.support.fake_service import FakeService, answer


def test_what_the_table_says_is_sent(server: FakeService) -> None:
    """An update sends the state of a cohort and the price of a segment, even 0. It does not send empty cells."""
    server.default = answer(200, {**COHORT, "query": QUERY})
    [cohort] = CohortList.from_table(
        [{"id": "c-1", "name": "N", "tags": "a, b", "state": "Disabled", "description": ""}]
    )
    cohort.update(KEY)
    assert server.received[-1].json == {
        "id": "c-1",
        "name": "N",
        "tags": ["a", "b"],
        "state": "Disabled",
    }
    rows = [
        {"id": "s-1", "code": "c", "name": "N", "cpm": "0"},
        {"id": "s-2", "code": "d", "name": "N", "cpm": None},
    ]
    server.default = answer(200, {"id": "s-1", "name": "N", "import_id": "i"})
    for segment in SegmentList.from_table(rows, import_id="i"):
        segment.update(KEY)
    assert [each.json for each in server.received[1:]] == [{"name": "N", "cpm": 0.0}, {"name": "N"}]


def test_a_csv_file_becomes_segments_of_an_import(sandbox: Sandbox, tmp_path: Path) -> None:
    """One call creates a taxonomy from a CSV file. The listed segments then give the same table."""
    path = tmp_path / "taxonomy.csv"
    path.write_text('code,name,categories\n007,Agents,\n1234,Drivers,"cars, roads"\n')
    import_id = Import.list(sandbox.api_key)[0].id
    wanted = SegmentList.from_table(path, import_id=import_id)
    _, failures = Segment.bulk(import_id, creates=wanted, api_key=sandbox.api_key)
    assert failures == []
    listed = Segment.list(import_id, sandbox.api_key)
    again = SegmentList.from_table(listed.to_pd_dataframe(flat=True)).code_dictionary
    assert (again["007"].name, again["1234"].categories) == ("Agents", ["cars", "roads"])


def test_cohorts_are_edited_as_a_table(sandbox: Sandbox) -> None:
    """A table of cohorts, edited by pandas, is sent back."""
    frame = Cohort.list(sandbox.api_key, include_details=True)[:3].to_pd_dataframe(flat=True)
    edited = frame.assign(tags=frame["tags"] + ", edited", state="Disabled")
    edited.loc[0, "description"] = pandas.NA
    responses, failures = Cohort.batch_update(
        CohortList.from_table(edited), api_key=sandbox.api_key
    )
    assert (len(responses), failures) == (3, [])
    for each in Cohort.list(sandbox.api_key)[:3]:
        assert (each.tags or [])[-1] == "edited"
        assert each.state == "Disabled"
