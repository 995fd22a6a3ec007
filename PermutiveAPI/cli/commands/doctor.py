"""``permutive doctor``: which versions, settings and keys are used, and whether the service can be reached."""

from __future__ import annotations

import os
import platform
import shlex
import stat
import time
from collections.abc import Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, NamedTuple

import click

from PermutiveAPI import (
    Cohort,
    PermutiveAPIError,
    RetryConfig,
    Workspace,
    WorkspaceList,
    __version__,
    options,
)
from PermutiveAPI._Utils import settings
from PermutiveAPI._Utils.credentials import DEFAULT_API_KEY, resolve_api_key
from PermutiveAPI.Tables.target import present_origin

from ..exits import ExitStatus, status_of
from ..options import record_format_option, workspace_name_option, workspace_named
from ..output import Format, write_rows

_PACKAGES = (
    "requests urllib3 pandas python-dotenv click rich tqdm starlette uvicorn openpyxl".split()
)
_COLUMNS = ("check", "status", "detail")
# It should not take minutes to say that the service cannot be reached.
_SECONDS = 10
_ONCE = RetryConfig(max_retries=1, backoff_factor=1, initial_delay=0)
# The settings that its own requests do not use.
_OF_OTHER_CALLS = (
    partial(settings.number, settings.TIMEOUT_SECONDS, settings.DEFAULT_TIMEOUT_SECONDS),
    partial(settings.number, settings.BATCH_TIMEOUT_SECONDS, settings.DEFAULT_TIMEOUT_SECONDS),
    partial(settings.count, settings.BATCH_MAX_WORKERS),
    RetryConfig,
)


class Check(NamedTuple):
    """One line of the result: what was looked at, and what was found. A failed check gives its exit status."""

    check: str
    status: Literal["ok", "info", "warning", "failed"]
    detail: str
    exit_status: ExitStatus = ExitStatus.DONE


@click.command()
@workspace_name_option("name", help="Only this workspace, by its name or id.")
@record_format_option
def doctor(name: str | None, format: Format) -> ExitStatus:
    """Check the configuration, the keys and the service.

    It shows where each key comes from, but not the key. It lists the cohorts with each key, and changes
    nothing.
    """
    with options(timeout=_SECONDS, retry=_ONCE):
        checks = [*_versions(), *_configuration(), *_services(name)]
    rows = [{name: getattr(each, name) for name in _COLUMNS} for each in checks]
    write_rows(rows, _COLUMNS, format, running_over="detail")
    return max(each.exit_status for each in checks)


def _versions() -> Iterator[Check]:
    yield Check("PermutiveAPI", "info", __version__)
    yield Check("Python", "info", f"{platform.python_version()} on {platform.system()}")
    for package in _PACKAGES:
        try:
            yield Check(package, "info", version(package))
        except PackageNotFoundError:
            yield Check(package, "info", "not installed")


def _configuration() -> Iterator[Check]:
    """Yield where calls go, and which variables are set, and where."""
    try:
        yield Check("calls go to", "info", present_origin())
    except ValueError as error:
        yield _failed("calls go to", error)
    for name in (settings.API_KEY, settings.APPLICATION_CREDENTIALS):
        if settings.text(name) is None:
            yield Check(name, "info", "not set")
        else:
            yield Check(name, "info", f"set in {settings.file_of(name) or 'the environment'}")
    for read in _OF_OTHER_CALLS:
        try:
            read()
        except ValueError as error:
            yield _failed("settings", error)


def _default_key() -> Check:
    """Return which key is used without ``--workspace``."""
    if settings.text(settings.API_KEY) is not None:
        return Check("default key", "info", f"from {settings.API_KEY}")
    try:
        resolve_api_key(DEFAULT_API_KEY)  # If there is no key, it names both variables.
        return Check("default key", "info", f"of the workspace {Workspace.from_env().name!r}")
    except ValueError as error:
        return _failed("default key", error)


def _services(name: str | None) -> Iterator[Check]:
    """Yield whether each key can list cohorts."""
    if name is not None:
        yield _listing(f"workspace {name!r}", workspace_named(name).api_key)
        return
    yield _default_key()
    if settings.text(settings.API_KEY) is not None:
        yield _listing(f"the key of {settings.API_KEY}", DEFAULT_API_KEY)
    if settings.text(settings.APPLICATION_CREDENTIALS) is not None:
        yield from _credentials_file()


def _credentials_file() -> Iterator[Check]:
    """Yield whether others can read the credentials file, and whether each of its keys can list cohorts."""
    path = os.path.expanduser(settings.text(settings.APPLICATION_CREDENTIALS) or "")
    try:
        workspaces: list[Workspace] = WorkspaceList.from_env()
    except ValueError as error:
        yield _failed("credentials file", error)
        return
    is_private = os.name != "posix" or not os.stat(path).st_mode & (stat.S_IRGRP | stat.S_IROTH)
    if is_private:
        yield Check("credentials file", "ok", path)
    else:
        advice = f"others can read it: chmod 600 {shlex.quote(path)}"
        yield Check("credentials file", "warning", advice)
    for workspace in workspaces:
        yield _listing(f"workspace {workspace.name!r}", workspace.api_key)


def _listing(check: str, api_key: str) -> Check:
    """Return whether a key can list cohorts, and how long it takes."""
    begun = time.monotonic()
    try:
        count = len(Cohort.list(api_key=api_key))
    except (PermutiveAPIError, ValueError) as error:
        return _failed(check, error)
    return Check(check, "ok", f"{count:,} cohorts, {time.monotonic() - begun:.1f} s")


def _failed(check: str, error: Exception) -> Check:
    return Check(check, "failed", str(error), status_of(error) or ExitStatus.SOME_FAILED)
