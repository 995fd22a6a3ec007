"""Every public call without faults: the request that the server saw, and its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from PermutiveAPI import PermutiveAuthenticationError, PermutiveCredentialsError, __version__
from tests.support.calls import ALL_CALLS, KEY, MODEL_CALLS, WireCall, every
from tests.support.fake_service import FakeService, answer

# Difficult to encode: it must arrive unchanged.
AWKWARD_KEY = "pä ss/wörd+&k=%41#?"


@every()
def test_one_request_arrives_as_documented(server: FakeService, call: WireCall) -> None:
    """A call sends one request with the documented verb, path, parameters, key, headers and body."""
    server.default = answer(call.status, call.answer)
    call(api_key=KEY)
    [seen] = server.received
    assert (seen.method, seen.path) == (call.method, call.path)
    assert seen.query == {"k": [KEY], **{name: [value] for name, value in call.query.items()}}
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


def test_an_awkward_key_arrives_as_it_is(server: FakeService) -> None:
    """A key with spaces, slashes, ampersands and non-ASCII letters arrives unchanged, from every call."""
    for call in ALL_CALLS:
        server.default = answer(call.status, call.answer)
        call(api_key=AWKWARD_KEY)
        assert server.received.pop().query["k"] == [AWKWARD_KEY], call
        assert server.received == []


EMPTY_KEYS = [None, "", " ", "\n\t"]


def takes_the_default_key(call: WireCall) -> bool:
    """Tell whether a call's key may be left out, as in the models' calls."""
    return call in MODEL_CALLS and not call.name.startswith("Workspace")


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
TOP = {"name": "Top", "organizationID": "w-1", "workspaceID": "w-1", "privateKey": "top-key-0001"}


def test_a_key_that_is_left_out_is_the_default_one(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """If the key is left out, PERMUTIVE_API_KEY is used, or else the key of the file's top-level workspace."""
    path = _write_credentials(tmp_path, [CHILD, TOP])
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", path)
    for variable, expected in (("", "top-key-0001"), (" a-key-0003 ", "a-key-0003")):
        monkeypatch.setenv("PERMUTIVE_API_KEY", variable)
        for call in filter(takes_the_default_key, ALL_CALLS):
            server.default = answer(call.status, call.answer)
            call()
            assert server.received.pop().query["k"] == [expected], call
            assert server.received == [], call


def test_an_empty_key_never_stands_for_the_default_one(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that is None or blank, for instance of a variable that is not set, is refused, and nothing is sent."""
    path = _write_credentials(tmp_path, [CHILD, TOP])
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", path)
    monkeypatch.setenv("PERMUTIVE_API_KEY", "a-key-0003")
    for call in ALL_CALLS:
        for key in EMPTY_KEYS:
            with pytest.raises(PermutiveCredentialsError, match="^api_key ") as raised:
                call.make(api_key=key)
            assert isinstance(raised.value, PermutiveAuthenticationError)
            assert isinstance(raised.value, ValueError)
            assert (raised.value.status, raised.value.url) == (None, None)
    assert server.connections == 0


@pytest.mark.parametrize("location", ["query", "header"])
@pytest.mark.parametrize("key", ["key\n", "key\r\nX: y", "k\x00", "\ud800"], ids=ascii)
def test_a_key_that_cannot_be_printed_is_refused(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, key: str, location: str
) -> None:
    """A key with a line break, for instance from the end of a file, is refused, since it would break a header."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", location)
    for call in ALL_CALLS:
        with pytest.raises(PermutiveCredentialsError, match="strip") as raised:
            call.make(api_key=key)
        assert key not in str(raised.value)
    assert server.connections == 0


def test_without_any_key_nothing_is_sent(server: FakeService) -> None:
    """If no key is configured, every call is an error that says what to set, and sends nothing."""
    for call in filter(takes_the_default_key, ALL_CALLS):
        with pytest.raises(PermutiveCredentialsError, match="PERMUTIVE_API_KEY") as raised:
            call.make()
        assert "PERMUTIVE_APPLICATION_CREDENTIALS" in str(raised.value), call
    assert server.connections == 0


@pytest.mark.parametrize("key", [1, b"bytes", ["k"]], ids=repr)
def test_a_key_that_is_no_text_is_refused(server: FakeService, key: Any) -> None:
    """A key that is not a text is a TypeError that names the argument, and nothing is sent."""
    for call in ALL_CALLS:
        with pytest.raises(TypeError, match="api_key"):
            call.make(api_key=key)
    assert server.connections == 0


def test_the_key_comes_from_a_dotenv_file_too(server: FakeService, tmp_path: Path) -> None:
    """The credentials file may be named by .env, which is found from the working directory upwards."""
    path = _write_credentials(tmp_path, CHILD)
    dotenv = tmp_path / ".env"
    dotenv.write_text(f'PERMUTIVE_APPLICATION_CREDENTIALS="{path}"\n')
    [call] = [call for call in MODEL_CALLS if call.name == "Cohort.list"]
    server.default = answer(200, [])
    call()
    assert [seen.query["k"] for seen in server.received] == [["child-key-0002"]]
