"""The way to the far end: real host names that lead to loopback, and the counters of what arrived."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from typing import Any

APP_HOST = "api.permutive.app"
IDENTIFY_HOST = "api.permutive.com"
IDENTIFY_PATH = "/v2.0/identify"
IDENTIFY_URL = f"https://{IDENTIFY_HOST}{IDENTIFY_PATH}"


def redirect(port: int) -> None:
    """Resolve the service's host names to the far end, and no other name at all."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, own_port: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "127.0.0.1":  # A cluster's own processes.
            return resolve(host, own_port, *args, **kwargs)
        if host not in (APP_HOST, IDENTIFY_HOST):
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not on loopback")
        return resolve("127.0.0.1", port, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


def tls_context() -> ssl.SSLContext:
    """Return a context that trusts the far end."""
    return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def counters(since: float | None = None) -> dict[str, int]:
    """Ask the far end what it has seen: requests, those later than a time, connections."""
    connection = http.client.HTTPSConnection(APP_HOST, context=tls_context())
    path = "/__counters" if since is None else f"/__counters?since={since}"
    connection.request("GET", path)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer
