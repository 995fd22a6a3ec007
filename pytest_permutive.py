"""The option ``--permutive-offline`` of pytest: no test calls Permutive.

pytest imports this module in each run in an environment that has the package. So it stands beside the
package, which would import requests, and itself imports only what pytest has imported before.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import cache
from types import FrameType
from typing import Any, cast

import pytest

_OPTION = "--permutive-offline"
_HOSTS = ("api.permutive.app", "api.permutive.com")
_NO_PROXY = ("no_proxy", "NO_PROXY")
# What a client sends to a proxy: the method, and the host with a scheme or a port.
_REQUEST_TO_PROXY = re.compile(rb"[A-Z]+ (?:https?://)?([^/?#: ]+)[^ ]* HTTP/1", re.IGNORECASE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("permutive").addoption(
        _OPTION,
        action="store_true",
        help="fail each test that calls api.permutive.app or api.permutive.com, and send nothing there",
    )


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Block calls before the first conftest.py is imported."""
    if early_config.known_args_namespace.permutive_offline:
        offline = Offline()
        early_config.pluginmanager.register(offline, "permutive-offline")
        _running.append(offline)
        _hear_audit_events()


# The runs of pytest that have the option and have not ended. One may run inside another.
_running: list[Offline] = []


@cache
def _hear_audit_events() -> None:
    """Pass Python's audit events on to all runs. An audit hook cannot be removed, so one is added for all."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        for run in _running:
            run.hear(event, arguments)

    sys.addaudithook(hear)


class Offline:
    """Blocks calls to Permutive, and fails the tests that make them, even those that catch the error.

    It hears when a host's name is looked up or a connection is made, so the HTTP library does not matter.
    """

    def __init__(self) -> None:
        self._test: pytest.Item | None = None
        self._calls_of_test: list[str] = []
        self._other_calls: list[str] = []
        self._environment = pytest.MonkeyPatch()
        if any(name.lower().endswith("_proxy") for name in os.environ):
            # A proxy would look up the name itself.
            for name in _NO_PROXY:
                exempt = os.environ.get(name)
                if exempt != "*":
                    hosts = [exempt, *_HOSTS] if exempt else _HOSTS
                    self._environment.setenv(name, ",".join(hosts))

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise if one of Python's audit events is a call to Permutive."""
        host_in = _HOST_IN.get(event)
        if host_in is None:
            return
        host = _plain(host_in(arguments))
        if host in _HOSTS:
            call = self._described(host)
            (self._other_calls if self._test is None else self._calls_of_test).append(call)
            raise pytest.fail.Exception(call, pytrace=False)

    def _described(self, host: str) -> str:
        request, line = "", ""
        for frame in _frames():
            request = request or _request_in(frame, host)
            if self._test is not None and frame.f_code.co_filename == str(self._test.path):
                line = line or f" (line {frame.f_lineno})"
        caller = "Code outside of tests" if self._test is None else f"{self._test.nodeid}{line}"
        return (
            f"{caller} called Permutive: {request or host}. {_OPTION} allows no such call. Nothing was "
            "sent. Use the fixture permutive_sandbox, or replace the call."
        )

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, None]:
        """Know which test runs."""
        self._test = item
        yield
        self._test = None

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, None]:
        """Fail a test that has called Permutive, whatever it did with the error."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        calls, self._calls_of_test = dict.fromkeys(self._calls_of_test), []
        if not calls:
            return
        text = "\n".join(calls)
        if report.failed and not any(call in report.longreprtext for call in calls):
            report.sections.append((_OPTION, text))  # It failed for another reason.
        else:
            report.outcome, report.longrepr = "failed", text  # A traceback might show a key.
            vars(report).pop("wasxfail", None)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run if code outside of tests has called Permutive."""
        if self._other_calls:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell which calls were made outside of tests."""
        if self._other_calls:
            terminalreporter.section(_OPTION)
        for call in dict.fromkeys(self._other_calls):
            terminalreporter.line(call)

    def pytest_unconfigure(self) -> None:
        """Let calls pass again."""
        _running.remove(self)
        self._environment.undo()


def _of_address(arguments: tuple[Any, ...]) -> Any:
    address = arguments[1]
    return cast("tuple[Any, ...]", address)[0] if isinstance(address, tuple) else None


def _of_request_to_proxy(arguments: tuple[Any, ...]) -> Any:
    data = arguments[1]
    start = _REQUEST_TO_PROXY.match(data) if isinstance(data, bytes) else None
    return None if start is None else start[1]


# The audit events that a call raises, and where each of them has the host.
_HOST_IN: Mapping[str, Callable[[tuple[Any, ...]], Any]] = {
    "socket.getaddrinfo": lambda arguments: arguments[0],
    "socket.gethostbyname": lambda arguments: arguments[0],
    "socket.connect": _of_address,
    "http.client.send": _of_request_to_proxy,
}


def _plain(host: Any) -> str:
    text = host.decode("latin-1") if isinstance(host, bytes) else str(host)
    return text.lower().rstrip(".")


def _frames() -> Iterator[FrameType]:
    """Yield the frames of this thread and of the main thread, which may wait for it, innermost first."""
    # It is documented, in spite of its name.
    running = sys._current_frames()  # pyright: ignore[reportPrivateUsage]
    for thread in dict.fromkeys((threading.get_ident(), threading.main_thread().ident)):
        frame = running.get(thread or 0)
        while frame is not None:
            yield frame
            frame = frame.f_back


def _request_in(frame: FrameType, host: str) -> str:
    """Return the method and URL that a frame sends; without the query, which may hold the key."""
    method, url = frame.f_locals.get("method"), frame.f_locals.get("url")
    if not (isinstance(method, str) and isinstance(url, str)):
        return ""
    path = re.sub("^https?://[^/?#]*", "", url, flags=re.IGNORECASE)
    return f"{method.upper()} {host}{re.split('[?#]', path)[0]}"
