"""Every public call in good weather: what the server saw, and which key it was sent with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from PermutiveAPI import __version__
from tests.support.calls import ALL_CALLS, KEY, MODEL_CALLS, WireCall, every
from tests.support.scripted import ScriptedServer, answer

# Awkward on the way: all of it must arrive as it is.
AWKWARD_KEY = "pä ss/wörd+&k=%41#?"


@every()
def test_one_request_arrives_as_documented(
    server: ScriptedServer, call: WireCall
) -> None:
    """A call sends one request: its verb, path, parameters, key, headers and body are the documented ones."""
    server.default = answer(call.status, call.answer)
    call(api_key=KEY)
    [seen] = server.seen
    assert (seen.method, seen.path) == (call.method, call.path)
    assert seen.query == {
        "k": [KEY],
        **{name: [value] for name, value in call.query.items()},
    }
    if call.body is None:
        assert seen.body == b""
    else:
        assert seen.json == call.body
        assert seen.headers["content-length"] == str(len(seen.body))
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["user-agent"].startswith(f"PermutiveAPI/{__version__}")
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    assert not {"x-api-key", "authorization", "cookie"} & set(seen.headers)


def test_an_awkward_key_arrives_as_it_is(server: ScriptedServer) -> None:
    """A key with spaces, slashes, ampersands and non-ASCII letters arrives as it is, from every call."""
    for call in ALL_CALLS:
        server.default = answer(call.status, call.answer)
        call(api_key=AWKWARD_KEY)
        assert server.seen.pop().query["k"] == [AWKWARD_KEY], call
        assert server.seen == []


def ways_without_a_key(call: WireCall) -> List[Dict[str, Any]]:
    """Return the ways to make a call without giving a key."""
    ways: List[Dict[str, Any]] = [{"api_key": None}, {"api_key": ""}]
    if call in MODEL_CALLS and not call.name.startswith("Workspace"):
        ways.append({})
    return ways


def _write_credentials(folder: Path, content: Any) -> str:
    path = folder / "workspace.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


CHILD = {
    "name": "Child",
    "organisation_id": "w-1",
    "workspace_id": "w-2",
    "api_key": "child-key-0002",
}
TOP = {
    "name": "Top",
    "organizationID": "w-1",
    "workspaceID": "w-1",
    "privateKey": "top-key-0001",
}


@every()
def test_without_a_key_the_default_workspace_gives_it(
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    call: WireCall,
) -> None:
    """A key that is left out, None or "" is that of the credentials file's top-level workspace."""
    path = _write_credentials(tmp_path, [CHILD, TOP])
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", path)
    server.default = answer(call.status, call.answer)
    for key in ways_without_a_key(call):
        call(**key)
        assert server.seen.pop().query["k"] == ["top-key-0001"], key
        assert server.seen == []


def test_without_any_key_nothing_is_sent(server: ScriptedServer) -> None:
    """Where nothing gives a key, every call is a ValueError that says what to set, and sends nothing."""
    for call in ALL_CALLS:
        for key in ways_without_a_key(call):
            with pytest.raises(ValueError, match="PERMUTIVE_APPLICATION_CREDENTIALS"):
                call.make(**key)
    assert server.connections == 0


@pytest.mark.parametrize("key", [1, b"bytes", ["k"]], ids=repr)
def test_a_key_that_is_no_text_is_refused(server: ScriptedServer, key: Any) -> None:
    """A key that is no text is a TypeError that names the argument, and nothing is sent."""
    for call in ALL_CALLS:
        with pytest.raises(TypeError, match="api_key"):
            call.make(api_key=key)
    assert server.connections == 0


def test_the_key_comes_from_a_dotenv_file_too(
    server: ScriptedServer, tmp_path: Path
) -> None:
    """The credentials file may be named by .env, which is found from the working directory upwards."""
    path = _write_credentials(tmp_path, CHILD)
    dotenv = tmp_path / ".env"
    dotenv.write_text(f'PERMUTIVE_APPLICATION_CREDENTIALS="{path}"\n')
    [call] = [call for call in MODEL_CALLS if call.name == "Cohort.list"]
    server.default = answer(200, [])
    call()
    assert [seen.query["k"] for seen in server.seen] == [["child-key-0002"]]
