"""A step of the fake service that passes requests on to the sandbox, and may lose what comes back."""

from __future__ import annotations

import http.client
from typing import List, Tuple
from urllib.parse import urlsplit

from PermutiveAPI.sandbox import Sandbox
from tests.support.fake_service import Connection, Step, answer, reset


def passed_on(sandbox: Sandbox) -> Step:
    """Pass a request on to the sandbox, and its response back."""

    def step(connection: Connection) -> bool:
        status, body = _response_of(sandbox, connection)
        return answer(status, body)(connection)

    return step


def carried_out_then(sandbox: Sandbox, step: Step) -> Step:
    """Pass a request on to the sandbox, lose its response, and do a step instead."""

    def both(connection: Connection) -> bool:
        _response_of(sandbox, connection)
        return step(connection)

    return both


def faults(sandbox: Sandbox) -> List[Tuple[str, Step]]:
    """Return every fault of a request whose outcome the client cannot know, with its name."""
    return [
        ("lost before", reset()),
        ("lost after", carried_out_then(sandbox, reset())),
        ("failed before", answer(500, b"")),
        ("failed after", carried_out_then(sandbox, answer(502, b""))),
    ]


def for_writes(sandbox: Sandbox, fault: Step) -> Step:
    """Do a step for a request that changes something, and pass others on."""

    def step(connection: Connection) -> bool:
        assert connection.request is not None
        reads = connection.request.method == "GET"
        return (passed_on(sandbox) if reads else fault)(connection)

    return step


def _response_of(sandbox: Sandbox, connection: Connection) -> Tuple[int, bytes]:
    request = connection.request
    assert request is not None
    link = http.client.HTTPConnection(urlsplit(sandbox.base_url).netloc)
    try:
        link.request(
            request.method, request.target, request.body, {"Content-Type": "application/json"}
        )
        response = link.getresponse()
        return response.status, response.read()
    finally:
        link.close()
