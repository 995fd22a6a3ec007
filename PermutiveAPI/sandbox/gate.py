"""Gates: checks of every request before an operation sees it.

A check returns None to let the request pass, or the response to send. The gates are plain ASGI for
speed, since every request passes them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .behaviour import Behaviour
from .envelope import Refused, refusal, status_response
from .recording import OVERSIZED
from .state import State

Check: TypeAlias = Callable[[Request], Awaitable[Response | None]]

WORKSPACE = "permutive.workspace"
READING = ("GET", "HEAD", "OPTIONS")
# In other APIs every key may write, since websites send users and events with public keys.
_APIS_FOR_ACCOUNTS = ("/cohorts-api/", "/audience-api/")
_WINDOW_SECONDS = 1.0


class Gate:
    """ASGI wrapper that sends the response of ``check``, if it returns one, instead of that of ``app``."""

    def __init__(self, app: ASGIApp, check: Check) -> None:
        self._app = app
        self._check = check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless the check returns a response."""
        response = await self._check(Request(scope, receive))
        await (response or self._app)(scope, receive, send)


def latency_gate(behaviour: Behaviour) -> Check:
    """Return the check that delays every request."""

    async def wait(request: Request) -> None:
        if behaviour.latency_seconds > 0:
            await asyncio.sleep(behaviour.latency_seconds)

    return wait


class RateLimit:
    """The limit of requests in any second."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._passed: deque[float] = deque()

    def forget(self) -> None:
        """Forget the requests so far. Any thread may call it."""
        self._passed = deque()

    async def check(self, request: Request) -> Response | None:
        """Return the response 429 to a request above the limit."""
        limit = self._behaviour.rate_limit_per_second
        if limit is None:
            return None
        passed = self._passed
        now = time.monotonic()
        while passed and passed[0] <= now - _WINDOW_SECONDS:
            passed.popleft()
        if len(passed) < limit:
            passed.append(now)
            return None
        retry_after = self._behaviour.retry_after
        return status_response(429, request.scope["path"], retry_header(retry_after))


def key_gate(state: State) -> Check:
    """Return the check that finds the workspace of a request's key.

    The response to an unknown key is 401. To changes of cohorts and segments with a key that may only
    read, it is 403.
    """

    async def identify(request: Request) -> Response | None:
        path = request.scope["path"]
        key = request.query_params.get("k") or request.headers.get("x-api-key")
        if not key:
            return refusal(Refused(2004), path)
        workspace = state.workspace_of_key(key)
        if workspace is None:
            state.unknown_keys += 1
            return refusal(Refused(2000, state.unknown_key), path)
        if key == workspace.read_only_api_key and _is_change(request):
            return refusal(Refused(2001, "This key may only read."), path)
        request.scope[WORKSPACE] = workspace
        return None

    return identify


def _is_change(request: Request) -> bool:
    path = request.scope["path"]
    return request.method not in READING and path.startswith(_APIS_FOR_ACCOUNTS)


async def check_size(request: Request) -> Response | None:
    """Return the response 413 to a body of more than 10 MB."""
    if not request.scope[OVERSIZED]:
        return None
    return status_response(413, request.scope["path"], cause="The body exceeds 10 MB.")


def retry_header(retry_after: str | None) -> dict[str, str]:
    """Return the header ``Retry-After``; no header for None."""
    return {} if retry_after is None else {"Retry-After": str(retry_after)}
