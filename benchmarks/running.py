"""Runs measurements: a service and a fresh process for each, subjects in turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .lines import Line
from .service import HOSTS, FarEnd
from .subjects import ROOT, Environment, Subject

_WORKERS = Path(__file__).resolve().parent / "workers"
_TRUSTME = Environment("far-end", ("trustme",))

# Slower measurements count as hung. A stream of a million requests may need most of this time.
_LIMIT_SECONDS = 3600

Figures = Mapping[str, float]
Say = Callable[[str], None]


class Failed(Exception):
    """A measurement without figures: its subject cannot do it, or it failed."""


@dataclass(frozen=True)
class Result:
    """What the measurements of a line gave.

    Attributes
    ----------
    runs : dict
        The figures of each run, by the subject's name; empty if the subject failed.
    failures : dict
        Why subjects failed, by their names.
    """

    line: Line
    runs: dict[str, list[Figures]]
    failures: dict[str, str]


class Bench:
    """The environments, certificates and interpreters that measurements need."""

    def __init__(self, cache: Path, say: Say) -> None:
        self._cache = cache
        self._say = say
        self._certificates = cache / "certificates"

    def prepare(self, lines: Iterable[Line]) -> None:
        """Make the environments and certificates that the lines need and that are missing."""
        self._cache.mkdir(parents=True, exist_ok=True)
        (self._cache / ".gitignore").write_text("*\n", encoding="utf-8")
        subjects = (subject for line in lines for subject in line.subjects)
        environments = [_TRUSTME, *(subject.environment for subject in subjects)]
        for environment in dict.fromkeys(environments):
            self._say(f"environment {environment.name}")
            environment.make(self._cache)
        if not (self._certificates / "server.pem").exists():
            self._certificates.mkdir(exist_ok=True)
            command = [str(_TRUSTME.python(self._cache)), "-m", "trustme", "--quiet"]
            command += ["--dir", str(self._certificates), "--identities", *HOSTS]
            subprocess.run(command, check=True)

    def measure(self, line: Line) -> Result:
        """Measure a line: each subject once, then each again, and so on."""
        result = Result(line, {each.name: [] for each in line.subjects}, {})
        for repetition in range(1, line.repetitions + 1):
            for subject in line.subjects:
                if subject.name in result.failures:
                    continue
                turn = f"{repetition} of {line.repetitions}"
                self._say(f"{line.name}: {subject.name}, {turn}")
                try:
                    result.runs[subject.name].append(self._run(line, subject))
                except Failed as failure:
                    result.failures[subject.name] = str(failure)
                    result.runs[subject.name].clear()
        return result

    def _run(self, line: Line, subject: Subject) -> Figures:
        with self._serving(line.far_end) as port, tempfile.TemporaryDirectory() as folder:
            task = {
                "measurement": line.measurement,
                "subject": subject.name,
                "settings": line.settings,
                "port": port,
            }
            python = str(subject.environment.python(self._cache))
            try:
                done = subprocess.run(
                    [python, str(_WORKERS), json.dumps(task)],
                    cwd=folder,
                    env=self._environment(),
                    capture_output=True,
                    text=True,
                    timeout=_LIMIT_SECONDS,
                )
            except subprocess.TimeoutExpired:
                raise Failed(f"did not end within {_LIMIT_SECONDS} s") from None
        return _figures_of(done)

    @contextmanager
    def _serving(self, far_end: FarEnd) -> Generator[int, None, None]:
        """Run a new service for a measurement, so that its counters begin at 0."""
        pem, key = (self._certificates / name for name in ("server.pem", "server.key"))
        behaviour = json.dumps(asdict(far_end))
        command = [sys.executable, "-m", "benchmarks.service", behaviour]
        command += [str(pem), str(key)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
            try:
                assert service.stdout is not None
                yield int(service.stdout.readline())
            finally:
                service.terminate()

    def _environment(self) -> dict[str, str]:
        """Return this process's environment without settings, and with the service's authority."""
        unwanted = ("PERMUTIVE_", "PYTHON", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.upper().startswith(unwanted)
        }
        authority = str(self._certificates / "client.pem")
        return {**kept, "REQUESTS_CA_BUNDLE": authority, "SSL_CERT_FILE": authority}


def _figures_of(done: subprocess.CompletedProcess[str]) -> Figures:
    """Read the last line that a measurement printed."""
    if done.returncode or not done.stdout:
        said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise Failed(said[-1])
    outcome = json.loads(done.stdout.splitlines()[-1])
    if "figures" not in outcome:
        raise Failed(outcome["not possible"])
    return outcome["figures"]
