"""``permutive doctor``."""

from __future__ import annotations

import json
import re
from importlib.metadata import requires
from pathlib import Path
from typing import Dict

import pytest
from packaging.requirements import Requirement

from PermutiveAPI.sandbox import Sandbox
from tests.cli.commands import Ended, run, run_in_terminal
from tests.support.platforms import needs_posix, needs_terminal


def checks(*arguments: str) -> "tuple[Ended, Dict[str, Dict[str, str]]]":
    """Run the doctor; return how it ended, and its checks by name."""
    done = run("doctor", "--format", "ndjson", *arguments)
    return done, {row["check"]: row for row in map(json.loads, done.out.splitlines())}


def test_all_is_well(service: Sandbox) -> None:
    """It says where calls go, which key is the default, and how many cohorts each key lists."""
    done, found = checks()
    assert (done.status, done.err) == (0, "")
    assert found["calls go to"]["detail"] == service.base_url
    assert found["PERMUTIVE_API_KEY"]["detail"] == "not set"
    assert found["PERMUTIVE_APPLICATION_CREDENTIALS"]["detail"] == "set in the environment"
    assert found["default key"]["detail"] == "of the workspace 'Meridian Media Group'"
    assert found["credentials file"]["status"] == "ok"
    assert found["workspace 'Meridian Media Group'"]["detail"].startswith("28 cohorts, ")
    assert found["workspace 'Meridian Regional News'"]["status"] == "ok"
    assert {"PermutiveAPI", "Python", "requests", "click"} <= {*found}
    for workspace in service.credentials():
        assert workspace["api_key"] not in done.out


def test_packages() -> None:
    """It lists the version of each package that a user's installation can have."""
    needed = map(Requirement, requires("PermutiveAPI") or ())
    names = {each.name for each in needed if not re.search("dev|docs", str(each.marker))}
    assert {*names, "openpyxl"} - {"PermutiveAPI"} <= {*checks()[1]}


@needs_terminal
@pytest.mark.parametrize("columns", [60, 80], ids=["records", "table"])
def test_a_path_is_shown_whole(
    service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """On a terminal, a long path with spaces is in one line, so that it can be copied."""
    path = tmp_path / "One Drive" / "the workspaces of all brands.json"
    path.parent.mkdir()
    path.write_text("[]")
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    assert str(path) in run_in_terminal("doctor", columns=columns).text


def test_it_only_reads(service: Sandbox) -> None:
    """The service sees one list for each key."""
    checks()
    assert [each.method for each in service.requests] == ["GET", "GET"]


def test_a_key_in_a_file(service: Sandbox, tmp_path: Path) -> None:
    """A key of .env wins over the credentials file, and the file is named."""
    (tmp_path / ".env").write_text(f"PERMUTIVE_API_KEY={service.child_api_key}\n")
    done, found = checks()
    assert done.status == 0 and service.child_api_key not in done.out
    assert found["PERMUTIVE_API_KEY"]["detail"] == f"set in {tmp_path / '.env'}"
    assert found["default key"]["detail"] == "from PERMUTIVE_API_KEY"
    assert found["the key of PERMUTIVE_API_KEY"]["status"] == "ok"


def test_nothing_is_configured() -> None:
    """It says what to set, and the status is that of missing credentials."""
    done, found = checks()
    assert done.status == 4
    assert found["default key"]["status"] == "failed"
    for variable in ("PERMUTIVE_API_KEY", "PERMUTIVE_APPLICATION_CREDENTIALS"):
        assert f"{variable} to " in found["default key"]["detail"]


def test_a_wrong_key(service: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of that key fails, the others do not, and no key is shown."""
    monkeypatch.setenv("PERMUTIVE_API_KEY", "key-0123456789-secret")
    done, found = checks()
    assert done.status == 4 and "0123456789" not in done.out
    assert found["the key of PERMUTIVE_API_KEY"]["detail"].startswith("401")
    assert found["workspace 'Meridian Media Group'"]["status"] == "ok"


@pytest.mark.parametrize("content", ["{not JSON", '{"api_key": "key-0123456789-secret"}', "[]"])
def test_a_broken_credentials_file(
    service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """The reason is shown, but not the file's content."""
    path = tmp_path / "broken.json"
    path.write_text(content)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    done, found = checks()
    assert done.status == 4 and "0123456789" not in done.out
    assert found["credentials file"]["status"] == "failed"


@needs_posix
def test_a_file_that_others_can_read(
    service: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a warning that says what to do, in words that a shell reads."""
    path = (tmp_path / "workspace.json").rename(tmp_path / "our workspaces.json")
    path.chmod(0o644)
    monkeypatch.setenv("PERMUTIVE_APPLICATION_CREDENTIALS", str(path))
    done, found = checks()
    assert (done.status, found["credentials file"]["status"]) == (0, "warning")
    assert found["credentials file"]["detail"] == f"others can read it: chmod 600 '{path}'"


def test_one_workspace(service: Sandbox) -> None:
    """With --workspace, only that key is tried."""
    done, found = checks("--workspace", "Meridian Regional News")
    assert done.status == 0 and "default key" not in found
    assert found["workspace 'Meridian Regional News'"]["status"] == "ok"
    assert len(service.requests) == 1
    assert run("doctor", "--workspace", "nobody").status == 2


def test_a_service_that_cannot_be_reached(
    service: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried once, and the status is 1."""
    monkeypatch.setenv("PERMUTIVE_API_BASE_URL", "http://127.0.0.1:9")
    done, found = checks()
    assert done.status == 1
    assert found["workspace 'Meridian Media Group'"]["status"] == "failed"
    assert found["calls go to"]["detail"] == "http://127.0.0.1:9"


def test_a_service_that_fails_is_not_asked_again(fresh_service: Sandbox) -> None:
    """A doctor says at once what is wrong."""
    fresh_service.fail_next(status=503, times=9)
    assert checks("--workspace", "Meridian Media Group")[0].status == 1
    assert len(fresh_service.requests) == 1


@pytest.mark.parametrize(
    "variable",
    [
        "PERMUTIVE_API_BASE_URL",
        "PERMUTIVE_API_KEY_LOCATION",
        "PERMUTIVE_ATTEMPT_SECONDS",
        "PERMUTIVE_BATCH_MAX_WORKERS",
        "PERMUTIVE_BATCH_TIMEOUT_SECONDS",
        "PERMUTIVE_MAX_RESPONSE_MB",
        "PERMUTIVE_RETRY_BACKOFF_FACTOR",
        "PERMUTIVE_RETRY_INITIAL_DELAY_SECONDS",
        "PERMUTIVE_RETRY_MAX_RETRIES",
        "PERMUTIVE_TIMEOUT_SECONDS",
    ],
)
def test_a_broken_setting(service: Sandbox, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """It says which variable is wrong, also of those that only other commands need."""
    monkeypatch.setenv(variable, "nonsense")
    done, found = checks()
    assert done.status == 2
    assert any(variable in row["detail"] for row in found.values() if row["status"] == "failed")
    assert "Traceback" not in done.err
