"""The parts of a batch."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, Optional, cast

import pytest

import PermutiveAPI
from PermutiveAPI import BatchRequest, Progress, RetryConfig
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.batch.types import ReadingRequest
from tests.support.rows import for_each

TIMEOUT = "PERMUTIVE_BATCH_TIMEOUT_SECONDS"


def test_fields() -> None:
    """The fields have the documented order; all but the first two are optional."""
    request = BatchRequest("GET", "https://h")
    assert dataclasses.is_dataclass(BatchRequest)
    assert {each.name: getattr(request, each.name) for each in dataclasses.fields(request)} == {
        "method": "GET",
        "url": "https://h",
        "params": None,
        "json": None,
        "headers": None,
        "timeout": 10.0,
        "retry": None,
        "callback": None,
        "error_callback": None,
        "item": None,
    }
    with pytest.raises(TypeError, match="item"):
        cast(Any, BatchRequest)("GET", "https://h", item=5)
    assert list(inspect.signature(BatchRequest).parameters)[:3] == ["method", "url", "params"]
    retry = RetryConfig(1, 1, 0)
    full = BatchRequest("POST", "u", {"a": 1}, {"b": 2}, {"c": "d"}, None, retry, print, repr)
    assert (full.params, full.json, full.headers) == ({"a": 1}, {"b": 2}, {"c": "d"})
    assert (full.timeout, full.retry) == (None, retry)
    assert (full.callback, full.error_callback) == (print, repr)


def test_timeout_is_read_when_the_object_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default timeout comes from the environment when the object is made."""
    before = BatchRequest("GET", "u")
    monkeypatch.setenv(TIMEOUT, "2.5")
    assert BatchRequest("GET", "u").timeout == 2.5
    assert before.timeout == 10.0


@for_each("value", ["0", "-1", "nan", "soon"])
def test_bad_timeout(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A wrong variable is a ValueError that names it, if the timeout is left out."""
    monkeypatch.setenv(TIMEOUT, value)
    with pytest.raises(ValueError, match=TIMEOUT):
        BatchRequest("GET", "u")
    assert BatchRequest("GET", "u", timeout=1.0).timeout == 1.0


def test_repr_shows_no_secret() -> None:
    """repr() shows every field that is not None, without secrets."""
    request: Any = BatchRequest(
        "GET",
        "https://h/x?k=s3cret",
        {"token": "s3cret"},
        {"api_key": "s3cret"},
        {"X-API-Key": "s3cret"},
    )
    text = repr(request)
    assert "s3cret" not in text
    assert text.startswith("BatchRequest(method='GET', url='https://h/x?k=[REDACTED]")
    for each in dataclasses.fields(request):
        assert (f"{each.name}=" in text) is (getattr(request, each.name) is not None)


def test_reading_requests_are_batch_requests() -> None:
    """A ReadingRequest is a BatchRequest, and needs the argument `read`."""
    assert isinstance(ReadingRequest("GET", "u", item=1, read=print), BatchRequest)
    with pytest.raises(TypeError, match="read"):
        cast(Any, ReadingRequest)("GET", "u", item=1)


def test_progress_is_frozen() -> None:
    """A Progress has the six fields of 5.4.4, then what is new with a default, and cannot be changed."""
    request = BatchRequest("GET", "u")
    progress = Progress(1, 2, 0, request, 0.5, 500.0)
    assert [each.name for each in dataclasses.fields(Progress)] == [
        "completed",
        "total",
        "errors",
        "batch_request",
        "elapsed_seconds",
        "average_per_thousand_seconds",
        "skipped",
    ]
    assert progress.batch_request is request
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(progress, "completed", 2)
    older = Progress(1, 2, 0, request, 0.0, None)
    assert (older.average_per_thousand_seconds, older.skipped) == (None, 0)


@for_each("items", ["text", b"raw", 5, None])
def test_items_that_are_no_list(items: Any) -> None:
    """A text, or an object that is not iterable, is a TypeError that names the argument."""
    with pytest.raises(TypeError, match="cohorts must be a list"):
        PermutiveAPI.Cohort.batch_create(items, api_key="k")
    with pytest.raises(TypeError, match="requests must be a list"):
        http.process_batch(items, api_key="k", max_workers=1)
    with pytest.raises(TypeError, match="ids must be a list"):
        PermutiveAPI.Import.batch_get_by_id(items, api_key="k")


@for_each(
    ("completed", "total", "per_thousand", "rate", "remaining"),
    [
        (50, 200, 200.0, 5.0, 30.0),
        (200, 200, 200.0, 5.0, 0.0),
        (50, None, 200.0, 5.0, None),
        (3, 9, None, None, None),
    ],
)
def test_rate_and_remaining_time(
    completed: int,
    total: Optional[int],
    per_thousand: Optional[float],
    rate: Optional[float],
    remaining: Optional[float],
) -> None:
    """Rate and remaining time follow from the average; they are None if it, or the total, is unknown."""
    progress = Progress(completed, total, 0, BatchRequest("GET", "https://h"), 10.0, per_thousand)
    assert progress.requests_per_second == rate
    assert progress.remaining_seconds == remaining
