"""PERMUTIVE_API_BASE_URL: valid origins, the URLs that go there, and the warning about plain http."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import List, Optional

import pytest

from PermutiveAPI._Utils import settings
from PermutiveAPI._Utils.base_url import actual_url, base_url, origin_of
from PermutiveAPI._Utils.settings import API_BASE_URL
from tests.support.platforms import needs_fork
from tests.support.rows import for_each


def origin_now() -> Optional[str]:
    """Read the variable as a call does."""
    return base_url(settings.text(API_BASE_URL))


@for_each("value", ["", " ", "\t\n"])
def test_blank_means_unset(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A blank value counts as not set."""
    monkeypatch.setenv(API_BASE_URL, value)
    assert origin_now() is None


@for_each(
    ("value", "expected"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://example.com", "https://example.com"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        (" http://127.0.0.1:8080\n", "http://127.0.0.1:8080"),
    ],
)
def test_origins(monkeypatch: pytest.MonkeyPatch, value: str, expected: str) -> None:
    """An origin is http or https, a host and perhaps a port."""
    monkeypatch.setenv(API_BASE_URL, value)
    assert origin_now() == expected


@for_each(
    "value",
    [
        "127.0.0.1:8080",
        "localhost",
        "ftp://host",
        "http://",
        "http://:8080",
        "http://host:port",
        "http://host:99999",
        "http://host/path",
        "http://host?x=1",
        "http://host#x",
        "http://host?",
        "http://host#",
        "http://host\\x",
        "http://me:hunter2@host",
        "http://ho st",
        "http://[::1",
    ],
)
def test_invalid_origins(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Another value is a ValueError that names the variable, and shows no password."""
    monkeypatch.setenv(API_BASE_URL, value)
    with pytest.raises(ValueError) as caught:
        origin_now()
    assert str(caught.value) == (
        "PERMUTIVE_API_BASE_URL must be an origin such as http://127.0.0.1:8080: http or https, "
        "a host and perhaps a port, without user, path or query."
    )


# --- Plain http ------------------------------------------------------------------------------


def warnings(caplog: pytest.LogCaptureFixture) -> List[str]:
    """Return the records of this library, all of them warnings."""
    own = [record for record in caplog.records if record.name == "PermutiveAPI"]
    assert {record.levelno for record in own} <= {logging.WARNING}
    return [record.getMessage() for record in own]


def test_plain_http_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Plain http to another machine is logged once for each origin, even by many threads."""
    text = (
        "PERMUTIVE_API_BASE_URL is plain http: keys and data travel to {} unencrypted. Use https."
    )
    monkeypatch.setenv(API_BASE_URL, "http://one.example")
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        origin_now()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings(caplog) == [text.format("http://one.example")]
    monkeypatch.setenv(API_BASE_URL, "HTTP://two.example:8080")
    origin_now()
    monkeypatch.setenv(API_BASE_URL, "http://one.example/")
    origin_now()
    assert warnings(caplog)[1:] == [text.format("HTTP://two.example:8080")]


@for_each("origin", ["https://staging.example", "http://127.0.0.1:1", "http://localhost"])
def test_no_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, origin: str
) -> None:
    """https, and plain http on the same machine, is not logged."""
    monkeypatch.setenv(API_BASE_URL, origin)
    origin_now()
    assert warnings(caplog) == []


@needs_fork
def test_forked_child(tmp_path: Path) -> None:
    """A forked child does not hang, and logs only origins that its parent has not logged."""
    script = """
import logging, os
from PermutiveAPI._Utils import settings
from PermutiveAPI._Utils.base_url import actual_url, base_url, origin_of
logging.basicConfig(format="%(message)s")
os.environ["PERMUTIVE_API_BASE_URL"] = "http://one.example"
base_url(settings.text(settings.API_BASE_URL))
if os.fork() == 0:
    base_url(settings.text(settings.API_BASE_URL))
    os.environ["PERMUTIVE_API_BASE_URL"] = "http://two.example"
    base_url(settings.text(settings.API_BASE_URL))
else:
    os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    told = [line.split(" to ")[1] for line in done.stderr.splitlines()]
    assert told == [
        "http://one.example unencrypted. Use https.",
        "http://two.example unencrypted. Use https.",
    ]


@for_each(
    ("url", "origin"),
    [
        ("https://api.permutive.app/cohorts-api/v2/cohorts/?k=a", "https://api.permutive.app"),
        ("HTTP://LocalHost:8080/x", "http://localhost:8080"),
    ],
)
def test_origins_of_urls(url: str, origin: str) -> None:
    """An origin is always written in the same way, since journals contain it and limits depend on it."""
    assert origin_of(url) == origin


ORIGIN = "http://127.0.0.1:8080"


@for_each(
    ("url", "expected"),
    [
        ("https://api.permutive.app/a/b?x=1&y=2#z", f"{ORIGIN}/a/b?x=1&y=2#z"),
        ("https://api.permutive.com/v2.0/identify", f"{ORIGIN}/v2.0/identify"),
        ("HTTPS://API.PERMUTIVE.APP/a", f"{ORIGIN}/a"),
        ("https://api.permutive.app", ORIGIN),
        ("https://api.permutive.app?x=1", f"{ORIGIN}?x=1"),
        ("https://api.permutive.app:443/a", f"{ORIGIN}/a"),
        (" https://api.permutive.app/a", f"{ORIGIN}/a"),
        ("http://api.permutive.com/a", f"{ORIGIN}/a"),
        ("https://apixpermutive.app/a", "https://apixpermutive.app/a"),
        ("https://api.permutive.app/a%2Fb", f"{ORIGIN}/a%2Fb"),
        ("https://example.com/api.permutive.app/a", "https://example.com/api.permutive.app/a"),
        ("https://api.permutive.app.evil.com/a", "https://api.permutive.app.evil.com/a"),
        ("ftp://api.permutive.app/a", "ftp://api.permutive.app/a"),
        ("api.permutive.app/a", "api.permutive.app/a"),
        ("", ""),
    ],
)
def test_another_origin(url: str, expected: str) -> None:
    """Every URL of Permutive's two hosts goes to the origin, with the same path and query; other URLs do not change."""
    assert actual_url(url, None) == url
    assert actual_url(url, ORIGIN) == expected
