"""``options()``: the effect of each setting, and where it holds."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import dataclasses
import inspect
import logging
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Generator, Iterator, List, Tuple

import pytest

from PermutiveAPI import (
    AttemptRecord,
    BatchRequest,
    Cohort,
    Event,
    Identity,
    PermutiveBadRequestError,
    PermutiveCredentialsError,
    PermutiveInvalidResponseError,
    PermutiveTimeoutError,
    RetryConfig,
    Segmentation,
    options,
    stream_batch,
)
from PermutiveAPI._Utils import http
from tests.support.calls import COHORT, KEY, identity
from tests.support.fake_service import FakeService, after, answer, hang_up, stall
from tests.support.mistakes import assert_raises
from tests.support.processes import process_pool
from tests.support.things import URL, things

OTHER_KEY = "0ther-key-4c1d-9d1c-aaaa"
ONCE = RetryConfig(max_retries=1)


def keys_of(server: FakeService) -> List[Any]:
    """Return the keys that arrived, in order, from the query or the header."""
    return [seen.query.get("k", [seen.headers.get("x-api-key")])[0] for seen in server.received]


@pytest.fixture
def elsewhere() -> Iterator[FakeService]:
    """A second service."""
    with FakeService() as running:
        yield running


# --- Each setting --------------------------------------------------------------------------------


def test_the_key(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the block, calls without a key use this one, whatever the environment says; afterwards they do not."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", KEY)
    server.default = answer(200, [])
    with options(api_key=OTHER_KEY):
        Cohort.list()
        Cohort.list(KEY)
    Cohort.list()
    assert keys_of(server) == [OTHER_KEY, KEY, KEY]


@pytest.mark.parametrize("key", [None, "", " "])
def test_a_key_that_is_none(key: Any) -> None:
    """An api_key of None is refused at once, since it would mean the default workspace."""
    with pytest.raises(PermutiveCredentialsError, match="api_key must not be empty"):
        with options(api_key=key):
            raise AssertionError("The block was entered.")


def time_out(call: Callable[[], object]) -> str:
    """Make a call that must time out, and return its error text."""
    with pytest.raises(PermutiveTimeoutError) as raised:
        call()
    return str(raised.value)


CALLS = {
    "get": lambda: http.get(KEY, URL),
    "request": lambda: http.request("GET", KEY, URL),
    "model": lambda: identity().identify(KEY),
    "send": lambda: Segmentation([], "u").send(KEY),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_timeout(server: FakeService, call: Callable[[], object]) -> None:
    """The timeout holds for calls without one."""
    server.default = stall()
    with options(timeout=0.05, retry=ONCE):
        assert "timeout=0.05" in time_out(call)


def test_a_timeout_of_the_call_wins(server: FakeService) -> None:
    """An argument wins over options, even if it equals the default."""
    server.default = stall()
    with options(timeout=30, retry=ONCE):
        assert "0.04" in time_out(lambda: http.request("GET", KEY, URL, timeout=0.04))
        [(_, error)] = http.process_batch(things(1, timeout=0.04), api_key=KEY)[1]
        assert isinstance(error, PermutiveTimeoutError)
    with options(timeout=0.04, retry=ONCE):
        server.default = answer(200, {})
        assert http.request("GET", KEY, URL, timeout=10.0).status_code == 200


def test_a_timeout_wins_over_the_environment(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For batches and single calls, the timeout wins over the environment, even None, which means no limit."""
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "30")
    monkeypatch.setenv("PERMUTIVE_TIMEOUT_SECONDS", "30")
    server.default = stall()
    with options(timeout=0.05, retry=ONCE):
        _, failures = http.process_batch(things(2), api_key=KEY)
        assert [type(error) for _, error in failures] == [PermutiveTimeoutError] * 2
        time_out(lambda: http.get(KEY, URL))
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.001")
    monkeypatch.setenv("PERMUTIVE_TIMEOUT_SECONDS", "0.001")
    server.default = after(0.05, answer(200, {}))
    with options(timeout=None, retry=ONCE):
        assert http.process_batch(things(2), api_key=KEY)[1] == []
        assert http.get(KEY, URL).status_code == 200


def test_two_timeouts(server: FakeService) -> None:
    """A pair has a timeout for the connection and one for the response."""
    server.default = stall()
    with options(timeout=(5, 0.05), retry=ONCE):
        assert "read timeout=0.05" in time_out(lambda: http.get(KEY, URL))


def test_a_policy(server: FakeService) -> None:
    """The policy holds for calls and requests without one."""
    server.default = answer(500)
    with options(retry=RetryConfig(max_retries=2, initial_delay=0)):
        with pytest.raises(Exception, match=r"Attempts: 2\."):
            http.get(KEY, URL)
        with pytest.raises(Exception, match=r"Attempts: 1\."):
            http.request("GET", KEY, URL, retry=ONCE)
        http.process_batch([*things(1), *things(1, retry=ONCE)], api_key=KEY)
    assert len(server.received) == 2 + 1 + 2 + 1


def test_an_origin(server: FakeService, elsewhere: FakeService) -> None:
    """The base URL replaces only Permutive's hosts."""
    with options(base_url=f" {elsewhere.url}/ "):
        http.get(KEY, URL)
        http.get(KEY, f"{server.url}/own")
    http.get(KEY, URL)
    assert [seen.path for seen in elsewhere.received] == ["/v9/things"]
    assert [seen.path for seen in server.received] == ["/own", "/v9/things"]


def test_an_origin_without_encryption(caplog: pytest.LogCaptureFixture) -> None:
    """Plain http to another machine is logged once."""
    for _ in range(2):
        with options(base_url="http://options.example"):
            pass
    assert [each.getMessage() for each in caplog.records] == [
        "base_url is plain http: keys and data travel to http://options.example unencrypted. Use https."
    ]


@pytest.mark.parametrize("elsewhere_in", ["query", "header"])
def test_the_keys_place(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, elsewhere_in: str
) -> None:
    """The key location wins over the environment."""
    inside = "header" if elsewhere_in == "query" else "query"
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", elsewhere_in)
    with options(key_location=inside):
        http.get(KEY, URL)
    http.get(KEY, URL)
    places = ["query" if "k" in seen.query else "header" for seen in server.received]
    assert places == [inside, elsewhere_in]
    assert keys_of(server) == [KEY, KEY]


SECONDS = "timeout must be a positive number of seconds, got "
KINDS = "timeout must be seconds, a pair of them, or None, got "
ORIGIN = "base_url must be an origin such as http://127.0.0.1:8080: http or https, a host and perhaps a port, without user, path or query."
WRONG: dict[str, Tuple[dict[str, Any], type[Exception], str]] = {
    "timeout of zero": ({"timeout": 0}, ValueError, f"{SECONDS}0."),
    "timeout of NaN": ({"timeout": float("nan")}, ValueError, f"{SECONDS}nan."),
    "infinite timeout": ({"timeout": float("inf")}, ValueError, f"{SECONDS}inf."),
    "negative timeout": ({"timeout": (1, -1)}, ValueError, f"{SECONDS}(1, -1)."),
    "timeout of three": (
        {"timeout": (1, 2, 3)},
        ValueError,
        "timeout must be a pair of (connect, read) seconds, got (1, 2, 3).",
    ),
    "timeout of true": ({"timeout": True}, TypeError, f"{KINDS}True."),
    "text for a timeout": ({"timeout": "5"}, TypeError, f"{KINDS}'5'."),
    "number for a policy": ({"retry": 3}, TypeError, "retry must be of type RetryConfig, got int."),
    "origin without a scheme": ({"base_url": "127.0.0.1:8080"}, ValueError, ORIGIN),
    "origin with a password": ({"base_url": "https://u:p@h"}, ValueError, ORIGIN),
    "empty origin": ({"base_url": ""}, ValueError, ORIGIN),
    "None for an origin": (
        {"base_url": None},
        TypeError,
        "base_url must be of type str, got NoneType.",
    ),
    "unknown key location": (
        {"key_location": "body"},
        ValueError,
        "key_location must be one of query, header.",
    ),
    "number for a function": (
        {"on_response": 5},
        TypeError,
        "on_response must be a plain function, got int.",
    ),
}


@pytest.mark.parametrize(("given", "kind", "text"), WRONG.values(), ids=list(WRONG))
def test_wrong_arguments(given: dict[str, Any], kind: type[Exception], text: str) -> None:
    """A wrong argument is an error before the block begins."""

    def enter() -> None:
        with options(**given):
            raise AssertionError("The block was entered.")

    assert_raises(enter, kind, text)


# --- Where the settings hold ---------------------------------------------------------------------


def test_blocks_nest(server: FakeService) -> None:
    """The inner block wins; its other settings come from the outer block, which holds again afterwards."""
    server.default = answer(200, [])
    with options(api_key=KEY, key_location="header"):
        with options(api_key=OTHER_KEY):
            Cohort.list()
        with pytest.raises(ZeroDivisionError), options(key_location="query"):
            Cohort.list()
            raise ZeroDivisionError
        Cohort.list()
    assert keys_of(server) == [OTHER_KEY, KEY, KEY]
    assert [bool(seen.query) for seen in server.received] == [False, True, False]


def test_a_decorated_function(server: FakeService) -> None:
    """options() can decorate a function."""
    server.default = answer(200, [])

    @options(api_key=OTHER_KEY)
    def job() -> None:
        Cohort.list()

    job()
    job()
    assert keys_of(server) == [OTHER_KEY] * 2


@pytest.mark.parametrize("kind", ["coroutine", "generator"])
def test_functions_that_run_later_are_not_decorated(kind: str) -> None:
    """options() refuses to decorate coroutines and generators, since the block would end before they begin."""

    async def coroutine() -> None:
        pass

    def generator() -> Iterator[None]:
        yield

    with pytest.raises(TypeError, match=f"cannot decorate .*{kind}, a coroutine or generator"):
        options(timeout=1)({"coroutine": coroutine, "generator": generator}[kind])


def test_blocks_that_end_out_of_order(server: FakeService) -> None:
    """After two generators with a block each have ended in any order, no setting of theirs is left."""
    server.default = answer(200, [])

    def held(key: str) -> Generator[None, None, None]:
        with options(api_key=key):
            Cohort.list()
            yield

    with options(api_key=KEY):
        first, second = held("first"), held("second")
        next(first)
        next(second)
        first.close()
        Cohort.list()
        second.close()
        Cohort.list()
    with pytest.raises(PermutiveCredentialsError):
        Cohort.list()
    assert keys_of(server) == ["first", "second", "second", KEY]


def test_a_block_is_used_again(server: FakeService) -> None:
    """The same object may be entered again, even inside its own block."""
    server.default = answer(200, [])
    block = options(api_key=KEY)
    with block, block:
        Cohort.list()
    with block:
        Cohort.list()
    with pytest.raises(PermutiveCredentialsError):
        Cohort.list()
    assert keys_of(server) == [KEY] * 2


def test_a_block_that_ends_in_another_context() -> None:
    """A block may end in another context."""
    block = options(api_key=KEY)
    contextvars.copy_context().run(block.__enter__)
    block.__exit__(None, None, None)


def test_nothing_of_a_block_shows_its_key() -> None:
    """Neither the attributes of a block nor the frames of a wrong call show the key."""
    assert KEY not in repr(vars(options(api_key=KEY)))
    wrong: dict[str, Any] = {"api_key": KEY, "time_out": 5}
    with pytest.raises(TypeError, match="time_out") as raised:
        options(**wrong)
    frames = [each.frame.f_locals for each in inspect.getinnerframes(raised.tb)][1:]
    assert KEY not in repr(frames)


def test_two_workspaces_in_threads(server: FakeService, elsewhere: FakeService) -> None:
    """A block holds only in its own thread."""
    both, seen_outside = threading.Barrier(3, timeout=20), []
    server.default = elsewhere.default = answer(200, [])

    def work(key: str, origin: str) -> None:
        with options(api_key=key, base_url=origin):
            both.wait()
            for _ in range(5):
                Cohort.list()
            Identity.batch_identify([identity()] * 5, max_workers=2)
            both.wait()

    def watch() -> None:
        both.wait()
        with pytest.raises(PermutiveCredentialsError):
            Cohort.list()
        seen_outside.append(True)
        both.wait()

    with ThreadPoolExecutor(3) as threads:
        jobs = [
            threads.submit(work, KEY, server.url),
            threads.submit(work, OTHER_KEY, elsewhere.url),
            threads.submit(watch),
        ]
    assert [job.exception() for job in jobs] == [None] * 3
    assert seen_outside == [True]
    assert keys_of(server) == [KEY] * 10
    assert keys_of(elsewhere) == [OTHER_KEY] * 10


def test_tasks(server: FakeService) -> None:
    """Two tasks of asyncio have their own settings, also in asyncio.to_thread."""
    server.default = answer(200, [])

    async def work(key: str) -> None:
        with options(api_key=key):
            for _ in range(3):
                await asyncio.to_thread(Cohort.list)

    async def main() -> None:
        await asyncio.gather(work(KEY), work(OTHER_KEY))

    asyncio.run(main())
    assert sorted(keys_of(server)) == sorted([KEY] * 3 + [OTHER_KEY] * 3)


def test_a_stream_that_is_read_outside(server: FakeService, elsewhere: FakeService) -> None:
    """A stream keeps the settings with which it began: key, origin, place, timeout and policy."""
    elsewhere.script = [answer(500), answer(200, {})]
    with options(
        api_key=KEY,
        base_url=elsewhere.url,
        key_location="header",
        retry=RetryConfig(max_retries=2, initial_delay=0),
    ):
        stream = stream_batch(things(3), max_workers=1)
    with options(api_key=OTHER_KEY, key_location="query", retry=ONCE):
        results = list(stream)
    assert [result.error for result in results] == [None] * 3
    assert server.received == []
    assert [seen.headers["x-api-key"] for seen in elsewhere.received] == [KEY] * 4
    assert [seen.query for seen in elsewhere.received] == [{}] * 4


def test_a_stream_that_began_before(server: FakeService) -> None:
    """A stream that began before a block does not use its settings."""
    stream = stream_batch(things(3), api_key=KEY)
    with options(api_key=OTHER_KEY, key_location="header"):
        assert len(list(stream)) == 3
    assert keys_of(server) == [KEY] * 3
    assert all(seen.query for seen in server.received)


def test_a_batch_reads_the_environment_when_it_is_called(
    server: FakeService, elsewhere: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes of the environment between the call of a batch and its first result have no effect."""
    stream = stream_batch(things(2), api_key=KEY)
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", elsewhere.url)
    monkeypatch.setenv("PERMUTIVE_API_KEY_LOCATION", "nonsense")
    assert [result.error for result in stream] == [None] * 2
    assert (len(server.received), len(elsewhere.received)) == (2, 0)


WRONG_VARIABLES = {
    "origin": ("PERMUTIVE_API_BASE_URL", "nonsense"),
    "place": ("PERMUTIVE_API_KEY_LOCATION", "nonsense"),
    "seconds": ("PERMUTIVE_ATTEMPT_SECONDS", "0"),
    "size": ("PERMUTIVE_MAX_RESPONSE_MB", "-1"),
    "attempts": ("PERMUTIVE_RETRY_MAX_RETRIES", "0.5"),
}


@pytest.mark.parametrize(("name", "value"), WRONG_VARIABLES.values(), ids=WRONG_VARIABLES)
def test_a_batch_raises_for_a_wrong_variable_when_it_is_called(
    server: FakeService, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A wrong variable is an error of the call, before the iterable is read or anything is sent."""
    monkeypatch.setenv(name, value)

    def requests() -> Iterator[BatchRequest]:
        raise AssertionError("The iterable was read.")
        yield

    with pytest.raises(ValueError, match=name):
        stream_batch(requests(), api_key=KEY)
    assert server.received == []


def test_a_policy_that_no_request_needs(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If all requests have their own policy, the variables of the policy are not read."""
    monkeypatch.setenv("PERMUTIVE_RETRY_MAX_RETRIES", "0.5")
    assert http.process_batch(things(2, retry=ONCE), api_key=KEY)[1] == []
    with pytest.raises(ValueError, match="PERMUTIVE_RETRY_MAX_RETRIES"):
        http.process_batch([*things(1, retry=ONCE), *things(1)], api_key=KEY)
    assert len(server.received) == 2


def test_a_batch_reads_the_file_when_it_is_called(server: FakeService, tmp_path: Path) -> None:
    """A later change of the timeouts in ``.env`` has no effect; a wrong value is an error of the call."""
    server.default = after(0.05, answer(200, {}))
    requests = things(2)
    stream = stream_batch(requests, api_key=KEY)
    (tmp_path / ".env").write_text("PERMUTIVE_BATCH_TIMEOUT_SECONDS=0.001")
    assert [result.error for result in stream] == [None] * 2
    (tmp_path / ".env").write_text("PERMUTIVE_BATCH_TIMEOUT_SECONDS=soon")
    with pytest.raises(ValueError, match="PERMUTIVE_BATCH_TIMEOUT_SECONDS"):
        stream_batch(requests, api_key=KEY)


def test_an_iterable_with_options_of_its_own(server: FakeService) -> None:
    """The iterable of the requests may call the service with its own settings."""
    server.default = answer(200, [])

    def requests() -> Iterator[BatchRequest]:
        for request in things(3):
            with options(api_key=OTHER_KEY):
                Cohort.list()
            yield request

    with options(api_key=KEY):
        results = list(stream_batch(requests()))
    assert len(results) == 3
    assert sorted(keys_of(server)) == sorted([KEY] * 3 + [OTHER_KEY] * 3)


def test_options_inside_a_worker(server: FakeService, elsewhere: FakeService) -> None:
    """A block inside a worker's call wins over the batch's settings."""
    server.default = elsewhere.default = answer(200, COHORT)
    fetch = Cohort.get_by_id

    def fetch_elsewhere(id: str, api_key: str) -> Cohort:
        with options(base_url=elsewhere.url):
            return fetch(id, api_key)

    server.script = [answer(200, [{**COHORT, "id": str(number)} for number in range(3)])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cohort, "get_by_id", staticmethod(fetch_elsewhere))
        Cohort.list(KEY, include_details=True)
    assert (len(server.received), len(elsewhere.received)) == (1, 3)


def test_details_of_a_list(server: FakeService) -> None:
    """The details of a list are fetched with the settings of the block."""
    server.default = answer(200, COHORT)
    server.script = [answer(200, [COHORT, COHORT])]
    with options(api_key=OTHER_KEY, key_location="header"):
        Cohort.list(include_details=True)
    assert [seen.headers["x-api-key"] for seen in server.received] == [OTHER_KEY] * 3


def test_a_copied_context(server: FakeService) -> None:
    """A user's own thread has the options if it runs in a copy of the context."""
    server.default = answer(200, [])
    with options(api_key=OTHER_KEY):
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(Cohort.list,))
    thread.start()
    thread.join()
    assert keys_of(server) == [OTHER_KEY]


# --- on_response ---------------------------------------------------------------------------------


def test_records(server: FakeService) -> None:
    """on_response gets one record for each attempt, in the thread that sent it."""
    server.script = [
        answer(429, {"request_id": "r-1"}, headers={"Retry-After": "0.01"}),
        hang_up(),
        answer(200, {**COHORT, "request_id": "r-3"}),
    ]
    records: List[Tuple[AttemptRecord, threading.Thread]] = []

    def note(record: AttemptRecord) -> None:
        records.append((record, threading.current_thread()))

    with options(retry=RetryConfig(max_retries=3, initial_delay=0.001), on_response=note):
        Cohort.get_by_id("c-1", KEY)
    assert {thread for _, thread in records} == {threading.main_thread()}
    told = [record for record, _ in records]
    assert [
        (each.method, each.path, each.status, each.attempt, each.request_id) for each in told
    ] == [
        ("GET", "/cohorts-api/v2/cohorts/c-1", 429, 1, "r-1"),
        ("GET", "/cohorts-api/v2/cohorts/c-1", None, 2, None),
        ("GET", "/cohorts-api/v2/cohorts/c-1", 200, 3, "r-3"),
    ]
    assert [each.wait_seconds for each in told][::2] == [0.01, None]
    assert 0.001 <= (told[1].wait_seconds or 0) < 0.1
    assert all(0 < each.seconds < 5 for each in told)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(told[0], "status", 200)
    assert pickle.loads(pickle.dumps(told[0])) == told[0]


def test_the_last_attempt_has_a_record_too(server: FakeService) -> None:
    """There is a record of the last attempt, even if it ends in an error or its body is too large."""
    records: List[AttemptRecord] = []
    server.script = [answer(400, {"error": {"cause": "no"}})]
    with options(on_response=records.append):
        with pytest.raises(PermutiveBadRequestError):
            http.get(KEY, URL)
        server.default = answer(200, b" " * 3000)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PERMUTIVE_MAX_RESPONSE_MB", "0.001")
            with pytest.raises(PermutiveInvalidResponseError):
                http.get(KEY, URL)
    assert [(each.status, each.wait_seconds) for each in records] == [(400, None), (200, None)]


def test_records_hold_no_secret(server: FakeService) -> None:
    """A record contains no key, no query and no user id."""
    records: List[AttemptRecord] = []
    server.default = answer(200, [])
    with options(on_response=records.append):
        Identity.list_aliases("mathilde-7", KEY)
        http.get(KEY, f"{URL}?token=s3cret", params={"email": "a@b.c"})
    shown = repr(records)
    assert [record.path for record in records][1] == "/v9/things"
    for secret in (KEY, "mathilde-7", "s3cret", "a@b.c"):
        assert secret not in shown


def test_a_long_body_is_not_read_twice(server: FakeService) -> None:
    """A long body is not searched for a request id."""
    records: List[AttemptRecord] = []
    server.default = answer(200, {"request_id": "r-1", "rest": "x" * 70_000})
    with options(on_response=records.append):
        http.get(KEY, URL)
    assert records[0].request_id is None


def test_a_hook_that_raises(server: FakeService, caplog: pytest.LogCaptureFixture) -> None:
    """If the hook raises an error, the error is logged without the key, and the call continues."""

    def hook(record: AttemptRecord) -> None:
        raise RuntimeError(f"cannot tell {KEY}")

    with options(on_response=hook):
        assert http.get(KEY, URL).status_code == 200
    [logged] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert logged.getMessage().startswith("on_response raised an exception:\n")
    assert "cannot tell" in logged.getMessage()
    assert KEY not in logged.getMessage()


def test_records_of_a_batch(server: FakeService) -> None:
    """In a batch, the hook is called in the workers' threads."""
    records: List[Tuple[AttemptRecord, int]] = []
    with options(on_response=lambda each: records.append((each, threading.get_ident()))):
        stream = stream_batch(things(6), api_key=KEY, max_workers=2)
    assert len(list(stream)) == 6
    assert sorted(each.path for each, _ in records) == [f"/v9/things/{n}" for n in range(6)]
    assert threading.get_ident() not in {thread for _, thread in records}


def test_a_hook_that_closes_its_stream(server: FakeService) -> None:
    """If the hook closes its stream, the stream ends without a deadlock."""
    streams: List[Any] = []
    with options(on_response=lambda record: streams[0].close()):
        streams.append(stream_batch(things(50), api_key=KEY, max_workers=2))
    assert len(list(streams[0])) < 50
    assert len(server.received) <= 4


def test_a_hook_that_calls_the_service(server: FakeService) -> None:
    """The hook is not called for its own calls, so that it does not call itself endlessly."""
    records: List[AttemptRecord] = []

    def hook(record: AttemptRecord) -> None:
        records.append(record)
        http.get(KEY, f"{URL}/inside")

    with options(on_response=hook):
        http.get(KEY, URL)
        http.get(KEY, URL)
    assert [record.path for record in records] == ["/v9/things"] * 2
    assert len(server.received) == 4


def test_a_postponed_request(server: FakeService) -> None:
    """The record of a refusal that uses up no attempt has the number of the next attempt."""
    server.script = [answer(429, headers={"Retry-After": "0.05"}), answer(200)]
    records: List[AttemptRecord] = []
    with options(on_response=records.append):
        assert http.process_batch(things(1), api_key=KEY)[1] == []
    assert [(each.status, each.attempt, each.wait_seconds) for each in records] == [
        (429, 1, 0.05),
        (200, 1, None),
    ]


# --- Other processes -----------------------------------------------------------------------------


def test_other_processes(
    server: FakeService, elsewhere: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other processes use the caller's settings; their records are reported in the caller's thread."""
    records: List[Tuple[AttemptRecord, int]] = []
    elsewhere.script = [answer(500, {"request_id": "r-1"})]
    elsewhere.default = after(0.06, answer(200, {}))
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.03")

    def note(record: AttemptRecord) -> None:
        records.append((record, threading.get_ident()))

    with process_pool(1) as pool:
        pool.submit(int).result()  # The process starts before the options are set.
        with options(
            api_key=OTHER_KEY,
            base_url=elsewhere.url,
            key_location="header",
            timeout=20,
            retry=RetryConfig(max_retries=2, initial_delay=0),
            on_response=note,
        ):
            stream = stream_batch(things(2), executor=pool, max_workers=1)
        results = list(stream)
    assert [result.error for result in results] == [None] * 2
    assert server.received == []
    assert [seen.headers["x-api-key"] for seen in elsewhere.received] == [OTHER_KEY] * 3
    assert [(each.status, each.attempt, each.request_id) for each, _ in records] == [
        (500, 1, "r-1"),
        (200, 2, None),
        (200, 1, None),
    ]
    assert {thread for _, thread in records} == {threading.get_ident()}


def test_other_processes_without_a_hook(server: FakeService) -> None:
    """The policy and the constants of the caller's process hold in other processes."""
    server.script = [answer(500)] * 4
    with process_pool(1) as pool:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(http, "MAX_RETRIES", 5)
            [result] = stream_batch(things(1), api_key=KEY, executor=pool)
    assert result.error is None
    assert len(server.received) == 5


def test_other_processes_have_proxies_of_their_own(server: FakeService) -> None:
    """Each process uses the proxies of its own environment, also if they change between two batches."""
    batch = [BatchRequest("GET", f"{server.url}/own")]
    with process_pool(1) as pool:
        for _ in range(2):
            [result] = stream_batch(batch, api_key=KEY, executor=pool)
            assert result.error is None
            pool.submit(_set_proxy, server.url).result()
    assert [seen.target.startswith("http://") for seen in server.received] == [False, True]


def _set_proxy(url: str) -> None:
    os.environ["http_proxy"] = url


def test_events_keep_their_timeout(server: FakeService) -> None:
    """In a batch of models without a timeout, that of options() holds."""
    server.default = stall()
    event = Event("Pageview", "2025-07-01T00:00:00Z")
    asked = [Segmentation([event], "u")]
    with options(timeout=0.05):
        _, failures = Segmentation.batch_send(asked, api_key=KEY)
        assert [type(error) for _, error in failures] == [PermutiveTimeoutError]
    with options(timeout=20):
        _, failures = Segmentation.batch_send(asked, api_key=KEY, timeout=0.05)
        assert [type(error) for _, error in failures] == [PermutiveTimeoutError]


# --- A timeout that nobody gave ------------------------------------------------------------------

COPIES: dict[str, Callable[[BatchRequest], BatchRequest]] = {
    "itself": lambda request: request,
    "copied": copy.copy,
    "copied deeply": copy.deepcopy,
    "pickled": lambda request: pickle.loads(pickle.dumps(request)),
    "replaced": lambda request: dataclasses.replace(request, method="get"),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_of_a_request_has_no_timeout_either(
    server: FakeService, copied: Callable[[BatchRequest], BatchRequest]
) -> None:
    """The timeout of options() holds for a copy of a request, unless the request was given one."""
    server.default = stall()
    with options(timeout=0.05, retry=ONCE):
        [(_, error)] = http.process_batch([copied(things(1)[0])], api_key=KEY)[1]
        assert isinstance(error, PermutiveTimeoutError)
    server.default = after(0.1, answer(200, {}))
    with options(timeout=0.05, retry=ONCE):
        given = copied(things(1, timeout=10.0)[0])
        assert http.process_batch([given], api_key=KEY)[1] == []


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_timeout_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied: Callable[[BatchRequest], BatchRequest]
) -> None:
    """``.env`` gives the timeout if the environment did not when the request was made."""
    before = things(1)[0]
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "2.5")
    (tmp_path / ".env").write_text("PERMUTIVE_BATCH_TIMEOUT_SECONDS=7.5")
    given = things(1)[0]
    monkeypatch.delenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS")
    assert [copied(each).timeout for each in (before, given)] == [7.5, 2.5]


def test_a_timeout_of_a_batch_of_models_is_not_that_of_requests(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a batch of models without a timeout, it is 10 seconds, whatever the variable for requests says."""
    monkeypatch.setenv("PERMUTIVE_BATCH_TIMEOUT_SECONDS", "0.02")
    server.default = after(0.08, answer(200, {}))
    asked = [Segmentation([Event("Pageview", "2025-07-01T00:00:00Z")], "u")]
    assert Segmentation.batch_send(asked, api_key=KEY)[1] == []
