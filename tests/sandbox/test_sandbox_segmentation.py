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
    """A user is in some enabled cohorts of the workspace, the same at each call."""
    answer = segment(call, user_id=user)
    assert answer.status_code == 200
    body = answer.json()
    assert body == segment(call, user_id=user, events=[]).json()
    listed = {str(c["code"]): c for c in call("GET", COHORTS).json()}
    assert body["user_id"] == user
    assert 0 < len(body["cohorts"]) < len(listed)
    assert body["segments"] == [
        {"id": listed[code]["id"], "name": listed[code]["name"]}
        for code in body["cohorts"]
    ]
    assert "activations" not in body


def test_disabled(call):
    """A disabled cohort holds nobody."""
    before = segment(call, user_id="u").json()
    path = COHORTS + before["segments"][0]["id"]
    call("PATCH", path, json={"state": "Disabled"})
    assert segment(call, user_id="u").json()["cohorts"] == before["cohorts"][1:]


@pytest.mark.parametrize("asked, given", [("true", True), ("false", False)])
def test_activations(call, asked, given):
    """Activations are answered only when asked for."""
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
    """The assumed key segments can be switched off."""
    sandbox.segments_key_in_segmentation = False
    assert set(segment(call, user_id="u").json()) == {"user_id", "cohorts"}


def test_aliases(call, sandbox):
    """An alias gives its user, an unknown one a new user that is kept."""
    alias = {"tag": "email", "id": "a@example.com"}
    first = segment(call, alias=alias).json()["user_id"]
    assert sandbox.aliases == {("email", "a@example.com"): first}
    again = segment(call, aliases=[{**alias, "priority": 1}]).json()
    assert again["user_id"] == first


@pytest.mark.parametrize(
    "body, code",
    [
        ({}, 1002),
        ({"user_id": "u", "alias": {"tag": "t", "id": "i"}}, 1002),
        ({"user_id": "u", "events": [EVENT] * 11}, 1000),
        ({"user_id": "u", "events": None}, 1002),
        ({"user_id": "u", "events": {}}, 1002),
        ({"user_id": 5}, 1002),
        ({"alias": {"tag": "t"}}, 1002),
        ({"aliases": [{"tag": "t", "id": "i"}]}, 1002),
        ({"aliases": []}, 1002),
        *(
            ({"user_id": "u", "events": [{**EVENT, name: None}]}, 1002)
            for name in ("name", "time", "properties")
        ),
        ({"user_id": "u", "events": [{**EVENT, "view_id": 1}]}, 1002),
    ],
)
def test_malformed(call, body, code):
    """A request that is not as documented is 400 with its code."""
    answer = segment(call, **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_ten_events(call, sandbox):
    """Ten events are allowed; a user id that must be a UUID is checked."""
    assert segment(call, user_id="u", events=[EVENT] * 10).status_code == 200
    sandbox.require_uuid_user_ids = True
    assert segment(call, user_id="u").status_code == 400
