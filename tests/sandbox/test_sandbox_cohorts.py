"""The sandbox's Cohorts API."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from PermutiveAPI.sandbox.checking import query_fault

COHORTS = "/cohorts-api/v2/cohorts/"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
UUID4 = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_list_is_the_keys_workspace(call, child, sandbox):
    """A key lists its workspace's cohorts and those inherited from above, without queries."""
    top, below = (each["workspace_id"] for each in sandbox.credentials())
    for client, owners in ((call, {top}), (child, {top, below})):
        cohorts = client("GET", COHORTS).json()
        assert {cohort["workspace_id"] for cohort in cohorts} == owners
        assert not any("query" in cohort for cohort in cohorts)
        for owner, least in ((top, 25), (below, 10)):
            found = [each for each in cohorts if each["workspace_id"] == owner]
            assert owner not in owners or len(found) >= least


@pytest.mark.parametrize("path", ["/cohorts-api/v2/cohorts", COHORTS])
def test_slash(call, path):
    """The collection has a URL with and without a trailing slash."""
    assert call("GET", path).status_code == 200
    body = {"name": "S", "query": {}}
    assert call("POST", path, json=body).status_code == 201


@pytest.mark.parametrize("flag, more", [("true", True), ("false", False)])
def test_child_workspaces(call, child, flag, more):
    """include-child-workspaces adds the child's cohorts to the top-level list only."""
    own, seen_below = (client("GET", COHORTS).json() for client in (call, child))
    params = {"include-child-workspaces": flag}
    asked = call("GET", COHORTS, params=params).json()
    assert asked == (seen_below if more else own) and len(own) < len(seen_below)
    assert child("GET", COHORTS, params=params).json() == seen_below


def test_created_cohort(call, sandbox):
    """A create responds with 201 and the fields that the service sets: integer code, Enabled, times."""
    cohort = call.created(name="Né", tags=["a"], id="mine", code=1, state="Disabled")
    assert UUID4.fullmatch(cohort["id"])
    assert isinstance(cohort["code"], int) and cohort["code"] > 12_000
    assert cohort["state"] == "Enabled"
    assert cohort["name"] == "Né"
    assert cohort["workspace_id"] == sandbox.credentials()[0]["workspace_id"]
    assert TIMESTAMP.fullmatch(cohort["created_at"])
    assert cohort["created_at"] == cohort["last_updated_at"]
    assert not {"live_audience_size", "description"} & set(cohort)
    assert call("GET", COHORTS + cohort["id"]).json() == cohort


def test_seeded_cohorts(call):
    """Seeded cohorts have integer codes, nanoseconds and, unless they are lookalikes, queries."""
    lookalikes = set()
    for listed in call("GET", COHORTS).json():
        cohort = call("GET", COHORTS + listed["id"]).json()
        lookalikes.add("query" not in cohort)
        expected = "real_time" if "query" in cohort else "offline"
        assert cohort["segment_type"] == expected
        assert isinstance(cohort["code"], int)
        assert TIMESTAMP.fullmatch(cohort["created_at"])
        assert cohort["created_at"] < cohort["last_updated_at"]
    assert lookalikes == {True, False}


@pytest.mark.parametrize(
    "change, expected",
    [
        ({"name": "New"}, {"name": "New", "description": "d", "tags": ["t"]}),
        ({"tags": []}, {"tags": [], "description": "d"}),
        ({"description": None}, {"description": None, "tags": ["t"]}),
        ({"tags": None, "name": None}, {"tags": ["t"], "name": "C"}),
        ({"state": "Disabled"}, {"state": "Disabled"}),
        ({"query": {"type": "new"}}, {"query": {"type": "new"}}),
        ({"id": "other", "code": 5, "colour": "red"}, {"colour": None}),
    ],
)
def test_patch(call, change, expected):
    """PATCH changes the fields that are sent, clears a null description, and ignores unknown fields."""
    before = call.created(description="d", tags=["t"])
    answer = call("PATCH", COHORTS + before["id"], json=change)
    assert answer.status_code == 200
    after = call("GET", COHORTS + before["id"]).json()
    assert answer.json() == after
    assert {name: after.get(name) for name in expected} == expected
    assert (after["id"], after["code"]) == (before["id"], before["code"])
    assert after["last_updated_at"] > before["last_updated_at"]


def test_delete(call):
    """A delete responds with 200 and an empty body, and the cohort is gone."""
    path = COHORTS + call.created()["id"]
    answer = call("DELETE", path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert call("GET", path).status_code == 404
    assert call("DELETE", path).status_code == 404


def test_reach_of_keys(call, child):
    """The top-level key can change the child's cohorts; the child's key can only read the inherited ones."""
    above, below = call.created(), child.created()
    assert call("PATCH", COHORTS + below["id"], json={"name": "N"}).status_code == 200
    assert child("GET", COHORTS + above["id"]).json() == above
    for verb in ("PATCH", "DELETE"):
        answer = child(verb, COHORTS + above["id"], json={"name": "N"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, 2001)
    assert call("GET", COHORTS + above["id"]).json() == above


@pytest.mark.parametrize("path", ["/ccs/v1/segmentation", "/ctx/v1/segment"])
def test_inherited_cohorts_hold_users(call, child, path):
    """Users and pages of a child workspace belong to inherited cohorts and to its own."""
    above = {str(each["code"]) for each in call("GET", COHORTS).json()}
    below = {str(each["code"]) for each in child("GET", COHORTS).json()} - above
    body = {"user_id": "u", "events": [], "url": "https://h/sport", "page_properties": {}}
    found = set(child("POST", path, json=body).json()["cohorts"])
    assert found & above and found & below
    assert not set(call("POST", path, json=body).json()["cohorts"]) & below


@pytest.mark.parametrize(
    "method, body", [("PATCH", {"name": "N"}), ("PATCH", {"name": 1}), ("DELETE", None)]
)
def test_lookalike_cohorts_stay(call, method, body):
    """A lookalike cohort can be neither updated nor deleted: the response is 400, and says so."""
    [found, *_] = (c for c in call("GET", COHORTS).json() if "Lookalike" in c["name"])
    before = call("GET", COHORTS + found["id"]).json()
    assert "query" not in before
    answer = call(method, COHORTS + found["id"], json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, 1000)
    assert error["cause"] == ("A lookalike cohort can be neither updated nor deleted here.")
    assert call("GET", COHORTS + found["id"]).json() == before


@pytest.mark.parametrize("kind, status", [("real_time", 201), ("offline", 201), ("lookalike", 400)])
def test_segment_types(call, kind, status):
    """A cohort must have one of the two documented types."""
    body = {"name": "n", "query": {}, "segment_type": kind}
    answer = call("POST", COHORTS, json=body)
    assert answer.status_code == status
    assert status == 400 or answer.json()["segment_type"] == kind


def test_changed_cohort(call):
    """The response to a change has the query and no audience size; the size does not change."""
    before = call("GET", COHORTS + call("GET", COHORTS).json()[0]["id"]).json()
    assert before["live_audience_size"] > 0
    answer = call("PATCH", COHORTS + before["id"], json={"tags": ["new"]}).json()
    after = call("GET", COHORTS + before["id"]).json()
    assert after.pop("live_audience_size") == before["live_audience_size"]
    assert answer == after and after["tags"] == ["new"]


def test_malformed_state(call):
    """A state other than Enabled and Disabled is refused, and the cause names it."""
    path = COHORTS + call.created()["id"]
    error = call("PATCH", path, json={"state": "On"}).json()["error"]
    assert error["cause"] == "state: one of Enabled, Disabled is expected"


CLAUSE = {"event": "Pageview", "frequency": {"equal_to": 1}}
CORRECT = [CLAUSE, {"and": [{"or": [{"in_segment": 1}]}, {"has_entered": {"segment": 1}}]}]
# Queries of other clients' users. None of them is in the grammar.
FOREIGN = [
    {},
    {"type": "users"},
    {"type": "visitors"},
    {"type": "segment", "id": "in_segment"},
    {"type": "users", "filter": {"country": "US", "status": ["event", "or"]}},
    {"text": "x"},
    {"client": {"agent": 1, "parent": 2, "element": 3, "order": 4, "org": 5}},
]
MISSPELT = [
    {"has_entered": {}},
    {"and": []},
    {"and": [1]},
    {"and": [{"in_segment": 1}], "event": "E"},
    {"event": "E", "in_segment": 1},
    {"event": "E"},
    {"event": "E", "frequency": {"greater_then": 1}},
    {"evnt": "Pageview", "frequency": {"equal_to": 1}},
    {"evnt": "Pageview"},
    {"Event": "Pageview"},
    {"evetn": "Pageview", "frequencies": 5},
    {"in_segmnt": 12345},
    {"inSegment": 12345},
    {"segment": 12345},
    {"AND": [CLAUSE]},
    {"or": CLAUSE},
    {"adn": [CLAUSE, CLAUSE]},
    {"not": CLAUSE},
    {"type": "users", "query": {"rules": [[CLAUSE]]}},
    {"and": [{"type": "users"}, CLAUSE]},
    {**CLAUSE, "wehre": {"property": "a", "condition": {"equal_to": 1}}},
    {"property": "a", "condition": {"equal_to": 1}},
    {"name": "Pageview", "times": {"greater_than": 1}},
]


def answers(call, query):
    """Return the statuses of a create and of an update with a query, and the last cause."""
    body = {"name": "n", "query": query}
    made = call("POST", COHORTS, json=body)
    path = COHORTS + call.created(query=CLAUSE)["id"]
    changed = call("PATCH", path, json={"query": query})
    cause = changed.json().get("error", {}).get("cause")
    expected = CLAUSE if changed.status_code == 400 else query
    assert call("GET", path).json()["query"] == expected
    return made.status_code, changed.status_code, cause


@pytest.mark.parametrize("check", [None, True, False])
def test_correct_queries(call, sandbox, check):
    """A query that follows the grammar is always accepted."""
    sandbox.check_queries = check
    for query in CORRECT:
        assert answers(call, query) == (201, 200, None)
        assert query_fault(query, check) is None


def test_a_misspelt_query(call, sandbox):
    """A query that uses the grammar but does not follow it is refused, unless queries are not checked."""
    for check in (None, True):
        sandbox.check_queries = check
        created, changed, cause = answers(call, MISSPELT[0])
        assert (created, changed, cause) == (400, 400, query_fault(MISSPELT[0], check))
    sandbox.check_queries = False
    assert answers(call, MISSPELT[0]) == (201, 200, None)


def test_a_foreign_query(call, sandbox):
    """A query that does not use the grammar is accepted, unless all queries are checked."""
    for check in (None, False):
        sandbox.check_queries = check
        assert answers(call, FOREIGN[0]) == (201, 200, None)
    sandbox.check_queries = True
    assert answers(call, FOREIGN[0])[:2] == (400, 400)


def test_misspelt_queries():
    """Each way to misspell a query has a fault that begins with its place, and says how to switch the check off."""
    for query in MISSPELT:
        for check in (None, True):
            fault = query_fault(query, check) or ""
            assert fault.startswith("query"), query
            assert ("check_queries=False" in fault) == (check is None), query
        assert query_fault(query, False) is None


def test_foreign_queries():
    """Each foreign query has a fault only where all queries are checked."""
    for query in FOREIGN:
        faults = [bool(query_fault(query, check)) for check in (None, False, True)]
        assert faults == [False, False, True], query


def test_other_changes_check_no_query(call, sandbox):
    """A cohort whose query would be refused can still be renamed."""
    sandbox.check_queries = False
    path = COHORTS + call.created(query={"evnt": "A"})["id"]
    for check in (None, True):
        sandbox.check_queries = check
        assert call("PATCH", path, json={"name": "m"}).status_code == 200


def test_concurrent_creates(call):
    """Creates from many threads all succeed, with distinct ids and codes."""
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: call.created(name=f"C{n}"), range(40)))
    assert len({cohort["id"] for cohort in made}) == 40
    assert len({cohort["code"] for cohort in made}) == 40
    listed = {cohort["id"] for cohort in call("GET", COHORTS).json()}
    assert {cohort["id"] for cohort in made} <= listed
