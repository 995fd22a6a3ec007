"""The fault matrix: every public call, single, batch and stream, under every fault.

Each cell holds the whole contract: the documented error, as many requests as the rules allow, no secret in
any text, no false success, and an end. All calls of a fault are made at once, each with a key of
its own, so that the server can tell them apart. Under each fault half of the calls send the key in the
query and half in a header, and each call in turns: the place is chosen when a request is written, before
any fault, by the same code for all calls. Of the rare faults, each call meets about every third one.
test_faults.py checks single faults in detail.
"""

from __future__ import annotations

import inspect
import logging
import pickle
import socket
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Callable, Dict, List, Literal, Optional, Sequence, Type

import pytest

import PermutiveAPI
from PermutiveAPI import (
    PermutiveAPIError,
    PermutiveAuthenticationError,
    PermutiveBadRequestError,
    PermutiveConflictError,
    PermutiveConnectionError,
    PermutiveInvalidResponseError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    PermutiveTimeoutError,
)
from tests.support.calls import ALL_CALLS, KEY, KEY_OF, WireCall, at_once
from tests.support.fake_service import (
    Connection,
    FakeService,
    ReceivedRequest,
    Step,
    answer,
    cut_in_headers,
    drip_body,
    drip_headers,
    endless_interim,
    gzip_bomb,
    hang_up,
    raw,
    reset,
    stall,
    stall_in_body,
    stall_in_headers,
    truncate,
)
from tests.support.secrets import assert_no_secret

ATTEMPTS = 2
# One refusal more than a call that counts them has attempts.
REFUSALS = ATTEMPTS + 1
UNKNOWN = "outcome is unknown"
PAGE = b"<html><body><h1>Bad Gateway</h1></body></html>"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CALL_OF = {key: call for call, key in KEY_OF.items()}


class Repeats(Enum):
    """When a call is tried again."""

    NEVER = "never"
    IF_HARMLESS = "where repeating it is harmless"
    ALWAYS = "whatever the verb"


@dataclass(frozen=True)
class Fault:
    """What the service does, and how a call must end.

    ``if_read`` marks a success that is an error only if the body is read; ``passes_in_batches`` marks
    refusals that end after a while, and that use up no attempt in a batch.
    """

    name: str
    step: Step
    error: Type[PermutiveAPIError]
    repeats: Repeats = Repeats.NEVER
    status: Optional[int] = None
    says: str = ""
    if_read: bool = False
    passes_in_batches: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def answered(self) -> bool:
        """Whether a whole answer comes."""
        return self.status is not None


def refused(
    name: str,
    status: int,
    error: Type[PermutiveAPIError],
    body: Any = b"",
    repeats: Repeats = Repeats.NEVER,
    says: str = "",
    **answer_options: Any,
) -> Fault:
    """Return the fault of a response with this status."""
    step = answer(status, body, **answer_options)
    return Fault(name, step, error, repeats, status, says)


def throttled(name: str, status: int, headers: Dict[str, str]) -> Fault:
    """Return the fault of a service that refuses a few requests, and then accepts them."""
    error = PermutiveRateLimitError if status == 429 else PermutiveServerError
    refusal = answer(status, {"error": {}}, headers=headers)
    return Fault(name, few_times(refusal), error, Repeats.ALWAYS, status, passes_in_batches=True)


def few_times(refusal: Step) -> Step:
    """Refuse the first requests of each key, and send documented responses to the later ones."""

    def step(connection: Connection) -> bool:
        request = connection.request
        assert request is not None
        call = CALL_OF[key_of(request)]
        arrived = len(by_call(connection.server)[call])
        answered = answer(call.status, call.answer)
        return (refusal if arrived <= REFUSALS else answered)(connection)

    return step


def silent(
    name: str, step: Step, error: Type[PermutiveAPIError] = PermutiveConnectionError, says: str = ""
) -> Fault:
    """Return the fault of a service that gets the request, and sends no whole response."""
    return Fault(name, step, error, Repeats.IF_HARMLESS, says=says)


def unreadable(
    name: str, body: Any, content_type: str = "application/json", status: int = 200
) -> Fault:
    """Return the fault of a success without the documented document."""
    step = answer(status, body, content_type=content_type)
    return Fault(name, step, PermutiveInvalidResponseError, status=status, if_read=True)


def in_turns(steps: Sequence[Step], turn: int) -> Step:
    """Do the next step for each next call. In three turns, a call meets every third step."""

    def step(connection: Connection) -> bool:
        assert connection.request is not None
        place = ALL_CALLS.index(CALL_OF[key_of(connection.request)])
        return steps[(place + turn * len(steps) // 3) % len(steps)](connection)

    return step


DENIED = {"error": {"message": "No such key."}}
# Each call meets only some of them: what notices such a fault does not know which call it is.
RARE_ENDS = [
    hang_up(),
    raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    raw(CHUNKED + b"9\r\n{}"),
    raw(CHUNKED + b"zz\r\n{}\r\n"),
    raw(CHUNKED + b"-2\r\n{}\r\n"),
    answer(200, b"junk", headers={"Content-Encoding": "gzip"}),
]
RARE_BODIES = [
    answer(200, body)
    for body in (
        b"\xff\xfe\x00\xd8\x00",
        b"1",
        b'"words"',
        b'"{\\"name\\": \\"n\\", \\"id\\": \\"i\\"}"',
        b"true",
        b"null",
        b"[[]]",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
    )
]
FAULTS: List[Fault] = [
    refused(
        "400 as JSON",
        400,
        PermutiveBadRequestError,
        {"error": {"cause": "name is empty"}},
        says="name is empty",
    ),
    refused(
        "400 as plain text",
        400,
        PermutiveBadRequestError,
        b"no such import",
        content_type="text/plain",
        says="no such import",
    ),
    refused("401", 401, PermutiveAuthenticationError, DENIED, says="No such key."),
    refused("403", 403, PermutiveAuthenticationError),
    refused("404", 404, PermutiveResourceNotFoundError),
    refused("405", 405, PermutiveAPIError),
    refused("409", 409, PermutiveConflictError),
    refused("422", 422, PermutiveAPIError, says="422"),
    refused("redirect", 302, PermutiveAPIError, headers={"Location": "/elsewhere"}),
    refused("500", 500, PermutiveServerError, repeats=Repeats.IF_HARMLESS),
    refused("502", 502, PermutiveServerError, PAGE, Repeats.IF_HARMLESS),
    refused("503", 503, PermutiveServerError, repeats=Repeats.ALWAYS),
    refused("504", 504, PermutiveServerError, repeats=Repeats.IF_HARMLESS),
    refused(
        "429 for longer than a caller waits",
        429,
        PermutiveRateLimitError,
        headers={"Retry-After": "121"},
        says="121 s",
    ),
    throttled("429", 429, {}),
    throttled("429, Retry-After of zero", 429, {"Retry-After": "0"}),
    throttled("429, Retry-After of a fraction", 429, {"Retry-After": "0.01"}),
    throttled("429, Retry-After of junk", 429, {"Retry-After": "soon"}),
    throttled(
        "429, Retry-After as a date",
        429,
        {"Date": "Tue, 01 Jul 2031 10:00:00 GMT", "Retry-After": "Tue, 01 Jul 2031 10:00:00 GMT"},
    ),
    throttled("503, Retry-After of a fraction", 503, {"Retry-After": "0.01"}),
    silent("reset before the answer", reset()),
    silent("truncated body", truncate()),
    silent("stalled before the headers", stall(), PermutiveTimeoutError),
    silent("stalled in the headers", stall_in_headers(), PermutiveTimeoutError),
    silent("stalled in the body", stall_in_body(), PermutiveTimeoutError),
    silent("cut inside the headers", cut_in_headers(), says="inside the headers"),
    silent("a byte at a time in the headers", drip_headers(0.2), PermutiveTimeoutError),
    silent("a byte at a time in the body", drip_body(0.2), PermutiveTimeoutError),
    silent("endless interim answers", endless_interim(), PermutiveTimeoutError),
    *(silent(f"a rare end, {turn}", in_turns(RARE_ENDS, turn)) for turn in (1, 2)),
    unreadable("empty 200", b""),
    unreadable("204", b"", status=204),
    unreadable("HTML page", PAGE, "text/html"),
    unreadable("invalid JSON", b'{"id": "c-1", "na'),
    unreadable("JSON of a wrong shape", [1, 2]),
    unreadable("wrong content type", b"Created", "text/plain"),
    *(
        replace(unreadable(f"a rare body, {turn}", b""), step=in_turns(RARE_BODIES, turn))
        for turn in (1, 2, 3)
    ),
    Fault(
        "gzip bomb",
        gzip_bomb(1),
        PermutiveInvalidResponseError,
        status=200,
        says="PERMUTIVE_MAX_RESPONSE_MB",
    ),
    Fault(
        "error page that is a gzip bomb",
        gzip_bomb(1, 404),
        PermutiveResourceNotFoundError,
        status=404,
    ),
]


# In each of them the key travels in another place than in the one before.
NAMES = [
    *map(str, FAULTS),
    "reset while sending",
    "no such host",
    "refused",
    "no answer to connect",
    "expired",
    "another host's",
]


def key_of(request: ReceivedRequest) -> str:
    """Return the key of a request, from its query or its header."""
    return request.headers.get("x-api-key") or request.query["k"][0]


def by_call(server: FakeService) -> Dict[WireCall, List[ReceivedRequest]]:
    """Return the requests that have arrived for each call."""
    found: Dict[WireCall, List[ReceivedRequest]] = {call: [] for call in ALL_CALLS}
    for request in list(server.received):
        found[CALL_OF[key_of(request)]].append(request)
    return found


def places(fault: str) -> Dict[WireCall, Literal["query", "header"]]:
    """Return where each call sends its key under a fault: every other one in the query."""
    first = NAMES.index(fault)
    return {
        call: "header" if (first + number) % 2 else "query" for number, call in enumerate(ALL_CALLS)
    }


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Make all time limits short, and capture every record."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", str(ATTEMPTS))
    monkeypatch.setenv("PERMUTIVE_MAX_RESPONSE_MB", "0.5")
    caplog.set_level(logging.DEBUG)


def outcomes(fault: str) -> Dict[WireCall, Optional[BaseException]]:
    """Make every call at once; return what it raised, None for a success."""
    where = places(fault)

    def outcome(call: WireCall) -> Optional[BaseException]:
        try:
            with PermutiveAPI.options(key_location=where[call]):
                call(api_key=KEY_OF[call])
        except Exception as error:
            return error
        return None

    return at_once(outcome)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_every_call_under_every_fault(
    server: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    """A call under a fault ends as the contract says, and arrives as often as the rules allow."""
    if fault.error is PermutiveTimeoutError:
        monkeypatch.setenv("PERMUTIVE_TIMEOUT_SECONDS", "0.5")
        monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.5")
        # Long enough: all calls run at once, and each must send its request within this time.
        monkeypatch.setenv("PERMUTIVE_ATTEMPT_SECONDS", "1")
    server.default = fault.step
    results = outcomes(fault.name)
    arrived = by_call(server)
    for call, error in results.items():
        requests = len(arrived[call])
        if (fault.if_read and not call.reads) or (fault.passes_in_batches and call.batch):
            assert error is None, (call, error)
            assert requests == (1 if fault.if_read else REFUSALS + 1), call
        else:
            check_error(fault, call, error)
            assert requests == attempts(fault, call), call
    check_requests(arrived, places(fault.name))
    check_texts(results, caplog, logged=not fault.answered)


def attempts(fault: Fault, call: WireCall) -> int:
    """Return how often a call under a fault is tried."""
    if fault.repeats is Repeats.IF_HARMLESS:
        return ATTEMPTS if call.harmless else 1
    return ATTEMPTS if fault.repeats is Repeats.ALWAYS else 1


def check_error(fault: Fault, call: WireCall, error: Optional[BaseException]) -> None:
    """Check the error of a call."""
    assert isinstance(error, PermutiveAPIError), (call, error)
    assert type(error) is fault.error, (call, error)
    assert error.status == fault.status, call
    assert fault.says in str(error), call
    unknown = fault.repeats is Repeats.IF_HARMLESS and not call.harmless
    assert (UNKNOWN in str(error)) is unknown, (call, error)
    if not fault.answered:
        check_gave_up(call, error, attempts(fault, call))


def check_gave_up(call: WireCall, error: PermutiveAPIError, attempts: int) -> None:
    """Check the error of a call that got no response."""
    assert str(error).startswith(f"Request failed after {attempts} attempts: "), (call, error)
    assert (error.status, error.response, error.message) == (None, None, str(error)), call
    assert error.url, call
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.url) == (type(error), str(error), error.url), call


def check_requests(
    arrived: Dict[WireCall, List[ReceivedRequest]],
    where: Dict[WireCall, Literal["query", "header"]],
) -> None:
    """Check that each repetition was the same request, with the key in its place alone."""
    for call, place in where.items():
        requests = arrived[call]
        assert len({(seen.target, seen.body) for seen in requests}) == 1
        for seen in requests:
            assert (KEY in seen.target) is (place == "query")
            assert ("x-api-key" in seen.headers) is (place == "header")


def check_texts(
    results: Dict[WireCall, Optional[BaseException]], caplog: pytest.LogCaptureFixture, logged: bool
) -> None:
    """Check that neither an error nor a log record shows a key, and that each call without an answer is logged once, without its user."""
    records = caplog.records
    told = [record.getMessage() for record in records if record.levelno >= logging.ERROR]
    texts = [str(error).replace("/users/u-1/", "/users/[REDACTED]/") for error in results.values()]
    assert sorted(told) == (sorted(texts) if logged else [])
    for error in filter(None, results.values()):
        assert_no_secret(error, records, KEY)
        records = []  # They are the same for all errors, and are checked once.


# --- A service that is not reached -----------------------------------------------------------------


def test_every_call_reset_before_it_was_read(
    server: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """If a connection is reset while the request is sent, the request may have arrived."""
    server.resets_on_accept = True
    results = outcomes("reset while sending")
    expected = {call: ATTEMPTS if call.harmless else 1 for call in ALL_CALLS}
    for call, error in results.items():
        assert type(error) is PermutiveConnectionError, (call, error)
        assert (UNKNOWN in str(error)) is not call.harmless, (call, error)
        check_gave_up(call, error, expected[call])
    assert server.wait_for(lambda: server.connections >= sum(expected.values()))
    assert server.connections == sum(expected.values())
    check_texts(results, caplog, logged=True)


def no_address(*arguments: Any) -> Any:
    """Stand in for a name server that does not know the host."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("fault", ["no such host", "refused", "no answer to connect"])
def test_every_call_without_a_connection(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, deaf_port: int, fault: str
) -> None:
    """A request that surely never arrived is repeated for every verb, and no outcome is unknown."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed_port = listener.getsockname()[1]
    origin, error_class = f"http://127.0.0.1:{closed_port}", PermutiveConnectionError
    if fault == "no such host":
        origin = "http://host.invalid"
        monkeypatch.setattr(socket, "getaddrinfo", no_address)
    if fault == "no answer to connect":
        origin, error_class = f"http://127.0.0.1:{deaf_port}", PermutiveTimeoutError
        monkeypatch.setenv("PERMUTIVE_TIMEOUT_SECONDS", "0.2")
        monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.2")
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", origin)
    results = outcomes(fault)
    for call, error in results.items():
        assert type(error) is error_class, (call, error)
        assert UNKNOWN not in str(error), call
        check_gave_up(call, error, ATTEMPTS)
    check_texts(results, caplog, logged=True)


@pytest.mark.parametrize("certificate", ["expired", "another host's"])
def test_every_call_with_an_invalid_certificate(
    secure: Callable[[str], FakeService],
    bundle: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    certificate: str,
) -> None:
    """If the certificate is invalid, no request is sent, and no call is tried again."""
    server = secure(certificate)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    results = outcomes(certificate)
    for call, error in results.items():
        assert type(error) is PermutiveConnectionError, call
        assert "certificate verify failed" in str(error).lower(), call
        assert UNKNOWN not in str(error), call
    assert server.received == []
    assert server.connections == len(ALL_CALLS)
    check_texts(results, caplog, logged=True)


# --- The table itself ------------------------------------------------------------------------------


def test_no_public_call_is_missing() -> None:
    """Every public function and method that takes a key is in the table of calls."""
    known = {name for call in ALL_CALLS for name in (call.name, call.name.split()[0])}
    known.add("Cohort.plan_from_segments")  # It sends what three calls in the table send.
    for name in PermutiveAPI.__all__:
        public = getattr(PermutiveAPI, name)
        members = dict(inspect.getmembers(public)) if inspect.isclass(public) else {}
        calls = {f"{name}.{each}": members[each] for each in members if each[0] != "_"}
        for path, call in {name: public, **calls}.items():
            if callable(call) and "api_key" in parameters_of(call):
                assert path in known or inspect.isclass(call) or call is PermutiveAPI.options, path


def parameters_of(call: Any) -> Any:
    """Return a callable's parameters; none if it has no signature."""
    try:
        return inspect.signature(call).parameters
    except (TypeError, ValueError):
        return {}
