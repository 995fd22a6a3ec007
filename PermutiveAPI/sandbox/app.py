"""The service as one ASGI application: gates in front, operations behind.

A request below ``/_sandbox`` controls the sandbox; see control.py. Any other is recorded, delayed and
counted against the rate limit. It may get a fault that a test asked for. Then its key is checked, and it
reaches an operation. Assumptions: the key is checked before path and body, and a body may have 10 MB.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import cohorts, context, events, identity, segmentation, taxonomy
from .behaviour import Behaviour
from .call import ApiCall, Handler
from .control import Control
from .envelope import Refused, refusal, status_response
from .faults import FaultQueue
from .gate import READING, WORKSPACE, Gate, RateLimit, check_size, key_gate, latency_gate
from .recording import Recorder, RequestLog
from .state import State

_ROUTES: Mapping[str, Mapping[str, Handler]] = {
    **cohorts.ROUTES,
    **taxonomy.ROUTES,
    **identity.ROUTES,
    **segmentation.ROUTES,
    **events.ROUTES,
    **context.ROUTES,
}


def build_app(
    state: State,
    behaviour: Behaviour,
    log: RequestLog,
    rate: RateLimit,
    faults: FaultQueue,
    control: Control,
) -> ASGIApp:
    """Return the service as an ASGI application."""
    app = Starlette(
        routes=[
            Route(path, _Operations(path, handlers, state, behaviour))
            for path, handlers in _ROUTES.items()
        ],
        middleware=[
            Middleware(_Stoppable),
            Middleware(Gate, check=control.check),
            Middleware(Recorder, log=log),
            Middleware(Gate, check=latency_gate(behaviour)),
            Middleware(Gate, check=rate.check),
            Middleware(Gate, check=faults.check),
            Middleware(Gate, check=key_gate(state)),
            Middleware(Gate, check=check_size),
        ],
        exception_handlers={Refused: _refused, HTTPException: _unroutable, Exception: _broken},
    )
    app.router.redirect_slashes = False
    return app


class _Operations:
    """ASGI endpoint of one path: a handler for each HTTP method."""

    def __init__(
        self, path: str, handlers: Mapping[str, Handler], state: State, behaviour: Behaviour
    ) -> None:
        self._path = path
        self._handlers = handlers
        self._state = state
        self._behaviour = behaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        handler = self._handlers.get(request.method)
        if handler is None:
            raise HTTPException(405, headers={"Allow": ", ".join(self._handlers)})
        call = ApiCall(
            state=self._state,
            behaviour=self._behaviour,
            workspace=scope[WORKSPACE],
            path=request.path_params,
            query=request.query_params,
            content=await request.body(),
        )
        with self._state.lock if request.method in READING else self._state.changing():
            response = handler(call)
        self._state.carried_out[f"{request.method} {self._path}"] += 1
        await response(scope, receive, send)


class _Stoppable:
    """ASGI wrapper that ends a request without an error when the server stops."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # The connection is closed, so no response can be sent.
            return


async def _refused(request: Request, error: Exception) -> Response:
    return refusal(cast(Refused, error), request.scope["path"])


async def _unroutable(request: Request, error: Exception) -> Response:
    found = cast(HTTPException, error)
    headers = dict(found.headers or {})
    return status_response(found.status_code, request.scope["path"], headers)


async def _broken(request: Request, error: Exception) -> Response:
    return status_response(500, request.scope["path"])
