"""Run the soak: ``python -m tests.soak --requests 200000 --kills 12 --seed 1``.

It starts the service, starts the job, kills it at random, starts it again, and in the end compares the job's
report with what the service saw. If they differ, it exits with 1.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

import requests

from tests.soak.job import IN_SHARD, WORKERS, name_of, told
from tests.support.scripts import Script, script_of, start_script

# With 200,000 requests, a leak of more than 50 bytes per request exceeds it.
_MOST_GROWTH_MEGABYTES = 10.0
_KILLS_COME_WITHIN = 0.9
_PROCESSES_LIVE_ON_SECONDS = 0.1


@dataclass
class Soak:
    """The results of a soak."""

    count: int
    kills: int
    told: List["tuple[str, str]"]
    carried_out: Dict[str, int]
    journal_lines: int
    megabytes_at_first: float
    megabytes_at_last: float
    processes: int = 0

    def complaints(self) -> List[str]:
        """Return every check that failed."""
        outcome = dict(self.told)
        expected = {name_of(number) for number in range(self.count)}
        successes = {name for name, each in outcome.items() if each == "success"}
        made = {n: times for n, times in self.carried_out.items() if n[0] == "c"}
        twice = [name for name, times in made.items() if times > 1]
        unsaid = expected - set(outcome)
        growth = self.megabytes_at_last - self.megabytes_at_first
        # A job that is killed may have this many requests in flight.
        in_flight = self.kills * (self.processes * IN_SHARD or 2 * WORKERS)
        checks = {
            "some requests were reported twice": len(outcome) == len(self.told),
            "a request was reported that nobody sent": set(outcome) <= expected,
            "some requests were lost": unsaid <= set(self.carried_out) and len(unsaid) <= in_flight,
            "a reported success was never carried out": successes <= set(self.carried_out),
            "the journal differs from the successes": self.journal_lines == len(successes | unsaid),
            f"{len(twice)} cohorts were made twice": len(twice) <= in_flight
            and max(made.values()) <= 1 + self.kills,
            f"memory grew by {growth:.1f} MB": growth < _MOST_GROWTH_MEGABYTES,
            "nothing failed": {"unknown", "failure"} <= set(outcome.values()),
        }
        return [complaint for complaint, holds in checks.items() if not holds]

    def __str__(self) -> str:
        """Show the results in a line."""
        outcomes = Counter(outcome for _, outcome in self.told)
        made = [times for name, times in self.carried_out.items() if name[0] == "c"]
        return (
            f"{self.count} requests, {self.processes or 'no'} processes, {self.kills} kills: {dict(outcomes)}; {self.journal_lines} lines in "
            f"the journal; cohorts made twice: {sum(times > 1 for times in made)}; memory "
            f"{self.megabytes_at_first:.1f} MB at first, {self.megabytes_at_last:.1f} MB at last"
        )


def soak(count: int, kills: int, seed: int, folder: Path, processes: int = 0) -> Soak:
    """Run the job until it is done, and kill it so many times."""
    journal, results = folder / "journal", folder / "results"
    chance = random.Random(seed)
    ends = sorted(int(chance.random() * _KILLS_COME_WITHIN * count) for _ in range(kills))
    service = _started("tests.soak.service", str(seed))
    try:
        assert service.stdout is not None
        origin = f"http://127.0.0.1:{int(service.stdout.readline())}"
        environment = {
            "PERMUTIVE_API_BASE_URL": origin,
            "PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS": "0.01",
        }
        arguments = (str(count), str(journal), str(results), str(processes))
        for end in ends:
            job = _started("tests.soak.job", *arguments, **environment)
            while job.poll() is None and _lines_in(results) < end:
                time.sleep(0.005)
            job.send_signal(signal.SIGKILL)
            # Its processes live on: they send what they have, and wait for more.
            time.sleep(chance.random() * _PROCESSES_LIVE_ON_SECONDS if processes else 0)
            with suppress(ProcessLookupError):  # It had none.
                os.killpg(job.pid, signal.SIGKILL)
            job.communicate()
        job = _started("tests.soak.job", *arguments, **environment)
        printed, _ = job.communicate()
        if job.returncode:
            raise SystemExit(f"The job ended with {job.returncode}.")
        at_first, at_last = map(float, printed.split())
        carried_out = requests.get(f"{origin}/__carried_out", timeout=60).json()
    finally:
        service.terminate()
        service.communicate()
    lines = _lines_in(journal) - 1  # Its head.
    return Soak(count, kills, list(told(results)), carried_out, lines, at_first, at_last, processes)


def _started(module: str, *arguments: str, **environment: str) -> "subprocess.Popen[str] | Script":
    return start_script(
        script_of(module),
        *arguments,
        stderr=2,
        env={**os.environ, **environment},
        start_new_session=True,  # A group of its own, with the processes that it starts.
    )


def _lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def main() -> None:
    """Run the soak with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=0, help="0 for threads")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        seen = soak(options.requests, options.kills, options.seed, Path(folder), options.processes)
    print(f"{seen} ({time.monotonic() - began:.0f} s)")
    complaints = seen.complaints()
    print("\n".join(complaints) if complaints else "Nothing lost, nothing doubled.")
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
