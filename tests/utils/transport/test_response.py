"""A compact response has the same attributes as requests' own response."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any, List, Tuple

import pytest
import requests

from PermutiveAPI._Utils import http
from PermutiveAPI._Utils.transport.prepare import prepare
from PermutiveAPI._Utils.transport.response import CompactResponse, WholeResponse
from tests.support.fake_service import FakeService, answer

HEADERS: Tuple[Tuple[str, str], ...] = (
    ("Content-Type", "application/json; charset=utf-8"),
    ("X-Many", "a"),
    ("x-many", "b"),
    ("Set-Cookie", "session=1; Path=/"),
    ("Set-Cookie", "other=2; Path=/"),
    ("Link", '<https://h.example/p?page=2>; rel="next"'),
)
URL = "http://h.example/p"
# Attributes of one call, or of the connection, which a compact response does not have.
UNLIKE = ("raw", "elapsed", "request", "connection", "url")


def response(
    status: int = 200,
    body: bytes = b'{"a": "\xc3\xbc"}',
    headers: Tuple[Tuple[str, str], ...] = HEADERS,
    reason: str = "OK",
) -> CompactResponse:
    """Return a compact response."""
    request = prepare("POST", URL, {"Accept": "*/*"}, {"k": "key"}, b"{}")
    return CompactResponse(WholeResponse(status, reason, headers, body), request)


def test_attributes() -> None:
    """It has status, reason, URL, headers, text, cookies, links, and the request."""
    got = response()
    assert (got.status_code, got.reason, got.ok) == (200, "OK", True)
    assert got.url == got.request.url == f"{URL}?k=[REDACTED]"
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert got.headers["X-MANY"] == "a, b"
    assert got.cookies.get_dict() == {"session": "1", "other": "2"}
    assert got.links["next"]["url"] == "https://h.example/p?page=2"
    assert (got.encoding, got.text) == ("utf-8", '{"a": "ü"}')
    assert got.json() == {"a": "ü"}
    assert got.content == b'{"a": "\xc3\xbc"}'
    assert (got.request.method, got.request.body) == ("POST", b"{}")
    assert got.request.headers["Accept"] == "*/*"
    assert (got.history, got.next, got.is_redirect) == ([], None, False)
    assert repr(got) == "<Response [200]>" and bool(got)
    assert got.apparent_encoding == "utf-8"
    got.close()


@pytest.mark.parametrize("reason", ["", None])
def test_no_reason(reason: Any) -> None:
    """A status line without words has an empty reason, as requests' own response has."""
    assert response(404, reason=reason).reason == ""


def test_no_key_after_a_success() -> None:
    """A success does not show the key; a failure keeps it until its error removes it."""
    for look in (lambda got: got.url, lambda got: got.request, lambda got: got.cookies):
        got = response()
        assert look(got) is not None
        assert "k=key" not in f"{got.url} {got.request.url} {vars(got)}"
        assert b"k=key" not in pickle.dumps(got)
    assert response(404).url == f"{URL}?k=key"


def test_as_a_stream_and_as_a_context() -> None:
    """The body can be read in pieces, and the response is a context manager."""
    with response(body=b"line 1\nline 2\n") as got:
        assert list(got.iter_lines()) == [b"line 1", b"line 2"]
        assert b"".join(got.iter_content(3)) == b"line 1\nline 2\n"
        assert b"".join(got) == b"line 1\nline 2\n"


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_failures_raise(status: int) -> None:
    """raise_for_status() raises an error with the response."""
    got = response(status, reason="Bad")
    assert not got.ok and not got
    with pytest.raises(requests.HTTPError, match=f"{status} ") as caught:
        got.raise_for_status()
    assert caught.value.response is got


@pytest.mark.parametrize("look_first", [False, True])
def test_pickled(look_first: bool) -> None:
    """It can be pickled, before and after its attributes were read."""
    got = response()
    if look_first:
        assert got.headers and got.cookies and got.request and got.encoding
    copy = pickle.loads(pickle.dumps(got))
    assert copy.json() == got.json()
    assert copy.headers == got.headers
    assert copy.cookies.get_dict() == got.cookies.get_dict()
    assert (copy.url, copy.status_code, copy.reason) == (got.url, 200, "OK")
    assert copy.request.url == got.request.url


def test_attributes_can_be_set() -> None:
    """Attributes can be set, as those of requests' own response."""
    got = response(body=b"\xfc")
    got.encoding = "latin-1"
    assert got.text == "ü"
    got.headers = {"A": "b"}
    assert got.headers == {"A": "b"}


def test_headers_are_not_shared() -> None:
    """Changing the headers of one response does not change those of an equal one."""
    first, second = response(), response()
    first.headers["X-Own"] = "1"
    assert "X-Own" not in second.headers


def test_same_as_requests(server: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has every public attribute of requests' response from the same server, with the same values."""
    server.default = answer(
        200, {"a": 1}, headers={"X-Own": "ü-latin".encode("latin-1").decode("latin-1")}
    )
    mine = http.get("key-0001", "https://api.permutive.app/v9/things")
    theirs = requests.get(f"{server.url}/v9/things", params={"k": "key-0001"})
    for name in dir(theirs):
        if not name.startswith("_") and name not in UNLIKE:
            value = getattr(theirs, name)
            if not callable(value):
                assert getattr(mine, name) == value, name
    assert mine.elapsed.total_seconds() > 0
    assert mine.raw is None


def test_little_memory() -> None:
    """Beyond its body, a response whose attributes were not read takes less than 3 kB."""
    body = b"x" * 10
    kept: List[Any] = []
    tracemalloc.start()
    try:
        for number in range(200):
            request = prepare("GET", f"{URL}/{number}", {"A": "b"}, {"k": "key"}, None)
            kept.append(CompactResponse(WholeResponse(200, "OK", HEADERS, body), request))
        size = tracemalloc.get_traced_memory()[0] / len(kept)
    finally:
        tracemalloc.stop()
    assert size < 3000
