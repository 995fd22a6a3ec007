"""What each line measures: a function that returns its figures, called once a process."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import busy
import samples
from clients import API_KEY, ConstantRate, client_of
from figures import Figures, NotPossible, hand_back
from loopback import IDENTIFY_URL, counters
from memory import held, most_held

# Requests that were on their way when Ctrl-C was pressed are not counted as sent after it.
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
    """Identify users in one batch, at a service that refuses some."""
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
    """Make a DataFrame, pandas being imported."""
    import pandas

    if subject == "pandas":
        rows = samples.cohorts(count)
        return _timed(lambda: pandas.DataFrame(rows))
    return _timed(_cohort_list(count).to_pd_dataframe)


def _cohort_list(count: int) -> Any:
    return _api().CohortList.from_json(json.dumps(samples.cohorts(count)))


def _timed(function: Callable[[], Any]) -> Figures:
    began = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - began
    del result  # Only now: taking it down is not what is measured.
    return {"seconds": seconds}


# --- Start-up and memory -------------------------------------------------------------------------


def startup(subject: str) -> Figures:
    """Start Python and import, in a process below this one."""
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
    """Keep the answers of a batch, and tell by how much resident memory grew, bodies left out.

    A first batch, whose answers are let go, brings connections and modules; what is sent is made
    before the baseline is taken.
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
    """Stream a batch from a generator, and tell how far memory ever rose above idle."""
    api = _api()
    if not hasattr(api, "stream_batch"):
        raise NotPossible("it has no stream_batch")
    requests = (
        api.BatchRequest("POST", IDENTIFY_URL, json={"user_id": f"user-{n}", "aliases": []})
        for n in range(count)
    )
    idle = held()
    results = api.stream_batch(requests, api_key=API_KEY, max_workers=workers)
    succeeded = sum(result.error is None for result in results)
    if succeeded != count:
        raise RuntimeError(f"{count - succeeded} of {count} requests failed")
    return {"megabytes": (most_held() - idle) / 1e6}


# --- Behaviour -----------------------------------------------------------------------------------


def details(subject: str) -> Figures:
    """List cohorts with their details."""
    cohort = _api().Cohort
    began = time.perf_counter()
    listed = cohort.list(api_key=API_KEY, include_details=True)
    seconds = time.perf_counter() - began
    if not all(each.query for each in listed):
        raise RuntimeError("a cohort came without its query")
    return {"seconds": seconds}


def interrupt(subject: str, requests: int, workers: int, limit_seconds: float) -> Figures:
    """Press Ctrl-C half a second after a batch began; give up when it has not ended by the limit."""
    client = client_of(subject)
    prepared = client.prepare(requests)
    threads = threading.active_count()
    # A shell lets what runs in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pressed: list[float] = []

    def press() -> None:
        pressed.append(time.time())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(limit_seconds)
        hand_back(figures(math.inf))
        os._exit(0)

    def figures(seconds: float) -> Figures:
        left = threading.active_count() - threads - 1  # The one that pressed.
        # Whatever were still to be sent would arrive now.
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
    """Create a cohort on a service that makes it and does not answer in time."""
    os.environ["PERMUTIVE_BATCH_TIMEOUT_SECONDS"] = str(timeout_seconds)
    cohort = _api().Cohort
    football = cohort(name="Football fans", query={"event": "Pageview"})
    _, failures = cohort.batch_create([football], api_key=API_KEY, max_workers=1)
    [(_, error)] = failures
    return {"made": counters()["requests"], "says_unknown": "unknown" in str(error)}


def _api() -> Any:
    return import_module("PermutiveAPI")
