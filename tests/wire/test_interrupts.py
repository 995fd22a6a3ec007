"""Ctrl-C: it stops within a second, sends nothing more and leaves no thread behind."""

from __future__ import annotations

import gc
import json
import signal
import socket
import ssl
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest
import trustme

from PermutiveAPI import AttemptRecord, BatchRequest, Cohort, Import, RetryConfig, options
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch import threads
from tests.support.calls import COHORTS, IMPORTS, KEY, cohort
from tests.support.fake_service import (
    Connection,
    FakeService,
    Step,
    answer,
    answer_from,
    stall,
    stall_in_body,
)
from tests.support.platforms import needs_fork, needs_posix
from tests.support.scripts import run_script, start_script
from tests.support.threads import workers_left

URL = "https://api.permutive.app/v9/things"
WORKERS = 4
# A second, and the time to end a process on a busy machine.
LIMIT_SECONDS = 2.0

SCRIPT = """
import itertools, json, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from PermutiveAPI import *
from PermutiveAPI._Utils import http

def blocked():
    yield from batch[:2]
    threading.Event().wait(30)
    yield from batch

batch = [BatchRequest("POST", "https://api.permutive.app/v9/things") for _ in range(40)]
calls = {
    "batch": lambda: http.process_batch(batch, api_key="key-0001", max_workers=4),
    "models": lambda: Cohort.batch_create(
        [Cohort("n", query={"a": 1})] * 40, api_key="key-0001", max_workers=4
    ),
    "single": lambda: Cohort.list(api_key="key-0001"),
    "details": lambda: Import.list(api_key="key-0001", include_details=True),
    "stream": lambda: list(stream_batch(iter(batch), api_key="key-0001", max_workers=4)),
    "blocked": lambda: list(stream_batch(blocked(), api_key="key-0001", max_workers=4)),
    "identities": lambda: list(
        Identity.stream_identify(
            (Identity(f"u-{n}", [Alias("a", "email", 1)]) for n in itertools.count()), api_key="key-0001", max_workers=4
        )
    ),
}
print("ready", flush=True)
try:
    calls[sys.argv[1]]()
except KeyboardInterrupt:
    print(json.dumps([thread.name for thread in threading.enumerate()]), flush=True)
    sys.exit(7)
"""


@pytest.fixture(autouse=True)
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits between two attempts long."""
    monkeypatch.setenv("PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS", "100")


class Child:
    """A process that makes a call and is interrupted during it."""

    def __init__(self, call: str) -> None:
        self._process = start_script(SCRIPT, call)
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError(self._process.communicate(timeout=20)[1])

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.communicate(timeout=20)

    def interrupt(self, *readers: str) -> None:
        """Press Ctrl-C, and assert that the process ends soon and normally, with no thread left but readers."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        output, errors = self._process.communicate(timeout=20)
        took = time.monotonic() - began
        assert errors == ""
        assert self._process.returncode == 7
        assert json.loads(output) == ["MainThread", *readers]
        assert took < LIMIT_SECONDS


def imports_then(step: Step) -> Step:
    """Respond with the list of imports, and do a step for everything else."""
    items = [
        {
            "id": f"i-{number}",
            "name": "n",
            "code": "c",
            "relation": "3rd",
            "identifiers": [],
            "source": {"id": "s", "state": {}, "type": "t"},
        }
        for number in range(40)
    ]

    def either(connection: Connection) -> bool:
        assert connection.request is not None
        listing = connection.request.path == IMPORTS
        return (answer(200, {"items": items}) if listing else step)(connection)

    return either


# Not the refusal of a limit, after which the other requests would not arrive.
WAIT = answer(503)
SCENES: Dict[str, Any] = {
    "batch, no answer": ("batch", stall(), WORKERS),
    "batch, half an answer": ("batch", stall_in_body(), WORKERS),
    "batch, between attempts": ("batch", WAIT, WORKERS),
    "models, no answer": ("models", stall(), WORKERS),
    "single call, no answer": ("single", stall(), 1),
    "single call, between attempts": ("single", WAIT, 1),
    "stream, no answer": ("stream", stall(), WORKERS),
    "endless stream, no answer": ("identities", stall(), WORKERS),
    "endless stream, between attempts": ("identities", WAIT, WORKERS),
    "details, no answer": ("details", imports_then(stall()), 17),
    "details, between attempts": ("details", imports_then(WAIT), 17),
}


@needs_posix
@pytest.mark.parametrize("scene", SCENES)
def test_ctrl_c(server: FakeService, scene: str) -> None:
    """Ctrl-C while workers wait ends the call within a second; nothing more is sent and no thread is left."""
    call, server.default, arrived = SCENES[scene]
    with Child(call) as child:
        assert server.wait_for(lambda: len(server.received) == arrived)
        # Give the workers the time to get their responses, and to wait.
        server.stopping.wait(0.1)
        child.interrupt()
    assert len(server.received) == arrived


@needs_posix
@pytest.mark.parametrize("call", ["batch", "stream", "single"])
def test_ctrl_c_while_waiting_for_a_turn(server: FakeService, call: str) -> None:
    """Ctrl-C ends a call that waits as the service has asked, and the calls that wait with it."""
    server.default = answer(429, headers={"Retry-After": "100"})
    with Child(call) as child:
        assert server.wait_for(lambda: server.received)
        server.stopping.wait(0.1)
        arrived = len(server.received)
        child.interrupt()
    assert len(server.received) == arrived <= WORKERS


@needs_posix
@pytest.mark.parametrize("step", [answer(200), stall()], ids=["answers", "no answer"])
def test_ctrl_c_while_the_iterable_blocks(server: FakeService, step: Step) -> None:
    """Ctrl-C ends a stream whose iterable blocks; only the reader's thread is left."""
    server.default = step
    with Child("blocked") as child:
        assert server.wait_for(lambda: len(server.received) == 2)
        server.stopping.wait(0.1)
        child.interrupt("PermutiveAPI reader")
    assert len(server.received) == 2


@needs_posix
def test_ctrl_c_over_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int) -> None:
    """Ctrl-C ends a batch that waits for answers over TLS."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with FakeService(context) as server:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", server.url)
        server.default = stall()
        with Child("batch") as child:
            assert server.wait_for(lambda: len(server.received) == WORKERS)
            child.interrupt()
        assert len(server.received) == WORKERS


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts connections but sends nothing, not even a TLS handshake."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:
        listener.settimeout(20)
        yield listener


@contextmanager
def all_workers_connected(listener: socket.socket) -> Iterator[None]:
    """Wait until each worker has a connection, and hold the connections."""
    with ExitStack() as connections:
        for _ in range(WORKERS):
            connections.enter_context(listener.accept()[0])
        yield


@needs_posix
def test_ctrl_c_in_the_handshake(monkeypatch: pytest.MonkeyPatch, silent: socket.socket) -> None:
    """Ctrl-C ends a batch whose workers wait for a TLS handshake."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", f"https://127.0.0.1:{silent.getsockname()[1]}")
    with Child("batch") as child, all_workers_connected(silent):
        child.interrupt()


@needs_posix
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_ctrl_c_in_front_of_a_socks_proxy(
    monkeypatch: pytest.MonkeyPatch, silent: socket.socket, scheme: str
) -> None:
    """Ctrl-C ends a batch whose workers wait for a SOCKS proxy; only the threads that connect are left."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", f"{scheme}://service.example")
    monkeypatch.setenv(f"{scheme}_proxy", f"socks5h://127.0.0.1:{silent.getsockname()[1]}")
    with Child("batch") as child, all_workers_connected(silent):
        child.interrupt(*["PermutiveAPI look-up"] * WORKERS)


@needs_posix
def test_ctrl_c_while_connecting(monkeypatch: pytest.MonkeyPatch, deaf_port: int) -> None:
    """Ctrl-C ends a batch whose workers wait for a connection."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", f"http://127.0.0.1:{deaf_port}")
    with Child("batch") as child:
        time.sleep(0.2)
        child.interrupt()


# --- In the process itself -----------------------------------------------------------------------


def pressing(server: FakeService, arrived: int) -> Callable[[Any], None]:
    """Return a callback that waits for so many requests, and then presses Ctrl-C."""

    def press(value: Any) -> None:
        assert server.wait_for(lambda: len(server.received) == arrived)
        raise KeyboardInterrupt

    return press


def when_all_are_at_work(step: Step) -> Step:
    """Do a step when each worker has sent a request."""

    def later(connection: Connection) -> bool:
        seen = connection.server.received
        assert connection.server.wait_for(lambda: len(seen) >= WORKERS)
        return step(connection)

    return later


@pytest.mark.parametrize("rest", [stall(), WAIT], ids=["no answer", "between attempts"])
@pytest.mark.parametrize("where", ["progress", "callback", "error_callback"])
def test_an_interrupt_from_a_callback(server: FakeService, rest: Step, where: str) -> None:
    """A KeyboardInterrupt in a callback ends the batch."""
    refused = where == "error_callback"
    server.script = [when_all_are_at_work(answer(400 if refused else 200))]
    server.default = rest
    # One has a response, and each worker has another one under way.
    arrived = 1 + WORKERS
    interrupting = pressing(server, arrived)
    own: Any = {} if where == "progress" else {where: interrupting}
    batch = [BatchRequest("POST", URL, json={}, **own) for _ in range(40)]
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        http.process_batch(
            batch,
            api_key=KEY,
            max_workers=WORKERS,
            progress_callback=interrupting if where == "progress" else None,
        )
    assert time.monotonic() - began < LIMIT_SECONDS
    assert workers_left() == []
    server.stopping.wait(0.05)
    assert len(server.received) == arrived


def test_an_interrupt_ends_the_batches_of_on_response(server: FakeService) -> None:
    """A batch that a worker began in ``on_response`` ends with the worker's batch, and the worker does nothing more."""
    ended: list[Any] = []

    def begin_another(record: AttemptRecord) -> None:
        if record.path.endswith("/1"):
            once = RetryConfig(max_retries=1)
            inner = BatchRequest("GET", f"{URL}/inner", timeout=2 * LIMIT_SECONDS, retry=once)
            ended.append(http.process_batch([inner], api_key=KEY))

    def step(connection: Connection) -> bool:
        seen = connection.request
        return (stall() if seen and seen.path.endswith("/inner") else answer(200))(connection)

    server.default = step
    batch = [BatchRequest("GET", f"{URL}/{number}") for number in range(2)]
    began = time.monotonic()
    with options(on_response=begin_another), pytest.raises(KeyboardInterrupt):
        http.process_batch(batch, api_key=KEY, max_workers=2, progress_callback=pressing(server, 3))
    assert time.monotonic() - began < LIMIT_SECONDS
    assert (workers_left(), ended) == ([], [])


def test_a_stream_of_on_response_goes_on_elsewhere(server: FakeService) -> None:
    """A stream that a worker began in ``on_response`` may be read when the worker's batch has ended."""
    streams: list[Any] = []

    def begin_another(record: AttemptRecord) -> None:
        if record.path.endswith("/outer"):
            inner = (BatchRequest("GET", f"{URL}/{number}") for number in range(5))
            streams.append(http.stream_batch(inner, api_key=KEY, max_workers=1))
            next(streams[-1])

    with options(on_response=begin_another):
        http.process_batch([BatchRequest("GET", f"{URL}/outer")], api_key=KEY, max_workers=1)
    assert [result.error for result in streams[0]] == [None] * 4
    assert len(server.received) == 6


def test_an_interrupt_while_the_reader_starts(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KeyboardInterrupt that comes while a stream starts its thread reaches the caller."""

    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(http.stream_batch(iter([BatchRequest("POST", URL)]), api_key=KEY))
    assert server.received == []


def test_an_interrupt_before_the_threads_are_told_to_end(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KeyboardInterrupt that comes when a stream is done, but has not ended its threads, leaves none behind."""

    def interrupted(stack: ExitStack) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threads, "_SECONDS_BETWEEN_LOOKS", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(ExitStack, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            list(http.stream_batch([BatchRequest("POST", URL)], api_key=KEY))
    end = time.monotonic() + LIMIT_SECONDS
    while workers_left() and time.monotonic() < end:
        gc.collect()
        time.sleep(0.01)
    assert workers_left() == []


def test_after_an_interrupt_everything_works(server: FakeService) -> None:
    """After an interrupt, calls and batches get their own responses over new connections."""
    server.script = [answer(200)]
    server.default = stall()
    batch = [BatchRequest("POST", URL, json={}) for _ in range(10)]
    with pytest.raises(KeyboardInterrupt):
        http.process_batch(batch, api_key=KEY, max_workers=3, progress_callback=pressing(server, 4))
    server.default = answer(201, {"id": "c-1", "name": "Readers"})
    cohorts = [cohort() for _ in range(10)]
    responses, failures = Cohort.batch_create(cohorts, api_key=KEY, max_workers=3)
    assert (len(responses), failures) == (10, [])
    assert {one.id for one in cohorts} == {"c-1"}
    cohorts[0].update(KEY)
    assert server.received[-1].path == f"{COHORTS}c-1"


def test_the_first_failure_of_details_stops_the_rest(server: FakeService) -> None:
    """If one detail of a list fails, requests that have not begun are not sent, and the call does not wait for others."""

    def once() -> Iterator[Step]:
        yield answer(404)
        while True:
            yield stall()

    steps = once()
    lock = threading.Lock()

    def next_step(connection: Connection) -> bool:
        with lock:
            step = next(steps)
        return step(connection)

    server.default = imports_then(next_step)
    began = time.monotonic()
    with pytest.raises(http.PermutiveResourceNotFoundError):
        Import.list(KEY, include_details=True)
    assert time.monotonic() - began < LIMIT_SECONDS
    assert workers_left() == []
    assert len(server.received) <= 1 + 16 + 1


# --- Forks ---------------------------------------------------------------------------------------

FORK_IN_A_BATCH = """
import os, sys
from PermutiveAPI import BatchRequest
from PermutiveAPI._Utils import http

URL = "https://api.permutive.app/v9/things"
children = []

def fork(progress):
    child = os.fork()
    if child == 0:
        ok = http.get("key-0001", URL + "/child").json()["path"] == "/v9/things/child"
        os._exit(0 if ok else 1)
    children.append(child)

batch = [BatchRequest("GET", f"{URL}/{number}") for number in range(12)]
responses, errors = http.process_batch(
    batch, api_key="key-0001", max_workers=4, progress_callback=fork
)
assert [one.json()["path"] for one in responses] == [
    f"/v9/things/{number}" for number in range(12)
]
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 12
"""


@needs_fork
def test_a_fork_during_a_batch(server: FakeService) -> None:
    """Children that are forked while workers send get their own responses, and so does the batch."""
    server.default = answer_from(lambda seen: {"path": seen.path})
    done = run_script(FORK_IN_A_BATCH)
    assert done.returncode == 0, done.stderr
    assert len(server.received) == 24
