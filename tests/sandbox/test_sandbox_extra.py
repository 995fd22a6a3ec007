"""The sandbox without its extra, and the plugin for pytest."""

import importlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from dotenv import load_dotenv

import PermutiveAPI
from PermutiveAPI import Cohort, WorkspaceList

pytest_plugins = ["PermutiveAPI.sandbox.pytest_plugin"]


@pytest.fixture
def fresh(monkeypatch):
    """Let PermutiveAPI.sandbox be imported again, and restore it afterwards."""
    package = importlib.import_module("PermutiveAPI.sandbox")
    monkeypatch.setattr(PermutiveAPI, "sandbox", package)
    for name in list(sys.modules):
        if name.startswith("PermutiveAPI.sandbox"):
            monkeypatch.delitem(sys.modules, name)


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_missing_package(fresh, monkeypatch, missing):
    """Without a package of the extra the import names the extra."""
    for name in list(sys.modules):
        if name.split(".")[0] == missing:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError) as e:
        importlib.import_module("PermutiveAPI.sandbox")
    assert str(e.value) == (
        f"The sandbox needs the package '{missing}', which is not installed. "
        'Install the extra: pip install "PermutiveAPI[sandbox]"'
    )
    assert (e.value.name or "").split(".")[0] == missing


def test_own_defect(fresh, monkeypatch):
    """A missing module of the package itself is not mistaken for the extra."""
    monkeypatch.setitem(sys.modules, "PermutiveAPI.sandbox.seed", None)
    with pytest.raises(ModuleNotFoundError, match="seed"):
        importlib.import_module("PermutiveAPI.sandbox")


def test_imports_nothing_of_the_library():
    """The sandbox imports no module of the package outside its folder, except Query."""
    code = (
        "import PermutiveAPI, sys; before = set(sys.modules)\n"
        "import PermutiveAPI.sandbox.command, PermutiveAPI.sandbox.pytest_plugin\n"
        "new = [n for n in set(sys.modules) - before if n.startswith('PermutiveAPI')]\n"
        "own = ('PermutiveAPI.sandbox', 'PermutiveAPI.Query')\n"
        "print([n for n in new if not n.startswith(own)])"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "[]\n"


def test_fixture(permutive_sandbox):
    """The plugin's fixture is a running sandbox."""
    answer = requests.get(permutive_sandbox.base_url, timeout=5)
    assert answer.status_code == 401
    assert len(permutive_sandbox.requests) == 1


@pytest.fixture
def settings_of_a_user(monkeypatch):
    """Set the variables as a user's shell does."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", "the-key-of-production")
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", "/production.json")


def test_fixture_gives_the_key(settings_of_a_user, permutive_sandbox):
    """In a test with the fixture, calls without a key use the sandbox's, not that of the environment."""
    assert len(Cohort.list()) == 28
    assert [each.api_key for each in WorkspaceList.from_env()] == [
        permutive_sandbox.api_key,
        permutive_sandbox.child_api_key,
    ]


def test_fixture_wins_over_a_file(tmp_path, monkeypatch, permutive_sandbox):
    """The key of a .env is not used in a test with the fixture, also if the user's code loads the file."""
    (tmp_path / ".env").write_text("PERMUTIVE_API_KEY=the-key-of-production\n")
    monkeypatch.chdir(tmp_path)
    assert len(Cohort.list()) == 28
    load_dotenv(tmp_path / ".env")
    assert len(Cohort.list()) == 28


def test_fixture_keeps_the_credentials_private(permutive_sandbox, tmp_path):
    """Only the owner may read the credentials file, which is in the test's own folder."""
    path = Path(os.environ["PERMUTIVE_APPLICATION_CREDENTIALS"])
    assert path.parent == tmp_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_fixture_restores_the_environment(settings_of_a_user, pytester):
    """After the test, the variables have their old values."""
    pytester.makeconftest('pytest_plugins = ["PermutiveAPI.sandbox.pytest_plugin"]')
    pytester.makepyfile("def test_it(permutive_sandbox): pass")
    options = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--no-cov")
    pytester.runpytest(*options).assert_outcomes(passed=1)
    assert os.environ["PERMUTIVE_API_KEY"] == "the-key-of-production"
    assert os.environ["PERMUTIVE_APPLICATION_CREDENTIALS"] == "/production.json"
