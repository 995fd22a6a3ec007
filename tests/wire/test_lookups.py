"""Slow name look-ups: the connect timeout, Ctrl-C and the end of a batch end them."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any, Iterator, List

import pytest

from PermutiveAPI import BatchRequest, PermutiveConnectionError, PermutiveTimeoutError, stream_batch
from PermutiveAPI._Utils import http
from tests.support.calls import ALL_CALLS, KEY, WireCall, at_once
from tests.support.fake_service import FakeService
from tests.support.platforms import needs_posix
from tests.support.scripts import start_script
from tests.support.threads import workers_left

URL = "https://api.permutive.app/v9/things"
# A second, and the time to end a process on a busy machine.
LIMIT_SECONDS = 2.0


@pytest.fixture(autouse=True)
def named_server(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the server a name, since an address is not looked up."""
    url = server.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", url)


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[str]]:
    """A resolver that blocks until the test ends, and the names that it was asked for."""
    asked: List[str] = []
    ended = threading.Event()

    def getaddrinfo(host: str, *_: Any) -> Any:
        asked.append(host)
        ended.wait(30)
        raise socket.gaierror("nobody waits for this")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    ended.set()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make connect timeouts short."""
    monkeypatch.setenv("PERMUTIVE_TIMEOUT_SECONDS", "0.1")
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.1")


def test_connect_timeout(server: FakeService, slow_names: List[str], quick: None) -> None:
    """The connect timeout bounds the look-up. Nothing was sent, so that every call is repeated."""
    for call, error in at_once(WireCall.error).items():
        assert isinstance(error, PermutiveTimeoutError), call
        assert "Request failed after 3 attempts: " in str(error), call
        assert "The look-up of localhost took longer than 0.1 s." in str(error), call
        assert "outcome is unknown" not in str(error), call
    assert slow_names == ["localhost"] * 3 * len(ALL_CALLS) and server.received == []


def test_bound_of_the_attempt(
    server: FakeService, slow_names: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of the whole attempt ends a look-up, too, and the error names it."""
    monkeypatch.setenv("PERMUTIVE_ATTEMPT_SECONDS", "0.1")
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    with pytest.raises(PermutiveTimeoutError, match="PERMUTIVE_ATTEMPT_SECONDS"):
        http.request("GET", KEY, URL, timeout=(0.1, 0.01))


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), OSError("broken")])
def test_failed_look_up(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    """The error has the resolver's text, in single calls and batches."""

    def getaddrinfo(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(PermutiveConnectionError, match=error.args[-1]):
        http.post(KEY, URL, {})
    [result] = stream_batch([BatchRequest("POST", URL)], api_key=KEY)
    assert isinstance(result.error, PermutiveConnectionError)
    assert error.args[-1] in str(result.error)
    assert "outcome is unknown" not in str(result.error)


def test_look_up_in_the_callers_context(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up has the context of the call."""
    where: ContextVar[str] = ContextVar("where", default="elsewhere")
    found: List[str] = []
    real = socket.getaddrinfo

    def getaddrinfo(*arguments: Any) -> Any:
        found.append(where.get())
        return real(*arguments)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    where.set("here")
    http.get(KEY, URL)
    assert found == ["here"]


def test_look_up_where_no_thread_can_start(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If no thread can be started, for instance at exit, the call still works."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        # The server's own threads start with its first connection.
        real = threading.Thread.start
        patch.setattr(
            threading.Thread,
            "start",
            lambda self: (start if self.name == "look-up" else real)(self),
        )
        assert http.get(KEY, URL).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_address_instead_of_a_name(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """No thread is started for an address."""
    threads: List[str] = []
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))

    def getaddrinfo(*_: Any) -> Any:
        threads.append(threading.current_thread().name)
        return [address]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", f"http://{host}:1")
    with pytest.raises(PermutiveConnectionError):
        http.get(KEY, URL)
    assert {*threads} == {"MainThread"}


def test_leaving_a_stream_during_a_look_up(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that is left during a look-up ends at once."""
    real, asked, ended = socket.getaddrinfo, threading.Event(), threading.Event()

    def getaddrinfo(host: str, *arguments: Any) -> Any:
        if host == "slow.invalid":
            asked.set()
            ended.wait(30)
        return real(host, *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    batch = [BatchRequest("GET", URL), BatchRequest("GET", "http://slow.invalid/")]
    stream = stream_batch(batch, api_key=KEY, max_workers=2)
    assert next(stream).error is None
    assert asked.wait(5)
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < LIMIT_SECONDS
    assert not workers_left()
    ended.set()


SCRIPT = """
import json, os, signal, socket, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from PermutiveAPI import *
from PermutiveAPI._Utils import http

def getaddrinfo(*_):
    os.write(1, b"asked\\n")  # In one piece, whichever other thread writes, too.
    threading.Event().wait(30)

socket.getaddrinfo = getaddrinfo
batch = [BatchRequest("POST", "https://api.permutive.app/v9/things")] * 40
calls = {
    "single": lambda: Cohort.list(api_key="key-0001"),
    "batch": lambda: http.process_batch(batch, api_key="key-0001", max_workers=4),
    "stream": lambda: list(stream_batch(iter(batch), api_key="key-0001", max_workers=4)),
}
try:
    calls[sys.argv[1]]()
except KeyboardInterrupt:
    left = {thread.name for thread in threading.enumerate()} - {"PermutiveAPI look-up"}
    print(json.dumps(sorted(left)), flush=True)
    sys.exit(7)
"""


@needs_posix
@pytest.mark.parametrize("call", ["single", "batch", "stream"])
def test_ctrl_c(server: FakeService, call: str) -> None:
    """Ctrl-C during a look-up ends the process within a second; only the thread of the look-up is left."""
    child = start_script(SCRIPT, call)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "asked\n"
        server.stopping.wait(0.05)
        began = time.monotonic()
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate(timeout=20)
        assert time.monotonic() - began < LIMIT_SECONDS
    finally:
        child.kill()
        child.communicate(timeout=20)
    assert (child.returncode, errors) == (7, "")
    assert json.loads(output.splitlines()[-1]) == ["MainThread"]
    assert server.received == []
