"""The job of the soak, as a careful user writes it: a stream with a journal, and a file with each result.

``python -m tests.soak.job COUNT JOURNAL RESULTS PROCESSES`` runs it; 0 PROCESSES means threads. Half of the
requests make a cohort, which must not happen twice; half identify a user. A request that failed is not sent
again by the next run: its line says why.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ContextManager, Iterator, Optional, Set, Tuple

from PermutiveAPI import BatchRequest, BatchResult, stream_batch

WORKERS = 16
# The largest shard with requests that must not be repeated, with a journal.
IN_SHARD = 20
_API = "https://api.permutive.app"
_QUERY = {"event": "Pageview", "frequency": {"greater_than": 1}}


def name_of(number: int) -> str:
    """Return the name of a cohort or the id of a user, by turns."""
    return f"{'cu'[number % 2]}-{number}"


def request_of(number: int) -> BatchRequest:
    """Return the request that creates a cohort or identifies a user."""
    name = name_of(number)
    if name[0] == "c":
        body = {"name": name, "query": _QUERY}
        return BatchRequest("POST", f"{_API}/cohorts-api/v2/cohorts/", json=body)
    return BatchRequest("POST", f"{_API}/v2.0/identify", json={"user_id": name})


def line_of(result: BatchResult[Any]) -> str:
    """Return the line for a result."""
    body = result.batch_request.json
    name = body.get("name") or body["user_id"]
    if result.error is None:
        return f"{name} success"
    unknown = "outcome is unknown" in str(result.error)
    status = getattr(result.error, "status", None)
    return f"{name} {'unknown' if unknown else 'failure'} {status}"


def told(results: Path) -> Iterator[Tuple[str, str]]:
    """Yield the name and outcome of each line; skip a line that a kill has cut off."""
    text = results.read_text() if results.exists() else ""
    for line in text.splitlines(keepends=True):
        if line.endswith("\n"):
            name, outcome, *_ = line.split()
            yield name, outcome


def resident_megabytes() -> float:
    """Return how much memory this process uses."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def pool_of(processes: int) -> "ContextManager[Optional[Executor]]":
    """Return an executor of so many processes, or None for threads."""
    if not processes:
        return nullcontext()
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"))


def run(count: int, journal: Path, results: Path, executor: Optional[Executor]) -> None:
    """Send what is left, and print how much memory that took at first and in the end."""
    failed: Set[str] = {name for name, outcome in told(results) if outcome != "success"}
    left = (request_of(n) for n in range(count) if name_of(n) not in failed)
    lines = os.open(results, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    stream = stream_batch(
        left, api_key="soak-key", max_workers=WORKERS, executor=executor, journal=journal
    )
    at_first = 0.0
    for sent, result in enumerate(stream):
        os.write(lines, f"{line_of(result)}\n".encode())
        if sent == count // 20:
            at_first = resident_megabytes()
    print(at_first, resident_megabytes())


if __name__ == "__main__":
    with pool_of(int(sys.argv[4])) as pool:
        run(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), pool)
