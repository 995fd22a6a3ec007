"""Defects that a review of the whole library against its contract found."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
import requests

from PermutiveAPI import (
    Cohort,
    PermutiveBadRequestError,
    PermutiveConnectionError,
    PermutiveInvalidRequestError,
    PermutiveResourceNotFoundError,
    PermutiveTimeoutError,
    Segment,
)
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.cancellation import Cancellation
from PermutiveAPI._Utils.redaction import redact_message, redact_secret
from PermutiveAPI._Utils.retry.outcome import Outcome, outcome_of
from PermutiveAPI._Utils.retry.policy import RetryConfig
from tests.support.fake_service import Connection, FakeService, answer, raw, stall_in_body

KEY = "3f0c9d52-7c1e-4f7e-9f25-0f6f0f8b9a11"

EARLY = """
import time
from unittest import mock

sleeps = []
with mock.patch("requests.get") as get, mock.patch("time.sleep", sleeps.append):
    from PermutiveAPI import Cohort
    from PermutiveAPI._Utils import http

    get.return_value.status_code = 200
    get.return_value.json.return_value = []
    assert Cohort.list("key") == [] and get.call_count == 1
    get.return_value.status_code = 503
    get.return_value.headers = {}
    request = http.BatchRequest("GET", "https://api.permutive.app/x")
    http.process_batch([request], api_key="key", max_workers=1)
    assert len(sleeps) == 2, sleeps
"""


def test_a_replacement_before_the_first_import_takes_effect() -> None:
    """A name replaced before the library is imported is used too, and nothing reaches the network."""
    done = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_header_that_is_invalid_in_the_answer(server: FakeService) -> None:
    """An answer with two lengths leaves the outcome of a create unknown; it is not repeated."""
    lengths = b"Content-Length: 2\r\nContent-Length: 5\r\n"
    server.default = raw(b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n{}")
    with pytest.raises(PermutiveConnectionError, match="outcome is unknown"):
        Cohort("c", query={"x": 1}).create(KEY)
    assert len(server.received) == 1


@pytest.mark.parametrize("charset", ["undefined", "idna", "none-such", "a\0b"])
def test_an_error_in_an_encoding_that_is_none(server: FakeService, charset: str) -> None:
    """An error page in an unknown encoding is the documented error, with the service's words."""
    server.default = answer(400, b"bad \xff body", content_type=f"text/plain; charset={charset}")
    with pytest.raises(PermutiveBadRequestError, match="bad . body"):
        http.get(KEY, f"{server.url}/x")


@pytest.mark.parametrize("status", [b"102 Processing", b"103 Early Hints"])
def test_a_status_that_comes_before_the_answer(server: FakeService, status: bytes) -> None:
    """What a service says before its answer is passed over: no later call gets this one's answer."""

    def step(connection: Connection) -> bool:
        connection.send(b"HTTP/1.1 " + status + b"\r\nLink: </x>\r\n\r\n")
        server.stopping.wait(0.02)
        return answer(200, {"number": len(server.received)})(connection)

    server.default = step
    numbers = [http.get(KEY, f"{server.url}/x").json()["number"] for _ in range(3)]
    assert numbers == [1, 2, 3] and server.connections == 1


def test_a_time_out_within_an_answer(server: FakeService) -> None:
    """An answer that stops in its middle is told as such, with the host."""
    server.default = stall_in_body()
    with pytest.raises(PermutiveTimeoutError, match="127.0.0.1.*within its answer"):
        http.request("GET", KEY, f"{server.url}/x", timeout=0.05, retry=RetryConfig(max_retries=1))


def test_an_update_answered_without_a_price(server: FakeService) -> None:
    """A price that an answer leaves out stays as it was."""
    facts = {"id": "s", "code": "c", "name": "n", "import_id": "i"}
    server.script = [answer(200, {**facts, "cpm": 2}), answer(200, facts)]
    server.default = answer(200, facts)
    segment = Segment.get_by_id("i", "s", KEY)
    segment.update(KEY)
    segment.update(KEY)
    assert [json.loads(seen.body) for seen in server.received[1:]] == [
        {"name": "n", "cpm": 2},
        {"name": "n", "cpm": 2},
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"token": ["SEKRET"], "x": 1}',
        "{'k': ['SEKRET']}",
        '{"token": {"a": "SEKRET"}}',
        "run --token=SEKRET",
        "--api_key=SEKRET",
        "-k=SEKRET",
    ],
)
def test_redacted_forms(text: str) -> None:
    """A secret in a list, an object or a command's option is found; redacting twice is once."""
    redacted = redact_message(text)
    assert "SEKRET" not in redacted
    assert redact_message(redacted) == redacted


def test_a_name_with_a_dash_stays() -> None:
    """A dash inside a word is part of a name: it is not the name of a secret."""
    assert redact_message("my-key=5") == "my-key=5"


@pytest.mark.parametrize("text", ["/x?k=k&a=1", '{"k": "k"}', "k: k"])
def test_a_key_that_is_called_like_a_secret(text: str) -> None:
    """A short key does not hide the name of another secret."""
    redacted = redact_message(redact_secret(text + " k=OTHER", "k"))
    assert "OTHER" not in redacted
    assert "k" in redacted


def test_a_header_of_none_is_left_out(server: FakeService) -> None:
    """None takes a default header away, as requests does."""
    http.request("GET", KEY, f"{server.url}/x", headers={"Content-Type": None})
    assert "content-type" not in server.received[0].headers


@pytest.mark.parametrize(
    ("url", "headers"),
    [("https://api.permutive.app/x", {"X-Note": "\u20ac"}), (f"http://{'a' * 64}.invalid/", None)],
)
def test_what_cannot_be_put_on_the_wire(server: FakeService, url: str, headers: Any) -> None:
    """A header outside Latin-1 or an impossible host is an invalid request, alone and in a batch."""
    with pytest.raises(PermutiveInvalidRequestError, match="cannot be sent"):
        http.request("GET", KEY, url, headers=headers)
    request = http.BatchRequest("GET", url, headers=headers)
    _, [(_, error)] = http.process_batch([request], api_key=KEY, max_workers=1)
    assert type(error) is PermutiveInvalidRequestError
    assert server.received == []


@pytest.mark.parametrize("url", [None, 5, b"http://x/"])
def test_a_url_of_a_wrong_kind(server: FakeService, url: Any) -> None:
    """A URL that is no text is a TypeError that names it."""
    with pytest.raises(TypeError, match="url must be of type str"):
        http.request("POST", KEY, url)


@pytest.mark.parametrize("argument", ["params", "headers"])
@pytest.mark.parametrize("value", ["abc", [("a", 1)]])
def test_an_argument_that_is_no_mapping(argument: str, value: Any) -> None:
    """Parameters and headers that are no mapping are a TypeError that names the argument."""
    with pytest.raises(TypeError, match=f"{argument} must be of type Mapping"):
        http.request("GET", KEY, "https://api.permutive.app/x", **{argument: value})


def test_a_refusal_that_a_fake_reports() -> None:
    """A refused connection surely never reached the service, whoever tells of it."""
    calls: list[str] = []

    def refuse(url: str, **arguments: Any) -> requests.Response:
        calls.append(url)
        raise requests.ConnectionError(ConnectionRefusedError(111, "refused"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "post", refuse)
        with pytest.raises(PermutiveConnectionError, match="after 3 attempts"):
            http.post(KEY, "https://api.permutive.app/x", {})
    assert len(calls) == 3


def test_an_invalid_certificate_that_a_fake_reports() -> None:
    """An invalid certificate is not tried again, whoever tells of it."""
    calls: list[str] = []

    def refuse(url: str, **arguments: Any) -> requests.Response:
        calls.append(url)
        raise requests.exceptions.SSLError("certificate verify failed")

    with pytest.raises(PermutiveConnectionError, match="after 1 attempts"):
        http._with_retry(refuse, "https://api.permutive.app/x", KEY)
    assert len(calls) == 1


def test_the_callers_own_context_stays(server: FakeService) -> None:
    """An error raised inside a caller's handler keeps the exception that is being handled."""
    server.default = answer(404, {})
    try:
        raise KeyError("the caller's own")
    except KeyError as own:
        with pytest.raises(PermutiveResourceNotFoundError) as caught:
            Cohort.get_by_id("none", KEY)
        assert caught.value.__context__ is own


def test_a_proxy_whose_first_address_refuses(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch asks the proxy for a tunnel also where only its second address answers."""
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


def test_stopping_cuts_no_connection_that_went_back() -> None:
    """While a batch is being stopped, no worker can hand its connection back for others to use."""
    batch = Cancellation()
    waited: list[bool] = []

    class Connection:
        @property
        def sock(self) -> None:
            worker = threading.Thread(target=batch.untrack)
            worker.start()
            worker.join(0.05)
            waited.append(worker.is_alive())

    batch.track(Connection())
    batch.stop()
    assert waited == [True]


def test_a_path_that_speaks_of_certificates() -> None:
    """Only what the error itself says of a certificate counts, not the words of a path."""
    text = "Max retries exceeded with url: /certificate (Caused by SSLEOFError())"
    assert outcome_of(requests.exceptions.SSLError(text)) is Outcome.UNKNOWN
