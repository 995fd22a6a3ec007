"""Many threads on one transport: each gets its own responses."""

from __future__ import annotations

import logging
import threading
from typing import Any, List

import pytest

from PermutiveAPI import BatchRequest, RetryConfig
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.transport import log_redaction, session
from tests.support.fake_service import (
    Connection,
    FakeService,
    ReceivedRequest,
    answer,
    answer_from,
    hang_up,
    reset,
    then_hang_up,
)

URL = "https://api.permutive.app/v9/things"
THREADS = 32
ROUNDS = 9
PATIENT = RetryConfig(max_retries=50, backoff_factor=1, initial_delay=0)


def echo(request: ReceivedRequest) -> Any:
    """Return what was sent."""
    query = request.query
    return {
        "path": request.path,
        "body": request.body.decode(),
        "query": [*query["n"], *query["k"]],
    }


class Unreliable:
    """Responds with an echo, and sometimes with a fault."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __call__(self, connection: Connection) -> bool:
        with self._lock:
            self._count += 1
            number = self._count
        if number % 17 == 0:
            return reset()(connection)
        if number % 19 == 0:
            return hang_up()(connection)
        if number % 23 == 0:
            return answer(503)(connection)
        if number % 5 == 0:
            return then_hang_up(answer_from(echo))(connection)
        return answer_from(echo)(connection)


def test_thirty_two_threads_never_get_each_others_answers(server: FakeService) -> None:
    """Single calls and batches of 32 threads, over connections that break, get their own responses."""
    server.default = Unreliable()
    wrong: List[Any] = []

    def check(name: str, verb: str, key: str, response: Any) -> None:
        data = response.json()
        body = "" if verb in ("GET", "DELETE") else f'{{"name": "{name}"}}'
        wanted = {"path": f"/v9/things/{name}", "body": body, "query": [name, key]}
        if data != wanted:
            wrong.append((data, wanted))

    def work(thread: int) -> None:
        key = f"key-of-thread-{thread}"
        try:
            for turn in range(ROUNDS):
                name = f"{thread}-{turn}"
                verb = ("GET", "PATCH", "DELETE")[turn % 3]
                body = {"name": name} if verb == "PATCH" else None
                url, params = f"{URL}/{name}", {"n": name}
                check(
                    name,
                    verb,
                    key,
                    http.request(verb, key, url, params=params, json=body, retry=PATIENT),
                )
            names = [f"{thread}-batch-{number}" for number in range(10)]
            batch = [
                BatchRequest("GET", f"{URL}/{name}", {"n": name}, retry=PATIENT) for name in names
            ]
            responses, errors = http.process_batch(batch, api_key=key, max_workers=3)
            wrong.extend(errors)
            for name, response in zip(names, responses, strict=True):
                check(name, "GET", key, response)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(server.received) >= THREADS * (ROUNDS + 10)


def test_whoever_sends_first_keeps_urllib3s_log_clean(
    server: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    """From the first request on, urllib3's log records show no secret of its URL."""
    for name in log_redaction._LOGGERS:
        logging.getLogger(name).removeFilter(log_redaction._FILTER)
    session._forget_pool()
    caplog.set_level(logging.DEBUG)
    http.request("GET", "key-0001", "https://api.permutive.app/v9/things", params={"token": "t-9"})
    told = [each.getMessage() for each in caplog.records if each.name.startswith("urllib3")]
    assert any("/v9/things?token=[REDACTED]" in each for each in told), told
    assert "t-9" not in caplog.text
