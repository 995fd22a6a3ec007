"""The subjects that are compared, and their virtual environments."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Environment:
    """A virtual environment, which is made once and kept in the cache."""

    name: str
    requirements: tuple[str, ...] = ()

    def python(self, cache: Path) -> Path:
        """Return its interpreter."""
        return cache / self.name / "bin" / "python"

    def make(self, cache: Path) -> None:
        """Make it, unless the cache has it as declared here and for this Python."""
        made = cache / self.name / "made.json"
        wanted = json.dumps([sys.version, self.requirements])
        if made.exists() and made.read_text(encoding="utf-8") == wanted:
            return
        command = [sys.executable, "-m", "venv", "--clear", str(cache / self.name)]
        subprocess.run(command, check=True)
        if self.requirements:
            self.install(cache, *self.requirements)
        made.write_text(wanted, encoding="utf-8")

    def install(self, cache: Path, *arguments: str) -> None:
        """Run pip install in it."""
        pip = [str(self.python(cache)), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", *arguments], check=True)


@dataclass(frozen=True)
class WorkingTree(Environment):
    """An environment with the project in a folder, as it is now."""

    folder: Path = ROOT

    def make(self, cache: Path) -> None:
        """Make it, and install the project again; for a folder pip does so even for the same version."""
        super().make(cache)
        self.install(cache, str(self.folder))


@dataclass(frozen=True)
class Subject:
    """What is measured: a package, or a way to use one."""

    name: str
    environment: Environment


_BARE = Environment("bare", ("requests", "urllib3", "pandas"))

PROJECT = Subject("this project", WorkingTree("this-project"))
SEED = Subject("5.4.4", Environment("5.4.4", ("permutiveapi==5.4.4",)))
LATEST = Subject("6.8.2", Environment("6.8.2", ("permutiveapi[dataframe]==6.8.2",)))
PACKAGES = (PROJECT, SEED, LATEST)
THREADS = Subject("threads", PROJECT.environment)
WITH_DASK = Subject(PROJECT.name, WorkingTree("with-dask", ("distributed",)))


def before(folder: Path) -> Subject:
    """Return another copy of this project, for instance from before a change."""
    return Subject("before", WorkingTree("before", folder=folder))


# Release 6.8.2 has a second way to run batches, which its page recommends.
LATEST_CLIENT = Subject("6.8.2 PermutiveClient", LATEST.environment)

URLLIB3 = Subject("urllib3", _BARE)
URLLIB3_WITH_TIMEOUT = Subject("urllib3 with a timeout", _BARE)
CONSTANT_RATE = Subject("constant rate", _BARE)
HTTP_CLIENT = Subject("http.client", _BARE)
REQUESTS = Subject("requests", _BARE)
JSON = Subject("json", _BARE)
PANDAS = Subject("pandas", _BARE)
