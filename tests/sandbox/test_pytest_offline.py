"""The option ``--permutive-offline`` of pytest, in suites of their own."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAIN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "--no-cov")
OFFLINE = ("-p", "pytest_permutive", "--permutive-offline", *PLAIN)
KEY = "a-key-that-nobody-may-see"
IMPORTS = """
import asyncio, http.client, requests, socket, sys, urllib.request
from concurrent.futures import ThreadPoolExecutor
import pytest, urllib3
from PermutiveAPI import Cohort
"""
URL = f"https://api.permutive.app/cohorts-api/v2/cohorts/?k={KEY}"
CALL = "GET api.permutive.app/cohorts-api/v2/cohorts/"

# The call, and what the message says was called.
CALLS = {
    "the library": (f"Cohort.list(api_key='{KEY}')", CALL),
    "a batch": (
        f"Cohort.batch_create([Cohort('C', query={{'in_segment': 1}})], api_key='{KEY}')",
        "api.permutive.app",
    ),
    "requests": (f"requests.get('{URL}')", CALL),
    "urllib3": (f"urllib3.PoolManager().request('GET', '{URL}')", CALL),
    "urllib": (f"urllib.request.urlopen('{URL}')", CALL),
    "http.client": (
        f"http.client.HTTPSConnection('api.permutive.com').request('POST', '/v2.0/identify?k={KEY}')",
        "POST api.permutive.com/v2.0/identify",
    ),
    "in capitals": (
        f"requests.get('{URL.replace('api.permutive.app', 'API.Permutive.App')}')",
        CALL,
    ),
    "with a final dot": (
        "socket.create_connection(('api.permutive.com.', 443))",
        "api.permutive.com",
    ),
    "socket": ("socket.create_connection(('api.permutive.com', 443))", "api.permutive.com"),
    "bytes": ("socket.getaddrinfo(b'api.permutive.com', 443)", "api.permutive.com"),
    "a connection by name": (
        "sys.audit('socket.connect', None, ('api.permutive.com', 443))",
        "api.permutive.com",
    ),
    "gethostbyname": ("socket.gethostbyname('api.permutive.com')", "api.permutive.com"),
    "asyncio": (
        "asyncio.run(asyncio.open_connection('api.permutive.com', 443))",
        "api.permutive.com",
    ),
    "a thread": (f"ThreadPoolExecutor(1).submit(requests.get, '{URL}').result()", CALL),
}


def test_each_way_to_call(pytester: pytest.Pytester) -> None:
    """Whatever makes the call, the test fails, and the message names the call but no key."""
    codes = [code for code, _ in CALLS.values()]
    tests = [f"def test_{number}(): {code}" for number, code in enumerate(codes)]
    pytester.makepyfile(test_it="\n".join([IMPORTS.strip(), *tests]))
    result = pytester.runpytest(*OFFLINE)
    result.assert_outcomes(failed=len(CALLS))
    for number, (_, call) in enumerate(CALLS.values()):
        line = f"test_it.py::test_{number} (line {number + 5}) called Permutive: {call}. "
        assert line in result.stdout.str()
    assert KEY not in result.stdout.str()
    assert result.stderr.str() == ""


def test_the_whole_message(pytester: pytest.Pytester) -> None:
    """The message says what to do, and stands alone, since a traceback might show a key."""
    pytester.makepyfile(test_it=f"{IMPORTS}\ndef test_calls():\n    {CALLS['requests'][0]}\n")
    printed = pytester.runpytest(*OFFLINE).stdout.str()
    (shown,) = re.findall(r"__ test_calls __+\n(.*?)\n=====", printed, re.DOTALL)
    assert shown == (
        f"test_it.py::test_calls (line 7) called Permutive: {CALL}. --permutive-offline allows no such "
        "call. Nothing was sent. Use the fixture permutive_sandbox, or replace the call."
    )


@pytest.mark.parametrize("mark", ["", "@pytest.mark.xfail", "@pytest.mark.xfail(strict=True)"])
def test_a_test_that_swallows_the_error(pytester: pytest.Pytester, mark: str) -> None:
    """A test that catches everything fails, also one that is expected to fail."""
    pytester.makepyfile(
        f"{IMPORTS}\n{mark}\ndef test_calls():\n"
        f"    for _ in range(2):\n"
        f"        try:\n            requests.get('{URL}')\n"
        "        except BaseException:\n            pass\n"
        "def test_other(): pass\n"
    )
    result = pytester.runpytest(*OFFLINE, "--junitxml=report.xml")
    result.assert_outcomes(failed=1, passed=1)
    failures = result.stdout.str().partition("short test summary")[
        0
    ]  # With CI=true, it repeats them.
    assert failures.count(f"called Permutive: {CALL}. ") == 1
    report = (pytester.path / "report.xml").read_text()
    assert report.count("<failure") == 1 and "<skipped" not in report


def test_another_failure(pytester: pytest.Pytester) -> None:
    """A test that fails for another reason shows that, and the call beside it."""
    pytester.makepyfile(
        f"{IMPORTS}\ndef test_calls():\n"
        f"    try:\n        requests.get('{URL}')\n"
        "    except BaseException:\n        raise KeyError('mine') from None\n"
    )
    result = pytester.runpytest(*OFFLINE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *KeyError: 'mine'", f"* called Permutive: {CALL}. *"])


def test_a_fixture(pytester: pytest.Pytester) -> None:
    """A call while a test is set up, or afterwards, is an error of that test."""
    pytester.makepyfile(
        f"{IMPORTS}\ndef call():\n"
        f"    try:\n        requests.get('{URL}')\n    except BaseException:\n        pass\n"
        "@pytest.fixture\ndef before(): call()\n"
        "@pytest.fixture\ndef after():\n    yield\n    call()\n"
        "def test_before(before): pass\n"
        "def test_after(after): pass\n"
        "def test_neither(): pass\n"
    )
    pytester.runpytest(*OFFLINE).assert_outcomes(errors=2, passed=2)


def test_code_outside_of_tests(pytester: pytest.Pytester) -> None:
    """A call while conftest.py is imported makes the run fail, although it catches the error."""
    pytester.makeconftest(
        f"import requests\ntry:\n    requests.get('{URL}')\nexcept BaseException:\n    pass\n"
    )
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest(*OFFLINE)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"Code outside of tests called Permutive: {CALL}. *"])


def test_what_is_allowed(pytester: pytest.Pytester) -> None:
    """Calls of the sandbox, of other hosts and of replaced functions pass."""
    pytester.makeconftest('pytest_plugins = ["PermutiveAPI.sandbox.pytest_plugin"]')
    pytester.makepyfile(
        f"{IMPORTS}\ndef test_sandbox(permutive_sandbox):\n    assert len(Cohort.list()) == 28\n"
        "def test_other_hosts():\n"
        "    socket.getaddrinfo('localhost', 80)\n"
        "    for host in ('api.permutive.app.example', 'xapi.permutive.app', 'permutive.com', None):\n"
        "        sys.audit('socket.getaddrinfo', host, 80, 0, 0, 0)\n"
        "    sys.audit('http.client.send', None, b'GET / HTTP/1.1\\r\\nHost: api.permutive.app')\n"
        "    sys.audit('http.client.send', None, b'see https://api.permutive.app/ and so on')\n"
        "    sys.audit('socket.connect', None, '/api.permutive.app')\n"
        "def test_replaced(monkeypatch):\n"
        "    response = requests.Response()\n"
        "    response.status_code, response._content = 200, b'[]'\n"
        "    monkeypatch.setattr(requests.Session, 'send', lambda *a, **k: response)\n"
        "    assert Cohort.list(api_key='k') == []\n"
    )
    pytester.runpytest(*OFFLINE).assert_outcomes(passed=3)


@pytest.fixture
def proxy() -> socket.socket:
    """A socket that listens, and answers nothing."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("place", ["environment", "argument"])
def test_proxies(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    proxy: socket.socket,
    scheme: str,
    place: str,
) -> None:
    """A proxy, which would look the host up itself, gets nothing."""
    url = "http://127.0.0.1:%d" % proxy.getsockname()[1]
    if place == "environment":
        for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, url)
    proxies = {"http": url, "https": url} if place == "argument" else None
    pytester.makepyfile(
        f"{IMPORTS}\ndef test_calls():\n"
        f"    requests.get('{URL.replace('https', scheme)}', proxies={proxies}, timeout=5)\n"
    )
    with proxy:
        result = pytester.runpytest(*OFFLINE)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"*called Permutive: {CALL}. *"])
        assert KEY not in result.stdout.str()
        proxy.settimeout(0.01)
        if place == "environment":
            with pytest.raises(TimeoutError):
                proxy.accept()
        else:
            with proxy.accept()[0] as connection:
                assert connection.recv(100) == b""
    assert "no_proxy" not in os.environ


def test_afterwards(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the run, and without the option, nothing is blocked."""
    pytester.makepyfile("def test_it(): pass")
    for name in ("HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.setenv(name, "a.example")
    pytester.runpytest(*OFFLINE)
    assert (os.environ["NO_PROXY"], os.environ.get("no_proxy")) == ("a.example", None)
    sys.audit("socket.getaddrinfo", "api.permutive.app", 443, 0, 0, 0)


def test_it_imports_nothing(pytester: pytest.Pytester) -> None:
    """A run without the option imports neither the package nor requests nor pandas."""
    pytester.makepyfile(
        "import sys\ndef test_it():\n"
        "    assert 'pytest_permutive' in sys.modules\n"
        "    assert not {'PermutiveAPI', 'requests', 'urllib3', 'pandas'} & {*sys.modules}\n"
    )
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-m", "pytest", "-p", "pytest_permutive", "-p", "no:cacheprovider"]
    done = subprocess.run(run, capture_output=True, text=True, env=environment, timeout=20)
    assert done.returncode == 0, done.stdout


def test_it_is_declared() -> None:
    """pytest finds the option in every environment with the package; its file is in the wheel and the source."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert '[project.entry-points.pytest11]\npytest_permutive = "pytest_permutive"\n' in project
    assert 'only-include = ["PermutiveAPI", "pytest_permutive.py"]\n' in project
    assert '"/pytest_permutive.py"' in project
