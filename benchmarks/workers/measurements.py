"""The measurements: functions that return figures. A process calls one of them, once."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import busy
import samples
from clients import API_KEY, ConstantRate, JSONClient, client_of, json_client
from figures import Figures, NotPossible, hand_back
from loopback import COHORTS_PATH, IDENTIFY_URL, IMPORT_ID, SEGMENTS_PATH, counters
from memory import held, most_held

# Requests that were being sent at Ctrl-C do not count as sent after it.
_ON_THE_WAY_SECONDS = 0.1


def batch(subject: str, requests: int, workers: int, warm_up: int) -> Figures:
    """Identify users in one batch, after a smaller one."""
    client = client_of(subject)
    if warm_up:
        client.send(client.prepare(warm_up), workers)
    prepared = client.prepare(requests)
    began, cpu_began = time.perf_counter(), time.process_time()
    _, lost = client.send(prepared, workers)
    seconds = time.perf_counter() - began
    cpu_seconds = time.process_time() - cpu_began
    return {
        "seconds": seconds,
        "per_second": requests / seconds,
        "cpu_milliseconds": cpu_seconds / requests * 1000,
        "lost": lost,
        "connections": counters()["connections"],
    }


def limited(subject: str, requests: int, workers: int, rate: float) -> Figures:
    """Identify users in one batch, while the service refuses some requests."""
    client = client_of(subject)
    if isinstance(client, ConstantRate):
        client.rate = rate
    prepared = client.prepare(requests)
    began = time.perf_counter()
    _, lost = client.send(prepared, workers)
    seconds = time.perf_counter() - began
    sent = counters()["requests"]
    refused = (sent - requests + lost) / sent
    return {"seconds": seconds, "lost": lost, "refused_percent": 100 * refused}


# --- Executors -----------------------------------------------------------------------------------


def processes(subject: str, requests: int, processes: int) -> Figures:
    """Run batches on a pool of processes, or on threads, whose requests take 150 µs of CPU each."""
    if subject == "threads":
        return _on_executor(requests, None)
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    with pool:
        return _on_executor(requests, pool)


def dask(subject: str, requests: int, processes: int) -> Figures:
    """Do the same on a cluster of Dask."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=processes, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        return _on_executor(requests, client.get_executor())


def _on_executor(count: int, executor: Executor | None) -> Figures:
    """Send a batch after a smaller one, which starts the processes."""
    api = _api()
    http = import_module("PermutiveAPI._Utils.http")
    http.request = busy.request
    requests = [
        api.BatchRequest("POST", IDENTIFY_URL, json={"user_id": f"user-{n}", "aliases": []})
        for n in range(count)
    ]
    for batch in (requests[: count // 10], requests):
        began = time.perf_counter()
        _, lost = http.process_batch(batch, api_key=API_KEY, max_workers=8, executor=executor)
        seconds = time.perf_counter() - began
        if lost:
            raise RuntimeError(f"{len(lost)} requests failed")
    return {"per_second": count / seconds}


# --- Models --------------------------------------------------------------------------------------


def read(subject: str, count: int) -> Figures:
    """Make a CohortList from JSON text."""
    text = json.dumps(samples.cohorts(count))
    if subject == "json":
        return _timed(lambda: json.loads(text))
    return _timed(lambda: _api().CohortList.from_json(text))


def write(subject: str, count: int) -> Figures:
    """Make JSON data from a CohortList."""
    return _timed(_cohort_list(count).to_json)


def frame(subject: str, count: int) -> Figures:
    """Make a DataFrame, with pandas already imported."""
    import pandas

    if subject == "pandas":
        columns = samples.columns(count)
        return _timed(lambda: pandas.DataFrame(columns))
    return _timed(_cohort_list(count).to_pd_dataframe)


def _cohort_list(count: int) -> Any:
    return _api().CohortList.from_json(json.dumps(samples.cohorts(count)))


def _timed(function: Callable[[], Any]) -> Figures:
    began = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - began
    del result  # Only now, so that freeing it is not measured.
    return {"seconds": seconds}


# --- Many at a time ------------------------------------------------------------------------------


def list_cohorts(subject: str) -> Figures:
    """List cohorts, which come in one response."""
    if subject == "urllib3":
        fetch = json_client()
        return _timed(lambda: fetch("GET", COHORTS_PATH))
    cohort = _api().Cohort
    return _timed(lambda: cohort.list(api_key=API_KEY))


def list_segments(subject: str) -> Figures:
    """List segments, page by page."""
    if subject == "urllib3":
        fetch = json_client()
        return _timed(lambda: _all_pages(fetch))
    segment = _api().Segment
    return _timed(lambda: segment.list(import_id=IMPORT_ID, api_key=API_KEY))


def _all_pages(fetch: JSONClient) -> list[Any]:
    found: list[Any] = []
    query = ""
    while True:
        page = fetch("GET", SEGMENTS_PATH, query)
        found += page["elements"]
        token = page["pagination"]["next_token"]
        if token is None:
            return found
        query = f"&pagination_token={token}"


def bulk(subject: str, count: int) -> Figures:
    """Create segments by bulk operations of 5,000."""
    rows = [
        {"code": f"code_{n}", "name": f"Segment {n}", "import_id": IMPORT_ID} for n in range(count)
    ]
    if subject == "urllib3":
        fetch = json_client()
        operations = [{"operation": "Create", "data": row} for row in rows]

        def send() -> None:
            for start in range(0, count, 5000):
                part = operations[start : start + 5000]
                fetch("PATCH", SEGMENTS_PATH, json={"operations": part})

        return _timed(send)
    segment = _api().Segment
    if not hasattr(segment, "bulk"):
        raise NotPossible("it has no Segment.bulk")
    segments = [segment(**row) for row in rows]
    return _timed(lambda: segment.bulk(IMPORT_ID, creates=segments, api_key=API_KEY))


def look_up(subject: str, count: int) -> Figures:
    """Fetch cohorts by their codes, first with a list for each cohort, then with one list."""
    cohort = _api().Cohort
    codes = [str(number) for number in range(count)]

    def with_one_list() -> None:
        listed = cohort.list(api_key=API_KEY, include_child_workspaces=True).code_dictionary
        for code in codes:
            cohort.get_by_id(listed[code].id, api_key=API_KEY)

    one_by_one = _timed(lambda: [cohort.get_by_code(code, api_key=API_KEY) for code in codes])
    return {**one_by_one, "seconds_from_one_list": _timed(with_one_list)["seconds"]}


# --- Start-up and memory -------------------------------------------------------------------------


def startup(subject: str) -> Figures:
    """Start Python and import, in a child process."""
    imports = "from PermutiveAPI import Cohort"
    statement = "import requests" if subject == "requests" else imports
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", statement])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{statement!r} failed")
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "megabytes": peak / 1e6}


def memory(subject: str, requests: int, workers: int) -> Figures:
    """Keep the responses of a batch, and tell how much resident memory grew beyond their bodies.

    A first batch opens connections and loads modules; its responses are not kept. What is sent is
    made before memory is measured for the first time.
    """
    client = client_of(subject)
    client.send(client.prepare(workers * 10), workers)
    prepared = client.prepare(requests)
    before = held()
    responses, lost = client.send(prepared, workers)
    if lost:
        raise RuntimeError(f"{lost} requests failed")
    growth = held() - before
    bodies = sum(sys.getsizeof(response.content) for response in responses)
    return {"kilobytes": (growth - bodies) / requests / 1000}


def stream(subject: str, count: int, workers: int) -> Figures:
    """Stream a batch from a generator, and tell how far memory rose above idle at most."""
    api = _api()
    if not hasattr(api, "stream_batch"):
        raise NotPossible("it has no stream_batch")
    idle = held()
    results = api.stream_batch(_requests(count), api_key=API_KEY, max_workers=workers)
    succeeded = sum(result.error is None for result in results)
    if succeeded != count:
        raise RuntimeError(f"{count - succeeded} of {count} requests failed")
    return {"megabytes": (most_held() - idle) / 1e6}


# --- Journals ------------------------------------------------------------------------------------


def engine(subject: str, requests: int, workers: int) -> Figures:
    """Run a batch whose requests are answered at once; for "threads", on ``ThreadPoolExecutor.map``."""
    send = _answer_at_once()
    batch = [*_requests(requests)]
    if subject == "threads":
        with ThreadPoolExecutor(workers) as pool:
            seconds = _cpu_seconds(lambda: [*pool.map(send, batch)])
    else:
        run = import_module("PermutiveAPI._Utils.http").process_batch
        seconds = _cpu_seconds(lambda: run(batch, api_key=API_KEY, max_workers=workers))
    return {"microseconds": seconds / requests * 1e6}


def journal(subject: str, requests: int, workers: int) -> Figures:
    """Stream a batch without a journal and with one, and tell the difference."""
    _answer_at_once()
    _stream(requests // 10, workers, "warm-up.journal")
    without = _cpu_seconds(lambda: _stream(requests, workers, None))
    with_journal = _cpu_seconds(lambda: _stream(requests, workers, "job.journal"))
    return {"microseconds": (with_journal - without) / requests * 1e6}


def resume(subject: str, requests: int, workers: int) -> Figures:
    """Stream a batch that a journal has recorded completely."""
    _answer_at_once()
    idle = held()
    _stream(requests, workers, "job.journal")
    began = time.perf_counter()
    if _stream(requests, workers, "job.journal"):
        raise RuntimeError("a request was sent again")
    return {"seconds": time.perf_counter() - began, "megabytes": (most_held() - idle) / 1e6}


def _answer_at_once() -> Callable[..., Any]:
    """Replace ``http.request``, as users' tests do, so that nothing is sent, and return what replaces it."""
    response = import_module("requests").Response()
    response.status_code = 200

    def request(*_: Any, **__: Any) -> Any:
        return response

    import_module("PermutiveAPI._Utils.http").request = request
    return request


def _stream(count: int, workers: int, path: str | None) -> int:
    """Return how many requests were sent."""
    results = _api().stream_batch(
        _requests(count), api_key=API_KEY, max_workers=workers, journal=path
    )
    return sum(1 for _ in results)


def _cpu_seconds(function: Callable[[], Any]) -> float:
    began = time.process_time()
    function()
    return time.process_time() - began


def _requests(count: int) -> Generator[Any, None, None]:
    request = _api().BatchRequest
    for number in range(count):
        yield request("POST", IDENTIFY_URL, json={"user_id": f"user-{number}", "aliases": []})


# --- Behaviour -----------------------------------------------------------------------------------


def details(subject: str) -> Figures:
    """List cohorts with their details."""
    cohort = _api().Cohort
    began = time.perf_counter()
    listed = cohort.list(api_key=API_KEY, include_details=True)
    seconds = time.perf_counter() - began
    if not all(each.query for each in listed):
        raise RuntimeError("a cohort has no query")
    return {"seconds": seconds}


def interrupt(subject: str, requests: int, workers: int, limit_seconds: float) -> Figures:
    """Press Ctrl-C half a second after a batch began; give up if it has not ended within the limit."""
    client = client_of(subject)
    prepared = client.prepare(requests)
    threads = threading.active_count()
    # A shell makes background processes ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.time())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(limit_seconds)
        hand_back(figures(math.inf))
        os._exit(0)

    def figures(seconds: float) -> Figures:
        left = threading.active_count() - threads - 1  # Without the timer's thread.
        # Requests that are still sent would arrive now.
        time.sleep(0.5 if seconds < math.inf else 0)
        sent_after = counters(since=pressed[0] + _ON_THE_WAY_SECONDS)["later"]
        return {"seconds": seconds, "sent_after": sent_after, "threads_left": left}

    timer = threading.Timer(0.5, press)
    timer.daemon = True
    timer.start()
    try:
        client.send(prepared, workers)
    except KeyboardInterrupt:
        pass
    if not pressed:
        raise RuntimeError("the batch ended before Ctrl-C: it is too small")
    return figures(time.time() - pressed[0])


def unknown(subject: str, timeout_seconds: float) -> Figures:
    """Create a cohort on a service that makes it, but does not respond in time."""
    os.environ["PERMUTIVE_BATCH_TIMEOUT_SECONDS"] = str(timeout_seconds)
    cohort = _api().Cohort
    football = cohort(name="Football fans", query={"event": "Pageview"})
    _, failures = cohort.batch_create([football], api_key=API_KEY, max_workers=1)
    [(_, error)] = failures
    return {"made": counters()["requests"], "says_unknown": "unknown" in str(error)}


def _api() -> Any:
    return import_module("PermutiveAPI")
