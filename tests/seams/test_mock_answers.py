"""Mocks as responses."""

from __future__ import annotations

import pickle
from typing import Any, Callable, Dict, List, Type
from unittest.mock import MagicMock, Mock, patch

import pytest
import requests

from PermutiveAPI import (
    Cohort,
    Import,
    PermutiveAPIError,
    PermutiveBadRequestError,
    PermutiveRateLimitError,
    PermutiveResourceNotFoundError,
    PermutiveServerError,
    Segment,
)
from PermutiveAPI._Utils import http
from tests.support.fakes import KEY, URL

STATUSES: Dict[int, Any] = {
    400: PermutiveBadRequestError,
    404: PermutiveResourceNotFoundError,
    418: PermutiveAPIError,
    429: PermutiveRateLimitError,
    500: PermutiveServerError,
}


@pytest.mark.parametrize("spec", [None, requests.Response])
@pytest.mark.parametrize("make", [Mock, MagicMock])
def test_raise_for_status_takes_mocks(make: Type[Mock], spec: Any) -> None:
    """``raise_for_status`` maps a mock that has only a status code, with and without a spec."""
    for status, error_class in STATUSES.items():
        answer = make(spec=spec, status_code=status)
        with pytest.raises(error_class) as caught:
            http.raise_for_status(RuntimeError("x"), answer)
        assert type(caught.value) is error_class
        assert caught.value.status == status
        assert caught.value.response is answer


@pytest.mark.parametrize("spec", [None, requests.Response])
@pytest.mark.parametrize("make", [Mock, MagicMock])
def test_with_retry_takes_mocks(make: Type[Mock], spec: Any, waits: List[float]) -> None:
    """Mocks with a status code are retried and mapped like any other response."""
    answers = [make(spec=spec, status_code=status) for status in (500, 429, 400)]
    with pytest.raises(PermutiveBadRequestError):
        http._with_retry(Mock(side_effect=answers), URL, KEY)
    assert len(waits) == 2


def test_redaction_takes_mocks() -> None:
    """``_redact_sensitive_data`` accepts a mock whose headers are a mock, too."""
    assert http._redact_sensitive_data(f"k={KEY}", Mock()) == "k=[REDACTED]"


@pytest.mark.parametrize(
    "model, read, body",
    [
        (Import, lambda: Import.list(KEY), {"foo": 1}),
        (Import, lambda: Import.get_by_id("i", KEY), []),
        (Cohort, lambda: Cohort.list(KEY), {"foo": 1}),
        (Segment, lambda: Segment.list("i", KEY), []),
    ],
)
def test_specified_mocks_that_cannot_be_read(
    model: Any, read: Callable[[], Any], body: Any
) -> None:
    """An unreadable body of a ``Mock(spec=requests.Response)`` is a ValueError."""
    answer = Mock(spec=requests.Response)
    answer.json.return_value = body
    with patch.object(model, "_request_helper") as helper:
        helper.get.return_value = answer
        with pytest.raises(ValueError) as caught:
            read()
    assert isinstance(caught.value, PermutiveAPIError)


def test_errors_with_mocks_survive_pickling() -> None:
    """An error whose response is a mock can be pickled; the mock is left out."""
    answer = Mock(spec=requests.Response, status_code=404)
    with pytest.raises(PermutiveResourceNotFoundError) as caught:
        http.raise_for_status(RuntimeError("x"), answer)
    restored = pickle.loads(pickle.dumps(caught.value))
    assert (type(restored), str(restored)) == (type(caught.value), str(caught.value))
    assert (restored.status, restored.response) == (404, None)
