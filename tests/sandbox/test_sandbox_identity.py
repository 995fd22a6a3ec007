"""The sandbox's Identity API."""

import uuid

import pytest

IDENTIFY = "/v2.0/identify"


def identify(call, user, *aliases):
    """Identify a user by aliases written as tag:id:priority; return the response."""
    parts = [alias.split(":") for alias in aliases]
    named = [{"tag": t, "id": i, "priority": int(p)} for t, i, p in parts]
    return call("POST", IDENTIFY, json={"user_id": user, "aliases": named})


@pytest.mark.parametrize(
    "calls, expected, aliases",
    [
        ([("u1", "e:a:0", "h:b:1")], "u1", {"e:a": "u1", "h:b": "u1"}),
        ([("u1",)], "u1", {}),
        ([("u1", "e:a:0"), ("u2", "e:a:0")], "u1", {"e:a": "u1"}),
        (
            [("u1", "e:a:0"), ("u2", "h:b:0"), ("u3", "e:a:5", "h:b:1")],
            "u2",
            {"e:a": "u2", "h:b": "u2"},
        ),
        ([("u1", "e:a:0"), ("u2", "e:a:9", "h:b:0")], "u1", {"e:a": "u1", "h:b": "u1"}),
        (
            [("u1", "e:a:0"), ("u2", "h:b:0"), ("u3", "h:b:1", "e:a:1")],
            "u2",
            {"e:a": "u2", "h:b": "u2"},
        ),
    ],
    ids=["none-known", "no-aliases", "one-user", "lowest-wins", "some-known", "tie"],
)
def test_alias_rules(call, sandbox, calls, expected, aliases):
    """Aliases are resolved by the documented rules, and the mapping is stored."""
    answer = [identify(call, *arguments) for arguments in calls][-1]
    assert (answer.status_code, answer.json()) == (200, {"user_id": expected})
    found = {f"{tag}:{name}": user for (tag, name), user in sandbox.aliases.items()}
    assert found == aliases


def test_allow_list(call, sandbox):
    """Aliases with other tags than the allowed ones are ignored."""
    sandbox.alias_tags = {"email"}
    answer = identify(call, "u", "email:a:0", "phone:b:1")
    assert answer.status_code == 200
    assert sandbox.aliases == {("email", "a"): "u"}


def test_required_uuids(call, sandbox):
    """User ids may be any text, unless the sandbox requires UUIDs."""
    assert identify(call, "user-123").status_code == 200
    sandbox.require_uuid_user_ids = True
    error = identify(call, "user-123").json()["error"]
    assert (error["code"], error["cause"]) == (1000, "user_id: a UUID is expected")
    assert identify(call, str(uuid.uuid4())).status_code == 200
