"""The key in a header: no URL anywhere carries it."""

from __future__ import annotations

import logging
import os
from enum import Enum
from typing import Any, Dict, List, cast

import pytest
import requests
import requests.adapters

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    Identity,
    PermutiveConnectionError,
    options,
    stream_batch,
)
from PermutiveAPI._Utils import http
from PermutiveAPI.sandbox import Sandbox
from tests.support.calls import ALL_CALLS, KEY, identity
from tests.support.fake_service import FakeService, answer
from tests.support.processes import process_pool
from tests.support.secrets import assert_no_secret

URL = "https://api.permutive.app/v9/things"


@pytest.fixture(autouse=True)
def in_the_header(quick_retries: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the key in the header."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", "header")


def test_every_call(server: FakeService) -> None:
    """Every call sends its key only in the header, and is otherwise the same."""
    for call in ALL_CALLS:
        server.received.clear()
        server.default = answer(call.status, call.answer)
        call(api_key=KEY)
        first = server.received[0]
        assert first.headers["x-api-key"] == KEY, call
        assert KEY not in first.target and "k" not in first.query, call
        assert {name: values[0] for name, values in first.query.items()} == call.query, call
        assert (first.method, first.path) == (call.method, call.path)


def test_nothing_shows_it(server: FakeService, caplog: pytest.LogCaptureFixture) -> None:
    """No response, error or log record shows the key of the header."""
    caplog.set_level(logging.DEBUG)
    response = http.get(KEY, URL)
    assert KEY not in f"{response.url} {response.request.headers} {response.headers}"
    server.default = answer(400, {"error": {"cause": "odd"}})
    with pytest.raises(Exception) as caught:
        Cohort.list(KEY)
    assert_no_secret(caught.value, caplog.records, KEY)


@pytest.mark.parametrize(
    "location, query", [("header", {}), ("query", {"k": [KEY]}), ("", {"k": [KEY]})]
)
def test_an_own_header_stays(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, location: str, query: Dict[str, List[str]]
) -> None:
    """A caller's own X-API-Key is sent unchanged; with the key in the query, both are sent."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", location)
    for own in ("another-key-0001", KEY):
        http.request("GET", KEY, URL, headers={"x-api-key": own})
        assert server.received[-1].headers["x-api-key"] == own
        assert server.received[-1].query == query


@pytest.mark.parametrize("location", ["header", "query"])
def test_a_member_of_an_enum(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    """A key that is a member of an Enum of texts is sent as its value."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", location)
    server.default = answer(200, {"id": "1", "name": "Runners"})
    http.get(Keys.MAIN, URL)
    with options(api_key=Keys.MAIN):
        Cohort.get_by_id("1")
    assert len(server.received) == 2
    for seen in server.received:
        assert KEY == (seen.headers["x-api-key"] if location == "header" else seen.query["k"][0])


class Keys(str, Enum):
    """The keys of somebody's workspaces."""

    MAIN = KEY


@pytest.mark.parametrize("value", ["headers", "body", "k"])
def test_a_wrong_value(server: FakeService, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A wrong value is a ValueError that names the variable and its values, before anything is sent."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", value)
    words = "PERMUTIVE_API_KEY_LOCATION must be one of query, header"
    with pytest.raises(ValueError, match=words):
        http.get(KEY, URL)
    with pytest.raises(ValueError, match=words):
        Identity.batch_identify([identity()], api_key=KEY)
    assert server.received == []


def test_a_wrong_value_may_be_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error does not show a wrong value, since it may be a key."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", KEY)
    with pytest.raises(ValueError, match="one of query, header") as raised:
        http.get(KEY, URL)
    assert_no_secret(raised.value, [], KEY)


def test_a_header_of_none_is_none(server: FakeService) -> None:
    """If the caller's header is None, the key is sent."""
    http.request("GET", KEY, URL, headers=cast(Any, {"x-api-key": None}))
    assert server.received[0].headers["x-api-key"] == KEY


def test_other_processes(server: FakeService) -> None:
    """The setting holds in other processes, whatever their environment says."""
    with process_pool(1) as pool:
        pool.submit(_set_another_location).result()
        batch = [BatchRequest("GET", URL, headers={"X-Own": "1"})]
        [result] = stream_batch(batch, api_key=KEY, executor=pool)
    assert result.error is None
    [seen] = server.received
    assert (seen.headers["x-api-key"], seen.headers["x-own"]) == (KEY, "1")
    assert seen.query == {}


def _set_another_location() -> None:
    os.environ["PERMUTIVE_API_KEY_LOCATION"] = "query"


def test_replaced_functions_see_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake for requests.get gets the header, and no parameter k."""
    seen: Any = {}

    def fake(url: str, **kwargs: Any) -> requests.Response:
        seen.update(kwargs)
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr(requests, "get", fake)
    http.get(KEY, URL, params={"a": "b"})
    assert seen["params"] == {"a": "b"}
    assert seen["headers"]["X-API-Key"] == KEY


def test_in_the_sandbox(sandbox: Sandbox) -> None:
    """The sandbox accepts the header, as documented for the service."""
    assert len(Cohort.list(sandbox.api_key)) > 0
    assert sandbox.requests[-1].query == {}


# --- The place of the key in the written request ----------------------------------------------------

ODD_REQUESTS: List[Any] = [
    {"headers": {"Referer": "https://h/?a=1&k=REDACTED"}},
    {"url": f"{URL}?a=1#/route?k=foo"},
    {"url": f"{URL}?a=1#x?k=REDACTED"},
    {"params": {"K": "REDACTED", "l": "&k=REDACTED"}},
    {"url": f"{URL}?k=REDACTED&k=b"},
    {"json": {"page": "https://h/?a=1&k=REDACTED"}},
]


@pytest.mark.parametrize("location", ["query", "header"])
@pytest.mark.parametrize("request_", ODD_REQUESTS, ids=str)
def test_the_key_stands_where_it_belongs_and_nowhere_else(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, location: str, request_: Dict[str, Any]
) -> None:
    """In any request, the key is only in its parameter or header, and the rest arrives unchanged."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", location)
    arguments = {"url": URL, **request_}
    for key in (KEY, "REDACTED", "a&k=REDACTED"):
        http.request("POST", key, **arguments)
        seen = server.received.pop()
        if location == "header":
            assert seen.headers["x-api-key"] == key
        else:
            assert seen.query["k"][-1] == key and "x-api-key" not in seen.headers
        assert seen.headers.get("referer") == request_.get("headers", {}).get("Referer"), key
        assert seen.query.get("K") == (["REDACTED"] if "params" in request_ else None), key
        if "json" in request_:
            assert seen.json == request_["json"], key
        assert "#" not in seen.target and "foo" not in seen.target, key
    assert server.received == []


@pytest.mark.parametrize("location", ["query", "header"])
def test_no_key_of_an_earlier_call_is_written(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    """The key of a call that failed before it was written is not in the next request."""
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", location)
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    with pytest.raises(PermutiveConnectionError):
        http.get("an-earlier-key", "https://127.0.0.1:1/refused")

    def own_way(self: Any, request: Any, **options: Any) -> Any:
        pool = self.get_connection_with_tls_context(request, True)
        raw = pool.urlopen(
            method=request.method, url=request.path_url, headers=request.headers, body=request.body
        )
        return self.build_response(request, raw)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", own_way)
    http.get(KEY, URL)
    [seen] = server.received
    assert [KEY] == (seen.query["k"] if location == "query" else [seen.headers["x-api-key"]])
    assert "an-earlier-key" not in f"{seen.target} {seen.headers}"
