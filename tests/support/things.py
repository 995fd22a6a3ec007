"""Numbered requests for batches, and which of them arrived."""

from __future__ import annotations

from typing import Any, List

from PermutiveAPI import BatchRequest
from tests.support.fake_service import FakeService, ReceivedRequest

URL = "https://api.permutive.app/v9/things"


def things(count: int, **fields: Any) -> List[BatchRequest]:
    """Return numbered requests."""
    return [BatchRequest("GET", f"{URL}/{number}", **fields) for number in range(count)]


def path_of(request: ReceivedRequest) -> Any:
    """Answer with the path of the request, for ``answer_from``."""
    return {"path": request.path}


def numbers(server: FakeService) -> List[int]:
    """Return the numbers of the requests that arrived, in ascending order."""
    return sorted(int(seen.path.rpartition("/")[2]) for seen in server.received)
