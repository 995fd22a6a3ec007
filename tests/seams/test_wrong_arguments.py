"""Wrong arguments are refused before anything is sent."""

# Type checkers find these mistakes.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any, Callable, List

import pytest
import requests
import requests_mock as requests_mock_package

from PermutiveAPI import BatchRequest, Cohort, Identity, Import, Segment, Segmentation
from PermutiveAPI._Utils import http
from tests.support.fakes import IMPORTS, KEY, URL

WRONG: List[Any] = [
    ("cohorts", lambda: Cohort.batch_create(None, api_key=KEY)),
    ("cohorts", lambda: Cohort.batch_delete(5, api_key=KEY)),
    ("segments", lambda: Segment.batch_update("ab", api_key=KEY)),
    ("identities", lambda: Identity.batch_identify(None, api_key=KEY)),
    ("requests", lambda: Segmentation.batch_send(None, api_key=KEY)),
    ("requests", lambda: http.process_batch(None, api_key=KEY, max_workers=1)),
    ("ids", lambda: Import.batch_get_by_id(None, api_key=KEY)),
    ("ids", lambda: Import.batch_get_by_id("i-1", api_key=KEY)),
    ("ids", lambda: Import.batch_get_by_id(b"i-1", api_key=KEY)),
    ("retry", lambda: http.request("GET", KEY, URL, retry=3)),
    ("retry", lambda: http._with_retry(requests.get, URL, KEY, retry={})),
    (
        "progress_callback",
        lambda: http.process_batch(
            [BatchRequest("GET", URL)], api_key=KEY, max_workers=1, progress_callback=5
        ),
    ),
    ("name", lambda: Cohort.get_by_name("", KEY)),
    ("name", lambda: Cohort.get_by_name(None, KEY)),
    ("code", lambda: Cohort.get_by_code(None, KEY)),
    *[
        ("id", lambda id=id: Cohort.get_by_id(id, KEY))
        for id in (b"c-1", ["c-1"], {"id": 1}, True, float("nan"), ("c",))
    ],
    ("segment_id", lambda: Segment.get_by_id("i", b"s", KEY)),
    ("import_id", lambda: Segment.list(float("nan"), KEY)),
    ("api_key", lambda: Cohort.list(b"key")),
    ("api_key", lambda: Cohort.batch_delete([Cohort("n", id="1")], api_key=5)),
]


@pytest.mark.parametrize("name, call", WRONG)
def test_wrong_arguments(name: str, call: Callable[[], Any]) -> None:
    """A wrong argument is a ValueError or TypeError that names it, before any request."""
    with requests_mock_package.Mocker() as service:
        with pytest.raises((ValueError, TypeError), match=rf"\b{name}\b"):
            call()
    assert service.call_count == 0


@pytest.mark.parametrize("kind", [iter, tuple, set, dict.fromkeys])
def test_batches_take_any_iterable(kind: Any) -> None:
    """Ids may be any iterable, even a generator; equal ids are fetched once."""
    with requests_mock_package.Mocker() as service:
        service.get(f"{IMPORTS}/i-1", status_code=404)
        found, failures = Import.batch_get_by_id(kind(["i-1", "i-1"]), api_key=KEY)
    assert (found, len(failures), service.call_count) == ({}, 1, 1)
