"""Cohorts and imports that are named by id, code or name."""

from __future__ import annotations

import pytest

from PermutiveAPI import Cohort, Import
from PermutiveAPI.cli.finding import cohorts_named, import_named
from PermutiveAPI.sandbox import Sandbox


def test_cohorts_by_code_id_and_name(service: Sandbox) -> None:
    """Each name finds its cohort, in the order of the names; the list is fetched once."""
    football, _, formula = Cohort.list()[:3]
    service.clear_requests()
    found = cohorts_named(["Formula 1 Enthusiasts", str(football.code), formula.id or ""])
    assert [each.id for each in found] == [formula.id, football.id]
    assert len(service.requests) == 1


def test_a_cohort_of_a_workspace_below(service: Sandbox) -> None:
    """The workspaces below are looked through only for what is not found above."""
    service.clear_requests()
    assert [each.code for each in cohorts_named(["12345", "Commuters"])] == [12345, 12374]
    assert ["include-child-workspaces" in each.query for each in service.requests] == [False, True]


def test_the_own_workspace_comes_first(fresh_service: Sandbox) -> None:
    """A name that both have means the cohort of the key's own workspace."""
    Cohort("Football Fans", query={"in_segment": 1}).create(fresh_service.child_api_key)
    assert [each.code for each in cohorts_named(["Football Fans", "Commuters"])] == [12345, 12374]


def test_names_that_are_not_clear_are_listed_together(fresh_service: Sandbox) -> None:
    """One error lists what was not found and what is ambiguous, with the candidates."""
    second = Cohort("Football Fans", query={"in_segment": 1})
    second.create()
    first = Cohort.get_by_code(12345)
    assert first
    with pytest.raises(ValueError) as caught:
        cohorts_named(["nobody", "12346", "Football Fans", "\x1b[31m"])
    assert str(caught.value).splitlines() == [
        "3 names do not stand for one cohort each:",
        "no cohort has the id, code or name 'nobody'",
        "2 cohorts are called 'Football Fans'; give the id: "
        f"{first.id} (code 12345), {second.id} (code {second.code})",
        r"no cohort has the id, code or name '\x1b[31m'",
    ]


def test_a_name_that_is_the_code_of_another(fresh_service: Sandbox) -> None:
    """A name that could mean two cohorts is never guessed."""
    Cohort("12345", query={"in_segment": 1}).create()
    with pytest.raises(ValueError, match="2 cohorts are called '12345'"):
        cohorts_named(["12345"])


@pytest.mark.parametrize("name", ["", " ", "None"])
def test_nothing_is_found_by_nothing(service: Sandbox, name: str) -> None:
    """A blank name finds nothing, and None is not a code."""
    with pytest.raises(ValueError) as caught:
        cohorts_named([name])
    assert str(caught.value) == f"no cohort has the id, code or name {name!r}."


def test_many_wrong_names_are_shortened(service: Sandbox) -> None:
    """The first twenty are listed."""
    with pytest.raises(ValueError) as caught:
        cohorts_named([f"nobody {number}" for number in range(50)])
    assert str(caught.value).splitlines()[-1] == "and 30 more"


def test_imports(service: Sandbox) -> None:
    """An import is found by its code, id or name."""
    found = Import.list()[1]
    for name in ("inmarket", "In-Market Shoppers", found.id):
        assert import_named(name).id == found.id
    with pytest.raises(ValueError) as caught:
        import_named("nothing")
    assert str(caught.value) == "no import has the id, code or name 'nothing'."
