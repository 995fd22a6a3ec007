"""Starting, stopping and the environment."""

import logging
import os
import socket
import threading
import time

import pytest
import requests

from PermutiveAPI.sandbox import Sandbox, background

NAMES = ("PERMUTIVE_API_BASE_URL", "no_proxy", "NO_PROXY")


def surroundings():
    """Return the variables that a sandbox sets."""
    return {name: os.environ.get(name) for name in NAMES}


@pytest.mark.parametrize(
    "before, exempt",
    [
        ({}, "127.0.0.1"),
        ({"PERMUTIVE_API_BASE_URL": "http://x", "no_proxy": "a"}, "a,127.0.0.1"),
        ({"NO_PROXY": "b.example"}, "b.example,127.0.0.1"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1"),
    ],
)
def test_environment(monkeypatch, before, exempt):
    """Inside the block, the environment points to the sandbox; afterwards it is restored."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    start = surroundings()
    with Sandbox() as sandbox:
        inside = dict(zip(NAMES, (sandbox.base_url, exempt, exempt), strict=True))
        assert surroundings() == inside
        with Sandbox() as other:
            assert surroundings()["PERMUTIVE_API_BASE_URL"] == other.base_url
        assert surroundings() == inside
    assert surroundings() == start


def test_every_proxy_off(monkeypatch):
    """A no_proxy that exempts every host stays as it is."""
    monkeypatch.setenv("no_proxy", "*")
    with Sandbox():
        assert os.environ["no_proxy"] == "*"


def test_no_proxy(monkeypatch):
    """Requests to the sandbox do not go through the machine's proxy."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Sandbox() as sandbox:
        assert requests.get(sandbox.base_url, timeout=5).status_code == 401


def test_block_that_fails(monkeypatch):
    """An error inside the block is raised, and everything is restored and closed."""
    monkeypatch.delenv("PERMUTIVE_API_BASE_URL", raising=False)
    sandbox = Sandbox()
    with pytest.raises(KeyError):
        with sandbox:
            raise KeyError
    assert surroundings()["PERMUTIVE_API_BASE_URL"] is None
    with pytest.raises(requests.ConnectionError):
        requests.get(sandbox.base_url, timeout=5)


def test_credentials(sandbox):
    """The credentials are those of a top-level workspace and its child."""
    top, child = sandbox.credentials()
    fields = {"name", "organisation_id", "workspace_id", "api_key"}
    assert set(top) == set(child) == fields
    assert top["organisation_id"] == top["workspace_id"] == child["organisation_id"]
    assert child["workspace_id"] != top["workspace_id"]
    assert [sandbox.api_key, sandbox.child_api_key] == [top["api_key"], child["api_key"]]


def test_same_data():
    """Two sandboxes start with the same data, and do not share them."""
    with Sandbox() as one, Sandbox() as other:
        key = {"k": one.api_key}
        path = "/cohorts-api/v2/cohorts/"
        before = requests.get(other.base_url + path, params=key, timeout=5).json()
        assert requests.get(one.base_url + path, params=key, timeout=5).json() == before
        for cohort in before:
            requests.delete(f"{one.base_url}{path}{cohort['id']}", params=key, timeout=5)
        left = requests.get(one.base_url + path, params=key, timeout=5).json()
        assert left and all("Lookalike" in cohort["name"] for cohort in left)
        after = requests.get(other.base_url + path, params=key, timeout=5).json()
        assert after == before


def test_second_start():
    """A stopped sandbox starts again with its state; a running one cannot be started."""
    sandbox = Sandbox()
    identity = {"user_id": "u", "aliases": [{"tag": "t", "id": "i", "priority": 0}]}
    with sandbox:
        with pytest.raises(RuntimeError, match="running already"):
            sandbox.__enter__()
        url, key = f"{sandbox.base_url}/v2.0/identify", {"k": sandbox.api_key}
        requests.post(url, params=key, json=identity, timeout=5)
    with sandbox:
        assert requests.get(sandbox.base_url, timeout=5).status_code == 401
        assert sandbox.aliases == {("t", "i"): "u"}
    sandbox.__exit__(None, None, None)


def test_repr():
    """repr() of the sandbox shows its address, and no key."""
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="with block"):
        sandbox.base_url
    assert repr(sandbox) == "<Sandbox not running>"
    with sandbox:
        assert repr(sandbox) == f"<Sandbox at {sandbox.base_url}>"
    keys = (sandbox.api_key, sandbox.child_api_key, sandbox.read_only_api_key)
    assert not any(key in repr(sandbox._state.workspaces) for key in keys)


def test_port_in_use(sandbox):
    """A port in use is an OSError on entering the block, and nothing is left running."""
    port = int(sandbox.base_url.rsplit(":", 1)[1])
    before = surroundings(), threading.active_count()
    with pytest.raises(OSError):
        Sandbox(port=port).__enter__()
    assert (surroundings(), threading.active_count()) == before


@pytest.mark.parametrize(
    "host, origin", [("::1", "http://[::1]:"), ("0.0.0.0", "http://127.0.0.1:")]
)
def test_hosts(host, origin):
    """IPv6 addresses are in brackets, and a wildcard address is reached on loopback."""
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with Sandbox(host=host) as sandbox:
        assert sandbox.base_url.startswith(origin)
        assert requests.get(sandbox.base_url, timeout=5).status_code == 401


def test_quick_stop(sandbox):
    """Stopping waits neither for idle connections nor for requests under way."""
    idle = requests.Session()
    outcome = []

    def slow():
        try:
            requests.get(slow_one.base_url, timeout=20)
        except requests.ConnectionError as error:
            outcome.append(error)

    with idle, Sandbox() as slow_one:
        idle.get(slow_one.base_url, timeout=5)
        slow_one.latency_seconds = 20
        caller = threading.Thread(target=slow)
        caller.start()
        while len(slow_one.requests) < 2:
            time.sleep(0.001)
        assert slow_one.requests[1].status is None
        start = time.perf_counter()
    assert time.perf_counter() - start < 0.3
    caller.join(5)
    assert len(outcome) == 1


def test_no_chatter(caplog):
    """The server logs nothing at any level; a user's own uvicorn server still logs."""
    with caplog.at_level(logging.DEBUG):
        with Sandbox() as sandbox:
            requests.get(sandbox.base_url, timeout=5)
            sandbox.latency_seconds = 20
            with pytest.raises(requests.Timeout):
                requests.get(sandbox.base_url, timeout=0.05)
        logging.getLogger("uvicorn.error").info("a server of the user's own")
    names = [record.name for record in caplog.records if "uvicorn" in record.name]
    assert names == ["uvicorn.error"]


def test_start_that_fails(monkeypatch):
    """A server that cannot start raises its error on entering the block."""

    async def broken(self, sockets=None):
        raise OSError("no event loop today")

    monkeypatch.setattr(background._Server, "startup", broken)
    with pytest.raises(OSError, match="no event loop today"):
        Sandbox().__enter__()


def test_ticks(monkeypatch):
    """The server keeps its date current while it runs."""
    monkeypatch.setattr(background, "_TICK_SECONDS", 0.01)
    with Sandbox() as sandbox:
        first = requests.get(sandbox.base_url, timeout=5).headers["date"]
        limit = time.monotonic() + 5
        while requests.get(sandbox.base_url, timeout=5).headers["date"] == first:
            assert time.monotonic() < limit
            time.sleep(0.05)
