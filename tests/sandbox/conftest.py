"""A running sandbox and a client that speaks plain HTTP to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from PermutiveAPI.sandbox import Sandbox

IMPORTS = "/audience-api/v1/imports"
COHORTS = "/cohorts-api/v2/cohorts/"
IDENTIFY = "/v2.0/identify"
SEGMENTATION = "/ccs/v1/segmentation"


class Client:
    """Calls a sandbox with the key of one of its workspaces."""

    def __init__(self, sandbox: Sandbox, key: str) -> None:
        self.sandbox = sandbox
        self.key = key
        self.session = requests.Session()

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", 10)
        options["params"] = {"k": self.key, **options.get("params", {})}
        return self.session.request(method, self.sandbox.base_url + path, **options)

    def created(self, **fields: Any) -> dict[str, Any]:
        body = {"name": "C", "query": {"type": "users"}, **fields}
        answer = self("POST", COHORTS, json=body)
        assert answer.status_code == 201
        return answer.json()

    def imports(self) -> list[dict[str, Any]]:
        return self("GET", IMPORTS).json()["items"]

    def segments_path(self, number: int = 0) -> str:
        return f"{IMPORTS}/{self.imports()[number]['id']}/segments"


@pytest.fixture
def sandbox(fresh_sandbox: Sandbox) -> Sandbox:
    return fresh_sandbox


@pytest.fixture
def call(sandbox: Sandbox) -> Iterator[Client]:
    client = Client(sandbox, sandbox.api_key)
    with client.session:
        yield client


@pytest.fixture
def child(sandbox: Sandbox) -> Iterator[Client]:
    client = Client(sandbox, sandbox.child_api_key)
    with client.session:
        yield client
