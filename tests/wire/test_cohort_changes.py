"""Updates of cohorts send what the caller changed, and reset nothing else."""

from __future__ import annotations

from typing import Any, Callable, Dict, List
from uuid import UUID

import numpy
import pytest

from PermutiveAPI import Cohort, CohortList, PermutiveConflictError, Progress
from PermutiveAPI.Query import event, in_segment
from PermutiveAPI.sandbox import Sandbox
from tests.support.calls import COHORT, KEY, QUERY, cohort
from tests.support.fake_service import FakeService, answer


@pytest.fixture
def fetched(server: FakeService) -> Cohort:
    """A cohort as the service has it."""
    server.default = answer(200, {**COHORT, "query": QUERY})
    found = Cohort.get_by_id("c-1", KEY)
    server.received.clear()
    return found


CHANGES: Dict[str, Any] = {
    "name": ("name", "Fans", {"name": "Fans"}),
    "description": ("description", "x", {"description": "x"}),
    "description cleared": ("description", None, {"description": None}),
    "tags": ("tags", ["c"], {"tags": ["c"]}),
    "no tags": ("tags", [], {"tags": []}),
    "query": ("query", in_segment(1), {"query": {"in_segment": 1}}),
    "state": ("state", "Disabled", {"state": "Disabled"}),
    "name, but not really": ("name", "Readers", {}),
    "None for a name": ("name", None, {}),
}


@pytest.mark.parametrize(("field", "value", "sent"), CHANGES.values(), ids=list(CHANGES))
def test_what_was_changed_is_sent(
    server: FakeService, fetched: Cohort, field: str, value: Any, sent: Any
) -> None:
    """For a fetched cohort, an update sends the fields that differ, and the id."""
    setattr(fetched, field, value)
    fetched.update(KEY)
    assert server.received[-1].json == {"id": "c-1", **sent}


def test_a_change_in_place_is_seen(server: FakeService, fetched: Cohort) -> None:
    """Appending to the tags, and editing the query, are changes, too."""
    assert fetched.tags is not None
    fetched.tags.append("c")
    fetched.query["frequency"]["greater_than_or_equal_to"] = 5
    fetched.update(KEY)
    body = server.received[-1].json
    assert body["tags"] == ["a", "b", "c"]
    assert body["query"]["frequency"] == {"greater_than_or_equal_to": 5}
    assert set(body) == {"id", "tags", "query"}


def test_a_second_update_sends_what_is_new(server: FakeService, fetched: Cohort) -> None:
    """The next update does not send again what an update has sent."""
    fetched.name = "Fans"
    fetched.update(KEY)
    fetched.description = None
    fetched.update(KEY)
    assert server.received[-1].json == {"id": "c-1", "description": None}


def test_a_failed_update_is_sent_again(server: FakeService, fetched: Cohort) -> None:
    """The next update sends again what the service has refused."""
    server.script = [answer(409)]
    fetched.name = "Fans"
    with pytest.raises(PermutiveConflictError):
        fetched.update(KEY)
    fetched.update(KEY)
    assert server.received[-1].json == {"id": "c-1", "name": "Fans"}


def test_listed_cohorts(server: FakeService) -> None:
    """For cohorts of a list, which come without queries, only changes are sent, in batches, too."""
    server.script = [answer(200, [{**COHORT, "id": f"c-{n}"} for n in range(3)])]
    server.default = answer(200, COHORT)
    cohorts = Cohort.list(KEY)
    for each in cohorts:
        each.tags = [*(each.tags or []), "new"]
    Cohort.batch_update(cohorts, api_key=KEY, max_workers=1)
    bodies = [seen.json for seen in server.received[1:]]
    assert bodies == [{"id": f"c-{n}", "tags": ["a", "b", "new"]} for n in range(3)]


def test_a_created_cohort(server: FakeService) -> None:
    """For a created cohort, only later changes are sent, and None clears the description."""
    server.script = [answer(201, {**COHORT, "query": QUERY})]
    server.default = answer(200, COHORT)
    made = Cohort("Readers", query=QUERY, description="Who reads", tags=["a", "b"])
    made.create(KEY)
    made.update(KEY)
    made.description = None
    made.update(KEY)
    bodies = [seen.json for seen in server.received[1:]]
    assert bodies == [{"id": "c-1"}, {"id": "c-1", "description": None}]


def test_a_created_cohort_with_a_short_response(server: FakeService) -> None:
    """An update sends the fields that the response to the create did not have."""
    server.default = answer(200, {"id": "c-1", "name": "Readers", "code": 1})
    made = Cohort("Readers", query=QUERY, tags=["a"])
    made.create(KEY)
    made.update(KEY)
    assert server.received[-1].json == {"id": "c-1", "query": QUERY, "tags": ["a"]}


def test_cohorts_made_by_hand(server: FakeService) -> None:
    """For a cohort made by the constructor, all fields that are not None are sent, including the state."""
    server.default = answer(200, COHORT)
    made = cohort(id="c-1", tags=["a"], state="Disabled")
    for _ in range(2):
        made.update(KEY)
        assert server.received[-1].json == {
            "id": "c-1",
            "name": "Readers",
            "query": QUERY,
            "description": "Who reads",
            "tags": ["a"],
            "state": "Disabled",
        }


@pytest.mark.parametrize(
    "read", [Cohort.from_json, lambda data: CohortList.from_json([data])[0]], ids=["one", "a list"]
)
def test_saved_cohorts(server: FakeService, read: Callable[[Any], Cohort]) -> None:
    """For a cohort from a file, the state is sent only if it has changed, and all other fields always."""
    server.default = answer(200, COHORT)
    saved = read({**COHORT, "query": QUERY})
    saved.update(KEY)
    assert "state" not in server.received[-1].json
    assert server.received[-1].json["query"] == QUERY
    saved.state = "Disabled"
    saved.update(KEY)
    assert server.received[-1].json["state"] == "Disabled"


def test_enable_and_disable_touch_nothing_else(server: FakeService, fetched: Cohort) -> None:
    """enable and disable send and set only the state, and leave other changes to the next update."""
    fetched.name = "Fans"
    server.default = answer(200, {**COHORT, "state": "Disabled"})
    fetched.disable(KEY)
    assert server.received[-1].json == {"state": "Disabled"}
    assert fetched.state == "Disabled"
    fetched.update(KEY)
    assert server.received[-1].json == {"id": "c-1", "name": "Fans"}


@pytest.mark.parametrize("call", [Cohort.enable, Cohort.disable])
def test_without_an_id(server: FakeService, call: Callable[..., None]) -> None:
    """Nothing is sent for a cohort that has no id."""
    with pytest.raises(ValueError, match="Cohort ID must be specified"):
        call(cohort(), KEY)
    assert server.received == []


def test_segment_type_is_sent_when_a_cohort_is_created(server: FakeService) -> None:
    """A create sends the segment type, so that a copy has the same type; an update cannot change it."""
    server.default = answer(201, COHORT)
    made = cohort(segment_type="real_time")
    made.create(KEY)
    assert server.received[-1].json["segment_type"] == "real_time"
    assert "state" not in server.received[-1].json
    made.update(KEY)
    assert "segment_type" not in server.received[-1].json


def test_a_query_object(server: FakeService) -> None:
    """create and update send a Query as its JSON; an empty query counts as missing."""
    server.default = answer(201, COHORT)
    football = event("Pageview").at_least(2)
    made = Cohort(name="Fans", query=football)
    made.create(KEY)
    assert server.received[-1].json["query"] == football.to_json()
    assert made.to_json()["query"] == football.to_json()
    assert Cohort.from_json(made.to_json()).query == football
    made.query = football & in_segment(1)
    made.update(KEY)
    assert server.received[-1].json["query"] == (football & in_segment(1)).to_json()
    with pytest.raises(ValueError, match="query must be specified"):
        Cohort(name="Fans", query={}).create(KEY)


def test_two_colleagues(sandbox: Sandbox) -> None:
    """An update does not undo what a colleague has changed in the meantime."""
    key = sandbox.api_key
    mine = Cohort(name="Readers", query=QUERY, description="Old", tags=["a"])
    mine.create(key)
    first, second = (Cohort.get_by_id(str(mine.id), key) for _ in range(2))
    second.description, second.state = "New", "Disabled"
    second.update(key)
    first.tags = ["b"]
    first.update(key)
    now = Cohort.get_by_id(str(mine.id), key)
    assert (now.description, now.state, now.tags) == ("New", "Disabled", ["b"])
    first.description = None
    first.update(key)
    assert Cohort.get_by_id(str(mine.id), key).description is None


def test_many_at_once(sandbox: Sandbox) -> None:
    """Batches fetch, disable and enable cohorts; fetched cohorts come by id, in the order of the ids."""
    key = sandbox.api_key
    ids: List[str] = [str(each.id) for each in Cohort.list(key)[:5]]
    wanted = [*ids[::-1], ids[0], "38470a62-9837-4c86-bbf3-45dd6d52dd83"]
    found, failures = Cohort.batch_get_by_id(wanted, api_key=key)
    assert list(found) == ids[::-1] and len(failures) == 1
    assert all(each.query for each in found.values())
    Cohort.batch_disable(found.values(), api_key=key)
    assert {Cohort.get_by_id(id, key).state for id in ids} == {"Disabled"}
    Cohort.batch_enable(found.values(), api_key=key)
    assert {each.state for each in found.values()} == {"Enabled"}
    assert {Cohort.get_by_id(id, key).state for id in ids} == {"Enabled"}


@pytest.mark.parametrize("state", ["disabled", "Paused", ""])
def test_an_invalid_state(server: FakeService, fetched: Cohort, state: Any) -> None:
    """An invalid state is refused before anything is sent, and the error names the valid states."""
    fetched.state = state
    with pytest.raises(ValueError, match="state must be one of Enabled, Disabled, got"):
        fetched.update(KEY)
    assert server.received == []


@pytest.mark.parametrize("state", ["Archived", "enabled", 5])
def test_a_state_that_is_new(server: FakeService, state: Any) -> None:
    """An undocumented state from the service is kept, and is not sent back."""
    server.default = answer(200, {**COHORT, "state": state})
    fetched = Cohort.get_by_id("c-1", KEY)
    assert fetched.state == Cohort.from_json(fetched.to_json()).state == state
    fetched.name = "Fans"
    fetched.update(KEY)
    assert server.received[-1].json == {"id": "c-1", "name": "Fans"}


@pytest.mark.parametrize("ids", [[cohort(id="c-1")], ["c-1", ["c-2"]]])
def test_cohorts_instead_of_ids(server: FakeService, ids: Any) -> None:
    """Cohorts instead of ids are a TypeError that names the position."""
    words = rf"ids\[{len(ids) - 1}\] must be an id, got"
    with pytest.raises(TypeError, match=words):
        Cohort.batch_get_by_id(ids, api_key=KEY)
    assert server.received == []


def test_a_state_that_goes_back_and_forth(server: FakeService) -> None:
    """Each change of the state is sent, for a cohort from a file and for one that was enabled."""
    server.default = answer(200, {"id": "c-1", "name": "Readers"})
    read = Cohort.from_json({"id": "c-1", "name": "Readers", "state": "Enabled"})
    made = Cohort("Readers", id="c-1")
    made.enable(KEY)
    assert made.state == "Enabled"
    for each in (read, made):
        for state in ("Disabled", "Enabled", "Disabled"):
            each.state = state
            each.update(KEY)
            assert server.received[-1].json["state"] == state
        each.update(KEY)
        assert "state" not in server.received[-1].json


def test_another_id(server: FakeService, fetched: Cohort) -> None:
    """If the id has changed, all fields are sent, as for a cohort made by the constructor."""
    fetched.id = "c-2"
    fetched.update(KEY)
    body = server.received[-1].json
    assert (body["id"], body["name"], body["query"]) == ("c-2", "Readers", QUERY)


@pytest.mark.parametrize("id", [UUID(int=1), numpy.int64(5)], ids=repr)
def test_an_id_that_is_not_a_text(server: FakeService, id: Any) -> None:
    """An id of another type is sent as the codec writes it, in the body too."""
    server.default = answer(200, COHORT)
    cohort(id=id).update(KEY)
    responses, failures = Cohort.batch_update([cohort(id=id)], api_key=KEY)
    assert (len(responses), failures) == (1, [])
    assert [str(seen.json["id"]) for seen in server.received] == [str(id)] * 2


def test_keys_of_several_types(server: FakeService, fetched: Cohort) -> None:
    """A query with keys of several types is compared as the JSON that it becomes, in any order."""
    fetched.query = {1: "x", "a": "y", None: "z"}
    fetched.update(KEY)
    query = {"1": "x", "a": "y", "null": "z"}
    assert server.received[-1].json == {"id": "c-1", "query": query}
    for same in ({1: "x", "a": "y", None: "z"}, {None: "z", "a": "y", 1: "x"}):
        fetched.query = same
        fetched.update(KEY)
        assert server.received[-1].json == {"id": "c-1"}


def test_a_change_while_others_are_sent(server: FakeService) -> None:
    """A change during an update is sent by the next update."""
    server.default = answer(200, {**COHORT, "query": QUERY})
    one, other = (Cohort.get_by_id(f"c-{n}", KEY) for n in (1, 2))
    other.name = "First"

    def rename(progress: Progress) -> None:
        other.name = "Second"

    Cohort.batch_update([one, other], api_key=KEY, max_workers=1, progress_callback=rename)
    other.update(KEY)
    assert server.received[-1].json["name"] == "Second"


def test_one_is_not_true(server: FakeService) -> None:
    """A change from 1 to true is a change, although Python compares them as equal."""
    where = {"property": "a", "condition": {"equal_to": 1}}
    query = {"event": "A", "frequency": {"equal_to": 1}, "where": where}
    server.default = answer(200, {**COHORT, "query": query})
    found = Cohort.get_by_id("c-1", KEY)
    found.query["where"]["condition"]["equal_to"] = True
    found.update(KEY)
    assert server.received[-1].json["query"]["where"]["condition"] == {"equal_to": True}


def test_a_new_field_is_sent_once(server: FakeService) -> None:
    """A description that a fetched cohort lacked is sent by one update, and not by the next."""
    plain = {name: value for name, value in COHORT.items() if name != "description"}
    server.default = answer(200, {**plain, "query": QUERY})
    found = Cohort.get_by_id("c-1", KEY)
    found.description = "new"
    for sent in ({"id": "c-1", "description": "new"}, {"id": "c-1"}):
        found.update(KEY)
        assert server.received[-1].json == sent
        found.description = "new"
