"""Control over HTTP: what the methods of a ``Sandbox`` do, for programs in any language.

A request below ``/_sandbox`` needs no key. It is not recorded, delayed or counted, and it gets no fault.
Anyone who can send one controls the sandbox, so web pages are kept out: a browser says in the header
``Origin`` where a request comes from, and a page whose own name means 127.0.0.1 sends that name as the
``Host``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .behaviour import Behaviour, switches_of
from .call import decoded
from .recording import RecordedRequest
from .rows import DATA
from .shapes import JSONObject, Shape, boolean, many, mapping, number, string, text, whole

if TYPE_CHECKING:
    from .server import Sandbox

_PREFIX = "/_sandbox/"

_Handler: TypeAlias = Callable[[JSONObject], Response]


def _header_value(value: Any) -> str:
    if not (string(value).isascii() and value.isprintable()):
        raise ValueError("printable ASCII is expected")
    return value


_NOTHING = Shape(strict=True)
_FAULT = Shape(
    optional={
        "status": whole,
        "times": whole,
        "retry_after": _header_value,
        "method": text,
        "path": string,
        "body": string,
        "content_type": _header_value,
    },
    clearable=frozenset({"retry_after", "method", "path", "body"}),
    strict=True,
)
_BEHAVIOUR = Shape(
    optional={
        "latency_seconds": number,
        "rate_limit_per_second": whole,
        "retry_after": _header_value,
        "page_size": whole,
        "check_queries": boolean,
        "require_uuid_user_ids": boolean,
        "create_missing_segment_codes": boolean,
        "refused_bulk_is_partial": boolean,
        "segments_key_in_segmentation": boolean,
        "alias_tags": many(string),
    },
    clearable=frozenset({"rate_limit_per_second", "retry_after", "check_queries", "alias_tags"}),
    strict=True,
)


def is_loopback(host: str) -> bool:
    """Tell whether a host, in lower case and without its port, can only be this machine."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


class Control:
    """Carries out the requests below ``/_sandbox``.

    Parameters
    ----------
    sandbox : Sandbox
        What they control.
    is_on : bool
        Whether they are allowed.
    host : str | None
        The name of the sandbox's host, if it listens on loopback: requests with the name of another
        machine are refused. None: requests may have any name.
    """

    def __init__(self, sandbox: Sandbox, is_on: bool, host: str | None) -> None:
        self._sandbox = sandbox
        self._is_on = is_on
        self._host = host
        self._routes: Mapping[str, Mapping[str, _Handler]] = {
            "reset": {"POST": self._reset},
            "faults": {"POST": self._add_fault},
            "behaviour": {"POST": self._change_behaviour},
            "seed": {"POST": self._seed},
            "requests": {"GET": self._list_requests, "DELETE": self._clear_requests},
        }

    async def check(self, request: Request) -> Response | None:
        """Return the response to a request below ``/_sandbox``; None for any other."""
        path: str = request.scope["path"]
        if not path.startswith(_PREFIX):
            return None
        try:
            content = await request.body()
        except ClientDisconnect:
            return _error(400, "The body is not complete.")
        refusal = self._refusal(request)
        if refusal is not None:
            return _error(403, refusal)
        handlers = self._routes.get(path.removeprefix(_PREFIX))
        if handlers is None:
            return _error(
                404, f"There is only {', '.join(_PREFIX + name for name in self._routes)}."
            )
        handler = handlers.get(request.method)
        if handler is None:
            allowed = ", ".join(handlers)
            return _error(405, f"The method must be {allowed}.", {"Allow": allowed})
        try:
            return handler(_object(content))
        except ValueError as error:
            return _error(400, str(error))

    def _refusal(self, request: Request) -> str | None:
        if not self._is_on:
            return (
                "Control is off. Start the sandbox with --control, or in Python with "
                "Sandbox(control=True)."
            )
        if "origin" in request.headers:
            return "The header Origin shows that the request comes from a web page."
        if self._host is not None and not self._is_this_host(request.headers.get("host", "")):
            return "The header Host names another machine."
        return None

    def _is_this_host(self, header: str) -> bool:
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name == str(self._host).lower()

    def _reset(self, body: JSONObject) -> Response:
        _NOTHING(body)
        self._sandbox.reset()
        return Response(status_code=204)

    def _add_fault(self, body: JSONObject) -> Response:
        self._sandbox.fail_next(**_FAULT(body))
        return Response(status_code=204)

    def _change_behaviour(self, body: JSONObject) -> Response:
        changes = _BEHAVIOUR(body)
        Behaviour(**{**switches_of(self._sandbox), **changes})  # It refuses impossible values.
        for name, value in changes.items():
            setattr(self._sandbox, name, value)
        switches = switches_of(self._sandbox)
        tags = switches["alias_tags"]
        return JSONResponse({**switches, "alias_tags": tags if tags is None else sorted(tags)})

    def _seed(self, body: JSONObject) -> Response:
        return JSONResponse(self._sandbox.seed(**DATA(body)))

    def _list_requests(self, body: JSONObject) -> Response:
        _NOTHING(body)
        rows = ",".join(map(_written, self._sandbox.requests))
        return Response(f"[{rows}]", media_type="application/json")

    def _clear_requests(self, body: JSONObject) -> Response:
        _NOTHING(body)
        self._sandbox.clear_requests()
        return Response(status_code=204)


def _object(content: bytes) -> JSONObject:
    if not content:
        return {}
    try:
        value = decoded(content)
    except ValueError as error:
        raise ValueError(f"The body is not JSON: {error}") from None
    return mapping(value)


def _written(request: RecordedRequest) -> str:
    try:
        return json.dumps(vars(request), allow_nan=False)
    except (ValueError, RecursionError):
        # Python reads some bodies that are not JSON. The text of the body is there in any case.
        return json.dumps({**vars(request), "json": None})


def _error(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status_code=status, headers=headers)
