"""The bounds of one attempt: its time, the number of interim responses, and the size of the response.

test_fault_matrix.py proves that they hold for every call, also in batches and streams.
"""

from __future__ import annotations

import gzip
import math
import socket
import time
import tracemalloc
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List

import numpy
import pytest
import trustme

from PermutiveAPI import (
    BatchRequest,
    PermutiveAPIError,
    PermutiveConnectionError,
    PermutiveInvalidResponseError,
    PermutiveTimeoutError,
    options,
    stream_batch,
)
from PermutiveAPI._Utils import http
from tests.support.calls import KEY
from tests.support.certificates import context_for
from tests.support.fake_service import (
    Connection,
    FakeService,
    Step,
    after,
    answer,
    chunked,
    cut_in_headers,
    drip_body,
    drip_headers,
    gzip_bomb,
    interim,
    stall,
    truncate,
)
from tests.support.secrets import arguments_in_frames, assert_no_secret

URL = "https://api.permutive.app/v9/things"
BOUND_SECONDS = 0.3
DRIP_SECONDS = 0.02
# Long enough for a busy machine. An unbounded attempt takes the five seconds of the timeout, or for ever.
SOON_SECONDS = 4.0
LARGER_THAN_BUFFERS = 20_000_000
UNKNOWN = "outcome is unknown"


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow only one attempt, with a timeout that does not end it."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "1")
    for name in ("TIMEOUT_SECONDS", "BATCH_TIMEOUT_SECONDS"):
        monkeypatch.setenv(f"PERMUTIVE_{name}", str(SOON_SECONDS + 1))


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a short attempt, with shorter timeouts, since a longer timeout would give it more time."""
    monkeypatch.setenv("PERMUTIVE_ATTEMPT_SECONDS", str(BOUND_SECONDS))
    for name in ("TIMEOUT_SECONDS", "BATCH_TIMEOUT_SECONDS"):
        monkeypatch.setenv(f"PERMUTIVE_{name}", str(BOUND_SECONDS * 0.9))


@pytest.fixture
def long_enough_to_connect(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow enough time to connect, and to send a large request, on a busy machine."""
    monkeypatch.setenv("PERMUTIVE_ATTEMPT_SECONDS", "0.8")


@pytest.fixture
def one_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow responses of up to a megabyte."""
    monkeypatch.setenv("PERMUTIVE_MAX_RESPONSE_MB", "1")


@pytest.fixture(params=["http", "https"])
def any_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[FakeService]:
    """A server with and without TLS."""
    context = None
    if request.param == "https":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        context = context_for(authority.issue_cert("127.0.0.1"))
    with FakeService(context) as running:
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", running.url)
        yield running


def by_single_call() -> PermutiveAPIError:
    """Return the error of a single call."""
    with pytest.raises(PermutiveAPIError) as caught:
        http.get(KEY, URL)
    return caught.value


# --- A response that is cut inside its headers -----------------------------------------------------

CUTS = {
    "status line": b"HTTP/1.1 200",
    "after the status line": b"HTTP/1.1 200 OK\r\n",
    "name": b"HTTP/1.1 200 OK\r\nContent-Le",
    "value": b"HTTP/1.1 200 OK\r\nContent-Length: 2",
    "before the blank line": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
    "no body to come": b"HTTP/1.1 204 No Content\r\nX-A: b\r\n",
    "after an announcement": b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nX",
    "in an announcement": b"HTTP/1.1 103 Early Hints\r\nLink: <",
}


def test_cut_in_the_headers(any_server: FakeService) -> None:
    """A response that is cut anywhere in its headers is a failed attempt, with and without TLS."""
    for place, kept in CUTS.items():
        any_server.received.clear()
        any_server.default = cut_in_headers(kept)
        assert type(by_single_call()) is PermutiveConnectionError, place
        assert len(any_server.received) == 1, place


def test_what_was_cut_is_not_recorded(server: FakeService, tmp_path: Path) -> None:
    """A journal holds no answer that was cut: the job, started again, sends the request again."""
    journal = tmp_path / "job.journal"
    batch = [BatchRequest("DELETE", URL)]
    for fault in (cut_in_headers(), truncate()):
        server.script = [fault]
        [result] = stream_batch(batch, api_key=KEY, journal=journal)
        assert isinstance(result.error, PermutiveConnectionError)
    assert len(list(stream_batch(batch, api_key=KEY, journal=journal))) == 1
    assert list(stream_batch(batch, api_key=KEY, journal=journal)) == []
    assert len(server.received) == 3


def test_whole_headers_at_the_end_of_the_stream(server: FakeService) -> None:
    """A response that ends with its connection is whole if its headers are whole."""
    server.default = cut_in_headers(b"HTTP/1.1 200 OK\r\n\r\n")
    assert http.get(KEY, URL).content == b""
    server.default = cut_in_headers(b"HTTP/1.1 200 OK\n\n{}")
    assert http.get(KEY, URL).json() == {}


# --- The time of an attempt ------------------------------------------------------------------------

SLOW: Dict[str, Step] = {
    "headers": drip_headers(DRIP_SECONDS),
    "body": drip_body(DRIP_SECONDS),
    "fast body": drip_body(0.0002),  # No wait for a byte is too long.
}


@pytest.mark.parametrize("fault", SLOW.values(), ids=SLOW)
def test_byte_by_byte(any_server: FakeService, short: None, fault: Step) -> None:
    """A response that comes byte by byte ends with a time-out, and the error says why."""
    any_server.default = fault
    began = time.monotonic()
    error = by_single_call()
    assert BOUND_SECONDS <= time.monotonic() - began < SOON_SECONDS
    assert isinstance(error, PermutiveTimeoutError)
    assert f"took longer than {BOUND_SECONDS} s" in str(error)
    assert "PERMUTIVE_ATTEMPT_SECONDS" in str(error)
    # The connection cannot be used again.
    any_server.default = answer(200, {})
    http.get(KEY, URL)
    assert any_server.received[-1].connection == 2


def test_byte_by_byte_in_the_handshake(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS handshake that comes byte by byte ends, too."""
    with FakeService() as server:
        server.drips_on_accept = DRIP_SECONDS
        url = server.url.replace("http:", "https:")
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", url)
        began = time.monotonic()
        assert isinstance(by_single_call(), PermutiveTimeoutError)
        assert time.monotonic() - began < SOON_SECONDS


@pytest.mark.parametrize(
    ("fault", "timeout"),
    [(drip_headers(DRIP_SECONDS), 0.2), (stall(), 0.1), (stall(), (0.1, 600.0))],
    ids=["byte by byte", "no answer", "no answer, and a long read timeout"],
)
def test_slow_proxy(
    server: FakeService, short: None, monkeypatch: pytest.MonkeyPatch, fault: Step, timeout: Any
) -> None:
    """If a proxy is slow to open a tunnel, the attempt ends, or else the connect timeout ends it earlier. Nothing was sent."""
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "https://service.example")
    server.default = fault
    began = time.monotonic()
    with pytest.raises(PermutiveTimeoutError) as caught:
        http.request("POST", KEY, URL, timeout=timeout)
    assert UNKNOWN not in str(caught.value)
    assert time.monotonic() - began < SOON_SECONDS
    assert [seen.method for seen in server.received] == ["CONNECT"]


def test_request_that_is_not_taken(any_server: FakeService, long_enough_to_connect: None) -> None:
    """If the service stops reading, the attempt ends, even in the middle of a request."""

    def answer_and_stop_reading(connection: Connection) -> bool:
        answer(200, {})(connection)
        connection.server.stopping.wait(30)
        return False

    any_server.script = [answer_and_stop_reading]
    http.get(KEY, URL)
    with pytest.raises(PermutiveTimeoutError, match=UNKNOWN):
        http.post(KEY, URL, "x" * LARGER_THAN_BUFFERS)
    assert (any_server.connections, len(any_server.received)) == (1, 1)


def test_request_that_nobody_takes(
    long_enough_to_connect: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If nobody accepts the connection, the attempt ends."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("PERMUTIVE_API_BASE_URL", url)
        with pytest.raises(PermutiveTimeoutError, match=UNKNOWN):
            http.post(KEY, URL, "x" * LARGER_THAN_BUFFERS)


def slow_body(length: int) -> Step:
    """Send a body byte by byte."""

    def step(connection: Connection) -> bool:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        for _ in range(length):
            connection.server.stopping.wait(DRIP_SECONDS)
            connection.send(b"1")
        return True

    return step


@pytest.mark.parametrize("timeout", [1.2, (0.25, 1.2), (1.2, 0.25), None, (0.25, None)])
def test_longer_timeout(server: FakeService, short: None, timeout: Any) -> None:
    """A longer timeout gives the whole attempt that time, and None lifts the bound."""
    server.default = slow_body(20)
    assert http.request("GET", KEY, URL, timeout=timeout).content == b"1" * 20


@pytest.mark.parametrize("timeout", [numpy.int64(1), numpy.float32(1), (numpy.float32(1), 1)])
def test_a_timeout_of_numpy(server: FakeService, short: None, timeout: Any) -> None:
    """A number of NumPy is a number: the attempt ends by it, whether it is an argument or an option."""
    server.default = slow_body(100)
    with pytest.raises(PermutiveTimeoutError, match="took longer than 1 s"):
        http.request("GET", KEY, URL, timeout=timeout)
    with options(timeout=timeout), pytest.raises(PermutiveTimeoutError, match="took longer than 1"):
        http.request("GET", KEY, URL)


@pytest.mark.parametrize("timeout", [math.nan, (3, math.nan), math.inf, 1e12], ids=str)
def test_a_timeout_that_no_socket_takes(server: FakeService, timeout: Any) -> None:
    """NaN, infinity and centuries are a ValueError before anything is sent, also over a kept connection."""
    http.post(KEY, URL, {})
    server.received.clear()
    with pytest.raises(ValueError, match="^timeout must be at most 1e"):
        http.request("POST", KEY, URL, timeout=timeout)
    batch = [BatchRequest("POST", URL, timeout=timeout)]
    [(_, error)] = http.process_batch(batch, api_key=KEY, max_workers=1)[1]
    assert isinstance(error, ValueError)
    assert server.received == []


def test_no_bound_with_a_timeout_of_none(server: FakeService, short: None) -> None:
    """With a timeout of None, the socket has no timeout either."""

    def slow(connection: Connection) -> bool:
        connection.server.stopping.wait(1.5 * BOUND_SECONDS)
        return answer(200, {})(connection)

    server.default = slow
    assert http.request("GET", KEY, URL, timeout=None).status_code == 200


def test_timeout_within_the_bound(server: FakeService) -> None:
    """A shorter timeout ends the wait for a byte, and the error names no bound."""
    server.default = stall()
    with pytest.raises(PermutiveTimeoutError) as caught:
        http.request("GET", KEY, URL, timeout=0.05)
    assert "read timeout=0.05" in str(caught.value)
    assert "PERMUTIVE_ATTEMPT_SECONDS" not in str(caught.value)


def test_shortened_wait_does_not_outlive_its_attempt(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a response that came just in time, the connection gets the next call's timeout."""
    monkeypatch.setenv("PERMUTIVE_ATTEMPT_SECONDS", "0.6")
    server.default = after(0.2, answer(200, {}))
    for _ in range(3):
        http.request("GET", KEY, URL, timeout=0.5)
    assert {seen.connection for seen in server.received} == {1}


# --- Interim responses -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["100 Continue", "103 Early Hints"])
def test_number_of_interim_answers(server: FakeService, status: str) -> None:
    """Twenty interim responses of any kind are skipped; one more is too many."""
    server.default = interim(10, interim(10, answer(200, {}), status))
    assert http.get(KEY, URL).status_code == 200
    assert http.get(KEY, URL).status_code == 200
    server.default = interim(11, interim(10, answer(200, {}), status))
    with pytest.raises(PermutiveTimeoutError, match=r"More than 20 interim \(1xx\) responses"):
        http.get(KEY, URL)


# --- The size of a response ------------------------------------------------------------------------

MEGABYTE = 2**20
TOO_LARGE: Dict[str, Step] = {
    "announced": answer(200, b" " * (MEGABYTE + 1)),
    "chunked": chunked(b" " * (3 * MEGABYTE)),
    "until the end of the stream": cut_in_headers(
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MEGABYTE + 1)
    ),
    "gzip": gzip_bomb(20),
}


def gzip_in_chunks(connection: Connection) -> bool:
    """Respond with a gzip body in chunks that is larger than allowed."""
    body = gzip.compress(b" " * (20 * MEGABYTE))
    connection.send(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )
    return True


TOO_LARGE["gzip in chunks"] = gzip_in_chunks


@pytest.mark.parametrize("fault", TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_large(
    server: FakeService, one_megabyte: None, monkeypatch: pytest.MonkeyPatch, fault: Step
) -> None:
    """A response that is too large is an error that names the variable; the request is not repeated."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "3")
    server.default = fault
    error = by_single_call()
    assert type(error) is PermutiveInvalidResponseError and error.status == 200
    assert str(error) == (
        "The service reported success, but its response is larger than 1 MB. "
        "Raise PERMUTIVE_MAX_RESPONSE_MB to allow more."
    )
    assert len(server.received) == 1
    assert_no_secret(error, [], KEY)
    assert "params={}, json=None" in str(arguments_in_frames(error))
    # The rest of it is not mistaken for the next response.
    server.default = answer(200, {"id": 1})
    assert http.get(KEY, URL).json() == {"id": 1}


FITTING: Dict[str, Step] = {
    "announced": answer(200, b" " * MEGABYTE),
    "chunked": chunked(b" " * MEGABYTE),
    "gzip": gzip_bomb(1),
}


@pytest.mark.parametrize("step", FITTING.values(), ids=FITTING)
def test_just_fitting(server: FakeService, one_megabyte: None, step: Step) -> None:
    """A response of exactly the largest size is whole, and its connection is used again."""
    server.default = step
    for _ in range(2):
        assert http.get(KEY, URL).content == b" " * MEGABYTE
    assert server.connections == 1


def test_memory_of_a_bomb(server: FakeService, one_megabyte: None) -> None:
    """A gzip bomb takes no more memory than the largest response and a few pieces."""
    server.default = gzip_bomb(200)
    tracemalloc.start()
    try:
        by_single_call()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # urllib3 before 2.6 decodes a whole piece of the wire at once: 64 kB become 64 MB.
    assert most < 160 * MEGABYTE


def test_nothing_of_it_is_kept(server: FakeService, one_megabyte: None) -> None:
    """The error of a response that is too large keeps only its beginning."""
    server.default = answer(200, b" " * (2 * MEGABYTE))
    error = by_single_call()
    assert error.response is not None and len(error.response.content) <= 2**16


@pytest.mark.parametrize("status", [302, 400, 503])
def test_error_answer_that_is_too_large(
    server: FakeService, one_megabyte: None, status: int
) -> None:
    """An error response of any size gives the error of its status; its beginning is kept."""
    server.default = answer(status, b"see here " + b"x " * MEGABYTE, content_type="text/plain")
    error = by_single_call()
    assert error.status == status
    assert not isinstance(error, PermutiveInvalidResponseError)
    assert "see here" in str(error) or status == 302
    assert error.response is not None and len(error.response.content) <= 2**16


def test_error_answer_that_is_too_large_is_repeated(
    server: FakeService, one_megabyte: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a huge error response, a request is repeated as after a small one."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "3")
    server.script = [gzip_bomb(4, 503), answer(500, b" " * 2 * MEGABYTE)]
    server.default = answer(200, {"id": 1})
    assert http.get(KEY, URL).json() == {"id": 1}


def test_batch_keeps_its_bounds(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch keeps the bounds with which it began."""

    def requests() -> Iterator[BatchRequest]:
        yield BatchRequest("GET", URL)
        assert server.wait_for(lambda: server.received)
        monkeypatch.setenv("PERMUTIVE_ATTEMPT_SECONDS", "soon")
        yield BatchRequest("GET", URL)

    results = list(stream_batch(requests(), api_key=KEY, max_workers=1))
    assert [result.error for result in results] == [None, None]


@pytest.mark.parametrize("variable", ["PERMUTIVE_ATTEMPT_SECONDS", "PERMUTIVE_MAX_RESPONSE_MB"])
def test_a_wrong_bound(server: FakeService, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A bound that is not a positive finite number is an error of the whole call or batch, before anything is sent."""
    batch = [BatchRequest("GET", URL)] * 3
    calls: List[Callable[[], Any]] = [
        lambda: http.get(KEY, URL),
        lambda: http.process_batch(batch, api_key=KEY, max_workers=2),
        lambda: list(stream_batch(iter(batch), api_key=KEY)),
    ]
    for value in ("0", "-1", "inf", "nan", "soon"):
        monkeypatch.setenv(variable, value)
        for call in calls:
            with pytest.raises(ValueError, match=f"{variable} must be a positive finite .*{value}"):
                call()
    assert server.received == []
