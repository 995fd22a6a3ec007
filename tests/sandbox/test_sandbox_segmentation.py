"""The sandbox's CCS segmentation."""

import pytest

SEGMENTATION = "/ccs/v1/segmentation"
COHORTS = "/cohorts-api/v2/cohorts/"
EVENT = {"name": "SlotViewable", "time": "2025-07-01T15:39:11.594Z", "properties": {}}


def segment(call, params=None, **body):
    """Ask for the cohorts of a user."""
    body = {"events": [EVENT], **body}
    return call("POST", SEGMENTATION, json=body, params=params or {})


@pytest.mark.parametrize("user", ["user-123", "user-1", "user-2", "é"])
def test_cohorts(call, user):
    """A user belongs to some enabled cohorts of the workspace, the same at each call."""
    answer = segment(call, user_id=user)
    assert answer.status_code == 200
    body = answer.json()
    assert body == segment(call, user_id=user, events=[]).json()
    listed = {str(c["code"]): c for c in call("GET", COHORTS).json()}
    assert body["user_id"] == user
    assert 0 < len(body["cohorts"]) < len(listed)
    assert body["segments"] == [
        {"id": listed[code]["id"], "name": listed[code]["name"]} for code in body["cohorts"]
    ]
    assert "activations" not in body


def test_disabled(call):
    """Nobody belongs to a disabled cohort."""
    before = segment(call, user_id="u").json()
    path = COHORTS + before["segments"][0]["id"]
    call("PATCH", path, json={"state": "Disabled"})
    assert segment(call, user_id="u").json()["cohorts"] == before["cohorts"][1:]


@pytest.mark.parametrize("asked, given", [("true", True), ("false", False)])
def test_activations(call, asked, given):
    """Activations are in the response only on request."""
    params = {"activations": asked, "synchronous-validation": "true"}
    body = segment(call, params, user_id="u").json()
    expected = {"gam": body["cohorts"]} if given else None
    assert body.get("activations") == expected


@pytest.mark.parametrize("name", ["activations", "synchronous-validation"])
def test_flags(call, name):
    """A flag that is neither true nor false is 400 with code 1000."""
    answer = segment(call, {name: "yes"}, user_id="u")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 1000)


def test_segments_key(call, sandbox):
    """The undocumented key `segments` can be switched off."""
    sandbox.segments_key_in_segmentation = False
    assert set(segment(call, user_id="u").json()) == {"user_id", "cohorts"}


def test_aliases(call, sandbox):
    """An alias names its user; an unknown alias gets a new user that is stored."""
    alias = {"tag": "email", "id": "a@example.com"}
    first = segment(call, alias=alias).json()["user_id"]
    assert sandbox.aliases == {("email", "a@example.com"): first}
    again = segment(call, aliases=[{**alias, "priority": 1}]).json()
    assert again["user_id"] == first


STATELESS = SEGMENTATION + "/stateless"
# A state as in Permutive's documents.
FOREIGN = {
    "internal_state": {"12345": {"0c8b70cdb7": ["p", 1]}},
    "external_state": {"67890": {"0c8b70cdb7": ["p", None]}},
    "cohorts": ["12345", "67890"],
}


def stateless(call, **body):
    """Ask for a new state."""
    body = {"user_id": "u", "events": [EVENT], **body}
    return call("POST", STATELESS, json=body)


def test_states(call):
    """A state has the documented members, and the cohorts of the stateful call."""
    answer = stateless(call).json()
    assert set(answer) == {"user_id", "state"}
    state = answer["state"]
    assert set(state) == {"internal_state", "external_state", "cohorts"}
    for part in ("internal_state", "external_state"):
        assert all(isinstance(each, dict) for each in state[part].values())
    assert state["cohorts"] == segment(call, user_id="u").json()["cohorts"] != []


def test_states_continue(call):
    """A second call continues from its state: five and five events are ten."""
    first, last = [EVENT] * 5, [{**EVENT, "name": "Last"}] * 5
    half = stateless(call, events=first).json()["state"]
    whole = stateless(call, events=last, state=half).json()["state"]
    assert whole == stateless(call, events=first + last).json()["state"]
    assert whole != stateless(call, events=last).json()["state"]


def test_states_of_the_service(call):
    """A state of the live service is accepted; members that are not the sandbox's are returned unchanged."""
    answer = stateless(call, state=FOREIGN)
    assert answer.status_code == 200
    state = answer.json()["state"]
    fresh = stateless(call).json()["state"]
    assert state["cohorts"] == fresh["cohorts"]
    assert state["external_state"] == FOREIGN["external_state"]
    assert state["internal_state"] == {**FOREIGN["internal_state"], **fresh["internal_state"]}
    assert stateless(call, state=None).json()["state"] == fresh


OTHER_STATES = [
    "text",
    "W10=",
    5,
    [],
    {},
    {"internal_state": {}},
    {"external_state": {}},
    {"internal_state": [], "external_state": {}},
    {"internal_state": {"1": "text"}, "external_state": {}},
    {"internal_state": {}, "external_state": {"1": 5}},
    {**FOREIGN, "cohorts": [12345]},
    {**FOREIGN, "cohorts": "12345"},
    {"internal_state": {"sandbox": {}}, "external_state": {}},
    {"internal_state": {"sandbox": {"events": [{}]}}, "external_state": {}},
    {"user_id": "u", "state": FOREIGN},
]


def test_states_of_another_kind(call):
    """A state of a wrong kind is 400 with code 1002, and the cause names the state."""
    for state in OTHER_STATES:
        answer = stateless(call, state=state)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, 1002), state
        assert error["cause"].startswith("state: "), state


def test_ten_events(call, sandbox):
    """Ten events are allowed; a user id that must be a UUID is checked."""
    assert segment(call, user_id="u", events=[EVENT] * 10).status_code == 200
    sandbox.require_uuid_user_ids = True
    assert segment(call, user_id="u").status_code == 400
