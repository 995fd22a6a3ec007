"""Names of a module that are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from PermutiveAPI._Utils.lazy_names import LateModule, late_import, lazy_names
from tests.support.platforms import needs_fork


class Lender(ModuleType):
    """A module with one name. While it is read, something else sets the name in the other module."""

    meanwhile: Any = None

    @property
    def name(self) -> str:
        """The value, made anew each time."""
        if self.meanwhile is not None:
            vars(sys.modules["borrower"])["name"] = self.meanwhile
        return " ".join(["the", "lender's"])


@pytest.fixture
def borrower(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that takes its name from another one."""
    module: Any = ModuleType("borrower")
    module.__getattr__ = lazy_names("borrower", {"name": "lender"})
    monkeypatch.setitem(sys.modules, "borrower", module)
    monkeypatch.setitem(sys.modules, "lender", Lender("lender"))
    return module


def test_a_name_is_imported_once(borrower: Any) -> None:
    """After its first use, a name is an ordinary name of the module."""
    assert "name" not in vars(borrower)
    found = borrower.name
    assert found == "the lender's"
    assert borrower.name is found is vars(borrower)["name"]


def test_a_name_that_is_set_meanwhile_stays(borrower: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If another thread sets the name during the import, its value stays, for instance a test's replacement."""
    monkeypatch.setattr(Lender, "meanwhile", "another")
    assert borrower.name == vars(borrower)["name"] == "another"


def test_a_stand_in_for_the_package_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests put in the place of the package alone stays there when the package imports a part of itself."""
    stand_in = ModuleType("PermutiveAPI")
    monkeypatch.setitem(sys.modules, "PermutiveAPI", stand_in)
    with late_import():
        assert sys.modules["PermutiveAPI"] is stand_in


def test_a_late_module_is_imported_by_its_first_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first name imports the module, but not a name that inspect and doctest ask every object for."""
    late = LateModule("lender")
    assert not hasattr(late, "__wrapped__")  # Nothing could be imported yet.
    monkeypatch.setitem(sys.modules, "lender", Lender("lender"))
    assert late.name == "the lender's"
    assert not hasattr(late, "other")


FORKED_DURING_IMPORTS = """
import faulthandler, os, sys, threading, time
import requests
import PermutiveAPI
from PermutiveAPI._Utils import http

WORK = {
    "PermutiveAPI.Audience.Segment": lambda: PermutiveAPI.Segment("code", "name", "import"),
    "dotenv": lambda: PermutiveAPI.RetryConfig(),
    "PermutiveAPI._Utils.retry.loop": lambda: http.get("key", "https://host/"),
    "PermutiveAPI._Utils.batch.runner": lambda: http.process_batch(
        [http.BatchRequest("GET", "https://host/")], api_key="key"
    ),
}

class SlowImport:
    @staticmethod
    def find_spec(name, *_):
        if name == module:
            begun.set()
            time.sleep(0.05)

response = requests.Response()
response.status_code = 200
requests.get = lambda *args, **kwargs: response
sys.meta_path.insert(0, SlowImport)
for module, work in WORK.items():
    assert module not in sys.modules, module
    begun = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    child = os.fork()
    if not child:
        faulthandler.dump_traceback_later(5, exit=True)
        for each in WORK.values():
            assert each()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, module
    thread.join()
"""


@needs_fork
def test_a_fork_waits_for_an_import() -> None:
    """A child can send what it wants, although another thread was importing a part during the fork."""
    subprocess.run([sys.executable, "-c", FORKED_DURING_IMPORTS], check=True)


def test_other_names_are_missing(borrower: Any) -> None:
    """Another name is an AttributeError with Python's own text."""
    with pytest.raises(AttributeError, match="^module 'borrower' has no attribute 'other'$"):
        _ = borrower.other


IMPORTED_BY_TWO_THREADS = """
import importlib, sys, threading, time
from importlib.machinery import SourceFileLoader
import PermutiveAPI

errors = []

def load(name):
    try:
        importlib.import_module(name)
    except BaseException as error:
        errors.append(error)

other = threading.Thread(target=load, args=[sys.argv[1]])

def create_module(self, spec):
    if spec.name == "PermutiveAPI.Tables.plan" and other.ident is None:
        other.start()
        time.sleep(0.3)  # The other thread now waits for this import.

SourceFileLoader.create_module = create_module
from PermutiveAPI.Tables import Plan
other.join()
assert errors == [], errors
"""


@pytest.mark.parametrize("other", ["snapshots", "rehearsal", "Tables.reference_reading"])
def test_two_threads_that_import_tables(other: str) -> None:
    """A thread that imports Tables, and one that imports what needs it, do not wait for each other."""
    command = [sys.executable, "-c", IMPORTED_BY_TWO_THREADS, f"PermutiveAPI.{other}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
