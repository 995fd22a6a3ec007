"""The copy has what the keys can read, and the live service gets only GETs."""

from __future__ import annotations

import inspect
import os
from typing import Any, Dict

import pytest
import requests

from PermutiveAPI import (
    Cohort,
    Import,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    Segment,
    Workspace,
    WorkspaceList,
    options,
)
from PermutiveAPI.rehearsal import Rehearsal
from PermutiveAPI.sandbox.copied import CopiedSandbox
from tests.rehearsal.live import QUERY, Live, contents, named

LOOKALIKE = "Lapsed Readers Lookalike"


def test_the_copy_has_all_that_each_key_can_read(live: Live) -> None:
    """Cohorts with queries, imports with segments, ids, codes, sizes, times and inheritance are the same."""
    expected = [contents(each.api_key) for each in (live.group, live.brand)]
    live.sandbox.clear_requests()
    with Rehearsal(WorkspaceList([live.group, live.brand])) as rehearsal:
        found = [contents(each.api_key) for each in rehearsal.workspaces]
    assert found == expected
    assert live.methods == {"GET"}


def test_each_object_is_read_once(live: Live) -> None:
    """Neither a cohort nor a page of segments is read with two keys."""
    with Rehearsal([live.group, live.brand]):
        pass
    paths = [each.path for each in live.sandbox.requests]
    again = {each for each in paths if paths.count(each) > 1}
    assert again == {"/cohorts-api/v2/cohorts/", "/audience-api/v1/imports"}


def test_the_workspaces_are_the_same_with_new_keys(live: Live) -> None:
    """Names and ids are those of the live workspaces, in their order; the keys are new each time."""
    keys = set[str]()
    for _ in range(2):
        with Rehearsal([live.brand, live.group]) as rehearsal:
            for copied, original in zip(
                rehearsal.workspaces, (live.brand, live.group), strict=True
            ):
                same = {**original.to_json(), "api_key": copied.api_key}
                assert copied.to_json() == same
                keys.add(copied.api_key)
            assert rehearsal.credentials() == [each.to_json() for each in rehearsal.workspaces]
    assert len(keys) == 4 and not keys & {live.group.api_key, live.brand.api_key}


def test_no_frame_of_a_failed_start_shows_a_key(live: Live) -> None:
    """If the live service refuses a request, only local variables named api_key show the live keys."""
    live.sandbox.fail_next(status=400)
    with pytest.raises(PermutiveBadRequestError) as caught:
        Rehearsal([live.group, live.brand]).__enter__()
    for each in inspect.getinnerframes(caught.tb)[1:]:
        shown = {name: value for name, value in each.frame.f_locals.items() if name != "api_key"}
        assert live.group.api_key not in repr(shown)
        assert live.brand.api_key not in repr(shown)


def test_one_workspace_is_enough(live: Live) -> None:
    """A workspace need not be in a list."""
    with Rehearsal(live.group) as rehearsal:
        assert [each.name for each in rehearsal.workspaces] == [live.group.name]


def test_a_key_that_may_only_read_is_enough(live: Live) -> None:
    """The key of the copy may write, whatever the live key may do."""
    reader = Workspace.from_json(
        {**live.group.to_json(), "api_key": live.sandbox.read_only_api_key}
    )
    with Rehearsal(reader) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        Cohort("New", query=QUERY).create(key)
        Cohort.list(key)[0].delete(key)
    assert live.methods == {"GET"}


def test_cohorts_of_a_child_workspace_without_its_key(live: Live) -> None:
    """The key of the workspace above reads and changes them in the copy, as it does in the live service."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        assert contents(key) == _contents_in(live, live.group.api_key)
        named("Commuters", key).disable(key)
        (plan,) = rehearsal.changes().plans
    assert [(each.action, each.name) for each in plan.changes] == [("update", "Commuters")]
    assert plan.target.workspace_id == live.group.workspace_id


def test_inherited_cohorts_without_the_key_of_their_workspace(live: Live) -> None:
    """The key of a child workspace reads them in the copy, and may not change them."""
    with Rehearsal(live.brand) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        assert contents(key) == _contents_in(live, live.brand.api_key)
        with pytest.raises(PermutiveAuthenticationError):
            named("Football Fans", key).delete(key)
        named("Commuters", key).delete(key)
        (plan,) = rehearsal.changes().plans
    assert [(each.action, each.name) for each in plan.changes] == [("delete", "Commuters")]


def _contents_in(live: Live, key: str) -> Dict[str, Any]:
    """Return what a key reads in the live service, inside the block of a rehearsal."""
    with options(base_url=live.url):
        return contents(key)


def test_lookalike_cohorts(live: Live) -> None:
    """They have no query in the copy, and can be neither changed nor deleted, as in the live service."""
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        lookalike = named(LOOKALIKE, key)
        assert lookalike.query is None and lookalike.segment_type == "offline"
        with pytest.raises(PermutiveBadRequestError):
            lookalike.delete(key)
        assert not rehearsal.changes()


def test_new_codes_go_on_from_the_highest(live: Live) -> None:
    """The code of a new cohort is neither that of a cohort nor in a query, where it would get a meaning."""
    live.put("Broken", query={"or": [{"in_segment": 20_000}, {"in_segment": "20001"}]})
    with Rehearsal(live.group) as rehearsal:
        new = Cohort("New", query=QUERY)
        new.create(rehearsal.workspaces[0].api_key)
        assert new.code == 20_002
    with Rehearsal(live.brand) as rehearsal:  # It inherits the cohort.
        new.create(rehearsal.workspaces[0].api_key)
        assert new.code == 20_002


@pytest.mark.parametrize("size", [7, 20, 60])
def test_pages_of_segments(live: Live, size: int) -> None:
    """All pages are copied, in order."""
    live.sandbox.page_size = size
    _, markets = Import.list(live.group.api_key, include_details=True)
    with Rehearsal(live.group) as rehearsal:
        found = Segment.list(markets.id, rehearsal.workspaces[0].api_key)
    assert found == markets.segments and len(found) == 60


def test_a_large_import(live: Live) -> None:
    """An import with hundreds of segments on many pages is copied, and its plan has just the change."""
    live.put_segments(*(f"m_{number}" for number in range(400)))
    live.sandbox.page_size = 25
    with Rehearsal(live.group) as rehearsal:
        rehearsal.sandbox.page_size = 100
        key = rehearsal.workspaces[0].api_key
        assert len(Segment.list(live.import_id, key)) == 425
        Segment.get_by_code(live.import_id, "m_399", key).delete(key)
        (plan,) = rehearsal.changes().plans
    assert [(each.action, each.key) for each in plan.changes] == [("delete", "m_399")]
    assert (len(plan.unchanged), plan.owned_count) == (424, 425)


def test_a_price_that_the_service_does_not_tell(live: Live) -> None:
    """A segment without a price has none in the copy."""
    with Rehearsal(live.group) as rehearsal:
        path = f"/audience-api/v1/imports/{live.import_id}/segments"
        key = rehearsal.workspaces[0].api_key
        Segment.list(live.import_id, key)
        response = requests.get(rehearsal.base_url + path, params={"k": key}, timeout=5)
        shown = response.json()["elements"][0]
    assert sorted(shown) == [
        "categories",
        "code",
        "description",
        "id",
        "import_id",
        "name",
        "updated_at",
    ]


def test_a_cohort_that_is_deleted_meanwhile(live: Live) -> None:
    """A cohort that is listed, and no longer there when its query is read, is not in the copy."""
    gone = Cohort.list(live.group.api_key)[3]
    live.sandbox.fail_next(status=404, path=f"/cohorts-api/v2/cohorts/{gone.id}")
    with Rehearsal(live.group) as rehearsal:
        key = rehearsal.workspaces[0].api_key
        assert len(Cohort.list(key)) == 5
        with pytest.raises(PermutiveResourceNotFoundError):
            Cohort.get_by_id(gone.id or "", key)


# --- Larger families -----------------------------------------------------------------------------


def _cohort(number: int, workspace_id: str) -> Dict[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "code": str(number),
        "name": f"Cohort {number}",
        "query": {"in_segment": 1},
        "workspace_id": workspace_id,
    }


def _import(number: int, workspace_id: str, *seen_by: str) -> Dict[str, Any]:
    source = {"id": "s", "type": "gcs", "state": {"type": "active"}}
    facts = {
        "id": f"00000000-0000-4000-9000-{number:012}",
        "name": f"Import {number}",
        "code": f"import_{number}",
        "relation": "2nd",
        "identifiers": ["email"],
        "source": source,
    }
    return {"facts": facts, "workspace_id": workspace_id, "seen_by": [*seen_by], "segments": []}


def _workspace(name: str, *above: str) -> Dict[str, Any]:
    return {
        "name": name,
        "organisation_id": "top",
        "workspace_id": name,
        "api_key": f"key-of-{name}-0123456789",
        "above": above,
    }


FAMILY = {
    "workspaces": [
        _workspace("top"),
        _workspace("middle"),
        _workspace("low", "middle"),
        _workspace("other"),
    ],
    "cohorts": [
        _cohort(number, name) for number, name in enumerate(["top", "middle", "low", "other"], 1)
    ],
    "next_code": 5,
    "imports": [
        _import(1, "top", "top", "middle", "low", "other"),
        _import(2, "other", "other"),
        _import(3, "middle", "middle", "low"),
    ],
}


@pytest.mark.parametrize(
    "names",
    [
        ["top", "middle", "low", "other"],
        ["low"],
        ["middle"],
        ["top"],
        ["low", "other"],
        ["other", "low", "top"],
    ],
    ids=",".join,
)
def test_each_key_sees_what_it_sees_in_the_live_service(names: Any) -> None:
    """A family of three generations: keys see the cohorts above and below, and only their imports."""
    with CopiedSandbox(FAMILY, unknown_key="No.") as sandbox:
        live = WorkspaceList.from_json(sandbox.credentials())
        given = [live.id_dictionary[name] for name in names]
        expected = [_seen(each.api_key) for each in given]
        with Rehearsal(given) as rehearsal:
            assert [_seen(each.api_key) for each in rehearsal.workspaces] == expected


def _seen(key: str) -> Dict[str, Any]:
    """Return what a key sees, without an order."""

    def names(several: Any) -> Any:
        return sorted(each.name for each in several)

    return {
        "cohorts": names(Cohort.list(key)),
        "with those below": names(Cohort.list(key, include_child_workspaces=True)),
        "imports": [(each.name, each.inheritance) for each in Import.list(key)],
    }


# --- Failures ------------------------------------------------------------------------------------


def test_a_service_that_fails(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the service is raised, and the environment is as before."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    before = dict(os.environ)
    live.sandbox.fail_next(status=500, path="/audience-api/")
    rehearsal = Rehearsal(live.group)
    with pytest.raises(PermutiveServerError), rehearsal:
        pass
    assert dict(os.environ) == before
    with rehearsal:  # It can be tried again.
        assert rehearsal.workspaces


def test_a_rehearsal_is_not_begun_twice(live: Live) -> None:
    """A block inside its own block is an error; after its end, it begins anew with the present state."""
    rehearsal = Rehearsal(live.group)
    with rehearsal:
        Cohort.list(rehearsal.workspaces[0].api_key)[0].delete(rehearsal.workspaces[0].api_key)
        with pytest.raises(RuntimeError), rehearsal:
            pass
    live.put("New")
    with rehearsal:
        assert len(Cohort.list(rehearsal.workspaces[0].api_key)) == 7
        assert not rehearsal.changes()


def test_no_key_is_shown(live: Live) -> None:
    """Neither a live key nor one of the copy is in a repr, a text or the JSON form."""
    with Rehearsal([live.group, live.brand]) as rehearsal:
        key = rehearsal.workspaces[1].api_key
        Cohort("New", query=QUERY).create(key)
        changes = rehearsal.changes()
        texts = [
            repr(rehearsal),
            repr(rehearsal.sandbox),
            repr(vars(rehearsal)["_copy"]),
            repr(changes),
            str(changes),
            str(changes.to_json()),
            str(rehearsal.sandbox.requests),
        ]
    for secret in (live.group.api_key, live.brand.api_key, key):
        assert not any(secret in text for text in texts)
    assert texts[0] == "<Rehearsal of 'Meridian Media Group', 'Meridian Regional News'>"
    assert repr(rehearsal) == texts[0][:-1] + ", not running>"
