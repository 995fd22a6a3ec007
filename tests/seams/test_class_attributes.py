"""Replaced class attributes: ``Cohort.list``, ``Cohort.get_by_id``, ``Import.list``, ``Segment.list``."""

from __future__ import annotations

import sys
from typing import Any, List, Optional
from unittest.mock import MagicMock, call, patch

import pytest

from PermutiveAPI import (
    Cohort,
    CohortList,
    Import,
    ImportList,
    Segment,
    SegmentList,
    Source,
    Workspace,
)
from tests.support.calls import COHORT, IMPORT
from tests.support.fake_service import FakeService, answer
from tests.support.fakes import COHORTS, KEY, OnlyJson


def _cohorts() -> CohortList:
    return CohortList([Cohort("A", id="1", code=10), Cohort("B", id="2", code="20")])


def _import(id: str) -> Import:
    return Import(id, "n", "c", "3rd", [], Source("s", {}, "t"))


@pytest.fixture
def workspace() -> Workspace:
    """A workspace with a key."""
    return Workspace("Main", "o", "w", KEY)


# --- Look-ups ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "look_up, wanted, id",
    [("get_by_name", "B", "2"), ("get_by_code", 20, "2"), ("get_by_code", "10", "1")],
)
def test_look_ups_use_the_replaced_list(
    look_up: str, wanted: Any, id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up lists with child workspaces, then calls ``get_by_id`` with two positionals."""
    listed: List[Any] = []

    def fake_list(*, include_child_workspaces: bool, api_key: str) -> CohortList:
        listed.append((include_child_workspaces, api_key))
        return _cohorts()

    def fake_get(cohort_id: str, key: str, /) -> str:
        return f"{cohort_id} with {key}"

    monkeypatch.setattr(Cohort, "list", staticmethod(fake_list))
    monkeypatch.setattr(Cohort, "get_by_id", staticmethod(fake_get))
    assert getattr(Cohort, look_up)(wanted, KEY) == f"{id} with {KEY}"
    assert listed == [(True, KEY)]


# "PermutiveAPI.Cohort" is the class for mock.patch before Python 3.11, and the module since.
COHORT_CLASS = "PermutiveAPI.Cohort" + ("" if sys.version_info < (3, 11) else ".Cohort")


def test_list_replaced_by_its_dotted_path() -> None:
    """``mock.patch`` by dotted path replaces ``Cohort.list`` for look-ups."""
    with patch(f"{COHORT_CLASS}.list", return_value=_cohorts()) as fake:
        with patch.object(Cohort, "get_by_id", return_value="found") as get:
            assert Cohort.get_by_name("A", KEY) == "found"
    assert fake.call_count == 1
    assert get.call_args == call("1", KEY)


def test_list_replaced_by_pytest_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """``monkeypatch.setattr("PermutiveAPI.Cohort.list", ...)`` replaces the class's ``list``."""
    monkeypatch.setattr("PermutiveAPI.Cohort.list", lambda **kwargs: CohortList())
    assert Cohort.get_by_name("A", KEY) is None


# --- Details ---------------------------------------------------------------------------------------


def test_details_use_the_replaced_get_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """With details, every cohort is fetched by ``Cohort.get_by_id(<id>, <key>)``, in list order."""
    ids = [f"c-{n}" for n in range(20)]

    def fake_get(id: str, key: str, /) -> Cohort:
        assert key == KEY
        return Cohort(f"full {id}", id=id)

    helper = MagicMock()
    helper.get.return_value = OnlyJson([{**COHORT, "id": id} for id in ids])
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    monkeypatch.setattr(Cohort, "get_by_id", staticmethod(fake_get))
    found = Cohort.list(KEY, include_details=True)
    assert type(found) is CohortList
    assert [each.name for each in found] == [f"full {id}" for id in ids]
    helper.get.assert_called_once_with(KEY, COHORTS, params={})


def test_details_run_on_the_replaced_executor(
    monkeypatch: pytest.MonkeyPatch, executors: List[Any]
) -> None:
    """Details are fetched on ``http.ThreadPoolExecutor``, also if its futures are done at once."""
    helper = MagicMock()
    helper.get.return_value = OnlyJson([{**COHORT, "id": f"c-{n}"} for n in range(40)])
    monkeypatch.setattr(Cohort, "_request_helper", helper)
    monkeypatch.setattr(Cohort, "get_by_id", lambda id, key: Cohort(id))
    found = Cohort.list(KEY, include_details=True)
    assert [each.name for each in found] == [f"c-{n}" for n in range(40)]
    assert len(executors) == 1


@pytest.mark.parametrize("many", [False, True])
def test_import_details_use_the_replaced_segment_list(
    many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import's details come from ``Segment.list(api_key=..., import_id=...)``."""

    def fake_list(*, api_key: str, import_id: str) -> SegmentList:
        assert api_key == KEY
        return SegmentList([Segment("c", "n", import_id)])

    helper = MagicMock()
    items = [{**IMPORT, "id": f"i-{n}"} for n in range(5)]
    helper.get.return_value = OnlyJson(items if many else items[0])
    monkeypatch.setattr(Import, "_request_helper", helper)
    monkeypatch.setattr(Segment, "list", staticmethod(fake_list))
    if many:
        found = list(Import.list(KEY, include_details=True))
    else:
        found = [Import.get_by_id("i-0", KEY, include_details=True)]
    assert len(found) == (5 if many else 1)
    for each in found:
        assert each.segments is not None
        assert [segment.import_id for segment in each.segments] == [each.id]


# --- Workspace -------------------------------------------------------------------------------------


def test_workspace_cohorts(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """``cohorts`` calls ``Cohort.list`` with exactly three keywords, once for each argument."""
    calls: List[bool] = []

    def fake_list(
        *, include_child_workspaces: bool, include_details: bool, api_key: str
    ) -> CohortList:
        assert (include_child_workspaces, api_key) == (True, KEY)
        calls.append(include_details)
        return CohortList([Cohort(str(len(calls)))])

    monkeypatch.setattr(Cohort, "list", staticmethod(fake_list))
    first = workspace.cohorts()
    assert workspace.cohorts() is first and workspace.cohorts(False) is first
    detailed = workspace.cohorts(include_details=True)
    assert detailed is not first and workspace.cohorts(True) is detailed
    assert calls == [False, True]
    fresh = workspace.cohorts(force_refresh=True)
    assert fresh is not first and workspace.cohorts() is fresh
    assert workspace.cohorts(True) is detailed
    assert calls == [False, True, False]


def test_workspace_imports(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """``imports`` calls ``Import.list`` with exactly two keywords, once for each argument."""
    calls: List[bool] = []

    def fake_list(*, api_key: str, include_details: bool) -> ImportList:
        assert api_key == KEY
        calls.append(include_details)
        return ImportList([_import(str(len(calls)))])

    monkeypatch.setattr(Import, "list", staticmethod(fake_list))
    first = workspace.imports()
    assert workspace.imports() is first
    assert workspace.imports(include_details=True) is not first
    assert workspace.imports(force_refresh=True) is not first
    assert calls == [False, True, False]


def test_workspace_segments(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """``segments`` calls ``Segment.list`` with exactly two keywords, once for each import."""
    calls: List[str] = []

    def fake_list(*, import_id: str, api_key: str) -> SegmentList:
        assert api_key == KEY
        calls.append(import_id)
        return SegmentList()

    monkeypatch.setattr(Segment, "list", staticmethod(fake_list))
    first = workspace.segments(import_id="a")
    assert workspace.segments("a") is first
    assert workspace.segments("b") is not first
    assert workspace.segments("a", force_refresh=True) is not first
    assert calls == ["a", "b", "a"]


@pytest.mark.parametrize(
    "name, method, argument",
    [("Cohort", "cohorts", None), ("Import", "imports", None), ("Segment", "segments", "i-1")],
)
def test_classes_replaced_in_the_workspace_module(
    name: str, method: str, argument: Optional[str], workspace: Workspace
) -> None:
    """A class replaced as ``PermutiveAPI.Workspace.<name>`` is used by the workspace."""
    with patch.object(sys.modules["PermutiveAPI.Workspace"], name) as fake:
        arguments = () if argument is None else (argument,)
        found = getattr(workspace, method)(*arguments)
    assert found is fake.list.return_value


def test_removing_a_replaced_list(workspace: Workspace, server: FakeService) -> None:
    """When the fake is gone, the workspace lists over the network again."""
    with patch.object(Cohort, "list", return_value=CohortList()):
        assert workspace.cohorts() == []
    server.default = answer(200, [COHORT])
    assert workspace.cohorts(force_refresh=True)[0].id == "c-1"
    assert server.received[0].query["include-child-workspaces"] == ["true"]
