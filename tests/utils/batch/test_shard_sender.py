"""The other process sends a shard on threads, in time, and reports it."""

from __future__ import annotations

import pickle
import threading
import time
from contextvars import copy_context
from pathlib import Path
from typing import Any, Callable, List, Optional

import pytest
import requests

from PermutiveAPI import BatchRequest, PermutiveBadRequestError, RetryConfig
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch import shard_sender
from PermutiveAPI._Utils.batch.remote import Failed, WorkItem
from PermutiveAPI._Utils.batch.shard_sender import ShardSender
from PermutiveAPI._Utils.batch.shards import Report, Shard
from tests.support.fake_service import Connection, FakeService, after, answer, stall
from tests.support.threads import allow_threads

KEY = "8f14e45f-ceea-467f-a0b1-5f2f4d1c9a7e"
URL = "https://api.permutive.app/v9/things"


def items(count: int, attempts: int = 0, **more: Any) -> List[WorkItem]:
    """Make numbered work items."""
    return [
        WorkItem(number, BatchRequest("GET", f"{URL}/{number}", **more), attempts=attempts)
        for number in range(count)
    ]


def sent(
    batch: List[WorkItem],
    seconds: float = 2.0,
    threads: int = 2,
    send: Any = http.request,
    lease: Optional[str] = None,
) -> Report:
    """Send a shard as another process does, and return what the caller reads of it."""
    settings = http.batch_runner().read_settings(True)
    sender = pickle.loads(pickle.dumps(ShardSender(send, KEY, settings, threads, b"run")))
    shard = Shard(0, len(batch), pickle.dumps(batch), lease, seconds)
    return pickle.loads(pickle.dumps(copy_context().run(sender, shard))).report()


def test_all_is_sent_and_reported_by_place(server: FakeService) -> None:
    """A success is a response that hides the key; a failure is an error."""
    server.script = [answer(400, {"error": {"cause": "odd"}})]
    server.default = answer(200, {"a": 1}, headers={"X-Request-Id": "r-1"})
    report = sent(items(3), threads=1)
    assert report.unsent == [] and not report.interrupted
    assert [place for place, _, _ in report.answered] == [0, 1, 2]
    (_, failed, _), (_, response, _), _ = report.answered
    assert isinstance(failed, Failed) and isinstance(failed.error, PermutiveBadRequestError)
    assert (response.status_code, response.json()) == (200, {"a": 1})
    assert response.headers["x-request-id"] == "r-1"
    assert response.url == f"{server.url}/v9/things/1?k=[REDACTED]"
    assert response.request.method == "GET" and KEY not in response.request.url
    assert KEY not in repr(vars(failed.error)) + repr(vars(failed.error.response))


def test_nothing_begins_after_the_deadline(server: FakeService) -> None:
    """Requests in flight complete; the rest goes back unchanged."""
    server.default = after(0.05, answer(200, {}))
    report = sent(items(50, attempts=1), seconds=0.12)
    assert len(server.received) == len(report.answered)
    assert 2 <= len(report.answered) <= 8
    assert 0.12 <= report.seconds < 1.0
    back = {place: (delay, attempts) for place, delay, attempts, _ in report.unsent}
    assert set(back) == set(range(50)) - {place for place, _, _ in report.answered}
    assert set(back.values()) == {(0.0, 1)}


def test_nothing_begins_after_the_batch_has_ended(server: FakeService, tmp_path: Path) -> None:
    """A shard that was in a queue comes back unsent."""
    report = sent(items(9, attempts=1), lease=str(tmp_path / "ended"))
    assert report.answered == [] and server.received == []
    assert [(place, attempts) for place, _, attempts, _ in report.unsent] == [
        (place, 1) for place in range(9)
    ]


def test_a_batch_that_ends_in_the_midst(server: FakeService, tmp_path: Path) -> None:
    """Nothing more begins, responses that come soon are reported, and a request that stalls is ended."""
    lease = tmp_path / "lease"
    lease.touch()

    def end(connection: Connection) -> bool:
        lease.unlink()
        return after(0.2, answer(200, {}))(connection)

    server.script = [stall(), end]
    began = time.monotonic()
    report = sent(items(9), seconds=20, lease=str(lease))
    assert time.monotonic() - began < 1.5
    assert len(report.answered) == 1
    assert len(report.unsent) == 7 and len(server.received) == 2


def test_a_wait_that_is_too_long_goes_back(server: FakeService) -> None:
    """The request goes back with its attempts, and with the rest of its wait."""
    server.default = answer(503)
    began = time.monotonic()
    report = sent(items(1, attempts=1, retry=RetryConfig(max_retries=5, initial_delay=30)))
    assert time.monotonic() - began < 1.0
    [(place, delay, attempts, _)] = report.unsent
    assert (place, attempts, len(server.received)) == (0, 2, 1)
    assert 59 < delay < 80  # The second wait, and its jitter.


def test_a_block_sends_all_back_at_once(server: FakeService) -> None:
    """During a Retry-After of 60, nobody waits for a slot, and refusals use up no attempt."""
    server.default = answer(429, {}, headers={"Retry-After": "60"})
    began = time.monotonic()
    report = sent(items(40))
    assert time.monotonic() - began < 1.0
    assert report.answered == [] and len(report.unsent) == 40
    assert all(attempts == 0 and 59 < delay <= 60 for _, delay, attempts, _ in report.unsent)
    assert len(server.received) <= 2


def test_a_slot_that_comes_too_late_goes_back(server: FakeService) -> None:
    """Requests wait for a slow limit until the deadline, without a slot."""
    server.default = answer(429)
    report = sent(items(40), seconds=0.3)
    assert report.answered == [] and len(report.unsent) == 40
    assert {attempts for _, _, attempts, _ in report.unsent} == {0}
    assert max(delay for _, delay, _, _ in report.unsent) < 0.2
    # They check ten times a second.
    assert 0.2 <= report.seconds < 1.0


def test_content_that_cannot_be_read() -> None:
    """A request alone fails, and its error says why, for instance a missing class; of several, nobody knows which."""
    settings = http.batch_runner().read_settings(True)
    sender = ShardSender(http.request, KEY, settings, 2, b"run")
    report = sender(Shard(0, 1, b"junk")).report()
    [(place, failed, records)] = report.answered
    assert (place, records, report.unreadable) == (0, (), False)
    assert isinstance(failed.error, pickle.UnpicklingError)
    report = sender(Shard(0, 2, b"junk")).report()
    assert (report.answered, report.unsent, report.unreadable) == ([], [], True)


def large(method: str, api_key: str, url: str, **more: Any) -> requests.Response:
    """Stand in for ``http.request``: each response has 20 MB."""
    response = requests.Response()
    response._content = bytes(20 * 2**20)
    return response


def test_large_responses_end_a_shard() -> None:
    """A process holds only so many of them at a time."""
    report = sent(items(10), threads=1, send=large)
    assert len(report.answered) == 4
    assert len(report.unsent) == 6


def fail_strangely(method: str, api_key: str, url: str, **more: Any) -> Any:
    """Stand in for ``http.request``: its error cannot be pickled."""
    error = RuntimeError("odd")
    vars(error)["lock"] = threading.Lock()
    raise error


def test_an_error_that_cannot_be_pickled() -> None:
    """The error says that the request was sent, and names the class."""
    [(_, failed, _)] = sent(items(1), send=fail_strangely).answered
    assert str(failed.error) == (
        "The request was sent, but its result cannot return from the other process: a RuntimeError "
        "cannot be pickled (cannot pickle '_thread.lock' object)."
    )


def note_thread(method: str, api_key: str, url: str, **more: Any) -> int:
    """Stand in for ``http.request``."""
    return threading.get_ident()


def test_threads_are_kept(request: pytest.FixtureRequest) -> None:
    """The next shard uses the same ones; one with another number makes new ones."""
    request.addfinalizer(lambda: [pool.shutdown() for _, pool in shard_sender._idle_pools])
    request.addfinalizer(lambda: shard_sender._idle_pools.clear)
    [(_, first, _)] = sent(items(1), threads=1, send=note_thread).answered
    [(_, second, _)] = sent(items(1), threads=1, send=note_thread).answered
    assert first == second
    sent(items(1), threads=3, send=note_thread)
    assert [number for number, _ in shard_sender._idle_pools] == [3]


def test_fewer_threads_than_asked_for(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system refuses a thread, the others send the whole shard."""
    monkeypatch.setattr(shard_sender, "_idle_pools", [])
    allow_threads(monkeypatch, "PermutiveAPI shard", 1)
    assert len(sent(items(3), threads=3).answered) == len(server.received) == 3
    [(_, pool)] = shard_sender._idle_pools
    pool.shutdown()


def break_off(method: str, api_key: str, url: str, **more: Any) -> None:
    """Stand in for ``http.request``."""
    raise SystemExit("enough")


def test_what_ends_a_thread_ends_the_shard() -> None:
    """It is raised there, and so in the caller's process."""
    with pytest.raises(SystemExit, match="enough"):
        sent(items(3), send=break_off)


def test_no_repr_shows_a_request() -> None:
    """Clusters log what they call, and what it returns."""
    settings = http.batch_runner().read_settings(True)
    sender = ShardSender(http.request, KEY, settings, 2, b"run")
    shard = Shard(7, 1, pickle.dumps(items(1)))
    shown: Callable[[Any], str] = repr
    text = shown(sender) + shown(shard) + shown(sender(Shard(0, 1, b"junk")))
    assert "number=7" in text
    assert KEY not in text and "things" not in text and "junk" not in text
