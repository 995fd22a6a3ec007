"""Failures, waits and limits on request."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

COHORTS = "/cohorts-api/v2/cohorts/"
NEW = {"name": "n", "query": {}}


def statuses(call, *requests):
    """Send requests and return the statuses."""
    return [call(method, path, json=NEW).status_code for method, path in requests]


@pytest.mark.parametrize(
    "fault, sent, expected",
    [
        ({}, [("GET", COHORTS)] * 2, [503, 200]),
        ({"times": 2}, [("GET", COHORTS)] * 3, [503, 503, 200]),
        ({"method": "post"}, [("GET", COHORTS), ("POST", COHORTS)], [200, 503]),
        ({"path": "/cohorts-api/"}, [("GET", "/x"), ("GET", COHORTS)], [404, 503]),
        (
            {"status": 500, "method": "POST", "path": "/cohorts-api/"},
            [("GET", COHORTS), ("POST", COHORTS), ("POST", COHORTS)],
            [200, 500, 201],
        ),
    ],
)
def test_fail_next(call, sandbox, fault, sent, expected):
    """The next requests with its verb and path get the fault, as often as asked."""
    sandbox.fail_next(**fault)
    assert statuses(call, *sent) == expected


def test_faults_queue(call, sandbox):
    """Faults come in the order in which they were asked for."""
    sandbox.fail_next(status=500, times=2)
    sandbox.fail_next(status=429)
    assert statuses(call, *[("GET", COHORTS)] * 4) == [500, 500, 429, 200]


def test_faults_change_nothing(call, sandbox):
    """A request that gets a fault changes nothing in the sandbox."""
    before = call("GET", COHORTS).json()
    sandbox.fail_next(status=500)
    call("POST", COHORTS, json=NEW)
    assert call("GET", COHORTS).json() == before


@pytest.mark.parametrize(
    "status, code, retry_after",
    [
        (500, 5000, None),
        (429, 4290, "1"),
        (503, 5030, "Wed, 21 Oct 2065 07:28:00 GMT"),
        (599, 5990, "junk"),
    ],
)
def test_fault_envelope(call, sandbox, status, code, retry_after):
    """A fault has the envelope for its status, and the given Retry-After."""
    sandbox.fail_next(status=status, retry_after=retry_after)
    answer = call("GET", COHORTS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers.get("retry-after") == retry_after


@pytest.mark.parametrize(
    "fault, text, kind",
    [
        ({"status": 502, "body": "<p>Bad"}, "<p>Bad", "text/plain; charset=utf-8"),
        ({"status": 200, "body": "[", "content_type": "application/json"}, "[", "application/json"),
        ({"status": 204}, "", None),
        ({"status": 200}, "", "text/plain; charset=utf-8"),
    ],
)
def test_fault_body(call, sandbox, fault, text, kind):
    """A fault has the given body and content type."""
    sandbox.fail_next(**fault)
    answer = call("GET", COHORTS)
    assert (answer.status_code, answer.text) == (fault["status"], text)
    assert kind is None or answer.headers["content-type"] == kind


def test_faults_count_under_load(call, sandbox):
    """Of many requests at the same time, exactly the given number fails."""
    sandbox.fail_next(status=503, times=20)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: call("GET", "/x"), range(60)))
    assert sum(answer.status_code == 503 for answer in answers) == 20


def test_latency(call, sandbox):
    """Every response is delayed, and several requests wait at the same time."""
    sandbox.latency_seconds = 0.1
    start = time.perf_counter()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: call("GET", "/x"), range(8)))
    assert 0.1 <= time.perf_counter() - start < 0.7


@pytest.mark.parametrize("retry_after", ["1", "0.5", None])
def test_rate_limit(call, sandbox, retry_after):
    """Requests above the limit get 429 with the envelope, until the limit is lifted."""
    sandbox.rate_limit_per_second = 3
    sandbox.retry_after = retry_after
    answers = [call("GET", "/x") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [404] * 3 + [429] * 2
    assert answers[4].json()["error"]["status"] == "Too Many Requests"
    assert answers[4].headers.get("retry-after") == retry_after
    sandbox.rate_limit_per_second = None
    assert call("GET", "/x").status_code == 404


def test_rate_limit_passes(call, sandbox):
    """A second after a request, another one is accepted in its place."""
    sandbox.rate_limit_per_second = 1
    assert statuses(call, *[("GET", COHORTS)] * 2) == [200, 429]
    time.sleep(1.01)
    assert statuses(call, ("GET", COHORTS)) == [200]
