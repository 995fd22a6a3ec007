"""While there is a limit, the limiter records each request that the service accepts."""

from __future__ import annotations

import pytest

from PermutiveAPI import PermutiveRateLimitError, RetryConfig
from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.retry import rate_limit
from tests.support.calls import KEY
from tests.support.fake_service import FakeService, answer

URL = "https://api.permutive.app/v9/things"
ONCE = RetryConfig(max_retries=1, initial_delay=0.01)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_the_limiter_records_every_response_that_is_no_refusal(
    server: FakeService, status: int
) -> None:
    """A response that is not the refusal of a limit shows that the service accepts requests again."""
    server.script = [answer(429), answer(status, {})]
    with pytest.raises(PermutiveRateLimitError):
        http.request("GET", KEY, URL, retry=ONCE)
    limiter = rate_limit.limiter_of(rate_limit.limit_key_of(f"{server.url}/v9/x", KEY))
    assert limiter is not None
    before = limiter.accepted_at
    try:
        http.request("GET", KEY, URL, retry=ONCE)
    except Exception:
        assert status != 200
    assert limiter.accepted_at > before
