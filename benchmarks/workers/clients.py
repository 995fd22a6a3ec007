"""The subjects behind one interface, which identifies many users at a time."""

from __future__ import annotations

import http.client
import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Protocol

from loopback import APP_HOST, IDENTIFY_HOST, IDENTIFY_PATH, IDENTIFY_URL, tls_context

API_KEY = "benchmark-key"


class Client(Protocol):
    """Sends one POST to identify for each user."""

    def prepare(self, count: int) -> Sequence[Any]:
        """Make the users in the form that the subject takes."""
        ...

    def send(self, prepared: Sequence[Any], workers: int) -> tuple[Sequence[Any], int]:
        """Send them; return the responses, and how many requests were lost."""
        ...


def client_of(subject: str) -> Client:
    """Return a subject's client."""
    return _CLIENTS.get(subject, Package)()


def _users(count: int) -> list[dict[str, Any]]:
    return [
        {
            "user_id": f"user-{number}",
            "aliases": [{"id": f"{number}@example.com", "tag": "email", "priority": 1}],
        }
        for number in range(count)
    ]


class Package:
    """This project or one of the releases, through the same public names."""

    def __init__(self) -> None:
        self._api: Any = import_module("PermutiveAPI")

    def prepare(self, count: int) -> Sequence[Any]:
        """Make Identity objects."""
        return [self._api.Identity.from_json(user) for user in _users(count)]

    def send(self, prepared: Sequence[Any], workers: int) -> tuple[Sequence[Any], int]:
        """Identify them in one batch."""
        identity = self._api.Identity
        # Release 6.8.2 calls it batch_send.
        batch = getattr(identity, "batch_identify", None) or identity.batch_send
        responses, failures = batch(prepared, api_key=API_KEY, max_workers=workers)
        return responses, len(failures)


class ClientObject:
    """The other way of release 6.8.2: a client object, and a function that runs any batch."""

    def __init__(self) -> None:
        self._api: Any = import_module("PermutiveAPI")
        self._client = self._api.PermutiveClient(API_KEY)

    def prepare(self, count: int) -> Sequence[Any]:
        """Make JSON data."""
        return _users(count)

    def send(self, prepared: Sequence[Any], workers: int) -> tuple[Sequence[Any], int]:
        """Post them in one batch."""
        batch = self._api.execute_batch(prepared, self._post, max_workers=workers)
        return batch.items, len(batch.failures)

    def _post(self, user: dict[str, Any]) -> Any:
        return self._client.request("POST", IDENTIFY_PATH, json=user, idempotent=True)


class _Threads:
    """Threads that send with a bare transport. They and their connections are kept between batches."""

    _executor: ThreadPoolExecutor | None = None

    def prepare(self, count: int) -> Sequence[Any]:
        """Make JSON data."""
        return _users(count)

    def send(self, prepared: Sequence[Any], workers: int) -> tuple[Sequence[Any], int]:
        """Send them from a pool of threads."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(workers)
            self._open(workers)
        statuses = list(self._executor.map(self._post, prepared))
        return statuses, len(statuses) - statuses.count(200)

    def _open(self, workers: int) -> None:
        raise NotImplementedError

    def _post(self, user: dict[str, Any]) -> int:
        raise NotImplementedError


class Urllib3(_Threads):
    """One PoolManager for all threads, which waits for a response without limit."""

    _url = f"{IDENTIFY_URL}?k={API_KEY}"
    _timeout_seconds: float | None = None

    def _open(self, workers: int) -> None:
        import urllib3

        self._pool = urllib3.PoolManager(
            maxsize=workers, ssl_context=tls_context(), timeout=self._timeout_seconds
        )

    def _post(self, user: dict[str, Any]) -> int:
        answer = self._pool.request("POST", self._url, json=user)
        _ = answer.data
        return answer.status


class ConstantRate(Urllib3):
    """The same at 95 % of the rate limit, which it is told. Refused requests are sent again in turn."""

    rate = math.inf

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turn = 0.0

    def _post(self, user: dict[str, Any]) -> int:
        while True:
            with self._lock:
                now = time.monotonic()
                self._turn = max(self._turn + 1 / (0.95 * self.rate), now)
                wait = self._turn - now
            time.sleep(wait)
            status = super()._post(user)
            if status not in (429, 503):
                return status


class Urllib3WithTimeout(Urllib3):
    """A PoolManager with the time limit of this project's calls. To keep it, Python polls the socket."""

    _timeout_seconds = 10.0


class HttpClient(_Threads):
    """A connection for each thread."""

    _target = f"{IDENTIFY_PATH}?k={API_KEY}"
    _headers = {"Content-Type": "application/json"}

    def _open(self, workers: int) -> None:
        self._context = tls_context()
        self._of_thread = threading.local()

    def _post(self, user: dict[str, Any]) -> int:
        connection = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(IDENTIFY_HOST, context=self._context)
            self._of_thread.connection = connection
        connection.request("POST", self._target, json.dumps(user).encode(), self._headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


JSONClient = Callable[..., Any]


def json_client() -> JSONClient:
    """Return a function that sends one request by urllib3 and decodes the response."""
    import urllib3

    pool = urllib3.PoolManager(ssl_context=tls_context())

    def fetch(method: str, path: str, query: str = "", **options: Any) -> Any:
        answer = pool.request(method, f"https://{APP_HOST}{path}?k={API_KEY}{query}", **options)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status}")
        return json.loads(answer.data)

    return fetch


_CLIENTS: dict[str, type[Client]] = {
    "6.8.2 PermutiveClient": ClientObject,
    "urllib3": Urllib3,
    "urllib3 with a timeout": Urllib3WithTimeout,
    "constant rate": ConstantRate,
    "http.client": HttpClient,
}
