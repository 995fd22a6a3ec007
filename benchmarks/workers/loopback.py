"""The way to the service: host names that resolve to loopback, and the service's counters."""

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
COHORTS_PATH = "/cohorts-api/v2/cohorts/"
IMPORT_ID = "import-1"
SEGMENTS_PATH = f"/audience-api/v1/imports/{IMPORT_ID}/segments"


def redirect(port: int) -> None:
    """Resolve the service's host names to loopback, and refuse all other names."""
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, own_port: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "127.0.0.1":  # A cluster's own processes.
            return resolve(host, own_port, *args, **kwargs)
        if host not in (APP_HOST, IDENTIFY_HOST):
            raise socket.gaierror(socket.EAI_NONAME, f"{host} is not on loopback")
        return resolve("127.0.0.1", port, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo


def tls_context() -> ssl.SSLContext:
    """Return a context that trusts the service."""
    return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def counters(since: float | None = None) -> dict[str, int]:
    """Return the service's counters: requests, those later than a time, connections."""
    connection = http.client.HTTPSConnection(APP_HOST, context=tls_context())
    path = "/__counters" if since is None else f"/__counters?since={since}"
    connection.request("GET", path)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer
