"""Control over HTTP, as a program in any language sends it."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Mapping, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import requests

from PermutiveAPI.sandbox import Sandbox
from PermutiveAPI.sandbox.behaviour import switches_of
from tests.sandbox.conftest import COHORTS, Client

FAULTS = "/_sandbox/faults"
BEHAVIOUR = "/_sandbox/behaviour"
SEED = "/_sandbox/seed"
RESET = "/_sandbox/reset"
REQUESTS = "/_sandbox/requests"


class Answer(NamedTuple):
    """A response, with its body decoded."""

    status: int
    body: Any
    headers: Mapping[str, str]


def send(
    sandbox: Sandbox,
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a control request with the standard library alone."""
    content = None if body is None else json.dumps(body).encode()
    request = Request(sandbox.base_url + path, content, dict(headers or {}), method=method)
    try:
        with urlopen(request, timeout=10) as found:
            content, status, answered = found.read(), found.status, found.headers
    except HTTPError as error:
        with error:
            content, status, answered = error.read(), error.code, error.headers
    return Answer(status, json.loads(content) if content else None, dict(answered))


# --- What it does --------------------------------------------------------------------------------


def test_faults(sandbox: Sandbox, call: Client) -> None:
    """The arguments of `fail_next` travel as JSON."""
    fault = {"status": 429, "times": 2, "method": "get", "path": "/cohorts-api/", "body": "no"}
    kind = {"retry_after": "7", "content_type": "text/x-a"}
    assert send(sandbox, "POST", FAULTS, {**fault, **kind})[:2] == (204, None)
    found = [call("GET", COHORTS) for _ in range(3)]
    assert [each.status_code for each in found] == [429, 429, 200]
    assert (found[0].text, found[0].headers["retry-after"]) == ("no", "7")
    assert found[0].headers["content-type"].startswith("text/x-a")


def test_a_fault_without_arguments(sandbox: Sandbox, call: Client) -> None:
    """Without a body, or with nulls, a fault has the defaults of `fail_next`."""
    nothing = dict.fromkeys(("retry_after", "method", "path", "body"))
    assert send(sandbox, "POST", FAULTS).status == 204
    assert send(sandbox, "POST", FAULTS, nothing).status == 204
    assert [call("GET", "/x").status_code for _ in range(3)] == [503, 503, 404]


def test_behaviour(sandbox: Sandbox, call: Client) -> None:
    """Each switch can be changed, and the response tells the values of all."""
    values = {
        "latency_seconds": 0.001,
        "rate_limit_per_second": 1000,
        "retry_after": "2",
        "page_size": 3,
        "check_queries": True,
        "require_uuid_user_ids": True,
        "create_missing_segment_codes": False,
        "refused_bulk_is_partial": True,
        "segments_key_in_segmentation": False,
        "alias_tags": ["a", "b"],
    }
    assert send(sandbox, "POST", BEHAVIOUR, values)[:2] == (200, values)
    assert switches_of(sandbox) == values
    assert len(call("GET", call.segments_path()).json()["elements"]) == 3


def test_null_in_a_behaviour(sandbox: Sandbox, call: Client) -> None:
    """Null means what None means in Python; a switch that is not named keeps its value."""
    send(sandbox, "POST", BEHAVIOUR, {"rate_limit_per_second": 1, "page_size": 4})
    assert [call("GET", "/x").status_code for _ in range(2)] == [404, 429]
    found = send(sandbox, "POST", BEHAVIOUR, {"rate_limit_per_second": None})
    assert (found.body["rate_limit_per_second"], found.body["page_size"]) == (None, 4)
    assert call("GET", "/x").status_code == 404


def test_a_set_of_tags(sandbox: Sandbox) -> None:
    """A set that was given in Python is shown as a list."""
    sandbox.alias_tags = {"b", "a"}
    assert send(sandbox, "POST", BEHAVIOUR).body["alias_tags"] == ["a", "b"]


def test_a_refused_behaviour_changes_nothing(sandbox: Sandbox) -> None:
    """If one value is impossible, no value is changed."""
    changes = {"page_size": 3, "latency_seconds": -1}
    assert send(sandbox, "POST", BEHAVIOUR, changes).status == 400
    assert sandbox.page_size == 20


def test_seed(sandbox: Sandbox, call: Client) -> None:
    """The response has the ids and codes that were made."""
    data = {"cohorts": [{"name": "Chess", "query": {"in_segment": 1}}], "empty": True}
    found = send(sandbox, "POST", SEED, data)
    (cohort,) = found.body["cohorts"]
    assert (found.status, cohort["code"]) == (200, 12387)
    assert call("GET", COHORTS + cohort["id"]).json() == cohort
    assert [each["name"] for each in call("GET", COHORTS).json()] == ["Chess"]


def test_requests(sandbox: Sandbox, call: Client) -> None:
    """The list has the members of `RecordedRequest`; a DELETE empties it."""
    call("POST", COHORTS, json={"name": "é"})
    found = send(sandbox, "GET", REQUESTS)
    assert (found.status, found.body) == (200, [vars(each) for each in sandbox.requests])
    (request,) = found.body
    assert (request["path"], request["status"], request["json"]) == (COHORTS, 400, {"name": "é"})
    assert sandbox.api_key not in json.dumps(found.body)
    assert send(sandbox, "DELETE", REQUESTS)[:2] == (204, None)
    assert send(sandbox, "GET", REQUESTS).body == [] == sandbox.requests


@pytest.mark.parametrize(
    "content",
    [b'{"a": NaN}', b'{"a": 1e999}', b"[" * 900 + b"]" * 900],
    ids=["NaN", "1e999", "deep"],
)
def test_a_request_that_cannot_be_shown(sandbox: Sandbox, call: Client, content: bytes) -> None:
    """The list is JSON whatever the clients sent; the body's text is there."""
    call("POST", COHORTS, data=content)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = requests.get(sandbox.base_url + REQUESTS, timeout=10).text
    (request,) = json.loads(text, parse_constant=refuse)
    assert request["body"] == content.decode()


def test_reset(sandbox: Sandbox, call: Client) -> None:
    """Data, faults, behaviour and requests are as at the start."""
    first = call("GET", COHORTS).json()
    call.created()
    call("DELETE", COHORTS + first[0]["id"])
    call("PATCH", COHORTS + first[1]["id"], json={"name": "Renamed"})
    send(sandbox, "POST", FAULTS, {"times": 9, "path": "/cohorts-api/"})
    send(sandbox, "POST", BEHAVIOUR, {"page_size": 3, "retry_after": None})
    assert send(sandbox, "POST", RESET)[:2] == (204, None)
    assert sandbox.requests == []
    assert (sandbox.page_size, sandbox.retry_after) == (20, "1")
    assert call("GET", COHORTS).json() == first
    assert call.created()["code"] == 12387


def test_reset_forgets_users(sandbox: Sandbox, call: Client) -> None:
    """After a reset, no alias and no event is known."""
    alias = {"tag": "t", "id": "i", "priority": 0}
    call("POST", "/v2.0/identify", json={"user_id": "u", "aliases": [alias]})
    call("POST", "/v2.0/events", json={"user_id": "u", "name": "E"})
    assert sandbox.aliases
    sandbox.reset()
    assert (sandbox.aliases, sandbox._state.events) == ({}, {})


def test_reset_forgets_the_rate(call: Client) -> None:
    """A test is not limited by the requests of the test before it."""
    with Sandbox(rate_limit_per_second=1) as limited:
        found = []
        for _ in range(2):
            found += [requests.get(limited.base_url, timeout=5).status_code for _ in range(2)]
            limited.reset()
        assert found == [401, 429] * 2


# --- What it leaves alone ------------------------------------------------------------------------


def test_apart_from_the_service(sandbox: Sandbox) -> None:
    """Control requests need no key, and are neither recorded, delayed, limited nor made to fail."""
    sandbox.latency_seconds = 30
    sandbox.rate_limit_per_second = 1
    sandbox.fail_next(times=1)
    for _ in range(3):
        assert send(sandbox, "GET", REQUESTS)[:2] == (200, [])
    sandbox.latency_seconds = 0
    found = [requests.get(sandbox.base_url, timeout=5).status_code for _ in range(2)]
    assert found == [503, 429]


@pytest.mark.parametrize("path", ["/_sandbox", "/_sandboxes/reset", "/x/_sandbox/reset"])
def test_only_below_its_path(sandbox: Sandbox, path: str) -> None:
    """Other paths belong to the service, which asks for a key."""
    assert requests.post(sandbox.base_url + path, timeout=5).status_code == 401
    assert [each.path for each in sandbox.requests] == [path]


def test_what_there_is(sandbox: Sandbox) -> None:
    """An unknown path is 404, a wrong method 405 with those that are right."""
    assert send(sandbox, "POST", "/_sandbox/restart").status == 404
    found = send(sandbox, "POST", REQUESTS)
    assert (found.status, found.headers["allow"]) == (405, "GET, DELETE")


def test_broken_off(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A request that breaks off inside its body does nothing, and leaves no error behind."""
    sandbox.page_size = 5
    host, port = sandbox.base_url[len("http://") :].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as broken:
        broken.sendall(
            f"POST {RESET} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\n{{".encode()
        )
    assert send(sandbox, "GET", REQUESTS).status == 200
    assert (sandbox.page_size, caplog.records) == (5, [])


def test_beside_other_calls(sandbox: Sandbox, call: Client) -> None:
    """What clients create while rows are added is kept, and no code is given twice."""

    def create(number: int) -> None:
        Client(sandbox, sandbox.api_key).created(name=f"Sent {number}")

    def add(number: int) -> None:
        sandbox.seed(cohorts=[{"name": f"Added {number}", "query": {}}])

    with ThreadPoolExecutor(8) as threads:
        done = [threads.submit(each, n) for n in range(20) for each in (create, add)]
        for each in done:
            each.result()
    found = call("GET", COHORTS).json()
    assert len(found) == len({each["code"] for each in found}) == 28 + 40


# --- Who may control it --------------------------------------------------------------------------

EVERYTHING = [
    ("POST", RESET),
    ("POST", FAULTS),
    ("POST", BEHAVIOUR),
    ("POST", SEED),
    ("GET", REQUESTS),
    ("DELETE", REQUESTS),
    ("OPTIONS", RESET),
]


@pytest.mark.parametrize("method, path", EVERYTHING)
def test_web_pages(sandbox: Sandbox, method: str, path: str) -> None:
    """A request of a web page is refused, and does nothing."""
    sandbox.page_size = 5
    requests.get(sandbox.base_url, timeout=5)
    for origin in ("https://a.example", "null", "", "http://127.0.0.1:8080"):
        found = send(sandbox, method, path, {} if method == "POST" else None, {"Origin": origin})
        assert found.status == 403, origin
        assert "access-control-allow-origin" not in found.headers
    assert (sandbox.page_size, len(sandbox.requests)) == (5, 1)
    assert requests.get(sandbox.base_url, timeout=5).status_code == 401


HOSTS = {
    "localhost": 200,
    "LOCALHOST:1": 200,
    "127.0.0.1": 200,
    "127.8.8.8:80": 200,
    "[::1]:80": 200,
    "a.example": 403,
    "a.example:80": 403,
    "127.0.0.1.a.example": 403,
    "localhost.a.example": 403,
    "a.example#@127.0.0.1": 403,
    "10.0.0.1": 403,
    "0.0.0.0": 403,
    "[::2]": 403,
    "[::1": 403,
    "": 403,
}


def test_names_of_this_machine(sandbox: Sandbox) -> None:
    """On loopback, a request for another host is refused: a page has made its own name mean 127.0.0.1."""
    address, port = sandbox.base_url[len("http://") :].split(":")
    found = dict.fromkeys(HOSTS, 0)
    for host in HOSTS:
        with socket.create_connection((address, int(port)), timeout=5) as raw:
            raw.sendall(f"GET {REQUESTS} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            found[host] = int(raw.recv(100).split()[1])
    assert found == HOSTS


@pytest.mark.parametrize("name", ["localhost", "127.1"])
def test_the_name_it_was_given(name: str) -> None:
    """Whatever name of loopback the sandbox listens on, requests may use it."""
    with Sandbox(host=name) as named:
        found = [
            send(named, "GET", REQUESTS, headers={"Host": host}).status
            for host in (name, "a.example")
        ]
    assert found == [200, 403]


@pytest.mark.parametrize(
    "host, control, status",
    [
        ("127.0.0.1", None, 200),
        ("127.0.0.1", True, 200),
        ("127.0.0.1", False, 403),
        ("0.0.0.0", None, 403),
        ("0.0.0.0", True, 200),
        ("0.0.0.0", False, 403),
    ],
)
def test_off_beyond_loopback(host: str, control: bool | None, status: int) -> None:
    """Beyond loopback, control is off unless it is asked for."""
    with Sandbox(host=host, control=control) as sandbox:
        assert send(sandbox, "GET", REQUESTS).status == status


def test_any_name_beyond_loopback() -> None:
    """Beyond loopback, the sandbox cannot know its names, such as that of a container."""
    with Sandbox(host="0.0.0.0", control=True) as sandbox:
        named = {"Host": "sandbox.example"}
        assert send(sandbox, "GET", REQUESTS, headers=named).status == 200
        paged = {**named, "Origin": "https://sandbox.example"}
        assert send(sandbox, "GET", REQUESTS, headers=paged).status == 403
