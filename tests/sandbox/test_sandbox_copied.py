"""A sandbox that starts as a copy of another service: what it takes, and what it refuses."""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict

import pytest
import requests

from PermutiveAPI import Cohort, Import, PermutiveResourceNotFoundError, Segment
from PermutiveAPI.sandbox.copied import CopiedSandbox
from tests.rehearsal.live import QUERY

ID = "0B8B1C9E-3A7D-4C43-8C1E-5D0A5F6E7A01"
IMPORT: Dict[str, Any] = {
    "facts": {
        "id": ID,
        "name": "CRM",
        "code": "crm",
        "relation": "2nd",
        "identifiers": [],
        "source": {"id": "s", "type": "gcs", "state": {}},
    },
    "workspace_id": "w",
    "seen_by": ["w"],
    "segments": [{"id": "s-1", "code": "one", "name": "One", "import_id": ID}],
}
DATA: Dict[str, Any] = {
    "workspaces": [
        {
            "name": "News",
            "organisation_id": "w",
            "workspace_id": "w",
            "api_key": "key-0123456789abcdef",
            "above": [],
        },
        {"name": "", "organisation_id": "x", "workspace_id": "x", "api_key": "", "above": ["w"]},
    ],
    "cohorts": [
        {"id": ID, "code": "7", "name": "A", "workspace_id": "w", "query": QUERY, "own": [1]},
        {"id": "b", "code": 8, "name": "B", "workspace_id": "x", "state": "Paused"},
    ],
    "next_code": 12,
    "imports": [IMPORT],
}


def copied(data: Any = DATA) -> CopiedSandbox:
    """Return a sandbox with this data."""
    return CopiedSandbox(data, unknown_key="No such key.")


def test_it_serves_the_data() -> None:
    """Ids may have capital letters, codes may be texts, and a cohort without a state is enabled."""
    sandbox = copied()
    with sandbox:
        cohorts = Cohort.list(sandbox.api_key, include_child_workspaces=True)
        assert [(each.code, each.state) for each in cohorts] == [(7, "Enabled"), (8, "Paused")]
        assert Cohort.get_by_id(ID, sandbox.api_key).query == QUERY
        assert Import.get_by_id(ID, sandbox.api_key).name == "CRM"
        new = Cohort("New", query=QUERY)
        new.create(sandbox.api_key)
        assert new.code == 12
        Segment.get_by_code(ID, "one", sandbox.api_key).delete_by_code(sandbox.api_key)
        assert (len(sandbox.cohorts()), sandbox.segments()) == (3, {ID: []})
    assert sandbox.cohorts()[0]["own"] == [1]  # Members that nobody knows are kept.
    assert [each["name"] for each in sandbox.credentials()] == ["News"]


def test_imports_that_a_workspace_does_not_see() -> None:
    """They are neither listed nor found."""
    data = copy.deepcopy(DATA)
    data["imports"][0]["seen_by"] = ["x"]
    with copied(data) as sandbox:
        assert Import.list(sandbox.api_key) == []
        with pytest.raises(PermutiveResourceNotFoundError):
            Segment.list(ID, sandbox.api_key)


def test_nobody_controls_a_copy() -> None:
    """Control needs no key, and the requests of a job can name real users."""
    with copied() as sandbox:
        response = requests.get(f"{sandbox.base_url}/_sandbox/requests", timeout=5)
    assert response.status_code == 403


def test_the_given_data_is_not_changed() -> None:
    """Two sandboxes can start with the same data."""
    before = copy.deepcopy(DATA)
    with copied() as sandbox:
        Cohort("Other", id=ID, query=QUERY).update(sandbox.api_key)
        Segment("two", "Two", ID).create(sandbox.api_key)
    assert DATA == before


def _code_of_a_cohort(data: Any) -> None:
    data["cohorts"][1]["code"] = "8b"


def _no_name(data: Any) -> None:
    del data["cohorts"][0]["name"]


def _no_code_of_a_segment(data: Any) -> None:
    del data["imports"][0]["segments"][0]["code"]


def _no_workspace_of_an_import(data: Any) -> None:
    data["imports"][0]["workspace_id"] = None


@pytest.mark.parametrize(
    "spoil, text",
    [
        (_code_of_a_cohort, "cohorts[1]: code: a whole number is expected"),
        (_no_name, "cohorts[0]: name: the field is required"),
        (_no_code_of_a_segment, f"segments of the import {ID}[0]: code: the field is required"),
        (_no_workspace_of_an_import, "imports[0]: workspace_id: the field is required"),
    ],
)
def test_data_that_it_refuses(spoil: Callable[[Any], None], text: str) -> None:
    """The error names the item and its member."""
    data = copy.deepcopy(DATA)
    spoil(data)
    with pytest.raises(ValueError) as caught:
        copied(data)
    assert str(caught.value) == text
