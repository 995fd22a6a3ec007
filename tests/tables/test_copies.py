"""Copies of cohorts in another workspace: references, order, mapping, and what is refused."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from PermutiveAPI import Cohort, Workspace
from PermutiveAPI.Query import has_entered, in_segment
from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.Tables import Plan, Report
from PermutiveAPI.Tables.new_codes import new_cohorts_in, with_known_codes, with_new_cohorts
from tests.support.mistakes import assert_raises
from tests.tables.club import Club, fields_of


@pytest.fixture
def club(sandbox: Sandbox) -> Club:
    """The cohorts of the sandbox."""
    return Club(sandbox)


def copy(club: Club, *cohorts: Cohort, **options: Any) -> Plan:
    """Plan copies in the child workspace, and forget the requests so far."""
    plan = club.group.plan_copy(cohorts, to=club.brand, **options)
    club.sandbox.clear_requests()
    return plan


def apply(club: Club, plan: Plan, **options: Any) -> Report:
    """Apply a plan in the child workspace."""
    return plan.apply(**{"api_key": club.brand.api_key, **options})


def copies(club: Club) -> Dict[str, Cohort]:
    """Return the child workspace's own cohorts, by name."""
    own = [
        each
        for each in club.brand.cohorts(True, True)
        if each.workspace_id == club.brand.workspace_id
    ]
    return {each.name: each for each in own}


def chain(club: Club) -> List[Cohort]:
    """Create cohorts of which the first names the second and third, and the second the third."""
    third = club.put(
        "Third", {"in_segment": 7}, tags=["x"], description="The third", state="Disabled"
    )
    third.disable(club.key)
    second = club.put("Second", {"in_segment": third.code})
    first = {"or": [{"in_segment": str(third.code)}, {"has_entered": {"segment": second.code}}]}
    return [club.put("First", first), second, third]


def test_a_plain_copy(club: Club) -> None:
    """A copy has the fields of its original, which stays as it is; listed cohorts are fetched first."""
    listed = club.list(details=False)[:2]
    before = club.there()
    report = apply(club, copy(club, *listed))
    assert report.counts == {"created": 2}
    assert club.there() == before
    made = copies(club)
    assert [fields_of(made[each.name]) for each in listed] == [before[each.name] for each in listed]
    assert {each["id"] for each in report.rows} == {made[each.name].id for each in listed}


def test_the_text_of_a_copy(club: Club) -> None:
    """The plan names a new cohort where its code is not known yet. It comes after what it names."""
    plan = copy(club, *chain(club), mapping={7: 12345})
    assert str(plan) == "\n".join(
        [
            "cohorts: 3 to create, 0 to update, 0 to delete, 0 unchanged",
            "+ Third",
            '    name: "Third"',
            '    description: "The third"',
            '    query: {"in_segment": 12345}',
            '    tags: ["x"]',
            '    state: "Disabled"',
            '    segment_type: "real_time"',
            "+ Second",
            '    name: "Second"',
            '    query: {"in_segment": "new cohort: Third"}',
            '    state: "Enabled"',
            '    segment_type: "real_time"',
            "+ First",
            '    name: "First"',
            '    query: {"or": [{"in_segment": "new cohort, as a text: Third"}, {"has_entered": {"seg...',
            '    state: "Enabled"',
            '    segment_type: "real_time"',
        ]
    )


def test_references_between_copies(club: Club) -> None:
    """Copies name each other's new codes: numbers as numbers, and texts as texts."""
    plan = copy(club, *chain(club), mapping={"7": 12345})
    report = apply(club, Plan.from_json(plan.to_json()))
    made = copies(club)
    codes = {name: made[name].code for name in ("Second", "Third")}
    assert made["Second"].query == {"in_segment": codes["Third"]}
    assert made["First"].query == {
        "or": [{"in_segment": str(codes["Third"])}, {"has_entered": {"segment": codes["Second"]}}]
    }
    assert (made["Third"].state, report.counts) == ("Disabled", {"created": 3})


def test_copied_twice(club: Club) -> None:
    """The same plan, applied again, writes nothing; a new plan of the same copies is empty."""
    cohorts = chain(club)
    plan = copy(club, *cohorts, mapping={7: 12345})
    apply(club, plan)
    club.sandbox.clear_requests()
    assert apply(club, plan).counts == {"unchanged": 3}
    again = copy(club, *cohorts, mapping={7: 12345})
    assert (len(again), [each.name for each in again.unchanged]) == (
        0,
        ["Third", "Second", "First"],
    )
    assert club.writes() == []


def test_a_part_of_a_copy(club: Club) -> None:
    """A copy that exists already is named by its code."""
    first, second, third = chain(club)
    apply(club, copy(club, third, mapping={7: 12345}))
    plan = copy(club, first, second, third, mapping={7: 12345})
    third_code = copies(club)["Third"].code
    assert [(each.name, each.wanted["query"]) for each in plan.changes] == [
        ("Second", {"in_segment": third_code}),
        (
            "First",
            {
                "or": [
                    {"in_segment": str(third_code)},
                    {"has_entered": {"segment": "new cohort: Second"}},
                ]
            },
        ),
    ]


def test_an_interrupted_copy(club: Club) -> None:
    """If a cohort cannot be created, those that name it are not tried; applied again, the rest is made."""
    plan = copy(club, *chain(club), mapping={7: 12345})
    club.sandbox.fail_next(status=400, method="POST")
    report = apply(club, plan)
    assert [(each.change.name, each.status, each.error) for each in report.failures[1:]] == [
        ("Second", "not tried", "it needs the codes of 'Third'"),
        ("First", "not tried", "it needs the codes of 'Third', 'Second'"),
    ]
    assert report.counts == {"failed": 1, "not tried": 2}
    assert apply(club, plan).counts == {"created": 3}


def test_another_one_of_the_name(club: Club) -> None:
    """Applied again, a copy names the code of the cohort that it made, not of another one with its name."""
    plan, key = copy(club, *chain(club), mapping={7: 12345}), club.brand.api_key
    apply(club, Plan(plan.target, plan.changes[:1]))
    third = copies(club)["Third"]
    club.put("Third", {"in_segment": 8}, key=key)
    assert apply(club, plan).counts == {"created": 2, "unchanged": 1}
    assert copies(club)["Second"].query == {"in_segment": third.code}
    assert apply(club, plan).counts == {"unchanged": 3}


def test_a_copy_is_undone(club: Club) -> None:
    """The inverse of a copy deletes the copies, though their queries have other codes than the plan shows."""
    before = copies(club)
    plan = copy(club, *chain(club), mapping={7: 12345})
    undo = apply(club, plan).inverse()
    assert apply(club, Plan.from_json(undo.to_json())).counts == {"deleted": 3}
    assert copies(club).keys() == before.keys()


def test_a_copy_in_the_wrong_workspace(club: Club) -> None:
    """The default key is often that of the originals' workspace. A plan for another one is refused there."""
    plan = copy(club, *chain(club), mapping={7: 12345})
    with pytest.raises(ValueError, match="The plan was made for another workspace"):
        apply(club, plan, api_key=club.key)
    assert club.writes() == []


def test_edited_in_between(club: Club) -> None:
    """A cohort with the same name and other fields, which came in between, is a conflict."""
    plan = copy(club, *chain(club), mapping={7: 12345})
    club.put("Second", {"in_segment": 8}, key=club.brand.api_key)
    with pytest.raises(ValueError, match="(?s)the service already has it.*query: "):
        apply(club, plan)
    assert club.writes() == []


# --- What is refused ---------------------------------------------------------------------------------


def test_every_reference_to_others_must_be_mapped(club: Club) -> None:
    """Each code that is neither copied nor mapped is listed, with the cohorts that name it."""
    first, second, third = chain(club)
    other = club.put("Other", in_segment(7) & (has_entered("9") | in_segment(first.code or 0)))
    text = (
        "mapping: in 'Meridian Regional News', these codes may belong to other cohorts. Copy the cohorts with these codes, too, or "
        "pass mapping={code here: code there}:\n"
        "7, in the query of 'Third', 'Other'\n"
        "9, in the query of 'Other'"
    )
    assert_raises(lambda: copy(club, first, second, third, other), ValueError, text)
    text = "mapping: 'Meridian Regional News' has no cohort with the code 1, 2"
    assert_raises(lambda: copy(club, first, mapping={7: 1, 8: 2}), ValueError, text)
    assert len(copy(club, first, second, third, other, mapping={7: 12345, 9: 12346})) == 4


def test_segments_keep_their_codes(club: Club) -> None:
    """Segments of imports, and parts of a query that cannot be read, are copied as they are."""
    query = {"or": [{"in_third_party_segment": {"segment": "12345", "provider": "inmarket"}}]}
    strange = {"type": "users", "inside": [{"in_segment": 12345}]}
    plan = copy(club, Cohort("A", query=query), Cohort("B", query=strange), mapping={12345: 12346})
    assert [each.wanted["query"] for each in plan.changes] == [
        query,
        {"type": "users", "inside": [{"in_segment": 12346}]},
    ]


def test_circles(club: Club) -> None:
    """Cohorts that name each other in a circle are refused with their names."""
    second = club.put("Second")
    first = club.put("First", {"in_segment": second.code})
    second.query = {"in_segment": first.code}
    second.update(club.key)
    with pytest.raises(ValueError) as caught:
        copy(club, first, second)
    assert str(caught.value) in (
        "cohorts name each other in a circle: 'First' -> 'Second' -> 'First'",
        "cohorts name each other in a circle: 'Second' -> 'First' -> 'Second'",
    )
    own = club.put("Own")
    own.query = {"in_segment": own.code}
    text = "cohorts name each other in a circle: 'Own' -> 'Own'"
    assert_raises(lambda: copy(club, own), ValueError, text)


def test_existing_cohorts_are_not_overwritten(club: Club) -> None:
    """A cohort that the other workspace has with other fields is refused. Fields that the original does not have may differ."""
    for name in ("A", "B"):
        club.put(
            name, {"in_segment": 12345}, key=club.brand.api_key, description="There", tags=["x"]
        )
    a = Cohort("A", query={"in_segment": 12345})
    b = Cohort("B", query={"in_segment": 12346}, tags=["y"])
    mapping = {12345: 12345, 12346: 12346}
    text = (
        "to: 'Meridian Regional News' has other cohorts with these names. Leave them out, or give the copies "
        "other names:\n'B': query, tags"
    )
    assert_raises(lambda: copy(club, a, b, mapping=mapping), ValueError, text)
    assert [each.name for each in copy(club, a, mapping=mapping).unchanged] == ["A"]


def test_other_mistakes(club: Club) -> None:
    """Wrong arguments are refused before anything is written."""
    fans, lookalike = club.get(12345), club.list()[-1]
    club.put("Football Fans", key=club.brand.api_key)
    club.put("Football Fans", key=club.brand.api_key)
    mistakes: Any = [
        ([], club.brand, ValueError, "cohorts must not be empty."),
        (["x"], club.brand, TypeError, "cohorts[0] must be of type Cohort, got str."),
        ([fans], "x", TypeError, "to must be of type Workspace, got str."),
        (
            [fans],
            club.group,
            ValueError,
            "to must be another workspace; use Cohort.copy() for a copy in the same one.",
        ),
        (
            [lookalike, Cohort("New")],
            club.brand,
            ValueError,
            "cohorts without a query, such as lookalike ones, cannot be copied: "
            "'High-Value Customers Lookalike', 'New'",
        ),
        (
            [fans, fans],
            club.brand,
            ValueError,
            "cohorts has several cohorts with the name 'Football Fans'",
        ),
        (
            [fans],
            club.brand,
            ValueError,
            "to: 'Meridian Regional News' has several cohorts with the name 'Football Fans'",
        ),
    ]
    wrong: Any = ["x"]
    text = "mapping must be of type Mapping, got list."
    assert_raises(lambda: copy(club, fans, mapping=wrong), TypeError, text)
    for cohorts, to, kind, text in mistakes:
        assert_raises(lambda: club.group.plan_copy(cohorts, to=to), kind, text)
    assert club.writes() == []


# --- Codes that nobody knows yet -----------------------------------------------------------------------


def test_codes_of_new_cohorts() -> None:
    """A text that stands for a code is replaced by the code, also inside parts that cannot be read."""
    query = {"x": [{"in_segment": 1}, {"has_exited": {"segment": "2"}}], "n": None, "t": True}
    shown = with_new_cohorts(query, {}, {"1": "A", "2": "B: c"})
    assert new_cohorts_in(shown) == ["A", "B: c"]
    assert with_known_codes(shown, {"A": 10}) != shown
    assert with_known_codes(shown, {"A": 10, "B: c": 20}) == {
        "x": [{"in_segment": 10}, {"has_exited": {"segment": "20"}}],
        "n": None,
        "t": True,
    }
    assert with_known_codes(shown, {}) == shown
    assert with_new_cohorts(query, {"1": 5}, {}) == {
        **query,
        "x": [{"in_segment": 5}, query["x"][1]],
    }


def test_only_the_codes_of_cohorts_are_replaced() -> None:
    """A text that looks like what stands for a code, in another clause, stays as it is."""
    title = {"property": "properties.title", "condition": {"equal_to": "new cohort: A"}}
    event = {"event": "Pageview", "frequency": {"greater_than": 1}, "where": title}
    foreign = {"x": "new cohort: A"}
    segment = {"in_second_party_segment": {"provider": "p", "segment": "new cohort, as a text: A"}}
    query = {"or": [event, foreign, segment, {"in_segment": 1}]}
    shown = with_new_cohorts(query, {}, {"1": "B"})
    assert shown["or"] == [event, foreign, segment, {"in_segment": "new cohort: B"}]
    assert new_cohorts_in(shown) == ["B"]
    assert with_known_codes(shown, {"A": 7, "B": 8})["or"] == [*shown["or"][:3], {"in_segment": 8}]


@pytest.mark.parametrize("name", ["Foo", "Football Fans"])
def test_a_text_that_looks_like_a_new_cohort(club: Club, name: str) -> None:
    """It is sent as it is, whether a cohort has the name or not."""
    where = {"property": "properties.title", "condition": {"equal_to": f"new cohort: {name}"}}
    query = {"event": "Pageview", "frequency": {"greater_than": 1}, "where": where}
    report = club.apply(club.plan([{"name": "Titles", "query": query}]))
    assert report.counts == {"created": 1}
    assert club.there()["Titles"]["query"] == query


def test_workspaces_made_by_hand(club: Club) -> None:
    """A wrong workspace_id is noticed if the workspace has cohorts."""
    wrong = Workspace("Wrong", "o", "not-there", club.brand.api_key)
    plan = club.group.plan_copy([Cohort("A", query={"type": "users"})], to=wrong)
    with pytest.raises(ValueError, match="The plan was made for another workspace"):
        apply(club, plan)
