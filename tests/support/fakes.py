"""Fakes as in users' own tests: responses, functions and executors."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any, Callable, List, Optional

import requests

KEY = "11111111-2222-4333-8444-555555555555"
URL = "https://api.permutive.app/thing"

COHORTS = "https://api.permutive.app/cohorts-api/v2/cohorts/"
IMPORTS = "https://api.permutive.app/audience-api/v1/imports"
IDENTIFY = "https://api.permutive.com/v2.0/identify"
SEGMENTATION = "https://api.permutive.app/ccs/v1/segmentation"


class OnlyJson:
    """A response of which only ``json()`` works."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def json(self) -> Any:
        """Return the body."""
        return self._body

    def __getattr__(self, name: str) -> Any:
        """Fail the test: the library must read nothing else."""
        raise AssertionError(f"the answer's {name!r} was touched")


def bare(status: int) -> requests.Response:
    """Return a response that has only a status code."""
    response = requests.Response()
    response.status_code = status
    return response


def with_body(status: int, body: bytes = b"{}") -> requests.Response:
    """Return a response with a status code and content."""
    response = bare(status)
    response._content = body
    return response


class UrlOnly:
    """A request that has only a URL."""

    def __init__(self, url: str) -> None:
        self.url = url


class Recorder:
    """A function that records its calls, and returns given values one after the other, the last one repeatedly."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: List[Any] = []
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record the call, and return the next value, or raise it if it is an exception."""
        with self._lock:
            self.calls.append((args, kwargs))
            more = len(self.answers) > 1
            answer = self.answers.pop(0) if more else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


class DoneExecutor:
    """An executor without threads: ``submit`` makes the call, and returns a future that is done."""

    def __init__(self, max_workers: Optional[int]) -> None:
        self.max_workers = max_workers
        self.submitted: List[Any] = []

    def __enter__(self) -> "DoneExecutor":
        return self

    def __exit__(self, *exception: Any) -> None:
        return None

    def submit(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> "Future[Any]":
        """Make the call now."""
        self.submitted.append(args)
        future: "Future[Any]" = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future
