"""What the tests of release 5.4.4 need and their source distribution does not contain."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

import pytest

import PermutiveAPI


def pytest_report_header() -> str:
    """Say which package is tested. It must be an installed one, not one beside the tests."""
    package = Path(PermutiveAPI.__file__).resolve()
    if Path(__file__).resolve().parents[1] in package.parents:
        raise pytest.UsageError(f"{package} is not an installed package")
    return f"PermutiveAPI {PermutiveAPI.__version__} at {package.parent}"


@pytest.fixture
def fake_thread_pool(monkeypatch: pytest.MonkeyPatch) -> list[FakePool]:
    """Replace the executor of batches; return the list of the pools that are made."""
    pools: list[FakePool] = []

    def new_pool(max_workers: int | None = None) -> FakePool:
        pools.append(FakePool(max_workers))
        return pools[-1]

    monkeypatch.setattr("PermutiveAPI._Utils.http.ThreadPoolExecutor", new_pool)
    return pools


class FakePool:
    """A minimal executor that runs a call at once, in the caller's thread."""

    def __init__(self, max_workers: int | None) -> None:
        self.max_workers = max_workers

    def __enter__(self) -> FakePool:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing."""

    def submit(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future
