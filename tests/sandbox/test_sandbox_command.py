"""The command line."""

import json
import os
import re
import signal
import sys
import threading
import types
from pathlib import Path

import pytest
import requests

from PermutiveAPI.__main__ import main
from PermutiveAPI.sandbox import Sandbox, command
from tests.cli.commands import start
from tests.support.platforms import needs_posix

LINES = 6


@pytest.fixture
def served():
    """Start the command in another process; give the process and its output."""
    arguments = ["--port", "0", "--latency-ms", "1", "--rate-limit", "3"]
    with start("sandbox", *arguments) as process:
        assert process.stdout
        try:
            yield process, "".join(process.stdout.readline() for _ in range(LINES))
        finally:
            process.kill()


@needs_posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_and_stops(served, number):
    """The command serves any client, limits its rate, and ends cleanly on a signal."""
    process, printed = served
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", printed, re.M))
    url = exports["PERMUTIVE_API_BASE_URL"]
    credentials = Path(exports["PERMUTIVE_APPLICATION_CREDENTIALS"])
    key = json.loads(credentials.read_text())[0]["api_key"]
    assert f"API key: {key}\nRead-only key: {Sandbox().read_only_api_key}\n" in printed
    path = f"{url}/cohorts-api/v2/cohorts/"
    with requests.Session() as session:
        answers = [session.get(path, params={"k": key}, timeout=5) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429]
        assert answers[3].headers["retry-after"] == "1"
        process.send_signal(number)
        rest, errors = process.communicate(timeout=5)
    assert (process.returncode, rest, errors) == (0, "Stopped.\n", "")
    assert not credentials.parent.exists()


def test_in_process(sandbox, capsys, monkeypatch):
    """The options reach the sandbox, and the handlers of signals are restored."""
    seen = []

    def interrupt(sandbox, credentials):
        seen.append(sandbox)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        return "served"

    monkeypatch.setattr(command, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(command, "_greeting", interrupt)
    before = signal.getsignal(signal.SIGINT)
    options = ["--port", "0", "--latency-ms", "20", "--rate-limit", "100"]
    assert main(["sandbox", *options, "--page-size", "7"]) == 0
    (sandbox,) = seen
    assert sandbox.latency_seconds == 0.02
    assert (sandbox.rate_limit_per_second, sandbox.page_size) == (100, 7)
    assert capsys.readouterr().out == "served\nStopped.\n"
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    "options, check", [([], None), (["--check-queries"], True), (["--no-check-queries"], False)]
)
def test_check_queries(monkeypatch, options, check):
    """The option has three values; by default, it is the sandbox's default."""
    seen = []
    monkeypatch.setattr(command, "serve", lambda sandbox: seen.append(sandbox) or 0)
    assert main(["sandbox", *options]) == 0
    assert [sandbox.check_queries for sandbox in seen] == [check]


def test_greeting(sandbox, tmp_path):
    """The lines that are printed at the start can be pasted into another shell."""
    text = command._greeting(sandbox, tmp_path / "a b.json")
    assert text.splitlines() == [
        f"Permutive sandbox at {sandbox.base_url} (Ctrl-C stops it)",
        f"API key: {sandbox.api_key}",
        f"Read-only key: {sandbox.read_only_api_key}",
        "To use it from another shell:",
        f"export PERMUTIVE_API_BASE_URL={sandbox.base_url}",
        f"export PERMUTIVE_APPLICATION_CREDENTIALS='{tmp_path}/a b.json'",
    ]
    assert text.count("\n") == LINES - 1


@pytest.mark.parametrize(
    "host, words",
    [
        ("127.0.0.1", "is already in use. Choose another port; 0 takes a free one.\n"),
        ("256.1.1.1", "Cannot listen on"),
    ],
)
def test_no_address(sandbox, capsys, host, words):
    """If the address is not available, one line says why."""
    port = sandbox.base_url.rsplit(":", 1)[1]
    assert main(["sandbox", "--host", host, "--port", port]) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["sandbox", "--port", "65536"], "65536 is not in the range"),
        (["sandbox", "--port", "x"], "--port"),
        (["sandbox", "--latency-ms", "-1"], "-1.0 is not in the range"),
        (["sandbox", "--latency-ms", "nan"], "'nan' is not a number"),
        (["sandbox", "--latency-ms", "inf"], "inf is not in the range"),
        (["sandbox", "--rate-limit", "0"], "0 is not in the range"),
        (["sandbox", "--page-size", "0"], "0 is not in the range"),
        ([], "COMMAND"),
        (["nope"], "nope"),
    ],
)
def test_wrong_arguments(capsys, arguments, words):
    """A wrong argument gives status 2 and a message that names it."""
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words", [(["--help"], ["demo", "sandbox"]), (["sandbox", "--help"], ["429"])]
)
def test_help(capsys, arguments, words):
    """The help names the commands, and a command's help its options."""
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in words)


def test_help_of_the_options(capsys, monkeypatch):
    """The help says what every option does, and its default."""
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["sandbox", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        " --host TEXT Address to listen on. [default: 127.0.0.1] "
        "--port INTEGER RANGE Port; 0 takes a free one. [default: 8080; 0<=x<=65535] "
        "--latency-ms MS Delay before each response, in milliseconds. [default: 0.0; 0<=x<=86400000] "
        "--rate-limit N Requests accepted per second; the response to more is 429. Default: no limit. [x>=1] "
        "--page-size N Segments on one page. [default: 20; x>=1] "
        "--check-queries / --no-check-queries "
        "Check and evaluate every query of a cohort, or check none. "
        "Default: check those that use the grammar. "
    ) in printed


def fake_demo(monkeypatch, run_demo):
    """Replace the module of the demo."""
    module = types.ModuleType("PermutiveAPI._demo")
    vars(module)["run_demo"] = run_demo
    monkeypatch.setitem(sys.modules, "PermutiveAPI._demo", module)


def raising(error):
    """Return a function that raises."""

    def run():
        raise error

    return run


def test_demo(monkeypatch):
    """The command `demo` runs the demo and returns its status."""
    fake_demo(monkeypatch, lambda: 7)
    assert main(["demo"]) == 7
    fake_demo(monkeypatch, raising(KeyboardInterrupt()))
    assert main(["demo"]) == 130


def test_missing_extra(monkeypatch, capsys):
    """Without the extra, the command says what to install; other errors are raised."""
    missing = ImportError('pip install "PermutiveAPI[sandbox]"', name="uvicorn")
    fake_demo(monkeypatch, raising(missing))
    assert main(["demo"]) == 2
    assert capsys.readouterr().err == 'Error: pip install "PermutiveAPI[sandbox]"\n'
    fake_demo(monkeypatch, raising(ImportError("x", name="PermutiveAPI.Cohort")))
    with pytest.raises(ImportError):
        main(["demo"])


def test_serve_takes_a_sandbox():
    """A sandbox that is running cannot be served again."""
    with Sandbox() as running:
        with pytest.raises(RuntimeError):
            command.serve(running)
