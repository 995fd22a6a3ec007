"""The request log of the sandbox."""

import socket
from dataclasses import FrozenInstanceError

import pytest
import requests

from PermutiveAPI.sandbox import Sandbox, recording

COHORTS = "/cohorts-api/v2/cohorts/"


def test_requests(call, sandbox):
    """A request is recorded whole, with the status of its response."""
    call("POST", COHORTS + "?a=1&a=2&b=", json={"name": "é"}, headers={"X-Extra": "e"})
    (request,) = sandbox.requests
    assert (request.method, request.path) == ("POST", COHORTS)
    assert request.query == {"a": "2", "b": "", "k": "[REDACTED]"}
    assert request.headers["x-extra"] == "e"
    assert request.json == {"name": "é"}
    assert request.body == '{"name": "\\u00e9"}'
    assert request.status == 400
    assert request.connection > 0
    with pytest.raises(FrozenInstanceError):
        request.status = 200


def test_raw_path(call, sandbox):
    """The path is recorded as sent, percent-encoding included."""
    call("GET", COHORTS + "a%2Fb%20c")
    assert sandbox.requests[0].path == COHORTS + "a%2Fb%20c"


@pytest.mark.parametrize("body, decoded", [(b"", None), (b"{", None), (b"[1]", [1])])
def test_json(call, sandbox, body, decoded):
    """The decoded body is None if the body is not JSON."""
    call("POST", COHORTS, data=body)
    assert sandbox.requests[0].json == decoded


@pytest.mark.parametrize("key", ["top", "wrong-but-long-enough"])
def test_masked_keys(sandbox, key):
    """No part of a record shows a key: not its path, query, headers or body."""
    key = sandbox.api_key if key == "top" else key
    requests.post(
        f"{sandbox.base_url}/{key}/x",
        params={"k": key, "other": f"a{key.upper()}b"},
        headers={"X-API-Key": key, "Authorization": key, "Referer": f"/?k={key}"},
        json={
            "deep": [{"apiKey": key}],
            "others": [sandbox.child_api_key, sandbox.read_only_api_key],
        },
        timeout=5,
    )
    (request,) = sandbox.requests
    assert key not in repr(request).lower()
    assert sandbox.child_api_key not in repr(request)
    assert sandbox.read_only_api_key not in repr(request)
    assert request.json["deep"] == [{"apiKey": "[REDACTED]"}]
    assert request.query == {"k": "[REDACTED]", "other": "a[REDACTED]b"}
    assert request.headers["x-api-key"] == "[REDACTED]"


@pytest.mark.parametrize("length, shown", [(15, "x" * 15), (16, "[REDACTED]")])
def test_short_keys(sandbox, length, shown):
    """A key of 16 characters or more is masked everywhere; a shorter one may be an ordinary word."""
    key = "x" * length
    params = {"k": key, "other": key}
    requests.get(sandbox.base_url, params=params, timeout=5)
    assert sandbox.requests[0].query == {"k": "[REDACTED]", "other": shown}


def test_connections(call, sandbox):
    """Requests on the same connection have the same port; another connection has another port."""
    call("GET", COHORTS)
    call("GET", COHORTS)
    requests.get(sandbox.base_url, timeout=5)
    first, second, third = (request.connection for request in sandbox.requests)
    assert first == second != third


def test_clear(call, sandbox):
    """Cleared requests are gone, even if their responses come later."""
    call("GET", COHORTS)
    kept = sandbox.requests
    sandbox.clear_requests()
    assert (len(kept), sandbox.requests) == (1, [])
    sandbox._request_log.answered(0, 200)
    assert sandbox.requests == []


def test_newest(call, sandbox, monkeypatch):
    """Only the newest requests are kept."""
    monkeypatch.setattr(recording, "_MOST_KEPT", 2)
    for number in range(4):
        call("GET", f"/{number}")
    assert [request.path for request in sandbox.requests] == ["/2", "/3"]


def test_broken_off(sandbox):
    """A request that breaks off inside its body is not recorded."""
    host, port = sandbox.base_url[len("http://") :].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as broken:
        broken.sendall(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
    requests.get(sandbox.base_url, timeout=5)
    assert [request.path for request in sandbox.requests] == ["/"]


def test_long_body(call, sandbox):
    """A body that arrives in many pieces is recorded whole."""
    body = {"name": "n", "query": {"text": "x" * 1_000_000}}
    assert call("POST", COHORTS, json=body).json()["query"] == body["query"]
    assert sandbox.requests[0].json == body


def test_kept_after_the_block():
    """The records can also be read after the block."""
    with Sandbox() as sandbox:
        requests.get(sandbox.base_url, timeout=5)
    assert [request.status for request in sandbox.requests] == [401]
