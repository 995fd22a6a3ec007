"""The verbs of the http module: headers, parameters, bodies, time limits, origins and proxies."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import requests.utils

from PermutiveAPI import (
    BatchRequest,
    Cohort,
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveTimeoutError,
    RetryConfig,
    Segmentation,
)
from PermutiveAPI._Utils import http
from tests.support.calls import (
    ALL_CALLS,
    COHORTS,
    KEY,
    KEY_OF,
    SEGMENTED,
    WireCall,
    at_once,
    segmentation,
)
from tests.support.fake_service import (
    Connection,
    FakeService,
    after,
    answer,
    hang_up,
    raw,
    reset,
    stall,
    then_hang_up,
)
from tests.support.mistakes import assert_raises
from tests.support.secrets import assert_no_secret
from tests.support.things import things

URL = "https://api.permutive.app/v9/things"
ONCE = RetryConfig(max_retries=1)


# --- Requests ------------------------------------------------------------------------------------


def test_extra_headers_win(server: FakeService) -> None:
    """Headers of request() and of a batch are sent, and win over the default ones."""
    extra = {"Accept": "text/csv", "X-Trace": "1", "User-Agent": "mine"}
    http.request("GET", KEY, URL, headers=extra)
    http.process_batch([BatchRequest("GET", URL, headers=extra)], api_key=KEY, max_workers=1)
    for seen in server.received:
        assert seen.headers["accept"] == "text/csv"
        assert seen.headers["x-trace"] == "1"
        assert seen.headers["user-agent"] == "mine"
        assert seen.headers["content-type"] == "application/json"
    assert len(server.received) == 2


def test_the_answer_is_a_response_of_requests(server: FakeService) -> None:
    """A verb returns the whole requests.Response."""
    server.default = answer(201, {"a": 1}, headers={"X-Served-By": "me"})
    response = http.post(KEY, URL, {})
    assert isinstance(response, requests.Response)
    assert (response.status_code, response.json()) == (201, {"a": 1})
    assert response.headers["X-Served-By"] == "me"


def test_parameters_are_added_to_those_of_the_url(server: FakeService) -> None:
    """The URL's own query, the parameters and the key arrive; lists are repeated, None is left out."""
    params = {"b": ["1", "2"], "c": None, "d": "ä&="}
    http.get(KEY, f"{URL}?a=0&empty=", params)
    assert server.received[0].query == {
        "a": ["0"],
        "empty": [""],
        "b": ["1", "2"],
        "d": ["ä&="],
        "k": [KEY],
    }
    assert params == {"b": ["1", "2"], "c": None, "d": "ä&="}


BODIES: List[Any] = [{}, [], 0, False, "text", {"a": None}, {"ä": "€", "n": [1.5, {}]}]


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_every_json_value_is_a_body(server: FakeService, body: Any) -> None:
    """Any JSON value is sent unchanged, even an empty one."""
    http.post(KEY, URL, body)
    http.patch(KEY, URL, body)
    http.request("POST", KEY, URL, json=body)
    assert [seen.json for seen in server.received] == [body] * 3


@pytest.mark.parametrize(
    "body",
    [
        {"a": float("nan")},
        [float("inf")],
        {"a": object()},
        {"a": {1, 2}},
        {("a", "b"): 1},
        Decimal("1"),
    ],
    ids=lambda body: type(body).__name__,
)
def test_a_body_that_is_no_json_is_refused(server: FakeService, body: Any) -> None:
    """A body that cannot be written as JSON, such as NaN, is a ValueError, and is not sent."""
    calls: List[Callable[[], Any]] = [
        lambda: http.post(KEY, URL, body),
        lambda: http.patch(KEY, URL, body),
        lambda: http.request("POST", KEY, URL, json=body),
    ]
    for call in calls:
        with pytest.raises((ValueError, TypeError)) as raised:
            call()
        assert_no_secret(raised.value, [], KEY)
    _, failures = http.process_batch(
        [BatchRequest("POST", URL, json=body)], api_key=KEY, max_workers=1
    )
    assert isinstance(failures[0][1], (ValueError, TypeError))
    assert (server.received, server.connections) == ([], 0)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "no scheme",
        "ftp://127.0.0.1/x",
        "ftp://[",
        "http://",
        "http://[::1",
        "http://a b/",
        "http://user:word@a b:80/",
        "http://a\tb/",
        "http://a%20b/",
        "HTTP://a<b",
    ],
)
def test_an_invalid_url_is_refused(
    server: FakeService, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    """An invalid URL is a ValueError, and is not repeated."""
    caplog.set_level("DEBUG")
    for verb in ("GET", "POST"):
        with pytest.raises(PermutiveInvalidRequestError) as raised:
            http.request(verb, KEY, url)
        assert_no_secret(raised.value, caplog.records, KEY)
    assert "attempt 1" not in caplog.text and "new HTTP connection" not in caplog.text
    assert server.connections == 0


@pytest.mark.parametrize("name", ["X-Bad\nName", "X-Bad"])
def test_an_invalid_header_is_refused(server: FakeService, name: str) -> None:
    """A header with a line break is a ValueError, and nothing is sent."""
    with pytest.raises(ValueError):
        http.request("GET", KEY, URL, headers={name: "a\r\nb: c"})
    assert server.received == []


@pytest.mark.parametrize("method", ["PUT", "HEAD", "", "GET ", None, 1], ids=repr)
def test_other_verbs_are_refused(server: FakeService, method: Any) -> None:
    """A verb other than GET, POST, PATCH and DELETE is a ValueError, and nothing is sent."""
    with pytest.raises(ValueError, match="method"):
        http.request(method, KEY, URL)
    _, failures = http.process_batch([BatchRequest(method, URL)], api_key=KEY, max_workers=1)
    assert isinstance(failures[0][1], ValueError)
    assert server.received == []


# --- Time limits ---------------------------------------------------------------------------------


def test_every_limit_reaches_the_socket(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call waits as long as its own limit says: its argument, or the variable for single calls or batches."""
    monkeypatch.setenv("PERMUTIVE_TIMEOUT_SECONDS", "0.5")
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.6")
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    server.default = stall()
    for call, error in at_once(WireCall.error).items():
        assert type(error) is PermutiveTimeoutError, call
        limit = 0.6 if call.batch and not call.takes_timeout else 0.5
        assert f"read timeout={limit})" in str(error), call


def test_arguments_win_over_the_environment(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """request(), send() and batch_send() keep their timeout of 10 s, and a BatchRequest its own; None is no limit."""
    monkeypatch.setenv("PERMUTIVE_TIMEOUT_SECONDS", "0.02")
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.02")
    server.default = after(0.08, answer(200, SEGMENTED))
    given: List[Dict[str, Any]] = [{}, {"timeout": None}, {"timeout": 5}]
    batch = [BatchRequest("GET", URL, timeout=None), BatchRequest("GET", URL, timeout=5)]
    calls: List[Any] = [partial(http.request, "GET", KEY, URL), partial(segmentation().send, KEY)]
    send_batch: Any = partial(Segmentation.batch_send, [segmentation()], api_key=KEY)
    with ThreadPoolExecutor() as executor:
        single = [executor.submit(call, **limit) for limit in given for call in calls]
        batches = [executor.submit(send_batch, **limit) for limit in given]
        requests_of_batch = executor.submit(http.process_batch, batch, api_key=KEY, max_workers=2)
    assert [each.exception() for each in single] == [None] * 6
    assert [each.result()[1] for each in (*batches, requests_of_batch)] == [[]] * 4
    assert len(server.received) == 6 + 3 + 2


def test_the_batch_limit_is_read_when_the_request_is_made(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PERMUTIVE_BATCH_TIMEOUT_SECONDS applies to BatchRequests that are made while it is set."""
    assert BatchRequest("GET", URL).timeout == 10.0
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.05")
    limited = BatchRequest("GET", URL, retry=ONCE)
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "7")
    server.default = stall()
    _, [(request, error)] = http.process_batch([limited], api_key=KEY, max_workers=1)
    assert request is limited
    assert type(error) is PermutiveTimeoutError
    for value in ("0", "-1", "x", "nan"):
        monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", value)
        with pytest.raises(ValueError, match="PERMUTIVE_BATCH_TIMEOUT_SECONDS"):
            BatchRequest("GET", URL)


# --- Where requests go ---------------------------------------------------------------------------


def test_the_base_url_is_read_at_every_call(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PERMUTIVE_API_BASE_URL may change between two calls, and replaces both hosts of the service."""
    server.default = answer(200, [])
    with FakeService() as other:
        other.default = answer(200, [])
        Cohort.list(KEY)
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", f" {other.url} ")
        Cohort.list(KEY)
        http.get(KEY, "https://API.permutive.com/v2.0/x?y=1")
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", server.url)
        Cohort.list(KEY)
        assert [seen.path for seen in other.received] == [COHORTS, "/v2.0/x"]
        assert other.received[1].query == {"y": ["1"], "k": [KEY]}
        assert other.received[0].headers["host"] == f"127.0.0.1:{other.port}"
    assert [seen.path for seen in server.received] == [COHORTS] * 2


def test_other_hosts_are_left_alone(server: FakeService) -> None:
    """A URL of another host is not changed."""
    with FakeService() as other:
        http.get(KEY, f"{other.url}/api.permutive.app/x")
        assert len(other.received) == 1
    assert server.received == []


@pytest.mark.parametrize(
    "value",
    [
        "127.0.0.1:8080",
        "localhost",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://127.0.0.1/path",
        "http://127.0.0.1?x=1",
        "http://user:secret-0001@127.0.0.1",
        "http://127.0.0.1 :80",
        "http://[::1",
    ],
)
def test_a_wrong_base_url_is_named(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """A wrong base URL is a ValueError that names the variable and shows no password, and nothing is sent."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", value)
    for call in ALL_CALLS if value == "localhost" else ALL_CALLS[::20]:
        with pytest.raises(ValueError, match="PERMUTIVE_API_BASE_URL") as raised:
            call(api_key=KEY)
        assert "secret-0001" not in str(raised.value)
    assert server.connections == 0


# --- Connections ---------------------------------------------------------------------------------


def test_one_connection_serves_call_after_call(server: FakeService) -> None:
    """Connections are kept alive: all calls of one thread share one, even after errors."""
    for call in ALL_CALLS:
        server.default = answer(call.status, call.answer)
        call(api_key=KEY)
        server.default = answer(404)
        call.error()
    assert len(server.received) == 2 * len(ALL_CALLS)
    assert server.connections == 1


def test_a_connection_closed_while_idle_costs_nothing(server: FakeService) -> None:
    """A connection that the service has closed is replaced, also for a create: each request is sent once."""
    server.default = then_hang_up(answer(200, {}))
    for number in range(5):
        http.post(KEY, URL, {"number": number})
        time.sleep(0.02)
    assert [seen.json["number"] for seen in server.received] == list(range(5))
    assert server.connections == 5


def test_cookies_are_not_kept(server: FakeService) -> None:
    """A cookie that the service sets for one call is not sent with the next."""
    server.default = answer(200, {}, headers={"Set-Cookie": "session=1; Path=/"})
    for _ in range(3):
        http.get(KEY, URL)
        http.post("another-key", URL, {})
    assert not any("cookie" in seen.headers for seen in server.received)


def test_netrc_is_not_used(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A login for the host in ~/.netrc is not sent."""
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login someone password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    for call in ALL_CALLS:
        server.default = answer(call.status, call.answer)
        call(api_key=KEY)
    assert not any("authorization" in seen.headers for seen in server.received)


# --- Proxies -------------------------------------------------------------------------------------


@pytest.fixture
def proxied(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    """A server that is the HTTP proxy for a host that cannot be reached otherwise."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "http://service.invalid:8080")
    monkeypatch.setenv("http_proxy", server.url)
    return server


def test_the_proxy_of_the_environment_is_used(
    proxied: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """If http_proxy is set, every call goes through it, and no log shows the key."""
    caplog.set_level("DEBUG")
    calls = {key: call for call, key in KEY_OF.items()}

    def as_documented(connection: Connection) -> bool:
        assert connection.request is not None
        call = calls[connection.request.query["k"][0]]
        return answer(call.status, call.answer)(connection)

    proxied.default = as_documented
    at_once(lambda call: call(api_key=KEY_OF[call]))
    seen = {one.query["k"][0]: one for one in proxied.received}
    assert len(proxied.received) == len(seen) == len(ALL_CALLS)
    for call, key in KEY_OF.items():
        assert seen[key].target.startswith(f"http://service.invalid:8080{call.path}?"), call
        assert seen[key].headers["host"] == "service.invalid:8080", call
    assert not any(KEY in str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize(
    ("variable", "proxy"),
    [
        ("http_proxy", "http://"),
        ("http_proxy", ":8080"),
        ("http_proxy", "http://a b"),
        ("HTTP_PROXY", "http://user:secret@"),
        ("all_proxy", "http://user:secret@:80"),
    ],
)
def test_a_proxy_without_a_host(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str
) -> None:
    """A proxy without a host is an error that names the variable, and not the password."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "http://service.invalid:8080")
    monkeypatch.setenv(variable, proxy)
    text = f"{variable} must be the URL of a proxy, such as http://proxy.example:8080."
    assert_raises(lambda: http.get(KEY, URL), ValueError, text)
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", server.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert http.get(KEY, URL).status_code == 200


def test_the_proxies_are_looked_up_once(
    proxied: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's proxies are looked up at most once for each origin, and again if the environment changes."""
    asked: List[int] = []
    getproxies: Callable[[], Dict[str, str]] = getattr(requests.utils, "getproxies")

    def counting() -> Dict[str, str]:
        asked.append(1)
        return getproxies()

    monkeypatch.setattr(requests.utils, "getproxies", counting)
    for _ in range(20):
        http.get(KEY, URL)
    assert len(asked) <= 1
    assert len(proxied.received) == 20
    before = len(asked)

    with FakeService() as other:
        monkeypatch.setenv("http_proxy", other.url)
        http.get(KEY, URL)
        http.get(KEY, URL)
        assert len(other.received) == 2
    assert (len(proxied.received), len(asked)) == (20, before + 1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socks_proxy_is_used(
    server: FakeService, secure: Any, bundle: str, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Single calls and batches go through a SOCKS proxy, and only the service gets the key."""
    service = secure("another host's") if scheme == "https" else server
    service.behind_socks = hosts = []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", f"{scheme}://service.example")
    monkeypatch.setenv(f"{scheme}_proxy", f"socks5h://127.0.0.1:{service.port}")
    http.get(KEY, URL)
    _, errors = http.process_batch(things(3), api_key=KEY, max_workers=2)
    assert (errors, {*hosts}) == ([], {"service.example"})
    assert [seen.query["k"] for seen in service.received] == [[KEY]] * 4


def test_no_proxy_is_honoured(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to a host in no_proxy does not go through the proxy."""
    with FakeService() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        http.get(KEY, URL)
        assert (len(proxy.received), len(server.received)) == (1, 0)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        http.get(KEY, URL)
        assert (len(proxy.received), len(server.received)) == (1, 1)


@pytest.mark.parametrize(
    "step",
    [
        then_hang_up(answer(407, b"", headers={"Connection": "close"})),
        hang_up(),
        reset(),
        raw(b"220 mail.example ready\r\n"),
    ],
    ids=["refuses", "hangs up", "resets", "speaks no HTTP"],
)
def test_a_proxy_that_opens_no_tunnel(
    server: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: Any,
) -> None:
    """A proxy that opens no tunnel does not get the key; the request was surely not sent, so a create is repeated."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "https://service.invalid")
    proxy = server.url.replace("://", "://someone:password-0001@")
    monkeypatch.setenv("https_proxy", proxy)
    server.default = step
    with pytest.raises(PermutiveConnectionError) as raised:
        http.post(KEY, URL, {})
    assert [seen.method for seen in server.received] == ["CONNECT"] * 3
    assert not any(KEY in seen.target for seen in server.received)
    assert "unknown" not in str(raised.value)
    assert_no_secret(raised.value, caplog.records, KEY)
    assert_no_secret(raised.value, caplog.records, "password-0001")


@pytest.mark.parametrize("step", [reset, hang_up])
@pytest.mark.parametrize("name", ["Cohort.create", "TrackedEvent.track"])
def test_a_request_lost_behind_a_proxy(proxied: FakeService, name: str, step: Any) -> None:
    """A create that a proxy has read may have been processed, and is not repeated."""
    proxied.default = step()
    [call] = [each for each in ALL_CALLS if each.name == name]
    with pytest.raises(PermutiveConnectionError, match="outcome is unknown"):
        call(api_key=KEY)
    assert len(proxied.received) == 1


@pytest.mark.parametrize("status", [b"102 Processing", b"103 Early Hints"])
def test_a_status_that_comes_before_the_answer(server: FakeService, status: bytes) -> None:
    """An interim response is skipped, so that no later call gets this call's response."""

    def step(connection: Connection) -> bool:
        connection.send(b"HTTP/1.1 " + status + b"\r\nLink: </x>\r\n\r\n")
        server.stopping.wait(0.02)
        return answer(200, {"number": len(server.received)})(connection)

    server.default = step
    numbers = [http.get(KEY, f"{server.url}/x").json()["number"] for _ in range(3)]
    assert numbers == [1, 2, 3] and server.connections == 1


def test_a_header_of_none_is_left_out(server: FakeService) -> None:
    """A header of None removes a default header, as in requests."""
    headers: Any = {"Content-Type": None}
    http.request("GET", KEY, f"{server.url}/x", headers=headers)
    assert "content-type" not in server.received[0].headers


@pytest.mark.parametrize(
    ("url", "headers"),
    [("https://api.permutive.app/x", {"X-Note": "\u20ac"}), (f"http://{'a' * 64}.invalid/", None)],
)
def test_what_cannot_be_put_on_the_wire(server: FakeService, url: str, headers: Any) -> None:
    """A header outside Latin-1, or an invalid host, is an invalid request, in a single call and in a batch."""
    with pytest.raises(PermutiveInvalidRequestError, match="cannot be sent"):
        http.request("GET", KEY, url, headers=headers)
    request = http.BatchRequest("GET", url, headers=headers)
    _, [(_, error)] = http.process_batch([request], api_key=KEY, max_workers=1)
    assert type(error) is PermutiveInvalidRequestError
    assert server.received == []


@pytest.mark.parametrize("url", [None, 5, b"http://x/"])
def test_a_url_of_a_wrong_kind(server: FakeService, url: Any) -> None:
    """A URL that is not a text is a TypeError that names it."""
    with pytest.raises(TypeError, match="url must be of type str"):
        http.request("POST", KEY, url)


@pytest.mark.parametrize("argument", ["params", "headers"])
@pytest.mark.parametrize("value", ["abc", [("a", 1)]])
def test_an_argument_that_is_no_mapping(argument: str, value: Any) -> None:
    """Parameters or headers that are not a mapping are a TypeError that names the argument."""
    with pytest.raises(TypeError, match=f"{argument} must be of type Mapping"):
        http.request("GET", KEY, "https://api.permutive.app/x", **{argument: value})


def test_a_proxy_whose_first_address_refuses(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch gets its tunnel from a proxy of which only the second address works."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed_port = listener.getsockname()[1]

    def addresses(*_: Any) -> list[Any]:
        ports = (closed_port, server.port)
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, ("127.0.0.1", port)) for port in ports]

    monkeypatch.delenv("PERMUTIVE_API_BASE_URL")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setattr(socket, "getaddrinfo", addresses)
    server.default = answer(502)
    request = http.BatchRequest("GET", "https://api.permutive.app/x")
    _, failures = http.process_batch([request], api_key=KEY, max_workers=1)
    assert len(failures) == 1
    assert {seen.method for seen in server.received} == {"CONNECT"}
